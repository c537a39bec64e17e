//! A plain blocking Kafka client on `kafka-protocol`, one connection, no retries.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

use crate::batches::decode;
use crate::target::await_that;

/// Generous: ten times what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Operations of [`Client::alter_topic`].
pub(crate) const SET: i8 = 0;
pub(crate) const DELETE: i8 = 1;

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A blocking connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    next_correlation: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            next_correlation: 0,
        }
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.try_send(version, request).unwrap()
    }

    pub(crate) fn try_send<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> std::io::Result<i32> {
        self.next_correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.next_correlation)
            .with_client_id(Some(text("test")));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header
            .encode(&mut frame, R::header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = (frame.len() - 4) as i32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)?;
        Ok(self.next_correlation)
    }

    pub(crate) fn frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16, correlation: i32) -> R::Response {
        self.try_receive::<R>(version, correlation).unwrap()
    }

    /// Fails when the connection does.
    pub(crate) fn try_receive<R: Request>(
        &mut self,
        version: i16,
        correlation: i32,
    ) -> std::io::Result<R::Response> {
        let mut frame = self.frame()?;
        assert_eq!(frame.get_i32(), correlation);
        if R::Response::header_version(version) >= 1 {
            assert_eq!(frame.get_u8(), 0);
        }
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining());
        Ok(response)
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation = self.send(version, request);
        self.receive::<R>(version, correlation)
    }

    /// Answers the error code; the topic may not be ready yet.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> i16 {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(30_000);
        self.call(5, &request).topics[0].error_code
    }

    /// Answers the error code; the topic may linger for a moment.
    pub(crate) fn delete_topic(&mut self, name: &str) -> i16 {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![TopicName(text(name))])
            .with_timeout_ms(30_000);
        self.call(5, &request).responses[0].error_code
    }

    /// Answers the error code; the partitions may not be ready yet.
    pub(crate) fn grow_topic(&mut self, name: &str, count: i32, validate_only: bool) -> i16 {
        let wanted = CreatePartitionsTopic::default()
            .with_name(TopicName(text(name)))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![wanted])
            .with_validate_only(validate_only)
            .with_timeout_ms(30_000);
        self.call(3, &request).results[0].error_code
    }

    /// Changes a topic's settings, each with Kafka's number of the operation;
    /// answers the error code.
    pub(crate) fn alter_topic(&mut self, name: &str, changes: &[(i8, &str, &str)]) -> i16 {
        let change = |(operation, name, value): &(i8, &str, &str)| {
            AlterableConfig::default()
                .with_config_operation(*operation)
                .with_name(text(name))
                .with_value((*operation != DELETE).then(|| text(value)))
        };
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(name))
            .with_configs(changes.iter().map(change).collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.call(1, &request).responses[0].error_code
    }

    /// Error code and number of partitions.
    pub(crate) fn describe_topic(&mut self, name: &str) -> (i16, usize) {
        let wanted = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![wanted]))
            .with_allow_auto_topic_creation(false);
        let topic = &self.call(4, &request).topics[0];
        (topic.error_code, topic.partitions.len())
    }

    pub(crate) fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> PartitionProduceResponse {
        self.try_produce(topic, partition, batch).unwrap()
    }

    /// Fails when the connection does.
    pub(crate) fn try_produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> std::io::Result<PartitionProduceResponse> {
        let correlation = self.try_send(8, &produce_request(topic, partition, batch))?;
        let mut response = self.try_receive::<ProduceRequest>(8, correlation)?;
        Ok(response.responses.remove(0).partition_responses.remove(0))
    }

    pub(crate) fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        self.fetch_as(11, &fetch_request(topic, partition, offset, 0))
    }

    /// The only partition of a request's answer.
    pub(crate) fn fetch_as(&mut self, version: i16, request: &FetchRequest) -> PartitionData {
        let correlation = self.send(version, request);
        self.receive_fetched(version, correlation)
    }

    pub(crate) fn receive_fetched(&mut self, version: i16, correlation: i32) -> PartitionData {
        let mut response = self.receive::<FetchRequest>(version, correlation);
        response.responses.remove(0).partitions.remove(0)
    }

    /// Offset and timestamp; panics on an error.
    pub(crate) fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> (i64, i64) {
        self.try_list_offset(topic, partition, timestamp).unwrap()
    }

    /// Offset and timestamp, or the error code.
    pub(crate) fn try_list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> Result<(i64, i64), i16> {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_topics(vec![topic]);
        let row = self.call(7, &request).topics.remove(0).partitions.remove(0);
        match row.error_code {
            0 => Ok((row.offset, row.timestamp)),
            code => Err(code),
        }
    }

    pub(crate) fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let mut id = 0;
        await_that("there is a producer id", || {
            let response = self.call(4, &request);
            id = response.producer_id.0;
            // Apache Kafka fetches its ids after it has started.
            const LOADING: i16 = 14;
            assert!(matches!(response.error_code, 0 | LOADING));
            response.error_code == 0
        });
        id
    }

    /// Every value of a partition, in order.
    pub(crate) fn read_all(&mut self, topic: &str, partition: i32) -> Vec<(i64, String)> {
        let (mut offset, _) = self.list_offset(topic, partition, -2);
        let mut all = Vec::new();
        loop {
            let part = self.fetch(topic, partition, offset);
            assert_eq!(part.error_code, 0);
            let from = offset;
            let records = decode(part.records.unwrap_or_default());
            let Some(last) = records.last() else {
                return all;
            };
            offset = last.offset + 1;
            // The first batch is whole, also below the offset asked for.
            let wanted = records.into_iter().filter(|record| record.offset >= from);
            all.extend(wanted.map(|record| {
                let value = record.value.unwrap_or_default();
                (record.offset, String::from_utf8(value.to_vec()).unwrap())
            }));
        }
    }

    /// Whether the broker has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

pub(crate) fn produce_request(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(batch));
    let topic = TopicProduceData::default()
        .with_name(TopicName(text(topic)))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic])
}

pub(crate) fn fetch_request(
    topic: &str,
    partition: i32,
    offset: i64,
    max_wait_ms: i32,
) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}
