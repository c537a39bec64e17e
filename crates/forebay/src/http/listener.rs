//! A listener: counted connections, in the clear or over TLS, in HTTP/1.1 or
//! HTTP/2.
//!
//! Not actix-web's `HttpServer`: that one limits connections per worker and
//! by not accepting. Here actix-server runs actix-http's `HttpService` around
//! an actix-web `App`, and a layer between them counts connections. HTTP/2 is
//! not actix-http's, see [`super::http2`].

use std::fmt::Debug;
use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol, Request, Response};
use actix_rt::net::TcpStream;
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::body::{BoxBody, MessageBody};
use rustls::ServerConfig;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::{ConnectionCount, Counted};
use super::http2;
use crate::lifecycle::Lifecycle;

/// Longest time for a TLS handshake, for what HTTP/2 begins with, and for the
/// head of an HTTP/1.1 request (there it is actix-http's own timer).
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time to close a connection in good order.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What makes an actix-web `App` for a worker, its bodies being `B`.
pub(crate) trait WebApp<B>:
    ServiceFactory<
        Request,
        Config = (),
        Response: Into<Response<B>> + 'static,
        Error: Into<Response<BoxBody>> + 'static,
        InitError: Debug + 'static,
        Service: Service<Request, Future: 'static> + 'static,
        Future: 'static,
    > + 'static
{
}

impl<A, B> WebApp<B> for A where
    A: ServiceFactory<
            Request,
            Config = (),
            Response: Into<Response<B>> + 'static,
            Error: Into<Response<BoxBody>> + 'static,
            InitError: Debug + 'static,
            Service: Service<Request, Future: 'static> + 'static,
            Future: 'static,
        > + 'static
{
}

/// How connections of a listener are kept.
#[derive(Clone)]
pub(crate) struct Listener {
    /// `api` or `admin`.
    pub(crate) name: &'static str,
    /// Idle time after which a connection is closed.
    pub(crate) keep_alive: Duration,
    /// Counted from before the TLS handshake on.
    pub(crate) connections: ConnectionCount,
    /// `None` serves in the clear.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// When HTTP/2 connections are told to go elsewhere.
    pub(crate) lifecycle: Lifecycle,
}

impl Listener {
    /// Serves `socket` by what `app` makes for each worker, until the server is
    /// stopped. Has to be called within an actix system, so that each worker
    /// is an arbiter.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub(crate) fn serve<F, A, B>(
        self,
        builder: ServerBuilder,
        socket: TcpListener,
        app: F,
    ) -> io::Result<Server>
    where
        F: Fn() -> A + Send + Clone + 'static,
        A: WebApp<B>,
        B: MessageBody + 'static,
    {
        let builder = builder.disable_signals();
        let stopping = builder.graceful_shutdown_signal();
        let name = self.name;
        let builder = if let Some(tls) = self.tls.clone() {
            builder.listen(name, socket, move || {
                // Its messages are sent by timers and cannot be awaited.
                let acceptor = TlsAcceptor::from(Arc::clone(&tls));
                let https = https(self.clone(), acceptor, stopping.clone(), app.clone());
                Counted::new(https, self.connections.clone())
            })
        } else {
            builder.listen(name, socket, move || {
                let http = self.http1(&stopping, app()).tcp();
                Counted::new(http, self.connections.clone())
            })
        };
        Ok(builder?.run())
    }

    fn http1<T, A, B>(&self, stopping: &GracefulShutdownSignal, app: A) -> HttpService<T, A, B>
    where
        A: WebApp<B>,
        B: MessageBody + 'static,
    {
        let stopping = stopping.clone();
        HttpService::build()
            .keep_alive(self.keep_alive)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .finish(app)
    }
}

/// What a worker does with connections that begin with TLS.
fn https<F, A, B>(
    listener: Listener,
    acceptor: TlsAcceptor,
    stopping: GracefulShutdownSignal,
    app: F,
) -> impl ServiceFactory<
    TcpStream,
    Config = (),
    Response = (),
    Error = (),
    InitError = (),
    Service: Service<TcpStream, Response = (), Error = (), Future: 'static> + 'static,
    Future: 'static,
>
where
    F: Fn() -> A + Clone + 'static,
    A: WebApp<B>,
    B: MessageBody + 'static,
{
    fn_factory(move || {
        let rules = http2::Rules {
            first_request: HEAD_TIMEOUT,
            keep_alive: listener.keep_alive,
            farewell: DISCONNECT_TIMEOUT,
            lifecycle: listener.lifecycle.clone(),
            stopping: stopping.clone(),
        };
        let (listener, stopping) = (listener.clone(), stopping.clone());
        let acceptor = acceptor.clone();
        let app = app();
        async move {
            let failed = |error| tracing::error!(?error, "an HTTP worker cannot be made");
            // One for both: what a worker has, it has once.
            let app = Rc::new(app.new_service(()).await.map_err(failed)?);
            let http2 = Rc::clone(&app);
            let app = fn_factory(move || ready(Ok::<_, ()>(Rc::clone(&app))));
            let http1 = Rc::new(listener.http1(&stopping, app).new_service(()).await?);
            Ok(fn_service(move |stream: TcpStream| {
                let acceptor = acceptor.clone();
                let (http1, http2) = (Rc::clone(&http1), Rc::clone(&http2));
                let rules = rules.clone();
                async move {
                    let Some(stream) = handshake(&acceptor, stream).await else {
                        return Ok(());
                    };
                    let peer = stream.get_ref().0.peer_addr().ok();
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        http2::serve(stream, http2, peer, rules).await;
                    } else if let Err(error) = http1.call((stream, Protocol::Http1, peer)).await {
                        tracing::trace!(%error, "a connection has ended");
                    }
                    Ok(())
                }
            }))
        }
    })
}

/// `None` where the client has gone, is too slow, or wants what is not there.
async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    // Frames are written whole; waiting for more of them only delays.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "cannot turn Nagle's algorithm off");
    }
    match timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        // Anybody can cause it, as often as they like.
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took longer than {HEAD_TIMEOUT:?}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actix_service::map_config;
    use actix_web::App;
    use actix_web::dev::AppConfig;
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    fn tls() -> Arc<ServerConfig> {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        Arc::new(config.unwrap())
    }

    /// What an app begins with, such as producers on its thread, is once there.
    #[actix_web::test]
    async fn each_worker_makes_one_app() {
        for tls in [None, Some(tls())] {
            let made = Arc::new(AtomicUsize::new(0));
            let listener = Listener {
                name: "test",
                keep_alive: HEAD_TIMEOUT,
                connections: ConnectionCount::new(1, metrics::Gauge::noop()),
                tls,
                lifecycle: Lifecycle::default(),
            };
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            let counted = Arc::clone(&made);
            let app = move || {
                counted.fetch_add(1, Ordering::SeqCst);
                map_config(App::new(), |()| AppConfig::default())
            };
            let builder = ServerBuilder::new().workers(2);
            let server = listener.serve(builder, socket, app).unwrap();
            let (handle, running) = (server.handle(), actix_rt::spawn(server));
            handle.stop(true).await;
            running.await.unwrap().unwrap();
            assert_eq!(made.load(Ordering::SeqCst), 2);
        }
    }
}
