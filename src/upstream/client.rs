//! The ready-made client.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, Uri, Version};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use tower_service::Service;

use super::connect::Connector;
use super::error::Fault;
use super::{UpstreamError, UpstreamFuture, UpstreamResponse, tls};
use crate::body::{IntoUpstreamBody, UpstreamBody};
use crate::context::Context;
use crate::error::ConfigError;
use crate::route::Operation;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// How often, and how long, an HTTP/2 connection with requests on it is asked whether it lives.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// What is read ahead and written behind, in bytes, when the other side is slow.
const BUFFER: usize = 8 * 1024;
/// What is read ahead on a stream of HTTP/2, and on a connection: of 128 streams that wait, none
/// keeps another from going on.
const WINDOW: (u32, u32) = (32 * 1024, 4 * 1024 * 1024);

pub(super) type Client = legacy::Client<Connector, UpstreamBody>;

/// A pooling HTTP client over hyper and rustls for `http://` and `https://`, with the roots of the
/// operating system. Clones share the pool.
///
/// It takes any body that becomes an [`UpstreamBody`]: those of this crate's layers do, others by
/// `.map_request(|request: http::Request<_>| request.map(UpstreamBody::new))`.
///
/// Requests go out as HTTP/1.1, those whose version is HTTP/2 over HTTP/2: by prior knowledge to
/// `http://`, by ALPN to `https://`. The URI must be absolute; `Host` stays as it is set.
///
/// Bidirectional streams have a connection each, as they have in the AWS SDK for JavaScript: no
/// limit of the upstream's on streams per connection makes one wait for another, and the connection
/// ends with the answer, even if the upstream never reads the rest of what was sent.
///
/// # Resending
/// An idle connection may be closed by the upstream at the very moment at which a request is sent
/// on it. Such a request is sent once more, on another connection, if
/// - the connection is HTTP/1.1 and had served a request before,
/// - not one byte came back for this request, and
/// - its body is held whole ([`UpstreamBody::try_clone`]): one that streams through is gone.
///
/// A request on a new connection is never sent twice.
///
/// # Memory
/// What the upstream sends waits there until it is asked for: two reads of 8 KiB are ahead over
/// HTTP/1.1, 32 KiB on each stream of HTTP/2. The head of an answer may be 8 KiB long. Of a request
/// body 8 KiB are written behind, and one frame. A connection of HTTP/1.1 itself is 28 KiB, most of it
/// hyper's buffers, one of HTTP/2 about 36 KiB.
///
/// # Streams
/// Chunks of an answer over HTTP/1.1 that came in one read are handed on as one frame of the body, up
/// to 8 KiB: its readers, and the server that writes it, are woken once for all of them. A chunk that
/// came alone is handed on at once.
#[derive(Clone)]
pub struct HyperClient {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    /// Made when first used, so that settings can be changed without waste.
    pools: OnceLock<Arc<Pools>>,
}

#[derive(Clone)]
struct Settings {
    connect_timeout: Duration,
    pool_idle_timeout: Duration,
    max_idle_per_host: usize,
    endpoint: Option<Uri>,
    roots: Arc<RootCertStore>,
}

impl HyperClient {
    /// A client with the default settings.
    pub fn new() -> Self {
        Self::with(Settings {
            connect_timeout: CONNECT_TIMEOUT,
            pool_idle_timeout: POOL_IDLE_TIMEOUT,
            max_idle_per_host: usize::MAX,
            endpoint: None,
            roots: tls::native_roots(),
        })
    }

    /// How long a request waits for a connection, name resolution and TLS included: 5 s unless
    /// set. [`Timeouts::connect`](crate::Timeouts) goes before it.
    #[must_use]
    pub fn with_connect_timeout(self, after: Duration) -> Self {
        self.change(|settings| settings.connect_timeout = after)
    }

    /// How long an unused connection is kept: 90 s unless set.
    #[must_use]
    pub fn with_pool_idle_timeout(self, after: Duration) -> Self {
        self.change(|settings| settings.pool_idle_timeout = after)
    }

    /// How many unused connections to one host are kept: any number unless set.
    #[must_use]
    pub fn with_max_idle_per_host(self, connections: usize) -> Self {
        self.change(|settings| settings.max_idle_per_host = connections)
    }

    /// Connects to the scheme, host and port of `endpoint` whatever the request's URI says, like
    /// curl's `--connect-to`. `Host` and `:authority` stay those of the request; the certificate
    /// must be that of `endpoint`.
    ///
    /// # Errors
    /// If it is not an `http://` or `https://` URL.
    pub fn with_endpoint(self, endpoint: Uri) -> Result<Self, ConfigError> {
        let is_http = matches!(endpoint.scheme_str(), Some("http" | "https"));
        if !is_http || endpoint.host().is_none_or(str::is_empty) {
            return Err(ConfigError::new(
                "endpoint",
                "expected a URL that begins with http:// or https://",
            ));
        }
        Ok(self.change(|settings| settings.endpoint = Some(endpoint)))
    }

    /// Trusts the certificates in this PEM too: those of a private authority.
    ///
    /// # Errors
    /// If it holds no certificate, or one that cannot be read.
    pub fn with_root_certificate_pem(self, pem: &[u8]) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::clone(&self.shared.settings.roots);
        tls::add_pem(&mut roots, pem)?;
        Ok(self.change(|settings| settings.roots = Arc::new(roots)))
    }

    fn change(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self::with(settings)
    }

    fn with(settings: Settings) -> Self {
        let shared = Arc::new(Shared {
            settings,
            pools: OnceLock::new(),
        });
        Self { shared }
    }
}

impl Default for HyperClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HyperClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.shared.settings;
        f.debug_struct("HyperClient")
            .field("connect_timeout", &settings.connect_timeout)
            .field("pool_idle_timeout", &settings.pool_idle_timeout)
            .field("max_idle_per_host", &settings.max_idle_per_host)
            .field("endpoint", &settings.endpoint)
            .finish_non_exhaustive()
    }
}

impl<B: IntoUpstreamBody> Service<Request<B>> for HyperClient {
    type Response = Response<UpstreamResponse>;
    type Error = UpstreamError;
    type Future = UpstreamFuture;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> UpstreamFuture {
        let settings = &self.shared.settings;
        let mut request = request.map(IntoUpstreamBody::into_upstream_body);
        if let Some(endpoint) = &settings.endpoint {
            redirect(request.uri_mut(), endpoint);
        }
        let context = Context::get(request.extensions());
        if context.is_some_and(Context::is_given_again) {
            return UpstreamFuture::refused(Fault::Resent);
        }
        let connect = context
            .and_then(|context| {
                let policy = context.principal().and_then(|p| p.policy());
                let own = policy.and_then(|policy| policy.timeouts().connect);
                context.connect_timeout().or(own)
            })
            .unwrap_or(settings.connect_timeout);
        UpstreamFuture::new(self.shared.pools(), request, connect)
    }
}

/// Gives `uri` the scheme of `endpoint`, and its authority if it has none.
fn redirect(uri: &mut Uri, endpoint: &Uri) {
    if uri.scheme() == endpoint.scheme() && uri.authority().is_some() {
        return;
    }
    let mut parts = uri.clone().into_parts();
    parts.scheme = endpoint.scheme().cloned();
    parts.authority = parts.authority.or_else(|| endpoint.authority().cloned());
    if let Ok(changed) = Uri::from_parts(parts) {
        *uri = changed;
    }
}

impl Shared {
    fn pools(&self) -> &Arc<Pools> {
        let new = || Arc::new(Pools::new(&self.settings));
        self.pools.get_or_init(new)
    }
}

/// One pool for each way to speak.
#[derive(Debug)]
pub(super) struct Pools {
    http1: Client,
    /// Over TLS, if ALPN says so.
    http2: Client,
    /// In plain text, which has no ALPN.
    prior_knowledge: Client,
    /// Both for bidirectional streams, of which each has a connection of its own.
    conversation: Client,
    plain_conversation: Client,
}

impl Pools {
    fn new(settings: &Settings) -> Self {
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.pool_idle_timeout)
            .pool_max_idle_per_host(settings.max_idle_per_host)
            .http1_max_buf_size(BUFFER)
            .http2_initial_stream_window_size(WINDOW.0)
            .http2_initial_connection_window_size(WINDOW.1)
            .http2_max_send_buf_size(BUFFER)
            .http2_keep_alive_interval(PING.0)
            .http2_keep_alive_timeout(PING.1);
        let connector = |protocols: &[&[u8]]| {
            let tls = tls::config(&settings.roots, protocols)
                .inspect_err(|error| tracing::error!(%error, "no TLS"));
            Connector::new(tls.ok(), settings.endpoint.clone())
        };
        let http1 = connector(&[b"http/1.1"]);
        let http2 = connector(&[b"h2", b"http/1.1"]);
        let mut alone = builder.clone();
        alone
            .pool_max_idle_per_host(0)
            .http2_initial_connection_window_size(2 * WINDOW.0);
        Self {
            http2: builder.build(http2.clone()),
            http1: builder.build(http1.clone()),
            prior_knowledge: builder.http2_only(true).build(http1.clone()),
            conversation: alone.build(http2.leashed()),
            plain_conversation: alone.http2_only(true).build(http1.leashed()),
        }
    }

    /// The client for a request of this version to this URI.
    pub(super) fn client(&self, version: Version, uri: &Uri) -> &Client {
        if version != Version::HTTP_2 {
            return &self.http1;
        }
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        match (Operation::is_bidirectional(uri.path()), is_https) {
            (false, true) => &self.http2,
            (false, false) => &self.prior_knowledge,
            (true, true) => &self.conversation,
            (true, false) => &self.plain_conversation,
        }
    }
}
