//! One HTTP/2 connection: its streams, its limits, its end.
//!
//! Instead of actix-http's dispatcher, which bounds neither the streams of a
//! connection nor its idle time, sends no GOAWAY when the server stops, and
//! leaves the work of a reset stream running.

mod exchange;
mod socket;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::{Request, Response};
use actix_rt::net::TcpStream;
use actix_server::GracefulShutdownSignal;
use actix_service::Service;
use actix_web::body::{BoxBody, MessageBody};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::server::TlsStream;

use self::socket::Socket;
use crate::lifecycle::{Lifecycle, Phase};

/// Requests under way on one connection; RFC 9113 asks for 100 or more. A
/// client that has more of them opens another connection.
const MAX_STREAMS: u32 = 128;

/// Names and values of a request's head. Well above what signed requests have,
/// tokens of temporary credentials included.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// What a client may send ahead of our reading. Bodies are read as they come,
/// into memory that is reserved, so that this is seldom used up.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Bytes of an answer that may wait for the socket.
const SEND_BUFFER: usize = 256 * 1024;

/// How long connections live.
#[derive(Clone)]
pub(super) struct Rules {
    /// Longest time until the preface is there, and then until the first request.
    pub(super) first_request: Duration,
    /// Longest time without a request.
    pub(super) keep_alive: Duration,
    /// Longest time from the last answer to the end, once GOAWAY is sent.
    pub(super) farewell: Duration,
    /// GOAWAY is sent when this begins to drain.
    pub(super) lifecycle: Lifecycle,
    /// The server's end: nothing is waited for any more but answers.
    pub(super) stopping: GracefulShutdownSignal,
}

/// Serves a connection to its end. Never waits without a limit, as long as
/// `app` does not.
///
/// # Cancellation
/// Dropping it closes the connection; requests under way get no answer.
pub(super) async fn serve<S, B>(
    stream: TlsStream<TcpStream>,
    app: Rc<S>,
    peer: Option<SocketAddr>,
    rules: Rules,
) where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let socket = Socket::new(stream);
    let mut server = h2::server::Builder::new();
    let handshake = server
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .handshake(socket.clone());
    let Ok(Ok(connection)) = timeout(rules.first_request, handshake).await else {
        return;
    };
    // Another balancer may have sent it here during the drain: it is served
    // once, as a connection of HTTP/1.1 is.
    let came_late = rules.lifecycle.phase() > Phase::Serving;
    let life = Life {
        timer: Box::pin(sleep_until(Instant::now() + rules.first_request)),
        leaving: false,
        rules,
    };
    let farewell = life.rules.farewell;
    if run(connection, &app, peer, life, came_late).await.is_ok() {
        socket.linger(farewell).await;
    }
}

/// Why a connection did not end in good order.
struct Broken;

async fn run<S, B>(
    mut connection: Connection<Socket, Bytes>,
    app: &S,
    peer: Option<SocketAddr>,
    mut life: Life,
    came_late: bool,
) -> Result<(), Broken>
where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let rules = life.rules.clone();
    let draining = async {
        if came_late {
            std::future::pending().await
        } else {
            rules.lifecycle.draining().await;
        }
    };
    tokio::pin!(draining);
    let stopping = rules.stopping.notified();
    tokio::pin!(stopping);
    let mut exchanges = FuturesUnordered::new();
    loop {
        let is_full = exchanges.len() >= MAX_STREAMS as usize;
        tokio::select! {
            accepted = poll_fn(|cx| next_stream(&mut connection, is_full, cx)) => {
                let Some((request, respond)) = accepted? else {
                    return Ok(());
                };
                exchanges.push(exchange::run(app, request, respond, peer));
                if came_late {
                    life.leave(&mut connection);
                }
            }
            Some(()) = exchanges.next(), if !exchanges.is_empty() => {
                if exchanges.is_empty() {
                    life.idle();
                }
            }
            () = &mut draining, if !life.leaving => life.leave(&mut connection),
            () = &mut stopping, if !life.leaving => life.leave(&mut connection),
            // Requests under way have deadlines of their own.
            () = &mut life.timer, if exchanges.is_empty() => {
                if life.leaving {
                    return Err(Broken);
                }
                life.leave(&mut connection);
            }
        }
    }
}

type Accepted = (http::Request<RecvStream>, SendResponse<Bytes>);

/// The next request; `None` is the connection's end. Where there are too many
/// requests it only moves bytes: a stream that its client has reset is over
/// for h2, and its work here is not, for a moment.
fn next_stream(
    connection: &mut Connection<Socket, Bytes>,
    is_full: bool,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Accepted>, Broken>> {
    let next = if is_full {
        ready!(connection.poll_closed(cx)).map(|()| None)
    } else {
        ready!(connection.poll_accept(cx)).transpose()
    };
    Poll::Ready(next.map_err(|error| {
        tracing::debug!(%error, "an HTTP/2 connection broke");
        Broken
    }))
}

/// When a connection without requests ends.
struct Life {
    /// Counts while nothing is under way.
    timer: Pin<Box<Sleep>>,
    /// GOAWAY is sent: it ends with its last answer.
    leaving: bool,
    rules: Rules,
}

impl Life {
    /// Its last request has been answered.
    fn idle(&mut self) {
        let rest = if self.leaving {
            self.rules.farewell
        } else {
            self.rules.keep_alive
        };
        self.timer.as_mut().reset(Instant::now() + rest);
    }

    /// Tells the client to go elsewhere: what it has sent until it knows is
    /// answered (RFC 9113, 6.8).
    fn leave(&mut self, connection: &mut Connection<Socket, Bytes>) {
        if !self.leaving {
            self.leaving = true;
            connection.graceful_shutdown();
            self.idle();
        }
    }
}
