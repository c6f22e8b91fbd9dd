//! Connections: where they go, and how long that may take.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tower_service::Service;

use super::UpstreamError;
use super::error::Fault;
use super::wire::Counted;

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
        let is_leashed = self.is_leashed;
        let patience = PATIENCE.try_with(Cell::get).ok().flatten();
        let longest = patience.unwrap_or(LONGEST).min(LONGEST);
        Box::pin(async move {
            let connecting = async move {
                poll_fn(|cx| https.poll_ready(cx)).await?;
                https.call(target).await
            };
            match tokio::time::timeout(longest, connecting).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(Counted::new(stream, is_leashed))),
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
