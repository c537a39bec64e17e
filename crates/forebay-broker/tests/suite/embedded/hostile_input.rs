//! What strangers send, and how much of it.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use forebay_broker::Broker;
use kafka_protocol::messages::ApiVersionsRequest;

use crate::target::{await_that, config, start};
use crate::wire::{Client, produce_request};

#[tokio::test]
async fn garbage_closes_the_connection_and_harms_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut good) = start(dir.path()).await;
    let frames: &[&[u8]] = &[
        &[0, 0, 0, 0],
        &[0, 0, 0, 3, 1, 2, 3],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        b"GET / HTTP/1.1\r\n\r\n",
        // An array of 2^31 - 1 topics in Produce, Metadata and CreateTopics.
        &[
            0, 0, 0, 22, 0, 0, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f,
            0xff, 0xff, 0xff,
        ],
        &[
            0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
        &[
            0, 0, 0, 14, 0, 19, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
        // An unknown api.
        &[0, 0, 0, 10, 3, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
    ];
    for frame in frames {
        let mut bad = Client::connect(broker.local_addr());
        bad.stream.write_all(frame).unwrap();
        assert!(bad.is_closed(), "{frame:?}");
    }
    assert_eq!(good.create_topic("t", 1, &[]), 0);
    broker.stop().await;
}

#[tokio::test]
async fn connections_and_frames_have_limits() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = config(dir.path());
    settings.max_connections = 2;
    settings.max_frame_bytes = 4096;
    let broker = Broker::start(settings).await.unwrap();
    let mut first = Client::connect(broker.local_addr());
    let mut second = Client::connect(broker.local_addr());
    first.producer_id();
    second.producer_id();
    assert!(Client::connect(broker.local_addr()).is_closed());
    first.send(8, &produce_request("t", 0, Bytes::from(vec![0; 5000])));
    assert!(first.is_closed());
    await_that("a place is free again", || {
        let mut third = Client::connect(broker.local_addr());
        third.try_send(0, &ApiVersionsRequest::default()).is_ok() && third.frame().is_ok()
    });
    second.producer_id();
    broker.stop().await;
}

#[tokio::test]
async fn silence_has_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = config(dir.path());
    settings.idle_timeout = Duration::from_millis(100);
    let broker = Broker::start(settings).await.unwrap();
    let mut never_asks = Client::connect(broker.local_addr());
    assert!(never_asks.is_closed());
    let mut stops_half_way = Client::connect(broker.local_addr());
    stops_half_way.stream.write_all(&[0, 0, 0, 8, 0]).unwrap();
    assert!(stops_half_way.is_closed());
    broker.stop().await;
}
