use serde_json::{Value, json};

use super::*;
use crate::error_code::ErrorCode;
use crate::flattened::Flattened;
use crate::tasks::Tag;

fn topic(name: &str, partitions: usize, created_ms: i64) -> TopicView {
    TopicView {
        name: name.to_owned(),
        topic_id: topic_id("ckafka-forebay0", name),
        partitions,
        replicas: 3,
        created_ms,
        ..TopicView::default()
    }
}

fn create(change: Value) -> Result<CreateDatahubTopic, crate::ApiError> {
    let mut body = json!({"Name": "1250000000-orders", "PartitionNum": 3, "RetentionMs": 60000});
    let fields = change.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    CreateDatahubTopic::parse(body.to_string().as_bytes())
}

#[test]
fn ids_are_stable_and_shaped_like_the_apis() {
    let id = topic_id("ckafka-forebay0", "orders");
    assert_eq!(id, topic_id("ckafka-forebay0", "orders"));
    assert_ne!(id, topic_id("ckafka-forebay1", "orders"));
    let suffix = id.strip_prefix("topic-").unwrap();
    assert_eq!(suffix.len(), 8);
    assert!(
        suffix
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    );
}

#[test]
fn a_creation_at_its_limits() {
    let most = json!({
        "Name": "n".repeat(128), "PartitionNum": 500, "RetentionMs": i64::MAX,
        "MaxMessageBytes": 12_582_912, "Note": "a-Z9".repeat(16),
        "Tags": [{"TagKey": "k", "TagValue": "v"}],
    });
    let parsed = create(most).unwrap();
    assert_eq!((parsed.partition_num, parsed.note.len()), (500, 64));
    assert_eq!(parsed.retention_ms, -1, "as it is described");
    assert_eq!(parsed.tags[0].key, "k");
    let least = create(json!({"PartitionNum": 1, "MaxMessageBytes": 1024})).unwrap();
    assert_eq!(least.max_message_bytes, Some(1024));
    assert_eq!(create(json!({})).unwrap().max_message_bytes, None);
}

#[test]
fn refusals_name_the_field() {
    use ErrorCode::{
        InvalidParameter, InvalidParameterValue, MissingParameter, UnsupportedOperation,
    };
    for (field, value, code) in [
        ("Name", Value::Null, MissingParameter),
        ("Name", json!("a b"), InvalidParameterValue),
        ("Name", json!("n".repeat(129)), InvalidParameterValue),
        ("Name", json!("__consumer_offsets"), UnsupportedOperation),
        ("Name", json!(7), InvalidParameter),
        ("PartitionNum", Value::Null, MissingParameter),
        ("PartitionNum", json!(0), InvalidParameterValue),
        ("PartitionNum", json!(501), InvalidParameterValue),
        ("PartitionNum", json!("3"), InvalidParameter),
        ("RetentionMs", Value::Null, MissingParameter),
        ("RetentionMs", json!(59_999), InvalidParameterValue),
        ("RetentionMs", json!(-1), InvalidParameterValue),
        ("MaxMessageBytes", json!(1023), InvalidParameterValue),
        ("MaxMessageBytes", json!(12_582_913), InvalidParameterValue),
        ("Note", json!("n".repeat(65)), InvalidParameterValue),
        ("Note", json!("two words"), InvalidParameterValue),
        ("Tags", json!([{"TagValue": "v"}]), MissingParameter),
    ] {
        let error = create(json!({ field: value.clone() })).unwrap_err();
        assert_eq!(error.code, code, "{field}={value}: {error}");
        assert!(error.message.contains(field), "{error}");
    }
    let long = "n".repeat(249);
    let name = json!({ "Name": long }).to_string();
    assert_eq!(
        parse_topic_name(name.as_bytes()).unwrap(),
        long,
        "others made it"
    );
}

#[test]
fn a_change_leaves_what_is_absent() {
    let modify = |body: Value| ModifyDatahubTopic::parse(body.to_string().as_bytes());
    let least = modify(json!({"Name": "t", "RetentionMs": 60000})).unwrap();
    assert_eq!(
        (least.partition_num, least.note, least.tags),
        (None, None, None)
    );
    let all = json!({"Name": "t", "RetentionMs": 60000, "Note": "", "Tags": [],
        "PartitionNum": 9, "MaxMessageBytes": 4096});
    let all = modify(all).unwrap();
    assert_eq!(
        (all.note.as_deref(), all.tags),
        (Some(""), Some(Vec::new()))
    );
    assert_eq!(
        (all.partition_num, all.max_message_bytes),
        (Some(9), Some(4096))
    );
    let missing = modify(json!({"Name": "t"})).unwrap_err();
    assert_eq!(missing.code, ErrorCode::MissingParameter);
}

#[test]
fn pages_have_defaults_and_caps() {
    let limits = |body: Value| {
        let body = body.to_string();
        let datahub = DescribeDatahubTopics::parse(body.as_bytes()).unwrap().page;
        let plain = DescribeTopic::parse(body.as_bytes()).unwrap().page;
        let detail = DescribeTopicDetail::parse(body.as_bytes()).unwrap().page;
        [datahub.limit, plain.limit, detail.limit]
    };
    assert_eq!(limits(json!({"InstanceId": "i"})), [20, 20, 20]);
    assert_eq!(limits(json!({"InstanceId": "i", "Limit": 7})), [7, 7, 7]);
    let beyond = json!({"InstanceId": "i", "Limit": i64::MAX, "Offset": i64::MAX});
    assert_eq!(limits(beyond), [100, 50, 1000]);
    for wrong in [
        json!({"Limit": 0}),
        json!({"Limit": -1}),
        json!({"Offset": -1}),
    ] {
        let error = DescribeDatahubTopics::parse(wrong.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidParameterValue, "{wrong}");
    }
    let page = Page {
        offset: 1,
        limit: 2,
    };
    assert_eq!(page.of([1, 2, 3, 4]), [2, 3]);
    let missing = DescribeTopic::parse(b"{}").unwrap_err();
    assert_eq!(missing.code, ErrorCode::MissingParameter);
}

#[test]
fn searches() {
    let orders = topic("Orders.eu", 1, 0);
    let datahub = |body: Value| {
        let body = body.to_string();
        DescribeDatahubTopics::parse(body.as_bytes())
            .unwrap()
            .matches(&orders)
    };
    assert!(datahub(json!({})) && datahub(json!({"SearchWord": ""})));
    assert!(datahub(json!({"SearchWord": "ORDERS"})));
    assert!(datahub(json!({"SearchWord": orders.topic_id[2..]})));
    assert!(!datahub(json!({"SearchWord": "returns"})));
    assert!(datahub(
        json!({"TopicRegularExpression": r"^Ord.*\.(eu|us)$"})
    ));
    assert!(!datahub(json!({"TopicRegularExpression": "^rders"})));
    for wrong in ["(".to_owned(), "a".repeat(257), "a{1000}{1000}".to_owned()] {
        let body = json!({ "TopicRegularExpression": wrong }).to_string();
        let error = DescribeDatahubTopics::parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidParameterValue, "{wrong}");
    }
    let detail = |body: Value| {
        let mut body = body;
        body["InstanceId"] = json!("i");
        DescribeTopicDetail::parse(body.to_string().as_bytes())
    };
    let matches = |body: Value| detail(body).unwrap().matches(&orders);
    assert!(matches(json!({"SearchWord": "Orders"})));
    assert!(!matches(json!({"SearchWord": "orders"})));
    assert!(matches(
        json!({"SearchWord": "orders", "SearchWordIgnoreCaseFlag": true})
    ));
    let replicas = |values: Value| json!({"Filters": [{"Name": "ReplicaNum", "Values": values}]});
    assert!(matches(replicas(json!(["1", "3"]))));
    assert!(!matches(replicas(json!(["2"]))));
    for wrong in [
        replicas(json!(["many"])),
        json!({"Filters": [{"Name": "Status", "Values": ["1"]}]}),
        json!({"OrderBy": "Name"}),
        json!({"OrderType": 2}),
    ] {
        let error = detail(wrong.clone()).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidParameterValue, "{wrong}");
    }
}

#[test]
fn flattened_parameters_mean_the_same() {
    let query = b"Name=orders&PartitionNum=3&RetentionMs=60000&Note=n&Tags.0.TagKey=k\
        &Tags.0.TagValue=v";
    let flattened = Flattened::decode(query).unwrap();
    let created = CreateDatahubTopic::parse(&flattened).unwrap();
    assert_eq!(
        (created.partition_num, created.tags[0].value.as_str()),
        (3, "v")
    );
    let query = b"InstanceId=i&Limit=5&Filters.0.Name=ReplicaNum&Filters.0.Values.0=3\
        &SearchWordIgnoreCaseFlag=True&SearchWord=ORD&OrderType=1";
    let flattened = Flattened::decode(query).unwrap();
    let request = DescribeTopicDetail::parse(&flattened).unwrap();
    assert_eq!(request.page.limit, 5);
    assert!(request.matches(&topic("orders", 1, 0)));
    let wrong = Flattened::decode(b"Name=orders&RetentionMs=soon").unwrap();
    let error = ModifyDatahubTopic::parse(&wrong).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidParameter, "{error}");
}

#[test]
fn details_are_ordered_as_asked() {
    let order = |more: Value| {
        let mut body = more;
        body["InstanceId"] = json!("i");
        let request = DescribeTopicDetail::parse(body.to_string().as_bytes()).unwrap();
        let mut topics = [topic("c", 1, 5), topic("b", 2, 5), topic("a", 2, 9)];
        topics.sort_by(|a, b| request.compare(a, b));
        topics
            .iter()
            .map(|topic| topic.name.as_str())
            .collect::<String>()
    };
    assert_eq!(order(json!({})), "bca");
    assert_eq!(order(json!({"OrderType": 1})), "abc");
    assert_eq!(order(json!({"OrderBy": "PartitionNum"})), "cab");
    assert_eq!(
        order(json!({"OrderBy": "PartitionNum", "OrderType": 1})),
        "abc"
    );
}

fn settings() -> TopicSettings {
    TopicSettings {
        retention_ms: Some(7_200_000),
        min_insync_replicas: Some(2),
        cleanup_policy: Some("delete,compact".to_owned()),
        segment_ms: Some(604_800_000),
        segment_bytes: Some(1 << 30),
        retention_bytes: Some(-1),
        max_message_bytes: Some(1_048_588),
        unclean_leader_election: Some(false),
        timestamp_type: Some("CreateTime".to_owned()),
    }
}

#[test]
fn answers_to_the_letter() {
    let mut orders = topic("orders", 4, 1_795_412_115_123);
    orders.note = "of-all-shops".to_owned();
    orders.retention_set_ms = 1_795_412_115_999;
    orders.tags = vec![Tag {
        key: "team".to_owned(),
        value: "shop".to_owned(),
    }];
    let id = orders.topic_id.clone();
    let one =
        serde_json::to_value(DatahubTopicAnswer::new(&orders, &settings(), "h:9092")).unwrap();
    assert_eq!(
        one,
        json!({"Name": "orders", "TopicName": "orders", "TopicId": id, "PartitionNum": 4,
            "RetentionMs": 7_200_000, "Note": "of-all-shops", "UserName": "", "Password": "",
            "Status": 1, "Address": "h:9092", "MaxMessageBytes": 1_048_588})
    );
    let page = [(orders.clone(), settings())];
    let details = serde_json::to_value(TopicDetailsAnswer::new(9, &page)).unwrap();
    assert_eq!(
        details,
        json!({"TotalCount": 9, "TopicList": [{
            "TopicName": "orders", "TopicId": id, "PartitionNum": 4, "ReplicaNum": 3,
            "Note": "of-all-shops", "CreateTime": 1_795_412_115, "EnableWhiteList": false,
            "IpWhiteListCount": 0, "ForwardCosBucket": "", "ForwardStatus": 1,
            "ForwardInterval": 0, "Status": 0, "Tags": [{"TagKey": "team", "TagValue": "shop"}],
            "RetentionTimeConfig": {"Expect": 120, "Current": 120, "ModTimeStamp": 1_795_412_115_999_i64},
            "Config": {"Retention": 7_200_000, "MinInsyncReplicas": 2,
                "CleanUpPolicy": "compact, delete", "SegmentMs": 604_800_000,
                "UncleanLeaderElectionEnable": 0, "SegmentBytes": 1_073_741_824,
                "MaxMessageBytes": 1_048_588, "RetentionBytes": -1,
                "LogMsgTimestampType": "CreateTime"},
        }]})
    );
    let list = serde_json::to_value(TopicsAnswer::new(1, [&orders])).unwrap();
    assert_eq!(
        list,
        json!({"TotalCount": 1, "TopicList":
            [{"TopicId": id, "TopicName": "orders", "Note": "of-all-shops"}]})
    );
    assert_eq!(
        serde_json::to_value(ChangedAnswer::DONE).unwrap(),
        json!({"ReturnCode": "0", "ReturnMessage": "ok", "Data": null})
    );
    let forever = TopicSettings {
        retention_ms: Some(-1),
        ..settings()
    };
    let page = [(orders, forever)];
    let datahub = serde_json::to_value(DatahubTopicsAnswer::new(1, &page)).unwrap();
    // The SDKs' field is unsigned.
    assert_eq!(datahub["TopicList"][0]["RetentionMs"], i64::MAX);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[-(){}*+?a-zA-Z0-9_.\\\\é]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            let names = prop_oneof!["Name", "Values", "TagKey", "TagValue"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(names, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    const FIELDS: [&str; 18] = [
        "Name",
        "InstanceId",
        "PartitionNum",
        "RetentionMs",
        "MaxMessageBytes",
        "Note",
        "Tags",
        "Limit",
        "Offset",
        "SearchWord",
        "SearchWordIgnoreCaseFlag",
        "TopicRegularExpression",
        "QueryFromConnectResource",
        "AclRuleName",
        "OrderBy",
        "OrderType",
        "Filters",
        "Unknown",
    ];

    proptest! {
        /// Each parser takes it or says why not, whatever comes.
        #[test]
        fn no_request_panics(
            fields in prop::collection::btree_map(prop::sample::select(&FIELDS[..]), value(), 0..8),
        ) {
            let body = json!(fields).to_string();
            let body = body.as_bytes();
            let view = topic("orders", 3, 1);
            drop((CreateDatahubTopic::parse(body), ModifyDatahubTopic::parse(body)));
            drop(parse_topic_name(body));
            if let Ok(request) = DescribeDatahubTopics::parse(body) {
                request.matches(&view);
                prop_assert!((1..=100).contains(&request.page.limit));
                prop_assert!(request.page.of([1, 2, 3]).len() <= 3);
            }
            if let Ok(request) = DescribeTopic::parse(body) {
                request.matches(&view);
            }
            if let Ok(request) = DescribeTopicDetail::parse(body) {
                request.matches(&view);
                let order = request.compare(&view, &topic("returns", 2, 0));
                prop_assert!(order.is_ne());
            }
        }
    }
}
