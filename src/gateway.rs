//! The whole stack in one call.
//!
//! ```text
//! ObservabilityLayer ▶ GatewayAuthLayer ▶ OpenAiCompatLayer ▶ BedrockPathRewriteLayer ▶ SigV4SigningLayer ▶ UpstreamLayer ▶ HyperClient
//! ```
//!
//! A [`Gateway`] is a nameable, cheaply cloned service that takes any request body and never
//! fails: it goes into hyper, axum or tonic as it is. Whoever wants a layer of their own in the
//! middle builds the same stack with `tower::ServiceBuilder` instead, see the
//! [crate docs](crate).
//!
//! # Examples
//! ```
//! use tower_bedrock::Gateway;
//! use tower_bedrock::auth::{GatewayTokens, Gateways};
//! use tower_bedrock::credentials::{StoredKey, StoredKeys};
//! use tower_bedrock::observe::Tracing;
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let key = StoredKey::from_json(
//!     r#"{"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "secret", "region": "us-east-1"}"#,
//! )?;
//! let gateway = Gateway::builder()
//!     .authenticate(
//!         Gateways::new().with_gateway(GatewayTokens::new("acme", "prod")?.with_token("s3cret")?)?,
//!     )
//!     .credentials(StoredKeys::new().with_key("acme", "prod", "default", key)?)
//!     .sink(Tracing::new())
//!     .build()?;
//! # let _: Gateway = gateway;
//! # Ok(()) }
//! ```
//! Below a prefix, for two regions, without the clients' own keys, and with shorter patience:
//! ```
//! use std::time::Duration;
//! use tower_bedrock::auth::BearerTokens;
//! use tower_bedrock::credentials::Credentials;
//! use tower_bedrock::{ClientCredentials, Gateway, Policy, RouteConfig, Timeouts};
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let policy = Policy::new()
//!     .with_client_credentials(ClientCredentials::Refuse)
//!     .with_regions(["us-east-1", "eu-central-1"])?;
//! let gateway = Gateway::builder()
//!     .authenticate(BearerTokens::new(["s3cret"])?)
//!     .credentials(Credentials::new("AKIDEXAMPLE", "secret")?)
//!     .routes(RouteConfig::new().with_prefix("/ai")?)
//!     .policy(policy)
//!     .timeouts(Timeouts { first_byte: Some(Duration::from_secs(20)), ..Timeouts::default() })
//!     .build()?;
//! # let _: Gateway = gateway;
//! // Someone has to be let in.
//! assert!(Gateway::builder().build().is_err());
//! # Ok(()) }
//! ```
//!
//! # Deployment caveats
//! It is a service, not a server: listening, TLS, limits on connections and heads, and graceful
//! shutdown are those of the server around it; `examples/gateway` shows all of them. What is around
//! it must not touch the answers of streams: no compression, no buffering.
//!
//! # Limitations
//! No caching, limits or retries; `tower`'s own fit in where the stack is built by hand.

use std::any::TypeId;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower_layer::Layer;
use tower_service::Service;

use crate::auth::{Authenticate, GatewayAuth, GatewayAuthLayer};
use crate::body::{BoxError, Received, ResponseBody};
use crate::compat::{CompatBody, OpenAiCompat, OpenAiCompatLayer};
use crate::context::{Policy, Timeouts};
use crate::credentials::{ProvideCredentials, StoredKeys};
use crate::error::ConfigError;
use crate::observe::{
    Capture, CaptureRequest, CaptureRequestLayer, Drain, Observability, ObservabilityLayer,
    ObservedBody, Prices, Sink, Spans,
};
use crate::rewrite::{BedrockPathRewrite, BedrockPathRewriteLayer, Endpoints};
use crate::route::RouteConfig;
use crate::sign::{SigV4Signing, SigV4SigningLayer, SignedHeaders};
use crate::upstream::{HyperClient, TimedBody, Upstream, UpstreamLayer, UpstreamResponse};

/// The stack that a [`Gateway`] is.
type Stack = Observability<
    CaptureRequest<
        GatewayAuth<OpenAiCompat<BedrockPathRewrite<SigV4Signing<Upstream<HyperClient>>>>>,
    >,
    Drain,
>;

/// The response body of a [`Gateway`].
pub type GatewayBody = ObservedBody<
    ResponseBody<CompatBody<ResponseBody<ResponseBody<ResponseBody<TimedBody<UpstreamResponse>>>>>>,
>;

/// A gateway to Bedrock. See the [module docs](self).
#[derive(Clone)]
pub struct Gateway(Stack);

impl Gateway {
    /// Begins to describe a gateway.
    pub fn builder() -> GatewayBuilder {
        GatewayBuilder {
            auth: None,
            sign: SigV4SigningLayer::new(StoredKeys::new()),
            compat: OpenAiCompatLayer::new(),
            rewrite: BedrockPathRewriteLayer::new(),
            endpoints: Endpoints::aws(),
            observe: ObservabilityLayer::new(),
            drain: None,
            client: HyperClient::new(),
            upstream: UpstreamLayer::new(),
        }
    }
}

impl<B> Service<Request<B>> for Gateway
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<GatewayBody>;
    type Error = Infallible;
    type Future = <Stack as Service<Request<Received<B>>>>::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        <Stack as Service<Request<Received<B>>>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0
            .call(match TypeId::of::<B>() == TypeId::of::<Incoming>() {
                true => Received::of(request),
                false => Received::whole(request),
            })
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// Describes a [`Gateway`]. Only [`authenticate`](Self::authenticate) is required.
#[derive(Debug)]
#[must_use]
pub struct GatewayBuilder {
    auth: Option<GatewayAuthLayer>,
    sign: SigV4SigningLayer,
    compat: OpenAiCompatLayer,
    rewrite: BedrockPathRewriteLayer,
    endpoints: Endpoints,
    observe: ObservabilityLayer,
    drain: Option<(Duration, u64)>,
    client: HyperClient,
    upstream: UpstreamLayer,
}

impl GatewayBuilder {
    /// Who may call.
    ///
    /// For paths that do not begin at the root give [`Gateways`](crate::auth::Gateways) the same
    /// [`RouteConfig`] as [`routes`](Self::routes).
    pub fn authenticate(mut self, auth: impl Authenticate) -> Self {
        self.auth = Some(GatewayAuthLayer::new(auth));
        self
    }

    /// With whose keys requests are signed that carry no credentials of their own. Without it,
    /// there are none.
    pub fn credentials(mut self, provider: impl ProvideCredentials) -> Self {
        let provider = Arc::new(provider);
        self.compat = self.compat.with_credentials(Arc::clone(&provider));
        self.sign = self.sign.with_provider(provider);
        self
    }

    /// Where records of requests go; may be called several times.
    pub fn sink(mut self, sink: impl Sink) -> Self {
        self.observe = self.observe.with_sink(sink);
        self
    }

    /// Makes a span of each request.
    pub fn spans(mut self, spans: Spans) -> Self {
        self.observe = self.observe.with_spans(spans);
        self
    }

    /// What tokens cost, see [`with_prices`](ObservabilityLayer::with_prices).
    pub fn prices(mut self, prices: Prices) -> Self {
        self.observe = self.observe.with_prices(prices);
        self
    }

    /// Keeps bodies with the records, see [`with_payloads`](ObservabilityLayer::with_payloads).
    pub fn payloads(mut self, capture: Capture) -> Self {
        self.observe = self.observe.with_payloads(capture);
        self
    }

    /// Says in the head of an answer what it cost, see
    /// [`with_usage_headers`](ObservabilityLayer::with_usage_headers).
    pub fn usage_headers(mut self, limit: usize) -> Self {
        self.observe = self.observe.with_usage_headers(limit);
        self
    }

    /// Reads an answer on whose client has left, see
    /// [`with_drain`](ObservabilityLayer::with_drain).
    pub fn drain(mut self, time: Duration, bytes: u64) -> Self {
        self.drain = Some((time, bytes));
        self
    }

    /// Where the gateway's paths begin. [`Gateways`](crate::auth::Gateways) reads paths too: tell it
    /// the same.
    pub fn routes(mut self, routes: RouteConfig) -> Self {
        self.compat = self.compat.with_routes(routes.clone());
        self.rewrite = self.rewrite.with_routes(routes);
        self
    }

    /// What callers may do whose principal has no policy of its own.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.compat = self.compat.with_policy(policy.clone());
        self.rewrite = self.rewrite.with_policy(policy.clone());
        self.sign = self.sign.with_policy(policy);
        self
    }

    /// Sends everything to this URL instead of AWS.
    ///
    /// # Errors
    /// If it is not `http://host[:port]` or `https://host[:port]`.
    pub fn endpoint(self, url: &str) -> Result<Self, ConfigError> {
        Ok(self.endpoints(Endpoints::fixed(url)?))
    }

    /// Where requests are sent.
    pub fn endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// The region of requests to the OpenAI-compatible API whose credentials do not say one.
    ///
    /// # Errors
    /// If it is not the name of a region.
    pub fn region(mut self, region: &str) -> Result<Self, ConfigError> {
        self.compat = self.compat.with_region(region)?;
        Ok(self)
    }

    /// How often a stream of the OpenAI-compatible API without news gets a comment, see
    /// [`with_keep_alive`](OpenAiCompatLayer::with_keep_alive).
    pub fn keep_alive(mut self, every: impl Into<Option<Duration>>) -> Self {
        self.compat = self.compat.with_keep_alive(every);
        self
    }

    /// Longest request body that is signed or translated, in bytes; 32 MiB unless set.
    pub fn body_limit(mut self, limit: usize) -> Self {
        self.compat = self.compat.with_body_limit(limit);
        self.sign = self.sign.with_body_limit(limit);
        self
    }

    /// Longest message of a bidirectional stream that is signed here, in bytes, see
    /// [`with_message_limit`](SigV4SigningLayer::with_message_limit).
    pub fn message_limit(mut self, limit: usize) -> Self {
        self.sign = self.sign.with_message_limit(limit);
        self
    }

    /// Forwards this header of clients too.
    pub fn forwarded_header(mut self, name: HeaderName) -> Self {
        self.compat = self.compat.with_forwarded_header(name.clone());
        self.sign = self.sign.with_forwarded_header(name);
        self
    }

    /// Which headers are signed where the gateway signs.
    pub fn signed_headers(mut self, signed: SignedHeaders) -> Self {
        self.sign = self.sign.with_signed_headers(signed);
        self
    }

    /// Whether a wrong clock is made up for, see
    /// [`with_clock_skew_correction`](SigV4SigningLayer::with_clock_skew_correction).
    pub fn clock_skew_correction(mut self, correct: bool) -> Self {
        self.sign = self.sign.with_clock_skew_correction(correct);
        self
    }

    /// How long the upstream may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.upstream = self.upstream.with_timeouts(timeouts);
        self
    }

    /// The client that speaks to the upstream.
    pub fn client(mut self, client: HyperClient) -> Self {
        self.client = client;
        self
    }

    /// The gateway.
    ///
    /// # Errors
    /// If nothing was said of who may call.
    pub fn build(self) -> Result<Gateway, ConfigError> {
        let auth = self
            .auth
            .ok_or_else(|| ConfigError::new("authenticate", "is not set: say who may call"))?;
        // The client dials a fixed endpoint itself, so that `:authority` can still name AWS.
        let client = match self.endpoints.fixed_uri() {
            Some(uri) => self.client.with_endpoint(uri)?,
            None => self.client,
        };
        let rewrite = self
            .rewrite
            .with_endpoints(self.endpoints.dialled_by_client());
        let upstream = self.upstream.layer(client);
        let bedrock = rewrite.layer(self.sign.layer(upstream));
        let stack = auth.layer(self.compat.layer(bedrock));
        let stack = CaptureRequestLayer::new().layer(stack);
        Ok(Gateway(self.observe.draining(self.drain).layer(stack)))
    }
}
