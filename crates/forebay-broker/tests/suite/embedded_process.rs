//! An embedded broker in a process of its own, to be killed.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use forebay_broker::Broker;

use crate::target::{await_that, config};

const DIRECTORY: &str = "EMBEDDED_BROKER_TEST_DIRECTORY";

/// Not a test: the process that others start and kill. It also ends when they
/// do, however they end: then its stdin does.
#[tokio::test]
#[ignore = "run by the other tests as a process of its own"]
async fn serve_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let broker = Broker::start(config(&directory)).await.unwrap();
    let address = directory.join("address.new");
    std::fs::write(&address, broker.local_addr().to_string()).unwrap();
    std::fs::rename(address, directory.join("address")).unwrap();
    let until_closed = || std::io::stdin().read_to_end(&mut Vec::new());
    let read = tokio::task::spawn_blocking(until_closed).await.unwrap();
    assert_eq!(read.unwrap(), 0);
}

/// A running broker process; killed when dropped.
pub(crate) struct EmbeddedProcess {
    child: Child,
    address: SocketAddr,
}

impl EmbeddedProcess {
    /// Starts one on the files in `directory` and waits until it listens.
    pub(crate) fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embedded_process::serve_until_killed"])
            .arg("--ignored")
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let file = directory.join("address");
        let mut address = None;
        await_that("the broker's process listens", || {
            assert!(child.try_wait().unwrap().is_none(), "it has ended");
            address = std::fs::read_to_string(&file).ok();
            address.is_some()
        });
        std::fs::remove_file(file).unwrap();
        let address = address.unwrap().parse().unwrap();
        Self { child, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for EmbeddedProcess {
    fn drop(&mut self) {
        // Killed twice or gone by itself: either way it has been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
