//! A server that gives one reply after another, whatever it is asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// MessageIds.
    Sent(&'static [&'static str]),
    /// Code and message.
    Error(&'static str, &'static str),
    /// The connection ends without an answer.
    HangUp,
}

/// Keeps connections open, as Forebay does.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    script: Arc<Script>,
    accepting: JoinHandle<()>,
}

struct Script {
    replies: &'static [Reply],
    requests: Mutex<Vec<Value>>,
}

impl ScriptedServer {
    pub(crate) async fn start(replies: &'static [Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Mutex::default();
        let script = Arc::new(Script { replies, requests });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&script)));
        Self {
            address,
            script,
            accepting,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The messages' bodies, of every request so far.
    pub(crate) fn bodies(&self) -> Vec<Vec<String>> {
        let requests = self.script.requests.lock().unwrap();
        requests
            .iter()
            .map(|request| {
                let messages = request["Message"].as_array().unwrap().iter();
                let bodies = messages.map(|message| message["Body"].as_str().unwrap().to_owned());
                bodies.collect()
            })
            .collect()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, Arc::clone(&script)));
    }
}

async fn serve(stream: TcpStream, script: Arc<Script>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream).await {
        let Some(answer) = script.answer(request) else {
            return;
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        let answer = head + &answer;
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl Script {
    /// Takes note of a request, and gives the next reply's JSON.
    fn answer(&self, request: Value) -> Option<String> {
        let mut requests = self.requests.lock().unwrap();
        requests.push(request);
        let reply = self.replies.get(requests.len() - 1);
        let response = match reply.copied().unwrap_or(Reply::HangUp) {
            Reply::Sent(ids) => json!({"MessageId": ids, "RequestId": "r"}),
            Reply::Error(code, message) => {
                json!({"Error": {"Code": code, "Message": message}, "RequestId": "r"})
            }
            Reply::HangUp => return None,
        };
        Some(json!({"Response": response}).to_string())
    }
}

/// The JSON of the next request; nothing at the connection's end.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
