//! What was acknowledged is stored, once, where the MessageId says, whatever
//! happens to the brokers. Against three real ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use forebay_testkit::{AfterDrop, KafkaCluster, Mode, Options, kafka_or_skip};
use harness::Replica;
use harness::load::{Load, LoadState, Sent, Tally, check};

const PARTITIONS: i32 = 8;
const CONNECTIONS: usize = 8;
const MESSAGES: usize = 100_000;

/// The default deadline of a request, and some time for a machine that is busy
/// to send the answer.
const DEADLINE: Duration = Duration::from_secs(30);

struct Run {
    replica: Replica,
    state: Arc<LoadState>,
    senders: Vec<tokio::task::JoinHandle<Vec<Sent>>>,
}

impl Run {
    async fn start(cluster: &KafkaCluster, topic: &str) -> Self {
        cluster
            .create_topic(topic, PARTITIONS, 0, &[])
            .await
            .unwrap();
        let replica = Replica::start_on(&cluster.bootstrap(), |_| {}).await;
        replica.await_ready().await;
        let (_, datahub) = replica.create_task("faults", topic).await;
        let load = Load {
            address: replica.running.api,
            datahub,
            per_request: 20,
            deadline: DEADLINE,
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
async fn produce_responses_are_dropped_after_the_append() {
    let Some(home) = kafka_or_skip() else { return };
    let options = Options::three_nodes().proxied();
    let cluster = KafkaCluster::start(&home, options).await.unwrap();
    let run = Run::start(&cluster, "dropped").await;
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
    let tally = run.finish(&cluster, "dropped").await;
    println!("{dropped} responses dropped: {tally:?}");
    assert!(
        dropped > 20,
        "the test must have dropped something: {dropped}"
    );
    // Each fault is over long before a request's deadline.
    assert!(tally.stored > MESSAGES * 9 / 10, "{tally:?}");
    cluster.shutdown().await.unwrap();
}
