//! One client's connection: frames in, answers out in the order of requests.
//!
//! One task does both. While an answer waits (for an fdatasync, or for records
//! to come), further requests are read and handled, up to a limit; what has to
//! happen in their order happens before the next one is read.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::protocol::{self, Refused, Reply};
use crate::services::Services;

/// Requests of a connection whose answers may be outstanding.
const MAX_OUTSTANDING: usize = 16;
/// Read at a time, so that memory follows what arrives and not what is claimed.
const READ_BYTES: usize = 256 << 10;
const LENGTH_BYTES: usize = 4;

/// Why a connection ended, other than by its client.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("expected a request of at most {limit} bytes, got one of {claimed}")]
    FrameSize { claimed: i32, limit: usize },
    #[error("no request for {0:?}")]
    Idle(Duration),
}

type Answer = Pin<Box<dyn Future<Output = Result<Bytes, Refused>> + Send>>;

/// Serves a connection until it ends or `stop` becomes true; then what has been
/// received is still answered.
pub(crate) async fn serve(
    services: Arc<Services>,
    stream: TcpStream,
    peer: SocketAddr,
    stop: watch::Receiver<bool>,
) {
    match Connection::new(services, stream, stop) {
        Ok(connection) => {
            if let Err(reason) = connection.run().await {
                tracing::debug!(%peer, %reason, "connection closed");
            }
        }
        Err(error) => tracing::debug!(%peer, %error, "connection lost at once"),
    }
}

struct Connection {
    services: Arc<Services>,
    stream: TcpStream,
    local: SocketAddr,
    stop: watch::Receiver<bool>,
    received: BytesMut,
    outstanding: VecDeque<Answer>,
}

enum Event {
    Answer(Result<Bytes, Refused>),
    Frame(Option<Bytes>),
    Stop,
}

impl Connection {
    fn new(
        services: Arc<Services>,
        stream: TcpStream,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let outstanding = VecDeque::new();
        Ok(Self {
            services,
            stream,
            local,
            stop,
            received: BytesMut::new(),
            outstanding,
        })
    }

    async fn run(mut self) -> Result<(), Closed> {
        loop {
            match self.next().await? {
                Event::Answer(answer) => self.send(answer?).await?,
                Event::Frame(Some(frame)) => self.handle(frame).await?,
                // A client may close its sending side and still read.
                Event::Frame(None) => break,
                Event::Stop => {
                    self.handle_received().await?;
                    break;
                }
            }
        }
        while let Some(answer) = self.outstanding.pop_front() {
            let answer = answer.await?;
            self.send(answer).await?;
        }
        self.stream.shutdown().await?;
        Ok(())
    }

    /// Whatever comes first; cancelling the others loses nothing.
    async fn next(&mut self) -> Result<Event, Closed> {
        let may_read = self.outstanding.len() < MAX_OUTSTANDING;
        let is_quiet = self.outstanding.is_empty();
        let limits = (
            self.services.config.max_frame_bytes,
            self.services.config.idle_timeout,
        );
        let Self {
            stream,
            received,
            outstanding,
            stop,
            ..
        } = self;
        tokio::select! {
            biased;
            answer = poll_fn(|context| poll_first(outstanding, context)), if !is_quiet => {
                Ok(Event::Answer(answer))
            }
            // The sender's end means the same.
            _ = stop.wait_for(|stop| *stop) => Ok(Event::Stop),
            frame = read_frame(stream, received, limits, is_quiet), if may_read => {
                Ok(Event::Frame(frame?))
            }
        }
    }

    /// Whole requests that have arrived already.
    async fn handle_received(&mut self) -> Result<(), Closed> {
        let limit = self.services.config.max_frame_bytes;
        while let Some(frame) = take_frame(&mut self.received, limit)? {
            self.handle(frame).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, frame: Bytes) -> Result<(), Closed> {
        match protocol::handle(&self.services, self.local, frame).await? {
            Reply::Nothing => {}
            Reply::Ready(answer) if self.outstanding.is_empty() => self.send(answer).await?,
            Reply::Ready(answer) => {
                self.outstanding
                    .push_back(Box::pin(std::future::ready(Ok(answer))));
            }
            Reply::Later(answer) => self.outstanding.push_back(answer),
        }
        Ok(())
    }

    async fn send(&mut self, answer: Bytes) -> Result<(), Closed> {
        let idle_timeout = self.services.config.idle_timeout;
        // A client that does not read must not hold the connection for ever.
        match timeout(idle_timeout, self.stream.write_all(&answer)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Closed::Idle(idle_timeout)),
        }
    }
}

fn poll_first(
    outstanding: &mut VecDeque<Answer>,
    context: &mut Context<'_>,
) -> Poll<Result<Bytes, Refused>> {
    let Some(first) = outstanding.front_mut() else {
        return Poll::Pending;
    };
    let answer = std::task::ready!(first.as_mut().poll(context));
    outstanding.pop_front();
    Poll::Ready(answer)
}

/// The next frame without its length; `None` when the client has closed.
///
/// # Cancellation
/// Safe: what has been read stays in `received`.
async fn read_frame(
    stream: &mut TcpStream,
    received: &mut BytesMut,
    (max_frame_bytes, idle_timeout): (usize, Duration),
    is_quiet: bool,
) -> Result<Option<Bytes>, Closed> {
    loop {
        if let Some(frame) = take_frame(received, max_frame_bytes)? {
            return Ok(Some(frame));
        }
        received.reserve(READ_BYTES);
        let read = stream.read_buf(received);
        let read = if is_quiet {
            timeout(idle_timeout, read)
                .await
                .map_err(|_| Closed::Idle(idle_timeout))?
        } else {
            read.await
        };
        if read? == 0 {
            return Ok(None);
        }
    }
}

fn take_frame(received: &mut BytesMut, max_frame_bytes: usize) -> Result<Option<Bytes>, Closed> {
    let Some(length) = received.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let claimed = i32::from_be_bytes(*length);
    let length = usize::try_from(claimed)
        .ok()
        .filter(|length| *length <= max_frame_bytes)
        .ok_or(Closed::FrameSize {
            claimed,
            limit: max_frame_bytes,
        })?;
    if received.len() < LENGTH_BYTES + length {
        return Ok(None);
    }
    received.advance(LENGTH_BYTES);
    Ok(Some(received.split_to(length).freeze()))
}
