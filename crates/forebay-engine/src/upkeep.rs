//! What has to be done regularly: topics looked at again, gauges set.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::{engine::Shared, instance::Instance, keep_running};

/// How old what we know of a topic gets: added partitions and changed limits
/// are used after at most this time.
const TOPIC_MAX_AGE: Duration = Duration::from_secs(30);

/// A topic that was deleted may be made anew.
const GONE_TOPIC_MAX_AGE: Duration = Duration::from_secs(5);

/// After a fault topics are looked at sooner, and at most that often.
const AFTER_SUSPICION: Duration = Duration::from_secs(1);

const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// Messages that wait for longer make us ask whether their instance is there:
/// whoever is told of a deadline is then told why.
const SUSPICIOUS_WAIT: Duration = Duration::from_secs(3);

/// Starts the upkeep on the current thread; it ends with the engine.
pub(crate) fn start(shared: &Arc<Shared>) {
    let weak = Arc::downgrade(shared);
    actix_rt::spawn(keep_running("the upkeep of gauges", async move || {
        set_gauges(&weak).await;
    }));
    for instance in shared.instances.values() {
        let weak = (Arc::downgrade(shared), Arc::downgrade(instance));
        actix_rt::spawn(keep_running("the upkeep of topics", async move || {
            look_at_topics(&weak.0, &weak.1).await;
        }));
    }
}

async fn set_gauges(shared: &Weak<Shared>) {
    let mut tick = interval(GAUGE_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Where somebody waits for long already.
    let mut suspected = HashSet::new();
    loop {
        tick.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let telemetry = &shared.telemetry;
        telemetry.set_memory(shared.admission.in_flight(), shared.admission.limit());
        let status = shared.registry.status.get();
        let lag = status.tail_confirmed_ms_ago.map(Duration::from_millis);
        let (running, paused) = shared.registry.table.counts();
        telemetry.set_registry(lag, running, paused);
        for instance in shared.instances.values() {
            let ages = instance.topics.iter().map(|topic| topic.oldest());
            let oldest = ages.max().unwrap_or_default();
            instance.metrics.set_oldest_pending(oldest);
            if oldest < SUSPICIOUS_WAIT {
                suspected.remove(&instance.id);
            } else if suspected.insert(instance.id.clone()) {
                instance.suspicion.notify_one();
            }
        }
    }
}

async fn look_at_topics(shared: &Weak<Shared>, instance: &Weak<Instance>) {
    loop {
        let (suspicion, max_age) = {
            let (Some(shared), Some(instance)) = (shared.upgrade(), instance.upgrade()) else {
                return;
            };
            let found = look(&shared, &instance).await;
            let gone = instance.topics.iter().any(|topic| topic.is_gone());
            let max_age = match (found, gone) {
                (true, false) => TOPIC_MAX_AGE,
                (true, true) => GONE_TOPIC_MAX_AGE,
                (false, _) => AFTER_SUSPICION,
            };
            (Arc::clone(&instance.suspicion), max_age)
        };
        sleep(AFTER_SUSPICION).await;
        // Woken early by a fault, or when it is time.
        drop(timeout(max_age, suspicion.notified()).await);
    }
}

/// Whether the instance answered.
async fn look(shared: &Shared, instance: &Instance) -> bool {
    if !instance.check_contact().await {
        return false;
    }
    forget_unused(shared, instance);
    let topics: Vec<_> = instance
        .topics
        .iter()
        .map(|topic| Arc::clone(&topic))
        .collect();
    for topic in topics {
        if let Err(error) = topic.refresh().await {
            tracing::debug!(?topic, %error, "topic cannot be looked at");
        }
    }
    true
}

/// Lets go of topics that no task targets any more; their producers stop.
fn forget_unused(shared: &Shared, instance: &Instance) {
    let tasks = shared.registry.table.all();
    let targets = tasks
        .iter()
        .filter(|task| task.spec.target.instance == instance.id);
    let used: HashSet<&str> = targets
        .map(|task| task.spec.target.topic.as_str())
        .collect();
    // One that a request still holds is about to be written to.
    instance.topics.retain(|name, topic| {
        used.contains(name.as_str()) || !topic.is_idle() || Arc::strong_count(topic) > 1
    });
}
