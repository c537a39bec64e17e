//! A service that answers what a test tells it to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Answers `Response` to a request, or hangs up. Told how many requests came
/// before, and may block.
type Script = dyn Fn(usize, &Value) -> Option<Value> + Send + Sync;

/// Threads of its own, which end with the test's process.
pub struct FakeApi {
    pub endpoint: String,
    pub folder: TempDir,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl FakeApi {
    pub fn start(script: impl Fn(usize, &Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let shared = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, requests) = (Arc::clone(&script), Arc::clone(&shared));
                thread::spawn(move || serve(&stream.unwrap(), &script, &requests));
            }
        });
        Self {
            endpoint,
            folder: tempfile::tempdir().unwrap(),
            requests,
        }
    }

    /// Bodies so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// A client command for it, with credentials from the environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = super::forebay(&self.folder);
        command
            .args(args)
            .args(["--endpoint", &self.endpoint])
            .env("TENCENTCLOUD_SECRET_ID", "AKIDfake")
            .env("TENCENTCLOUD_SECRET_KEY", "key");
        command
    }
}

/// MessageIds for all messages of a request.
pub fn acknowledged(request: &Value) -> Value {
    let count = request["Message"].as_array().map_or(0, Vec::len);
    let ids: Vec<String> = (0..count)
        .map(|offset| format!("datahub-aaaaaaaa:t:0:{offset}:1:2"))
        .collect();
    json!({ "MessageId": ids, "RequestId": "r" })
}

/// An error.
pub fn error(code: &str, message: &str) -> Value {
    json!({ "Error": { "Code": code, "Message": message }, "RequestId": "r" })
}

impl FakeApi {
    /// See [`acknowledged`].
    pub fn ack(request: &Value) -> Option<Value> {
        Some(acknowledged(request))
    }

    /// See [`error`].
    pub fn refuse(code: &str, message: &str) -> Option<Value> {
        Some(error(code, message))
    }
}

fn serve(stream: &TcpStream, script: &Arc<Script>, requests: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let before = {
            let mut requests = requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let Some(response) = script(before, &request) else {
            return;
        };
        let body = json!({ "Response": response }).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut writer = stream;
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
