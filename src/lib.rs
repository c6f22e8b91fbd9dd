//! Composable Tower layers that put Amazon Bedrock behind a gateway of your own.
//!
//! What comes in is a request to a gateway URL; what goes out is the request that Bedrock
//! expects, signed; what comes back is Bedrock's answer, byte for byte, and one record of it all:
//!
//! ```text
//! async fn(Request<B>) -> Result<Response<GatewayBody>, Infallible>
//!
//!              ┌─ observe ─────────────────────────────────────────────────┐
//!  request ──▶ │ auth ▶ compat ▶ rewrite ▶ sign (◀ credentials) ▶ upstream │──▶ Bedrock
//!  response ◀──│ ◀───── compat ◀────────── event stream ◀──────────────────│◀──
//!              └─ first byte · tokens · how it ended ──────────────────────┘
//! ```
//!
//! | layer | asks | feature |
//! |---|---|---|
//! | [`ObservabilityLayer`] | what happened? | `observe` |
//! | [`GatewayAuthLayer`] | who is calling? | `auth` |
//! | [`OpenAiCompatLayer`] | what would OpenAI's request be at Bedrock? | `compat` |
//! | [`BedrockPathRewriteLayer`] | where does it go? | `rewrite` |
//! | [`SigV4SigningLayer`] | with whose keys? prove it | `sign` |
//! | [`UpstreamLayer`] | what if the upstream fails? | `upstream` |
//!
//! Each works alone: whoever wants only signing around a hyper client takes only that. URLs,
//! `cf-aig-*` headers and error bodies are those of Cloudflare AI Gateway's Amazon Bedrock
//! provider.
//!
//! `auth`, `rewrite`, `sign` and `observe` are there by default; `cargo add tower-bedrock --features
//! gateway` adds the rest.
//!
//! # A whole stack
//! [`Gateway::builder`] makes this in one call; by hand, with room for a layer of your own:
//!
//! ```
//! use tower::ServiceBuilder;
//! use tower_bedrock::auth::{GatewayAuthLayer, GatewayTokens, Gateways};
//! use tower_bedrock::compat::OpenAiCompatLayer;
//! use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
//! use tower_bedrock::observe::{ObservabilityLayer, Tracing};
//! use tower_bedrock::rewrite::BedrockPathRewriteLayer;
//! use tower_bedrock::sign::SigV4SigningLayer;
//! use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let gateways = Gateways::new()
//!     .with_gateway(GatewayTokens::new("acme", "prod")?.with_token("s3cret")?)?;
//! let key = StoredKey::new(Credentials::new("AKIDEXAMPLE", "secret")?, "us-east-1")?;
//! let keys = StoredKeys::new().with_key("acme", "prod", "default", key)?;
//!
//! let gateway = ServiceBuilder::new()
//!     .layer(ObservabilityLayer::new().with_sink(Tracing::new())) // one record per request
//!     .layer(GatewayAuthLayer::new(gateways)) // lets token holders in
//!     .layer(OpenAiCompatLayer::new().with_credentials(keys.clone())) // /compat/… to Converse
//!     .layer(BedrockPathRewriteLayer::new()) // /v1/acme/prod/aws-bedrock/… to Bedrock's URL
//!     .layer(SigV4SigningLayer::new(keys)) // signs for AWS
//!     .layer(UpstreamLayer::new()) // errors become 502 and 504
//!     .service(HyperClient::new());
//! # fn service<S: tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>>>(_: S) {}
//! # service(gateway);
//! # Ok(()) }
//! ```
//!
//! # Order
//! From the outside in: observe, auth, compat, rewrite, retries, sign, upstream. What is wrong about an
//! order is answered with 500 `StackMisordered`, which says what to put outside of what. No layer
//! changes the error type but [`UpstreamLayer`], behind which nothing fails any more: a refusal is a
//! response, with its [`Rejection`] in the extensions.
//!
//! How it fits into axum, hyper and tonic, beside tower-http's layers and around other clients:
//! [`docs::embedding`]. What the compiler may say, and what helps:
//! [`docs::my_stack_does_not_compile`].
//!
//! # Features
//! One per module; each only adds API. The four layers are on by default and bring no TLS, no AWS
//! SDK and no OpenTelemetry: 64 crates in all. How many one feature alone comes to is in the last
//! column; 17 are always there.
//!
//! | feature | adds | brings | crates |
//! |---|---|---|--:|
//! | `auth` (default) | [`auth`] | `sha2`, `subtle` | 26 |
//! | `rewrite` (default) | [`rewrite`] | | 17 |
//! | `sign` (default) | [`sign`], [`credentials`] | `aws-sigv4` and what it needs, `zeroize` | 59 |
//! | `observe` (default) | [`observe`] | `uuid`, `getrandom`, `time`, `base64` | 26 |
//! | `compat` | [`compat`] | `serde`, `flate2` | 27 |
//! | `upstream` | [`upstream::UpstreamLayer`] | `tower` | 18 |
//! | `client` | [`upstream::HyperClient`] | `hyper-util`, `rustls` with `ring` | 52 |
//! | `gateway` | [`Gateway`]: all of the above | | 100 |
//! | `metrics` | [`observe::Metrics`]: a sink for the `metrics` facade | `metrics` | 29 |
//! | `emulator` | [`emulator`]: a loopback Bedrock that verifies signatures, for tests | `hyper-util`'s server | 62 |
//! | `full` | everything | | 106 |
//!
//! # Not supported
//! OpenAI's APIs other than chat completions, caching, limits and retries.
//!
//! # Limits of the server before it
//! What hyper itself refuses never reaches a layer, so it has no envelope, no log id and no
//! record: a request target with a character that `http::Uri` does not know, one longer than
//! 64 KiB, over HTTP/1.1 more than 100 headers, a head larger than the server's buffer. Of
//! `Content-Length` beside `Transfer-Encoding` hyper drops the former (RFC 9112 §6.3).
//!
//! A record begins when the service is called. Adapters that call it only when their future is
//! first polled lose the request of a client that is gone by then; `examples/gateway/server.rs`
//! calls at once.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The root leaves serve all layers; with some of these left out, not all of a leaf is used.
#![cfg_attr(
    not(all(
        feature = "auth",
        feature = "rewrite",
        feature = "sign",
        feature = "observe",
        feature = "upstream"
    )),
    allow(dead_code, unused_imports)
)]

pub mod error;

pub mod route;

pub mod context;

pub mod body;

pub mod reject;

pub mod eventstream;

#[cfg(any(feature = "sign", feature = "observe"))]
mod fields;
mod headers;
mod kept;

#[cfg(feature = "observe")]
pub mod observe;

#[cfg(feature = "auth")]
pub mod auth;

#[cfg(feature = "compat")]
pub mod compat;

#[cfg(feature = "rewrite")]
pub mod rewrite;

#[cfg(feature = "sign")]
pub mod credentials;

#[cfg(feature = "sign")]
pub mod sign;

#[cfg(feature = "upstream")]
pub mod upstream;

#[cfg(feature = "gateway")]
pub mod gateway;

#[cfg(feature = "emulator")]
pub mod emulator;

#[cfg(feature = "auth")]
pub use self::auth::GatewayAuthLayer;
#[cfg(feature = "compat")]
pub use self::compat::OpenAiCompatLayer;
#[cfg(feature = "gateway")]
#[doc(inline)]
pub use self::gateway::{Gateway, GatewayBody, GatewayBuilder};
#[cfg(feature = "observe")]
pub use self::observe::ObservabilityLayer;
#[cfg(feature = "rewrite")]
pub use self::rewrite::BedrockPathRewriteLayer;
#[cfg(feature = "sign")]
pub use self::sign::SigV4SigningLayer;
#[cfg(feature = "upstream")]
pub use self::upstream::UpstreamLayer;

#[doc(inline)]
pub use self::{
    body::BoxError,
    context::{ClientCredentials, Context, ModelAlias, Policy, Principal, Timeouts},
    error::ConfigError,
    reject::{Dialect, Rejection, RejectionKind},
    route::RouteConfig,
};

// Whatever a feature adds may be named there.
#[cfg(all(any(doc, doctest), feature = "full"))]
pub mod docs;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
