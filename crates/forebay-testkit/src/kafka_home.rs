//! Finding (or fetching) Apache Kafka, and running its Java classes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::gate;

/// A folder with Apache Kafka as `tests/kafka/fetch.sh` leaves it.
#[derive(Debug, Clone)]
pub struct KafkaHome {
    dir: PathBuf,
}

/// Apache Kafka for a test, or `None` where it is missing and may be.
///
/// Looks in `$TESTKIT_KAFKA_HOME`, or else in `kafka` below the build's target
/// folder. With `CI=true` or `TESTKIT_KAFKA_TESTS=1` it is fetched when missing,
/// once per process.
///
/// # Panics
/// When it is required and cannot be had.
#[must_use]
pub fn kafka_or_skip() -> Option<KafkaHome> {
    static FOUND: OnceLock<Result<Option<KafkaHome>, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find_or_fetch().map_err(|error| format!("{error:#}")));
    match found {
        Ok(Some(home)) => Some(home.clone()),
        Ok(None) => {
            skip_note();
            None
        }
        Err(error) => panic!("real Kafka is required here and cannot be had: {error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip_note() {
    eprintln!(
        "skipped: real Kafka tests need Java and Maven; run tests/kafka/fetch.sh, \
         or set TESTKIT_KAFKA_TESTS=1 to have it run and to fail instead of skipping"
    );
}

fn find_or_fetch() -> Result<Option<KafkaHome>> {
    let home = KafkaHome {
        dir: gate::fetched_dir("TESTKIT_KAFKA_HOME", "kafka"),
    };
    if !gate::required() {
        return Ok((home.is_complete() && gate::runs("java", "-version")).then_some(home));
    }
    ensure!(
        gate::runs("java", "-version"),
        "java is not on PATH (Java 17 or newer is needed)"
    );
    // Always run: it returns at once when all is there, and fetches anew after
    // the list of versions has changed.
    gate::run_script("tests/kafka/fetch.sh")?;
    ensure!(
        home.is_complete(),
        "tests/kafka/fetch.sh left nothing in {}",
        home.dir.display()
    );
    Ok(Some(home))
}

impl KafkaHome {
    fn is_complete(&self) -> bool {
        self.dir.join(".complete").is_file()
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A `java` command with the broker's class path and `jvm_args`; the main
    /// class comes next.
    #[must_use]
    pub fn broker_java(&self, jvm_args: &[String]) -> Command {
        self.java("libs", jvm_args)
    }

    /// A `java` command with the class path of Kafka's command-line tools.
    #[must_use]
    pub fn tools_java(&self) -> Command {
        self.java("tools", &[])
    }

    fn java(&self, class_path: &str, jvm_args: &[String]) -> Command {
        let mut command = Command::new("java");
        command
            .args(["-XX:-UsePerfData", "-XX:+UseSerialGC"])
            .arg(format!(
                "-Dlog4j2.configurationFile={}",
                self.dir.join("log4j2.xml").display()
            ))
            .args(jvm_args)
            .arg("-cp")
            .arg(self.dir.join(class_path).join("*"))
            .stdin(Stdio::null());
        command
    }

    /// Runs one of Kafka's command-line tools, such as
    /// `org.apache.kafka.tools.ConfigCommand`, to its end and gives its stdout.
    /// Blocks for seconds: a Java process starts.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn run_tool(&self, class: &str, args: &[&str]) -> Result<String> {
        let output = self
            .tools_java()
            .arg(class)
            .args(args)
            .output()
            .with_context(|| format!("cannot run {class}"))?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "{class} {args:?} failed with {}:\n{stdout}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
        );
        Ok(stdout)
    }
}
