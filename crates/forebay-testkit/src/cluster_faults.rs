//! Faults: ending, stopping and restarting a cluster's nodes.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::cluster::{KafkaCluster, READY_LIMIT};

/// How long nodes that all got SIGTERM have to end by themselves. Without a
/// quorum the last ones never do.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(8);

impl KafkaCluster {
    /// The process id of node `index`, while it runs.
    #[must_use]
    pub fn pid(&self, index: usize) -> Option<u32> {
        self.nodes[index].pid()
    }

    /// SIGKILL to node `index`; returns when it is gone.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn kill9(&self, index: usize) -> Result<()> {
        self.nodes[index].kill()
    }

    /// SIGSTOP to node `index`: it keeps its connections and says nothing.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self, index: usize) -> Result<()> {
        self.nodes[index].signal(Signal::STOP)
    }

    /// SIGCONT to node `index`.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cont(&self, index: usize) -> Result<()> {
        self.nodes[index].signal(Signal::CONT)
    }

    /// SIGTERM to node `index`; returns when it has ended, having handed over
    /// its leaderships. Kills it after 180 s.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn term(&self, index: usize) -> Result<()> {
        self.nodes[index].signal(Signal::TERM)?;
        if self.nodes[index].await_exit(READY_LIMIT).await?.is_none() {
            self.nodes[index].kill()?;
        }
        Ok(())
    }

    /// Starts node `index` again with the ports and files it had, killing it
    /// first where it runs. Returns at once; [`Self::await_ready`] waits.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn restart(&self, index: usize) -> Result<()> {
        self.nodes[index].kill()?;
        self.nodes[index]
            .spawn()
            .with_context(|| format!("cannot restart node {index}"))
    }

    /// Ends all nodes: SIGTERM to all at once, SIGKILL to what is left after 8 s.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn shutdown(self) -> Result<()> {
        self.stop_all().await
    }

    /// As [`Self::shutdown`], but the nodes can be restarted.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop_all(&self) -> Result<()> {
        let running: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| node.pid().is_some())
            .collect();
        for node in &running {
            node.signal(Signal::TERM)?;
            // A stopped process does not see it before it goes on.
            node.signal(Signal::CONT)?;
        }
        let deadline = std::time::Instant::now() + SHUTDOWN_LIMIT;
        for node in running {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if node.await_exit(left).await?.is_none() {
                node.kill()?;
            }
        }
        Ok(())
    }
}
