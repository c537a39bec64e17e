//! Every recorded request of the genuine SDKs that is signed with HmacSHA1 or HmacSHA256 verifies,
//! and stops verifying when anything is changed.

#![allow(
    clippy::unwrap_used,
    reason = "a panic in a test's own helper fails the test, which is what it is for"
)]

mod capture_file;

use capture_file::{Capture, SECRET_ID, SECRET_KEY, TOKEN, V1_FILES, messages_sent, read};
use forebay_api::tc3::{HeaderValue, SecretRef};
use forebay_api::v1::{SignatureMethod, Signer, ToSign, Verifier};
use forebay_api::{ApiError, ErrorCode, Flattened, send_message};

fn captures() -> Vec<Capture> {
    V1_FILES.iter().flat_map(|file| read(file)).collect()
}

/// The query of a GET, the form of a POST.
fn encoded(capture: &Capture) -> &str {
    match capture.method.as_str() {
        "GET" => &capture.query,
        _ => std::str::from_utf8(&capture.body).unwrap(),
    }
}

fn timestamp(capture: &Capture) -> i64 {
    let parameters = Flattened::decode(encoded(capture).as_bytes()).unwrap();
    parameters
        .text("Timestamp")
        .unwrap()
        .unwrap()
        .parse()
        .unwrap()
}

/// One verification; what a test does not set is as recorded.
struct Attempt<'a> {
    method: &'a str,
    host: &'a str,
    encoded: &'a str,
    now: i64,
    secret_key: &'a str,
    token: Option<&'a str>,
}

impl<'a> Attempt<'a> {
    fn of(capture: &'a Capture) -> Self {
        Self {
            method: &capture.method,
            host: capture.header("host").unwrap(),
            encoded: encoded(capture),
            now: timestamp(capture),
            secret_key: SECRET_KEY,
            token: None,
        }
    }

    /// Our clock minus the request's.
    fn run(&self) -> Result<i64, ApiError> {
        let lookup = |id: &str| {
            (id == SECRET_ID).then_some(SecretRef {
                secret_key: self.secret_key,
                token: self.token,
            })
        };
        let verifier = Verifier { skew_seconds: 300 };
        let host = HeaderValue::One(self.host.as_bytes());
        let parameters = Flattened::decode(self.encoded.as_bytes())?;
        let verified = verifier.verify(self.method, host, &parameters, self.now, lookup)?;
        Ok(verified.skew_seconds)
    }

    #[track_caller]
    fn assert_refused(&self, code: ErrorCode) {
        let error = self.run().expect_err(self.encoded);
        assert_eq!(error.code, code, "{error}\n{}", self.encoded);
    }
}

#[test]
fn all_verify_at_any_time_within_the_skew() {
    for capture in &captures() {
        for (offset, allowed) in [
            (0, true),
            (300, true),
            (-300, true),
            (301, false),
            (-301, false),
        ] {
            let mut attempt = Attempt::of(capture);
            attempt.now += offset;
            if allowed {
                assert_eq!(attempt.run(), Ok(offset), "{}", capture.file);
            } else {
                attempt.assert_refused(ErrorCode::AuthFailureSignatureExpire);
            }
        }
    }
}

#[test]
fn a_changed_request_or_key_is_refused() {
    for capture in &captures() {
        let failure = ErrorCode::AuthFailureSignatureFailure;
        let mut attempt = Attempt::of(capture);
        attempt.secret_key = "labSecretKey0002";
        attempt.assert_refused(failure);

        let mut attempt = Attempt::of(capture);
        attempt.host = "127.0.0.2:18080";
        attempt.assert_refused(failure);

        let mut attempt = Attempt::of(capture);
        attempt.method = if capture.method == "GET" {
            "POST"
        } else {
            "GET"
        };
        attempt.assert_refused(failure);

        for (from, to) in [
            ("Action=SendMessage", "Action=DeleteDatahubTask"),
            ("Version=2019-08-19", "Version=2019-08-20"),
            ("Nonce=1", "Nonce=2"),
            ("Nonce=", "Nonce=1"),
            ("Region=ap-guangzhou", "Region=ap-beijing"),
            ("Message.0.Key=key-0", "Message.0.Key=key-1"),
            ("Message.0.Key=key-0", "Message.0.key=key-0"),
            ("SignatureMethod=HmacSHA256", "SignatureMethod=HmacSHA1"),
            ("SignatureMethod=HmacSHA1&", "SignatureMethod=HmacSHA256&"),
            ("&Version=", "&More=1&Version="),
        ] {
            let changed = capture_changed(capture, from, to);
            let mut attempt = Attempt::of(capture);
            attempt.encoded = &changed;
            if changed != encoded(capture) {
                attempt.assert_refused(failure);
            }
        }
    }
}

fn capture_changed(capture: &Capture, from: &str, to: &str) -> String {
    encoded(capture).replacen(from, to, 1)
}

#[test]
fn the_token_must_be_the_credentials() {
    let mut with_token = 0;
    for capture in &captures() {
        let mut attempt = Attempt::of(capture);
        attempt.token = Some(TOKEN);
        if encoded(capture).contains("Token=") {
            with_token += 1;
            assert_eq!(attempt.run(), Ok(0), "{}", capture.file);
            attempt.token = Some("stsTok2");
        }
        attempt.assert_refused(ErrorCode::AuthFailureTokenFailure);
    }
    assert_eq!(with_token, 5, "each HmacSHA256");
}

#[test]
fn each_malformed_claim_is_refused_with_its_code() {
    let capture = &read("variants/python-post-sha256.txt")[0];
    let good = encoded(capture);
    let (_, signature) = good.split_once("&Signature=").unwrap();
    let signature = format!("&Signature={signature}");
    use ErrorCode as C;
    for (from, to, code) in [
        (&*signature, "", C::AuthFailureInvalidAuthorization),
        (&*signature, "&Signature=", C::AuthFailureSignatureFailure),
        (
            &*signature,
            "&Signature=AAAA",
            C::AuthFailureSignatureFailure,
        ),
        (
            &*signature,
            "&Signature=A*",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            &*signature,
            "&Signature=%FF",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "HmacSHA256",
            "TC3-HMAC-SHA256",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "HmacSHA256",
            "hmacsha256",
            C::AuthFailureInvalidAuthorization,
        ),
        ("HmacSHA256", "%FF", C::AuthFailureInvalidAuthorization),
        ("SecretId=", "secretid=", C::AuthFailureInvalidAuthorization),
        (SECRET_ID, "", C::AuthFailureInvalidAuthorization),
        (SECRET_ID, "AKIDnobody", C::AuthFailureSecretIdNotFound),
        (
            "Timestamp=",
            "timestamp=",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "Timestamp=",
            "Timestamp=-",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "Timestamp=",
            "Timestamp=%2B",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "Timestamp=",
            "Timestamp=99999999999",
            C::AuthFailureInvalidAuthorization,
        ),
        ("Timestamp=", "Timestamp=99", C::AuthFailureSignatureExpire),
        (
            "Timestamp=",
            "Timestamp=1&Timestamp=",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "SecretId=",
            "SecretId=1&SecretId=",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "Token=",
            "Token=1&Token=",
            C::AuthFailureInvalidAuthorization,
        ),
        (
            "&Signature=",
            "&Signature=AAAA&Signature=",
            C::AuthFailureInvalidAuthorization,
        ),
        ("Action=", "Action=%4", C::InvalidParameter),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        let mut attempt = Attempt::of(capture);
        attempt.encoded = &changed;
        attempt.assert_refused(code);
    }
    let parameters = Flattened::decode(good.as_bytes()).unwrap();
    for host in [HeaderValue::Absent, HeaderValue::Repeated] {
        let secret = SecretRef {
            secret_key: SECRET_KEY,
            token: None,
        };
        let verifier = Verifier { skew_seconds: 300 };
        let outcome = verifier.verify("POST", host, &parameters, timestamp(capture), |_| {
            Some(secret)
        });
        let error = outcome.unwrap_err();
        assert_eq!(error.code, C::AuthFailureInvalidAuthorization);
    }
}

/// A signed SendMessage with this body, to be tampered with.
fn signed(body: &str) -> String {
    let parameters = [
        ("DataHubId".to_owned(), "datahub-lab00001".to_owned()),
        ("Message.0.Body".to_owned(), body.to_owned()),
        ("Message.0.Key".to_owned(), "k".to_owned()),
    ];
    let signer = Signer::new(SECRET_ID, SECRET_KEY, SignatureMethod::HmacSha256);
    let request = ToSign {
        http_method: "GET",
        host: "h:1",
        action: "SendMessage",
        parameters: &parameters,
        timestamp: 1_000_000,
        nonce: 1,
    };
    signer.sign(&request).unwrap()
}

fn attempt<'a>(host: &'a str, encoded: &'a str) -> Attempt<'a> {
    Attempt {
        method: "GET",
        host,
        encoded,
        now: 1_000_000,
        secret_key: SECRET_KEY,
        token: None,
    }
}

#[test]
fn a_message_that_looks_like_parameters_does_not_become_an_action() {
    let good = signed("x/?Action=DeleteDatahubTask&ClientToken=");
    assert_eq!(attempt("h:1", &good).run(), Ok(0));
    // The same string to sign, with the first parameters moved into the host.
    let (_, tail) = good.split_once("Message.0.Key").unwrap();
    let tail = tail.replacen("Action=SendMessage&", "", 1);
    let moved = format!("Action=DeleteDatahubTask&ClientToken=&Message.0.Key{tail}");
    let host = "h:1/?Action=SendMessage&DataHubId=datahub-lab00001&Message.0.Body=x";
    let attempt = attempt(host, &moved);
    attempt.assert_refused(ErrorCode::AuthFailureInvalidAuthorization);
}

#[test]
fn parameters_are_not_hidden_in_a_name() {
    let good = signed("x");
    let hideable = "Message.0.Key=k&Action=SendMessage&Nonce=1&";
    assert!(good.contains(hideable), "{good}");
    // The same string to sign: names are sorted, so the two are neighbours in it.
    let rest = good.replacen(hideable, "Action=SendMessage&", 1);
    let hidden = format!("{rest}&Message.0.Key%3Dk%26Nonce=1");
    attempt("h:1", &hidden).assert_refused(ErrorCode::AuthFailureInvalidAuthorization);
}

#[test]
fn what_was_sent_is_what_is_read() {
    let mut seen = 0;
    for capture in &captures() {
        let parameters = Flattened::decode(encoded(capture).as_bytes()).unwrap();
        assert_eq!(parameters.text("Action"), Ok(Some("SendMessage")));
        assert_eq!(parameters.text("Version"), Ok(Some("2019-08-19")));
        let request = send_message::from_flattened(&parameters);
        if capture.file.contains("go-get") || capture.file.contains("go-post") {
            // Go's generic request leaves an action's parameters out.
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
        assert_eq!(request.datahub_id, "datahub-lab00001", "{}", capture.file);
        assert_eq!(messages, messages_sent(), "{}", capture.file);
        seen += 1;
    }
    assert_eq!(seen, 11);
}
