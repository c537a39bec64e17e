//! One request of an HTTP/2 connection, and its answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, UNIX_EPOCH};

use actix_http::{Payload, Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::error::PayloadError;
use actix_web::http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, HttpDate, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::http::{Method, Uri, Version};
use bytes::Bytes;
use forebay_engine::clock::unix_millis;
use futures_util::Stream;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, DATE};
use tokio::time::timeout;

/// Longest time that a client may keep an answer from moving on, by taking
/// none of it.
const SEND_STALL: Duration = Duration::from_secs(30);

/// Runs a request to its end. A client that resets the stream ends it, as one
/// that hangs up does in HTTP/1.1.
///
/// # Cancellation
/// Dropping it resets the stream.
pub(super) async fn run<S, B>(
    app: &S,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Option<SocketAddr>,
) where
    S: Service<Request>,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let is_head = request.method() == http::Method::HEAD;
    let Some(request) = for_actix(request, peer) else {
        respond.send_reset(Reason::PROTOCOL_ERROR);
        return;
    };
    let answering = app.call(request);
    let answered = tokio::select! {
        answered = answering => answered,
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
    };
    let sent = match answered {
        Ok(answer) => send(answer.into(), respond, is_head).await,
        Err(error) => send(error.into(), respond, is_head).await,
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "an answer was not sent");
    }
}

/// The request as actix-http has it, which is of an older `http` than h2 is;
/// `None` if that one does not take its head.
fn for_actix(request: http::Request<RecvStream>, peer: Option<SocketAddr>) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let payload = if h2::RecvStream::is_end_stream(&body) {
        Payload::None
    } else {
        Payload::Stream {
            payload: Box::pin(Body(body)) as _,
        }
    };
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    let mut request = Request::with_payload(payload);
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    head.uri = Uri::try_from(parts.uri.to_string()).ok()?;
    head.version = Version::HTTP_2;
    head.headers = headers;
    head.peer_addr = peer;
    Some(request)
}

/// A request's body. What was taken may be sent anew by the client.
struct Body(RecvStream);

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let broken = |error: h2::Error| PayloadError::Io(std::io::Error::other(error));
        let Some(chunk) = ready!(self.0.poll_data(cx)) else {
            return Poll::Ready(None);
        };
        let taken = chunk.and_then(|chunk| {
            let room = self.0.flow_control().release_capacity(chunk.len());
            room.map(|()| chunk)
        });
        Poll::Ready(Some(taken.map_err(broken)))
    }
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Head(#[from] http::Error),
    #[error(transparent)]
    Stream(#[from] h2::Error),
    #[error("its client took nothing for {SEND_STALL:?}")]
    Stalled,
    #[error("its body broke off: {0}")]
    Body(String),
}

async fn send<B>(
    answer: Response<B>,
    mut respond: SendResponse<Bytes>,
    is_head: bool,
) -> Result<(), SendError>
where
    B: MessageBody,
{
    let (answer, body) = answer.into_parts();
    let size = body.size();
    let is_all = is_head || size.is_eof();
    let mut stream = respond.send_response(head(&answer, size)?, is_all)?;
    if is_all {
        return Ok(());
    }
    let mut body = pin!(body);
    while let Some(chunk) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        match chunk {
            Ok(chunk) => send_chunk(&mut stream, chunk).await?,
            Err(error) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Err(SendError::Body(error.into().to_string()));
            }
        }
    }
    stream.send_data(Bytes::new(), true)?;
    Ok(())
}

async fn send_chunk(stream: &mut SendStream<Bytes>, mut chunk: Bytes) -> Result<(), SendError> {
    while !chunk.is_empty() {
        stream.reserve_capacity(chunk.len());
        let capacity = timeout(SEND_STALL, poll_fn(|cx| stream.poll_capacity(cx))).await;
        match capacity {
            Ok(Some(Ok(room))) => {
                let part = chunk.split_to(room.min(chunk.len()));
                stream.send_data(part, false)?;
            }
            Ok(Some(Err(error))) => return Err(error.into()),
            // The client has reset it.
            Ok(None) => return Ok(()),
            Err(_) => {
                stream.send_reset(Reason::CANCEL);
                return Err(SendError::Stalled);
            }
        }
    }
    Ok(())
}

/// Without what is HTTP/1.1's alone (RFC 9113, 8.2.2); with Date and
/// Content-Length, which actix-http adds there.
fn head(answer: &Response<()>, size: BodySize) -> Result<http::Response<()>, http::Error> {
    let mut head = http::Response::builder().status(answer.status().as_u16());
    for (name, value) in answer.headers() {
        if ![CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name) {
            head = head.header(name.as_str(), value.as_bytes());
        }
    }
    if let BodySize::Sized(length) = size {
        head = head.header(CONTENT_LENGTH, length);
    }
    let now = UNIX_EPOCH + Duration::from_millis(unix_millis().unsigned_abs());
    head.header(DATE, HttpDate::from(now).to_string()).body(())
}
