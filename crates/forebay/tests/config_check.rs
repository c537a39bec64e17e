//! `forebay config check` finds in the files that a configuration names what the
//! start finds, in the same words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::https::{Ca, files};
use tempfile::TempDir;

const HUSH: &str = "hushhushhush";

const CONFIGURATION: &str = "\
[http]\nlisten = \"127.0.0.1:0\"\n[http.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
[admin]\nlisten = \"127.0.0.1:0\"\n[admin.tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n\
[auth]\ncredentials = \"credentials.toml\"\n\
[[instance]]\nid = \"ckafka-abcdefgh\"\nbrokers = [\"127.0.0.1:1\"]\n\
[instance.tls]\nca = \"ca.pem\"\ncert = \"ours.pem\"\nkey = \"ours-key.pem\"\n\
[instance.sasl]\nmechanism = \"PLAIN\"\nusername = \"ann\"\npassword_file = \"password\"\n";

/// Everything that the configuration names, and right; good for `days`.
fn folder(days: i64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new();
    ca.write(&files(folder.path()), "server", days);
    let (certificate, key) = ca.make("ours", days);
    let credentials = "[[credential]]\nsecret_id = \"AKIDtest\"\nsecret_key_file = \"secret\"\n";
    for (name, text) in [
        ("f.toml", CONFIGURATION),
        ("ca.pem", &ca.pem()),
        ("ours.pem", &certificate),
        ("ours-key.pem", &key),
        ("password", HUSH),
        ("credentials.toml", credentials),
        ("secret", HUSH),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    mode(folder.path(), 0o600);
    folder
}

/// Who can get at the credentials.
fn mode(folder: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.join("credentials.toml"), permissions).unwrap();
}

/// Exit code, stdout and stderr; to be called with what ends by itself.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    (output.status.code(), out, err)
}

fn check(folder: &Path) -> (Option<i32>, String, String) {
    run(folder, &["config", "check", "--config", "f.toml"])
}

#[test]
fn files_that_are_right_are_fine_without_kafka() {
    let folder = folder(90);
    let (code, out, err) = check(folder.path());
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "the configuration is fine\n"),
        "{err}"
    );
    assert_eq!(err, "");
}

#[test]
fn what_a_start_warns_of_is_warned_of() {
    let folder = folder(3);
    let plain = CONFIGURATION
        .lines()
        .filter(|line| {
            !["[instance.tls]", "ca = ", "cert = \"ours", "key = \"ours"]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(folder.path().join("f.toml"), plain).unwrap();
    mode(folder.path(), 0o644);
    let (code, _, err) = check(folder.path());
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("others than the owner"), "{err}");
    assert!(
        err.contains("http.tls.cert") && err.contains("admin.tls.cert"),
        "{err}"
    );
    assert!(
        err.contains("the password goes over the network in the clear"),
        "{err}"
    );
    assert!(!err.contains(HUSH), "{err}");
}

#[test]
fn a_file_that_stops_the_start_fails_the_check_in_the_same_words() {
    let broken_key = format!("-----BEGIN PRIVATE KEY-----\n{HUSH}!\n-----END PRIVATE KEY-----\n");
    let broken_secret = format!("[[credential]]\nsecret_id = \"a\"\nsecret_key = {HUSH}\n");
    let other_key = Ca::new().make("other", 90).1;
    // The file, what it holds instead (`None`: it is gone), and what is said.
    let cases = [
        ("cert.pem", None, "`http.tls.cert`"),
        ("cert.pem", Some(HUSH), "expected the server's certificate"),
        ("key.pem", None, "`http.tls.key`"),
        (
            "key.pem",
            Some(&broken_key),
            "expected a private key in PEM",
        ),
        ("key.pem", Some(&other_key), "does not belong to"),
        ("ca.pem", None, "ca.pem: cannot be read"),
        ("ca.pem", Some(HUSH), "ca.pem: "),
        ("ours.pem", None, "ours.pem: cannot be read"),
        ("ours-key.pem", Some(&broken_key), "ours-key.pem: "),
        ("ours-key.pem", Some(&other_key), "ours"),
        ("password", None, "password: cannot be read"),
        ("password", Some(""), "the file is empty"),
        ("credentials.toml", None, "cannot read credentials file"),
        ("credentials.toml", Some(broken_secret.as_str()), "line 3"),
        ("secret", None, "cannot read secret_key_file"),
    ];
    for (name, content, said) in cases {
        let folder = folder(90);
        let path = folder.path().join(name);
        match content {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let (code, out, err) = check(folder.path());
        assert_eq!((code, out.as_str()), (Some(1), ""), "{name}: {err}");
        assert!(err.contains(said), "{name}: {err}");
        assert!(!err.contains(HUSH), "{name}: {err}");
        let (code, _, log) = run(folder.path(), &["serve", "--config", "f.toml"]);
        assert_eq!(code, Some(1), "{name}: {log}");
        assert!(
            log.ends_with(&err),
            "{name}: the start says {log}, the check {err}"
        );
    }
}

#[test]
fn a_check_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(folder.path(), &["config", "check"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // What a start would make is read once it is there.
    let data = folder.path().join("forebay-data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("credentials.toml"), "").unwrap();
    let (code, _, err) = run(folder.path(), &["config", "check"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("at least one [[credential]]"), "{err}");
}
