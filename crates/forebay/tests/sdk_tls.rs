//! The programs in `docs/` over TLS, changed as `docs/tls.md` says, with the
//! genuine SDKs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use forebay_api::MessageId;
use forebay_testkit::{Sdk, programs_or_skip, sdk_or_skip};
use harness::https::{Ca, files};
use harness::{Replica, SECRET_ID, SECRET_KEY};

/// What changes in the page's program; each of it has to be there.
fn over_tls(
    sdk: Sdk,
) -> (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
) {
    match sdk {
        Sdk::Python => (
            "sdk-python.md",
            "send.py",
            &[(
                "protocol=\"http\",",
                "protocol=\"https\",\n    certification=\"ca.pem\",",
            )],
        ),
        Sdk::Node => (
            "sdk-node.md",
            "send.js",
            &[
                ("protocol: \"http://\"", "protocol: \"https://\""),
                ("require(\"node:http\")", "require(\"node:https\")"),
            ],
        ),
        Sdk::Java | Sdk::JavaOfTheGuide => ("sdk-java.md", "Send.java", JAVA),
        Sdk::Go => (
            "sdk-go.md",
            "main.go",
            &[("Scheme = \"HTTP\"", "Scheme = \"HTTPS\"")],
        ),
    }
}

const JAVA: &[(&str, &str)] = &[
    ("REQ_HTTP)", "REQ_HTTPS)"),
    // With HTTP/2 the process lives on for five minutes after its last line.
    (
        ".retryOnConnectionFailure(false)",
        ".retryOnConnectionFailure(false)\n\
         .protocols(List.of(okhttp3.Protocol.HTTP_1_1))",
    ),
];

/// How the SDK's process is told of the CA, in `folder`.
fn trusting(sdk: Sdk, command: &mut Command, folder: &Path) {
    match sdk {
        Sdk::Python => {}
        Sdk::Node => {
            command.env("NODE_EXTRA_CA_CERTS", "ca.pem");
        }
        Sdk::Java | Sdk::JavaOfTheGuide => {
            let imported = Command::new("keytool")
                .args(["-importcert", "-noprompt", "-alias", "forebay"])
                .args(["-file", "ca.pem", "-keystore", "trust.p12"])
                .args(["-storepass", "changeit"])
                .current_dir(folder)
                .output()
                .unwrap();
            assert!(imported.status.success(), "{imported:?}");
            let store = "-Djavax.net.ssl.trustStore=trust.p12 \
                         -Djavax.net.ssl.trustStorePassword=changeit";
            command.env("JAVA_TOOL_OPTIONS", store);
        }
        Sdk::Go => {
            command.env("SSL_CERT_FILE", folder.join("ca.pem"));
            command.env("GODEBUG", "http2debug=1");
        }
    }
}

async fn sends_over_tls(sdk: Sdk) {
    let Some(home) = sdk_or_skip(sdk) else { return };
    let ca = Ca::new();
    let data = tempfile::tempdir().unwrap();
    let pair = files(data.path());
    ca.write(&pair, "sdk", 30);
    let replica =
        Replica::start_embedded_in(data, |config| config.http.tls = Some(pair.clone())).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
    let (page, file, changes) = over_tls(sdk);
    let program = folder.path().join(file);
    std::fs::write(&program, changed(page, changes)).unwrap();
    let mut command = home.program(&program).unwrap();
    trusting(sdk, &mut command, folder.path());
    let (printed, said) = run(command, folder.path(), replica.running.api).await;
    let is_http2 = said.contains("http2: Transport ");
    assert_eq!(is_http2, sdk == Sdk::Go, "{said}");
    let ids: Vec<MessageId> = printed.lines().map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{printed}");
    assert!(ids.iter().all(|id| id.datahub_id == "datahub-forebay0"));
    replica.stop().await;
}

/// The page's program: the longest block of code that is no shell's.
fn changed(page: &str, changes: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let page = std::fs::read_to_string(root.unwrap().join("docs").join(page)).unwrap();
    let blocks = page.split("\n```").skip(1).step_by(2);
    let longest = blocks.max_by_key(|block| block.len()).unwrap();
    let (_, program) = longest.split_once('\n').unwrap();
    let mut program = program.to_owned();
    for (from, to) in changes {
        assert!(program.contains(from), "no {from} in {program}");
        program = program.replace(from, to);
    }
    program
}

/// What the program prints, and what it says on stderr.
async fn run(mut command: Command, folder: &Path, endpoint: SocketAddr) -> (String, String) {
    command
        .current_dir(folder)
        .env("DATAHUB_ENDPOINT", endpoint.to_string())
        .env("TENCENTCLOUD_SECRET_ID", SECRET_ID)
        .env("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)
        .stdin(Stdio::null());
    let running = tokio::task::spawn_blocking(move || command.output());
    let done = running.await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(done.status.success(), "{}", text(done.stderr));
    (text(done.stdout), text(done.stderr))
}

#[actix_web::test]
async fn python_sends_over_tls() {
    sends_over_tls(Sdk::Python).await;
}

#[actix_web::test]
async fn node_sends_over_tls() {
    sends_over_tls(Sdk::Node).await;
}

#[actix_web::test]
async fn java_sends_over_tls() {
    if programs_or_skip(&[("keytool", "-help")]) {
        sends_over_tls(Sdk::Java).await;
    }
}

/// In HTTP/2, which Go's client takes where it is offered.
#[actix_web::test]
async fn go_sends_over_tls() {
    sends_over_tls(Sdk::Go).await;
}
