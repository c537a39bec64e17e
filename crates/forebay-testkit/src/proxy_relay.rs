//! One connection through the fault proxy, frame by frame.

use std::collections::HashSet;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::proxy::{AfterDrop, Mode, ProxyState, Towards};

/// Frames that may be on their way in one direction.
const QUEUE: usize = 256;
/// More than a broker's `socket.request.max.bytes`.
const FRAME_LIMIT: usize = 256 << 20;
const PRODUCE: [u8; 2] = [0, 0];

/// A frame with its length prefix, and when it may arrive.
struct Frame {
    bytes: Vec<u8>,
    due: Instant,
}

/// Correlation ids of produce requests whose responses are still to come.
type Produces = Mutex<HashSet<[u8; 4]>>;

/// Serves one client's connection to its end.
pub(crate) async fn relay(mut client: TcpStream, state: &ProxyState) -> io::Result<()> {
    let mut cuts = state.cuts.subscribe();
    let carried = tokio::select! {
        biased;
        () = closed_by_mode(state) => Ok(()),
        _ = cuts.changed() => Ok(()),
        carried = carry(&mut client, state) => carried,
    };
    if *state.mode.borrow() == Mode::Reset {
        client.set_zero_linger()?;
    }
    carried
}

async fn closed_by_mode(state: &ProxyState) {
    await_mode(state, |mode| matches!(mode, Mode::Reset | Mode::Refuse)).await;
}

async fn await_mode(state: &ProxyState, wanted: impl Fn(Mode) -> bool) {
    let mut modes = state.mode.subscribe();
    // The sender lives in `state`, so this only ends with the wanted mode.
    drop(modes.wait_for(|mode| wanted(*mode)).await);
}

async fn carry(client: &mut TcpStream, state: &ProxyState) -> io::Result<()> {
    await_mode(state, |mode| mode != Mode::Blackhole).await;
    let mut broker = TcpStream::connect(state.upstream).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_broker, mut to_broker) = broker.split();
    let produces = Produces::default();
    let (request_in, request_out) = mpsc::channel(QUEUE);
    let (response_in, response_out) = mpsc::channel(QUEUE);
    // The first of the four that ends, ends the connection.
    tokio::select! {
        end = read_frames(&mut from_client, request_in, state, Towards::Broker) => end,
        end = write_requests(request_out, &mut to_broker, state, &produces) => end,
        end = read_frames(&mut from_broker, response_in, state, Towards::Client) => end,
        end = write_responses(response_out, &mut to_client, state, &produces) => end,
    }
}

async fn read_frames(
    from: &mut (impl AsyncRead + Unpin),
    queue: mpsc::Sender<Frame>,
    state: &ProxyState,
    towards: Towards,
) -> io::Result<()> {
    loop {
        let prefix = from.read_u32().await?;
        let length = usize::try_from(prefix).unwrap_or(usize::MAX);
        if length > FRAME_LIMIT {
            return Err(io::Error::other(format!(
                "frame of {length} bytes: this is not Kafka without TLS"
            )));
        }
        let mut bytes = vec![0; 4 + length];
        bytes[..4].copy_from_slice(&prefix.to_be_bytes());
        from.read_exact(&mut bytes[4..]).await?;
        let delay = match *state.mode.borrow() {
            Mode::Delay { towards: slow, by } if slow == towards => by,
            _ => Duration::ZERO,
        };
        let due = Instant::now() + delay;
        if queue.send(Frame { bytes, due }).await.is_err() {
            return Ok(());
        }
    }
}

async fn write_requests(
    mut queue: mpsc::Receiver<Frame>,
    to: &mut (impl AsyncWrite + Unpin),
    state: &ProxyState,
    produces: &Produces,
) -> io::Result<()> {
    while let Some(frame) = queue.recv().await {
        tokio::time::sleep_until(frame.due).await;
        await_mode(state, |mode| mode != Mode::Blackhole).await;
        // Length 4, api key 2, api version 2, correlation id 4.
        if frame.bytes.get(4..6) == Some(&PRODUCE)
            && let Some(correlation) = frame.bytes.get(8..12)
        {
            let correlation = correlation.try_into().expect("a slice of four bytes");
            let mut produces = produces.lock().expect("no panic while it is held");
            produces.insert(correlation);
            state.produce_requests.fetch_add(1, Ordering::Relaxed);
        }
        to.write_all(&frame.bytes).await?;
    }
    Ok(())
}

async fn write_responses(
    mut queue: mpsc::Receiver<Frame>,
    to: &mut (impl AsyncWrite + Unpin),
    state: &ProxyState,
    produces: &Produces,
) -> io::Result<()> {
    while let Some(frame) = queue.recv().await {
        tokio::time::sleep_until(frame.due).await;
        if is_produce_response(&frame, produces) {
            let count = state.produce_responses.fetch_add(1, Ordering::Relaxed) + 1;
            let mode = *state.mode.borrow();
            if let Mode::DropProduceResponses { every, then } = mode
                && count.is_multiple_of(every)
            {
                state.dropped.fetch_add(1, Ordering::Relaxed);
                match then {
                    AfterDrop::Close => return Ok(()),
                    AfterDrop::Silence => return std::future::pending().await,
                }
            }
        }
        let flows = |mode| !matches!(mode, Mode::Blackhole | Mode::HoldResponses);
        await_mode(state, flows).await;
        to.write_all(&frame.bytes).await?;
    }
    Ok(())
}

fn is_produce_response(frame: &Frame, produces: &Produces) -> bool {
    let Some(correlation) = frame.bytes.get(4..8) else {
        return false;
    };
    let mut produces = produces.lock().expect("no panic while it is held");
    produces.remove(correlation)
}
