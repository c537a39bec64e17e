//! Properties that hold for any input.

#![allow(
    clippy::unwrap_used,
    reason = "a panic in a test's own helper fails the test, which is what it is for"
)]

use forebay_api::tc3::{
    GetToSign, HeaderValue, RequestHead, RequestToSign, SecretRef, Signer, SigningKeyCache,
    Verifier,
};
use forebay_api::v1::{self, SignatureMethod};
use forebay_api::{
    ErrorCode, Flattened, MessageId, check_topic_name, send_message, write_message_id,
};
use proptest::prelude::*;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn signed_is_verified(
        body in proptest::collection::vec(any::<u8>(), 0..600),
        host in "[A-Za-z0-9.-]{1,20}(:[0-9]{1,5})?|\\[[0-9a-f:]{2,10}\\]:[0-9]{1,5}|http://[a-z]{1,9}:80",
        service in "[a-zA-Z0-9.:-]{1,16}",
        key in "[ -~]{0,80}",
        token in proptest::option::of("[!-~]{1,40}"),
        timestamp in 0_i64..253_402_300_800,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut signer = Signer::new("AKIDx", key.as_str()).with_service(service.as_str());
        if let Some(token) = &token {
            signer = signer.with_token(token.as_str());
        }
        let request = RequestToSign { host: &host, action: "SendMessage", body: &body, timestamp };
        let headers = signer.sign(&request);
        prop_assert_eq!(&headers, &signer.sign(&request), "with the cached key");
        let mut cache = SigningKeyCache::default();
        let mut verify = |body: &[u8], key: &str| {
            let head = RequestHead { method: "POST", query: "", headers: &headers[..] };
            let secret = SecretRef { secret_key: key, token: token.as_deref() };
            Verifier::default()
                .verify(&head, body, timestamp, |_| Some(secret), &mut cache)
                .map(|verified| verified.timestamp)
                .map_err(|error| error.code)
        };
        prop_assert_eq!(verify(&body, &key), Ok(timestamp));
        prop_assert_eq!(verify(&body, &key), Ok(timestamp));
        let wrong = Err(ErrorCode::AuthFailureSignatureFailure);
        prop_assert_eq!(verify(&body, &format!("{key}x")), wrong);
        let mut changed = body.clone();
        match changed.len() {
            0 => changed.push(0),
            length => changed[cut.index(length)] ^= 0x20,
        }
        prop_assert_eq!(verify(&changed, &key), wrong);
    }

    #[test]
    fn a_signed_get_is_verified_and_any_changed_byte_refused(
        query in "[!-~]{0,200}",
        host in "[a-z.-]{1,20}(:[0-9]{1,5})?",
        key in "[ -~]{0,80}",
        timestamp in 0_i64..253_402_300_800,
        cut in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let mut signer = Signer::new("AKIDx", key.as_str());
        let request = GetToSign { host: &host, action: "SendMessage", query: &query, timestamp };
        let headers = signer.sign_get(&request);
        let mut cache = SigningKeyCache::default();
        let mut verify = |method: &str, query: &[u8], body: &[u8]| {
            let query = String::from_utf8_lossy(query);
            let head = RequestHead { method, query: &query, headers: &headers[..] };
            let secret = SecretRef { secret_key: &key, token: None };
            Verifier::default()
                .verify(&head, body, timestamp, |_| Some(secret), &mut cache)
                .map(|verified| verified.timestamp)
                .map_err(|error| error.code)
        };
        prop_assert_eq!(verify("GET", query.as_bytes(), b""), Ok(timestamp));
        let wrong = Err(ErrorCode::AuthFailureSignatureFailure);
        prop_assert_eq!(verify("POST", query.as_bytes(), b""), wrong);
        prop_assert_eq!(verify("GET", query.as_bytes(), b"x"), wrong);
        let mut changed = query.clone().into_bytes();
        match changed.len() {
            0 => changed.push(b'&'),
            length => changed[cut.index(length)] ^= 1_u8 << bit,
        }
        prop_assert_eq!(verify("GET", &changed, b""), wrong);
    }

    #[test]
    fn signed_by_v1_is_verified_and_any_changed_byte_refused(
        parameters in proptest::collection::btree_map("[A-Za-z.0-9]{1,9}", ".{0,20}", 0..9),
        host in "[A-Za-z0-9.-]{1,20}(:[0-9]{1,5})?|\\[[0-9a-f:]{2,10}\\]:[0-9]{1,5}",
        key in "[ -~]{0,80}",
        token in proptest::option::of("[!-~]{1,40}"),
        sha256 in any::<bool>(),
        get in any::<bool>(),
        timestamp in 0_i64..253_402_300_800,
        nonce in any::<u64>(),
        cut in any::<prop::sample::Index>(),
        new in any::<u8>(),
    ) {
        let method = if sha256 { SignatureMethod::HmacSha256 } else { SignatureMethod::HmacSha1 };
        let http_method = if get { "GET" } else { "POST" };
        let mut signer = v1::Signer::new("AKIDx", key.as_str(), method);
        if let Some(token) = &token {
            signer = signer.with_token(token.as_str());
        }
        let parameters: Vec<_> = parameters.into_iter().collect();
        let signed = signer.sign(&v1::ToSign {
            http_method, host: &host, action: "SendMessage", parameters: &parameters, timestamp, nonce,
        }).unwrap();
        let verify = |encoded: &[u8], host: &str, key: &str| {
            let secret = SecretRef { secret_key: key, token: token.as_deref() };
            let host = HeaderValue::One(host.as_bytes());
            let flattened = Flattened::decode(encoded).map_err(|error| error.code)?;
            v1::Verifier { skew_seconds: 0 }
                .verify(http_method, host, &flattened, timestamp, |_| Some(secret))
                .map(|_| ())
                .map_err(|error| error.code)
        };
        prop_assert_eq!(verify(signed.as_bytes(), &host, &key), Ok(()));
        let wrong = Err(ErrorCode::AuthFailureSignatureFailure);
        prop_assert_eq!(verify(signed.as_bytes(), &host, &format!("{key}x")), wrong);
        prop_assert_eq!(verify(signed.as_bytes(), &format!("x{host}"), &key), wrong);
        let mut changed = signed.clone().into_bytes();
        let at = cut.index(changed.len());
        changed[at] = new;
        // Of an encoding other bytes may say the same: `%2b` is `%2B`.
        let meaning = |encoded: &[u8]| Flattened::decode(encoded).ok().map(|decoded| {
            decoded.iter().map(|(name, value)| [name, b"=", value].concat()).collect::<Vec<_>>()
        });
        if meaning(&changed) == meaning(signed.as_bytes()) {
            prop_assert_eq!(verify(&changed, &host, &key), Ok(()));
        } else {
            prop_assert!(verify(&changed, &host, &key).is_err());
        }
    }

    #[test]
    fn hand_written_clients_may_sign_more_and_lower_case_it(
        lower in any::<bool>(),
        host in "[A-Z]{1,8}\\.example(:[0-9]{2,5})?",
    ) {
        // What the vendor's own samples sign. Computed here by the book, not by the crate's signer.
        let sign = |value: &str| if lower { value.to_lowercase() } else { value.to_owned() };
        let canonical = format!(
            "POST\n/\n\ncontent-type:{}\nhost:{}\nx-tc-action:{}\n\ncontent-type;host;x-tc-action\n{}",
            sign("application/json; charset=UTF-8"), sign(&host), sign("SendMessage"), sha256(b"{}")
        );
        let scope = "2026-11-23/ckafka/tc3_request";
        let to_sign = format!("TC3-HMAC-SHA256\n1795412115\n{scope}\n{}", sha256(canonical.as_bytes()));
        let dated = hmac_sha256(b"TC3secret", "2026-11-23");
        let key = hmac_sha256(&hmac_sha256(&dated, "ckafka"), "tc3_request");
        let signature = hex::encode(hmac_sha256(&key, &to_sign));
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential=AKIDx/{scope}, SignedHeaders=content-type;host;x-tc-action, Signature={signature}"
        );
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json; charset=UTF-8"),
            ("Host", &host),
            ("X-TC-Action", "SendMessage"),
            ("X-TC-Timestamp", "1795412115"),
        ];
        let head = RequestHead { method: "POST", query: "", headers: &headers[..] };
        let secret = SecretRef { secret_key: "secret", token: None };
        let verified = Verifier::default().verify(
            &head, b"{}", 1_795_412_115, |_| Some(secret), &mut SigningKeyCache::default(),
        );
        prop_assert!(verified.is_ok(), "{:?}", verified.err());
    }

    #[test]
    fn any_authorization_is_answered(value in "(TC3-HMAC-SHA256 )?[ -~]{0,200}") {
        let headers = [("authorization", value.as_str()), ("host", "h"), ("x-tc-timestamp", "1")];
        let head = RequestHead { method: "GET", query: "", headers: &headers[..] };
        let secret = SecretRef { secret_key: "k", token: None };
        let outcome = Verifier::default()
            .verify(&head, b"", 1, |_| Some(secret), &mut SigningKeyCache::default());
        prop_assert!(outcome.is_err());
    }

    #[test]
    fn message_id_round_trip(
        suffix in "[a-z0-9]{8}",
        topic in "[a-zA-Z0-9._-]{1,249}",
        partition in 0..=i32::MAX,
        [offset, received_ms, sent_ms] in [0..=i64::MAX, 0..=i64::MAX, 0..=i64::MAX],
    ) {
        prop_assume!(topic != "." && topic != "..");
        let id = MessageId {
            datahub_id: format!("datahub-{suffix}"), topic, partition, offset, received_ms, sent_ms,
        };
        let text = id.to_string();
        prop_assert_eq!(text.parse::<MessageId>().unwrap(), id.clone());
        let mut written = Vec::new();
        write_message_id(
            &mut written, &id.datahub_id, &id.topic, partition, offset, received_ms, sent_ms,
        );
        prop_assert_eq!(written, text.into_bytes());
    }

    #[test]
    fn whatever_parses_as_message_id_writes_back_the_same(text in "(datahub-[a-z0-9]{8}:)?[a-z:0-9+ -]{0,40}") {
        if let Ok(id) = text.parse::<MessageId>() {
            prop_assert_eq!(id.to_string(), text);
            prop_assert!(check_topic_name(&id.topic).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_against_oracle(&body)?;
    }

    #[test]
    fn nearly_json_is_answered(body in "[\\[\\]{}\":,a-zA-Z0-9 \\\\]{0,80}") {
        check_against_oracle(body.as_bytes())?;
    }

    #[test]
    fn agrees_with_a_tree_of_values(request in request(), pretty in any::<bool>()) {
        let body = if pretty { serde_json::to_vec_pretty(&request) } else { serde_json::to_vec(&request) };
        check_against_oracle(&body.unwrap())?;
    }

    #[test]
    fn agrees_on_mutated_requests(
        request in request(),
        at in any::<prop::sample::Index>(),
        new in any::<u8>(),
        how in 0..4,
    ) {
        let mut body = serde_json::to_vec(&request).unwrap();
        let at = at.index(body.len());
        match how {
            0 => body[at] = new,
            1 => body.insert(at, new),
            2 => { body.remove(at); }
            _ => body.truncate(at),
        }
        check_against_oracle(&body)?;
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], message: &str) -> Vec<u8> {
    use hmac::Mac;
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Any JSON value, small.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-zA-Z]{0,5}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Mostly what the shape wants, now and then anything.
fn mostly(good: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        12 => good.prop_map(Some),
        1 => value().prop_map(Some),
        1 => Just(None),
    ]
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn text() -> impl Strategy<Value = Value> + Clone {
    any::<String>().prop_map(Value::from)
}

fn request() -> impl Strategy<Value = Value> {
    let message = (mostly(text()), mostly(text()), mostly(value()))
        .prop_map(|(key, body, x)| object([("Key", key), ("Body", body), ("X", x)]));
    let element = prop_oneof![20 => message, 1 => value()];
    let list = proptest::collection::vec(element, 0..6).prop_map(Value::from);
    (mostly(text()), mostly(list), mostly(value()))
        .prop_map(|(id, list, x)| object([("DataHubId", id), ("Message", list), ("Y", x)]))
}

/// What the parser must answer to a tree of values, worked out the plain way.
fn oracle(tree: &Value) -> Result<Value, ErrorCode> {
    let wrong = ErrorCode::InvalidParameter;
    let request = tree.as_object().ok_or(wrong)?;
    let id = match request.get("DataHubId") {
        Some(id) => Some(id.as_str().ok_or(wrong)?),
        None => None,
    };
    let list = match request.get("Message") {
        Some(list) => Some(list.as_array().ok_or(wrong)?),
        None => None,
    };
    let mut missing = id.is_none() || list.is_none_or(Vec::is_empty);
    let mut messages = Vec::new();
    for element in list.into_iter().flatten() {
        let message = element.as_object().ok_or(wrong)?;
        let key = match message.get("Key") {
            None | Some(Value::Null) => None,
            Some(key) => Some(key.as_str().ok_or(wrong)?).filter(|key| !key.is_empty()),
        };
        match message.get("Body") {
            Some(body) => messages.push(json!([key, body.as_str().ok_or(wrong)?])),
            None => missing = true,
        }
    }
    if missing {
        return Err(ErrorCode::MissingParameter);
    }
    Ok(json!([id, messages]))
}

fn check_against_oracle(body: &[u8]) -> Result<(), TestCaseError> {
    let parsed = send_message::parse(body);
    if let Err(error) = &parsed {
        prop_assert!(error.message.len() < 500, "{}", error);
        if error.message.contains("the key is given twice") {
            // A tree of values has already lost the first of the two.
            return Ok(());
        }
    }
    let got = parsed.map_err(|error| error.code).map(|request| {
        let messages: Vec<_> = request
            .messages
            .iter()
            .map(|message| json!([message.key, message.body]))
            .collect();
        json!([request.datahub_id, messages])
    });
    let expected = match serde_json::from_slice(body) {
        Ok(tree) => oracle(&tree),
        Err(_) => Err(ErrorCode::InvalidParameter),
    };
    prop_assert_eq!(got, expected, "{}", String::from_utf8_lossy(body));
    Ok(())
}
