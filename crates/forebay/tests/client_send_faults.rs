//! `forebay send` where not all goes well: against a service that answers
//! what each test tells it to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client_support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{ChildStderr, ChildStdin, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use client_support::{FakeApi, Process, await_that, run};
use serde_json::{Value, json};

const SEND: [&str; 3] = ["send", "--datahub", "datahub-aaaaaaaa"];

fn bodies(request: &Value) -> Vec<&str> {
    let messages = request["Message"].as_array().unwrap().iter();
    messages.map(|one| one["Body"].as_str().unwrap()).collect()
}

#[test]
fn only_what_is_not_stored_is_sent_again() {
    let api = FakeApi::start(|before, request| match before {
        0 => FakeApi::refuse(
            "FailedOperation",
            r#"partly stored: {"stored":{"1":"id-b"},"not_stored":[0,2],"unknown":[]}"#,
        ),
        1 => FakeApi::refuse("RequestLimitExceeded", "later"),
        2 => FakeApi::refuse("ResourceUnavailable.KafkaStorageError", "not stored: later"),
        _ => FakeApi::ack(request),
    });
    let ended = run(
        api.command(&[&SEND[..], &["--print-ids"]].concat()),
        b"a\nb\nc\n",
    );
    assert!(
        ended
            .err
            .starts_with("3 acknowledged, 0 not stored, 0 unknown"),
        "{ended:?}"
    );
    assert_eq!(ended.ok().lines().count(), 3);
    let requests = api.requests();
    assert_eq!(bodies(&requests[0]), ["a", "b", "c"]);
    for request in &requests[1..] {
        assert_eq!(bodies(request), ["a", "c"]);
    }
    assert_eq!(requests.len(), 4);
}

#[test]
fn in_order_nothing_is_sent_after_what_should_follow_it() {
    let api = FakeApi::start(|_, _| {
        FakeApi::refuse(
            "FailedOperation",
            r#"partly stored: {"stored":{"1":"id-b"},"not_stored":[0],"unknown":[]}"#,
        )
    });
    let ended = run(
        api.command(&[&SEND[..], &["--concurrency", "1"]].concat()),
        b"a\nb\n",
    );
    let err = ended.failed(1);
    assert!(
        err.starts_with("1 acknowledged, 1 not stored, 0 unknown"),
        "{err}"
    );
    assert!(err.contains("not stored: line 1\n"), "{err}");
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn what_is_unknown_is_never_sent_again() {
    let unknown = || FakeApi::refuse("FailedOperation", "delivery unknown: no answer");
    let partly = || {
        FakeApi::refuse(
            "FailedOperation",
            r#"partly stored: {"stored":{},"not_stored":[0],"unknown":[1]}"#,
        )
    };
    let hang_up = || None;
    let too_few = || Some(json!({ "MessageId": ["one"], "RequestId": "r" }));
    type Answer = fn() -> Option<Value>;
    let cases: [(Answer, &str); 4] = [
        (unknown, "0 not stored, 2 unknown"),
        (partly, "1 not stored, 1 unknown"),
        (hang_up, "0 not stored, 2 unknown"),
        (too_few, "0 not stored, 2 unknown"),
    ];
    for (answer, expected) in cases {
        let api = FakeApi::start(move |_, _| answer());
        let arguments = [&SEND[..], &["--batch", "2", "--concurrency", "1"]].concat();
        let err = run(api.command(&arguments), b"a\nb\nc\nd\n").failed(1);
        assert!(err.contains(expected), "{err}");
        assert!(err.contains("no line after line 2 was sent"), "{err}");
        assert_eq!(api.requests().len(), 1, "{err}");
    }
}

#[test]
fn what_others_write_does_not_control_the_terminal() {
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\r\n";
    let api = FakeApi::start(move |_, request| {
        if request["Message"].is_array() {
            return FakeApi::refuse("InvalidParameter", hostile);
        }
        let mut task = json!({
            "TaskId": "task-aaaaaaaa", "DatahubId": "datahub-aaaaaaaa", "Status": 1,
            "TaskName": hostile, "Description": hostile, "CreateTime": hostile,
        });
        if request["TaskId"].is_string() {
            return Some(json!({ "Result": task, "RequestId": hostile }));
        }
        task["Description"].take();
        Some(json!({ "Result": { "TotalCount": 1, "TaskList": [task] }, "RequestId": hostile }))
    });
    let said = [
        run(api.command(&SEND), b"a\n").failed(1),
        run(api.command(&["task", "list"]), b"").ok(),
        run(api.command(&["task", "list", "--output", "json"]), b"").ok(),
        run(api.command(&["task", "show", hostile]), b"").ok(),
    ];
    for text in said {
        let control = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(control, None, "{text:?}");
        assert!(text.contains("owned"), "{text}");
    }
}

#[test]
fn all_pages_of_tasks_are_listed() {
    let api = FakeApi::start(|_, request| {
        let offset = request["Offset"].as_u64().unwrap();
        let limit = request["Limit"].as_u64().unwrap();
        let task = |number| json!({ "TaskId": format!("task-{number:08}"), "Status": number % 2 });
        let page: Vec<Value> = (offset..(offset + limit).min(250)).map(task).collect();
        Some(json!({ "Result": { "TotalCount": 250, "TaskList": page }, "RequestId": "r" }))
    });
    let list = ["task", "list", "--output", "json"];
    let all = run(api.command(&list), b"").json();
    assert_eq!(all.as_array().unwrap().len(), 250);
    assert_eq!(all[249]["TaskId"], "task-00000249");
    let running = [&list[..], &["--status", "running"]].concat();
    let running = run(api.command(&running), b"").json();
    assert_eq!(running.as_array().unwrap().len(), 125);
}

#[test]
fn a_typed_line_is_sent_while_nothing_more_is_typed() {
    let api = FakeApi::start(|_, request| FakeApi::ack(request));
    let mut process = Process(api.command(&SEND).stdin(Stdio::piped()).spawn().unwrap());
    let mut stdin = process.0.stdin.take().unwrap();
    for count in 1..=3 {
        stdin.write_all(b"typed\n").unwrap();
        await_that("the line arrives", || api.requests().len() == count);
    }
    drop(stdin);
    let ended = process.end();
    assert!(ended.err.starts_with("3 acknowledged"), "{ended:?}");
    ended.ok();
}

/// A sender whose one line has arrived and has no answer until its `release`.
struct UnderWay {
    api: FakeApi,
    process: Process,
    release: Sender<()>,
    /// Open: what ends the process is not the end of its input.
    _stdin: ChildStdin,
}

impl UnderWay {
    fn start() -> Self {
        let (release, released) = channel();
        let released = Mutex::new(released);
        let api = FakeApi::start(move |_, request| {
            // Never released is as good as no answer.
            released.lock().unwrap().recv().ok()?;
            FakeApi::ack(request)
        });
        let mut process = Process(api.command(&SEND).stdin(Stdio::piped()).spawn().unwrap());
        let mut stdin = process.0.stdin.take().unwrap();
        stdin.write_all(b"under way\n").unwrap();
        await_that("the line arrives", || api.requests().len() == 1);
        Self {
            api,
            process,
            release,
            _stdin: stdin,
        }
    }

    /// Sends the first signal and returns stderr, after what it says then.
    fn interrupt(&mut self) -> BufReader<ChildStderr> {
        self.process.signal("-INT");
        let mut err = BufReader::new(self.process.0.stderr.take().unwrap());
        let mut line = String::new();
        err.read_line(&mut line).unwrap();
        assert!(line.contains("under way: 1"), "{line}");
        err
    }
}

fn rest(mut err: BufReader<ChildStderr>) -> String {
    let mut text = String::new();
    err.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_first_signal_waits_for_what_is_under_way() {
    let mut sender = UnderWay::start();
    let err = sender.interrupt();
    assert!(sender.process.is_running());
    sender.release.send(()).unwrap();
    let err = rest(err);
    assert_eq!(sender.process.end().code, Some(1));
    assert!(
        err.starts_with("1 acknowledged, 0 not stored, 0 unknown"),
        "{err}"
    );
    assert!(err.contains("interrupted"), "{err}");
    assert_eq!(sender.api.requests().len(), 1);
}

#[test]
fn the_second_signal_ends_at_once() {
    let mut sender = UnderWay::start();
    let err = sender.interrupt();
    sender.process.signal("-INT");
    let err = rest(err);
    assert_eq!(sender.process.end().code, Some(1));
    assert!(
        err.starts_with("0 acknowledged, 0 not stored, 1 unknown"),
        "{err}"
    );
    assert!(err.contains("unknown: line 1\n"), "{err}");
}
