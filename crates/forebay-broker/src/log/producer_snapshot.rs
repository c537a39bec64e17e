//! The producers of a partition in a file, so that opening need not read the
//! whole log and retention does not make the broker forget them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::producer_state::{BatchPlace, Producer, ProducerTable};
use crate::durable_file;

const FILE: &str = "producers";

/// The state after all batches below `end`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) end: i64,
    pub(crate) producers: ProducerTable,
}

/// Writes the snapshot durably.
pub(crate) fn save(directory: &Path, end: i64, producers: &ProducerTable) -> io::Result<()> {
    let mut text = format!("end {end}\n");
    for (id, producer) in producers.iter() {
        let written: Result<(), std::fmt::Error> = (|| {
            write!(
                text,
                "producer {id} {} {}",
                producer.epoch, producer.last_seen_ms
            )?;
            for batch in &producer.batches {
                let BatchPlace {
                    base_sequence,
                    last_sequence,
                    base_offset,
                    last_offset,
                } = batch;
                write!(
                    text,
                    " {base_sequence} {last_sequence} {base_offset} {last_offset}"
                )?;
            }
            writeln!(text)
        })();
        written.map_err(io::Error::other)?;
    }
    durable_file::replace(&directory.join(FILE), durable_file::seal(&text).as_bytes())
}

/// Reads the snapshot; `None` if there is none or it is damaged.
pub(crate) fn load(directory: &Path) -> io::Result<Option<Snapshot>> {
    let text = match std::fs::read(directory.join(FILE)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let parsed = durable_file::unseal(&text).and_then(parse);
    if parsed.is_none() {
        tracing::warn!(directory = %directory.display(), "producer snapshot is damaged: rebuilt");
    }
    Ok(parsed)
}

/// Removes the snapshot, if there is one.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    super::retention::remove_if_there(&directory.join(FILE))
}

fn parse(text: &str) -> Option<Snapshot> {
    let mut lines = text.lines();
    let end = lines.next()?.strip_prefix("end ")?.parse().ok()?;
    let mut producers = ProducerTable::default();
    for line in lines {
        let fields: Result<Vec<i64>, _> = line
            .strip_prefix("producer ")?
            .split(' ')
            .map(str::parse)
            .collect();
        let fields = fields.ok()?;
        let [id, epoch, last_seen_ms, batches @ ..] = fields.as_slice() else {
            return None;
        };
        let batches: Option<VecDeque<BatchPlace>> = batches
            .chunks(4)
            .map(|chunk| match chunk {
                [base, last, base_offset, last_offset] => Some(BatchPlace {
                    base_sequence: i32::try_from(*base).ok()?,
                    last_sequence: i32::try_from(*last).ok()?,
                    base_offset: *base_offset,
                    last_offset: *last_offset,
                }),
                _ => None,
            })
            .collect();
        let epoch = i16::try_from(*epoch).ok()?;
        let producer = Producer {
            epoch,
            last_seen_ms: *last_seen_ms,
            batches: batches?,
        };
        producers.insert(*id, producer);
    }
    Some(Snapshot { end, producers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::batch::BatchHeader;
    use crate::log::fixture::BatchFixture;

    #[test]
    fn comes_back_as_saved_and_is_refused_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let mut producers = ProducerTable::default();
        for sequence in 0..7 {
            let bytes = BatchFixture::default()
                .producer(5, 1, sequence)
                .records(1)
                .build();
            producers.record(&BatchHeader::parse(&bytes).unwrap(), 99);
        }
        save(dir.path(), 42, &producers).unwrap();
        assert_eq!(
            load(dir.path()).unwrap(),
            Some(Snapshot { end: 42, producers })
        );
        let path = dir.path().join(FILE);
        let cut = std::fs::read(&path).unwrap();
        std::fs::write(&path, &cut[..cut.len() - 3]).unwrap();
        assert_eq!(load(dir.path()).unwrap(), None);
    }
}
