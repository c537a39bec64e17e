//! A broker for tests that does as it is told, mostly wrong things.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

const FETCH: i16 = 1;
pub(crate) const METADATA: i16 = 3;
pub(crate) const SASL_HANDSHAKE: i16 = 17;
pub(crate) const API_VERSIONS: i16 = 18;
pub(crate) const CREATE_TOPICS: i16 = 19;
pub(crate) const INIT_PRODUCER_ID: i16 = 22;
pub(crate) const SASL_AUTHENTICATE: i16 = 36;

/// What the broker does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this, after the header.
    Answer(Vec<u8>),
    /// Sends these bytes as they are.
    Raw(Vec<u8>),
    /// Goes on reading.
    Silence,
    /// Reads no more.
    Deaf,
    Close,
}

type Behaviour = dyn Fn(i16) -> Reply + Send + Sync;

pub(crate) struct FakeBroker {
    pub(crate) port: u16,
    pub(crate) seen: Arc<Seen>,
    /// Aborts the tasks when dropped.
    _tasks: JoinSet<()>,
}

/// What the broker has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) accepted: AtomicUsize,
    /// Connections whose end we have seen.
    pub(crate) ended: AtomicUsize,
    requests: Mutex<HashMap<i16, usize>>,
    /// Sizes of the first pieces in which requests arrived.
    pub(crate) first_pieces: Mutex<Vec<(usize, usize)>>,
    changed: Notify,
}

impl Seen {
    pub(crate) fn requests(&self, api: i16) -> usize {
        self.requests.lock().get(&api).copied().unwrap_or(0)
    }

    /// Waits until `condition` holds; panics after 30 s.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if condition(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .expect("condition holds");
    }
}

impl FakeBroker {
    /// Answers ApiVersions unless `behaviour` says `Silence`, `Deaf` or
    /// `Close` to it, and everything else as told.
    pub(crate) async fn start(behaviour: impl Fn(i16) -> Reply + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_on(listener, behaviour).await
    }

    /// As [`start`](Self::start), when the port has to be known before.
    pub(crate) async fn start_on(
        listener: std::net::TcpListener,
        behaviour: impl Fn(i16) -> Reply + Send + Sync + 'static,
    ) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let behaviour: Arc<Behaviour> = Arc::new(behaviour);
        let mut tasks = JoinSet::new();
        let for_task = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                for_task.accepted.fetch_add(1, Ordering::SeqCst);
                let (seen, behaviour) = (Arc::clone(&for_task), Arc::clone(&behaviour));
                connections.spawn(async move {
                    serve(stream, &seen, &*behaviour).await;
                    seen.ended.fetch_add(1, Ordering::SeqCst);
                    seen.changed.notify_waiters();
                });
            }
        });
        Self {
            port,
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

async fn serve(mut stream: TcpStream, seen: &Seen, behaviour: &Behaviour) {
    let mut buffer = Vec::new();
    loop {
        let mut first_piece = None;
        let frame = loop {
            if let Some(len) = buffer.first_chunk::<4>() {
                let len = 4 + u32::from_be_bytes(*len) as usize;
                if buffer.len() >= len {
                    seen.first_pieces
                        .lock()
                        .push((first_piece.unwrap_or(len), len));
                    break buffer.drain(..len).collect::<Vec<u8>>();
                }
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => first_piece.get_or_insert(read),
            };
        };
        let api = i16::from_be_bytes([frame[4], frame[5]]);
        *seen.requests.lock().entry(api).or_default() += 1;
        seen.changed.notify_waiters();
        let reply = match behaviour(api) {
            Reply::Answer(_) | Reply::Raw(_) if api == API_VERSIONS => Reply::Answer(versions()),
            reply => reply,
        };
        let bytes = match reply {
            Reply::Answer(body) => {
                let mut answer = (body.len() as u32 + 4).to_be_bytes().to_vec();
                answer.extend_from_slice(&frame[8..12]);
                answer.extend(body);
                answer
            }
            Reply::Raw(bytes) => bytes,
            Reply::Silence => continue,
            Reply::Deaf => std::future::pending().await,
            Reply::Close => return,
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// ApiVersions v3: everything that we use, up to what Kafka 4 has.
fn versions() -> Vec<u8> {
    let apis: &[(i16, i16, i16)] = &[
        (0, 0, 13),
        (FETCH, 4, 11),
        (2, 1, 3),
        (METADATA, 0, 4),
        (SASL_HANDSHAKE, 1, 1),
        (API_VERSIONS, 0, 3),
        (CREATE_TOPICS, 2, 4),
        (INIT_PRODUCER_ID, 0, 1),
        (SASL_AUTHENTICATE, 0, 1),
    ];
    let mut body = vec![0, 0, apis.len() as u8 + 1];
    for (api, min, max) in apis {
        for number in [api, min, max] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.push(0);
    }
    body.extend_from_slice(&[0, 0, 0, 0, 0]);
    body
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(&(text.len() as i16).to_be_bytes());
    body.extend_from_slice(text.as_bytes());
}

/// Metadata v4: brokers 0, 1, … at these ports; topics with error code and
/// the leaders of their partitions.
pub(crate) fn metadata(ports: &[u16], topics: &[(&str, i16, &[i32])]) -> Vec<u8> {
    let mut body = vec![0; 4];
    let int = |body: &mut Vec<u8>, number: i32| body.extend_from_slice(&number.to_be_bytes());
    int(&mut body, ports.len() as i32);
    for (id, port) in ports.iter().enumerate() {
        int(&mut body, id as i32);
        put_text(&mut body, "127.0.0.1");
        int(&mut body, i32::from(*port));
        body.extend_from_slice(&[0xff, 0xff]);
    }
    body.extend_from_slice(&[0xff, 0xff]);
    int(&mut body, 0);
    int(&mut body, topics.len() as i32);
    for (name, code, leaders) in topics {
        body.extend_from_slice(&code.to_be_bytes());
        put_text(&mut body, name);
        body.push(0);
        int(&mut body, leaders.len() as i32);
        for (index, leader) in leaders.iter().enumerate() {
            body.extend_from_slice(&[0, 0]);
            for number in [index as i32, *leader, 1, *leader, 1, *leader] {
                int(&mut body, number);
            }
        }
    }
    body
}

/// SaslAuthenticate v1: success, with these words of the mechanism, and for so
/// long.
pub(crate) fn authenticated(words: &[u8], lifetime_ms: i64) -> Vec<u8> {
    // No error, no message.
    let mut body = vec![0, 0, 0xff, 0xff];
    body.extend_from_slice(&(words.len() as i32).to_be_bytes());
    body.extend_from_slice(words);
    body.extend_from_slice(&lifetime_ms.to_be_bytes());
    body
}

/// InitProducerId v0–1.
pub(crate) fn producer_id(throttle_ms: i32, id: i64) -> Vec<u8> {
    let mut body = throttle_ms.to_be_bytes().to_vec();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&id.to_be_bytes());
    body.extend_from_slice(&[0, 0]);
    body
}
