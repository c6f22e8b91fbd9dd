//! Any body goes in; frames, trailers and sizes come out as they were.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::{Body, SizeHint};
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody};
use tower::{Layer, Service, ServiceExt};
use tower_bedrock::auth::{GatewayAuth, GatewayAuthLayer};
use tower_bedrock::body::{BoxError, Buffered, RequestBody, UpstreamBody};
use tower_bedrock::observe::{Observability, ObservabilityLayer, Ring};
use tower_bedrock::rewrite::{BedrockPathRewrite, BedrockPathRewriteLayer};
use tower_bedrock::sign::{SigV4Signing, SigV4SigningLayer};
use tower_bedrock::upstream::{Upstream, UpstreamLayer};

use crate::cases::{Case, PATH, Slow, Stack, TOKEN, Vault, ask, key, ready};
use crate::probe::{Probe, REPLY, Watch, trailers};
use crate::script::script;

fn addresses(frames: &[Bytes]) -> Vec<*const u8> {
    frames.iter().map(|frame| frame.as_ptr()).collect()
}

async fn request_frames_are_the_same<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    let sent: [Bytes; 3] = ["{\"a\":", "[1,", "2]}"].map(|text| Bytes::from(text.to_owned()));
    let body = sent
        .iter()
        .cloned()
        .fold(script(), |body, frame| body.data(frame));
    let body = body.declared(11).trailers(trailers());
    let response = ask(&mut service, case.good(body)).await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = watch.seen();
    assert_eq!(addresses(&seen.frames), addresses(&sent));
    assert_eq!(seen.trailers, Some(trailers()));
    assert_eq!(seen.hint.exact(), Some(11));
}
each!(request_frames_are_the_same: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);

/// A layer that holds no body knows of its length what it is told.
async fn unknown_length_stays_unknown<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    let body = script().data("x").wait(Duration::from_secs(1)).data("y");
    ask(&mut service, case.good(body)).await.unwrap();
    let seen = watch.seen();
    assert_eq!((seen.hint.lower(), seen.hint.upper()), (0, None));
    assert_eq!(seen.frames, ["x", "y"]);
    assert!(!seen.head.headers.contains_key("content-length"));
}
each!(unknown_length_stays_unknown: auth_now, auth_later, rewrite, compat, observe, upstream);

/// One that holds it knows.
async fn length_is_stated<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    for (body, length) in [
        (
            script().data("x").wait(Duration::from_secs(1)).data("yz"),
            "3",
        ),
        (script(), "0"),
    ] {
        let (mut service, watch) = case.service();
        let mut request = case.good(body);
        let headers = request.headers_mut();
        headers.insert("transfer-encoding", "chunked".parse().unwrap());
        ask(&mut service, request).await.unwrap();
        let seen = watch.seen();
        assert_eq!(seen.hint.exact(), length.parse().ok());
        assert_eq!(seen.head.headers["content-length"], length);
        assert!(!seen.head.headers.contains_key("transfer-encoding"));
    }
}
each!(length_is_stated: sign_now, sign_later);

/// The inner service has the beginning of a body whose end has not been sent.
async fn request_streams<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    ready(&mut service).await.unwrap();
    let future = service.call(case.good(script().data("so far").hangs()));
    let early = tokio::time::timeout(Duration::from_secs(1), future).await;
    assert!(early.is_err());
    assert_eq!(watch.seen().frames, ["so far"]);
}
each!(request_streams: auth_now, auth_later, rewrite, compat, observe, upstream);

#[tokio::test(start_paused = true)]
async fn request_with_the_clients_own_credentials_streams() {
    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00ff";
    for authorization in [SIGNED, "Bearer bedrock-api-key"] {
        let watch = Watch::default();
        let mut service = SigV4SigningLayer::new(key()).layer(watch.probe());
        ready(&mut service).await.unwrap();
        let body = script().data("so far").hangs();
        let request = Request::post(crate::cases::URL).header("authorization", authorization);
        let future = service.call(request.body(body).unwrap());
        let early = tokio::time::timeout(Duration::from_secs(1), future).await;
        assert!(early.is_err());
        assert_eq!(watch.seen().frames, ["so far"]);
        assert_eq!(watch.seen().head.headers["authorization"], authorization);
    }
}

async fn response_is_the_same<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, _) = case.service();
    let response = ask(&mut service, case.good(script())).await.unwrap();
    let mut body = response.into_body();
    let mut left = REPLY.concat().len() as u64;
    for text in REPLY {
        assert_eq!(body.size_hint().exact(), Some(left));
        assert!(!body.is_end_stream());
        let Some(Ok(frame)) = body.frame().await else {
            panic!("a frame is missing");
        };
        assert_eq!(frame.data_ref().unwrap().as_ptr(), text.as_ptr());
        left -= text.len() as u64;
    }
    let Some(Ok(frame)) = body.frame().await else {
        panic!("the trailers are missing");
    };
    assert_eq!(frame.into_trailers().ok(), Some(trailers()));
    assert!(body.frame().await.is_none());
}
each!(response_is_the_same: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);

type Stacked = Observability<GatewayAuth<BedrockPathRewrite<SigV4Signing<Upstream<Probe>>>>>;

fn stack(watch: &Watch) -> Stacked {
    let inner = UpstreamLayer::new().layer(watch.probe());
    let inner = SigV4SigningLayer::new(Vault).layer(inner);
    let inner = BedrockPathRewriteLayer::new().layer(inner);
    let inner = GatewayAuthLayer::new(Slow).layer(inner);
    ObservabilityLayer::new()
        .with_sink(Ring::new(1))
        .layer(inner)
}

/// Sends `body`, whose bytes are `{}` or none, through all layers.
async fn send<B>(service: &Stacked, watch: &Watch, body: B)
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let request = Request::post(PATH).header("cf-aig-authorization", format!("Bearer {TOKEN}"));
    let request = request.body(body).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let bytes = watch.seen().frames.concat();
    assert!(bytes.is_empty() || bytes == b"{}", "{bytes:?}");
}

/// One service takes them all: nothing in its type is about the body.
#[tokio::test(start_paused = true)]
async fn any_body_will_do() {
    let watch = Watch::default();
    let service = &stack(&watch);
    let full = || Full::<Bytes>::from("{}");
    send(service, &watch, full()).await;
    send(service, &watch, Empty::<Bytes>::new()).await;
    send(service, &watch, full().boxed()).await;
    send(service, &watch, full().boxed_unsync()).await;
    send(service, &watch, StreamBody::new(BodyStream::new(full()))).await;
    let boxed = full().map_err(|never| -> BoxError { match never {} });
    send(service, &watch, boxed).await;
    let trailed = full().with_trailers(async { Some(Ok(trailers())) });
    send(service, &watch, trailed).await;
    let held = Buffered::from_iter(["{", "}"].map(Bytes::from));
    send(service, &watch, held).await;
    let streaming = RequestBody::stream(script().data("{}"));
    send(service, &watch, streaming).await;
    send(service, &watch, UpstreamBody::new(full())).await;
    let pinned = Box::pin(script().data("{}").trailers(HeaderMap::new()));
    send(service, &watch, pinned).await;
    let slow = script().data("{").wait(Duration::from_secs(5)).data("}");
    send(service, &watch, slow).await;
    assert_eq!(watch.calls(), 12);
}

#[test]
fn held_bodies_say_how_long_they_are() {
    let mut body = Buffered::from_iter(["ab", "", "c"].map(Bytes::from));
    assert_eq!(body.size_hint().exact(), Some(3));
    assert_eq!(body.frames().count(), 2);
    let copy = body.clone();
    assert_eq!(
        addresses(&copy.frames().cloned().collect::<Vec<_>>()),
        addresses(&body.frames().cloned().collect::<Vec<_>>()),
    );
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = std::pin::Pin::new(&mut body).poll_frame(&mut cx);
    assert_eq!((body.size_hint().exact(), copy.len()), (Some(1), 3));
    let unknown = RequestBody::stream(script());
    assert_eq!(unknown.size_hint().exact(), SizeHint::default().exact());
}
