//! A broker on a temporary directory, and a plain client on `kafka-protocol`.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use forebay_broker::{Broker, BrokerConfig};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// Generous: ten times what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[allow(clippy::disallowed_methods, reason = "a test's clock")]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    since.as_millis() as i64
}

pub(crate) fn config(data_dir: &Path) -> BrokerConfig {
    BrokerConfig::new(data_dir, Arc::new(now_ms))
}

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
        self.stream.write_all(&frame).unwrap();
        self.next_correlation
    }

    pub(crate) fn frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16, correlation: i32) -> R::Response {
        let mut frame = self.frame().unwrap();
        assert_eq!(frame.get_i32(), correlation);
        if R::Response::header_version(version) >= 1 {
            assert_eq!(frame.get_u8(), 0);
        }
        let response = R::Response::decode(&mut frame, version).unwrap();
        assert!(!frame.has_remaining());
        response
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation = self.send(version, request);
        self.receive::<R>(version, correlation)
    }

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
            .with_timeout_ms(5000);
        self.call(5, &request).topics[0].error_code
    }

    pub(crate) fn delete_topic(&mut self, name: &str) -> i16 {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![TopicName(text(name))])
            .with_timeout_ms(5000);
        self.call(5, &request).responses[0].error_code
    }

    pub(crate) fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> PartitionProduceResponse {
        let request = produce_request(topic, partition, batch);
        let mut response = self.call(8, &request);
        response.responses.remove(0).partition_responses.remove(0)
    }

    pub(crate) fn fetch(&mut self, topic: &str, partition: i32, offset: i64) -> PartitionData {
        let request = fetch_request(topic, partition, offset, 0);
        let mut response = self.call(11, &request);
        response.responses.remove(0).partitions.remove(0)
    }

    /// Offset and timestamp; panics on an error.
    pub(crate) fn list_offset(
        &mut self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> (i64, i64) {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default().with_topics(vec![topic]);
        let row = self.call(5, &request).topics.remove(0).partitions.remove(0);
        assert_eq!(row.error_code, 0);
        (row.offset, row.timestamp)
    }

    pub(crate) fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let response = self.call(4, &request);
        assert_eq!(response.error_code, 0);
        response.producer_id.0
    }

    /// Every value of a partition, in order.
    pub(crate) fn read_all(&mut self, topic: &str, partition: i32) -> Vec<(i64, String)> {
        let (mut offset, _) = self.list_offset(topic, partition, -2);
        let mut all = Vec::new();
        loop {
            let part = self.fetch(topic, partition, offset);
            assert_eq!(part.error_code, 0);
            let records = decode(part.records.unwrap_or_default());
            let Some(last) = records.last() else {
                return all;
            };
            offset = last.offset + 1;
            all.extend(records.into_iter().map(|record| {
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
        .with_timeout_ms(10_000)
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

/// A batch of these values; `producer` is id, epoch and first sequence.
pub(crate) fn batch(producer: (i64, i16, i32), values: &[&str]) -> Bytes {
    let (producer_id, producer_epoch, sequence) = producer;
    let records: Vec<Record> = (0..)
        .zip(values)
        .map(|(n, value)| Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id,
            producer_epoch,
            timestamp_type: TimestampType::Creation,
            offset: n,
            // The encoder begins another batch where sequences do not go on.
            sequence: sequence + n as i32,
            timestamp: now_ms(),
            key: Some(Bytes::from(format!("key{n}"))),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Default::default(),
        })
        .collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
    out.freeze()
}

pub(crate) const NO_PRODUCER: (i64, i16, i32) = (-1, -1, -1);

pub(crate) fn decode(mut batches: Bytes) -> Vec<Record> {
    let sets = RecordBatchDecoder::decode_all(&mut batches).unwrap();
    sets.into_iter().flat_map(|set| set.records).collect()
}

pub(crate) async fn start(data_dir: &Path) -> (Broker, Client) {
    let broker = Broker::start(config(data_dir)).await.unwrap();
    let client = Client::connect(broker.local_addr());
    (broker, client)
}
