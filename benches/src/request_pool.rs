//! Requests made and signed ahead, so that sending one costs a copy.

use std::rc::Rc;

use forebay_api::tc3::{RequestToSign, Signer};

use crate::endpoint::Endpoint;
use crate::messages::MessageSource;
use crate::options::{BodyForm, Options};

/// Far within the 300 s for which a signature holds.
const SIGNATURE_AGE: i64 = 60;

/// Enough for keys and values to look random to the other side,
const POOL_REQUESTS: usize = 1024;
/// if they take no more memory than this; but each access point has one.
const POOL_BYTES: usize = 8 << 20;

/// A complete request.
#[derive(Clone)]
pub(crate) struct Request {
    /// Head and body. Shared with a connection that has not yet sent all of it.
    pub(crate) bytes: Rc<Vec<u8>>,
    /// Index of its access point.
    pub(crate) task: usize,
    body_start: usize,
    signed_at: i64,
}

/// How heads are made.
#[derive(Clone)]
pub(crate) enum HeadForm {
    /// Of SendMessage, signed.
    Signed { signer: Box<Signer>, host: String },
    /// The same bytes for every request.
    Plain { start: String },
}

impl HeadForm {
    /// For a raw endpoint.
    pub(crate) fn plain(options: &Options, endpoint: &Endpoint) -> Self {
        let content_type = match (&options.content_type, options.body) {
            (Some(given), _) => given.as_str(),
            (None, BodyForm::Json) => "application/json",
            (None, BodyForm::Lines) => "text/plain",
            (None, BodyForm::Ndjson) => "application/x-ndjson",
        };
        let path = options.path.as_deref().unwrap_or(&endpoint.path);
        let host = &endpoint.host;
        Self::Plain {
            start: format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n"
            ),
        }
    }

    fn write(&mut self, out: &mut Vec<u8>, body: &[u8], now: i64) {
        match self {
            Self::Plain { start } => out.extend_from_slice(start.as_bytes()),
            Self::Signed { signer, host } => {
                out.extend_from_slice(b"POST / HTTP/1.1\r\n");
                let headers = signer.sign(&RequestToSign {
                    host,
                    action: "SendMessage",
                    body,
                    timestamp: now,
                });
                for (name, value) in headers {
                    for part in [name, ": ", &value, "\r\n"] {
                        out.extend_from_slice(part.as_bytes());
                    }
                }
            }
        }
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    }
}

/// A thread's requests, which it sends in turn.
pub(crate) struct RequestPool {
    requests: Vec<Request>,
    next: usize,
    head: HeadForm,
    /// A signature is made anew when it is older, in seconds.
    max_age: i64,
}

impl RequestPool {
    /// Makes them; `share` of `shares` says with which access point to begin.
    pub(crate) fn new(
        options: &Options,
        mut head: HeadForm,
        source: &mut MessageSource,
        (share, shares): (usize, usize),
        now: i64,
    ) -> Self {
        let datahubs: Vec<&str> = if options.datahub.is_empty() {
            vec![""]
        } else {
            options.datahub.iter().map(String::as_str).collect()
        };
        let mut requests: Vec<Request> = Vec::new();
        let mut bytes = 0;
        // Whole rounds, so that each access point gets as much as the others.
        while requests.is_empty() || (requests.len() < POOL_REQUESTS && bytes < POOL_BYTES) {
            for (task, datahub) in datahubs.iter().enumerate() {
                let body = source.body(options.body, datahub);
                let request = make(&mut head, &body, task, now);
                bytes += request.bytes.len();
                requests.push(request);
            }
        }
        let max_age = match head {
            HeadForm::Plain { .. } => i64::MAX,
            HeadForm::Signed { .. } if options.sign_each => -1,
            HeadForm::Signed { .. } => SIGNATURE_AGE,
        };
        Self {
            next: datahubs.len() * share / shares,
            requests,
            head,
            max_age,
        }
    }

    /// The next request, signed anew where that is due.
    pub(crate) fn next(&mut self, now: i64) -> &Request {
        let at = self.next;
        self.next = (at + 1) % self.requests.len();
        let request = &mut self.requests[at];
        if now - request.signed_at > self.max_age {
            *request = make(
                &mut self.head,
                &request.bytes[request.body_start..],
                request.task,
                now,
            );
        }
        request
    }
}

fn make(head: &mut HeadForm, body: &[u8], task: usize, now: i64) -> Request {
    let mut bytes = Vec::with_capacity(640 + body.len());
    head.write(&mut bytes, body, now);
    let body_start = bytes.len();
    bytes.extend_from_slice(body);
    Request {
        bytes: Rc::new(bytes),
        task,
        body_start,
        signed_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn pool(arguments: &str, share: (usize, usize)) -> RequestPool {
        let all = format!("forebay-load {arguments}");
        let options = Options::try_parse_from(all.split_whitespace()).unwrap();
        let mut source = MessageSource::new(&options, 1).unwrap();
        let endpoint = Endpoint::parse("http://forebay.test:81/path").unwrap();
        let head = if options.raw {
            HeadForm::plain(&options, &endpoint)
        } else {
            HeadForm::Signed {
                signer: Box::new(Signer::new("AKIDtest", "key")),
                host: endpoint.host,
            }
        };
        RequestPool::new(&options, head, &mut source, share, 1_000_000)
    }

    fn text(request: &Request) -> String {
        String::from_utf8(request.bytes.to_vec()).unwrap()
    }

    #[test]
    fn signatures_are_renewed_when_they_are_old() {
        let mut pool = pool("--datahub datahub-aaaaaaaa", (0, 1));
        let first = text(pool.next(1_000_060));
        assert!(first.contains("X-TC-Timestamp: 1000000\r\n"), "{first}");
        let length = pool.requests.len();
        for _ in 1..length {
            pool.next(1_000_060);
        }
        let again = text(pool.next(1_000_061));
        assert!(again.contains("X-TC-Timestamp: 1000061\r\n"), "{again}");
        let body = |request: &str| request.split("\r\n\r\n").nth(1).unwrap().to_owned();
        assert_eq!(body(&first), body(&again));
        let length = format!("Content-Length: {}\r\n", body(&again).len());
        assert!(again.contains(&length));
    }

    #[test]
    fn signing_each_uses_the_present_second() {
        let mut pool = pool("--datahub datahub-aaaaaaaa --sign-each", (0, 1));
        let request = text(pool.next(1_000_001));
        assert!(request.contains("X-TC-Timestamp: 1000001\r\n"));
    }

    #[test]
    fn access_points_take_turns() {
        let mut pool = pool("--tasks datahub-a,datahub-b,datahub-c,datahub-d", (1, 2));
        let tasks: Vec<usize> = (0..6).map(|_| pool.next(0).task).collect();
        assert_eq!(tasks, [2, 3, 0, 1, 2, 3]);
        assert_eq!(pool.requests.len() % 4, 0);
    }

    #[test]
    fn raw_requests_are_as_told() {
        let mut pool = pool(
            "--raw --path /post --body lines --value-bytes 3 --key-bytes 0",
            (0, 1),
        );
        let request = text(pool.next(0));
        let start = "POST /post HTTP/1.1\r\nHost: forebay.test:81\r\nContent-Type: text/plain\r\n\
                     Content-Length: 4\r\n\r\n";
        assert!(request.starts_with(start), "{request}");
    }
}
