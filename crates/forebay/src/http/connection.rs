//! Counts connections and closes those over the limit.
//!
//! actix-server's own limit is per worker and stops accepting, so that
//! connections over it hang in the backlog until their client gives up.
//! Here the limit is one number over all workers, and a connection over it
//! is closed at once, which a client (or a load balancer) understands.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actix_rt::net::TcpStream;
use actix_web::dev::{Service, ServiceFactory};

/// The open connections of one listener.
#[derive(Clone)]
pub(crate) struct ConnectionCount(Arc<Count>);

struct Count {
    open: AtomicUsize,
    limit: usize,
    gauge: metrics::Gauge,
}

impl ConnectionCount {
    /// At most `limit` at once; `gauge` shows how many there are.
    pub(crate) fn new(limit: usize, gauge: metrics::Gauge) -> Self {
        gauge.set(0.0);
        Self(Arc::new(Count {
            open: AtomicUsize::new(0),
            limit,
            gauge,
        }))
    }

    fn try_open(&self) -> Option<OpenConnection> {
        let count = &self.0;
        count
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < count.limit).then_some(open + 1)
            })
            .ok()?;
        count.gauge.increment(1.0);
        Some(OpenConnection(self.clone()))
    }
}

/// Counts down when the connection's task is gone, however it ended.
struct OpenConnection(ConnectionCount);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.0.gauge.decrement(1.0);
    }
}

/// A connection service with a count around it.
pub(crate) struct Counted<S> {
    inner: S,
    count: ConnectionCount,
}

impl<S> Counted<S> {
    pub(crate) fn new(inner: S, count: ConnectionCount) -> Self {
        Self { inner, count }
    }
}

impl<F> ServiceFactory<TcpStream> for Counted<F>
where
    F: ServiceFactory<TcpStream, Config = (), Response = ()>,
    F::Service: 'static,
    F::Future: 'static,
    <F::Service as Service<TcpStream>>::Future: 'static,
    F::Error: 'static,
{
    type Response = ();
    type Error = F::Error;
    type Config = ();
    type Service = Counted<F::Service>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, Self::InitError>>>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let inner = self.inner.new_service(());
        let count = self.count.clone();
        Box::pin(async move { Ok(Counted::new(inner.await?, count)) })
    }
}

impl<S> Service<TcpStream> for Counted<S>
where
    S: Service<TcpStream, Response = ()>,
    S::Future: 'static,
    S::Error: 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), S::Error>>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, stream: TcpStream) -> Self::Future {
        let Some(open) = self.count.try_open() else {
            drop(stream);
            return Box::pin(std::future::ready(Ok(())));
        };
        let serving = self.inner.call(stream);
        Box::pin(async move {
            let _open = open;
            serving.await
        })
    }
}
