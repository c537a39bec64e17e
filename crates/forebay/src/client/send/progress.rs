//! Tells on stderr how far it is, and how it ended.

use std::time::{Duration, Instant};

use super::tally::{Counts, Tally, ranges};
use crate::client::error::ClientError;
use crate::client::note;

/// Back to the beginning of the terminal's line, and what stands there gone.
const ERASE_LINE: &str = "\r\x1b[K";

/// What stderr is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terminal {
    /// A file or a pipe.
    None,
    /// A terminal with the progress line.
    Progress,
    /// A terminal on which lines are typed; no progress line.
    Typing,
}

/// The progress line and the summary.
pub(super) struct Progress {
    started: Instant,
    terminal: Terminal,
    last: (Instant, u64),
    /// Whether it has been said what is waited for after a signal.
    is_wait_told: bool,
}

impl Progress {
    /// From now on.
    pub(super) fn start(terminal: Terminal) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            terminal,
            last: (now, 0),
            is_wait_told: false,
        }
    }

    /// Shows how far it is; the rate is that since the last call. After a
    /// signal also says, once, what is waited for. Writes while no lock is
    /// held: a terminal may stand still.
    pub(super) fn show(&mut self, tally: &Tally) {
        let (acked, signals, under_way) = {
            let counts = tally.counts();
            (counts.acked, counts.signals, counts.messages_under_way())
        };
        if signals > 0 && !self.is_wait_told {
            self.is_wait_told = true;
            note(&format!(
                "{}waiting for messages under way: {under_way}; Ctrl-C again ends at once\n",
                self.erase()
            ));
        }
        if self.terminal != Terminal::Progress {
            return;
        }
        let (then, before) = self.last;
        self.last = (Instant::now(), acked);
        let rate = rate(acked - before, then.elapsed());
        note(&format!("{ERASE_LINE}{acked} acknowledged, {rate}/s"));
    }

    /// Writes the summary.
    ///
    /// # Errors
    /// Unless everything was read and is acknowledged. What became of the
    /// lines is written by then; the error says why.
    pub(super) fn finish(self, tally: &Tally, last_taken: u64) -> Result<(), ClientError> {
        let (summary, failure, signals) = tally.change(|counts| {
            counts.give_up();
            let summary = summary(counts, last_taken, self.started.elapsed());
            (summary, counts.failure.take(), counts.signals)
        });
        note(&format!("{}{summary}", self.erase()));
        match failure {
            Some((reason, Some(advice))) => {
                Err(ClientError::Failed(format!("{reason}\nforebay: {advice}")))
            }
            Some((reason, None)) => Err(ClientError::Failed(reason)),
            None if signals > 0 => Err(ClientError::Failed("interrupted".to_owned())),
            None => Ok(()),
        }
    }

    /// What makes room for other text: the progress line goes, or the `^C`
    /// that the terminal shows.
    fn erase(&self) -> &'static str {
        match self.terminal {
            Terminal::None => "",
            Terminal::Progress | Terminal::Typing => ERASE_LINE,
        }
    }
}

fn summary(counts: &Counts, last_taken: u64, elapsed: Duration) -> String {
    let mut text = format!(
        "{} acknowledged, {} not stored, {} unknown ({:.1} s, {}/s)\n",
        counts.acked,
        counts.not_stored.len(),
        counts.unknown.len(),
        elapsed.as_secs_f64(),
        rate(counts.acked, elapsed)
    );
    for (name, lines) in [
        ("not stored", &counts.not_stored),
        ("unknown", &counts.unknown),
    ] {
        if !lines.is_empty() {
            text += &format!("{name}: {}\n", ranges(lines));
        }
    }
    if counts.failure.is_some() || counts.signals > 0 {
        text += &match last_taken {
            0 => "no line was sent\n".to_owned(),
            last => format!("no line after line {last} was sent\n"),
        };
    }
    text
}

/// Per second, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a figure for people"
)]
fn rate(count: u64, time: Duration) -> u64 {
    (count as f64 / time.as_secs_f64().max(0.001)).round() as u64
}
