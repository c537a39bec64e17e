//! The genuine SDK against a server that gives one answer after another.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::SocketAddr;

use forebay_testkit::python_sdk_or_skip;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers requests with `answers`, then gives back what it was sent: the action
/// and the body of each.
async fn serve(answers: Vec<&'static str>) -> (SocketAddr, JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let (mut action, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                let line = line.trim_end();
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(": ").unwrap_or((line, ""));
                match name.to_ascii_lowercase().as_str() {
                    "x-tc-action" => action = value.to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            requests.push((action, String::from_utf8(body).unwrap()));
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (address, task)
}

const SENT: &str = r#"{"Response":{"MessageId":["a","b"],"RequestId":"r-1"}}"#;
const DESCRIBED: &str = r#"{"Response":{"Result":{"TaskId":"task-x"},"RequestId":"r-3"}}"#;
const PAUSED: &str = r#"{"Response":{"Error":{"Code":"FailedOperation","Message":"task status suspended"},"RequestId":"r-2"}}"#;

#[tokio::test]
async fn answers_and_exceptions_come_as_json() {
    let Some(python) = python_sdk_or_skip() else {
        return;
    };
    let (address, server) = serve(vec![SENT, PAUSED, DESCRIBED]).await;
    let session = python.session(&address.to_string(), "id", "key").unwrap();
    let params = r#"{"DataHubId": "datahub-x", "Message": [{"Body": "b", "Key": "k"}]}"#;
    let sent = session.call("SendMessage", params).await.unwrap();
    assert_eq!(
        sent.trim(),
        r#"{"ok": {"MessageId": ["a", "b"], "RequestId": "r-1"}, "unfilled": []}"#
    );
    let refused = session.call("SendMessage", params).await.unwrap();
    assert_eq!(
        refused.trim(),
        r#"{"error": {"code": "FailedOperation", "message": "task status suspended", "requestId": "r-2"}}"#
    );
    let described = session
        .call("DescribeDatahubTask", r#"{"TaskId": "task-x"}"#)
        .await
        .unwrap();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    let unfilled = described["unfilled"].as_array().unwrap();
    assert!(unfilled.contains(&"Result.TaskName".into()), "{described}");
    assert!(!unfilled.contains(&"Result.TaskId".into()), "{described}");
    let requests = server.await.unwrap();
    assert_eq!(requests[0], ("SendMessage".to_owned(), params.to_owned()));
}

#[tokio::test]
async fn one_shot_commands_make_the_calls_they_are_named_after() {
    let Some(python) = python_sdk_or_skip() else {
        return;
    };
    const OK: &str = r#"{"Response":{"RequestId":"r"}}"#;
    let (address, server) = serve(vec![OK; 9]).await;
    let endpoint = address.to_string();
    let commands: [(&[&str], &str, &str); 9] = [
        (
            &["send", "--datahub", "d"],
            r#"[{"Body": "x"}]"#,
            "SendMessage",
        ),
        (
            &["create", "--name", "n", "--topic", "t", "--partitions", "3"],
            "",
            "CreateDatahubTask",
        ),
        (&["describe", "--task", "t"], "", "DescribeDatahubTask"),
        (&["list", "--search", "s"], "", "DescribeDatahubTasks"),
        (
            &["modify", "--task", "t", "--name", "n"],
            "",
            "ModifyDatahubTask",
        ),
        (&["pause", "--task", "t"], "", "PauseDatahubTask"),
        (&["resume", "--task", "t"], "", "ResumeDatahubTask"),
        (&["restart", "--task", "t"], "", "RestartDatahubTask"),
        (&["delete", "--task", "t"], "", "DeleteDatahubTask"),
    ];
    for (command, input, _) in commands {
        let common = [
            "--endpoint",
            &endpoint,
            "--secret-id",
            "i",
            "--secret-key",
            "k",
        ];
        let args = [&common[..], command].concat();
        let output = python.run("forebay_client.py", &args, input).await.unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(output.starts_with(r#"{"ok": {"#), "{command:?}: {output}");
    }
    let requests = server.await.unwrap();
    for ((action, body), (command, _, expected)) in requests.iter().zip(commands) {
        assert_eq!(action, expected, "{command:?} sent {body}");
    }
    assert!(
        requests[1].1.contains(r#""PartitionNum": 3"#),
        "{}",
        requests[1].1
    );
}
