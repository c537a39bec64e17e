//! Remembered metadata, and when it is asked for anew.
//!
//! One question at a time is under way. Whoever wants to know about a topic
//! meanwhile waits, and the next question is about all topics that were waited
//! for, so that a thousand partitions that lose their leader cause two
//! questions and not a thousand.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    Error,
    connection::{Request, Throttling},
    metadata::{Broker, MetadataAnswer, TopicMetadata, metadata_request},
    pool::{ConnectionPool, Purpose},
};

/// A topic is not asked for again sooner, nor is anything after a failure.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Topics that nobody has looked up for so long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// Topics in one question.
const QUESTION_TOPICS: usize = 500;

#[derive(Debug)]
pub(crate) struct MetadataCache {
    bootstrap: Vec<String>,
    max_age: Duration,
    /// For one broker's answer, and for a whole question.
    answer_limit: Duration,
    question_limit: Duration,
    view: Mutex<View>,
    /// Rises with every answer; see [`generation`](Self::generation).
    generation: AtomicU64,
    wanted: Mutex<BTreeSet<String>>,
    /// Held by whoever asks; the time before which it must not be done again.
    asking: tokio::sync::Mutex<Instant>,
}

#[derive(Debug, Default)]
struct View {
    brokers: HashMap<i32, Broker>,
    controller: Option<i32>,
    topics: HashMap<String, Entry>,
    /// When an address last failed us.
    faults: HashMap<String, Instant>,
}

#[derive(Debug)]
struct Entry {
    known: Option<Arc<TopicMetadata>>,
    /// `None` when it was found to be outdated.
    confirmed: Option<Instant>,
    used: Instant,
    last: Option<Asked>,
}

/// The last time a topic was asked for.
#[derive(Debug, Clone)]
struct Asked {
    started: Instant,
    ended: Instant,
    result: Result<Arc<TopicMetadata>, Error>,
}

impl MetadataCache {
    pub(crate) fn new(
        bootstrap: Vec<String>,
        max_age: Duration,
        connect_limit: Duration,
        answer_limit: Duration,
    ) -> Self {
        Self {
            bootstrap,
            max_age,
            answer_limit,
            // Two silent brokers may stand before one that answers.
            question_limit: 2 * (connect_limit + 2 * answer_limit),
            view: Mutex::default(),
            generation: AtomicU64::new(0),
            wanted: Mutex::default(),
            asking: tokio::sync::Mutex::new(Instant::now()),
        }
    }

    /// As long as this is the same, so is everything that is remembered.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn broker(&self, id: i32) -> Option<Broker> {
        self.view.lock().brokers.get(&id).cloned()
    }

    pub(crate) fn brokers(&self) -> Vec<Broker> {
        let mut brokers: Vec<_> = self.view.lock().brokers.values().cloned().collect();
        brokers.sort_by_key(|broker| broker.id);
        brokers
    }

    pub(crate) fn controller(&self) -> Option<Broker> {
        let view = self.view.lock();
        view.controller
            .and_then(|id| view.brokers.get(&id).cloned())
    }

    pub(crate) fn forget_controller(&self) {
        self.view.lock().controller = None;
    }

    /// What is remembered, however old.
    pub(crate) fn known(&self, topic: &str) -> Option<Arc<TopicMetadata>> {
        let mut view = self.view.lock();
        let entry = view.topics.get_mut(topic)?;
        entry.used = Instant::now();
        entry.known.clone()
    }

    /// What is remembered, unless it is too old or found to be outdated.
    pub(crate) fn fresh(&self, topic: &str) -> Option<Arc<TopicMetadata>> {
        let mut view = self.view.lock();
        let entry = view.topics.get_mut(topic)?;
        entry.used = Instant::now();
        let fresh = entry
            .confirmed
            .is_some_and(|at| at.elapsed() < self.max_age);
        entry.known.clone().filter(|_| fresh)
    }

    pub(crate) fn invalidate(&self, topic: &str) {
        if let Some(entry) = self.view.lock().topics.get_mut(topic) {
            entry.confirmed = None;
        }
    }

    /// Asks the cluster about a topic, together with whoever else does.
    pub(crate) async fn refresh(
        &self,
        pool: &ConnectionPool,
        topic: &str,
    ) -> Result<Arc<TopicMetadata>, Error> {
        let asked_at = Instant::now();
        self.wanted.lock().insert(topic.to_owned());
        let mut not_before = self.asking.lock().await;
        if let Some(result) = self.answered_since(topic, asked_at) {
            return result;
        }
        sleep_until((*not_before).max(self.not_before(topic))).await;
        let topics = self.take_wanted(topic);
        let started = Instant::now();
        let answer = self.ask_anyone(pool, Some(&topics)).await;
        if answer.is_err() {
            *not_before = Instant::now() + SHORTEST_INTERVAL;
        }
        self.remember(pool, &topics, started, answer);
        drop(not_before);
        self.answered_since(topic, asked_at)
            .unwrap_or_else(|| Err(Error::protocol(format!("no metadata about topic {topic}"))))
    }

    /// Asks for brokers and controller, and for no topic.
    pub(crate) async fn refresh_brokers(&self, pool: &ConnectionPool) -> Result<(), Error> {
        let mut not_before = self.asking.lock().await;
        sleep_until(*not_before).await;
        let answer = self.ask_anyone(pool, Some(&[])).await;
        *not_before = Instant::now() + SHORTEST_INTERVAL;
        let result = answer.as_ref().map(|_| ()).map_err(Error::clone);
        self.remember(pool, &[], Instant::now(), answer);
        result
    }

    /// All topics of the cluster, not remembered.
    pub(crate) async fn all_topics(
        &self,
        pool: &ConnectionPool,
    ) -> Result<Vec<TopicMetadata>, Error> {
        let answer = self.ask_anyone(pool, None).await?;
        Ok(answer
            .topics
            .into_iter()
            .filter_map(|(_, topic)| topic.ok())
            .collect())
    }

    /// A result that is as good as one of our own: of a question that began
    /// after `asked_at`, or an error that came after it.
    fn answered_since(
        &self,
        topic: &str,
        asked_at: Instant,
    ) -> Option<Result<Arc<TopicMetadata>, Error>> {
        let view = self.view.lock();
        let last = view.topics.get(topic)?.last.as_ref()?;
        let shared = last.started >= asked_at
            || last.ended >= asked_at
                && last
                    .result
                    .as_ref()
                    .is_err_and(|error| !error.is_unknown_topic());
        shared.then(|| last.result.clone())
    }

    fn not_before(&self, topic: &str) -> Instant {
        let view = self.view.lock();
        let last = view.topics.get(topic).and_then(|entry| entry.last.as_ref());
        last.map_or_else(Instant::now, |last| last.ended + SHORTEST_INTERVAL)
    }

    fn take_wanted(&self, topic: &str) -> Vec<String> {
        let mut wanted = self.wanted.lock();
        wanted.remove(topic);
        let mut topics = vec![topic.to_owned()];
        while topics.len() < QUESTION_TOPICS {
            let Some(next) = wanted.pop_first() else {
                break;
            };
            topics.push(next);
        }
        topics
    }

    /// Asks one broker after the other until one answers.
    async fn ask_anyone(
        &self,
        pool: &ConnectionPool,
        topics: Option<&[String]>,
    ) -> Result<MetadataAnswer, Error> {
        self.ask_any(pool, &metadata_request(topics), |answer| {
            let answer = MetadataAnswer::from(answer);
            // A broker that has just started knows nobody yet.
            let started = !answer.brokers.is_empty();
            started
                .then_some(answer)
                .ok_or_else(|| Error::protocol("the broker knows of no broker"))
        })
        .await
    }

    /// Sends a request that any broker can answer to one broker after the
    /// other until one does, or refuses for good.
    pub(crate) async fn ask_any<R, T>(
        &self,
        pool: &ConnectionPool,
        request: &R,
        accept: impl Fn(R::Answer) -> Result<T, Error> + Send + Sync,
    ) -> Result<T, Error>
    where
        R: Request,
        R::Answer: Throttling,
    {
        let mut last = Error::protocol("no broker's address is known");
        let asking = async {
            for address in self.candidates(pool) {
                let answer = pool
                    .request(&address, Purpose::Control, request, self.answer_limit)
                    .await;
                match answer.and_then(&accept) {
                    Err(error) if error.is_retriable() => last = error,
                    result => {
                        self.view.lock().faults.remove(&address);
                        return Some(result);
                    }
                }
                tracing::debug!(broker = %address, error = %last, "no answer from broker");
                if last.is_connection_fault() {
                    self.view.lock().faults.insert(address, Instant::now());
                }
            }
            None
        };
        match timeout(self.question_limit, asking).await.ok().flatten() {
            Some(result) => result,
            None if last.is_connection_fault() => Err(Error::Unreachable(Arc::new(last))),
            None => Err(last),
        }
    }

    /// All addresses: first those that have not failed, connected ones before
    /// others, known ones before those of the configuration; then those that
    /// have failed, the longest ago first.
    fn candidates(&self, pool: &ConnectionPool) -> Vec<String> {
        let known = self.brokers().into_iter().map(|broker| broker.address());
        let mut addresses: Vec<String> = Vec::new();
        for address in known.chain(self.bootstrap.iter().cloned()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let view = self.view.lock();
        addresses.sort_by_key(|address| {
            (
                view.faults.get(address).copied(),
                !pool.is_connected(address),
            )
        });
        addresses
    }

    fn remember(
        &self,
        pool: &ConnectionPool,
        topics: &[String],
        started: Instant,
        answer: Result<MetadataAnswer, Error>,
    ) {
        let ended = Instant::now();
        let mut view = self.view.lock();
        // Under the lock: whoever reads the new number reads the new view.
        self.generation.fetch_add(1, Ordering::Release);
        let mut results = HashMap::new();
        let failure = match answer {
            Ok(answer) => {
                view.brokers = answer
                    .brokers
                    .into_iter()
                    .map(|broker| (broker.id, broker))
                    .collect();
                view.controller = answer.controller;
                results.extend(answer.topics);
                None
            }
            Err(error) => Some(error),
        };
        for topic in topics {
            let result = match (results.remove(topic), &failure) {
                (Some(result), _) => result.map(Arc::new),
                (None, Some(error)) => Err(error.clone()),
                (None, None) => Err(Error::protocol(format!("no metadata about topic {topic}"))),
            };
            let entry = view.topics.entry(topic.clone()).or_insert_with(|| Entry {
                known: None,
                confirmed: None,
                used: ended,
                last: None,
            });
            match &result {
                Ok(known) => {
                    entry.known = Some(Arc::clone(known));
                    entry.confirmed = Some(started);
                }
                Err(error) if error.is_unknown_topic() => entry.known = None,
                // What is known is better than nothing.
                Err(_) => {}
            }
            entry.last = Some(Asked {
                started,
                ended,
                result,
            });
        }
        self.forget(pool, &mut view, ended);
    }

    fn forget(&self, pool: &ConnectionPool, view: &mut View, now: Instant) {
        view.topics.retain(|_, entry| {
            // Names that stand for nothing stay only for those who wait.
            let keep = if entry.known.is_some() {
                FORGET_AFTER
            } else {
                self.question_limit
            };
            now.duration_since(entry.used) < keep
        });
        let known = view.brokers.values().map(Broker::address);
        let addresses: HashSet<_> = known.chain(self.bootstrap.iter().cloned()).collect();
        view.faults.retain(|address, _| addresses.contains(address));
        pool.retain(&addresses);
    }
}
