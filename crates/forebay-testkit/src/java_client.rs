//! Apache Kafka's Java client, running the scenarios of `tests/kafka`.

use std::time::Duration;

use anyhow::Result;

use crate::child_output::run_within;
use crate::gate::workspace_root;
use crate::kafka_home::KafkaHome;

/// A Java process that compiles its source first, on a busy machine, ten times.
const LIMIT: Duration = Duration::from_secs(240);

impl KafkaHome {
    /// Runs a scenario of `tests/kafka/ClientScenarios.java` against `bootstrap`
    /// and gives its stdout. Blocks for seconds, for at most 240 s.
    ///
    /// # Errors
    /// When the scenario fails or takes too long; what it printed is part of the
    /// message.
    pub fn run_client_scenario(
        &self,
        bootstrap: &str,
        scenario: &str,
        args: &[&str],
    ) -> Result<String> {
        let mut command = self.broker_java(&["-XX:TieredStopAtLevel=1".to_owned()]);
        command
            .arg(workspace_root().join("tests/kafka/ClientScenarios.java"))
            .args([scenario, bootstrap])
            .args(args);
        run_within(command, &format!("Java client: {scenario}"), "", LIMIT)
    }
}
