//! Connections: where they go, and what they have been through.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
use crate::body::Begun;

/// A connection attempt may outlive the request that caused it, if that is served by another
/// connection first, or if others wait for it. It ends here at last.
const LONGEST: Duration = Duration::from_secs(60);
/// Shorter than the idle timeouts of NAT gateways and firewalls: a model may think for minutes.
const KEEPALIVE: Duration = Duration::from_secs(60);

thread_local! {
    /// How long the request that is being polled waits for a connection, if the attempt is its own.
    static PATIENCE: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Does `work`; a connection attempt that it begins lasts this long at most, if that is given.
pub(super) fn within<T>(patience: Option<Duration>, work: impl FnOnce() -> T) -> T {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            let _ = PATIENCE.try_with(|place| place.set(None));
        }
    }
    let _ = PATIENCE.try_with(|place| place.set(patience));
    let _reset = Reset;
    work()
}

/// Opens connections, all to `endpoint` if there is one. It is cloned for each request.
#[derive(Clone)]
pub(super) struct Connector {
    way: Arc<Way>,
    is_leashed: bool,
}

struct Way {
    https: Option<HttpsConnector<HttpConnector>>,
    endpoint: Option<Uri>,
}

impl Connector {
    pub(super) fn new(tls: Option<Arc<ClientConfig>>, endpoint: Option<Uri>) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        let https = tls.map(|tls| HttpsConnector::from((http, tls)));
        Self {
            way: Arc::new(Way { https, endpoint }),
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

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let target = self.way.endpoint.clone().unwrap_or(target);
        let is_https = target.scheme() == Some(&Scheme::HTTPS);
        let Some(mut https) = self.way.https.clone() else {
            return Box::pin(ready(Err(Fault::Tls.into())));
        };
        let stop = self.is_leashed.then(Arc::default);
        let patience = PATIENCE.try_with(Cell::get).ok().flatten();
        let longest = patience.unwrap_or(LONGEST).min(LONGEST);
        Box::pin(async move {
            let connecting = async move {
                poll_fn(|cx| https.poll_ready(cx)).await?;
                https.call(target).await
            };
            match tokio::time::timeout(longest, connecting).await {
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
                Err(_) => Err(Fault::ConnectTimeout(longest).into()),
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
    /// The first byte has come.
    any: AtomicBool,
    /// The latest request, of all, that had been begun when the latest byte came.
    after: AtomicU64,
    /// How many bytes came at once the last time.
    at_once: AtomicUsize,
    /// The first byte is that of an HTTP/2 frame: the high byte of a small length. HTTP/1 begins
    /// with a letter.
    is_http2: AtomicBool,
}

impl Received {
    fn add(&self, bytes: &[u8]) {
        let Some(first) = bytes.first() else {
            return;
        };
        if !self.any.load(Ordering::Relaxed) {
            self.is_http2.store(*first == 0, Ordering::Relaxed);
            self.any.store(true, Ordering::Relaxed);
        }
        self.after.store(Begun::latest(), Ordering::Relaxed);
        self.at_once.store(bytes.len(), Ordering::Relaxed);
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
#[derive(Debug, Clone)]
pub(super) struct Wire {
    received: Arc<Received>,
    stop: Option<Arc<Stop>>,
}

impl Wire {
    /// The connection has served before, and has not said a word to this request.
    pub(super) fn was_dead(&self, begun: &Begun) -> bool {
        let has_served = self.received.any.load(Ordering::Relaxed);
        has_served && self.received.after.load(Ordering::Relaxed) < begun.number()
    }

    /// What came over it began like HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.received.is_http2.load(Ordering::Relaxed)
    }

    /// What the answer holds the connection by, if that is to end with it.
    pub(super) fn leash(&self) -> Option<Leash> {
        self.stop.clone().map(Leash)
    }

    /// How many bytes came at once the last time.
    pub(super) fn latest_read(&self) -> usize {
        self.received.at_once.load(Ordering::Relaxed)
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
