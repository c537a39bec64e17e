//! Every recorded request of the genuine SDKs that is signed with TC3-HMAC-SHA256 verifies, and
//! stops verifying when anything is changed.

#![allow(
    clippy::unwrap_used,
    reason = "a panic in a test's own helper fails the test, which is what it is for"
)]

mod capture_file;

use capture_file::{
    Capture, SECRET_ID, SECRET_KEY, TOKEN, V1_FILES, all_files, messages_sent, read,
};
use forebay_api::tc3::{RequestHead, SecretRef, SigningKeyCache, Verifier};
use forebay_api::{ApiError, ErrorCode, Flattened, send_message};

const TC3_FILES: [&str; 31] = [
    "go.txt",
    "java.txt",
    "node.txt",
    "python.txt",
    "variants/go-get-tc3.txt",
    "variants/go-localhost.txt",
    "variants/go-port80.txt",
    "variants/go-tls.txt",
    "variants/go-token-unsigned.txt",
    "variants/go-typed-get-tc3.txt",
    "variants/go-upper.txt",
    "variants/java-get-tc3.txt",
    "variants/java-localhost.txt",
    "variants/java-port80.txt",
    "variants/java-tls.txt",
    "variants/java-token-unsigned.txt",
    "variants/java-upper.txt",
    "variants/java430-post-tc3.txt",
    "variants/node-get-tc3.txt",
    "variants/node-localhost.txt",
    "variants/node-port80.txt",
    "variants/node-tls.txt",
    "variants/node-token-unsigned.txt",
    "variants/node-upper.txt",
    "variants/python-get-tc3.txt",
    "variants/python-localhost.txt",
    "variants/python-port80.txt",
    "variants/python-scheme-in-endpoint.txt",
    "variants/python-tls.txt",
    "variants/python-token-unsigned.txt",
    "variants/python-upper.txt",
];

type HeaderList = Vec<(String, String)>;

fn tc3_captures() -> Vec<Capture> {
    TC3_FILES.iter().flat_map(|file| read(file)).collect()
}

/// The rules, clock and credential of one verification; what a test does not set is as recorded.
struct Attempt<'a> {
    verifier: Verifier,
    now: i64,
    secret_key: &'a str,
    token: Option<&'a str>,
    query: &'a str,
    body: &'a [u8],
}

impl<'a> Attempt<'a> {
    fn of(capture: &'a Capture) -> Self {
        Self {
            verifier: Verifier {
                skew_seconds: 300,
                allow_unsigned_payload: true,
            },
            now: timestamp(capture),
            secret_key: SECRET_KEY,
            token: None,
            query: &capture.query,
            body: &capture.body,
        }
    }

    fn run_with(&self, capture: &Capture, cache: &mut SigningKeyCache) -> Result<i64, ApiError> {
        let head = RequestHead {
            method: &capture.method,
            query: self.query,
            headers: &capture.headers[..],
        };
        let lookup = |id: &str| {
            (id == SECRET_ID).then_some(SecretRef {
                secret_key: self.secret_key,
                token: self.token,
            })
        };
        let verified = self
            .verifier
            .verify(&head, self.body, self.now, lookup, cache)?;
        assert_eq!(verified.secret_id, SECRET_ID);
        assert_eq!(verified.timestamp, timestamp(capture));
        Ok(verified.skew_seconds)
    }

    fn run(&self, capture: &Capture) -> Result<i64, ApiError> {
        self.run_with(capture, &mut SigningKeyCache::default())
    }

    #[track_caller]
    fn assert_refused(&self, capture: &Capture, code: ErrorCode) {
        let error = self.run(capture).expect_err(&capture.file);
        assert_eq!(error.code, code, "{}: {error}", capture.file);
    }
}

fn timestamp(capture: &Capture) -> i64 {
    capture.header("x-tc-timestamp").unwrap().parse().unwrap()
}

fn is_unsigned(capture: &Capture) -> bool {
    capture.header("x-tc-content-sha256") == Some("UNSIGNED-PAYLOAD")
}

#[test]
fn every_file_is_accounted_for() {
    let mut listed: Vec<_> = TC3_FILES
        .iter()
        .chain(&V1_FILES)
        .map(|&file| file.to_owned())
        .collect();
    listed.sort();
    assert_eq!(listed, all_files());
}

#[test]
fn all_verify_by_new_and_by_cached_keys() {
    let mut cache = SigningKeyCache::default();
    for capture in &tc3_captures() {
        for round in ["new", "cached"] {
            let skew = Attempt::of(capture).run_with(capture, &mut cache);
            assert_eq!(skew, Ok(0), "{} {round}", capture.file);
        }
    }
    // One key for each service name that the SDKs made up.
    assert!(cache.len() >= 4, "{cache:?}");
}

#[test]
fn the_skew_is_inclusive_and_reported() {
    for capture in &tc3_captures() {
        for (offset, allowed) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let mut attempt = Attempt::of(capture);
            attempt.now += offset;
            if allowed {
                assert_eq!(attempt.run(capture), Ok(offset), "{}", capture.file);
            } else {
                attempt.assert_refused(capture, ErrorCode::AuthFailureSignatureExpire);
            }
        }
    }
}

#[test]
fn a_wrong_key_fails_also_where_the_right_one_is_cached() {
    let mut cache = SigningKeyCache::default();
    for capture in &tc3_captures() {
        let mut attempt = Attempt::of(capture);
        assert!(attempt.run_with(capture, &mut cache).is_ok());
        attempt.secret_key = "labSecretKey0002";
        let error = attempt.run_with(capture, &mut cache).unwrap_err();
        assert_eq!(error.code, ErrorCode::AuthFailureSignatureFailure);
        attempt.assert_refused(capture, ErrorCode::AuthFailureSignatureFailure);
    }
    let capture = &read("go.txt")[0];
    let mut wrong = Attempt::of(capture);
    wrong.secret_key = "x";
    let mut empty = SigningKeyCache::default();
    assert!(wrong.run_with(capture, &mut empty).is_err());
    assert!(empty.is_empty(), "only right signatures fill the cache");
}

#[test]
fn one_flipped_bit_fails() {
    for capture in &tc3_captures() {
        let mut flipped = capture.body.clone();
        match flipped.last_mut() {
            Some(byte) => *byte ^= 1,
            // A GET has no body: then any is too much.
            None => flipped.push(b'x'),
        }
        let mut attempt = Attempt::of(capture);
        attempt.body = &flipped;
        if is_unsigned(capture) {
            assert!(attempt.run(capture).is_ok(), "{}", capture.file);
        } else {
            attempt.assert_refused(capture, ErrorCode::AuthFailureSignatureFailure);
        }
        let query = format!("{}x", capture.query);
        let mut attempt = Attempt::of(capture);
        attempt.query = &query;
        attempt.assert_refused(capture, ErrorCode::AuthFailureSignatureFailure);
    }
}

#[test]
fn unsigned_payload_needs_permission() {
    let mut seen = 0;
    for capture in tc3_captures().iter().filter(|capture| is_unsigned(capture)) {
        let mut attempt = Attempt::of(capture);
        attempt.verifier.allow_unsigned_payload = false;
        attempt.assert_refused(capture, ErrorCode::AuthFailureSignatureFailure);
        seen += 1;
    }
    assert_eq!(seen, 3, "Python, Java and Go");
}

#[test]
fn the_token_must_be_the_credentials() {
    let mut with_token = 0;
    for capture in &tc3_captures() {
        let mut attempt = Attempt::of(capture);
        attempt.token = Some(TOKEN);
        if capture.header("x-tc-token") == Some(TOKEN) {
            with_token += 1;
            assert!(attempt.run(capture).is_ok(), "{}", capture.file);
            attempt.token = Some("stsTok2");
        }
        attempt.assert_refused(capture, ErrorCode::AuthFailureTokenFailure);
    }
    assert!(with_token >= 8, "{with_token}");
}

#[test]
fn each_changed_header_is_refused_with_its_code() {
    let refused = |change: &dyn Fn(&mut HeaderList), code: ErrorCode| {
        let mut capture = read("go.txt").remove(0);
        change(&mut capture.headers);
        let head = RequestHead {
            method: &capture.method,
            query: &capture.query,
            headers: &capture.headers[..],
        };
        let lookup = |id: &str| {
            (id == SECRET_ID).then_some(SecretRef {
                secret_key: SECRET_KEY,
                token: None,
            })
        };
        let error = Verifier::default()
            .verify(
                &head,
                &capture.body,
                1_795_412_115,
                lookup,
                &mut SigningKeyCache::default(),
            )
            .expect_err("must be refused");
        assert_eq!(error.code, code, "{error}");
    };
    let set = |headers: &mut HeaderList, name: &str, from: &str, to: &str| {
        let (_, value) = headers.iter_mut().find(|(n, _)| n == name).unwrap();
        assert!(value.contains(from), "{value}");
        *value = value.replace(from, to);
    };
    let remove = |headers: &mut HeaderList, name: &str| {
        headers.retain(|(header, _)| header != name);
    };
    use ErrorCode as C;
    refused(
        &|h| remove(h, "Authorization"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| remove(h, "X-Tc-Timestamp"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(&|h| remove(h, "Host"), C::AuthFailureInvalidAuthorization);
    refused(
        &|h| remove(h, "Content-Type"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| h.push(("host".into(), "127.0.0.1:18080".into())),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| set(h, "Authorization", "content-type;host", "host"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| set(h, "Authorization", "content-type;host", "content-type"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| set(h, "X-Tc-Timestamp", "1795412115", "-1795412115"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| set(h, "X-Tc-Timestamp", "1795412115", "99999999999999999999"),
        C::AuthFailureInvalidAuthorization,
    );
    refused(
        &|h| set(h, "X-Tc-Timestamp", "1795412115", "9223372036854775807"),
        C::AuthFailureSignatureExpire,
    );
    refused(
        &|h| set(h, "X-Tc-Timestamp", "1795412115", "1795412116"),
        C::AuthFailureSignatureFailure,
    );
    refused(
        &|h| set(h, "Authorization", "2026-11-23", "2026-11-22"),
        C::AuthFailureSignatureFailure,
    );
    refused(
        &|h| set(h, "Authorization", "/ckafka/", "/cvm/"),
        C::AuthFailureSignatureFailure,
    );
    refused(
        &|h| set(h, "Authorization", SECRET_ID, "AKIDunknown"),
        C::AuthFailureSecretIdNotFound,
    );
    refused(
        &|h| set(h, "Host", "127.0.0.1", "127.0.0.2"),
        C::AuthFailureSignatureFailure,
    );
    refused(
        &|h| set(h, "Content-Type", "json", "xml"),
        C::AuthFailureSignatureFailure,
    );
}

#[test]
fn what_was_sent_is_what_is_read() {
    let mut by_get = 0;
    for capture in &tc3_captures() {
        let flattened;
        let request = if capture.method == "GET" {
            by_get += 1;
            flattened = Flattened::decode(capture.query.as_bytes()).expect(&capture.file);
            send_message::from_flattened(&flattened)
        } else {
            send_message::parse(&capture.body)
        };
        if capture.file.contains("go-get-tc3") {
            // Go's generic request leaves an action's parameters out of a GET.
            let error = request.expect_err(&capture.file);
            assert_eq!(error.code, ErrorCode::MissingParameter);
            continue;
        }
        let request = request.expect(&capture.file);
        let messages: Vec<_> = request
            .messages
            .iter()
            .map(|message| (message.key.as_deref(), &*message.body))
            .collect();
        if capture.file.contains("scheme-in-endpoint") {
            assert_eq!(request.datahub_id, "d");
            assert_eq!(messages, [(None, "x")]);
        } else {
            assert_eq!(request.datahub_id, "datahub-lab00001", "{}", capture.file);
            assert_eq!(messages, messages_sent(), "{}", capture.file);
        }
    }
    assert_eq!(
        by_get, 6,
        "one of each SDK, Go's typed client's, the guide's Java"
    );
}
