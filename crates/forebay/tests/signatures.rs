//! Every action by every signature and encoding, and what is refused of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use forebay_api::v1::SignatureMethod;
use forebay_api::{Action, MessageId};
use forebay_testkit::await_condition;
use harness::signing::{Way, form, form_with, get, sign_form, tc3_get};
use harness::{LIMIT, Replica, SECRET_ID, SECRET_KEY, credential, new_task_with, now};
use serde_json::{Value, json};

const SHA1_FORM: Way = Way::V1Post(SignatureMethod::HmacSha1);

async fn call(replica: &Replica, way: Way, action: &str, parameters: &Value) -> Value {
    let answer = replica.send(&way.request(action, parameters)).await;
    answer.response()
}

async fn ok(replica: &Replica, way: Way, action: &str, parameters: &Value) -> Value {
    let response = call(replica, way, action, parameters).await;
    let error = &response["Error"];
    assert!(error.is_null(), "{action} by {way:?}: {error}");
    response
}

/// A task's life by one way: created, modified, sent to, paused, read back, deleted.
async fn tells_the_story(replica: &Replica, way: Way, topic: &str) {
    let more = json!({
        "UseAutoCreateTopic": true, "PartitionNum": 3, "QpsLimit": 1_000_000, "KeepPartition": false
    });
    let create: Value = serde_json::from_str(&new_task_with(topic, topic, &more)).unwrap();
    let created = ok(replica, way, "CreateDatahubTask", &create).await;
    let text = |name: &str| created["Result"][name].as_str().unwrap().to_owned();
    let (task, datahub) = (text("TaskId"), text("DatahubId"));
    let by_id = json!({"TaskId": task});
    let described = ok(replica, way, "DescribeDatahubTask", &by_id).await;
    let target = &described["Result"]["TargetResource"]["KafkaParam"];
    assert_eq!(target["PartitionNum"], 3, "{described}");
    assert_eq!(target["QpsLimit"], 1_000_000, "{described}");
    let modify = json!({"TaskId": task, "Description": "a + b & c=d", "AutoExpandFlag": true});
    ok(replica, way, "ModifyDatahubTask", &modify).await;
    let described = ok(replica, way, "DescribeDatahubTask", &by_id).await;
    assert_eq!(described["Result"]["Description"], "a + b & c=d");

    let bodies = [
        "a+b",
        "c d&e=f%20",
        "你好 \u{1F980}\n\u{1}",
        "",
        "~*'()\"\\",
    ];
    // Twelve: in byte order item 10 comes before item 2.
    let messages: Vec<Value> = (0..12)
        .map(|index| json!({"Key": format!("键 {index}"), "Body": bodies[index % 5]}))
        .collect();
    let send = json!({"DataHubId": datahub, "Message": messages});
    let sent = ok(replica, way, "SendMessage", &send).await;
    let ids = sent["MessageId"].as_array().unwrap();
    assert_eq!(ids.len(), messages.len());
    for (id, message) in ids.iter().zip(&messages) {
        let id: MessageId = id.as_str().unwrap().parse().unwrap();
        let place = json!({
            "InstanceId": "ckafka-forebay0", "Topic": topic,
            "Partition": id.partition, "Offset": id.offset,
        });
        let found = ok(replica, way, "FetchMessageByOffset", &place).await;
        assert_eq!(found["Result"]["Key"], message["Key"], "{found}");
        assert_eq!(found["Result"]["Value"], message["Body"], "{found}");
    }

    ok(replica, way, "PauseDatahubTask", &by_id).await;
    let refused = call(replica, way, "SendMessage", &send).await;
    assert_eq!(refused["Error"]["Code"], "FailedOperation");
    let suspended = format!("task status suspended [{datahub}]");
    assert_eq!(refused["Error"]["Message"], *suspended);
    ok(replica, way, "ResumeDatahubTask", &by_id).await;
    ok(replica, way, "SendMessage", &send).await;
    ok(replica, way, "DeleteDatahubTask", &by_id).await;
    let gone = call(replica, way, "SendMessage", &send).await;
    assert_eq!(gone["Error"]["Code"], "ResourceNotFound");
}

#[actix_web::test]
async fn every_way_tells_the_whole_story() {
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    for (index, way) in Way::ALL.into_iter().enumerate() {
        tells_the_story(&replica, way, &format!("story{index}")).await;
    }
    replica.stop().await;
}

/// What changes nothing is asked in every way, of every action there is, and
/// answered alike: wrong parameters with the same code and the same text.
#[actix_web::test]
async fn every_action_answers_alike_in_every_way() {
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    let place = json!({
        "InstanceId": "ckafka-forebay0", "Topic": "quickstart", "TopicName": "quickstart",
        "Name": "quickstart", "Partition": 0, "Offset": 0, "Limit": 3, "SearchWord": "quick",
        "SinglePartitionRecordNumber": 2, "TaskId": "task-forebay0",
    });
    let nothing = json!({});
    for action in Action::ALL {
        let name = action.as_str();
        let only_reads = name.starts_with("Describe") || name.starts_with("Fetch");
        let asked: &[&Value] = if only_reads {
            &[&place, &nothing]
        } else {
            &[&nothing]
        };
        for parameters in asked {
            let mut by_json = call(&replica, Way::Tc3Post, name, parameters).await;
            by_json["RequestId"].take();
            for way in &Way::ALL[1..] {
                let mut answered = call(&replica, *way, name, parameters).await;
                answered["RequestId"].take();
                assert_eq!(answered, by_json, "{name} by {way:?}");
            }
        }
    }
    replica.stop().await;
}

/// Sends `request` and expects this refusal.
async fn refuses(replica: &Replica, request: &[u8], code: &str, text: &str) {
    let (actual, message) = replica.send(request).await.error();
    let start = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
    assert_eq!(actual, code, "{message}\n{start}");
    assert!(
        message.contains(text),
        "{message:?} lacks {text:?}\n{start}"
    );
}

fn one_message() -> Value {
    json!({"DataHubId": "datahub-forebay0", "Message": [{"Body": "b"}]})
}

#[actix_web::test]
async fn who_may_not_call_is_refused_in_every_way() {
    let replica = Replica::start_embedded_in(tempfile::tempdir().unwrap(), |config| {
        let path = config.auth.credentials.clone().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text += &credential("AKIDtoken", "k", "token = \"t +/\"");
        text += &credential("AKIDread", "k", "actions = [\"Describe*\"]");
        text += &credential("AKIDother", "k", "datahubs = [\"datahub-bbbbbbbb\"]");
        std::fs::write(&path, text).unwrap();
    })
    .await;
    replica.await_ready().await;
    let send = one_message();
    for way in Way::ALL {
        let request = |at, id, key, token| way.request_of("SendMessage", &send, at, id, key, token);
        for (request, code) in [
            (request(now(), SECRET_ID, "wrong", None), "SignatureFailure"),
            (request(now(), "AKIDnobody", "k", None), "SecretIdNotFound"),
            (
                request(now() - 400, SECRET_ID, SECRET_KEY, None),
                "SignatureExpire",
            ),
            (
                request(now() + 400, SECRET_ID, SECRET_KEY, None),
                "SignatureExpire",
            ),
            (request(now(), "AKIDtoken", "k", None), "TokenFailure"),
            (request(now(), "AKIDtoken", "k", Some("u")), "TokenFailure"),
            (
                request(now(), "AKIDread", "k", None),
                "UnauthorizedOperation",
            ),
            (
                request(now(), "AKIDother", "k", None),
                "UnauthorizedOperation",
            ),
        ] {
            refuses(&replica, &request, &format!("AuthFailure.{code}"), "").await;
        }
        for request in [
            request(now(), SECRET_ID, SECRET_KEY, None),
            request(now(), SECRET_ID, SECRET_KEY, Some("not asked for")),
            request(now() - 200, SECRET_ID, SECRET_KEY, None),
            request(now(), "AKIDtoken", "k", Some("t +/")),
        ] {
            let response = replica.send(&request).await.response();
            assert!(response["MessageId"].is_array(), "{way:?}: {response}");
        }
        // Any other byte, where it says something else.
        let text = String::from_utf8(way.request("SendMessage", &send)).unwrap();
        let forged = text.replacen("datahub-forebay0", "datahub-forebay1", 1);
        assert_ne!(forged, text);
        refuses(
            &replica,
            forged.as_bytes(),
            "AuthFailure.SignatureFailure",
            "",
        )
        .await;
        let rehosted = text.replacen("Host: forebay.test", "Host: evil.test", 1);
        refuses(
            &replica,
            rehosted.as_bytes(),
            "AuthFailure.SignatureFailure",
            "",
        )
        .await;
        let coffee = way.request("MakeCoffee", &send);
        refuses(&replica, &coffee, "InvalidAction", "MakeCoffee").await;
    }
    await_condition(LIMIT, "the skew to be shown", async || {
        let skew = replica.metric("forebay_clock_skew_seconds").await;
        skew.is_some_and(|skew| skew >= 200.0)
    })
    .await
    .unwrap();
    replica.stop().await;
}

#[actix_web::test]
async fn a_get_or_form_that_says_too_little_too_much_or_nonsense() {
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    let no_claim = "AuthFailure.InvalidAuthorization";
    for request in [
        get("", ""),
        get("Action=SendMessage&Version=2019-08-19", ""),
        get("a=b", "Authorization: SKIP\r\n"),
        get("a=b", "Authorization: TC3-HMAC-SHA256 x\r\n"),
        form("Action=SendMessage&Version=2019-08-19"),
        form(""),
        form_with("Signature=AAAA", "Authorization: SKIP\r\n"),
    ] {
        refuses(&replica, &request, no_claim, "").await;
    }
    let good = sign_form(
        "SendMessage",
        &[("DataHubId", "datahub-forebay0"), ("Message.0.Body", "b")],
    );
    for (changed, code, text) in [
        (
            good.replace("Version=2019-08-19", "Version=1"),
            "AuthFailure.SignatureFailure",
            "",
        ),
        (
            format!("{good}&Action=x"),
            "AuthFailure.SignatureFailure",
            "",
        ),
        (
            format!("{good}&Timestamp=1"),
            no_claim,
            "Timestamp is there more than once",
        ),
        (format!("{good}%"), "InvalidParameter", "percent-encoding"),
        (
            format!("{good}{}", "&a".repeat(4096)),
            "InvalidParameterValue",
            "4096",
        ),
    ] {
        refuses(&replica, &form(&changed), code, text).await;
    }
    // What is rightly signed and still wrong. Action and Version are added by the signer.
    for (action, more, code, text) in [
        (
            "SendMessage",
            ("Version", "2019-08-19"),
            "InvalidParameter",
            "Version: the parameter is given twice",
        ),
        (
            "SendMessage",
            ("Action", "SendMessage"),
            "InvalidParameter",
            "Action: the parameter is given twice",
        ),
        (
            "SendMessage",
            ("DataHubId", "x"),
            "InvalidParameter",
            "DataHubId: the parameter is given twice",
        ),
        (
            "SendMessage",
            ("Message.999999999.Body", "x"),
            "InvalidParameter",
            "there is no Message.1",
        ),
        (
            "SendMessage",
            ("Message.0", "x"),
            "InvalidParameter",
            "Message.0: expected an object",
        ),
        (
            "DescribeDatahubTasks",
            ("Limit", "ten"),
            "InvalidParameter",
            "Limit: expected an integer of 64 bits, got [ten]",
        ),
        (
            "DescribeDatahubTasks",
            ("a.a.a.a.a.a.a.a.a.a.a", ""),
            "InvalidParameter",
            "more than 10 parts",
        ),
        (
            "DescribeDatahubTasks",
            ("Message.0", ""),
            "InvalidParameter",
            "given both",
        ),
    ] {
        let pairs = [
            ("DataHubId", "datahub-forebay0"),
            ("Message.0.Body", "b"),
            more,
        ];
        refuses(&replica, &form(&sign_form(action, &pairs)), code, text).await;
    }
    let compressed = form_with(&good, "Content-Encoding: gzip\r\n");
    refuses(
        &replica,
        &compressed,
        "InvalidParameter",
        "Content-Encoding",
    )
    .await;
    // The query of a POST is not signed by v1, and is nothing.
    let beside = String::from_utf8(form(&good)).unwrap();
    let beside = beside.replacen("POST /", "POST /?DataHubId=datahub-zzzzzzzz&Action=x", 1);
    let response = replica.send(beside.as_bytes()).await.response();
    assert!(response["MessageId"].is_array(), "{response}");
    replica.stop().await;
}

#[actix_web::test]
async fn limits_of_queries_and_forms_and_the_memory_given_back() {
    let replica = Replica::start_embedded().await;
    replica.await_ready().await;
    let query = |length: usize| {
        let start = "DataHubId=datahub-forebay0&Message.0.Body=";
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    let request = |length| {
        tc3_get(
            "SendMessage",
            &query(length),
            now(),
            SECRET_ID,
            SECRET_KEY,
            None,
        )
    };
    let response = replica.send(&request(32 << 10)).await.response();
    assert!(response["MessageId"].is_array(), "{response}");
    let too_long = "RequestSizeLimitExceeded";
    refuses(
        &replica,
        &request((32 << 10) + 1),
        too_long,
        "32769 bytes, the limit is 32768",
    )
    .await;

    // Beyond what HTTP libraries take as a URI.
    let answer = replica.send(&request(65 << 10)).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");

    let messages = |count: usize, body: &str| {
        let one = json!({"Body": body});
        json!({"DataHubId": "datahub-forebay0", "Message": vec![one; count]})
    };
    // 10,485 × 500 is a little less than 5 MiB.
    let full = SHA1_FORM.request("SendMessage", &messages(500, &"x".repeat(10_485)));
    let response = replica.send(&full).await.response();
    assert_eq!(
        response["MessageId"].as_array().map(Vec::len),
        Some(500),
        "{response:.300}"
    );
    let many = SHA1_FORM.request("SendMessage", &messages(501, "x"));
    refuses(&replica, &many, "InvalidParameterValue", "got 501 messages").await;
    let over = SHA1_FORM.request(
        "SendMessage",
        &messages(2, &"x".repeat(5 << 19).replacen("xx", "xxx", 1)),
    );
    refuses(&replica, &over, "InvalidParameterValue", "5242882").await;
    // 3.5 MiB that need three times that in a form.
    let escaped = SHA1_FORM.request("SendMessage", &messages(1, &"+".repeat(7 << 19)));
    refuses(&replica, &escaped, too_long, "").await;
    let empty_pairs = form(&"&".repeat(10 << 20));
    refuses(
        &replica,
        &empty_pairs,
        "AuthFailure.InvalidAuthorization",
        "",
    )
    .await;
    let pairs = form(&"a&".repeat(5 << 20));
    refuses(&replica, &pairs, "InvalidParameterValue", "4096").await;
    await_condition(LIMIT, "all memory to be given back", async || {
        replica.metric("forebay_inflight_bytes").await == Some(0.0)
    })
    .await
    .unwrap();
    replica.stop().await;
}
