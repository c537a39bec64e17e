//! The load generator against an endpoint that answers as it is told: it has
//! to notice everything that is wrong, and to take for right what is right.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fake_endpoint;

use std::time::{Duration, Instant};

use clap::Parser as _;
use fake_endpoint::{Asked, FakeEndpoint, Reply, error_reply, ids_reply};
use forebay_bench::{Cancel, LoadError, Options, Progress, Report, run};

const DATAHUB: &str = "datahub-aaaaaaaa";

/// Short: what is checked here is not speed.
const SHORT: &str = "--warmup 100ms --duration 400ms --connections 4";

async fn try_load(endpoint: &str, arguments: &str) -> Result<Report, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.toml");
    std::fs::write(
        &path,
        "[[credential]]\nsecret_id = \"AKIDtest\"\nsecret_key = \"k\"\n",
    )
    .unwrap();
    let path = path.display();
    let all = format!("forebay-load --endpoint {endpoint} --credentials {path} {arguments}");
    let options = Options::try_parse_from(all.split_whitespace()).unwrap();
    run(&options, &Cancel::default(), &mut |_| {}).await
}

async fn load(behaviour: impl Fn(&Asked) -> Reply + Send + Sync + 'static, more: &str) -> Report {
    let endpoint = FakeEndpoint::start(behaviour);
    let arguments = format!("{SHORT} --datahub {DATAHUB} {more}");
    try_load(&endpoint.url(), &arguments).await.unwrap()
}

fn faults(report: &Report) -> Vec<&str> {
    report
        .checks
        .faults
        .kinds
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn right_answers_pass() {
    let report = load(Asked::right, "--messages 7 --threads 2").await;
    assert!(report.checks.passed, "{:?}", report.checks.faults);
    let run = &report.whole_run;
    assert!(run.requests > 8);
    assert_eq!(run.acknowledged_messages, 7 * run.requests);
    assert_eq!(report.checks.distinct_offsets, run.acknowledged_messages);
    assert_eq!((run.refused_messages, run.unknown_messages), (0, 0));
    let measured = &report.measured;
    assert!(measured.requests > 0 && measured.requests < run.requests);
    assert!(measured.latency.count > 0 && measured.latency.p50_ms > 0.0);
    assert!(measured.latency.p50_ms <= measured.latency.max_ms);
    assert!(report.own.cpu_us_per_request > 0.0);
    serde_json::to_string(&report).unwrap();
}

#[tokio::test]
async fn each_lie_is_noticed() {
    type Lie = fn(&Asked) -> Reply;
    let lies: [(Lie, &str); 6] = [
        (
            |asked| {
                let mut ids = asked.ids();
                if asked.number == 9 {
                    ids[1] = ids[0].clone();
                }
                ids_reply(&ids)
            },
            "an offset was given twice",
        ),
        (
            |asked| {
                let ids = asked.ids();
                let wrong = ids.iter().map(|id| id.replace("aaaaaaaa", "bbbbbbbb"));
                ids_reply(&wrong.collect::<Vec<_>>())
            },
            "a MessageId names another access point",
        ),
        (
            |asked| ids_reply(&asked.ids()[1..]),
            "not as many MessageIds as messages",
        ),
        (
            |asked| {
                let ids = asked.ids();
                let wrong = ids.iter().map(|id| id.replace(":1001", ":999"));
                ids_reply(&wrong.collect::<Vec<_>>())
            },
            "a MessageId says sent before received",
        ),
        (
            |asked| {
                let ids = asked.ids();
                let topic = if asked.number < 9 {
                    ":topic:"
                } else {
                    ":other:"
                };
                let wrong = ids.iter().map(|id| id.replace(":topic:", topic));
                ids_reply(&wrong.collect::<Vec<_>>())
            },
            "an access point's MessageIds name different topics",
        ),
        (
            |_| Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".to_owned()),
            "an answer is not as the API has it",
        ),
    ];
    for (lie, kind) in lies {
        let report = load(lie, "--messages 3").await;
        assert!(!report.checks.passed);
        assert!(
            faults(&report).contains(&kind),
            "{kind}: {:?}",
            faults(&report)
        );
    }
}

#[tokio::test]
async fn a_duplicate_that_two_threads_were_given() {
    // Each connection's thread sees every offset once; together they see all twice.
    let report = load(
        |asked| {
            let offset = asked.number / 2;
            ids_reply(&[format!("{DATAHUB}:topic:0:{offset}:1:1")])
        },
        "--connections 2 --threads 2",
    );
    let report = report.await;
    assert_eq!(faults(&report), ["an offset was given twice"]);
}

#[tokio::test]
async fn refused_and_unknown_are_no_faults_but_counted() {
    let report = load(
        |asked| match asked.number % 4 {
            0 => asked.right(),
            1 => error_reply("RequestLimitExceeded", "slow down"),
            2 => error_reply("FailedOperation", "delivery unknown: deadline"),
            _ => Reply::Bytes("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned()),
        },
        "--messages 2",
    );
    let report = report.await;
    assert!(report.checks.passed, "{:?}", report.checks.faults);
    let run = &report.whole_run;
    assert!(run.refused.kinds["RequestLimitExceeded"].count > 0);
    assert_eq!(
        run.refused.kinds["RequestLimitExceeded"].examples,
        ["slow down"]
    );
    assert!(run.unknown.kinds["FailedOperation"].count > 0);
    assert!(run.unknown.kinds["HTTP status 503"].count > 0);
    let sum = run.acknowledged_messages + run.refused_messages + run.unknown_messages;
    assert_eq!(sum, 2 * run.requests);
    assert!(report.measured.failed_requests > 0);
}

#[tokio::test]
async fn a_closed_connection_is_unknown_and_made_again() {
    let close_some = |asked: &Asked| {
        if asked.number.is_multiple_of(5) {
            Reply::Close
        } else {
            asked.right()
        }
    };
    let report = load(close_some, "").await;
    let run = &report.whole_run;
    assert!(
        run.connections.total() >= 4,
        "more were lost than there are"
    );
    assert_eq!(
        run.unknown.kinds["closed by the other side"].count,
        run.unknown_messages
    );
    assert_eq!(
        run.acknowledged_messages + run.unknown_messages,
        run.requests
    );
    assert!(report.checks.passed, "{:?}", report.checks.faults);
}

#[tokio::test]
async fn an_answer_that_ends_its_connection() {
    let report = load(
        |asked| {
            let body =
                serde_json::json!({"Response": {"MessageId": asked.ids(), "RequestId": "r"}});
            let body = body.to_string();
            let length = body.len();
            Reply::Bytes(format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
        },
        "",
    );
    let report = report.await;
    assert!(report.checks.passed, "{:?}", report.checks.faults);
    assert_eq!(report.whole_run.connections.total(), 0);
    assert!(report.whole_run.requests > 8);
}

#[tokio::test]
async fn answers_that_never_come_are_given_up() {
    let silent = |asked: &Asked| {
        if asked.number == 3 {
            std::thread::sleep(Duration::from_secs(120));
        }
        asked.right()
    };
    let started = Instant::now();
    let report = load(silent, "--timeout 3s").await;
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(report.whole_run.unknown_messages, 1);
}

/// The heart of an open loop: a pause of the endpoint shows in the latencies of
/// all requests that were due meanwhile, and not only of those under way.
#[tokio::test]
async fn a_pause_is_not_omitted() {
    let behaviour = |asked: &Asked| {
        // Once, on the only connection, in the midst of what is measured.
        if asked.number == 300 {
            std::thread::sleep(Duration::from_millis(400));
        }
        asked.right()
    };
    let more = "--connections 1 --rate 500/s --warmup 200ms --duration 2s";
    let report = load(behaviour, more).await;
    let measured = &report.measured;
    let service = measured.service_time.as_ref().unwrap();
    assert!(measured.latency.max_ms >= 400.0 && service.max_ms >= 400.0);
    // 200 of 1000 requests were due in the pause, and waited half of it in the mean.
    assert!(measured.latency.p90_ms > 100.0, "{:?}", measured.latency);
    assert!(
        service.p90_ms < measured.latency.p90_ms / 2.0,
        "{service:?}"
    );
    let schedule = measured.schedule.as_ref().unwrap();
    assert!(schedule.most_waiting >= 150, "{schedule:?}");
    assert_eq!(schedule.not_sent, 0);
    assert_eq!(measured.latency.count, 1000);
}

#[tokio::test]
async fn what_was_due_and_not_sent_is_reported() {
    let slow = |asked: &Asked| {
        std::thread::sleep(Duration::from_millis(20));
        asked.right()
    };
    let report = load(slow, "--rate 2000/s --backlog 100 --threads 2").await;
    let schedule = report.measured.schedule.as_ref().unwrap();
    assert!(schedule.not_sent > 100, "{schedule:?}");
    assert!(schedule.most_waiting <= 100);
    assert!(report.warnings.iter().any(|text| text.contains("not sent")));
    assert_eq!(
        report.whole_run.acknowledged_messages,
        report.whole_run.requests
    );
}

#[tokio::test]
async fn a_ramp_finds_what_is_sustained() {
    // Four connections, at least 5 ms each: never more than 800/s.
    let slow = |asked: &Asked| {
        std::thread::sleep(Duration::from_millis(5));
        asked.right()
    };
    let more = "--ramp --rate 50 --step 600ms --p99-limit 2s";
    let report = load(slow, more).await;
    let steps = report.ramp.as_ref().unwrap();
    let best = steps
        .iter()
        .filter(|step| step.sustained)
        .map(|step| step.rate);
    let best = best.fold(0.0, f64::max);
    assert!((50.0..=1000.0).contains(&best), "{steps:?}");
    assert!(steps.iter().any(|step| !step.sustained), "{steps:?}");
    let schedule = report.measured.schedule.as_ref().unwrap();
    assert!((schedule.rate - best).abs() < 1e-9);
    assert!(report.checks.passed, "{:?}", report.checks.faults);
}

#[tokio::test]
async fn idle_connections_are_held_and_watched() {
    let report = load(Asked::right, "--idle 300").await;
    let idle = report.checks.idle.unwrap();
    assert_eq!((idle.asked, idle.open), (300, 300));
    // Each of them sent one request.
    assert!(report.whole_run.requests >= 300);
    assert!(report.checks.passed, "{:?}", report.checks.faults);

    let closing = |asked: &Asked| match asked.number {
        0..5 => {
            let body = r#"{"Response":{"MessageId":[],"RequestId":"r"}}"#;
            let length = body.len();
            Reply::Bytes(format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
        }
        _ => asked.right(),
    };
    let report = load(closing, "--idle 50").await;
    assert_eq!(report.checks.idle.unwrap().open, 45);
    assert!(faults(&report).contains(&"idle connections were closed"));
}

#[tokio::test]
async fn several_access_points_take_turns() {
    let endpoint = FakeEndpoint::start(Asked::right);
    let arguments = format!("{SHORT} --tasks datahub-aaaaaaaa,datahub-bbbbbbbb,datahub-cccccccc");
    let report = try_load(&endpoint.url(), &arguments).await.unwrap();
    assert!(report.checks.passed, "{:?}", report.checks.faults);
}

#[tokio::test]
async fn raw_mode_sends_lines_unsigned_and_asks_for_a_status() {
    let endpoint = FakeEndpoint::start(|asked| {
        assert_eq!(asked.request_line, "POST /post HTTP/1.1\r\n");
        assert_eq!(asked.headers["content-type"], "text/plain");
        assert!(!asked.headers.contains_key("authorization"));
        assert_eq!(asked.messages, 5);
        Reply::Bytes("HTTP/1.1 204 No Content\r\n\r\n".to_owned())
    });
    let arguments = format!("{SHORT} --raw --path /post --body lines --messages 5");
    let report = try_load(&endpoint.url(), &arguments).await.unwrap();
    assert!(report.checks.passed, "{:?}", report.checks.faults);
    assert_eq!(
        report.whole_run.acknowledged_messages,
        5 * report.whole_run.requests
    );
}

#[tokio::test]
async fn signed_like_the_sdks() {
    let report = load(
        |asked| {
            let authorization = &asked.headers["authorization"];
            assert!(authorization.contains("SignedHeaders=content-type;host"));
            assert_eq!(asked.headers["x-tc-action"], "SendMessage");
            assert_eq!(asked.headers["x-tc-version"], "2019-08-19");
            asked.right()
        },
        "--sign-each",
    );
    assert!(report.await.checks.passed);
}

#[tokio::test]
async fn ending_a_run_by_hand_gives_a_report() {
    let endpoint = FakeEndpoint::start(Asked::right);
    let all = format!(
        "forebay-load --endpoint {} --raw --duration 1h --warmup 0s --pid {}",
        endpoint.url(),
        std::process::id()
    );
    let options = Options::try_parse_from(all.split_whitespace()).unwrap();
    let cancel = Cancel::default();
    let by_hand = cancel.clone();
    let mut seconds = 0;
    let mut end_it = |progress: &Progress| {
        assert!(progress.requests > 0);
        seconds += 1;
        by_hand.cancel();
    };
    let report = run(&options, &cancel, &mut end_it).await.unwrap();
    assert!(seconds >= 1);
    assert!(report.interrupted);
    assert!((0.5..60.0).contains(&report.measured.seconds));
    assert_eq!(report.whole_run.unknown_messages, 0);
    let gateway = report.gateway.unwrap();
    assert!(gateway.cpu_seconds > 0.0 && gateway.rss_max_bytes > 1_000_000);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there() {
    let nobody = {
        let endpoint = FakeEndpoint::start(Asked::right);
        // Dropped: nobody listens there any more, once the listener has gone.
        endpoint.url()
    };
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match try_load(
            &nobody,
            "--datahub datahub-aaaaaaaa --duration 100ms --warmup 0s",
        )
        .await
        {
            Err(LoadError::Failed(reason)) => {
                assert!(
                    reason.contains("refused") || reason.contains("closed"),
                    "{reason}"
                );
                return;
            }
            other => assert!(Instant::now() < until, "{:?}", other.map(|_| ())),
        }
    }
}
