//! The credentials file, while a replica runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use forebay_testkit::await_condition;
use harness::{LIMIT, Replica, credential, now, one_message, signed_head, with_body};

async fn known(replica: &Replica, id: &str, key: &str) -> bool {
    let body = one_message("x");
    let head = signed_head("SendMessage", body.as_bytes(), now(), id, key);
    let answer = replica.send(&with_body(head, body.as_bytes())).await;
    let (code, _) = answer.error();
    assert!(
        code == "ResourceNotFound" || code.starts_with("AuthFailure."),
        "{code}"
    );
    code == "ResourceNotFound"
}

#[actix_web::test]
async fn a_new_version_is_taken_and_a_broken_one_is_not() {
    let replica = Replica::start(|_| {}).await;
    let path = replica.running.credentials.path().to_owned();
    assert!(known(&replica, harness::SECRET_ID, harness::SECRET_KEY).await);

    std::fs::write(&path, credential("AKIDnew", "one", "")).unwrap();
    await_condition(LIMIT, "the new id is known", async || {
        known(&replica, "AKIDnew", "one").await
    })
    .await
    .unwrap();
    assert!(!known(&replica, harness::SECRET_ID, harness::SECRET_KEY).await);

    // The same id with another key: signing keys of the old one are gone.
    std::fs::write(&path, credential("AKIDnew", "another", "")).unwrap();
    await_condition(LIMIT, "the new key is known", async || {
        known(&replica, "AKIDnew", "another").await
    })
    .await
    .unwrap();
    assert!(!known(&replica, "AKIDnew", "one").await);

    std::fs::write(&path, "[[credential]]\nsecret_id = ").unwrap();
    assert!(replica.running.credentials.reload().is_err());
    assert!(known(&replica, "AKIDnew", "another").await);
    std::fs::remove_file(&path).unwrap();
    assert!(replica.running.credentials.reload().is_err());
    assert!(known(&replica, "AKIDnew", "another").await);

    std::fs::write(&path, credential("AKIDlast", "last-key", "")).unwrap();
    await_condition(LIMIT, "the repaired file is taken", async || {
        known(&replica, "AKIDlast", "last-key").await
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn the_default_file_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = || {
        let mut config = harness::config(&folder, &[harness::NO_KAFKA.to_owned()]);
        std::fs::remove_file(folder.path().join("credentials.toml")).unwrap();
        config.data_dir = folder.path().join("data");
        config.auth.credentials = None;
        config
    };
    let running = forebay::start(config()).await.unwrap();
    let path = running.credentials.path().to_owned();
    assert!(running.credentials.made_now());
    let made = std::fs::read_to_string(&path).unwrap();
    running.stop().await;
    let running = forebay::start(config()).await.unwrap();
    assert!(!running.credentials.made_now());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), made);
    running.stop().await;
    // A path that somebody named has to be there.
    let mut named = config();
    named.auth.credentials = Some(folder.path().join("mine.toml"));
    let Err(error) = forebay::start(named).await else {
        panic!("a missing credentials file");
    };
    assert!(error.to_string().contains("mine.toml"), "{error}");
}
