//! Whether answers are true.

use forebay_api::MessageId;

use crate::answer::{self, Answer, Partly};
use crate::offset_ledger::{DUPLICATE, PageOf};
use crate::offset_pages::{OffsetPages, Page};
use crate::tally::Tally;

/// Far above what a cluster has; a larger number would only take memory.
const MOST_PARTITIONS: u32 = 200_000;

const MALFORMED: &str = "a MessageId is malformed";
const WRONG_DATAHUB: &str = "a MessageId names another access point";
const TOPIC_CHANGED: &str = "an access point's MessageIds name different topics";
const TIMES: &str = "a MessageId says sent before received";
const COUNT: &str = "not as many MessageIds as messages";
const UNREADABLE: &str = "an answer is not as the API has it";

/// Checks the answers that one thread gets.
pub(crate) struct AnswerCheck {
    tasks: Vec<Task>,
    topics: Vec<Topic>,
    messages: u64,
    /// Only the status counts.
    raw: bool,
    given_away: Vec<Page>,
    /// What the conductor has not yet been sent.
    pages: Vec<PageOf>,
}

struct Task {
    datahub: String,
    /// `<datahub>:<topic>:` and the topic's index, once an answer has told.
    known: Option<(String, usize)>,
}

struct Topic {
    name: String,
    partitions: Vec<OffsetPages>,
}

/// The numbers of a MessageId.
#[derive(Debug, PartialEq)]
struct Place {
    partition: u32,
    offset: u64,
    received: u64,
    sent: u64,
}

impl AnswerCheck {
    pub(crate) fn new(datahubs: &[String], messages: u32, raw: bool) -> Self {
        let tasks = datahubs.iter().map(|datahub| Task {
            datahub: datahub.clone(),
            known: None,
        });
        Self {
            tasks: tasks.collect(),
            topics: Vec::new(),
            messages: u64::from(messages),
            raw,
            given_away: Vec::new(),
            pages: Vec::new(),
        }
    }

    /// Takes in an answer and counts it; how many messages it acknowledges.
    pub(crate) fn take_in(
        &mut self,
        task: usize,
        status: u16,
        body: &[u8],
        tally: &mut Tally,
    ) -> u64 {
        let good_status = if self.raw {
            (200..300).contains(&status)
        } else {
            status == 200
        };
        if !good_status {
            let shown = || String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
            tally.unknown.note(&format!("HTTP status {status}"), shown);
            tally.unknown_messages += self.messages;
            return 0;
        }
        if self.raw {
            tally.acked_messages += self.messages;
            return self.messages;
        }
        match answer::read(body) {
            Answer::Ids(ids) => self.take_in_ids(task, &ids, tally),
            Answer::Partly(partly) => self.take_in_partly(task, &partly, tally),
            Answer::Refused { code, message } => {
                tally.refused_messages += self.messages;
                tally.refused.note(&code, || message);
                0
            }
            Answer::Unknown { code, message } => {
                tally.unknown_messages += self.messages;
                tally.unknown.note(&code, || message);
                0
            }
            Answer::Unreadable(reason) => {
                tally.unknown_messages += self.messages;
                tally.unknown.note(UNREADABLE, String::new);
                tally.faults.note(UNREADABLE, || reason);
                0
            }
        }
    }

    fn take_in_ids(&mut self, task: usize, ids: &[&str], tally: &mut Tally) -> u64 {
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        if count != self.messages {
            let sent = self.messages;
            tally.faults.note(COUNT, || format!("{count} for {sent}"));
            // What it says of the others nobody knows.
            tally.unknown_messages += sent.saturating_sub(count);
        }
        for id in ids {
            self.check(task, id, tally);
        }
        let acked = count.min(self.messages);
        tally.acked_messages += acked;
        acked
    }

    fn take_in_partly(&mut self, task: usize, partly: &Partly, tally: &mut Tally) -> u64 {
        for id in partly.stored.values() {
            self.check(task, id, tally);
        }
        let [stored, not_stored, unknown] = [
            partly.stored.len(),
            partly.not_stored.len(),
            partly.unknown.len(),
        ]
        .map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        let sum = stored + not_stored + unknown;
        if sum != self.messages {
            let sent = self.messages;
            tally
                .faults
                .note(COUNT, || format!("partly stored: {sum} for {sent}"));
        }
        tally.acked_messages += stored;
        tally.refused_messages += not_stored;
        tally.unknown_messages += unknown;
        let text = || format!("{stored} stored, {not_stored} not, {unknown} unknown");
        tally.unknown.note("FailedOperation (partly stored)", text);
        stored
    }

    fn check(&mut self, task: usize, id: &str, tally: &mut Tally) {
        // The common case costs a comparison and four numbers.
        let Some((topic, place)) = self
            .quick_place(task, id)
            .or_else(|| self.learn(task, id, tally))
        else {
            return;
        };
        if place.sent < place.received {
            tally.faults.note(TIMES, || id.to_owned());
        }
        let topic = &mut self.topics[topic];
        let partition = usize::try_from(place.partition).unwrap_or(usize::MAX);
        if partition >= topic.partitions.len() {
            topic
                .partitions
                .resize_with(partition + 1, OffsetPages::default);
        }
        if !topic.partitions[partition].insert(place.offset, &mut self.given_away) {
            tally.faults.note(DUPLICATE, || id.to_owned());
        }
        for page in self.given_away.drain(..) {
            self.pages.push(PageOf {
                topic: topic.name.clone(),
                partition: place.partition,
                page,
            });
        }
    }

    fn quick_place(&self, task: usize, id: &str) -> Option<(usize, Place)> {
        let (prefix, topic) = self.tasks[task].known.as_ref()?;
        let place = read_place(id.strip_prefix(prefix.as_str())?)?;
        Some((*topic, place))
    }

    /// Reads an id of which the quick way could make nothing.
    fn learn(&mut self, task: usize, id: &str, tally: &mut Tally) -> Option<(usize, Place)> {
        let parsed = match id.parse::<MessageId>() {
            Ok(parsed) => parsed,
            Err(error) => {
                tally.faults.note(MALFORMED, || format!("{id:?}: {error}"));
                return None;
            }
        };
        let expected = &mut self.tasks[task];
        if parsed.datahub_id != expected.datahub {
            let example = || format!("{id} for {}", expected.datahub);
            tally.faults.note(WRONG_DATAHUB, example);
            return None;
        }
        let known = self
            .topics
            .iter()
            .position(|topic| topic.name == parsed.topic);
        let topic = known.unwrap_or_else(|| {
            self.topics.push(Topic {
                name: parsed.topic.clone(),
                partitions: Vec::new(),
            });
            self.topics.len() - 1
        });
        if let Some((_, before)) = expected.known {
            if before != topic {
                tally.faults.note(TOPIC_CHANGED, || id.to_owned());
            }
        } else {
            let prefix = format!("{}:{}:", parsed.datahub_id, parsed.topic);
            expected.known = Some((prefix, topic));
        }
        let numbers = id.splitn(3, ':').nth(2).and_then(read_place);
        if numbers.is_none() {
            tally
                .faults
                .note(MALFORMED, || format!("{id:?}: partition too large"));
        }
        numbers.map(|place| (topic, place))
    }

    /// What the conductor has to know of the offsets seen.
    pub(crate) fn take_pages(&mut self) -> Vec<PageOf> {
        std::mem::take(&mut self.pages)
    }

    /// The same, and nothing is kept.
    pub(crate) fn take_all_pages(&mut self) -> Vec<PageOf> {
        let mut all = self.take_pages();
        for topic in &mut self.topics {
            for (partition, pages) in (0..).zip(&mut topic.partitions) {
                all.extend(pages.take().into_iter().map(|page| PageOf {
                    topic: topic.name.clone(),
                    partition,
                    page,
                }));
            }
        }
        all
    }

    /// Which topic each access point's messages went to.
    pub(crate) fn topics(&self) -> Vec<(String, String)> {
        let known = self.tasks.iter().filter_map(|task| {
            let (_, topic) = task.known.as_ref()?;
            Some((task.datahub.clone(), self.topics[*topic].name.clone()))
        });
        known.collect()
    }
}

/// `<partition>:<offset>:<received>:<sent>`, strictly.
fn read_place(text: &str) -> Option<Place> {
    let mut rest = text.as_bytes();
    let partition = u32::try_from(read_number(&mut rest)?).ok()?;
    let offset = read_number(&mut rest)?;
    let received = read_number(&mut rest)?;
    let sent = read_number(&mut rest)?;
    (rest.is_empty() && !text.ends_with(':') && partition < MOST_PARTITIONS).then_some(Place {
        partition,
        offset,
        received,
        sent,
    })
}

/// Digits without leading zeros up to a colon, which goes too, or the end.
fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    let mut at = 0;
    while let Some(byte) = rest.get(at).filter(|byte| **byte != b':') {
        if !byte.is_ascii_digit() || at == 18 {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
        at += 1;
    }
    if at == 0 || (at > 1 && rest[0] == b'0') {
        return None;
    }
    *rest = &rest[(at + 1).min(rest.len())..];
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "datahub-aaaaaaaa";

    fn answer(ids: &[&str]) -> String {
        serde_json::json!({"Response": {"MessageId": ids, "RequestId": "r"}}).to_string()
    }

    fn check(answers: &[&[&str]], messages: u32) -> Tally {
        let mut check = AnswerCheck::new(&[ONE.to_owned()], messages, false);
        let mut tally = Tally::default();
        for ids in answers {
            check.take_in(0, 200, answer(ids).as_bytes(), &mut tally);
        }
        tally
    }

    #[test]
    fn right_answers_have_no_faults() {
        let answers: [&[&str]; 2] = [
            &["datahub-aaaaaaaa:t:0:0:5:5", "datahub-aaaaaaaa:t:1:0:5:6"],
            &[
                "datahub-aaaaaaaa:t:0:1:5:5",
                "datahub-aaaaaaaa:t:0:5000:5:6",
            ],
        ];
        let tally = check(&answers, 2);
        assert_eq!(tally.faults.total(), 0, "{:?}", tally.faults);
        assert_eq!(tally.acked_messages, 4);
    }

    #[test]
    fn each_lie_is_noticed() {
        let right = "datahub-aaaaaaaa:t:0:0:5:5";
        for (id, kind) in [
            (right, DUPLICATE),
            ("datahub-bbbbbbbb:t:0:1:5:5", WRONG_DATAHUB),
            ("datahub-aaaaaaaa:u:0:1:5:5", TOPIC_CHANGED),
            ("datahub-aaaaaaaa:t:0:1:5:4", TIMES),
            ("datahub-aaaaaaaa:t:0:1:5", MALFORMED),
            ("datahub-aaaaaaaa:t:0:01:5:5", MALFORMED),
            ("datahub-aaaaaaaa:t:0:1:5:5:", MALFORMED),
            ("datahub-aaaaaaaa:t:0:1:5:5x", MALFORMED),
            ("datahub-aaaaaaaa:t:999999999:1:5:5", MALFORMED),
            ("", MALFORMED),
        ] {
            let tally = check(&[&[right], &[id]], 1);
            let kinds: Vec<&String> = tally.faults.kinds.keys().collect();
            assert_eq!(kinds, [kind], "{id}");
        }
        let tally = check(&[&[right]], 2);
        assert!(tally.faults.kinds.contains_key(COUNT));
        assert_eq!((tally.acked_messages, tally.unknown_messages), (1, 1));
    }

    #[test]
    fn outcomes_are_told_apart() {
        let mut check = AnswerCheck::new(&[ONE.to_owned()], 4, false);
        let mut tally = Tally::default();
        let error = |code: &str, message: &str| {
            let error = serde_json::json!({"Code": code, "Message": message});
            serde_json::json!({"Response": {"Error": error, "RequestId": "r"}}).to_string()
        };
        let partly = r#"partly stored: {"stored":{"0":"datahub-aaaaaaaa:t:0:0:1:1"},"not_stored":[1],"unknown":[2,3]}"#;
        for (status, body) in [
            (200, error("RequestLimitExceeded", "slow down")),
            (200, error("FailedOperation", "delivery unknown: deadline")),
            (200, error("FailedOperation", partly)),
            (503, "gone".to_owned()),
        ] {
            check.take_in(0, status, body.as_bytes(), &mut tally);
        }
        assert_eq!(tally.acked_messages, 1);
        assert_eq!(tally.refused_messages, 4 + 1);
        assert_eq!(tally.unknown_messages, 4 + 2 + 4);
        assert_eq!(tally.refused.kinds["RequestLimitExceeded"].count, 1);
        assert!(tally.unknown.kinds.contains_key("HTTP status 503"));
        assert_eq!(tally.faults.total(), 0);
    }

    #[test]
    fn raw_answers_need_only_a_status() {
        let mut check = AnswerCheck::new(&[], 3, true);
        let mut tally = Tally::default();
        assert_eq!(check.take_in(0, 204, b"", &mut tally), 3);
        assert_eq!(check.take_in(0, 302, b"", &mut tally), 0);
        assert_eq!((tally.acked_messages, tally.unknown_messages), (3, 3));
    }

    #[test]
    fn all_pages_reach_the_conductor() {
        let mut check = AnswerCheck::new(&[ONE.to_owned()], 1, false);
        let mut tally = Tally::default();
        for offset in 0..50_000 {
            check.check(0, &format!("{ONE}:t:3:{offset}:1:1"), &mut tally);
        }
        let pages = check.take_all_pages();
        assert!(
            pages
                .iter()
                .all(|page| page.partition == 3 && page.topic == "t")
        );
        assert_eq!(
            pages.iter().map(|page| page.page.count()).sum::<u64>(),
            50_000
        );
        assert_eq!(check.topics(), [(ONE.to_owned(), "t".to_owned())]);
        assert_eq!(tally.faults.total(), 0);
    }
}
