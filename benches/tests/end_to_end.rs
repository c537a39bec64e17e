//! Against a real replica with a real broker behind it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser as _;
use forebay::config::Layers;
use forebay_api::tc3::{RequestToSign, Signer};
use forebay_bench::{Cancel, Options, Report, latency_plot, report_text, run};
use forebay_broker::{Broker, BrokerConfig};
use serde_json::{Value, json};

/// A limit for what hangs, not a measure of what is fast.
const LIMIT: Duration = Duration::from_secs(120);

fn unix_millis() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the broker and signatures need a time"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// One call of the API, on a thread that may wait.
async fn call(address: SocketAddr, action: &'static str, body: Value) -> Value {
    let answer = actix_web::rt::task::spawn_blocking(move || {
        let body = body.to_string();
        let host = address.to_string();
        let headers = Signer::new("AKIDtest", "key").sign(&RequestToSign {
            host: &host,
            action,
            body: body.as_bytes(),
            timestamp: unix_millis() / 1000,
        });
        let mut request = "POST / HTTP/1.1\r\nConnection: close\r\n".to_owned();
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<Value>(body).unwrap()
    });
    answer.await.unwrap()["Response"].clone()
}

/// Creates a task once the registry is there; its access point.
async fn create_task(api: SocketAddr, name: &str, topic: &str) -> String {
    let task = json!({
        "TaskName": name, "TaskType": "SOURCE", "SourceResource": {"Type": "HTTP"},
        "TargetResource": {"Type": "KAFKA", "KafkaParam": {
            "SelfBuilt": false, "Resource": "ckafka-forebay0", "Topic": topic,
            "UseAutoCreateTopic": true, "PartitionNum": 4,
        }},
    });
    let until = Instant::now() + LIMIT;
    loop {
        let answer = call(api, "CreateDatahubTask", task.clone()).await;
        if let Some(id) = answer["Result"]["DatahubId"].as_str() {
            return id.to_owned();
        }
        assert!(Instant::now() < until, "no task: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn load(api: SocketAddr, credentials: &str, arguments: &str) -> Report {
    let all = format!(
        "forebay-load --endpoint http://{api} --credentials {credentials} --connections 8 \
         --warmup 200ms --duration 1s {arguments}"
    );
    let options = Options::try_parse_from(all.split_whitespace()).unwrap();
    run(&options, &Cancel::default(), &mut |_| {})
        .await
        .unwrap()
}

#[actix_web::test]
async fn a_real_replica_passes_all_checks() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = BrokerConfig::new(folder.path().join("broker"), Arc::new(unix_millis));
    broker.listen.set_port(0);
    let broker = Broker::start(broker).await.unwrap();
    let kafka = broker.local_addr().to_string();
    let path = folder.path().join("credentials.toml");
    let entry = "[[credential]]\nsecret_id = \"AKIDtest\"\nsecret_key = \"key\"\n";
    std::fs::write(&path, entry).unwrap();
    let layers = Layers {
        flags: [
            ("data_dir", folder.path().display().to_string()),
            ("http.listen", "127.0.0.1:0".to_owned()),
            ("admin.listen", "127.0.0.1:0".to_owned()),
            ("auth.credentials", path.display().to_string()),
            ("instance.brokers", kafka.clone()),
        ]
        .to_vec(),
        ..Layers::default()
    };
    let mut config = layers.resolve().unwrap();
    config.shutdown.drain_delay = Duration::ZERO;
    let replica = forebay::start(config).await.unwrap();
    let api = replica.api;
    let one = create_task(api, "one", "first").await;
    let two = create_task(api, "two", "second").await;

    let credentials = path.display().to_string();
    let checked = format!("--kafka {kafka} --topic first,second");
    let arguments = format!("--tasks {one},{two} --messages 10 --values json {checked}");
    let report = load(api, &credentials, &arguments).await;
    let text = report_text::render(&report);
    assert!(report.checks.passed, "{text}");
    let check = report.checks.kafka.as_ref().unwrap();
    assert_eq!(check.verdict, "exactly what was acknowledged", "{text}");
    assert_eq!(check.at_least, report.checks.distinct_offsets);
    assert!(check.growth.values().all(|grown| *grown > 0), "{text}");
    assert_eq!(report.checks.partitions, 8, "{text}");
    assert!(latency_plot::draw(&report).ends_with("</svg>\n"));

    let open = format!("--datahub {one} --rate 50 --idle 20 --threads 2 {checked}");
    let report = load(api, &credentials, &open).await;
    let text = report_text::render(&report);
    assert!(report.checks.passed, "{text}");
    assert_eq!(report.checks.idle.unwrap().open, 20, "{text}");
    assert_eq!(report.measured.latency.count, 50, "{text}");

    // A topic that is not watched is noticed.
    let other = format!("--datahub {two} --kafka {kafka} --topic first");
    let report = load(api, &credentials, &other).await;
    assert!(!report.checks.passed);
    assert!(report_text::render(&report).contains("--topic does not name"));

    replica.stop().await;
    broker.stop().await;
}
