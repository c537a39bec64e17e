//! The client commands, against a service with its embedded broker.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client_support;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use client_support::{Process, Service, forebay, run};
use forebay_api::MessageId;

const QUICKSTART: [&str; 3] = ["send", "--datahub", "datahub-forebay0"];

#[test]
fn a_tasks_life() {
    let service = Service::start();
    let create = [
        "task",
        "create",
        "--name",
        "orders",
        "--topic",
        "orders",
        "--auto-create-topic",
        "--partitions",
        "3",
        "--qps-limit",
        "7",
        "--description",
        "of all shops",
        "--output",
        "json",
    ];
    let created = service.run(&create).json();
    let id = created["TaskId"].as_str().unwrap();
    let datahub = created["DatahubId"].as_str().unwrap();
    let err = service.run(&create).failed(1);
    assert!(
        err.contains("InvalidParameterValue.RepetitionValue"),
        "{err}"
    );

    let shown = service
        .run(&["task", "show", "orders", "--output", "json"])
        .json();
    let target = &shown["TargetResource"]["KafkaParam"];
    assert_eq!(
        (&target["PartitionNum"], &target["QpsLimit"]),
        (&3.into(), &7.into())
    );
    let text = service.run(&["task", "show", id]).ok();
    assert!(
        text.contains("of all shops") && text.contains("running"),
        "{text}"
    );

    // By id, by access point, by name.
    service.run(&["task", "pause", datahub]).ok();
    let paused = service.run(&["task", "list", "--status", "paused"]).ok();
    assert!(
        paused.contains(id) && !paused.contains("quickstart"),
        "{paused}"
    );
    let err = service
        .run_on(b"x\n", &["send", "--datahub", datahub])
        .failed(1);
    assert!(
        err.contains(&format!("task status suspended [{datahub}]")),
        "{err}"
    );
    service.run(&["task", "resume", "orders"]).ok();
    service.run_on(b"x\n", &["send", "--datahub", datahub]).ok();

    let err = service.run(&["task", "delete", "orders"]).failed(2);
    assert!(err.contains("--yes"), "{err}");
    service.run(&["task", "delete", "orders", "--yes"]).ok();
    let found = service.run(&["task", "list", "--search", "ORDERS", "--output", "json"]);
    assert_eq!(found.json(), serde_json::json!([]));
    for gone in [id, datahub, "orders"] {
        let err = service.run(&["task", "show", gone]).failed(1);
        assert!(err.contains(gone) || err.contains(id), "{err}");
    }
}

#[test]
fn every_line_is_stored_once_and_is_read_back() {
    let service = Service::start();
    let lines: String = (1..=20_000)
        .map(|number| format!("line {number}\r\n"))
        .collect();
    let path = service.folder.path().join("lines");
    std::fs::write(&path, &lines).unwrap();
    let ended = service.run(&[&QUICKSTART[..], &["--print-ids", "lines"]].concat());
    assert!(
        ended
            .err
            .starts_with("20000 acknowledged, 0 not stored, 0 unknown"),
        "{ended:?}"
    );
    let out = ended.ok();
    let places: HashSet<_> = out
        .lines()
        .map(|id| id.parse::<MessageId>().unwrap())
        .map(|id| (id.partition, id.offset))
        .collect();
    assert_eq!(places.len(), 20_000);

    // In order, one key, one partition: offsets without a gap.
    let in_order = [
        "--print-ids",
        "--concurrency",
        "1",
        "--batch",
        "7",
        "--key",
        "k",
    ];
    let input: String = (1..=100).map(|number| format!("{number}\n")).collect();
    let out = service
        .run_on(input.as_bytes(), &[&QUICKSTART[..], &in_order].concat())
        .ok();
    let ids: Vec<MessageId> = out.lines().map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 100);
    for pair in ids.windows(2) {
        assert_eq!(pair[1].offset, pair[0].offset + 1);
    }
    for index in [0, 41, 99] {
        let id = ids[index].to_string();
        let record = service
            .run(&["message", "get", &id, "--output", "json"])
            .json();
        assert_eq!(record["Value"], (index + 1).to_string());
        assert_eq!(record["Key"], "k");
    }
}

#[test]
fn messages_are_shown_harmlessly_or_raw() {
    let service = Service::start();
    let body = "caf\u{e9} \u{1b}[31m\u{202e}\tend";
    let input = format!("customer=>{body}");
    let arguments = ["--key-separator", "=>", "--print-ids"];
    let out = service
        .run_on(input.as_bytes(), &[&QUICKSTART[..], &arguments].concat())
        .ok();
    let id = out.trim();
    let place: MessageId = id.parse().unwrap();
    let text = service.run(&["message", "get", id]).ok();
    assert!(
        text.contains(r"value      café \u{1b}[31m\u{202e}\tend"),
        "{text:?}"
    );
    assert!(text.contains("key        customer\n"), "{text}");
    let (partition, offset) = (place.partition.to_string(), place.offset.to_string());
    let by_place = [
        "message",
        "get",
        "--topic",
        "quickstart",
        "--partition",
        &partition,
        "--offset",
        &offset,
    ];
    assert_eq!(service.run(&by_place).ok(), text);
    let raw = service.run(&[&by_place[..], &["--raw"]].concat()).ok();
    assert_eq!(raw, body);
    let json = service.run(&[&by_place[..], &["--output", "json"]].concat());
    assert!(!json.out.contains(['\u{1b}', '\u{202e}']), "{json:?}");
    assert_eq!(json.json()["Value"], body);

    let beyond = MessageId {
        offset: 4711,
        ..place.clone()
    };
    let beyond = beyond.to_string();
    let err = service.run(&["message", "get", &beyond]).failed(1);
    assert!(err.contains("FailedOperation"), "{err}");
    for (arguments, named) in [
        (vec!["datahub-forebay0:quickstart:0"], "6 fields"),
        (vec!["datahub-forebay0:quick start:0:0:0:0"], "topic"),
        (
            vec!["--topic", "a b", "--partition", "0", "--offset", "0"],
            "--topic",
        ),
        (
            vec!["--topic", "quickstart", "--partition", "0"],
            "--offset",
        ),
        (
            vec!["--topic", "t", "--partition", "-1", "--offset", "0"],
            "-1",
        ),
        (vec![], "MESSAGE_ID"),
    ] {
        let err = service
            .run(&[&["message", "get"], &arguments[..]].concat())
            .failed(2);
        assert!(err.contains(named), "{arguments:?}: {err}");
    }
}

#[test]
fn lines_that_cannot_be_sent_are_named_and_those_before_are_sent() {
    let service = Service::start();
    let err = service
        .run_on(b"one\ntwo\nb\xffd\nfour\n", &QUICKSTART)
        .failed(1);
    assert!(err.starts_with("2 acknowledged, 0 not stored"), "{err}");
    assert!(err.contains("line 3, byte 2: not UTF-8"), "{err}");
    assert!(err.contains("no line after line 2 was sent"), "{err}");
    let err = service
        .run(&[&QUICKSTART[..], &["missing"]].concat())
        .failed(1);
    assert!(err.contains("cannot open missing"), "{err}");
    let err = service
        .run_on(b"x\n", &["send", "--datahub", "datahub-zzzzzzzz"])
        .failed(1);
    assert!(
        err.contains("ResourceNotFound") && err.contains("RequestId"),
        "{err}"
    );
}

#[test]
fn interrupted_it_says_what_was_acknowledged() {
    let service = Service::start();
    let mut command = service.command(&[&QUICKSTART[..], &["--print-ids"]].concat());
    let mut process = Process(command.stdin(Stdio::piped()).spawn().unwrap());
    let mut stdin = process.0.stdin.take().unwrap();
    let mut ids = BufReader::new(process.0.stdout.take().unwrap());
    for _ in 0..3 {
        stdin.write_all(b"typed\n").unwrap();
        let mut id = String::new();
        ids.read_line(&mut id).unwrap();
        id.trim().parse::<MessageId>().unwrap();
    }
    process.signal("-INT");
    let err = process.end().failed(1);
    assert!(
        err.starts_with("3 acknowledged, 0 not stored, 0 unknown"),
        "{err}"
    );
    assert!(err.contains("no line after line 3 was sent"), "{err}");
}

#[test]
fn whoever_may_not_call_is_told_why() {
    let service = Service::start();
    let with_secret = |id: &str, key: &str| {
        let mut command = service.command(&["task", "list"]);
        command
            .env("TENCENTCLOUD_SECRET_ID", id)
            .env("TENCENTCLOUD_SECRET_KEY", key);
        run(command, b"")
    };
    let err = with_secret("AKIDwrong", "wrong").failed(1);
    assert!(err.contains("AuthFailure.SecretIdNotFound"), "{err}");
    assert!(err.contains("--data-dir"), "{err}");
    let err = with_secret("AKIDwrong", "").failed(2);
    assert!(err.contains("TENCENTCLOUD_SECRET_KEY is not"), "{err}");

    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = forebay(&elsewhere);
    command.args(["task", "list", "--endpoint", &service.endpoint]);
    let err = run(command, b"").failed(2);
    assert!(
        err.contains("no credentials") && err.contains("--data-dir"),
        "{err}"
    );
    let mut command = forebay(&elsewhere);
    let data_dir = service.folder.path().join("forebay-data");
    command
        .arg("--data-dir")
        .arg(data_dir)
        .args(["task", "list", "--endpoint", &service.endpoint]);
    assert!(run(command, b"").ok().contains("quickstart"));
}

#[test]
fn where_no_service_is_the_advice_is_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let list = |endpoint: &str| {
        let mut command = forebay(&folder);
        command
            .args(["task", "list", "--endpoint", endpoint])
            .env("TENCENTCLOUD_SECRET_ID", "AKIDtest")
            .env("TENCENTCLOUD_SECRET_KEY", "key");
        run(command, b"")
    };
    // Nobody listens on port 1.
    let err = list("127.0.0.1:1").failed(1);
    assert!(
        err.contains("cannot connect to http://127.0.0.1:1"),
        "{err}"
    );
    assert!(err.contains("is forebay running"), "{err}");
    // No host can have that name, so no name server is asked.
    let err = list("http://no..host:8080").failed(1);
    assert!(err.contains("cannot connect to http://no..host"), "{err}");
    let err = list("ftp://127.0.0.1").failed(2);
    assert!(
        err.contains("http://host:port or https://host:port"),
        "{err}"
    );
}

#[test]
fn a_topics_life() {
    let service = Service::start();
    let create = |more: &[&str]| {
        let topic = ["topic", "create", "orders", "--partitions", "3"];
        service.run(&[&topic[..], more].concat())
    };
    let more = ["--retention", "12h", "--note", "of-all-shops"];
    let said = create(&[&more[..], &["--max-message-bytes", "4096"]].concat()).ok();
    assert_eq!(said, "created topic orders, partitions 0 to 2\n");
    let err = create(&[]).failed(1);
    assert!(err.contains("InvalidParameter.TopicExist"), "{err}");
    for (wrong, named) in [
        (vec!["--retention", "59s"], "a minute or more"),
        (vec!["--max-message-bytes", "1023"], "1023"),
        (vec!["--retention", "soon"], "soon"),
    ] {
        let err = create(&wrong).failed(2);
        assert!(err.contains(named), "{wrong:?}: {err}");
    }
    let err = service.run(&["topic", "create", "t"]).failed(2);
    assert!(err.contains("--partitions"), "{err}");
    let unnamed = ["topic", "create", "a b", "--partitions", "1"];
    let err = service.run(&unnamed).failed(1);
    assert!(err.contains("Name"), "{err}");

    let listed = service.run(&["topic", "list"]).ok();
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[0].starts_with("TOPIC") && lines[2].starts_with("quickstart"));
    let cells: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(cells, ["orders", "3", "1", "12h", "of-all-shops"]);
    let found = ["topic", "list", "--search", "ORD", "--output", "json"];
    let found = service.run(&found).json();
    assert_eq!(found[0]["TopicName"], "orders");
    assert_eq!(found.as_array().unwrap().len(), 1);

    let shown = service.run(&["topic", "show", "orders"]).ok();
    for part in ["of-all-shops", "4096", "12h", "topic-", " UTC", "delete"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = service.run(&["topic", "show", "orders", "--output", "json"]);
    assert_eq!(json.json()["PartitionNum"], 3);
    let err = service.run(&["topic", "show", "order"]).failed(1);
    assert!(
        err.contains("no topic [order]") && err.contains("topic list"),
        "{err}"
    );
    let modify = |more: &[&str]| service.run(&[&["topic", "modify", "orders"][..], more].concat());
    let err = modify(&[]).failed(2);
    assert!(
        err.contains("--partitions"),
        "says what can be changed: {err}"
    );
    let said = modify(&["--retention", "forever", "--note", "changed"]).ok();
    assert_eq!(said, "changed topic orders\n");
    modify(&["--partitions", "5"]).ok();
    let listed = service.run(&["topic", "list", "--search", "orders"]).ok();
    let cells: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(cells, ["orders", "5", "1", "forever", "changed"]);
    let err = modify(&["--partitions", "4"]).failed(1);
    assert!(
        err.contains("PartitionNum") && err.contains("5 partitions"),
        "{err}"
    );

    let elsewhere = ["topic", "list", "--instance", "ckafka-elsewhere"];
    let err = service.run(&elsewhere).failed(1);
    assert!(
        err.contains("InstanceNotExist") && err.contains("--instance"),
        "{err}"
    );

    let err = service.run(&["topic", "delete", "orders"]).failed(2);
    assert!(err.contains("--yes"), "{err}");
    let used = ["topic", "delete", "quickstart", "--yes"];
    let err = service.run(&used).failed(1);
    assert!(
        err.contains("ResourceInUse") && err.contains("task-forebay0"),
        "{err}"
    );
    assert!(err.contains("forebay task list"), "says what to do: {err}");
    let delete = ["topic", "delete", "orders", "--yes"];
    assert_eq!(service.run(&delete).ok(), "deleted topic orders\n");
    let err = service.run(&delete).failed(1);
    assert!(err.contains("ResourceNotFound"), "{err}");
}

#[test]
fn messages_are_listed_from_an_offset_a_time_and_the_end() {
    let service = Service::start();
    let input: String = (0..130)
        .map(|number| format!("message {number}\n"))
        .collect();
    let keyed = ["--key", "k", "--print-ids", "--concurrency", "1"];
    let send = [&QUICKSTART[..], &keyed].concat();
    let ids = service.run_on(input.as_bytes(), &send).ok();
    let first: MessageId = ids.lines().next().unwrap().parse().unwrap();
    let partition = first.partition.to_string();
    let list = |more: &[&str]| {
        let base = ["message", "list", "--topic", "quickstart"];
        service.run(&[&base[..], more].concat())
    };
    let of_partition = |more: &[&str]| {
        let partition = ["--partition", &partition, "--output", "json"];
        let listed = list(&[&partition[..], more].concat()).json();
        let messages = listed.as_array().unwrap().iter();
        let offsets: Vec<i64> = messages
            .map(|message| message["Offset"].as_i64().unwrap())
            .collect();
        offsets
    };
    let from = |range: std::ops::Range<i64>| range.collect::<Vec<_>>();
    assert_eq!(of_partition(&[]), from(0..20), "from the beginning");
    assert_eq!(
        of_partition(&["--offset", "7", "--count", "50"]),
        from(7..57)
    );
    assert_eq!(
        of_partition(&["--offset", "100", "--count", "50"]),
        from(100..130)
    );
    assert_eq!(of_partition(&["--offset", "130"]), from(0..0), "the end");
    assert_eq!(of_partition(&["--latest", "--count", "3"]), from(127..130));
    assert_eq!(
        of_partition(&["--since", "1h", "--count", "1000"]),
        from(0..130)
    );
    assert_eq!(of_partition(&["--since", "2100-01-01"]), from(0..0));

    let table = list(&["--count", "2"]).ok();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("PARTITION"), "{table}");
    assert_eq!(lines.len(), 3, "of all partitions: {table}");
    assert!(lines[1].ends_with("k    message 0"), "{table}");
    let latest = list(&["--latest", "--count", "1"]).ok();
    assert!(latest.ends_with("k    message 129\n"), "{latest}");

    for (wrong, code, named) in [
        (vec!["--offset", "0"], 2, "--partition"),
        (vec!["--since", "tomorrow"], 2, "2026-11-23 12:41"),
        (vec!["--count", "21"], 2, "--partition"),
        (vec!["--latest", "--count", "101"], 2, "100"),
        (vec!["--latest", "--since", "1h"], 2, "--since"),
        (vec!["--partition", "0", "--offset", "4711"], 1, "4711"),
        (vec!["--partition", "9"], 1, "Partition"),
    ] {
        let err = list(&wrong).failed(code);
        assert!(err.contains(named), "{wrong:?}: {err}");
    }
    let err = service
        .run(&["message", "list", "--topic", "a b"])
        .failed(2);
    assert!(err.contains("--topic"), "{err}");
}

#[test]
fn shells_get_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    let completions = |shell: &str| {
        let mut command = forebay(&folder);
        command.args(["completions", shell]);
        run(command, b"")
    };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = completions(shell).ok();
        for word in ["topic", "message", "endpoint"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    let script = folder.path().join("forebay.bash");
    std::fs::write(&script, completions("bash").ok()).unwrap();
    let bash = std::process::Command::new("bash")
        .arg("-n")
        .arg(&script)
        .status();
    assert!(bash.unwrap().success(), "bash understands it");
    let err = completions("tcsh").failed(2);
    assert!(err.contains("tcsh") && err.contains("zsh"), "{err}");
}
