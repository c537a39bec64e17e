//! HTTP/1.1 by hand: tests of a server must be able to send what no client
//! library would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::LIMIT;

pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends all of it; a server that hangs up in between fails the test.
    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(LIMIT, self.stream.write_all(bytes))
            .await
            .expect("the server takes bytes in time")
            .expect("the server keeps the connection while it is written to");
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Answer {
        timeout(LIMIT, self.read_answer())
            .await
            .expect("an answer in time")
            .expect("an answer, not the connection's end")
    }

    /// Whether the server closes the connection, without another answer.
    pub async fn closed(&mut self) -> bool {
        let answer = timeout(LIMIT, self.read_answer()).await;
        matches!(answer, Ok(None))
    }

    /// Whether nothing comes for `time`.
    pub async fn silent(&mut self, time: Duration) -> bool {
        let mut byte = [0];
        timeout(time, self.stream.peek(&mut byte)).await.is_err()
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, used)) = parse(&self.unread) {
                self.unread.drain(..used);
                return Some(answer);
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    let end = head_end + length;
    let body = bytes.get(head_end..end)?.to_vec();
    let answer = Answer {
        status,
        headers,
        body,
    };
    Some((answer, end))
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// `Response` of an API answer, whose form is checked.
    pub fn response(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let response = json["Response"].clone();
        let id = response["RequestId"].as_str().unwrap();
        assert_eq!(id.len(), 36, "{id}");
        response
    }

    /// (code, message) of an API error.
    pub fn error(&self) -> (String, String) {
        let error = &self.response()["Error"];
        let text = |name: &str| {
            error[name]
                .as_str()
                .unwrap_or_else(|| panic!("not an error: {}", self.text()))
                .to_owned()
        };
        (text("Code"), text("Message"))
    }
}
