//! What was acknowledged is stored, once, where the MessageId says, whatever
//! happens to the brokers. Against three real ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::print_stdout,
    reason = "what was counted is shown with the test"
)]

mod harness;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use forebay::config::Config;
use forebay_api::MessageId;
use forebay_engine::route::partition_for_key;
use forebay_testkit::{
    AfterDrop, KafkaCluster, Mode, Options, StoredRecord, Towards, kafka_or_skip,
};

use harness::load::{Load, LoadState, Sent, Tally, Told, check};
use harness::{LIMIT, Replica};

const PARTITIONS: i32 = 8;
const CONNECTIONS: usize = 8;
const MESSAGES: usize = 100_000;

/// Some time for a machine that is busy to send an answer, after the deadline.
const TO_ANSWER: Duration = Duration::from_secs(5);

/// Once Kafka is well, writes flow again within this time.
const HEALED_WITHIN: Duration = Duration::from_secs(30);

struct Run {
    replica: Replica,
    state: Arc<LoadState>,
    senders: Vec<tokio::task::JoinHandle<Vec<Sent>>>,
}

impl Run {
    async fn start(cluster: &KafkaCluster, topic: &str) -> Self {
        Self::start_with(cluster, topic, Config::default().delivery.deadline).await
    }

    async fn start_with(cluster: &KafkaCluster, topic: &str, deadline: Duration) -> Self {
        cluster
            .create_topic(topic, PARTITIONS, 0, &[])
            .await
            .unwrap();
        let replica = Replica::start_on(&cluster.bootstrap(), |config| {
            config.delivery.deadline = deadline;
        })
        .await;
        replica.await_ready().await;
        let (_, datahub) = replica.create_task(topic, topic).await;
        let load = Load {
            address: replica.running.api,
            datahub,
            per_request: 20,
            deadline: deadline + TO_ANSWER,
            pause: Duration::from_millis(5),
            refusals: &[],
        };
        let state = Arc::new(LoadState::default());
        let senders = (0..CONNECTIONS)
            .map(|connection| actix_rt::spawn(load.clone().run(connection, Arc::clone(&state))))
            .collect();
        Self {
            replica,
            state,
            senders,
        }
    }

    fn messages(&self) -> usize {
        self.state.messages.load(Ordering::Relaxed)
    }

    /// Waits until that many messages more than now have been answered.
    async fn await_messages(&self, more: usize) {
        let wanted = self.messages() + more;
        while self.messages() < wanted {
            assert!(
                self.senders.iter().all(|sender| !sender.is_finished()),
                "a sender has failed"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn failures(&self) -> usize {
        self.state.failures.load(Ordering::Relaxed)
    }

    async fn await_failures(&self, more: usize) {
        let wanted = self.failures() + more;
        let limit = Instant::now() + LIMIT;
        while self.failures() < wanted {
            assert!(
                self.senders.iter().all(|sender| !sender.is_finished()),
                "a sender has failed"
            );
            assert!(Instant::now() < limit, "a fault that is not felt");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything is well from now on: requests of all senders, with messages
    /// to all partitions, are stored again, long enough without a failure.
    async fn await_recovery(&self, after: &str) {
        let healed = Instant::now();
        loop {
            let before = self.failures();
            self.await_messages(40 * CONNECTIONS * 20).await;
            if self.failures() == before {
                break;
            }
            let age = healed.elapsed();
            assert!(age < HEALED_WITHIN, "{after}: no flow after {age:?}");
        }
        println!("{after}: flows again within {:?}", healed.elapsed());
    }

    async fn finish(self, cluster: &KafkaCluster, topic: &str) -> Tally {
        self.state.stop.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for sender in self.senders {
            sent.push(sender.await.expect("a sender that has not failed"));
        }
        self.replica.stop().await;
        cluster
            .await_isr(topic, cluster.node_count())
            .await
            .unwrap();
        check(&sent, &cluster.read_all(topic).await.unwrap())
    }
}

#[actix_web::test]
async fn leaders_are_killed_while_messages_flow() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::three_nodes())
        .await
        .unwrap();
    let run = Run::start(&cluster, "killed").await;
    run.await_messages(2_000).await;
    for kill in 0..5 {
        let partition = kill % PARTITIONS;
        let leader = cluster
            .leader_of("killed", partition)
            .await
            .unwrap()
            .unwrap();
        cluster.kill9(leader).unwrap();
        cluster
            .await_leader("killed", partition, Some(leader))
            .await
            .unwrap();
        run.await_messages(5_000).await;
        cluster.restart(leader).unwrap();
        cluster.await_isr("killed", 3).await.unwrap();
        run.await_messages(2_000).await;
    }
    while run.messages() < MESSAGES {
        run.await_messages(1_000).await;
    }
    let tally = run.finish(&cluster, "killed").await;
    println!("5 leaders killed: {tally:?}");
    // Each fault is over long before a request's deadline.
    assert!(tally.stored > MESSAGES * 9 / 10, "{tally:?}");
    cluster.shutdown().await.unwrap();
}

#[actix_web::test]
async fn three_brokers_behind_proxies() {
    let Some(home) = kafka_or_skip() else { return };
    let options = Options::three_nodes().proxied();
    let cluster = KafkaCluster::start(&home, options).await.unwrap();
    produce_responses_are_dropped_after_the_append(&cluster).await;
    brokers_are_cut_off_frozen_and_restarted_in_turn(&cluster).await;
    cluster.shutdown().await.unwrap();
}

/// Cut off from us alone, a broker goes on leading its partitions: whoever
/// writes to them waits until it is back, and nothing may come of that but a
/// later answer.
async fn brokers_are_cut_off_frozen_and_restarted_in_turn(cluster: &KafkaCluster) {
    let topic = "cut-off";
    let run = Run::start_with(cluster, topic, Duration::from_secs(4)).await;
    run.await_messages(2_000).await;
    // One that messages with a key have to go to.
    let partition = partition_for_key(b"key-0", PARTITIONS as usize) as i32;
    for mode in [Mode::Blackhole, Mode::Reset, Mode::HoldResponses] {
        let node = cluster.leader_of(topic, partition).await.unwrap().unwrap();
        cluster.proxy(node).set_mode(mode);
        run.await_failures(2 * CONNECTIONS).await;
        cluster.proxy(node).set_mode(Mode::Pass);
        run.await_recovery(&format!("{mode:?}")).await;
    }
    // Slow, but well: latency alone costs no message.
    let before = run.failures();
    for node in 0..cluster.node_count() {
        let towards = match node {
            0 => Towards::Broker,
            _ => Towards::Client,
        };
        let by = Duration::from_millis(200);
        cluster.proxy(node).set_mode(Mode::Delay { towards, by });
    }
    run.await_messages(2_000).await;
    assert_eq!(run.failures(), before, "200 ms are no failure");
    for node in 0..cluster.node_count() {
        cluster.proxy(node).set_mode(Mode::Pass);
    }

    // Frozen, it loses its leaderships, and does not know it when it wakes.
    let frozen = cluster.leader_of(topic, 0).await.unwrap().unwrap();
    cluster.stop(frozen).unwrap();
    cluster.await_leader(topic, 0, Some(frozen)).await.unwrap();
    run.await_recovery("a frozen leader").await;
    cluster.cont(frozen).unwrap();
    cluster.await_isr(topic, 3).await.unwrap();
    run.await_recovery("a leader that wakes").await;

    for node in 0..cluster.node_count() {
        cluster.term(node).await.unwrap();
        run.await_messages(1_000).await;
        cluster.restart(node).unwrap();
        cluster.await_isr(topic, 3).await.unwrap();
    }
    run.await_recovery("a rolling restart").await;
    let tally = run.finish(cluster, topic).await;
    println!("cut off, frozen and restarted: {tally:?}");
    assert!(tally.stored > tally.unknown + tally.not_stored, "{tally:?}");
}

async fn produce_responses_are_dropped_after_the_append(cluster: &KafkaCluster) {
    let run = Run::start(cluster, "dropped").await;
    run.await_messages(2_000).await;
    for node in 0..cluster.node_count() {
        let then = AfterDrop::Close;
        cluster
            .proxy(node)
            .set_mode(Mode::DropProduceResponses { every: 7, then });
    }
    while run.messages() < MESSAGES {
        run.await_messages(1_000).await;
    }
    // A few that stay silent instead: found out by timeout.
    for node in 0..cluster.node_count() {
        let then = AfterDrop::Silence;
        cluster
            .proxy(node)
            .set_mode(Mode::DropProduceResponses { every: 50, then });
    }
    run.await_messages(5_000).await;
    for node in 0..cluster.node_count() {
        cluster.proxy(node).set_mode(Mode::Pass);
    }
    run.await_messages(2_000).await;
    let dropped: u64 = (0..3).map(|node| cluster.proxy(node).dropped()).sum();
    let tally = run.finish(cluster, "dropped").await;
    println!("{dropped} responses dropped: {tally:?}");
    assert!(
        dropped > 20,
        "the test must have dropped something: {dropped}"
    );
    // Each fault is over long before a request's deadline.
    assert!(tally.stored > MESSAGES * 9 / 10, "{tally:?}");
}

/// Two connections' messages, all stored as their senders were told.
fn truth() -> (Vec<Vec<Sent>>, Vec<StoredRecord>) {
    const TIME: i64 = 1_700_000_000_000;
    let record = |(offset, value): (i64, &str)| StoredRecord {
        partition: 0,
        offset,
        timestamp: TIME,
        key: Some(b"k"[..].into()),
        value: Some(value.as_bytes().to_vec().into()),
    };
    let sent = |(offset, value): (i64, &str)| Sent {
        key: Some("k".to_owned()),
        value: value.to_owned(),
        told: Told::Stored(MessageId {
            datahub_id: "datahub-aaaaaaaa".to_owned(),
            topic: "orders".to_owned(),
            partition: 0,
            offset,
            received_ms: TIME,
            sent_ms: TIME,
        }),
    };
    let of_one = [(0, "0/0/0"), (2, "0/1/0")];
    let of_other = [(1, "1/0/0")];
    let topic = of_one.iter().chain(&of_other).copied().map(record);
    let sent = [of_one.map(sent).to_vec(), of_other.map(sent).to_vec()];
    (sent.into(), topic.collect())
}

fn id(sent: &mut Sent) -> &mut MessageId {
    match &mut sent.told {
        Told::Stored(id) => id,
        other => panic!("{other:?}"),
    }
}

/// A check that finds nothing proves nothing, unless it finds these.
#[test]
fn the_check_finds_whatever_a_broken_gateway_would_do() {
    type Fault = fn(&mut Vec<Vec<Sent>>, &mut Vec<StoredRecord>);
    let faults: &[(&str, Fault)] = &[
        ("acknowledged and lost", |_, topic| drop(topic.remove(1))),
        ("the next one's offset", |sent, _| {
            id(&mut sent[1][0]).offset += 1;
        }),
        ("another partition", |sent, _| {
            id(&mut sent[1][0]).partition = 1;
        }),
        ("stored twice", |_, topic| {
            let again = StoredRecord {
                offset: 3,
                ..topic[0].clone()
            };
            topic.push(again);
        }),
        ("not stored, and stored", |sent, _| {
            sent[0][0].told = Told::NotStored;
        }),
        ("refused, and stored", |sent, _| {
            sent[0][0].told = Told::Refused("RequestLimitExceeded".to_owned());
        }),
        ("of nobody", |sent, _| drop(sent.pop())),
        ("another key", |_, topic| topic[0].key = None),
        ("another value", |_, topic| {
            topic[0].value = Some(b"0/0/9"[..].into());
        }),
        ("out of order", |sent, topic| {
            id(&mut sent[0][0]).offset = 2;
            topic[0].offset = 2;
            id(&mut sent[0][1]).offset = 0;
            topic[1].offset = 0;
        }),
        ("sent before it was received", |sent, _| {
            id(&mut sent[0][0]).sent_ms -= 1;
        }),
        ("another time than received", |_, topic| {
            topic[0].timestamp += 1;
        }),
    ];
    let (sent, topic) = truth();
    assert_eq!(check(&sent, &topic).stored, 3);
    for (fault, make) in faults {
        let (mut sent, mut topic) = truth();
        make(&mut sent, &mut topic);
        let found = std::panic::catch_unwind(|| check(&sent, &topic));
        assert!(found.is_err(), "not found: {fault}");
    }
    // What nobody knows may be either.
    let (mut sent, mut topic) = truth();
    sent[0][0].told = Told::Unknown;
    assert_eq!(check(&sent, &topic).unknown, 1);
    topic.remove(0);
    assert_eq!(check(&sent, &topic).unknown, 1);
}
