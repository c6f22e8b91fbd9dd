//! Every layer alone, and every sensible order: that it compiles for any body, and that it serves.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Pending, Ready, pending, ready};
use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Full, combinators};
use hyper::body::Incoming;
use tower::{Layer, Service, ServiceExt};
use tower_bedrock::auth::BearerTokens;
use tower_bedrock::body::{BoxError, UpstreamBody};
use tower_bedrock::observe::{ObservabilityLayer, Ring};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::{HyperClient, UpstreamLayer, UpstreamResponse};
use tower_bedrock::{Gateway, GatewayAuthLayer, OpenAiCompatLayer, Rejection};

use crate::cases::{PATH, TOKEN, URL, key};
use crate::script::Script;

/// Would answer with a body of this type.
struct Inner<R>(PhantomData<fn() -> R>);

impl<R> Inner<R> {
    fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Clone for Inner<R> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<R, B: Body<Data = Bytes>> Service<Request<B>> for Inner<R> {
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pending<Result<Response<R>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        pending()
    }
}

/// Answers any request with 200.
#[derive(Clone)]
struct Answers;

impl<B: Body<Data = Bytes>> Service<Request<B>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

/// What servers and layers ask of a service.
trait Serves<B>:
    Service<
        Request<B>,
        Response = Response<<Self as Serves<B>>::Answer>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
    type Answer: Body<Data = Bytes, Error: Into<BoxError> + Debug> + Default + Send + 'static;
}

impl<S, B, R> Serves<B> for S
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError> + Debug> + Default + Send + 'static,
{
    type Answer = R;
}

macro_rules! layer {
    (observe) => {
        ObservabilityLayer::new().with_sink(Ring::new(1))
    };
    (drain) => {
        ObservabilityLayer::new().with_drain(Duration::ZERO, 0)
    };
    (auth) => {
        GatewayAuthLayer::new(BearerTokens::new([TOKEN]).unwrap())
    };
    (compat) => {
        OpenAiCompatLayer::new().with_region("us-east-1").unwrap()
    };
    (rewrite) => {
        BedrockPathRewriteLayer::new()
    };
    (sign) => {
        SigV4SigningLayer::new(key())
    };
    (upstream) => {
        UpstreamLayer::new()
    };
}

/// These layers, the first outermost.
macro_rules! stack {
    ($inner:expr;) => { $inner };
    ($inner:expr; $layer:ident $($rest:ident)*) => { layer!($layer).layer(stack!($inner; $($rest)*)) };
}

/// Every choice of the layers after the slash, together with those before it, in this order.
macro_rules! choices {
    ($check:ident; [$($layer:ident)*] /) => { $check!($($layer)*); };
    ($check:ident; [$($layer:ident)*] / $next:ident $($rest:ident)*) => {
        choices!($check; [$($layer)*] / $($rest)*);
        choices!($check; [$($layer)* $next] / $($rest)*);
    };
}

/// The choices, and `observe` and `upstream` in every place.
macro_rules! all {
    ($check:ident) => {
        choices!($check; [] / observe auth compat rewrite sign upstream);
        choices!($check; [auth observe] / compat rewrite sign upstream);
        choices!($check; [auth compat observe] / rewrite sign upstream);
        choices!($check; [auth compat rewrite observe] / sign upstream);
        choices!($check; [auth compat rewrite sign observe] / upstream);
        $check!(auth compat rewrite sign upstream observe);
        $check!(drain auth compat rewrite sign upstream);
        choices!($check; [upstream] / observe auth compat rewrite sign upstream);
        choices!($check; [observe upstream auth] / upstream compat upstream rewrite);
        $check!(observe auth compat rewrite upstream sign upstream);
        $check!(upstream observe upstream auth upstream compat upstream rewrite upstream sign upstream upstream);
    };
}

fn serves<B, S: Serves<B>>(_: impl FnOnce() -> S) {}

/// For any body at all: of requests `B`, of answers `R`.
fn compiles<B, R>()
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError> + Debug + Send> + Send + Unpin + 'static,
{
    macro_rules! check {
        () => {};
        ($($layer:ident)+) => { serves::<B, _>(|| stack!(Inner::<R>::new(); $($layer)+)); };
    }
    all!(check);
}

/// Around the ready-made client, whose body is made of those of our own layers, or by hand.
fn compiles_before_the_client<B>()
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    macro_rules! check {
        ($($layer:ident)*) => {
            serves::<B, _>(|| stack!(HyperClient::new(); $($layer)* sign upstream));
            serves::<B, _>(|| {
                let client = UpstreamLayer::new().layer(HyperClient::new());
                let client = client.map_request(|request: Request<_>| request.map(UpstreamBody::new));
                stack!(client; $($layer)*)
            });
        };
    }
    choices!(check; [observe] / auth compat rewrite);
    serves::<B, Gateway>(|| unreachable!());
}

#[test]
fn any_body() {
    type Boxed = combinators::BoxBody<Bytes, BoxError>;
    type Unsync = combinators::UnsyncBoxBody<Bytes, BoxError>;

    macro_rules! bodies {
        ($($body:ty),+ $(,)?) => { $(
            compiles::<$body, $body>();
            compiles_before_the_client::<$body>();
        )+ };
    }
    bodies!(
        Full<Bytes>,
        Incoming,
        axum::body::Body,
        tonic::body::Body,
        Boxed,
        Unsync,
        UpstreamBody,
    );
    compiles::<Incoming, UpstreamResponse>();
    // A body that must stay where it is, as those of an `async` block do.
    compiles_before_the_client::<Script>();
}

/// None of these orders is refused.
#[tokio::test]
async fn every_choice_serves() {
    async fn serve<S: Serves<Full<Bytes>>>(stack: S, layers: &str) {
        let request = match layers.contains("rewrite") {
            true => Request::post(PATH),
            false => Request::post(URL),
        };
        let request = request
            .header("cf-aig-authorization", format!("Bearer {TOKEN}"))
            .body(Full::from("{}"))
            .unwrap();
        let response = stack.oneshot(request).await.unwrap();
        let rejection = response.extensions().get::<Rejection>();
        assert!(rejection.is_none(), "{layers}: {rejection:?}");
        assert_eq!(response.status(), 200, "{layers}");
    }

    macro_rules! check {
        ($($layer:ident)*) => {
            serve(stack!(Answers; $($layer)*), stringify!($($layer)*)).await;
        };
    }
    choices!(check; [] / observe auth compat rewrite sign upstream);
    check!(auth compat rewrite sign observe upstream);
    check!(upstream observe upstream auth upstream compat upstream rewrite upstream sign upstream upstream);
}
