//! Finding (or installing) the genuine SDKs of Node, Java and Go.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};

use crate::gate;
use crate::python_sdk::python_sdk_or_skip;
use crate::sdk_session::{SdkSession, without_proxies};

/// A genuine Tencent Cloud SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sdk {
    /// `tencentcloud-sdk-python-ckafka`.
    Python,
    /// `tencentcloud-sdk-nodejs-ckafka`.
    Node,
    /// `tencentcloud-sdk-java`, the current version.
    Java,
    /// `tencentcloud-sdk-java` 3.1.430, which the vendor's guide names.
    JavaOfTheGuide,
    /// `tencentcloud-sdk-go/tencentcloud/common` with its generic request.
    Go,
}

/// Where a language's SDK comes from and goes to.
struct Kit {
    /// Folder of `tests/sdk`.
    source: &'static str,
    /// Says where it is installed, if not in `folder` below the target folder.
    variable: &'static str,
    folder: &'static str,
    /// What `setup.sh` leaves, one after the other, in `.complete`.
    stamp: &'static [&'static str],
    /// Programs that the tests run.
    programs: &'static [(&'static str, &'static str)],
}

const NODE: Kit = Kit {
    source: "node",
    variable: "TESTKIT_NODE_SDK_HOME",
    folder: "sdk-node",
    stamp: &["package-lock.json"],
    programs: &[("node", "--version")],
};

const JAVA: Kit = Kit {
    source: "java",
    variable: "TESTKIT_JAVA_SDK_HOME",
    folder: "sdk-java",
    stamp: &["pom.xml", "ForebayClient.java"],
    programs: &[("java", "-version")],
};

const GO: Kit = Kit {
    source: "go",
    variable: "TESTKIT_GO_SDK_HOME",
    folder: "sdk-go",
    stamp: &["go.sum", "main.go"],
    programs: &[("go", "version")],
};

/// An SDK that is there.
#[derive(Debug, Clone)]
pub struct SdkHome {
    sdk: Sdk,
    dir: PathBuf,
}

/// An SDK for a test, or `None` where it is missing and may be.
///
/// Looks in `$TESTKIT_NODE_SDK_HOME`, `…_JAVA_…`, `…_GO_…` or `…_PYTHON_…`, or
/// else in `sdk-node` and so on below the build's target folder. With `CI=true`
/// or `TESTKIT_KAFKA_TESTS=1` it is installed when missing, once per process.
///
/// # Panics
/// When it is required and cannot be had.
#[must_use]
pub fn sdk_or_skip(sdk: Sdk) -> Option<SdkHome> {
    static FOUND: Mutex<Option<HashMap<Sdk, Option<SdkHome>>>> = Mutex::new(None);
    // A test that failed in here leaves the map as it was.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = found.get_or_insert_default();
    if let Some(known) = found.get(&sdk) {
        return known.clone();
    }
    let home = match find_or_install(sdk) {
        Ok(home) => home,
        Err(error) => panic!("the SDK {sdk:?} is required here and cannot be had: {error:#}"),
    };
    found.insert(sdk, home.clone());
    home
}

fn find_or_install(sdk: Sdk) -> Result<Option<SdkHome>> {
    let kit = match sdk {
        Sdk::Python => return Ok(python_sdk_or_skip().map(|python| python.home())),
        Sdk::Node => NODE,
        Sdk::Java | Sdk::JavaOfTheGuide => JAVA,
        Sdk::Go => GO,
    };
    let script = format!("tests/sdk/{}/setup.sh", kit.source);
    let dir = gate::fetched_dir(kit.variable, kit.folder);
    if gate::required() {
        // It returns at once when all is there.
        gate::run_script(&script)?;
        ensure!(
            kit.is_complete(&dir),
            "{script} left nothing in {}",
            dir.display()
        );
    } else if !kit.is_complete(&dir)
        || !kit.programs.iter().all(|(name, arg)| gate::runs(name, arg))
    {
        skip_note(sdk, &script);
        return Ok(None);
    }
    Ok(Some(SdkHome { sdk, dir }))
}

#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn skip_note(sdk: Sdk, script: &str) {
    eprintln!(
        "skipped: tests with the genuine SDK {sdk:?} need it as it is now in the checkout; \
         run {script}, or set TESTKIT_KAFKA_TESTS=1 to have it run and to fail instead of skipping"
    );
}

impl Kit {
    /// Whether what is there was made from what is in the checkout now.
    fn is_complete(&self, dir: &Path) -> bool {
        let source = gate::workspace_root().join("tests/sdk").join(self.source);
        let mut expected = Vec::new();
        for name in self.stamp {
            match std::fs::read(source.join(name)) {
                Ok(text) => expected.extend(text),
                Err(_) => return false,
            }
        }
        std::fs::read(dir.join(".complete")).is_ok_and(|stamp| stamp == expected)
    }
}

impl SdkHome {
    pub(crate) fn new(sdk: Sdk, dir: PathBuf) -> Self {
        Self { sdk, dir }
    }

    /// Which one it is.
    #[must_use]
    pub fn sdk(&self) -> Sdk {
        self.sdk
    }

    /// Starts a process with one SDK client for `endpoint` (`host:port`, plain
    /// HTTP) that carries out calls one after another.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn session(&self, endpoint: &str, secret_id: &str, secret_key: &str) -> Result<SdkSession> {
        self.session_by("TC3-HMAC-SHA256", "POST", endpoint, secret_id, secret_key)
    }

    /// The same with another signature (`HmacSHA1`, `HmacSHA256`) or HTTP
    /// method (`GET`).
    ///
    /// With these, Go knows SendMessage and the actions that have only a TaskId.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn session_by(
        &self,
        sign_method: &str,
        http_method: &str,
        endpoint: &str,
        secret_id: &str,
        secret_key: &str,
    ) -> Result<SdkSession> {
        let source = gate::workspace_root().join("tests/sdk");
        let mut command = self.runtime();
        let mut more = vec!["--sign-method", sign_method, "--method", http_method];
        match self.sdk {
            Sdk::Python => {
                command.arg(source.join("python/forebay_client.py"));
                more.push("serve");
            }
            Sdk::Node => {
                command.arg(source.join("node/forebay_client.js"));
            }
            Sdk::Java | Sdk::JavaOfTheGuide => {
                command.arg("ForebayClient");
            }
            Sdk::Go => command = Command::new(self.dir.join("forebay-client")),
        }
        SdkSession::start(command, endpoint, secret_id, secret_key, &more)
    }

    /// A command that runs `source`, a program of one file on this SDK, as its
    /// user would; `source` is named as that language wants it (`main.go`).
    ///
    /// # Errors
    /// When files of the SDK cannot be copied beside it, as Go needs.
    pub fn program(&self, source: &Path) -> Result<Command> {
        let mut command = self.runtime();
        if self.sdk == Sdk::Go {
            let folder = source.parent().unwrap_or(Path::new("."));
            for name in ["go.mod", "go.sum"] {
                let from = gate::workspace_root().join("tests/sdk/go").join(name);
                std::fs::copy(from, folder.join(name))?;
            }
            command.args(["run", "."]).current_dir(folder);
        } else {
            command.arg(source);
        }
        Ok(command)
    }

    /// What runs the language, told where the SDK is.
    fn runtime(&self) -> Command {
        let mut command = match self.sdk {
            Sdk::Python => Command::new(self.dir.join("bin/python")),
            Sdk::Node => Command::new("node"),
            Sdk::Java | Sdk::JavaOfTheGuide => Command::new("java"),
            Sdk::Go => Command::new("go"),
        };
        match self.sdk {
            Sdk::Python => command.arg("-u"),
            Sdk::Node => command.env("NODE_PATH", self.dir.join("node_modules")),
            Sdk::Java | Sdk::JavaOfTheGuide => command
                .args(["-XX:-UsePerfData", "-XX:+UseSerialGC", "-cp"])
                .arg(self.class_path()),
            // As setup.sh builds, so that what it built is not built again.
            Sdk::Go => command.env("GOFLAGS", "-mod=readonly -trimpath -buildvcs=false"),
        };
        without_proxies(&mut command);
        command
    }

    fn class_path(&self) -> OsString {
        let version = match self.sdk {
            Sdk::JavaOfTheGuide => "guide",
            Sdk::Python | Sdk::Node | Sdk::Java | Sdk::Go => "current",
        };
        let dir = self.dir.join(version);
        let mut path = dir.join("classes").into_os_string();
        path.push(":");
        path.push(dir.join("libs").join("*"));
        path
    }
}
