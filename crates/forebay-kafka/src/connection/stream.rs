//! The byte stream below the messenger: one that can be closed from outside,
//! sends each frame in one piece, and tells the ledger where frames end.
//!
//! rskafka's messenger finishes a frame in a task of its own when the request
//! that sent it is dropped; that task holds the frame and the socket for as
//! long as the broker does not read. Only whoever owns the stream can end it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_util::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
    sync::Notify,
};
use tokio_rustls::client::TlsStream;

use super::frame_ledger::FrameLedger;

/// Room for the answers that come along with the one that is read.
const READ_BUFFER: usize = 16 * 1024;

/// Length of a frame's prefix, its length.
const PREFIX: usize = 4;

/// What carries the bytes.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    /// Boxed: it is twenty times as large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Closes the stream from outside.
#[derive(Debug, Default)]
pub(super) struct CloseSwitch {
    closed: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    over: Notify,
}

impl CloseSwitch {
    /// Makes reads and writes fail, those that wait included. Idempotent.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
        self.over.notify_waiters();
    }

    /// Resolves once it is closed.
    pub(super) async fn closed(&self) {
        // Made before the look, so that a close in between is not missed.
        let over = self.over.notified();
        if !self.is_closed() {
            over.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// The stream that the messenger is given.
pub(super) struct Stream {
    /// `None` once closed: the socket goes at once, whoever still holds the stream.
    inner: Option<BufReader<Transport>>,
    switch: Arc<CloseSwitch>,
    ledger: Arc<FrameLedger>,
    outgoing: Outgoing,
}

/// Where in a frame the writing stands.
#[derive(Debug, Default)]
struct Outgoing {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that we were given, and that were sent.
    given: usize,
    sent: usize,
    /// Bytes of the frame, without its prefix, that are to be sent.
    left: usize,
}

impl Stream {
    pub(super) fn new(
        transport: Transport,
        switch: Arc<CloseSwitch>,
        ledger: Arc<FrameLedger>,
    ) -> Self {
        let inner = Some(BufReader::with_capacity(READ_BUFFER, transport));
        Self {
            inner,
            switch,
            ledger,
            outgoing: Outgoing::default(),
        }
    }

    /// The transport, unless it has been closed.
    fn open(&mut self) -> io::Result<Pin<&mut BufReader<Transport>>> {
        if self.switch.is_closed() {
            self.inner = None;
        }
        // `Error::from_request` knows this kind without a system's number.
        self.inner
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::Error::new(io::ErrorKind::ConnectionAborted, "closed on our side"))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, body: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let Outgoing {
                prefix, sent, left, ..
            } = self.outgoing;
            let body = &body[..body.len().min(left)];
            let unsent = PREFIX - sent;
            let transport = self.open()?;
            let written = if unsent > 0 {
                let slices = [IoSlice::new(&prefix[sent..]), IoSlice::new(body)];
                ready!(transport.poll_write_vectored(cx, &slices))?
            } else {
                ready!(transport.poll_write(cx, body))?
            };
            if written == 0 {
                return Poll::Ready(Ok(0));
            }
            let of_prefix = written.min(unsent);
            self.outgoing.sent += of_prefix;
            let of_body = written - of_prefix;
            // Nothing of the body went out: saying 0 would mean end of file.
            if of_body > 0 {
                self.outgoing.left -= of_body;
                if self.outgoing.left == 0 {
                    self.outgoing = Outgoing::default();
                    self.ledger.frame_ended();
                }
                return Poll::Ready(Ok(of_body));
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // First the waker, then the look at the switch: no close gets lost.
        this.switch.reader.register(cx.waker());
        let room = buf.remaining();
        let result = ready!(this.open()?.poll_read(cx, buf));
        if result.is_err() || (room > 0 && buf.remaining() == room) {
            // The broker is gone: nothing more must be handed to it. What it
            // has not answered fails by the end that the messenger reads.
            this.switch.close();
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.switch.writer.register(cx.waker());
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let given = this.outgoing.given;
        if given < PREFIX {
            // Held back, to leave together with the frame in one segment.
            let taken = buf.len().min(PREFIX - given);
            this.outgoing.prefix[given..given + taken].copy_from_slice(&buf[..taken]);
            this.outgoing.given += taken;
            if this.outgoing.given == PREFIX {
                this.outgoing.left = u32::from_be_bytes(this.outgoing.prefix) as usize;
            }
            return Poll::Ready(this.open().map(|_| taken));
        }
        if this.outgoing.sent == 0 {
            this.ledger.frame_begins(buf);
        }
        let result = this.poll_body(cx, buf);
        if let Poll::Ready(Err(_)) = result {
            this.ledger.frame_ended();
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.switch.writer.register(cx.waker());
        this.open()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().open()?.poll_shutdown(cx)
    }
}
