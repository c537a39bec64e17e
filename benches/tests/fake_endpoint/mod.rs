//! An endpoint that answers as it is told, right or wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

/// What an answer is made from.
pub(crate) struct Asked {
    /// Number of the request over all connections, from 0.
    pub(crate) number: u64,
    /// Access point of the request; empty if the body is not SendMessage's.
    pub(crate) datahub: String,
    /// Number of its messages; lines, if the body is not SendMessage's.
    pub(crate) messages: usize,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// First line.
    pub(crate) request_line: String,
    /// Offsets of its topic's only partition that it is to be given.
    pub(crate) first_offset: u64,
}

/// What to do with a request.
pub(crate) enum Reply {
    /// Status 200 and this.
    Json(Value),
    /// These bytes, to the letter.
    Bytes(String),
    /// Close the connection without an answer.
    Close,
}

impl Asked {
    /// MessageIds as they should be.
    pub(crate) fn ids(&self) -> Vec<String> {
        let offsets = self.first_offset..;
        let ids = offsets.take(self.messages);
        ids.map(|offset| format!("{}:topic:0:{offset}:1000:1001", self.datahub))
            .collect()
    }

    /// A right answer.
    pub(crate) fn right(&self) -> Reply {
        ids_reply(&self.ids())
    }
}

pub(crate) fn ids_reply(ids: &[String]) -> Reply {
    Reply::Json(json!({"Response": {"MessageId": ids, "RequestId": "r"}}))
}

pub(crate) fn error_reply(code: &str, message: &str) -> Reply {
    let error = json!({"Code": code, "Message": message});
    Reply::Json(json!({"Response": {"Error": error, "RequestId": "r"}}))
}

type Behaviour = dyn Fn(&Asked) -> Reply + Send + Sync;

/// Listens until it is dropped; a thread for each connection.
pub(crate) struct FakeEndpoint {
    pub(crate) address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl FakeEndpoint {
    pub(crate) fn start(behaviour: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let state = Arc::new(State {
            behaviour: Box::new(behaviour),
            requests: AtomicU64::new(0),
            offset: AtomicU64::new(0),
        });
        let until = Arc::clone(&stopped);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, state) = (stream.unwrap(), Arc::clone(&state));
                // A client that goes away in the middle is no concern here.
                std::thread::spawn(move || serve(stream, &state).ok());
            }
        });
        Self { address, stopped }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for FakeEndpoint {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees that it is over.
        TcpStream::connect(self.address).ok();
    }
}

struct State {
    behaviour: Box<Behaviour>,
    requests: AtomicU64,
    offset: AtomicU64,
}

fn serve(stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request_line = String::new();
        if reader.read_line(&mut request_line)? == 0 {
            return Ok(());
        }
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body)?;
        let (datahub, messages) = match serde_json::from_slice::<Value>(&body) {
            Ok(Value::Object(parsed)) if parsed.contains_key("Message") => (
                parsed["DataHubId"].as_str().unwrap().to_owned(),
                parsed["Message"].as_array().unwrap().len(),
            ),
            _ => (
                String::new(),
                body.iter().filter(|byte| **byte == b'\n').count(),
            ),
        };
        let asked = Asked {
            number: state.requests.fetch_add(1, Ordering::SeqCst),
            first_offset: state.offset.fetch_add(messages as u64, Ordering::SeqCst),
            datahub,
            messages,
            headers,
            request_line,
        };
        match (state.behaviour)(&asked) {
            Reply::Close => return Ok(()),
            Reply::Bytes(bytes) => writer.write_all(bytes.as_bytes())?,
            Reply::Json(json) => {
                let body = json.to_string();
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                writer.write_all(answer.as_bytes())?;
            }
        }
    }
}
