//! No process outlives the test that started it, however that ends.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use forebay_testkit::{KafkaCluster, Options, await_condition, kafka_or_skip};

const LIMIT: Duration = Duration::from_secs(60);

fn process(pid: &str) -> PathBuf {
    Path::new("/proc").join(pid)
}

async fn await_end(pid: &str) {
    await_condition(LIMIT, &format!("process {pid} ends"), async || {
        !process(pid).exists()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_dropped_cluster_is_gone() {
    let Some(home) = kafka_or_skip() else { return };
    let cluster = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    let pid = cluster.pid(0).unwrap().to_string();
    // A stopped process has to go too.
    cluster.stop(0).unwrap();
    assert!(process(&pid).exists());
    drop(cluster);
    await_end(&pid).await;
}

/// The other half of the next test, which runs it as a process to be killed.
#[tokio::test]
#[ignore = "started by a_killed_test_leaves_no_broker"]
async fn holds_a_cluster_until_killed() {
    let home = kafka_or_skip().expect("the caller has seen that it is there");
    let cluster = KafkaCluster::start(&home, Options::one_node())
        .await
        .unwrap();
    println!("\nbroker={}", cluster.pid(0).unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_test_leaves_no_broker() {
    if kafka_or_skip().is_none() {
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_cluster_until_killed"])
        .args(["--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let broker = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("broker=").map(str::to_owned))
        .expect("a line with the broker's process id");
    assert!(process(&broker).exists());
    victim.kill().unwrap();
    victim.wait().unwrap();
    await_end(&broker).await;
}
