//! Certificates of a CA of the test's own, and clients that speak TLS.

use std::cell::Cell;
use std::future::Future as _;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use forebay::config::TlsFiles;
use h2::client::SendRequest;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{HOST, LIMIT, SECRET_ID, SECRET_KEY, now, signed_headers};

/// A certificate authority.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

impl Ca {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Self {
            issuer,
            certificate,
        }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Writes a new pair of files: a certificate for the test's host and this
    /// machine, known by `name`, good for `days`.
    pub fn write(&self, files: &TlsFiles, name: &str, days: i64) {
        let (certificate, key) = self.make(name, days);
        std::fs::write(&files.cert, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
    }

    /// A certificate and its key, in PEM.
    pub fn make(&self, name: &str, days: i64) -> (String, String) {
        let hosts = ["127.0.0.1".to_owned(), HOST.to_owned()];
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Whole days from one that has begun everywhere.
        let today = rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(now() as u64);
        let day = std::time::Duration::from_secs(86_400);
        params.not_before = today - day;
        params.not_after = today + day * u32::try_from(days).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// How a client that trusts it connects.
    pub fn client(
        &self,
        alpn: &[&[u8]],
        versions: &[&'static SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|one| one.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    /// A TLS connection on which `alpn` was offered.
    pub async fn connect(&self, address: SocketAddr, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
        self.try_connect(address, alpn).await.unwrap()
    }

    pub async fn try_connect(
        &self,
        address: SocketAddr,
        alpn: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let client = self.client(alpn, rustls::ALL_VERSIONS);
        let name = ServerName::try_from(HOST).unwrap();
        timeout(LIMIT, client.connect(name, stream)).await.unwrap()
    }

    /// An HTTP/2 connection.
    pub async fn http2(&self, address: SocketAddr) -> Http2 {
        let stream = self.connect(address, &[b"h2", b"http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, mut connection) = h2::client::handshake(stream).await.unwrap();
        let max_streams = Rc::new(Cell::new(0));
        let seen = Rc::clone(&max_streams);
        let ended = actix_rt::spawn(std::future::poll_fn(move |cx| {
            let ended = Pin::new(&mut connection).poll(cx);
            seen.set(connection.max_concurrent_send_streams());
            ended
        }));
        Http2 {
            sender,
            ended,
            max_streams,
        }
    }
}

/// The name that the server's certificate is known by.
pub fn shown_name(stream: &TlsStream<TcpStream>) -> String {
    use x509_cert::der::Decode as _;
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    let shown: &CertificateDer<'_> = &chain[0];
    let parsed = x509_cert::Certificate::from_der(shown).unwrap();
    parsed.tbs_certificate.subject.to_string()
}

/// An HTTP/2 connection, driven by a task of its own.
pub struct Http2 {
    pub sender: SendRequest<Bytes>,
    /// What the server allows, once it has said so.
    pub max_streams: Rc<Cell<usize>>,
    /// Ends with the connection.
    pub ended: actix_rt::task::JoinHandle<Result<(), h2::Error>>,
}

/// Status and body.
pub type Http2Answer = (http::StatusCode, http::HeaderMap, Vec<u8>);

impl Http2 {
    /// A signed request whose body is still to be sent.
    pub async fn begin(
        &self,
        action: &str,
        body: &[u8],
        length: Option<usize>,
    ) -> Result<(h2::client::ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        let mut request = http::Request::post(format!("https://{HOST}/"));
        for (name, value) in signed_headers(HOST, action, body, now(), SECRET_ID, SECRET_KEY) {
            if name != "Host" {
                request = request.header(name, value);
            }
        }
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let sender = self.sender.clone();
        let mut sender = timeout(LIMIT, sender.ready()).await.unwrap()?;
        sender.send_request(request.body(()).unwrap(), false)
    }

    /// The answer to a signed request.
    pub async fn call(&self, action: &str, body: &[u8]) -> Http2Answer {
        let (answer, mut stream) = self.begin(action, body, Some(body.len())).await.unwrap();
        send_body(&mut stream, body).await.unwrap();
        http2_answer(answer).await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Http2Answer {
        let request = http::Request::get(format!("https://{HOST}{path}"));
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, _) = sender
            .send_request(request.body(()).unwrap(), true)
            .unwrap();
        http2_answer(answer).await.unwrap()
    }
}

/// Sends all of `body` and the stream's end, as the server makes room.
pub async fn send_body(stream: &mut h2::SendStream<Bytes>, body: &[u8]) -> Result<(), h2::Error> {
    let mut rest = Bytes::copy_from_slice(body);
    while !rest.is_empty() {
        stream.reserve_capacity(rest.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx));
        let Some(room) = timeout(LIMIT, room).await.expect("room in time") else {
            return Ok(());
        };
        let part = rest.split_to(room?.min(rest.len()));
        stream.send_data(part, false)?;
    }
    stream.send_data(Bytes::new(), true)
}

pub async fn http2_answer(answer: h2::client::ResponseFuture) -> Result<Http2Answer, h2::Error> {
    let answer = timeout(LIMIT, answer).await.expect("an answer in time")?;
    let (head, mut stream) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = timeout(LIMIT, stream.data()).await.expect("a body in time") {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            // The answer is complete, the request was not (RFC 9113, 8.1).
            Err(error) if error.reason() == Some(h2::Reason::NO_ERROR) => break,
            Err(error) => return Err(error),
        };
        stream.flow_control().release_capacity(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok((head.status, head.headers, body))
}

/// One request on a TLS connection in HTTP/1.1, and all that comes until the
/// connection's end.
pub async fn http1(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    read.expect("an end in time").unwrap();
    String::from_utf8(answer).unwrap()
}

/// Where a pair of files goes in `folder`.
pub fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        cert: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    }
}
