//! TLS and SASL against Apache Kafka: what works, and what is said where it
//! does not.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod security_support;

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use forebay_kafka::{
    Error,
    security::{PasswordSource, SaslLogin, SaslMechanism, Security, TlsFiles, TrustedRoots},
};
use forebay_testkit::{await_condition, kafka_or_skip};

use security_support::{
    LIMIT, PASSWORD, SHORT_LOGIN, Secured, USER, Writer,
    certificates::{Authority, Valid},
    login, write,
};

const MECHANISMS: [SaslMechanism; 3] = [
    SaslMechanism::Plain,
    SaslMechanism::ScramSha256,
    SaslMechanism::ScramSha512,
];

/// Writes and reads through connections that are protected in this way, and
/// compares with what is stored.
async fn write_and_read(secured: &Secured, listener: &str, security: &Security, topic: &str) {
    let client = secured.client(listener, security);
    let mut writer = Writer::new(&client, topic).await;
    // More than one TLS record, to be written in pieces.
    let values = ["a".to_owned(), "b".repeat(300_000)];
    for value in &values {
        writer.write(value).await;
    }
    let mut read = Vec::new();
    while read.len() < values.len() {
        let offset = read.len() as i64;
        let chunk = client
            .records(topic, 0, offset, Duration::ZERO, 1 << 20)
            .await
            .unwrap();
        read.extend(chunk.records.into_iter().filter_map(|record| record.value));
    }
    assert_eq!(read, values);
    let stored = secured.kafka.read_all(topic).await.unwrap();
    let stored: Vec<_> = stored.into_iter().filter_map(|one| one.value).collect();
    assert_eq!(stored, values);
}

#[tokio::test]
async fn every_mechanism_works_with_and_without_tls() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    let dir = tempfile::tempdir().unwrap();
    for (index, mechanism) in MECHANISMS.into_iter().enumerate() {
        let login = || Some(login(mechanism, USER, PASSWORD));
        let plain = Security::new(None, login());
        write_and_read(secured, "LOGIN", &plain, &format!("login-{index}")).await;
        let tls = Security::new(Some(secured.files(dir.path(), None)), login());
        tls.check().await.unwrap();
        write_and_read(secured, "TLSLOGIN", &tls, &format!("tlslogin-{index}")).await;
    }
    let tls = Security::new(Some(secured.files(dir.path(), None)), None);
    write_and_read(secured, "TLS", &tls, "tls").await;
}

#[tokio::test]
async fn refused_logins_tell_their_reason() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    for mechanism in MECHANISMS {
        for (user, password) in [(USER, "wrong-secret"), ("nobody", PASSWORD)] {
            let security = Security::new(None, Some(login(mechanism, user, password)));
            let error = secured.refusal("LOGIN", &security).await;
            let expected = format!("by SASL {mechanism} failed: SASL_AUTHENTICATION_FAILED (58)");
            assert!(error.contains(&expected), "{error}");
            assert!(!error.contains(password), "{error}");
        }
    }
    let scram = Security::new(
        None,
        Some(login(SaslMechanism::ScramSha512, USER, PASSWORD)),
    );
    let error = secured.refusal("ONLYPLAIN", &scram).await;
    assert!(error.contains("does not offer it, only PLAIN"), "{error}");
    let error = secured.refusal("CLIENT", &scram).await;
    assert!(error.contains("wants no login"), "{error}");
    secured.refusal("LOGIN", &Security::default()).await;
}

#[tokio::test]
async fn a_refused_login_is_not_tried_in_a_hot_loop() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "password", "wrong-secret\n");
    let security = Security::new(
        None,
        Some(SaslLogin {
            mechanism: SaslMechanism::ScramSha256,
            username: USER.to_owned(),
            password: PasswordSource::File(file),
        }),
    );
    let client = secured.client("LOGIN", &security);
    let started = Instant::now();
    let mut attempts = 0;
    while started.elapsed() < Duration::from_secs(3) {
        match client.check().await.unwrap_err() {
            Error::Unreachable(last) => {
                attempts += usize::from(matches!(*last, Error::Login { .. }))
            }
            other => panic!("{other}"),
        }
    }
    let allowed = 2 + started.elapsed().as_millis() / 800;
    assert!(
        (1..=allowed).contains(&(attempts as u128)),
        "{attempts} attempts"
    );

    // A password that is changed is used without anybody starting anew.
    write(dir.path(), "password", &format!("{PASSWORD}\n"));
    await_condition(LIMIT, "the new password is used", async || {
        client.check().await.is_ok()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn certificates_that_are_not_acceptable_tell_why() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    let dir = tempfile::tempdir().unwrap();
    let tls = Security::new(Some(secured.files(dir.path(), None)), None);
    for (listener, expected) in [
        ("EXPIRED", "the broker's certificate has expired"),
        ("ELSEWHERE", "the broker's certificate is for another host"),
        ("CLIENT", "speak TLS"),
        ("MTLS", "client certificate"),
    ] {
        let error = secured.refusal(listener, &tls).await;
        assert!(error.contains(expected), "{listener}: {error}");
    }
    let stranger = Authority::new("stranger");
    let ca = TrustedRoots::File(write(dir.path(), "stranger.pem", &stranger.pem));
    let files = TlsFiles { ca, identity: None };
    let error = secured
        .refusal("TLS", &Security::new(Some(files), None))
        .await;
    assert!(error.contains("does not vouch for"), "{error}");
    secured.refusal("TLS", &Security::default()).await;
}

#[tokio::test]
async fn brokers_that_want_a_client_certificate_get_one() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    let dir = tempfile::tempdir().unwrap();
    let stranger = Authority::new("stranger").issue(&["client"], Valid::Now);
    let foreign = Security::new(Some(secured.files(dir.path(), Some(&stranger))), None);
    let error = secured.refusal("MTLS", &foreign).await;
    assert!(error.contains("no TLS connection"), "{error}");

    let good = secured.authority.issue(&["client"], Valid::Now);
    let good = Security::new(Some(secured.files(dir.path(), Some(&good))), None);
    write_and_read(secured, "MTLS", &good, "mtls").await;
}

#[tokio::test]
async fn renewed_certificates_are_used_without_a_restart() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    let dir = tempfile::tempdir().unwrap();
    let expired = secured.authority.issue(&["client"], Valid::LongAgo);
    let files = secured.files(dir.path(), Some(&expired));
    // At first neither side trusts the other.
    write(dir.path(), "ca.pem", &Authority::new("stranger").pem);
    let client = secured.client("MTLS", &Security::new(Some(files), None));
    let error = client.check().await.unwrap_err().to_string();
    assert!(error.contains("does not vouch for"), "{error}");

    write(dir.path(), "ca.pem", &secured.authority.pem);
    await_condition(LIMIT, "the broker is trusted", async || {
        let error = client.check().await.unwrap_err().to_string();
        assert!(error.contains("no TLS connection"), "{error}");
        !error.contains("does not vouch for")
    })
    .await
    .unwrap();

    let renewed = secured.authority.issue(&["client"], Valid::Now);
    write(dir.path(), "key.pem", &renewed.key);
    write(dir.path(), "cert.pem", &renewed.cert);
    await_condition(LIMIT, "the broker trusts us", async || {
        client.check().await.is_ok()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn logins_that_end_lose_and_double_nothing() {
    let Some(home) = kafka_or_skip() else { return };
    let secured = Secured::shared(&home).await;
    let security = Security::new(
        None,
        Some(login(SaslMechanism::ScramSha256, USER, PASSWORD)),
    );
    let client = secured.client("SHORT", &security);
    let mut writer = Writer::new(&client, "short").await;
    let mut written = Vec::new();
    let started = Instant::now();
    while started.elapsed() < 3 * SHORT_LOGIN {
        let value = format!("{}", written.len());
        writer.write(&value).await;
        // The shared connections, whose logins end as well.
        client.refresh("short").await.unwrap();
        written.push(value);
    }
    let connections = writer.connections.0.load(SeqCst);
    assert!(connections >= 3, "{connections} connections");
    let stored = secured.kafka.read_all("short").await.unwrap();
    let stored: Vec<_> = stored.into_iter().filter_map(|one| one.value).collect();
    assert_eq!(stored, written);
}
