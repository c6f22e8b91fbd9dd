//! The edge: from here on it is the network.
//!
//! [`UpstreamLayer`] ends the error channel. Whatever goes wrong inside of it, the caller gets a
//! response:
//!
//! 1. An error of the inner service becomes 502, and 504 if something took too long:
//!    `tower::timeout`, our own timeouts, a timed-out socket. `tower::load_shed` becomes 429.
//!    An error that is not known is 502.
//! 2. The inner service may answer late, never, or break off. Three [`Timeouts`] guard that: to a
//!    connection (5 s in the ready-made client), to the head of the response (off), between two
//!    pieces of the body (60 s). A principal's [`Policy`] goes before the layer's own.
//!    A body that breaks off or idles ends with an error, so that the server in front aborts the
//!    transfer; it never looks complete.
//! 3. A response that is not one (101 or another 1xx) becomes 502. Any other status passes;
//!    redirects are not followed.
//! 4. The request goes out as HTTP/1.1, whatever it came in as: a client library would refuse an
//!    HTTP/2 request on an HTTP/1.1 connection, and would pass HTTP/1.0 on. Only a bidirectional
//!    stream and a client's signature that covers `:authority` need HTTP/2 and get it; an upstream
//!    that does not speak it is answered for with 502.
//! 5. In a bidirectional stream (`InvokeModelWithBidirectionalStream`) one side may be silent for
//!    minutes while the other speaks. There the 60 seconds are of both together: only if nothing
//!    was sent either since the answer fell silent does it end. That is looked at when the time is
//!    up, so it may take twice as long. What is sent is counted by `SigV4SigningLayer`; without
//!    it, silence has no limit there.
//!
//! The text that the caller reads names neither hosts nor addresses; the cause is in
//! [`Rejection::internal`](crate::Rejection::internal) and in the log.
//!
//! # Order
//! Innermost, around a client: `HyperClient` of the feature `client`, or any other. It may
//! also stand further out, and more than once, so that Tower's own layers fit in between:
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use tower_bedrock::upstream::UpstreamLayer;
//! # use http_body_util::Empty;
//! # use bytes::Bytes;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let client = service_fn(async |_: Request<Empty<Bytes>>| {
//!     tokio::time::sleep(Duration::from_secs(60)).await;
//!     Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
//! });
//! let stack = ServiceBuilder::new()
//!     .layer(UpstreamLayer::new())
//!     .load_shed()
//!     .concurrency_limit(100)
//!     .timeout(Duration::from_millis(10))
//!     .service(client);
//! let Ok(response) = stack.oneshot(Request::new(Empty::new())).await;
//! assert_eq!(response.status(), 504);
//! # }
//! ```
//!
//! The ready-made client, for an endpoint with a certificate of one's own, and more patience for a
//! connection than for silence:
//!
//! ```
//! # #[cfg(feature = "client")]
//! # fn main() -> Result<(), tower_bedrock::ConfigError> {
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_bedrock::Timeouts;
//! use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
//!
//! let timeouts = Timeouts { idle: Some(Duration::from_secs(5)), ..Timeouts::default() };
//! let client = HyperClient::new()
//!     .with_connect_timeout(Duration::from_secs(10))
//!     .with_endpoint("https://bedrock.internal:8443".parse().unwrap())?;
//! let stack = ServiceBuilder::new()
//!     .layer(UpstreamLayer::new().with_timeouts(timeouts))
//!     .service(client);
//! # let _ = stack;
//! assert!(HyperClient::new().with_root_certificate_pem(b"no certificate").is_err());
//! # Ok(()) }
//! # #[cfg(not(feature = "client"))]
//! # fn main() {}
//! ```
//!
//! Inside of `SigV4SigningLayer` a request that comes for a second time with the signature that it
//! had, from a retry in between, is answered with 500 `StackMisordered`.
//!
//! # Refusal
//! 502 and 504 with code 2005, 429 with 2003, 500 `StackMisordered`; if it was the caller's body
//! that broke off, 400. Bedrock's own errors are answers, and pass.
//!
//! # Deployment caveats
//! No timeout but that for a connection and that for silence is on unless it is set: some models
//! think for minutes before the first byte. The ready-made client keeps small buffers, so that a
//! reader who stalls costs little; see [`HyperClient`]. Roots are the operating system's: in an
//! image without any, every `https://` request is 502.
//!
//! # Cancellation
//! A dropped future drops the inner one; a dropped body drops the inner body. With the ready-made
//! client both close the HTTP/1.1 connection, reset the stream of an HTTP/2 one, and close the
//! connection of a bidirectional stream, which has one of its own.
//!
//! # Limitations
//! The request body is in the hands of the inner service. The ready-made client reads away what is
//! left of it before it fails; another one drops it, and then a client that is still uploading may
//! see a reset instead of the 502, unless a layer that buffers stands outside (signing does). So
//! may one whose upload is not through when `first_byte` is over.
//!
//! [`Policy`]: crate::Policy
//! [`Timeouts`]: crate::Timeouts

mod body;
mod deadline;
mod error;
mod layer;

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod connect;
#[cfg(feature = "client")]
mod future;
#[cfg(feature = "client")]
mod gather;
#[cfg(feature = "client")]
mod leash;
#[cfg(feature = "client")]
mod lent;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
mod sending;
#[cfg(feature = "client")]
mod spare;
#[cfg(feature = "client")]
mod tls;
#[cfg(feature = "client")]
mod wire;

#[cfg(all(test, feature = "client", feature = "rewrite"))]
mod tests;

pub use self::body::TimedBody;
pub use self::error::UpstreamError;
pub use self::layer::{ResponseFuture, Upstream, UpstreamLayer};

#[cfg(feature = "client")]
pub use self::{client::HyperClient, future::UpstreamFuture, response::UpstreamResponse};
