use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::timeout as within;

use super::*;
use crate::{
    fake_broker::{API_VERSIONS, FakeBroker, INIT_PRODUCER_ID, Reply, producer_id},
    messages::{init_producer_id::InitProducerId, produce::RawProduce},
};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(30);

fn options() -> ConnectOptions {
    ConnectOptions {
        client_id: "test".into(),
        connect_timeout: LONG,
        handshake_timeout: LONG,
        max_answer_bytes: 1 << 20,
        security: Security::default(),
    }
}

async fn connect(broker: &FakeBroker) -> Connection {
    Connection::open(&broker.address(), &options())
        .await
        .unwrap()
}

async fn ended(broker: &FakeBroker, connections: usize) {
    broker
        .seen
        .until(|seen| seen.ended.load(Ordering::SeqCst) == connections)
        .await;
}

fn answer(reply: &Reply) -> impl Fn(i16) -> Reply + Send + Sync + 'static {
    let reply = reply.clone();
    move |api| {
        if api == API_VERSIONS {
            Reply::Answer(Vec::new())
        } else {
            reply.clone()
        }
    }
}

#[tokio::test]
async fn a_broker_that_is_silent_from_the_start_costs_the_handshakes_limit() {
    let broker = FakeBroker::start(|_| Reply::Silence).await;
    let options = ConnectOptions {
        handshake_timeout: SHORT,
        ..options()
    };
    let started = Instant::now();
    let error = Connection::open(&broker.address(), &options)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Timeout { after: SHORT, .. }),
        "{error}"
    );
    assert!(started.elapsed() < 10 * SHORT, "{:?}", started.elapsed());
    assert!(!error.may_have_been_done());
    ended(&broker, 1).await;
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let port = forebay_testkit::free_port();
    let error = Connection::open(&format!("127.0.0.1:{port}"), &options())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
}

#[tokio::test]
async fn requests_are_answered_and_arrive_in_one_piece() {
    let broker = FakeBroker::start(answer(&Reply::Answer(producer_id(0, 4711)))).await;
    let connection = connect(&broker).await;
    for _ in 0..20 {
        let answer = connection.request(InitProducerId, LONG).await.unwrap();
        assert_eq!(answer.into_result().unwrap(), (4711, 0));
    }
    assert_eq!(connection.pending_frame_bytes(), 0);
    let pieces = broker.seen.first_pieces.lock().clone();
    assert_eq!(pieces.len(), 21);
    for (piece, frame) in pieces {
        assert_eq!(piece, frame, "length and frame leave together");
    }
    drop(connection);
    ended(&broker, 1).await;
}

#[tokio::test]
async fn half_an_answer_costs_the_requests_limit() {
    let half = Reply::Raw(vec![0, 0, 0, 20, 0, 0, 0]);
    let broker = FakeBroker::start(answer(&half)).await;
    let connection = connect(&broker).await;
    let error = connection.request(InitProducerId, SHORT).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                what: "InitProducerId",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.may_have_been_done());
    connection.close();
    ended(&broker, 1).await;
}

#[tokio::test]
async fn oversized_answers_break_the_connection_and_are_not_kept_in_memory() {
    let mut raw = (3u32 << 20).to_be_bytes().to_vec();
    raw.resize(4 + (3 << 20), 7);
    let broker = FakeBroker::start(answer(&Reply::Raw(raw))).await;
    let connection = connect(&broker).await;
    let error = connection.request(InitProducerId, LONG).await.unwrap_err();
    assert!(error.to_string().contains("limit is 1048576"), "{error}");
    // Announced and never sent: the limit holds all the same.
    let broker = FakeBroker::start(answer(&Reply::Raw(vec![0x7f, 0xff, 0xff, 0xff]))).await;
    let connection = super::tests::connect(&broker).await;
    let error = connection.request(InitProducerId, SHORT).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn malformed_answers_are_errors() {
    let cases = [
        Reply::Answer(Vec::new()),
        Reply::Answer(vec![0; 15]),
        Reply::Answer(vec![0; 17]),
        Reply::Raw(vec![0xff; 8]),
    ];
    for reply in cases {
        let broker = FakeBroker::start(answer(&reply)).await;
        let connection = connect(&broker).await;
        let error = connection.request(InitProducerId, LONG).await.unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn a_connection_that_the_broker_closes_fails_its_requests_at_once() {
    let broker = FakeBroker::start(answer(&Reply::Close)).await;
    let connection = connect(&broker).await;
    for _ in 0..2 {
        let error = connection.request(InitProducerId, LONG).await.unwrap_err();
        assert!(matches!(error, Error::Io(_)), "{error}");
    }
    assert_eq!(connection.pending_frame_bytes(), 0);
}

#[tokio::test]
async fn closing_ends_requests_that_wait_for_an_answer() {
    let broker = FakeBroker::start(answer(&Reply::Silence)).await;
    let connection = connect(&broker).await;
    let closing = async {
        broker
            .seen
            .until(|seen| seen.requests(INIT_PRODUCER_ID) == 1)
            .await;
        connection.close();
        connection.close();
    };
    let (result, ()) = tokio::join!(connection.request(InitProducerId, LONG), closing);
    assert!(matches!(result.unwrap_err(), Error::Closed));
    assert!(connection.is_closed());
    ended(&broker, 1).await;
    let error = connection.request(InitProducerId, LONG).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
}

#[tokio::test]
async fn closing_frees_frames_that_a_deaf_broker_does_not_take() {
    const LEN: usize = 32 << 20;
    let broker = FakeBroker::start(answer(&Reply::Deaf)).await;
    let connection = Arc::new(connect(&broker).await);
    // From here on the broker does not read.
    drop(connection.request(InitProducerId, SHORT).await.unwrap_err());
    let batch = vec![0; LEN];
    let produce = || RawProduce {
        acks: -1,
        timeout_ms: 0,
        topics: vec![("t", vec![(0, &batch[..])])],
    };
    // Given up while the socket is at it, and while it waits for the socket.
    for expected in [1, 1] {
        assert!(
            within(SHORT, connection.request(produce(), LONG))
                .await
                .is_err()
        );
        let pending = connection.pending_frame_bytes();
        assert!(
            (expected * LEN..(expected + 1) * LEN).contains(&pending),
            "{pending}"
        );
    }
    let third = tokio::spawn({
        let connection = Arc::clone(&connection);
        let batch = batch.clone();
        async move {
            let topics = vec![("t", vec![(0, &batch[..])])];
            connection
                .request(
                    RawProduce {
                        acks: -1,
                        timeout_ms: 0,
                        topics,
                    },
                    LONG,
                )
                .await
                .map(drop)
        }
    });
    while connection.pending_frame_bytes() < 2 * LEN {
        tokio::task::yield_now().await;
    }
    connection.close();
    let result = within(LONG, third).await.unwrap().unwrap();
    assert!(matches!(result.unwrap_err(), Error::Closed));
    let freed = async {
        while connection.pending_frame_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within(LONG, freed).await.unwrap();
}

#[tokio::test]
async fn dropping_a_connection_ends_the_write_that_hangs() {
    let broker = FakeBroker::start(answer(&Reply::Deaf)).await;
    let connection = connect(&broker).await;
    drop(connection.request(InitProducerId, SHORT).await.unwrap_err());
    let batch = vec![0; 32 << 20];
    let topics = vec![("t", vec![(0, &batch[..])])];
    let produce = RawProduce {
        acks: -1,
        timeout_ms: 0,
        topics,
    };
    assert!(
        within(SHORT, connection.request(produce, LONG))
            .await
            .is_err()
    );
    let ledger = Arc::clone(&connection.ledger);
    assert!(ledger.bytes() > 0);
    drop(connection);
    let freed = async {
        while ledger.bytes() > 0 || Arc::strong_count(&ledger) > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(LONG, freed)
        .await
        .expect("reader and writer have let go of the stream");
}

#[tokio::test]
async fn a_throttle_that_is_noted_while_waiting_extends_the_limit() {
    let broker = FakeBroker::start(answer(&Reply::Silence)).await;
    let connection = connect(&broker).await;
    let throttled = AtomicBool::new(false);
    let noting = async {
        broker
            .seen
            .until(|seen| seen.requests(INIT_PRODUCER_ID) == 1)
            .await;
        connection.note_throttle(3 * SHORT);
        throttled.store(true, Ordering::SeqCst);
    };
    let started = Instant::now();
    let (result, ()) = tokio::join!(connection.request_throttled(InitProducerId, SHORT), noting);
    assert!(matches!(
        result.unwrap_err(),
        Error::Timeout { after: SHORT, .. }
    ));
    assert!(throttled.load(Ordering::SeqCst));
    assert!(started.elapsed() >= 4 * SHORT, "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_answers_throttle_extends_the_limit_of_the_next() {
    let broker = FakeBroker::start({
        let first = AtomicBool::new(true);
        move |api| match api {
            API_VERSIONS => Reply::Answer(Vec::new()),
            _ if first.swap(false, Ordering::SeqCst) => Reply::Answer(producer_id(600, 1)),
            _ => Reply::Silence,
        }
    })
    .await;
    let connection = connect(&broker).await;
    connection
        .request_throttled(InitProducerId, LONG)
        .await
        .unwrap();
    let started = Instant::now();
    connection
        .request_throttled(InitProducerId, SHORT)
        .await
        .unwrap_err();
    assert!(
        started.elapsed() >= Duration::from_millis(750),
        "{:?}",
        started.elapsed()
    );
}
