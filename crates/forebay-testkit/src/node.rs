//! One Kafka node: its folder, its process, its end.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::kafka_home::KafkaHome;
use crate::server_properties::NodePorts;

/// Becomes `java`, and leaves a watcher behind that kills it when this test
/// process ends without saying goodbye (killed, aborted): then the pipe on
/// the watcher's stdin closes without a line in it. `$1` is a folder that the
/// watcher removes in that case.
const WATCHED_EXEC: &str = r#"
dir=$1; shift
pid=$$
exec 3<&0
( exec >/dev/null 2>&1; if ! read -r goodbye <&3; then kill -9 "$pid"; rm -rf "$dir"; fi ) &
exec "$@" </dev/null 3<&-
"#;

pub(crate) struct Node {
    home: KafkaHome,
    dir: PathBuf,
    pub(crate) ports: NodePorts,
    jvm_args: Vec<String>,
    process: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    stopped: bool,
}

impl Node {
    pub(crate) fn new(
        home: &KafkaHome,
        dir: PathBuf,
        ports: NodePorts,
        jvm_args: &[String],
        properties: &str,
    ) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("server.properties"), properties)?;
        Ok(Self {
            home: home.clone(),
            dir,
            ports,
            jvm_args: jvm_args.to_vec(),
            process: Mutex::new(None),
        })
    }

    /// Formats the log directory; blocks for about a second.
    pub(crate) fn format(&self, cluster_id: &str, scram: &[String]) -> Result<()> {
        let output = self
            .home
            // It lives for a second: compiling harder would not pay.
            .broker_java(&["-XX:TieredStopAtLevel=1".to_owned()])
            .args(["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c"])
            .arg(self.dir.join("server.properties"))
            .args(scram.iter().flat_map(|user| ["--add-scram", user]))
            .output()
            .context("cannot run java")?;
        ensure!(
            output.status.success(),
            "formatting {} failed with {}:\n{}{}",
            self.dir.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        Ok(())
    }

    /// Starts the process; it is not ready yet.
    pub(crate) fn spawn(&self) -> Result<()> {
        let mut process = self.process.lock().expect("no panic while it is held");
        ensure!(process.is_none(), "node is running already");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let java = self.home.broker_java(&self.jvm_args);
        let child = Command::new("/bin/sh")
            .args(["-c", WATCHED_EXEC, "kafka-node"])
            .arg(
                self.dir
                    .parent()
                    .expect("a node's folder is in the cluster's"),
            )
            .arg(java.get_program())
            .args(java.get_args())
            .arg("kafka.Kafka")
            .arg(self.dir.join("server.properties"))
            .stdin(Stdio::piped())
            .stdout(File::try_clone(&log)?)
            .stderr(log)
            .spawn()
            .context("cannot run /bin/sh")?;
        *process = Some(Running {
            child,
            stopped: false,
        });
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("node.log")
    }

    /// The address for this library and the other brokers.
    pub(crate) fn internal(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.internal).into()
    }

    /// The broker's own address for clients, with no proxy before it.
    pub(crate) fn client(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.client).into()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        let process = self.process.lock().expect("no panic while it is held");
        process.as_ref().map(|running| running.child.id())
    }

    /// Whether the process runs and is not stopped by a signal.
    pub(crate) fn is_live(&self) -> bool {
        let process = self.process.lock().expect("no panic while it is held");
        process.as_ref().is_some_and(|running| !running.stopped)
    }

    /// Fails when the process has ended by itself, with the end of its log.
    pub(crate) fn check_alive(&self) -> Result<()> {
        let mut process = self.process.lock().expect("no panic while it is held");
        let Some(running) = process.as_mut() else {
            return Ok(());
        };
        if let Some(status) = running.child.try_wait()? {
            dismiss_watcher(&mut running.child);
            *process = None;
            bail!(
                "Kafka ended by itself with {status}:\n{}",
                self.log_tail(60)
            );
        }
        Ok(())
    }

    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let text = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let mut process = self.process.lock().expect("no panic while it is held");
        let Some(running) = process.as_mut() else {
            bail!("node is not running");
        };
        // The child is not reaped before it leaves `process`, so this id cannot
        // have become another process's.
        let pid = i32::try_from(running.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("process id out of range")?;
        kill_process(pid, signal)?;
        match signal {
            Signal::STOP => {
                // Until its last thread stands still it may go on answering.
                let stands_still =
                    WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                waitid(WaitId::Pid(pid), stands_still)?;
                running.stopped = true;
            }
            Signal::CONT => running.stopped = false,
            _ => {}
        }
        Ok(())
    }

    /// Kills the process, if there is one, and waits for its end.
    pub(crate) fn kill(&self) -> Result<()> {
        let mut process = self.process.lock().expect("no panic while it is held");
        if let Some(mut running) = process.take() {
            dismiss_watcher(&mut running.child);
            running.child.kill()?;
            running.child.wait()?;
        }
        Ok(())
    }

    /// Waits for the process to end by itself; `None` when it has not in time.
    pub(crate) async fn await_exit(&self, limit: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            {
                let mut process = self.process.lock().expect("no panic while it is held");
                let Some(running) = process.as_mut() else {
                    bail!("node is not running");
                };
                if let Some(status) = running.child.try_wait()? {
                    dismiss_watcher(&mut running.child);
                    *process = None;
                    return Ok(Some(status));
                }
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Tells the watcher that the end of this process is taken care of.
fn dismiss_watcher(child: &mut Child) {
    if let Some(mut stdin) = child.stdin.take() {
        // It fails only when the watcher is gone, which is what is wanted.
        drop(stdin.write_all(b"bye\n"));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.kill());
    }
}
