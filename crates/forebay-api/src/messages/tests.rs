use serde_json::{Value, json};

use super::*;
use crate::action::Action;
use crate::answer;
use crate::error_code::ErrorCode;

type Headers<'h> = Vec<(&'h [u8], Option<&'h [u8]>)>;

fn record<'r>(
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
    headers: Headers<'r>,
) -> ConsumerRecord<'r, Headers<'r>> {
    ConsumerRecord {
        topic: "topicDev",
        partition: 4,
        offset: 9_007_199_254_740_993,
        timestamp_ms: 1_795_412_115_123,
        key,
        value,
        headers,
    }
}

fn text(record: &ConsumerRecord<'_, Headers<'_>>) -> String {
    serde_json::to_string(record).unwrap()
}

#[test]
fn a_text_record_to_the_letter() {
    let record = record(Some(b"k\"1"), Some("é\n".as_bytes()), Vec::new());
    assert_eq!(
        String::from_utf8(answer::result(&record, "r-1")).unwrap(),
        r#"{"Response":{"Result":{"Topic":"topicDev","Partition":4,"Offset":9007199254740993,"Key":"k\"1","Value":"é\n","Timestamp":1795412115123,"Headers":"[]"},"RequestId":"r-1"}}"#
    );
}

#[test]
fn bytes_that_are_no_text_are_base64_and_say_so() {
    let record = record(Some(b"\xff"), Some(b"\x00\xfe\xff"), Vec::new());
    assert_eq!(
        text(&record),
        r#"{"Topic":"topicDev","Partition":4,"Offset":9007199254740993,"Key":"/w==","KeyEncoding":"base64","Value":"AP7/","ValueEncoding":"base64","Timestamp":1795412115123,"Headers":"[]"}"#
    );
}

#[test]
fn null_and_empty_stay_apart() {
    let parsed = |key, value| -> Value {
        serde_json::from_str(&text(&record(key, value, Vec::new()))).unwrap()
    };
    let nulls = parsed(None, None);
    assert_eq!(
        (&nulls["Key"], &nulls["Value"]),
        (&Value::Null, &Value::Null)
    );
    assert!(nulls.as_object().unwrap().contains_key("Value"));
    let empty = parsed(Some(b""), Some(b""));
    assert_eq!((&empty["Key"], &empty["Value"]), (&json!(""), &json!("")));
}

#[test]
fn headers_are_json_inside_a_text() {
    let headers: Headers<'_> = vec![
        (b"trace", Some(b"a\"\\\nb")),
        (b"none", None),
        (b"empty", Some(b"")),
        (b"\xff", Some(b"\xfe")),
        ("schlüssel".as_bytes(), Some("🦀".as_bytes())),
        (b"trace", Some(b"again")),
    ];
    let whole: Value = serde_json::from_str(&text(&record(None, None, headers))).unwrap();
    let inner = whole["Headers"].as_str().unwrap();
    assert_eq!(
        inner,
        r#"[{"Key":"trace","Value":"a\"\\\nb"},{"Key":"none","Value":null},{"Key":"empty","Value":""},{"Key":"/w==","KeyEncoding":"base64","Value":"/g==","ValueEncoding":"base64"},{"Key":"schlüssel","Value":"🦀"},{"Key":"trace","Value":"again"}]"#
    );
    let list: Vec<Value> = serde_json::from_str(inner).unwrap();
    assert_eq!(list[0]["Value"], "a\"\\\nb");
}

fn parsed(action: Action, body: &Value) -> MessageQuery {
    MessageQuery::parse(action, body.to_string().as_bytes()).unwrap()
}

#[test]
fn each_action_has_its_parameters() {
    let on_instance = |selection| MessageQuery {
        instance: Some("ckafka-1".to_owned()),
        topic: "t".to_owned(),
        selection,
    };
    let on_default = |selection| MessageQuery {
        instance: None,
        ..on_instance(selection)
    };
    let cases = [
        (
            Action::FetchMessageByOffset,
            json!({"InstanceId": "ckafka-1", "Topic": "t", "Partition": 1, "Offset": 2}),
            on_instance(Selection::At {
                partition: 1,
                offset: 2,
            }),
        ),
        (
            Action::FetchMessageListByOffset,
            json!({"InstanceId": "ckafka-1", "Topic": "t", "Partition": 1, "Offset": -2}),
            on_instance(Selection::From {
                partition: 1,
                offset: -2,
                count: 20,
            }),
        ),
        (
            Action::FetchMessageListByTimestamp,
            json!({"InstanceId": "ckafka-1", "Topic": "t", "StartTime": 1_795_412_115_123_i64,
                "SinglePartitionRecordNumber": 1}),
            on_instance(Selection::Since {
                partition: None,
                start_ms: Some(1_795_412_115_123),
                count: 1,
            }),
        ),
        (
            Action::FetchDatahubMessageByOffset,
            json!({"Name": "t", "Partition": 0, "Offset": 0}),
            on_default(Selection::At {
                partition: 0,
                offset: 0,
            }),
        ),
        (
            Action::FetchLatestDatahubMessageList,
            json!({"Name": "t", "Partition": 0, "MessageCount": 100}),
            on_default(Selection::Latest {
                partition: 0,
                count: 100,
            }),
        ),
        (
            Action::FetchLatestDatahubMessageList,
            json!({"Name": "t", "Partition": 0, "Offset": 7}),
            on_default(Selection::From {
                partition: 0,
                offset: 7,
                count: 20,
            }),
        ),
    ];
    for (action, body, expected) in cases {
        let query = parsed(action, &body);
        assert_eq!(query, expected, "{action}");
        let one = matches!(
            action,
            Action::FetchMessageByOffset | Action::FetchDatahubMessageByOffset
        );
        assert_eq!(query.is_list(), !one);
    }
}

#[test]
fn refusals_name_the_parameter() {
    let good = json!({"InstanceId": "i", "Topic": "t", "Partition": 1, "Offset": 2});
    let cases = [
        ("InstanceId", Value::Null, ErrorCode::MissingParameter),
        ("InstanceId", json!(""), ErrorCode::MissingParameter),
        ("Topic", Value::Null, ErrorCode::MissingParameter),
        ("Topic", json!("a b"), ErrorCode::InvalidParameterValue),
        (
            "Topic",
            json!("__forebay_tasks"),
            ErrorCode::UnsupportedOperation,
        ),
        ("Partition", Value::Null, ErrorCode::MissingParameter),
        ("Partition", json!("1"), ErrorCode::InvalidParameter),
        ("Offset", json!(1.5), ErrorCode::InvalidParameter),
        ("Offset", Value::Null, ErrorCode::MissingParameter),
        (
            "SinglePartitionRecordNumber",
            json!(21),
            ErrorCode::InvalidParameterValue,
        ),
        (
            "SinglePartitionRecordNumber",
            json!(0),
            ErrorCode::InvalidParameterValue,
        ),
    ];
    for (name, value, code) in cases {
        let mut body = good.clone();
        body[name] = value;
        let body = body.to_string();
        let parse = MessageQuery::parse(Action::FetchMessageListByOffset, body.as_bytes());
        let error = parse.unwrap_err();
        assert_eq!(error.code, code, "{body}: {error}");
        assert!(error.message.contains(name), "{error}");
    }
    let long = json!({"Name": "t", "Partition": 0, "MessageCount": 101}).to_string();
    let error = MessageQuery::parse(Action::FetchLatestDatahubMessageList, long.as_bytes());
    assert_eq!(
        error.unwrap_err().message,
        "MessageCount: expected 1 to 100, got 101"
    );
    let other = MessageQuery::parse(Action::DescribeTopic, good.to_string().as_bytes());
    assert_eq!(other.unwrap_err().code, ErrorCode::UnsupportedOperation);
}
