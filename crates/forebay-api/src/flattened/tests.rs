use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::limits::{MAX_FLATTENED_PARAMETERS, MAX_MESSAGES};
use crate::send_message;
use crate::tasks::{CreateDatahubTask, DescribeDatahubTasks, ModifyDatahubTask};

fn tree(encoded: &str) -> Result<Value, ApiError> {
    Flattened::decode(encoded.as_bytes())?
        .object()
        .map(Value::Object)
}

#[test]
fn decoding() {
    let decoded = Flattened::decode(b"b=1+%2b&&a=%E4%BD%a0=&c&=d").unwrap();
    let pairs: Vec<_> = decoded.iter().collect();
    let expected: [(&[u8], &[u8]); 4] = [
        (b"", b"d"),
        (b"a", "你=".as_bytes()),
        (b"b", b"1 +"),
        (b"c", b""),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(Flattened::decode(b"").unwrap().iter().count(), 0);
    for (malformed, at) in [("a=%", 2), ("ab=x&c=1%4", 8), ("%zz", 0), ("a=b&%+1=c", 4)] {
        let error = Flattened::decode(malformed.as_bytes()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidParameter);
        assert!(error.message.contains(&format!(" byte {at} ")), "{error}");
    }
}

#[test]
fn debug_shows_no_values() {
    let shown = format!("{:?}", Flattened::decode(b"Token=secret").unwrap());
    assert!(
        shown.contains("parameters: 1") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn the_count_is_limited() {
    let many = |count: usize| "a=1&".repeat(count);
    assert!(Flattened::decode(many(MAX_FLATTENED_PARAMETERS).as_bytes()).is_ok());
    let error = Flattened::decode(many(MAX_FLATTENED_PARAMETERS + 1).as_bytes()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidParameterValue);
}

#[test]
fn trees() {
    assert_eq!(
        tree("A.B.C=5&A.B-D=6&L.0.K=v&L.10=k&L.1=&L.2=&L.3=&L.4=&L.5=&L.6=&L.7=&L.8=&L.9=&Z=")
            .unwrap(),
        json!({
            "A": {"B": {"C": "5"}, "B-D": "6"},
            "L": [{"K": "v"}, "", "", "", "", "", "", "", "", "", "k"],
            "Z": ""
        })
    );
    let deep = "a.".repeat(9) + "a=1";
    assert!(tree(&deep).is_ok());
    let deeper = "a.".repeat(10) + "a=1";
    for (encoded, text) in [
        ("A=1&A.0=2", "A: given both"),
        ("A.0=1&A=2&A-=3", "A: given both"),
        ("A.B=1&A.B.C=2", "A.B: given both"),
        (
            "A.0=1&A.2=2",
            "A: expected 2 items numbered from 0 without gaps, got item 2",
        ),
        ("A.1=1", "A: expected 1 items"),
        ("A.B.999999999=1", "A.B: expected 1 items"),
        ("A.99999999999999999999999=1", "A: expected 1 items"),
        ("A.00=1", "A: expected 1 items"),
        (
            "A.0=1&A.x=2",
            "A: expected a list's items or an object's members",
        ),
        ("A..B=1", "A..B: a part of the name is empty"),
        (".=1", ".: a part"),
        ("=1", ": a part"),
        ("A=1&A=2", "A: the parameter is given twice"),
        ("A=%FF", "A: expected UTF-8"),
        ("%FF=1", "the name is not UTF-8"),
        (&deeper, "more than 10 parts"),
    ] {
        let error = tree(encoded).expect_err(encoded);
        assert_eq!(error.code, ErrorCode::InvalidParameter, "{encoded}");
        assert!(error.message.contains(text), "{encoded}: {error}");
    }
    let large = format!("A={}", "x".repeat(MAX_MANAGEMENT_BODY_BYTES));
    let error = tree(&large).unwrap_err();
    assert_eq!(error.code, ErrorCode::RequestSizeLimitExceeded);
}

#[test]
fn typed_shapes_take_text_where_json_takes_none() {
    let form = "TaskName=n&TaskType=SOURCE&SourceResource.Type=HTTP&TargetResource.Type=KAFKA\
        &TargetResource.KafkaParam.SelfBuilt=False&TargetResource.KafkaParam.Resource=ckafka-forebay0\
        &TargetResource.KafkaParam.Topic=t&TargetResource.KafkaParam.QpsLimit=7\
        &TargetResource.KafkaParam.UseAutoCreateTopic=True&TargetResource.KafkaParam.PartitionNum=3\
        &TargetResource.KafkaParam.KeepPartition=false&TargetResource.KafkaParam.MsgMultiple=1\
        &Tags.0.TagKey=k&Tags.0.TagValue=v&Action=CreateDatahubTask&Nonce=1";
    let parse = |form: &str| {
        let flattened = Flattened::decode(form.as_bytes())?;
        CreateDatahubTask::parse(&flattened)
    };
    let task = parse(form).unwrap();
    let target = &task.target;
    assert_eq!((target.qps_limit, target.partition_num), (7, Some(3)));
    assert!(target.auto_create_topic);
    assert_eq!((&*task.tags[0].key, &*task.tags[0].value), ("k", "v"));
    for (from, to, text) in [
        (
            "QpsLimit=7",
            "QpsLimit=x",
            "KafkaParam.QpsLimit: expected an unsigned integer of 64 bits, got [x]",
        ),
        ("QpsLimit=7", "QpsLimit=-1", "got [-1]"),
        ("QpsLimit=7", "QpsLimit=", "got []"),
        (
            "Topic=True",
            "Topic=yes",
            "expected true or false, got [yes]",
        ),
        ("Tags.0.TagKey=k", "Tags.0=k", "given both"),
        (
            "&Tags.0.TagKey=k&Tags.0.TagValue=v",
            "&Tags=k",
            "Tags: expected an array",
        ),
        (
            "SourceResource.Type=HTTP",
            "SourceResource=HTTP",
            "SourceResource: expected an object",
        ),
    ] {
        let changed = form.replacen(from, to, 1);
        assert_ne!(changed, form);
        let error = parse(&changed).expect_err(to);
        assert_eq!(error.code, ErrorCode::InvalidParameter, "{error}");
        assert!(error.message.contains(text), "{error}");
    }
    let error = parse(&form.replace("SelfBuilt=False", "SelfBuilt=True")).unwrap_err();
    assert_eq!(error.code, ErrorCode::UnsupportedOperation);

    let page = Flattened::decode(b"Limit=5&Offset=2&SearchWord=a+b").unwrap();
    let page = DescribeDatahubTasks::parse(&page).unwrap();
    assert_eq!((page.limit, page.offset), (5, 2));
    assert_eq!(page.search_word.as_deref(), Some("a b"));
    let modify = Flattened::decode(b"TaskId=t&AutoExpandFlag=true").unwrap();
    assert_eq!(
        ModifyDatahubTask::parse(&modify).unwrap().auto_expand,
        Some(true)
    );
    // In JSON a text is a text.
    assert!(DescribeDatahubTasks::parse(br#"{"Limit":"5"}"#).is_err());
}

#[test]
fn send_message_shapes() {
    let read = |encoded: &str| -> Result<Value, ApiError> {
        let flattened = Flattened::decode(encoded.as_bytes())?;
        let request = send_message::from_flattened(&flattened)?;
        let messages: Vec<_> = request
            .messages
            .iter()
            .map(|message| json!([message.key, message.body]))
            .collect();
        Ok(json!([request.datahub_id, messages]))
    };
    assert_eq!(
        read(
            "Message.1.Key=&Message.1.Body=&DataHubId=d&Message.0.Body=a&Message.0.Key=k&Message.0.X.Y=z&Messages.7=x&Other=1"
        ),
        Ok(json!(["d", [["k", "a"], [null, ""]]]))
    );
    let eleven: String = (0..11).map(|n| format!("&Message.{n}.Body=b{n}")).collect();
    let messages = read(&format!("DataHubId=d{eleven}")).unwrap();
    assert_eq!(messages[1][10], json!([null, "b10"]));
    use ErrorCode as C;
    let over: String = (0..=MAX_MESSAGES)
        .map(|n| format!("&Message.{n}.Body="))
        .collect();
    let large = format!("&Message.0.Body={}", "x".repeat((5 << 20) + 1));
    for (rest, code, text) in [
        ("", C::MissingParameter, "Message"),
        ("&Message=", C::InvalidParameter, "Message: expected a list"),
        (
            "&Message.0=x",
            C::InvalidParameter,
            "Message.0: expected an object",
        ),
        ("&Message.0.Key=k", C::MissingParameter, "Message[0].Body"),
        (
            "&Message.1.Body=b",
            C::InvalidParameter,
            "there is no Message.0",
        ),
        (
            "&Message.0.Body=b&Message.999999999.Body=b",
            C::InvalidParameter,
            "there is no Message.1",
        ),
        (
            "&Message.99999999999999999999.Body=b",
            C::InvalidParameter,
            "expected Message.<index>",
        ),
        (
            "&Message.00.Body=b",
            C::InvalidParameter,
            "expected Message.<index>",
        ),
        (
            "&Message.-1.Body=b",
            C::InvalidParameter,
            "expected Message.<index>",
        ),
        (
            "&Message.x.Body=b",
            C::InvalidParameter,
            "expected Message.<index>",
        ),
        (
            "&Message..Body=b",
            C::InvalidParameter,
            "expected Message.<index>",
        ),
        (
            "&Message.0.Body=b&Message.0.Body.0=c",
            C::InvalidParameter,
            "expected a string",
        ),
        (
            "&Message.0.Body.0=c",
            C::InvalidParameter,
            "expected a string",
        ),
        (
            "&Message.0.Body=b&Message.0=c",
            C::InvalidParameter,
            "expected an object",
        ),
        (
            "&Message.0.Body=b&Message.0.Body=c",
            C::InvalidParameter,
            "given twice",
        ),
        (
            "&Message.0.Body=%C3%28",
            C::InvalidParameter,
            "Message.0.Body: expected UTF-8",
        ),
        (
            "&DataHubId.0=x&Message.0.Body=b",
            C::InvalidParameter,
            "DataHubId: expected a string",
        ),
        (&over, C::InvalidParameterValue, "got 501 messages"),
        (&large, C::InvalidParameterValue, "5242881"),
    ] {
        let error = read(&format!("DataHubId=d{rest}")).expect_err(&rest[..rest.len().min(60)]);
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(text), "{error}");
    }
    let error = read("Message.0.Body=b").unwrap_err();
    assert_eq!(error.code, C::MissingParameter);
}

/// Trees that survive flattening: no null, nothing empty, no names that are numbers.
fn leaves() -> impl Strategy<Value = Value> {
    let leaf = ".{0,6}".prop_map(Value::from);
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..12).prop_map(Value::from),
            proptest::collection::btree_map("[A-Za-z_-]{1,4}", inner, 1..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn flattened_encoded_and_read_back(
        members in proptest::collection::btree_map("[A-Za-z_-]{1,4}", leaves(), 0..6)
    ) {
        let object: Map<String, Value> = members.into_iter().collect();
        let pairs = flatten(&object);
        let encoded = encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let decoded = Flattened::decode(encoded.as_bytes()).unwrap();
        prop_assert_eq!(decoded.object().unwrap(), object);
    }

    #[test]
    fn anything_is_answered(encoded in "(Message|DataHubId|[A.0-9&=%+\u{e9}]){0,40}") {
        if let Ok(flattened) = Flattened::decode(encoded.as_bytes()) {
            for error in [
                flattened.object().err(),
                send_message::from_flattened(&flattened).err(),
            ].into_iter().flatten() {
                prop_assert!(error.message.len() < 500, "{}", error);
            }
        }
    }

    #[test]
    fn send_message_means_what_its_json_means(
        keys_and_bodies in proptest::collection::vec((proptest::option::of(".{0,8}"), ".{0,20}"), 1..30)
    ) {
        let messages: Vec<_> = keys_and_bodies
            .iter()
            .map(|(key, body)| json!({"Key": key, "Body": body}))
            .collect();
        let request = json!({"DataHubId": "datahub-aaaaaaaa", "Message": messages});
        let json = request.to_string();
        let pairs = flatten(request.as_object().unwrap());
        let encoded = encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let flattened = Flattened::decode(encoded.as_bytes()).unwrap();
        prop_assert_eq!(
            send_message::from_flattened(&flattened),
            send_message::parse(json.as_bytes())
        );
    }
}
