//! The cluster harness against real Kafka.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_testkit::{
    AfterDrop, KafkaCluster, Mode, Options, Towards, WireClient, await_condition, kafka_or_skip,
    python_sdk_or_skip,
};

type KeyValue = (Option<Bytes>, Option<Bytes>);

fn numbered(range: std::ops::Range<u32>) -> Vec<KeyValue> {
    range
        .map(|n| {
            let key = (n % 2 == 0).then(|| Bytes::from(format!("k{n}")));
            (key, Some(Bytes::from(format!("value {n}"))))
        })
        .collect()
}

#[tokio::test]
async fn one_node_gives_back_what_was_written() {
    let Some(home) = kafka_or_skip() else { return };
    let begun = Instant::now();
    let cluster = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    println!("one node ready after {:?}", begun.elapsed());

    cluster.create_topic("t", 2, 0, &[]).await.unwrap();
    let first = cluster
        .produce("t", 1, 1234, &numbered(0..100))
        .await
        .unwrap();
    let second = cluster
        .produce("t", 1, 1235, &numbered(100..110))
        .await
        .unwrap();
    assert_eq!((first, second), (0, 100));
    cluster
        .produce("t", 0, 7, &[(Some(Bytes::new()), None)])
        .await
        .unwrap();
    assert_eq!(
        cluster.end_offsets("t").await.unwrap(),
        [(0, 1), (1, 110)].into()
    );

    let all = cluster.read_all("t").await.unwrap();
    assert_eq!(all.len(), 111);
    assert_eq!(all[0].key, Some(Bytes::new()));
    assert_eq!(all[0].value, None);
    for (record, (key, value)) in all[1..].iter().zip(numbered(0..110)) {
        assert_eq!((record.key.clone(), record.value.clone()), (key, value));
    }
    assert_eq!((all[1].offset, all[1].timestamp), (0, 1234));
    assert_eq!((all[110].offset, all[110].timestamp), (109, 1235));

    if let Some(python) = python_sdk_or_skip() {
        let dump = python
            .dump_topic(&cluster.direct_bootstrap(), "t")
            .await
            .unwrap();
        assert_eq!(dump, all);
    }
    cluster.shutdown().await.unwrap();
}

#[tokio::test]
async fn topics_are_altered_and_deleted() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    let configs = [("cleanup.policy", "compact"), ("max.message.bytes", "2000")];
    cluster
        .create_topic("altered", 1, 1, &configs)
        .await
        .unwrap();
    let large = [(Some(Bytes::from("k")), Some(Bytes::from(vec![b'x'; 3000])))];
    let refused = cluster.produce("altered", 0, 1, &large).await.unwrap_err();
    assert!(format!("{refused:#}").contains("code 10"), "{refused:#}");
    cluster
        .alter_topic_config("altered", "max.message.bytes", Some("9000"))
        .await
        .unwrap();
    cluster.produce("altered", 0, 1, &large).await.unwrap();

    cluster.add_partitions("altered", 3).await.unwrap();
    assert_eq!(cluster.partitions("altered").await.unwrap().len(), 3);
    cluster.delete_topic("altered").await.unwrap();
    assert!(cluster.partitions("altered").await.is_err());

    cluster
        .set_producer_byte_rate(Some("slow"), Some(1000.0))
        .await
        .unwrap();
    cluster
        .set_producer_byte_rate(Some("slow"), None)
        .await
        .unwrap();
}

#[tokio::test]
async fn three_nodes_survive_the_loss_of_a_leader() {
    let Some(home) = kafka_or_skip() else { return };
    let begun = Instant::now();
    let cluster = KafkaCluster::start(&home, Options::three_nodes())
        .await
        .unwrap();
    println!("three nodes ready after {:?}", begun.elapsed());

    cluster.create_topic("t", 3, 0, &[]).await.unwrap();
    assert_eq!(cluster.isr_of("t", 0).await.unwrap(), [0, 1, 2]);
    let in_sync = cluster.topic_config("t", "min.insync.replicas").await;
    assert_eq!(in_sync.unwrap().as_deref(), Some("2"));
    cluster.produce("t", 0, 1, &numbered(0..10)).await.unwrap();
    let old = cluster.leader_of("t", 0).await.unwrap().unwrap();
    let begun = Instant::now();
    cluster.kill9(old).unwrap();
    assert_eq!(cluster.pid(old), None);
    let new = cluster.await_leader("t", 0, Some(old)).await.unwrap();
    println!("new leader after {:?}", begun.elapsed());
    assert_ne!(new, old);
    cluster.produce("t", 0, 2, &numbered(10..20)).await.unwrap();

    let begun = Instant::now();
    cluster.restart(old).unwrap();
    cluster.await_ready().await.unwrap();
    cluster.await_isr("t", 3).await.unwrap();
    println!("killed node back in sync after {:?}", begun.elapsed());
    let values: Vec<_> = cluster.read_all("t").await.unwrap();
    assert_eq!(values.len(), 20);

    // A broker that says nothing loses its leadership, and comes back.
    let silent = cluster.await_leader("t", 1, None).await.unwrap();
    cluster.stop(silent).unwrap();
    cluster.await_leader("t", 1, Some(silent)).await.unwrap();
    cluster.cont(silent).unwrap();
    cluster.await_isr("t", 3).await.unwrap();

    let leaving = cluster.await_leader("t", 2, None).await.unwrap();
    cluster.term(leaving).await.unwrap();
    cluster.await_leader("t", 2, Some(leaving)).await.unwrap();
    let begun = Instant::now();
    cluster.shutdown().await.unwrap();
    println!("shut down after {:?}", begun.elapsed());
}

/// Clients' own view: through the advertised address of a proxied node.
async fn client_of(cluster: &KafkaCluster) -> WireClient {
    let address = cluster.bootstrap()[0].parse().unwrap();
    WireClient::connect(address).await.unwrap()
}

#[tokio::test]
async fn proxy_drops_a_response_after_the_append() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::one_node().proxied())
        .await
        .unwrap();
    cluster.create_topic("t", 1, 0, &[]).await.unwrap();
    let proxy = cluster.proxy(0);
    assert_eq!(cluster.bootstrap(), [proxy.address().to_string()]);
    let mut client = client_of(&cluster).await;
    client.produce("t", 0, 1, &numbered(0..1)).await.unwrap();
    assert_eq!((proxy.accepted(), proxy.produce_requests()), (1, 1));

    // The second of two is appended, but its answer is swallowed.
    proxy.set_mode(Mode::DropProduceResponses {
        every: 3,
        then: AfterDrop::Close,
    });
    client.produce("t", 0, 1, &numbered(1..2)).await.unwrap();
    client
        .produce("t", 0, 1, &numbered(2..3))
        .await
        .unwrap_err();
    assert_eq!(proxy.dropped(), 1);
    assert_eq!(cluster.read_all("t").await.unwrap().len(), 3);

    // Silence: the connection stays, no answer comes.
    proxy.set_mode(Mode::DropProduceResponses {
        every: 1,
        then: AfterDrop::Silence,
    });
    let mut client = client_of(&cluster).await;
    let unanswered = numbered(3..4);
    let attempt = client.produce("t", 0, 1, &unanswered);
    let silent = tokio::time::timeout(Duration::from_millis(500), attempt).await;
    assert!(silent.is_err(), "got {silent:?}");
    await_condition(Duration::from_secs(30), "the append", async || {
        cluster.end_offsets("t").await.unwrap()[&0] == 4
    })
    .await
    .unwrap();
    assert_eq!(proxy.open(), 1);

    proxy.set_mode(Mode::Delay {
        towards: Towards::Client,
        by: Duration::from_millis(300),
    });
    let mut client = client_of(&cluster).await;
    let begun = Instant::now();
    client.partitions("t").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn the_whole_cluster_can_be_stopped_and_started_again() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    cluster.create_topic("t", 1, 0, &[]).await.unwrap();
    cluster.produce("t", 0, 1, &numbered(0..5)).await.unwrap();
    cluster.stop_all().await.unwrap();
    assert!(cluster.partitions("t").await.is_err());
    cluster.restart(0).unwrap();
    cluster.await_ready().await.unwrap();
    assert_eq!(cluster.read_all("t").await.unwrap().len(), 5);
}

#[tokio::test]
async fn large_topics_are_read_whole() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::shared(&home).await;
    cluster.create_topic("large", 1, 0, &[]).await.unwrap();
    let value = Some(Bytes::from(vec![b'v'; 190]));
    let batch: Vec<KeyValue> = (0..4000).map(|_| (None, value.clone())).collect();
    let mut client = cluster.leader_client("large", 0).await.unwrap();
    for _ in 0..25 {
        client.produce("large", 0, 1, &batch).await.unwrap();
    }
    let begun = Instant::now();
    let all = cluster.read_all("large").await.unwrap();
    println!("100,000 records read in {:?}", begun.elapsed());
    assert!((0..100_000).eq(all.iter().map(|record| record.offset)));
    if let Some(python) = python_sdk_or_skip() {
        let begun = Instant::now();
        let dump = python
            .dump_topic(&cluster.bootstrap(), "large")
            .await
            .unwrap();
        println!("100,000 records dumped by Python in {:?}", begun.elapsed());
        assert!(dump == all, "the two readers disagree");
    }
}
