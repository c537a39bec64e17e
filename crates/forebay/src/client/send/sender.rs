//! Takes lines, sends them, and tells the tally what became of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_api::Action;
use serde::Serialize;

use super::line::Line;
use super::outcome::{Outcome, outcome};
use super::queue::LineQueue;
use super::tally::Tally;
use crate::client::api_client::ApiClient;
use crate::client::error::CallError;
use crate::client::output::write_out;
use crate::client::terminal_text::shown;

/// How long the not stored messages of a request are sent again.
const RESEND_LIMIT: Duration = Duration::from_secs(30);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// One of `--concurrency` threads: has at most one request under way.
pub(super) struct Sender {
    pub(super) index: usize,
    pub(super) client: ApiClient,
    pub(super) datahub_id: String,
    pub(super) most_messages: usize,
    /// Whether lines may not overtake each other.
    pub(super) in_order: bool,
    pub(super) print_ids: bool,
    pub(super) queue: Arc<LineQueue>,
    pub(super) tally: Arc<Tally>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'l> {
    data_hub_id: &'l str,
    message: Vec<MessageOf<'l>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MessageOf<'l> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'l str>,
    body: &'l str,
}

/// Tells of a sender's end, also if it panics: else the end is never seen.
struct TellEnd(Arc<Tally>, usize);

impl Drop for TellEnd {
    fn drop(&mut self) {
        self.0.change(|counts| counts.ended(self.1));
    }
}

impl Sender {
    /// Sends until there are no more lines, or until some are not
    /// acknowledged: then all senders stop.
    pub(super) fn run(mut self) {
        let _end = TellEnd(Arc::clone(&self.tally), self.index);
        // Kept from request to request: senders that find a limit share it
        // fairly with those that wait.
        let mut delay = FIRST_DELAY;
        while let Some(lines) = self.queue.take(self.most_messages) {
            if !self.deliver(lines, &mut delay) {
                self.queue.stop();
            }
        }
    }

    /// Whether all of the lines are acknowledged.
    fn deliver(&mut self, mut lines: Vec<Line>, delay: &mut Duration) -> bool {
        let started = Instant::now();
        loop {
            let mut outcome = self.send(&lines);
            let error = outcome.error.take();
            let left: Vec<Line> = outcome
                .not_stored
                .iter()
                .map(|i| lines[*i].clone())
                .collect();
            let Some(error) = error.filter(|_| !left.is_empty() || !outcome.unknown.is_empty())
            else {
                *delay = (*delay / 2).max(FIRST_DELAY);
                return true;
            };
            let again = outcome.may_resend
                && outcome.unknown.is_empty()
                && !(self.in_order && overtaken(&lines, &outcome))
                && started.elapsed() < RESEND_LIMIT
                && self.queue.pause(*delay);
            if !again {
                self.fail(&error, &lines, &left);
                return false;
            }
            *delay = (*delay * 2).min(LONGEST_DELAY);
            lines = left;
        }
    }

    /// Tells why `left` of `lines`, or some unknown ones, are not acknowledged.
    fn fail(&self, error: &CallError, lines: &[Line], left: &[Line]) {
        let reason = format!("{error}{}", named_line(&error.to_string(), lines));
        self.tally.change(|counts| {
            let numbers = left.iter().map(|line| line.number);
            counts.not_stored.extend(numbers);
            counts.fail(reason, error.advice());
        });
    }

    /// One request.
    fn send(&mut self, lines: &[Line]) -> Outcome {
        let request = Request {
            data_hub_id: &self.datahub_id,
            message: lines
                .iter()
                .map(|line| MessageOf {
                    key: line.key.as_deref(),
                    body: &line.body,
                })
                .collect(),
        };
        let body = serde_json::to_vec(&request).expect("strings are always JSON");
        self.tally.change(|counts| counts.begin(self.index, lines));
        let answer = self.client.call(Action::SendMessage, &body);
        let outcome = outcome(answer, lines.len(), |reason| {
            self.client.not_the_api(reason)
        });
        let unknown = outcome.unknown.iter().map(|index| lines[*index].number);
        self.tally.change(|counts| {
            counts.answered(self.index);
            counts.acked += outcome.stored.len() as u64;
            counts.unknown.extend(unknown);
        });
        if self.print_ids {
            self.print(&outcome);
        }
        outcome
    }

    fn print(&self, outcome: &Outcome) {
        let lines = outcome.stored.iter();
        let text: String = lines.map(|(_, id)| format!("{}\n", shown(id))).collect();
        if let Err(error) = write_out(text.as_bytes()) {
            let reason = format!("cannot print MessageIds: {error}");
            self.tally.change(|counts| counts.fail(reason, None));
            self.queue.stop();
        }
    }
}

/// Whether a message that is not stored stands before one with the same key
/// that is, or may be: sent again it would come after it. Messages without a
/// key count as having the same one.
fn overtaken(lines: &[Line], outcome: &Outcome) -> bool {
    let not_stored: HashSet<usize> = outcome.not_stored.iter().copied().collect();
    let mut stored_later = HashSet::new();
    lines.iter().enumerate().rev().any(|(index, line)| {
        let key = line.key.as_deref().unwrap_or_default();
        if not_stored.contains(&index) {
            return stored_later.contains(key);
        }
        stored_later.insert(key);
        false
    })
}

/// ` (line 7)` where the service speaks of `Message[6]` of the request.
fn named_line(error: &str, lines: &[Line]) -> String {
    let after = error.split_once("Message[").map(|(_, after)| after);
    let digits = after.and_then(|after| after.split(|c: char| !c.is_ascii_digit()).next());
    let index = digits.and_then(|digits| digits.parse::<usize>().ok());
    match index.and_then(|index| lines.get(index)) {
        Some(line) => format!(" (line {})", line.number),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(keys: &[&str]) -> Vec<Line> {
        let line = |(number, key): (u64, &&str)| Line {
            number,
            key: (!key.is_empty()).then(|| (*key).into()),
            body: String::new(),
            json_bytes: 0,
        };
        (11..).zip(keys).map(line).collect()
    }

    #[test]
    fn only_messages_of_the_same_key_can_be_overtaken() {
        let stored = |not_stored: &[usize]| Outcome {
            not_stored: not_stored.to_vec(),
            ..Outcome::default()
        };
        assert!(!overtaken(&lines(&["a", "b", "c"]), &stored(&[0, 1, 2])));
        assert!(!overtaken(&lines(&["a", "b", "a"]), &stored(&[2])));
        assert!(!overtaken(&lines(&["a", "b", "a"]), &stored(&[0, 2])));
        assert!(overtaken(&lines(&["a", "b", "a"]), &stored(&[0])));
        assert!(overtaken(&lines(&["", "b", ""]), &stored(&[0])));
    }

    #[test]
    fn the_line_of_a_message_is_named() {
        let error = "InvalidParameterValue: Message[1] makes a record of 9 bytes";
        assert_eq!(named_line(error, &lines(&["", ""])), " (line 12)");
        assert_eq!(named_line("Message[7] is", &lines(&["", ""])), "");
        assert_eq!(named_line("no message", &lines(&[""])), "");
    }
}
