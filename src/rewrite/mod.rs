//! Where does it go? From the gateway's path to Bedrock's URL.
//!
//! 1. `/v1/{account}/{gateway}/aws-bedrock/bedrock-runtime/{region}/{rest…}` becomes
//!    `https://bedrock-runtime.{region}.{suffix of the region's partition}/{rest…}`; the same for
//!    `bedrock-mantle`. The whole grammar is in [`route`](crate::route).
//! 2. `{rest}` and the query travel byte for byte, with two exceptions: doubled slashes after the
//!    region collapse, and, unless the client signed the request, an ARN model id spread over
//!    several segments becomes one (`/` → `%2F`).
//! 3. `Host` becomes that of the URL; with an [`Endpoints::fixed`] override a client-signed
//!    request keeps the AWS host, which is what its signature covers.
//! 4. Allow-lists ([`Policy`]) are applied.
//! 5. `cf-*`, `cookie`, `forwarded`, `x-forwarded-*`, `via`, `x-real-ip`, `x-api-key`, `proxy-*`,
//!    `expect`, hop-by-hop headers and those named in `Connection` are removed from the request,
//!    hop-by-hop headers also from the response.
//!
//! # Refusal
//! - 404 or 400 (code 2008): a path that leads nowhere, two `Host` headers, one that holds no host (that
//!   of an absolute request target may be another, and has no meaning), and with
//!   [`RouteConfig::requiring_host`](crate::RouteConfig::requiring_host) none
//! - 403 (4030): outside an allow-list
//! - 400 (4003): credentials of the client's that are incomplete, doubled or not wanted; a signature
//!   over a header that is always removed; a `Connection` header that names what the request needs
//! - 400 (4000): both `content-length` and `transfer-encoding`
//! - 415 (4015): `transfer-encoding` other than `chunked`
//! - 501 (4001): `CONNECT`, and the OpenAI-compatible API, whose layer must be outside
//! - 502 (2005): a signature over `:authority` that a fixed endpoint cannot keep
//!
//! # Order
//! Inside [`GatewayAuthLayer`](crate::auth) and [`OpenAiCompatLayer`](crate::OpenAiCompatLayer), outside [`SigV4SigningLayer`](crate::sign), so that
//! what is signed is what is sent.
//!
//! # Deployment caveats
//! The inner service sees absolute URLs of Bedrock's and a `Host` to match, and nothing that says
//! who the client was: whoever needs `x-forwarded-for` upstream adds it inside of this layer. The
//! host that is dialled is made of the parsed service and region alone, never pasted from the path.
//!
//! # Cancellation
//! It answers or calls at once; there is nothing to cancel but the inner future.
//!
//! # Cost
//! Synchronous; up to 7 allocations whatever the path's length, two fewer for a path that came lately: what
//! follows from a path of up to 512 bytes is kept, for 32 paths and each thread that runs at a time.
//!
//! # Examples
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_bedrock::rewrite::BedrockPathRewriteLayer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let inner = service_fn(|request: Request<Empty<Bytes>>| async move {
//!     let body = Empty::<Bytes>::new();
//!     Ok::<_, std::convert::Infallible>(
//!         Response::builder().header("x-went-to", request.uri().to_string()).body(body).unwrap(),
//!     )
//! });
//! let service = BedrockPathRewriteLayer::new().layer(inner);
//!
//! let path = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-gov-west-1/model/m%3A0/converse?a=%2b";
//! let response = service.clone().oneshot(Request::get(path).body(Empty::new())?).await?;
//! assert_eq!(
//!     response.headers()["x-went-to"],
//!     "https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/m%3A0/converse?a=%2b",
//! );
//!
//! let path = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1.evil.example/x";
//! let response = service.oneshot(Request::get(path).body(Empty::new())?).await?;
//! assert_eq!(response.status(), 400);
//! # Ok(()) }
//! ```
//! FIPS endpoints, and a VPC endpoint:
//! ```
//! use tower_bedrock::rewrite::{BedrockPathRewriteLayer, Endpoints};
//!
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! let fips = BedrockPathRewriteLayer::new().with_endpoints(Endpoints::aws().with_fips());
//! let vpc = BedrockPathRewriteLayer::new().with_endpoints(Endpoints::fixed(
//!     "https://vpce-0123456789abcdef0.bedrock-runtime.us-east-1.vpce.amazonaws.com",
//! )?);
//! # Ok(()) }
//! ```
//!
//! # Limitations
//! `bedrock-runtime` and `bedrock-mantle` only: Bedrock's control plane, agents and knowledge bases
//! are other services. `{rest}` is not checked as a model id; Bedrock does that.

#[cfg(doc)]
use crate::context::Policy;

mod endpoint;
mod headers;
mod layer;
mod uri;

pub use self::endpoint::Endpoints;
pub use self::layer::{BedrockPathRewrite, BedrockPathRewriteLayer, ResponseFuture};
