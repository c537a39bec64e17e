//! Topics with settings: given, described, altered; and topics that grow.

use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::*;

use crate::batches::{NO_PRODUCER, batch};
use crate::target::{Target, await_that, unique_name};
use crate::wire::{Client, DELETE, SET, text};

const FROM_TOPIC: i8 = 1;

on_both!(
    are_described_in_every_version,
    are_altered_and_work_at_once,
    that_are_wrong_are_refused,
    topics_that_cannot_be_are_refused,
    partitions_are_added,
);

fn describe(client: &mut Client, version: i16, topic: &str) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    client.call(version, &request).results.remove(0)
}

/// A setting's value, and whether the topic has it from itself.
fn setting(client: &mut Client, version: i16, topic: &str, name: &str) -> (String, bool) {
    let rows = describe(client, version, topic).configs;
    let row = rows.into_iter().find(|row| row.name.as_str() == name);
    let row = row.unwrap();
    let from_topic = row.config_source == FROM_TOPIC;
    (row.value.unwrap().to_string(), from_topic)
}

fn are_described_in_every_version(target: &Target) {
    let topic = target.create_topic(
        1,
        &[("cleanup.policy", "compact"), ("max.message.bytes", "300")],
    );
    let mut client = target.connect();
    for version in 1..=4 {
        let compact = ("compact".to_owned(), true);
        assert_eq!(
            setting(&mut client, version, &topic, "cleanup.policy"),
            compact
        );
        let limit = ("300".to_owned(), true);
        assert_eq!(
            setting(&mut client, version, &topic, "max.message.bytes"),
            limit
        );
        let (retention, from_topic) = setting(&mut client, version, &topic, "retention.ms");
        assert_eq!((retention.as_str(), from_topic), ("604800000", false));
    }
    let missing = describe(&mut client, 3, &unique_name());
    assert_eq!((missing.error_code, missing.configs.len()), (3, 0));
}

fn are_altered_and_work_at_once(target: &Target) {
    let topic = target.create_topic(1, &[("max.message.bytes", "300")]);
    let mut client = target.connect();
    let large = batch(NO_PRODUCER, &[&"x".repeat(400)]);
    assert_eq!(client.produce(&topic, 0, large.clone()).error_code, 10);
    let higher = [
        (SET, "max.message.bytes", "5000"),
        (SET, "retention.ms", "-1"),
    ];
    assert_eq!(client.alter_topic(&topic, &higher), 0);
    await_that("the new limit holds", || {
        client.produce(&topic, 0, large.clone()).error_code == 0
    });
    let value = setting(&mut client, 4, &topic, "retention.ms");
    assert_eq!(value, ("-1".to_owned(), true));
    assert_eq!(
        client.alter_topic(&topic, &[(DELETE, "retention.ms", "")]),
        0
    );
    await_that("the default is back", || {
        setting(&mut client, 4, &topic, "retention.ms") == ("604800000".to_owned(), false)
    });
}

fn that_are_wrong_are_refused(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    for (name, value) in [
        ("max.message.bytes", "many"),
        ("retention.ms", "-2"),
        ("cleanup.policy", "keep"),
        ("unheard.of", "1"),
    ] {
        // All changes or none.
        let changes = [(SET, "segment.ms", "1234567"), (SET, name, value)];
        assert_eq!(client.alter_topic(&topic, &changes), 40, "{name}");
        assert!(!setting(&mut client, 4, &topic, "segment.ms").1);
        let refused = client.create_topic(&unique_name(), 1, &[(name, value)]);
        assert_eq!(refused, 40, "{name}");
    }
    let there_is_none = client.alter_topic(&unique_name(), &[(SET, "retention.ms", "1")]);
    assert_eq!(there_is_none, 3);
}

fn topics_that_cannot_be_are_refused(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    assert_eq!(client.create_topic(&topic, 1, &[]), 36);
    for name in ["a/b", "", "..", &"x".repeat(250), "a b"] {
        assert_eq!(client.create_topic(name, 1, &[]), 17, "{name:?}");
    }
    for partitions in [0, -2] {
        assert_eq!(client.create_topic(&unique_name(), partitions, &[]), 37);
    }
    let name = unique_name();
    let wanted = CreatableTopic::default()
        .with_name(TopicName(text(&name)))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let mut refusal = |topic: CreatableTopic, validate_only: bool| {
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_validate_only(validate_only)
            .with_timeout_ms(30_000);
        client.call(5, &request).topics[0].error_code
    };
    assert_eq!(
        refusal(wanted.clone().with_replication_factor(3), false),
        38
    );
    let nowhere = CreatableReplicaAssignment::default()
        .with_partition_index(0)
        .with_broker_ids(vec![BrokerId(77)]);
    let assigned = wanted
        .clone()
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_assignments(vec![nowhere]);
    assert_eq!(refusal(assigned, false), 39);
    assert_eq!(refusal(wanted, true), 0);
    assert_eq!(
        client.describe_topic(&name).0,
        3,
        "it was only to be checked"
    );
}

fn partitions_are_added(target: &Target) {
    let topic = target.create_topic(1, &[]);
    let mut client = target.connect();
    client.produce(&topic, 0, batch(NO_PRODUCER, &["a"]));
    for count in [1, 0] {
        assert_eq!(client.grow_topic(&topic, count, false), 37);
        assert_eq!(client.grow_topic(&topic, count, true), 37);
    }
    assert_eq!(client.grow_topic(&unique_name(), 3, false), 3);
    assert_eq!(client.grow_topic(&topic, 3, true), 0);
    assert_eq!(client.grow_topic(&topic, 3, false), 0);
    target.await_topic(&topic, 3);
    let row = client.produce(&topic, 2, batch(NO_PRODUCER, &["b"]));
    assert_eq!((row.error_code, row.base_offset), (0, 0));
    assert_eq!(client.read_all(&topic, 0).len(), 1);
}
