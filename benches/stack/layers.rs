//! Each layer around a service that does nothing, and all four of them, beside one signature.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::{Layer, Service};
use tower_bedrock::auth::{GatewayAuthLayer, GatewayTokens, Gateways};
use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
use tower_bedrock::observe::{ObservabilityLayer, Ring};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;

use crate::converse::{self, To, as_hyper_does};
use crate::variant::{BATCH, Contest, Source, Variant};
use crate::{aws, request};

pub(crate) const AWS: &str = "one aws-sigv4 signature";
pub(crate) const BARE: &str = "no layer";
pub(crate) const BARE_TO_AWS: &str = "no layer, to AWS";
pub(crate) const OBSERVE: &str = "observe";
pub(crate) const AUTH: &str = "auth";
pub(crate) const REWRITE: &str = "rewrite";
pub(crate) const SIGN: &str = "sign, to AWS";
pub(crate) const TWO: &str = "observe + auth";
pub(crate) const THREE: &str = "observe + auth + rewrite";
pub(crate) const ALL: &str = "observe + auth + rewrite + sign";

const COLUMN: &str = "256 B";
/// Records that the ring keeps; it is full when the clock starts.
const RING: usize = 64;

/// The inner service: reads nothing, answers at once.
#[derive(Clone)]
struct Answers;

impl<B> Service<Request<B>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(converse::answer()))
    }
}

/// The inner service that keeps the head of the last request.
#[derive(Clone, Default)]
struct Keeps(std::rc::Rc<std::cell::RefCell<HeaderMap>>);

impl<B> Service<Request<B>> for Keeps {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.replace(request.into_parts().0.headers);
        ready(Ok(converse::answer()))
    }
}

/// The call, its future and the body of the answer, to the end.
fn call<S, R>(service: &mut S, request: &mut Option<Request<Full<Bytes>>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let request = request.take().expect("a fresh request");
    let Poll::Ready(Ok(response)) = pin!(service.call(request)).poll(&mut cx) else {
        panic!("not answered at once");
    };
    assert!(response.status().is_success());
    let mut body = pin!(response.into_body());
    while !body.is_end_stream() {
        let frame = Pin::new(&mut body).poll_frame(&mut cx);
        assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    }
}

fn fresh(to: To) -> impl FnMut() -> Option<Request<Full<Bytes>>> {
    let mut numbers = 0..;
    move || Some(as_hyper_does(to, numbers.next().unwrap_or_default()))
}

fn variant<S, R>(row: &'static str, to: To, mut service: S) -> Variant
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + 'static,
    R: Body<Data = Bytes>,
{
    let mut fresh = fresh(to);
    for _ in 0..2 * RING {
        call(&mut service, &mut fresh());
    }
    let run = move |request: &mut _| call(&mut service, request);
    Variant::cleaned(COLUMN, row, BATCH, fresh, run, || ())
}

pub(crate) fn observe() -> ObservabilityLayer {
    ObservabilityLayer::new().with_sink(Ring::new(RING))
}

pub(crate) fn gateways() -> Gateways {
    let tokens = GatewayTokens::new(converse::ACCOUNT, converse::GATEWAY).expect("names");
    let tokens = tokens.with_token(converse::TOKEN).expect("a token");
    Gateways::new().with_gateway(tokens).expect("one gateway")
}

fn credentials() -> Credentials {
    Credentials::new(request::ACCESS_KEY_ID, request::SECRET).expect("a key pair")
}

pub(crate) fn keys() -> StoredKeys {
    let key = StoredKey::new(credentials(), request::REGION).expect("a key");
    StoredKeys::new()
        .with_key(converse::ACCOUNT, converse::GATEWAY, "default", key)
        .expect("one key")
}

fn auth() -> GatewayAuthLayer {
    GatewayAuthLayer::new(gateways())
}

fn rewrite() -> BedrockPathRewriteLayer {
    BedrockPathRewriteLayer::new()
}

fn sign() -> SigV4SigningLayer {
    SigV4SigningLayer::new(keys())
}

fn all<S>(
    inner: S,
) -> impl Service<Request<Full<Bytes>>, Response = Response<impl Body<Data = Bytes>>>
where
    S: Service<
            Request<tower_bedrock::sign::SignedBody<Full<Bytes>>>,
            Response = Response<Full<Bytes>>,
            Error = Infallible,
        > + Clone,
{
    let inner = rewrite().layer(sign().with_clock(request::now).layer(inner));
    observe().layer(auth().layer(inner))
}

pub(crate) fn contest() -> Contest {
    let reference =
        Source::steady(COLUMN, &request::body(converse::LENGTH)).with_parts(converse::signed_parts);
    let all_four = rewrite().layer(sign().layer(Answers));
    let all_four = observe().layer(auth().layer(all_four));
    let alone = SigV4SigningLayer::new(credentials()).layer(Answers);
    Contest {
        count: 256,
        variants: vec![
            aws::variant(AWS, reference, None),
            variant(BARE, To::Gateway, Answers),
            variant(BARE_TO_AWS, To::Aws, Answers),
            variant(OBSERVE, To::Gateway, observe().layer(Answers)),
            variant(AUTH, To::Gateway, auth().layer(Answers)),
            variant(REWRITE, To::Gateway, rewrite().layer(Answers)),
            variant(SIGN, To::Aws, alone),
            variant(TWO, To::Gateway, observe().layer(auth().layer(Answers))),
            variant(
                THREE,
                To::Gateway,
                observe().layer(auth().layer(rewrite().layer(Answers))),
            ),
            variant(ALL, To::Gateway, all_four),
        ],
    }
}

/// So many calls of this row's service, for a profiler that counts.
pub(crate) fn drive(row: usize, requests: u64) {
    if let Some(variant) = contest().variants.get_mut(row) {
        println!("{}", variant.row);
        variant.time(requests);
    }
}

/// How many more allocations a call makes with all four layers than with none, on average.
pub(crate) fn allocations() -> f64 {
    const CALLS: u64 = 1000;
    fn count<S, R>(mut service: S) -> u64
    where
        S: Service<Request<Full<Bytes>>, Response = Response<R>>,
        R: Body<Data = Bytes>,
    {
        let mut fresh = fresh(To::Gateway);
        let mut run = |count: u64| -> u64 {
            let mut requests: Vec<_> = (0..count).map(|_| fresh()).collect();
            let calls = || requests.iter_mut().for_each(|one| call(&mut service, one));
            measure(calls).count_total
        };
        run(2 * RING as u64);
        run(CALLS)
    }
    let with = count(all(Answers));
    let without = count(Answers);
    with.saturating_sub(without) as f64 / CALLS as f64
}

/// What is measured does what it should: the stack makes the signature that the reference makes,
/// and keeps the token to itself.
pub(crate) fn is_signed() {
    let kept = Keeps::default();
    call(&mut all(kept.clone()), &mut fresh(To::Gateway)());
    let sent = kept.0.borrow();
    assert!(!sent.contains_key("cf-aig-authorization"));
    assert_eq!(sent["host"], "bedrock-runtime.us-east-1.amazonaws.com");

    let (head, body) = (converse::signed_parts(), request::body(converse::LENGTH));
    let mut request = Request::from_parts(head, body);
    aws::signer(None)(
        request.method(),
        request.uri(),
        request.headers(),
        request.body(),
        request::now(),
    )
    .apply_to_request_http1x(&mut request);
    assert_eq!(
        request::signature(&sent),
        request::signature(request.headers())
    );
}
