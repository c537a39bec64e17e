use std::borrow::Cow;

use super::*;

fn refusal(body: impl AsRef<[u8]>) -> (ErrorCode, String) {
    let error = parse(body.as_ref()).expect_err("must be refused");
    (error.code, error.message.into_owned())
}

#[track_caller]
fn assert_refused(body: impl AsRef<[u8]>, code: ErrorCode, part: &str) {
    let (got, message) = refusal(body);
    assert_eq!(got, code, "{message}");
    assert!(message.contains(part), "{message:?} lacks {part:?}");
    assert!(message.len() < 400, "message of {} bytes", message.len());
}

fn many(count: usize, element: &str) -> String {
    let list = vec![element; count].join(",");
    format!(r#"{{"DataHubId":"datahub-lab00001","Message":[{list}]}}"#)
}

#[test]
fn borrows_unless_escaped() {
    let request = parse(
        "{\"DataHubId\":\"datahub-lab00001\",\"Message\":[{\"Key\":\"鍵\",\"Body\":\"plain é\"},{\"Body\":\"a\\n\\ud83d\\ude00\",\"Key\":\"\"},{\"Body\":\"\",\"Key\":null}]}"
            .as_bytes(),
    )
    .unwrap();
    assert!(matches!(
        request.datahub_id,
        Cow::Borrowed("datahub-lab00001")
    ));
    let [first, second, third] = &request.messages[..] else {
        panic!("{request:?}");
    };
    assert!(matches!(first.key, Some(Cow::Borrowed("鍵"))));
    assert!(matches!(first.body, Cow::Borrowed("plain é")));
    assert_eq!(second.key, None, "an empty key is no key");
    assert_eq!(second.body, "a\n😀");
    assert_eq!((&third.key, &*third.body), (&None, ""));
    assert_eq!(request.decoded_bytes, 3 + 8 + 6);
}

#[test]
fn unknown_parameters_are_ignored_and_names_may_be_escaped() {
    let request = parse(
        br#" {"X":[{"Message":[1.5e3,-2,true,null,"s"]}],"Message":[{"y":{},"\u0042ody":"b"}],"DataHubId":"d"} "#,
    )
    .unwrap();
    assert_eq!(request.messages.len(), 1);
    assert_eq!(request.messages[0].body, "b");
}

#[test]
fn wrong_types_name_field_and_position() {
    let code = ErrorCode::InvalidParameter;
    assert_refused(
        r#"{"DataHubId":"d","Message":[{"Body":"b"},{"Body":null}]}"#,
        code,
        "Message[1].Body: expected a string, got null (line 1 column 53)",
    );
    for (body, part) in [
        (
            r#"{"DataHubId":5}"#,
            "DataHubId: expected a string, got integer `5`",
        ),
        (
            r#"{"DataHubId":null}"#,
            "DataHubId: expected a string, got null",
        ),
        (
            r#"{"Message":null}"#,
            "Message: expected an array, got null",
        ),
        (
            r#"{"Message":"m"}"#,
            "Message: expected an array, got a string",
        ),
        (
            r#"{"Message":{}}"#,
            "Message: expected an array, got an object",
        ),
        (
            r#"{"Message":[null]}"#,
            "Message[0]: expected an object, got null",
        ),
        (
            r#"{"Message":[[]]}"#,
            "Message[0]: expected an object, got an array",
        ),
        (
            r#"{"Message":["x"]}"#,
            "Message[0]: expected an object, got a string",
        ),
        (
            r#"{"Message":[{"Body":{}}]}"#,
            "Message[0].Body: expected a string, got an object",
        ),
        (
            r#"{"Message":[{"Body":true}]}"#,
            "Message[0].Body: expected a string, got boolean `true`",
        ),
        (
            r#"{"Message":[{"Key":1.5}]}"#,
            "Message[0].Key: expected a string, got floating point",
        ),
        ("[]", "request: expected an object, got an array"),
        ("\"x\"", "request: expected an object, got a string"),
        ("null", "request: expected an object, got null"),
    ] {
        assert_refused(body, code, part);
    }
}

#[test]
fn malformed_json_names_field_and_position() {
    let code = ErrorCode::InvalidParameter;
    for (body, part) in [
        (&b""[..], "request: malformed JSON: EOF"),
        (b"{", "request: malformed JSON: EOF"),
        (b"\x1f\x8b\x08\x00", "request: malformed JSON"),
        (
            br#"{"DataHubId":"d","Message":[{"Body":"b"#,
            "Message[0].Body: malformed JSON: EOF",
        ),
        (
            br#"{"Message":[{"Body":"b"},]}"#,
            "Message[1]: malformed JSON: trailing comma",
        ),
        (
            br#"{"Message":[{"Body":"\ud800"}]}"#,
            "Message[0].Body: malformed JSON",
        ),
        (
            br#"{"Message":[{"Body":"\ud800x"}]}"#,
            "Message[0].Body: malformed JSON",
        ),
        (
            br#"{"Message":[{"Body":"\ude00"}]}"#,
            "Message[0].Body: malformed JSON",
        ),
        (
            b"{\"Message\":[{\"Body\":\"\xff\"}]}",
            "Message[0].Body: malformed JSON",
        ),
        (
            b"{\"Message\":[{\"Key\":\"\n\"}]}",
            "Message[0].Key: malformed JSON",
        ),
        (
            br#"{"DataHubId":"d","Message":[{"Body":"b"}]} x"#,
            "after the request: malformed JSON: trailing",
        ),
        (
            br#"{"DataHubId":"d","Message":[{"Body":"b"}]}{}"#,
            "after the request",
        ),
    ] {
        assert_refused(body, code, part);
    }
}

#[test]
fn a_key_given_twice() {
    let code = ErrorCode::InvalidParameter;
    for (body, part) in [
        (
            r#"{"DataHubId":"d","DataHubId":"d"}"#,
            "DataHubId: the key is given twice",
        ),
        (
            r#"{"Message":[],"Message":[]}"#,
            "Message: the key is given twice",
        ),
        (
            r#"{"Message":[{"Body":"b","\u0042ody":"b"}]}"#,
            "Message[0].Body: the key is given twice",
        ),
        (
            r#"{"Message":[{"Key":null,"Key":"k"}]}"#,
            "Message[0].Key: the key is given twice",
        ),
    ] {
        assert_refused(body, code, part);
    }
}

#[test]
fn what_is_missing_is_named() {
    let code = ErrorCode::MissingParameter;
    for (body, part) in [
        ("{}", "DataHubId"),
        (r#"{"Message":[{"Body":"b"}]}"#, "DataHubId"),
        (r#"{"DataHubId":"d"}"#, "Message"),
        (r#"{"DataHubId":"d","Message":[]}"#, "Message"),
        (
            r#"{"DataHubId":"d","Message":[{"Body":"b"},{"Key":"k"},{}]}"#,
            "Message[1].Body",
        ),
    ] {
        assert_refused(body, code, part);
    }
    // JSON and types come before what is missing.
    assert_refused(
        r#"{"DataHubId":"d","Message":[{},{"Body":1}]}"#,
        ErrorCode::InvalidParameter,
        "Message[1].Body",
    );
}

#[test]
fn message_count() {
    assert_eq!(
        parse(many(500, r#"{"Body":""}"#).as_bytes())
            .unwrap()
            .messages
            .len(),
        500
    );
    assert_refused(
        many(501, r#"{"Body":""}"#),
        ErrorCode::InvalidParameterValue,
        "got 501 messages, the limit is 500",
    );
    // The JSON behind the limit is still checked.
    let mut late = many(600, r#"{"Body":""}"#);
    late.push('}');
    assert_refused(late, ErrorCode::InvalidParameter, "after the request");
}

#[test]
fn decoded_size() {
    let body = |bytes: usize| {
        format!(
            r#"{{"DataHubId":"d","Message":[{{"Key":"kk","Body":"{}"}}]}}"#,
            "x".repeat(bytes)
        )
    };
    let exact = body(MAX_DECODED_BYTES - 2);
    assert_eq!(
        parse(exact.as_bytes()).unwrap().decoded_bytes,
        MAX_DECODED_BYTES
    );
    assert_refused(
        body(MAX_DECODED_BYTES - 1),
        ErrorCode::InvalidParameterValue,
        "5242881 bytes together, the limit is 5242880",
    );
    // Escapes do not count: a body of 6-byte escapes for 1-byte characters.
    let escaped = format!(
        r#"{{"DataHubId":"d","Message":[{{"Body":"{}"}}]}}"#,
        r"\u003c".repeat(1 << 20)
    );
    assert_eq!(parse(escaped.as_bytes()).unwrap().decoded_bytes, 1 << 20);
}

#[test]
fn hostile_bodies_end_quickly_with_a_short_message() {
    let size = 10 << 20;
    let open = "[".repeat(size);
    let code = ErrorCode::InvalidParameter;
    assert_refused(format!(r#"{{"X":{open}"#), code, "recursion limit");
    assert_refused(
        format!(r#"{{"Message":[{{"X":{open}"#),
        code,
        "recursion limit",
    );
    assert_refused(
        format!(r#"{{"X":{}"#, "{\"a\":".repeat(size / 5)),
        code,
        "recursion limit",
    );
    assert_refused(
        format!(r#"{{"Message":{open}"#),
        code,
        "Message[0]: expected an object",
    );
    assert_refused(&open, code, "request: expected an object");
    assert_refused(
        format!(r#"{{"Message":"{}"}}"#, "\u{1f}x".repeat(size / 2)),
        code,
        "Message",
    );
    assert_refused(
        format!(r#"{{"Message":"{}"}}"#, "x".repeat(size)),
        code,
        "got a string",
    );
    assert_refused(format!(r#"{{"{}":1"#, "x".repeat(size)), code, "EOF");
    assert_refused(
        many(size / 12, r#"{"Body":""}"#),
        ErrorCode::InvalidParameterValue,
        "got 873813 messages",
    );
    assert_refused(
        many(size / 3, "{}"),
        ErrorCode::MissingParameter,
        "Message[0].Body",
    );
}

/// A small request with escapes, non-ASCII text and unknown members, to be damaged.
const SAMPLE: &str = "{\"DataHubId\":\"datahub-a\", \"X\":{\"y\":[1,-2.5e3,true,null,\"\\ud83d\\ude00\"]},\
     \"Message\":[{\"Body\":\"plain\",\"Key\":\"k\\u00e9\"},{\"Key\":null,\"Body\":\"é\\n\\\"\\\\\"},{\"Body\":\"\"}]}";

proptest::proptest! {
    /// The quick reader accepts nothing that the exact one refuses, and reads the same.
    #[test]
    fn both_readers_agree_on_damaged_bodies(
        edits in proptest::collection::vec((0..SAMPLE.len(), 0..4_u8, proptest::num::u8::ANY), 0..4),
    ) {
        let mut body = SAMPLE.as_bytes().to_vec();
        for (at, kind, byte) in edits {
            let at = at.min(body.len().saturating_sub(1));
            let interesting = b"\\\"{}[],:u0\x00\x1f\x7f\xc3\xed\xff"[usize::from(byte) % 16];
            match kind {
                0 => body[at] = byte,
                1 => body[at] = interesting,
                2 => body.insert(at, interesting),
                _ => body.truncate(at + 1),
            }
        }
        let quick = parse_quickly(&body).map(Reading::finish);
        let exact = parse_and_explain(&body);
        match quick {
            Some(Ok(quick)) => proptest::prop_assert_eq!(Ok(quick), exact),
            Some(Err(_)) | None => proptest::prop_assert!(exact.is_err()),
        }
    }
}
