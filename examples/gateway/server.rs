//! A listener for HTTP/1.1 and HTTP/2 on one port, that stops without cutting an answer short.

use std::convert::Infallible;
use std::error::Error;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use crate::opening::Opened;
use crate::pace::{Pace, Paced};
use crate::patient::Patient;
use crate::places::Places;
use crate::running::Running;

/// How long a peer may take over a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long running answers may take when the server stops.
const GRACE: Duration = Duration::from_secs(30);

/// What peers may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// So many connections at a time; who comes then takes the place of one that is idle, or waits.
    pub(crate) connections: usize,
    /// How long a peer may take over the head of a request; in HTTP/1.1 an idle connection counts
    /// as one whose next request is late.
    pub(crate) head: Duration,
    /// How long a peer may take to read an answer, once it does not keep up with it.
    pub(crate) write: Option<Duration>,
    /// HTTP/2 too, where many answers may wait on one connection.
    pub(crate) http2: bool,
}

impl Limits {
    /// Of those that the gateway is for: a long answer may take its time.
    pub(crate) const CLIENTS: Self = Self {
        connections: Semaphore::MAX_PERMITS,
        head: Duration::from_secs(60),
        write: None,
        http2: true,
    };
    /// Of the operator's, who are few, and quick.
    pub(crate) const ADMIN: Self = Self {
        connections: 32,
        head: Duration::from_secs(10),
        write: Some(Duration::from_secs(10)),
        http2: false,
    };
}

/// Serves `service` until `stop` changes, then waits for the answers that are under way.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let places = Places::new(limits.connections);
    loop {
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: give some connections time to close.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let place = tokio::select! {
            _ = stop.changed() => break,
            place = places.take() => place,
        };
        // Small frames of a stream must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let stream = place.watch(stream);
        let service = {
            let (service, place) = (service.clone(), place.clone());
            tower::util::MapFuture::new(service, move |answer| place.until_answered(answer))
        };
        let (tls, watcher, stop) = (tls.clone(), graceful.watcher(), stop.clone());
        tokio::spawn(async move {
            let dismissed = place.until_dismissed();
            tokio::select! {
                () = async {
                    match tls {
                        None => connection(stream, service, limits, watcher, stop).await,
                        Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                            Ok(Ok(stream)) => {
                                connection(Box::new(stream), service, limits, watcher, stop).await
                            }
                            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                            Err(_) => tracing::debug!("TLS handshake took too long"),
                        },
                    }
                } => {}
                () = dismissed => {}
            }
        });
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some answers were not complete after {GRACE:?}");
    }
}

async fn connection<I, S, B>(
    io: I,
    service: S,
    limits: Limits,
    watcher: Watcher,
    stop: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let running = Running::default();
    let opened = tokio::select! {
        opened = timeout(limits.head, Opened::new(io)) => opened,
        () = running.clone().until_quiet(stop.clone()) => return,
    };
    // hyper's own timeouts begin once the protocol is known: without this a peer that never says a
    // word would stay for ever.
    let Ok(Ok(io)) = opened else {
        return;
    };
    let is_http2 = io.is_http2 && limits.http2;
    let pace = Pace::default();
    let seen = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let (seen, running) = (Arc::clone(&seen), running.clone());
        // Over HTTP/2 there are many answers, and windows for each.
        let pace = (!is_http2).then(|| pace.clone());
        move |request| {
            seen.store(true, Ordering::Relaxed);
            // Called now, not when the future is first polled, as an adapter would: a client that
            // is gone by then leaves its record all the same. Both services are always ready.
            let mut service = service.clone();
            let _ = service.poll_ready(&mut Context::from_waker(Waker::noop()));
            let (running, pace) = (running.clone(), pace.clone());
            let answer = service.call(request);
            async move {
                let response = running.until_answered(answer).await?;
                Ok::<_, Infallible>(response.map(|body| Paced::new(body, pace)))
            }
        }
    });
    let io = TokioIo::new(Patient::new(io, limits.write, pace));
    // In a box, for one is larger than the other, and a task is moved about before it runs.
    let mut served: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>> = match is_http2 {
        true => Box::pin(watcher.watch(http2().serve_connection(io, service))),
        false => Box::pin(watcher.watch(http1(limits.head).serve_connection(io, service))),
    };
    let mut served = pin!(async {
        tokio::select! {
            result = served.as_mut() => result,
            () = running.until_quiet(stop) => Ok(()),
        }
    });
    let result = match timeout(limits.head, served.as_mut()).await {
        Ok(result) => result,
        // Over HTTP/2 it may say that it lives, and nothing else.
        Err(_) if !seen.load(Ordering::Relaxed) => return,
        Err(_) => served.await,
    };
    if let Err(error) = result {
        let error: &(dyn Error + 'static) = &error;
        tracing::debug!(error, "connection ended early");
    }
}

/// Over HTTP/1.1, the pace of an answer bounds what a slow reader leaves waiting here.
fn http1(head: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(head)
        // The head of a request.
        .max_buf_size(15 * 1024);
    http
}

/// Over HTTP/2, windows are small: what a slow reader or a slow upstream leaves waiting, waits at the
/// sender.
fn http2() -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        // A peer that is gone is noticed although it owes us nothing.
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_stream_window_size(32 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_send_buf_size(16 * 1024)
        .max_concurrent_streams(200)
        // Overlong paths reach the gateway, which says what is wrong with them.
        .max_header_list_size(128 * 1024);
    http
}

/// TLS with ALPN for HTTP/2 and HTTP/1.1.
pub(crate) fn tls(cert: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("--tls-cert: {}: {error}", cert.display()))?;
    if chain.is_empty() {
        return Err(format!(
            "--tls-cert: {}: no certificate in it",
            cert.display()
        ));
    }
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("--tls-key: {}: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(chain, secret)
        })
        .map_err(|error| format!("--tls-cert, --tls-key: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
