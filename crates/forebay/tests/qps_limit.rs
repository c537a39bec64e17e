//! A task's QpsLimit under ten times as many requests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::time::{Duration, Instant};

use forebay_testkit::WireClient;
use harness::{Client, Replica, one_message, signed};
use serde_json::json;

const LIMIT: f64 = 100.0;
const OFFERED: u32 = 1000;
const TIME: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 10;

/// The longest pause between two decisions after which the limiter has lost
/// nothing: its burst. Where the machine stalls for longer there was no request
/// that could have been accepted.
const UNBROKEN: Duration = Duration::from_millis(100);

/// What became of one request.
struct Offer {
    sent: Instant,
    answered: Instant,
    accepted: bool,
}

/// Sends at `1 / OFFERED * CONNECTIONS` apart, or one after the other where the
/// machine is too slow for that.
async fn offer(mut client: Client, datahub: String, start: Instant, end: Instant) -> Vec<Offer> {
    let apart = Duration::from_secs(1) * CONNECTIONS / OFFERED;
    let mut offers = Vec::new();
    let mut due = start;
    while Instant::now() < end {
        tokio::time::sleep_until(due.into()).await;
        due += apart;
        let request = signed("SendMessage", one_message(&datahub).as_bytes());
        let sent = Instant::now();
        client.send(&request).await;
        let answer = client.answer().await;
        let answered = Instant::now();
        let accepted = answer.response()["MessageId"].is_array();
        if !accepted {
            let (code, message) = answer.error();
            assert_eq!(code, "RequestLimitExceeded", "{message}");
            assert!(message.starts_with("not stored: "), "{message}");
        }
        offers.push(Offer {
            sent,
            answered,
            accepted,
        });
    }
    offers
}

#[actix_web::test]
async fn ten_times_the_limit_is_cut_to_the_limit_and_the_rest_refused_at_once() {
    let kafka = ([127, 0, 0, 1], forebay_testkit::free_port()).into();
    let replica = Replica::start_embedded_in(tempfile::tempdir().unwrap(), |config| {
        config.broker.listen = kafka;
    })
    .await;
    replica.await_ready().await;
    let more = json!({"UseAutoCreateTopic": true, "PartitionNum": 1, "QpsLimit": LIMIT as u64});
    let (_, datahub) = replica.create_task_with("limited", "limited", &more).await;

    let start = Instant::now();
    let mut running = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = replica.connect().await;
        running.push(actix_web::rt::spawn(offer(
            client,
            datahub.clone(),
            start,
            start + TIME,
        )));
    }
    let mut offers = Vec::new();
    for connection in running {
        offers.extend(connection.await.unwrap());
    }
    let accepted = offers.iter().filter(|offer| offer.accepted).count() as f64;
    // Nine of ten are refused, and answered as soon as that is decided.
    let mut decided: Vec<_> = offers.iter().map(|offer| offer.answered).collect();
    decided.sort();
    let passed = (decided[decided.len() - 1] - start).as_secs_f64();
    let pauses = decided.windows(2).map(|two| two[1] - two[0]);
    let under_load: Duration = pauses.map(|pause| pause.min(UNBROKEN)).sum();
    let most = LIMIT * passed * 1.05;
    let least = (LIMIT * under_load.as_secs_f64()).min(offers.len() as f64) * 0.95;
    assert!(
        (least..=most).contains(&accepted),
        "{accepted} of {} accepted in {passed:.2} s, {under_load:.2?} of it under load",
        offers.len()
    );
    // At once: a refusal waits for nothing, least of all for the deadline of 25 s.
    let refused = offers.iter().filter(|offer| !offer.accepted);
    let slowest = refused.map(|offer| offer.answered - offer.sent).max();
    assert!(slowest < Some(Duration::from_secs(10)), "{slowest:?}");
    let refused = offers.len() as f64 - accepted;
    let shed = replica.metric("forebay_shed_total{reason=\"qps\"}").await;
    assert_eq!(shed, Some(refused));

    let mut reader = WireClient::connect(kafka).await.unwrap();
    let stored = reader.read_partition("limited", 0, 0).await.unwrap();
    assert_eq!(
        stored.len() as f64,
        accepted,
        "what was refused is not stored"
    );
    replica.stop().await;
}
