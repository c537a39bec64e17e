//! When to speak of something that is away: once when it goes, again each
//! minute, once when it is back.

use std::time::Duration;

use tokio::time::Instant;

const REMIND_EVERY: Duration = Duration::from_secs(60);

/// How something we depend on has been, as far as the log is concerned.
#[derive(Debug, Default)]
pub(crate) struct Outage(Option<Away>);

#[derive(Debug)]
struct Away {
    since: Instant,
    said: Instant,
}

impl Outage {
    /// It does not work, at `now`; for how long, where it is time to say so.
    pub(crate) fn failed(&mut self, now: Instant) -> Option<Duration> {
        let away = match &mut self.0 {
            None => self.0.insert(Away {
                since: now,
                said: now,
            }),
            Some(away) if now.duration_since(away.said) >= REMIND_EVERY => {
                away.said = now;
                away
            }
            Some(_) => return None,
        };
        Some(now.duration_since(away.since))
    }

    /// It works, at `now`; how long it had not, where that is news.
    pub(crate) fn worked(&mut self, now: Instant) -> Option<Duration> {
        let away = self.0.take()?;
        Some(now.duration_since(away.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_then_each_minute_then_once_more() {
        let mut outage = Outage::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(outage.worked(at(0)), None);
        let said: Vec<u64> = (1..200)
            .filter_map(|second| outage.failed(at(second)))
            .map(|away| away.as_secs())
            .collect();
        assert_eq!(said, [0, 60, 120, 180]);
        assert_eq!(outage.worked(at(200)), Some(Duration::from_secs(199)));
        assert_eq!(outage.worked(at(201)), None);
        assert_eq!(outage.failed(at(202)), Some(Duration::ZERO));
    }
}
