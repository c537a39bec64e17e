//! Metadata, connecting and leaders against brokers that misbehave.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    Broker, Cluster, ClusterConfig, Error,
    fake_broker::{API_VERSIONS, CREATE_TOPICS, FakeBroker, METADATA, Reply, metadata},
};

const SHORT: Duration = Duration::from_millis(300);

fn cluster(bootstrap: &[&FakeBroker]) -> Cluster {
    Cluster::new(ClusterConfig {
        connect_timeout: SHORT,
        request_timeout: SHORT,
        ..ClusterConfig::new(bootstrap.iter().map(|broker| broker.address()).collect())
    })
}

/// A cluster of brokers 0 … `count` − 1 that is described by a broker on its own.
async fn describing(ports: Vec<u16>, topics: &'static [(&str, i16, &[i32])]) -> FakeBroker {
    FakeBroker::start(move |api| match api {
        API_VERSIONS => Reply::Answer(Vec::new()),
        METADATA => Reply::Answer(metadata(&ports, topics)),
        _ => Reply::Silence,
    })
    .await
}

#[tokio::test]
async fn concurrent_questions_are_one_and_cached() {
    let broker = describing(vec![1, 2], &[("t", 0, &[1, 0, -1])]).await;
    let cluster = cluster(&[&broker]);
    let topics = join_all((0..50).map(|_| cluster.topic("t"))).await;
    for topic in topics {
        let topic = topic.unwrap();
        let leaders: Vec<_> = topic
            .partitions
            .iter()
            .map(|partition| partition.leader)
            .collect();
        assert_eq!(leaders, [Some(1), Some(0), None]);
    }
    cluster.topic("t").await.unwrap();
    assert_eq!(broker.seen.requests(METADATA), 1);
    assert_eq!(
        cluster.known_leader("t", 0).unwrap().address(),
        "127.0.0.1:2"
    );
    cluster.invalidate("t");
    assert!(cluster.known_topic("t").is_some());
    cluster.topic("t").await.unwrap();
    assert_eq!(broker.seen.requests(METADATA), 2);
}

#[tokio::test]
async fn a_topic_is_asked_for_at_most_every_100_ms() {
    let broker = describing(vec![1], &[("t", 0, &[0])]).await;
    let cluster = cluster(&[&broker]);
    let started = Instant::now();
    for _ in 0..6 {
        cluster.refresh("t").await.unwrap();
    }
    assert!(
        started.elapsed() >= Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn leaders_are_asked_for_again_when_there_is_none() {
    let broker = describing(vec![1], &[("t", 0, &[-1, 7])]).await;
    let cluster = cluster(&[&broker]);
    for partition in [0, 1] {
        let error = cluster.leader("t", partition).await.unwrap_err();
        assert!(
            matches!(error, Error::NoLeader { .. }) && error.is_retriable(),
            "{error}"
        );
    }
    let error = cluster.leader("t", 2).await.unwrap_err();
    assert!(
        matches!(error, Error::UnknownPartition { partition: 2, .. }),
        "{error}"
    );
    assert!(broker.seen.requests(METADATA) >= 2);
}

#[tokio::test]
async fn unknown_is_told_apart_from_unreachable() {
    let broker = describing(vec![1], &[("none", 3, &[])]).await;
    let error = cluster(&[&broker]).topic("none").await.unwrap_err();
    assert!(
        matches!(&error, Error::UnknownTopic(name) if name == "none"),
        "{error}"
    );
    assert!(error.is_unknown_topic() && !error.is_retriable());
    let port = forebay_testkit::free_port();
    let down = Cluster::new(ClusterConfig::new(vec![format!("127.0.0.1:{port}")]));
    let error = down.topic("none").await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable(_)) && error.is_retriable(),
        "{error}"
    );
}

#[tokio::test]
async fn a_silent_broker_costs_its_limit_once_and_then_comes_last() {
    let silent = FakeBroker::start(|_| Reply::Silence).await;
    let good = describing(vec![1], &[("a", 0, &[0]), ("b", 0, &[0])]).await;
    let cluster = cluster(&[&silent, &good]);
    let started = Instant::now();
    cluster.topic("a").await.unwrap();
    let first = started.elapsed();
    assert!((SHORT..10 * SHORT).contains(&first), "{first:?}");
    for _ in 0..3 {
        cluster.refresh("b").await.unwrap();
    }
    assert_eq!(silent.seen.accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn old_metadata_is_better_than_none() {
    let up = Arc::new(AtomicBool::new(true));
    let broker = FakeBroker::start({
        let up = Arc::clone(&up);
        move |api| match api {
            _ if !up.load(Ordering::SeqCst) => Reply::Close,
            API_VERSIONS => Reply::Answer(Vec::new()),
            _ => Reply::Answer(metadata(&[1], &[("t", 0, &[0])])),
        }
    })
    .await;
    let cluster = cluster(&[&broker]);
    cluster.topic("t").await.unwrap();
    up.store(false, Ordering::SeqCst);
    cluster.invalidate("t");
    assert_eq!(cluster.topic("t").await.unwrap().name, "t");
    let error = cluster.refresh("t").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    up.store(true, Ordering::SeqCst);
    let recovered = async { while cluster.refresh("t").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), recovered)
        .await
        .unwrap();
}

#[tokio::test]
async fn many_callers_share_the_attempts_at_a_silent_broker() {
    let silent = FakeBroker::start(|_| Reply::Silence).await;
    let cluster = cluster(&[]);
    let broker = Broker {
        id: 0,
        host: "127.0.0.1".to_owned(),
        port: silent.port,
    };
    let results = join_all((0..100).map(|_| cluster.connect(&broker))).await;
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Err(Error::Timeout { .. })))
    );
    assert_eq!(silent.seen.accepted.load(Ordering::SeqCst), 1);
    let refused = cluster.gate(&broker).try_connect().await.unwrap_err();
    assert!(matches!(refused, Error::BackingOff { .. }), "{refused}");
    assert_eq!(silent.seen.accepted.load(Ordering::SeqCst), 1);
    cluster.connect(&broker).await.unwrap_err();
    assert_eq!(silent.seen.accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn attempts_that_are_given_up_count() {
    let silent = FakeBroker::start(|_| Reply::Silence).await;
    let cluster = cluster(&[]);
    let broker = Broker {
        id: 0,
        host: "127.0.0.1".to_owned(),
        port: silent.port,
    };
    let impatient = tokio::time::timeout(SHORT / 10, cluster.connect(&broker)).await;
    assert!(impatient.is_err());
    let refused = cluster.gate(&broker).try_connect().await.unwrap_err();
    assert!(matches!(refused, Error::BackingOff { .. }), "{refused}");
}

/// CreateTopics v4.
fn created(code: i16) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't'];
    body.extend_from_slice(&code.to_be_bytes());
    body.extend_from_slice(&[0xff, 0xff]);
    body
}

/// A broker that is its own controller and answers CreateTopics with these
/// codes, one after the other; `None` is silence.
async fn creating(codes: &'static [Option<i16>]) -> (FakeBroker, Cluster) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let broker = FakeBroker::start_on(listener, move |api| match api {
        API_VERSIONS => Reply::Answer(Vec::new()),
        METADATA => Reply::Answer(metadata(&[port], &[("t", 0, &[0])])),
        CREATE_TOPICS => match codes[next.fetch_add(1, Ordering::SeqCst)] {
            Some(code) => Reply::Answer(created(code)),
            None => Reply::Silence,
        },
        _ => Reply::Silence,
    })
    .await;
    let cluster = cluster(&[&broker]);
    (broker, cluster)
}

#[tokio::test]
async fn a_topic_that_exists_is_success_only_if_we_may_have_created_it() {
    let topic = crate::NewTopic {
        name: "t".to_owned(),
        ..Default::default()
    };
    let (broker, cluster) = creating(&[Some(41), Some(36)]).await;
    let error = cluster.create_topic(&topic).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(crate::ErrorCode::TOPIC_ALREADY_EXISTS),
        "{error}"
    );
    assert_eq!(broker.seen.requests(CREATE_TOPICS), 2);
    let (broker, cluster) = creating(&[Some(7), Some(36)]).await;
    cluster.create_topic(&topic).await.unwrap();
    assert_eq!(broker.seen.requests(CREATE_TOPICS), 2);
    let (broker, cluster) = creating(&[Some(44)]).await;
    let error = cluster.create_topic(&topic).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(crate::ErrorCode::POLICY_VIOLATION),
        "{error}"
    );
    assert_eq!(broker.seen.requests(CREATE_TOPICS), 1);
}
