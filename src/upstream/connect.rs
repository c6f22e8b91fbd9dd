//! Connections: where they go, and what they have been through.

use std::future::{Future, ready};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use super::UpstreamError;
use super::error::Fault;

/// A connection attempt may outlive the request that caused it, if that is served by another
/// connection first. It ends here at last.
const LONGEST: Duration = Duration::from_secs(60);
/// Shorter than the idle timeouts of NAT gateways and firewalls: a model may think for minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Opens connections, all to `endpoint` if there is one.
#[derive(Clone)]
pub(super) struct Connector {
    https: Option<HttpsConnector<HttpConnector>>,
    endpoint: Option<Uri>,
    is_leashed: bool,
}

impl Connector {
    pub(super) fn new(tls: Option<Arc<ClientConfig>>, endpoint: Option<Uri>) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        let https = tls.map(|tls| HttpsConnector::from((http, tls)));
        Self {
            https,
            endpoint,
            is_leashed: false,
        }
    }

    /// Connections that end with the one answer that comes over them.
    pub(super) fn leashed(mut self) -> Self {
        self.is_leashed = true;
        self
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Counted>;
    type Error = UpstreamError;
    // Boxed once per connection: hyper-util asks for `Unpin`.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, UpstreamError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        match &mut self.https {
            Some(https) => https
                .poll_ready(cx)
                .map_err(|error| UpstreamError::new(Fault::Unreachable, error)),
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let target = self.endpoint.clone().unwrap_or(target);
        let is_https = target.scheme() == Some(&Scheme::HTTPS);
        let Some(https) = &mut self.https else {
            return Box::pin(ready(Err(Fault::Tls.into())));
        };
        let connecting = https.call(target);
        let stop = self.is_leashed.then(Arc::default);
        Box::pin(async move {
            match tokio::time::timeout(LONGEST, connecting).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(Counted {
                    stream: TokioIo::new(stream),
                    received: Arc::default(),
                    stop,
                })),
                Ok(Err(error)) => {
                    // What goes wrong before the handshake comes as another type.
                    let is_tls = is_https && error.is::<io::Error>();
                    let fault = if is_tls {
                        Fault::Tls
                    } else {
                        Fault::Unreachable
                    };
                    Err(UpstreamError::new(fault, error))
                }
                Err(_) => Err(Fault::ConnectTimeout(LONGEST).into()),
            }
        })
    }
}

/// A connection that counts what it receives (inside of TLS).
pub(super) struct Counted {
    stream: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    received: Arc<Received>,
    stop: Option<Arc<Stop>>,
}

#[derive(Debug, Default)]
struct Received {
    bytes: AtomicU64,
    /// The first byte is that of an HTTP/2 frame: the high byte of a small length. HTTP/1 begins
    /// with a letter.
    is_http2: AtomicBool,
}

impl Received {
    fn add(&self, bytes: &[u8]) {
        let before = self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if before == 0 && bytes.first() == Some(&0) {
            self.is_http2.store(true, Ordering::Relaxed);
        }
    }
}

impl Connection for Counted {
    fn connected(&self) -> Connected {
        // Without the addresses, which would be copied for each request.
        let stream = self.stream.inner().connected();
        let mut connected = Connected::new().proxy(stream.is_proxied());
        if stream.is_negotiated_h2() {
            connected = connected.negotiated_h2();
        }
        connected.extra(Wire {
            received: Arc::clone(&self.received),
            stop: self.stop.clone(),
            before: None,
        })
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stop.as_ref().is_some_and(|stop| stop.is_due(cx)) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let filled = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(bytes) = buf.filled().get(filled..) {
            self.received.add(bytes);
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What one request knows of the connection that it got.
#[derive(Debug)]
pub(super) struct Wire {
    received: Arc<Received>,
    stop: Option<Arc<Stop>>,
    /// Bytes received before the request was sent. `None` in the connection's own copy.
    before: Option<u64>,
}

/// hyper-util copies the connection's own value for a request right before it sends it: this is
/// the one moment at which the count tells earlier responses from the one to come.
impl Clone for Wire {
    fn clone(&self) -> Self {
        Self {
            received: Arc::clone(&self.received),
            stop: self.stop.clone(),
            before: self.before.or_else(|| Some(self.received())),
        }
    }
}

impl Wire {
    /// The connection has served before, and has not said a word to this request.
    pub(super) fn was_dead(&self) -> bool {
        self.before
            .is_some_and(|before| before > 0 && before == self.received())
    }

    /// What came over it began like HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.received.is_http2.load(Ordering::Relaxed)
    }

    /// What the answer holds the connection by, if that is to end with it.
    pub(super) fn leash(self) -> Option<Leash> {
        self.stop.map(Leash)
    }

    fn received(&self) -> u64 {
        self.received.bytes.load(Ordering::Relaxed)
    }
}

/// Word that a connection is not wanted any longer.
#[derive(Debug, Default)]
struct Stop(Mutex<(bool, Option<Waker>)>);

impl Stop {
    /// Whether it has come; if not, the task is woken when it does.
    fn is_due(&self, cx: &Context<'_>) -> bool {
        let mut stop = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_due, waker) = &mut *stop;
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        *is_due
    }
}

/// Ends its connection when it is dropped.
///
/// A stream whose upload waits for the upstream to read on would outlive the client otherwise:
/// hyper does not look at the body then.
#[derive(Debug)]
pub(super) struct Leash(Arc<Stop>);

impl Drop for Leash {
    fn drop(&mut self) {
        let mut stop = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        stop.0 = true;
        let waker = stop.1.take();
        drop(stop);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
