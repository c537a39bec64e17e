//! Retention and compaction in the background.

use std::sync::Arc;

use tokio::sync::watch;

use crate::log::Health;
use crate::services::Services;

/// Runs a round every `upkeep_interval` until `stop` becomes true; a round under
/// way ends first.
pub(crate) async fn run(services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(services.config.upkeep_interval) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (services, stop) = (Arc::clone(&services), stop.clone());
        let round = tokio::task::spawn_blocking(move || run_once(&services, &stop));
        if round.await.is_err() {
            tracing::error!("a round of retention and compaction has panicked");
        }
    }
}

fn run_once(services: &Services, stop: &watch::Receiver<bool>) {
    for topic in services.topics.all() {
        for partition in &topic.partitions {
            if *stop.borrow() {
                return;
            }
            match partition.keep_up(services.now_ms()) {
                Err(error) if partition.health() == Health::Well => {
                    services.disk.write_failed(&topic.name, &error);
                }
                // A deleted topic's files go away under the work.
                _ => {}
            }
        }
    }
    // Last: what has just gone may have made the room for it.
    services.disk.keep_reserve();
}
