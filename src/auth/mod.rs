//! Who is calling? Gateway tokens, before anything else.
//!
//! 1. `cf-aig-authorization: Bearer …`, if present, decides alone: a wrong one is refused even if
//!    `Authorization` holds a good one, and so is one that was sent twice.
//! 2. Else `Authorization: Bearer …` counts: the OpenAI SDKs put the token there, and the AWS SDKs
//!    do when it is in `AWS_BEARER_TOKEN_BEDROCK`. The scheme's case does not matter.
//! 3. A gateway token never travels upstream: `cf-aig-authorization` is removed, and so is any
//!    `Authorization: Bearer` that holds a token of *any* gateway. What remains in `Authorization`
//!    is the caller's own AWS credential.
//!
//! # Refusal
//! 401 with code 2009; 404 or 400 if the path leads to no gateway (see [`reject`](crate::reject)).
//!
//! # Order
//! Inside [`ObservabilityLayer`](crate::observe), outside everything else of this crate.
//!
//! # Deployment caveats
//! Tokens travel as they are, so TLS belongs in front of this layer. It removes the token from the
//! request, but what stands outside of it, an access log say, sees the header as it came:
//! `tower_http::sensitive_headers` hides it there. A path is parsed as this layer sees it: a router
//! that strips its prefix is right, behind any other
//! [`RouteConfig::with_prefix`](crate::RouteConfig::with_prefix) is needed.
//!
//! # Cancellation
//! If the future is dropped while an [`Authenticate`] of yours is waiting, that wait is dropped
//! with it, and so is the inner service that was held ready.
//!
//! # Examples
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{Empty, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_bedrock::auth::{GatewayAuthLayer, GatewayTokens, Gateways};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let gateways = Gateways::new()
//!     .with_gateway(GatewayTokens::new("acme", "prod")?.with_token("s3cret")?)?;
//! let inner = service_fn(|request: Request<Empty<Bytes>>| async move {
//!     assert!(!request.headers().contains_key("cf-aig-authorization"));
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
//! });
//! let service = GatewayAuthLayer::new(gateways).layer(inner);
//!
//! let path = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/m/converse";
//! let good = Request::get(path).header("cf-aig-authorization", "Bearer s3cret");
//! assert_eq!(service.clone().oneshot(good.body(Empty::new())?).await?.status(), 200);
//! let bad = Request::get(path).header("cf-aig-authorization", "Bearer guess");
//! assert_eq!(service.oneshot(bad.body(Empty::new())?).await?.status(), 401);
//! # Ok(()) }
//! ```
//! A lookup of your own, in a database say, is an [`Authenticate`]:
//! ```
//! use tower_bedrock::auth::{Authenticate, GatewayAuthLayer, bearer_token};
//! use tower_bedrock::{Principal, Rejection, RejectionKind};
//!
//! struct Database;
//!
//! impl Authenticate for Database {
//!     async fn authenticate(&self, head: &http::request::Parts) -> Result<Principal, Rejection> {
//!         let token = bearer_token(&head.headers)?;
//!         // … look it up …
//!         # let found = token.len() == 3;
//!         match found {
//!             true => Ok(Principal::new("team-a")),
//!             false => Err(Rejection::new(RejectionKind::Unauthenticated, "no such token")),
//!         }
//!     }
//! }
//! let layer = GatewayAuthLayer::new(Database);
//! ```
//!
//! # Limitations
//! There are no sessions, scopes or expiry: a token is known or it is not, and what its holder may
//! do is the [`Policy`](crate::Policy) of the [`Principal`]. Tokens are compared
//! by their SHA-256, all of a gateway's on every request: thousands belong behind an
//! [`Authenticate`] of your own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;

use crate::context::Principal;
use crate::reject::Rejection;

mod gateways;
mod layer;
mod token;

pub use self::gateways::{GatewayTokens, Gateways};
pub use self::layer::{GatewayAuth, GatewayAuthLayer, ResponseFuture};
pub use self::token::{BearerTokens, bearer_token};

/// Tells who a request comes from.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell who is calling",
    note = "implement `tower_bedrock::auth::Authenticate`, or use `Gateways` or `BearerTokens`"
)]
pub trait Authenticate: Send + Sync + 'static {
    /// Who is calling, or why the request is refused.
    ///
    /// A bearer token in `Authorization` is taken for the gateway's and removed, unless
    /// `cf-aig-authorization` is present or the answer is [`Principal::keeping_authorization`].
    fn authenticate(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Principal, Rejection>> + Send;

    /// The answer, if it is known without waiting; then nothing is boxed. `None`, the default,
    /// has [`authenticate`](Self::authenticate) asked.
    fn authenticate_now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        let _ = head;
        None
    }

    /// Whether `token` is one of this gateway's, or of a neighbour's: then it never travels
    /// upstream, even where it is not what authenticated the request.
    fn is_gateway_token(&self, token: &str) -> bool {
        let _ = token;
        false
    }
}

impl<A: Authenticate> Authenticate for Arc<A> {
    fn authenticate(
        &self,
        head: &Parts,
    ) -> impl Future<Output = Result<Principal, Rejection>> + Send {
        A::authenticate(self, head)
    }

    fn authenticate_now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        A::authenticate_now(self, head)
    }

    fn is_gateway_token(&self, token: &str) -> bool {
        A::is_gateway_token(self, token)
    }
}

/// The verdict, and the head that was lent for it.
type Later = Pin<Box<dyn Future<Output = (Parts, Result<Principal, Rejection>)> + Send>>;

/// [`Authenticate`] without its type, so that the layer needs no type parameter for it.
trait DynAuthenticate: Send + Sync {
    fn now(&self, head: &Parts) -> Option<Result<Principal, Rejection>>;
    fn later(self: Arc<Self>, head: Parts) -> Later;
    fn is_gateway_token(&self, token: &str) -> bool;
}

impl<A: Authenticate> DynAuthenticate for A {
    fn now(&self, head: &Parts) -> Option<Result<Principal, Rejection>> {
        self.authenticate_now(head)
    }

    fn later(self: Arc<Self>, head: Parts) -> Later {
        Box::pin(async move {
            let verdict = self.authenticate(&head).await;
            (head, verdict)
        })
    }

    fn is_gateway_token(&self, token: &str) -> bool {
        Authenticate::is_gateway_token(self, token)
    }
}
