//! Accepting connections, up to a limit, and waiting for them at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::connection;
use crate::services::Services;

/// After a failed accept (no file descriptors left), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` becomes true, then gives connections `stop_grace` to
/// answer what they have received.
pub(crate) async fn run(
    services: Arc<Services>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(services.config.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        // Those that have ended; a panicked one has been logged by its hook.
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            tracing::warn!(
                %peer, limit = services.config.max_connections,
                "connection refused: the limit is reached"
            );
            continue;
        };
        let (services, stop) = (Arc::clone(&services), stop.clone());
        connections.spawn(async move {
            connection::serve(services, stream, peer, stop).await;
            drop(slot);
        });
    }
    drop(listener);
    let all_done = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(services.config.stop_grace, all_done)
        .await
        .is_err()
    {
        tracing::warn!(
            connections = connections.len(),
            "closing connections that have not ended"
        );
        connections.shutdown().await;
    }
}
