//! Builds batches for tests.

use super::batch::with_records;

#[derive(Clone)]
pub(crate) struct BatchFixture {
    attributes: i16,
    base_timestamp: i64,
    producer: (i64, i16, i32),
    records: Vec<u8>,
    count: i32,
}

impl Default for BatchFixture {
    fn default() -> Self {
        Self {
            attributes: 0,
            base_timestamp: 1_000,
            producer: (-1, -1, -1),
            records: Vec::new(),
            count: 0,
        }
    }
}

impl BatchFixture {
    pub(crate) fn timestamp(mut self, timestamp: i64) -> Self {
        self.base_timestamp = timestamp;
        self
    }

    pub(crate) fn attributes(mut self, attributes: i16) -> Self {
        self.attributes = attributes;
        self
    }

    pub(crate) fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = (id, epoch, sequence);
        self
    }

    /// `count` more records with keys and values of a few bytes.
    pub(crate) fn records(mut self, count: i32) -> Self {
        for _ in 0..count {
            let n = self.count.to_string();
            self = self.record(Some(n.as_bytes()), Some(b"value"));
        }
        self
    }

    /// One more record, 1 ms after the one before.
    pub(crate) fn record(mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let mut body = vec![0];
        put_varint(&mut body, i64::from(self.count));
        put_varint(&mut body, i64::from(self.count));
        for part in [key, value] {
            put_varint(&mut body, part.map_or(-1, |p| p.len() as i64));
            body.extend_from_slice(part.unwrap_or_default());
        }
        put_varint(&mut body, 0);
        put_varint(&mut self.records, body.len() as i64);
        self.records.extend_from_slice(&body);
        self.count += 1;
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut header = Vec::new();
        header.extend_from_slice(&0_i64.to_be_bytes());
        header.extend_from_slice(&0_i32.to_be_bytes());
        header.extend_from_slice(&(-1_i32).to_be_bytes());
        header.push(2);
        header.extend_from_slice(&0_u32.to_be_bytes());
        header.extend_from_slice(&self.attributes.to_be_bytes());
        header.extend_from_slice(&(self.count - 1).to_be_bytes());
        header.extend_from_slice(&self.base_timestamp.to_be_bytes());
        let max = self.base_timestamp + i64::from(self.count - 1);
        header.extend_from_slice(&max.to_be_bytes());
        header.extend_from_slice(&self.producer.0.to_be_bytes());
        header.extend_from_slice(&self.producer.1.to_be_bytes());
        header.extend_from_slice(&self.producer.2.to_be_bytes());
        header.extend_from_slice(&self.count.to_be_bytes());
        with_records(&header, self.count, &self.records)
    }
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}
