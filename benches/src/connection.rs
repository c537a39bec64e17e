//! One connection: non-blocking, one request at a time.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::http_head::Head;

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    /// When it should have been sent; in a closed loop, when it was.
    pub(crate) due: Instant,
    pub(crate) sent: Instant,
    pub(crate) task: usize,
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Closed,
    Connecting,
    Open,
}

/// What an event has led to.
#[derive(Debug)]
pub(crate) enum Received {
    /// Nothing complete yet.
    Pending,
    /// An answer, in the buffer that was given, or in the connection's own.
    Answer { head: Head, in_scratch: bool },
}

/// A connection to the endpoint, which may be made again after it was lost.
pub(crate) struct Connection {
    pub(crate) state: State,
    pub(crate) flight: Option<Flight>,
    socket: Option<TcpStream>,
    /// What of the request is not yet with the kernel.
    unsent: Option<(Rc<Vec<u8>>, usize)>,
    /// An answer that has come in part.
    partial: Vec<u8>,
    head: Option<Head>,
}

impl Connection {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Closed,
            flight: None,
            socket: None,
            unsent: None,
            partial: Vec::new(),
            head: None,
        }
    }

    /// Begins to connect; an event tells the outcome.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        self.close();
        let mut socket = TcpStream::connect(address)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        self.socket = Some(socket);
        self.state = State::Connecting;
        Ok(())
    }

    /// Whether the connection that was begun is there: `false` is not yet.
    pub(crate) fn finish_connecting(&mut self) -> io::Result<bool> {
        let Some(socket) = &self.socket else {
            return Ok(false);
        };
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => {
                socket.set_nodelay(true)?;
                self.state = State::Open;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets go of the socket and of whatever was under way.
    pub(crate) fn close(&mut self) {
        self.socket = None;
        self.state = State::Closed;
        self.flight = None;
        self.unsent = None;
        self.partial.clear();
        self.head = None;
    }

    /// Sends a request, or as much as the kernel takes for now.
    pub(crate) fn send(&mut self, bytes: &Rc<Vec<u8>>, flight: Flight) -> io::Result<()> {
        self.flight = Some(flight);
        let written = write_some(self.socket.as_mut(), bytes)?;
        if written < bytes.len() {
            self.unsent = Some((Rc::clone(bytes), written));
        }
        Ok(())
    }

    /// Sends what is left of a request.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some((bytes, written)) = &mut self.unsent {
            *written += write_some(self.socket.as_mut(), &bytes[*written..])?;
            if *written == bytes.len() {
                self.unsent = None;
            }
        }
        Ok(())
    }

    /// Reads what has come. `closing`: the event says that the other side has
    /// ended its half, so there is an end to be read as well.
    ///
    /// # Errors
    /// What became of the connection; it is of no use any more.
    pub(crate) fn receive(&mut self, scratch: &mut [u8], closing: bool) -> io::Result<Received> {
        loop {
            let Some(socket) = self.socket.as_mut() else {
                return Ok(Received::Pending);
            };
            let read = match socket.read(scratch) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Received::Pending);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Some(head) = self.take_in(&scratch[..read])? {
                let in_scratch = self.partial.is_empty();
                return Ok(Received::Answer { head, in_scratch });
            }
            // Less than there was room for: nothing is left, and asking for
            // more would cost a system call (epoll(7), question 9).
            if read < scratch.len() && !closing {
                return Ok(Received::Pending);
            }
        }
    }

    fn take_in(&mut self, bytes: &[u8]) -> io::Result<Option<Head>> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        if self.flight.is_none() {
            return Err(invalid("bytes came without a request".to_owned()));
        }
        let in_pieces = !self.partial.is_empty();
        if in_pieces {
            self.partial.extend_from_slice(bytes);
        }
        let have = if in_pieces { &self.partial } else { bytes };
        if self.head.is_none() {
            self.head = Head::parse(have).map_err(invalid)?;
        }
        let whole = self.head.map(|head| head.head_len + head.body_len);
        match whole {
            Some(whole) if have.len() == whole => return Ok(self.head.take()),
            Some(whole) if have.len() > whole => {
                return Err(invalid(
                    "more bytes than the answer's Content-Length".to_owned(),
                ));
            }
            _ => {}
        }
        if !in_pieces {
            self.partial.extend_from_slice(bytes);
        }
        Ok(None)
    }

    /// The body of an answer that is complete.
    pub(crate) fn body<'b>(&'b self, scratch: &'b [u8], head: &Head, in_scratch: bool) -> &'b [u8] {
        let bytes = if in_scratch { scratch } else { &self.partial };
        &bytes[head.head_len..head.head_len + head.body_len]
    }

    /// Makes room for the next answer.
    pub(crate) fn clear(&mut self) {
        self.flight = None;
        // Answers do not become shorter: the room will be needed again.
        self.partial.clear();
    }
}

fn write_some(socket: Option<&mut TcpStream>, bytes: &[u8]) -> io::Result<usize> {
    let Some(socket) = socket else {
        return Err(io::Error::from(io::ErrorKind::NotConnected));
    };
    let mut written = 0;
    while written < bytes.len() {
        match socket.write(&bytes[written..]) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}
