//! A clean stop and a new start.

use crate::batches::batch;
use crate::target::Target;

#[tokio::test]
async fn embedded_keeps_records_offsets_settings_and_producers() {
    if let Some(mut target) = Target::embedded().await {
        everything_outlives_a_restart(&mut target).await;
        target.stop().await;
    }
}

#[tokio::test]
async fn apache_keeps_records_offsets_settings_and_producers() {
    if let Some(mut target) = Target::own_apache().await {
        everything_outlives_a_restart(&mut target).await;
        target.stop().await;
    }
}

async fn everything_outlives_a_restart(target: &mut Target) {
    let topic = target.create_topic(2, &[("max.message.bytes", "300")]);
    let mut client = target.connect();
    let id = client.producer_id();
    for n in 0..6 {
        let row = client.produce(&topic, 1, batch((id, 0, n), &[&n.to_string()]));
        assert_eq!((row.error_code, row.base_offset), (0, i64::from(n)));
    }
    let written = client.read_all(&topic, 1);
    for round in 0..2 {
        drop(client);
        target.restart().await;
        target.await_topic(&topic, 2);
        client = target.connect();
        assert_eq!(client.read_all(&topic, 1), written, "round {round}");
        assert_eq!(client.list_offset(&topic, 1, -1).0, 6);
        assert!(client.producer_id() > id);
        let row = client.produce(&topic, 1, batch((id, 0, 100), &["x"]));
        assert_eq!(row.error_code, 45, "a gap");
        let row = client.produce(&topic, 1, batch((id, 0, 5), &["5"]));
        assert_eq!((row.error_code, row.base_offset), (0, 5), "a duplicate");
        let large = client.produce(&topic, 0, batch((id, 0, 0), &[&"x".repeat(300)]));
        assert_eq!(large.error_code, 10);
        // Apache Kafka writes only the newest batch of each producer down.
        if target.is_embedded() {
            let row = client.produce(&topic, 1, batch((id, 0, 1), &["1"]));
            assert_eq!((row.error_code, row.base_offset), (0, 1));
        }
    }
    let row = client.produce(&topic, 1, batch((id, 0, 6), &["6"]));
    assert_eq!((row.error_code, row.base_offset), (0, 6));
    let new_epoch = client.produce(&topic, 1, batch((id, 1, 0), &["7"]));
    assert_eq!(new_epoch.error_code, 0);
    assert_eq!(client.read_all(&topic, 1).len(), 8);
}
