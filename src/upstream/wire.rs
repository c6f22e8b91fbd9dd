//! A connection, and what it has been through.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::leash::{Leash, Stop};
use crate::body::Begun;

/// A connection that counts what it receives (inside of TLS).
pub(super) struct Counted {
    stream: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    received: Arc<Received>,
    stop: Option<Arc<Stop>>,
}

impl Counted {
    /// If it is leashed, it ends with the one answer that comes over it.
    pub(super) fn new(stream: MaybeHttpsStream<TokioIo<TcpStream>>, is_leashed: bool) -> Self {
        Self {
            stream: TokioIo::new(stream),
            received: Arc::default(),
            stop: is_leashed.then(Arc::default),
        }
    }
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
        self.stop.clone().map(Leash::new)
    }

    /// How many bytes came at once the last time.
    pub(super) fn latest_read(&self) -> usize {
        self.received.at_once.load(Ordering::Relaxed)
    }
}
