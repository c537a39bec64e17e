//! Producer ids that are never given out twice, also not after a crash.

use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

use crate::durable_file;

/// Ids reserved on disk at a time, as Apache Kafka does; a crash wastes the rest.
const BLOCK: i64 = 1000;

/// Gives out producer ids.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    path: PathBuf,
    state: Mutex<Range>,
}

#[derive(Debug)]
struct Range {
    next: i64,
    reserved_to: i64,
}

impl ProducerIds {
    /// Opens the counter in `path`, beginning at 0 without one. A damaged file
    /// is an error: guessing could give out an id a second time.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let next = match std::fs::read_to_string(&path) {
            Ok(text) => durable_file::unseal(&text)
                .and_then(|text| text.trim_end().parse().ok())
                .ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, "damaged producer id file")
                })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            state: Mutex::new(Range {
                next,
                reserved_to: next,
            }),
        })
    }

    /// A new id. Blocks for a synced write once in a thousand.
    pub(crate) fn allocate(&self) -> io::Result<i64> {
        let mut range = self.state.lock();
        if range.next == range.reserved_to {
            let reserved_to = range.next + BLOCK;
            let text = durable_file::seal(&format!("{reserved_to}\n"));
            durable_file::replace(&self.path, text.as_bytes())?;
            range.reserved_to = reserved_to;
        }
        range.next += 1;
        Ok(range.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_over_restarts_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("producer-ids");
        let mut last = -1;
        for _ in 0..3 {
            let ids = ProducerIds::open(path.clone()).unwrap();
            for _ in 0..1500 {
                let id = ids.allocate().unwrap();
                assert!(id > last);
                last = id;
            }
        }
        std::fs::write(&path, "12\n").unwrap();
        assert!(ProducerIds::open(path).is_err());
    }
}
