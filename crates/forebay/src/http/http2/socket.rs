//! A connection's bytes, shared between HTTP/2 and what comes after it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// One handle of a stream; h2 keeps the one it was given to itself.
#[derive(Clone)]
pub(super) struct Socket(Rc<RefCell<TlsStream<TcpStream>>>);

impl Socket {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self(Rc::new(RefCell::new(stream)))
    }

    /// Reads and forgets what the client still says, until it hangs up too. A
    /// socket that is closed with bytes unread is reset, and with it goes what
    /// its client has not read yet: answers.
    pub(super) async fn linger(mut self, limit: Duration) {
        let mut forgotten = [0; 512];
        let to_the_end = async { while matches!(self.read(&mut forgotten).await, Ok(1..)) {} };
        if timeout(limit, to_the_end).await.is_err() {
            tracing::trace!("a client kept its connection after the end");
        }
    }

    fn with<T>(&self, poll: impl FnOnce(Pin<&mut TlsStream<TcpStream>>) -> T) -> T {
        poll(Pin::new(&mut self.0.borrow_mut()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}
