//! What a credential's scope allows: by action, by access point, on queries.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

use std::fmt::Write as _;

use forebay_api::Action;
use harness::{Replica, SECRET_ID, SECRET_KEY, credential, new_task, now, signed_head, with_body};
use serde_json::{Value, json};

const OUT_OF_SCOPE: &str = "AuthFailure.UnauthorizedOperation";

/// With more credentials than its own, all of the key `k`.
async fn start(more: &[(String, &str)]) -> Replica {
    let replica = Replica::start_embedded_in(tempfile::tempdir().unwrap(), |config| {
        let mut text = credential(SECRET_ID, SECRET_KEY, "");
        for (id, scope) in more {
            write!(text, "{}", credential(id, "k", scope)).unwrap();
        }
        std::fs::write(config.auth.credentials.as_ref().unwrap(), text).unwrap();
    })
    .await;
    replica.await_ready().await;
    replica
}

async fn call_as(replica: &Replica, id: &str, action: &str, parameters: &Value) -> Value {
    let body = parameters.to_string();
    let head = signed_head(action, body.as_bytes(), now(), id, "k");
    let answer = replica.send(&with_body(head, body.as_bytes())).await;
    answer.response()
}

/// The error's code, "" where there is none.
async fn code(replica: &Replica, id: &str, action: &str, parameters: &Value) -> String {
    let response = call_as(replica, id, action, parameters).await;
    response["Error"]["Code"].as_str().unwrap_or("").to_owned()
}

/// Good parameters of an action, for things that are not there.
fn nowhere(action: Action) -> Value {
    let task: Value = serde_json::from_str(&new_task("nowhere", "nowhere")).unwrap();
    match action {
        Action::SendMessage => {
            json!({"DataHubId": "datahub-zzzzzzzz", "Message": [{"Body": "b"}]})
        }
        Action::CreateDatahubTask => task,
        _ => json!({
            "TaskId": "task-zzzzzzzz", "TaskName": "n", "InstanceId": "ckafka-forebay0",
            "Topic": "nowhere", "Name": "nowhere", "PartitionNum": 1, "RetentionMs": 60_000,
            "Partition": 0, "Offset": 0,
        }),
    }
}

#[actix_web::test]
async fn an_action_is_allowed_to_whom_it_is_listed_for() {
    let scopes: Vec<_> = Action::ALL
        .iter()
        .map(|action| format!("actions = [\"{action}\"]"))
        .collect();
    let mut credentials: Vec<_> = Action::ALL
        .iter()
        .zip(&scopes)
        .map(|(action, scope)| (format!("AKID{action}"), scope.as_str()))
        .collect();
    credentials.push(("AKIDtasks".to_owned(), "actions = [\"*DatahubTask*\"]"));
    credentials.push(("AKIDnone".to_owned(), "actions = []"));
    let replica = start(&credentials).await;
    for action in Action::ALL {
        let (name, parameters) = (action.as_str(), nowhere(*action));
        for other in Action::ALL {
            let code = code(&replica, &format!("AKID{other}"), name, &parameters).await;
            let allowed = code != OUT_OF_SCOPE;
            assert_eq!(allowed, action == other, "{name} for {other}: {code}");
        }
        let by_pattern = code(&replica, "AKIDtasks", name, &parameters).await != OUT_OF_SCOPE;
        assert_eq!(by_pattern, name.contains("DatahubTask"), "{name}");
        assert_eq!(
            code(&replica, "AKIDnone", name, &parameters).await,
            OUT_OF_SCOPE
        );
    }
    replica.stop().await;
}

#[actix_web::test]
async fn an_access_point_and_its_topic_are_open_to_whom_it_is_listed_for() {
    let replica = start(&[
        ("AKIDone".to_owned(), "datahubs = [\"datahub-forebay0\"]"),
        (
            "AKIDsome".to_owned(),
            "datahubs = [\"datahub-f*\", \"datahub-zzzzzzzz\"]",
        ),
        ("AKIDnone".to_owned(), "datahubs = []"),
        ("AKIDevery".to_owned(), "datahubs = [\"datahub-*\"]"),
    ])
    .await;
    let more = json!({"UseAutoCreateTopic": true});
    let (other_task, other) = replica.create_task_with("other", "other", &more).await;
    let send = |datahub: &str| json!({"DataHubId": datahub, "Message": [{"Body": "b"}]});
    let mine = json!({"TaskId": "task-forebay0"});
    let theirs = json!({"TaskId": other_task});
    let on_tasks = [
        "DescribeDatahubTask",
        "PauseDatahubTask",
        "ResumeDatahubTask",
        "RestartDatahubTask",
        "ModifyDatahubTask",
    ];

    assert_eq!(
        code(
            &replica,
            "AKIDone",
            "SendMessage",
            &send("datahub-forebay0")
        )
        .await,
        ""
    );
    // One that is there and one that is not look alike.
    for datahub in [other.as_str(), "datahub-zzzzzzzz"] {
        let code = code(&replica, "AKIDone", "SendMessage", &send(datahub)).await;
        assert_eq!(code, OUT_OF_SCOPE);
    }
    for action in on_tasks {
        assert_eq!(
            code(&replica, "AKIDone", action, &mine).await,
            "",
            "{action}"
        );
        for foreign in [&theirs, &json!({"TaskId": "task-zzzzzzzz"})] {
            let code = code(&replica, "AKIDone", action, foreign).await;
            assert_eq!(code, OUT_OF_SCOPE, "{action}");
        }
        assert_eq!(
            code(&replica, "AKIDnone", action, &mine).await,
            OUT_OF_SCOPE
        );
        assert_eq!(
            code(&replica, "AKIDevery", action, &theirs).await,
            "",
            "{action}"
        );
    }
    let listed = async |id: &str| {
        let listed = call_as(&replica, id, "DescribeDatahubTasks", &json!({})).await;
        listed["Result"]["TotalCount"].as_i64().unwrap()
    };
    assert_eq!(listed("AKIDone").await, 1);
    assert_eq!(listed("AKIDnone").await, 0);
    assert_eq!(listed("AKIDevery").await, 2);

    // Patterns: allowed, and then not there.
    let code_of_some = code(
        &replica,
        "AKIDsome",
        "SendMessage",
        &send("datahub-zzzzzzzz"),
    )
    .await;
    assert_eq!(code_of_some, "ResourceNotFound");
    assert_eq!(
        code(
            &replica,
            "AKIDsome",
            "SendMessage",
            &send("datahub-forebay0")
        )
        .await,
        ""
    );

    // A new access point would be out of its maker's own reach.
    let create: Value = serde_json::from_str(&new_task("mine", "quickstart")).unwrap();
    for id in ["AKIDone", "AKIDsome", "AKIDnone"] {
        assert_eq!(
            code(&replica, id, "CreateDatahubTask", &create).await,
            OUT_OF_SCOPE
        );
    }
    assert_eq!(
        code(&replica, "AKIDevery", "CreateDatahubTask", &create).await,
        ""
    );

    // Deleting: last, because it is what it says.
    assert_eq!(
        code(&replica, "AKIDone", "DeleteDatahubTask", &theirs).await,
        OUT_OF_SCOPE
    );
    assert_eq!(
        code(&replica, "AKIDevery", "DeleteDatahubTask", &theirs).await,
        ""
    );
    replica.stop().await;
}

#[actix_web::test]
async fn a_query_is_open_where_a_task_of_the_scope_targets_the_topic() {
    let replica = start(&[
        ("AKIDone".to_owned(), "datahubs = [\"datahub-forebay0\"]"),
        ("AKIDnone".to_owned(), "datahubs = []"),
        ("AKIDevery".to_owned(), "datahubs = [\"*\"]"),
    ])
    .await;
    let more = json!({"UseAutoCreateTopic": true});
    let (_, other) = replica.create_task_with("other", "other", &more).await;
    for datahub in ["datahub-forebay0", &other] {
        let send = json!({"DataHubId": datahub, "Message": [{"Body": "b", "Key": "k"}]});
        let sent = replica.call("SendMessage", &send.to_string()).await;
        assert!(sent.response()["MessageId"].is_array());
    }
    let queries = Action::ALL.iter().map(|action| action.as_str());
    let queries: Vec<_> = queries.filter(|name| name.starts_with("Fetch")).collect();
    assert_eq!(queries.len(), 5);
    for query in queries {
        for (topic, exists) in [("quickstart", true), ("other", true), ("nothing", false)] {
            let place = json!({
                "InstanceId": "ckafka-forebay0", "Topic": topic, "Name": topic,
                "Partition": 0, "Offset": 0,
            });
            for (id, open) in [
                ("AKIDone", topic == "quickstart"),
                ("AKIDnone", false),
                ("AKIDevery", true),
            ] {
                let code = code(&replica, id, query, &place).await;
                assert_eq!(code != OUT_OF_SCOPE, open, "{query} {topic} {id}: {code}");
                if open && !exists {
                    assert_eq!(code, "ResourceNotFound", "{query} {topic} {id}");
                }
            }
        }
    }
    // Without its task the topic is closed, though what it holds is the same.
    let task = json!({"TaskId": "task-forebay0"});
    let latest = json!({"Name": "quickstart", "Partition": 0});
    let query = "FetchLatestDatahubMessageList";
    assert_eq!(code(&replica, "AKIDone", query, &latest).await, "");
    let deleted = replica.call("DeleteDatahubTask", &task.to_string()).await;
    assert!(deleted.response()["Error"].is_null());
    assert_eq!(
        code(&replica, "AKIDone", query, &latest).await,
        OUT_OF_SCOPE
    );
    assert_eq!(code(&replica, "AKIDevery", query, &latest).await, "");
    replica.stop().await;
}

#[actix_web::test]
async fn a_topic_in_use_names_the_tasks_of_the_scope_and_counts_the_others() {
    let mine = "datahubs = [\"datahub-forebay0\"]";
    let replica = start(&[("AKIDone".to_owned(), mine), ("AKIDall".to_owned(), "")]).await;
    let (theirs, _) = replica.create_task("theirs", "quickstart").await;
    let delete = json!({"Name": "quickstart"});
    let refusal = async |id: &str| {
        let response = call_as(&replica, id, "DeleteDatahubTopic", &delete).await;
        let error = &response["Error"];
        assert_eq!(error["Code"], "ResourceInUse", "{response}");
        error["Message"].as_str().unwrap().to_owned()
    };
    let said = refusal("AKIDall").await;
    assert!(
        said.contains("task-forebay0") && said.contains(&theirs),
        "{said}"
    );
    let said = refusal("AKIDone").await;
    assert!(
        said.ends_with(": task-forebay0, 1 outside of your scope"),
        "{said}"
    );
    replica.stop().await;
}
