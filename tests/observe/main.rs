//! One record per request, however it ends; ids on every response; no byte changed.

mod cost;
mod drain;
mod ends;
mod gateway;
mod head;
mod headers;
mod payloads;
#[path = "../support/mod.rs"]
mod support;
mod times;
mod usage;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_bedrock::auth::{GatewayAuthLayer, GatewayTokens, Gateways};
use tower_bedrock::context::Context;
use tower_bedrock::credentials::Credentials;
use tower_bedrock::eventstream;
use tower_bedrock::observe::{
    JsonLines, Observability, ObservabilityLayer, ObservedBody, Outcome, Record, ResponseFuture,
    Ring, Sink, Tracing, from_fn,
};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::{Rejection, RejectionKind};

const STREAM: &str = "application/vnd.amazon.eventstream";
const NATIVE: &str = "/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/us.amazon.nova-lite-v1%3A0/converse?a=b";

// What stands in for Bedrock.

enum Step {
    Data(Bytes),
    Trailers,
    Fail,
    /// For ever.
    Wait,
}

/// A body that does as it is told.
struct Script {
    steps: VecDeque<Step>,
    /// After the last frame it says that it was the last.
    tells_end: bool,
    length: Option<u64>,
    /// Set when it is dropped.
    dropped: Arc<AtomicBool>,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            tells_end: false,
            length: None,
            dropped: Arc::default(),
        }
    }

    fn chunks(wire: &[u8], size: usize) -> Self {
        let data = |piece: &[u8]| Step::Data(Bytes::copy_from_slice(piece));
        Self::new(wire.chunks(size).map(data))
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    fn telling_end(mut self) -> Self {
        self.tells_end = true;
        self
    }

    fn of_length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            None => None,
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Fail) => Some(Err("broken")),
            Some(Step::Wait) => {
                self.steps.push_front(Step::Wait);
                return Poll::Pending;
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}

fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

const ANSWER: &str = r#"{"output":{"message":{"content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":11,"outputTokens":4,"cacheReadInputTokens":2}}"#;

fn json(body: Script) -> Response<Script> {
    let response = Response::builder().header("content-type", "application/json");
    let response = response.header("x-amzn-requestid", "aws-1");
    response.body(body).unwrap()
}

fn events(body: Script) -> Response<Script> {
    let kind = "text/event-stream; charset=utf-8";
    let response = Response::builder().header("content-type", kind);
    response.body(body).unwrap()
}

fn stream(body: Script) -> Response<Script> {
    let response = Response::builder().header("content-type", STREAM);
    response.body(body).unwrap()
}

/// A ConverseStream answer.
fn frames() -> Vec<Bytes> {
    let event = |name: &str, json: &str| eventstream::event(name, json.as_bytes());
    vec![
        event("messageStart", r#"{"role":"assistant"}"#),
        event(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"text":"hi"}}"#,
        ),
        event("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        event("messageStop", r#"{"stopReason":"max_tokens"}"#),
        event(
            "metadata",
            r#"{"usage":{"inputTokens":7,"outputTokens":3}}"#,
        ),
    ]
}

// Driving it by hand: without a runtime.

fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("still pending"),
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

#[allow(clippy::type_complexity)] // as `Body` has it
fn next<B: Body + Unpin>(body: &mut B) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    Pin::new(body).poll_frame(&mut Task::from_waker(Waker::noop()))
}

fn post(uri: &str) -> Request<Empty<Bytes>> {
    Request::post(uri).body(Empty::new()).unwrap()
}

/// Sends `request` to a service that gives `response`.
fn ask<B: Body, R: Body<Data = Bytes>>(
    request: Request<B>,
    response: Response<R>,
) -> (Response<ObservedBody<R, R::Error>>, Ring) {
    ask_of(ObservabilityLayer::new(), request, response)
}

fn ask_of<B: Body, R: Body<Data = Bytes>>(
    layer: ObservabilityLayer,
    request: Request<B>,
    response: Response<R>,
) -> (Response<ObservedBody<R, R::Error>>, Ring) {
    let ring = Ring::new(10);
    let mut response = Some(response);
    let inner = service_fn(move |_: Request<B>| {
        let response = response.take().unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let mut service = layer.with_sink(ring.clone()).layer(inner);
    let Ok(response) = now(service.call(request));
    (response, ring)
}

/// The record of a request for this answer, which is read to its end.
fn record_of(request: Request<Empty<Bytes>>, response: Response<Script>) -> Arc<Record> {
    let (response, ring) = ask(request, response);
    let _ = now(response.into_body().collect());
    only(&ring)
}

fn only(ring: &Ring) -> Arc<Record> {
    let mut records = ring.snapshot();
    assert_eq!(records.len(), 1, "records");
    records.remove(0)
}

/// The record of an answer that is read to its end.
fn read(response: Response<Script>) -> Arc<Record> {
    let (response, ring) = ask(post(NATIVE), response);
    assert!(ring.is_empty());
    let dropped = Arc::clone(&response.extensions().get::<Dropped>().unwrap().0);
    let _ = now(response.into_body().collect());
    assert!(dropped.load(Ordering::Relaxed));
    only(&ring)
}

#[derive(Clone)]
struct Dropped(Arc<AtomicBool>);

fn watched(mut response: Response<Script>) -> Response<Script> {
    let dropped = Arc::clone(&response.body().dropped);
    response.extensions_mut().insert(Dropped(dropped));
    response
}

#[test]
fn five_ends() {
    let ends = [
        ("none", Script::new([data(ANSWER)]), Outcome::Complete, None),
        (
            "trailers",
            Script::new([data(ANSWER), Step::Trailers]),
            Outcome::Complete,
            None,
        ),
        (
            "said with the last frame",
            Script::new([data(ANSWER)]).telling_end(),
            Outcome::Complete,
            None,
        ),
        (
            "error",
            Script::new([data(ANSWER), Step::Fail]),
            Outcome::UpstreamCut,
            Some("the upstream's answer broke off"),
        ),
        (
            "drop",
            Script::new([data(ANSWER), Step::Wait]),
            Outcome::ClientDisconnect,
            None,
        ),
    ];
    for (name, script, outcome, error) in ends {
        let (response, ring) = ask(post(NATIVE), json(script));
        let mut body = response.into_body();
        assert!(ring.is_empty(), "{name}");
        assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
        match name {
            "said with the last frame" => assert_eq!(ring.len(), 1),
            "drop" => assert!(next(&mut body).is_pending()),
            _ => {
                assert!(ring.is_empty());
                let _ = next(&mut body);
                assert_eq!(ring.len(), 1, "{name}");
            }
        }
        drop(body);
        let record = only(&ring);
        assert_eq!((record.outcome, record.error.as_deref()), (outcome, error));
        assert_eq!(record.success, outcome == Outcome::Complete, "{name}");
        // What was known until then.
        assert_eq!(record.status_code, Some(200));
        assert_eq!(record.response_size, Some(ANSWER.len() as u64));
        assert_eq!((record.tokens_in, record.tokens_out), (Some(13), Some(4)));
        assert_eq!(record.tokens_cache_read, Some(2));
        assert_eq!(record.tokens_cache_write, None);
        assert_eq!(record.stop_reason.as_deref(), Some("end_turn"));
        assert_eq!(record.upstream_request_id.as_deref(), Some("aws-1"));
        assert!(record.time_to_first_byte.unwrap() <= record.duration);
        assert_eq!(record.time_to_first_token, None);
    }
}

#[test]
fn polled_on_after_the_end() {
    let (response, ring) = ask(post("/"), json(Script::new([data(ANSWER)]).telling_end()));
    let mut body = response.into_body();
    for _ in 0..4 {
        let _ = next(&mut body);
    }
    drop(body);
    only(&ring);
}

#[test]
fn dropped_when_all_that_was_announced_has_come() {
    let length = ANSWER.len() as u64;
    let by_hint = json(Script::new([data(ANSWER)]).of_length(length));
    let mut by_header = json(Script::new([data(ANSWER)]));
    by_header
        .headers_mut()
        .insert("content-length", length.into());
    for response in [by_hint, by_header] {
        let (response, ring) = ask(post(NATIVE), response);
        let mut body = response.into_body();
        assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
        drop(body);
        assert_eq!(only(&ring).outcome, Outcome::Complete);
    }
}

#[test]
fn empty_frames_count_for_nothing() {
    let script = Script::new([data(""), data(ANSWER), data("")]).telling_end();
    let (response, ring) = ask(post(NATIVE), json(script));
    let mut body = response.into_body();
    assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
    assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
    assert!(ring.is_empty());
    // The last one is how HTTP/2 ends.
    assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(_)))));
    assert_eq!(only(&ring).outcome, Outcome::Complete);

    let (response, ring) = ask(post(NATIVE), json(Script::new([data(""), Step::Wait])));
    let mut body = response.into_body();
    let _ = next(&mut body);
    drop(body);
    let record = only(&ring);
    assert_eq!(record.time_to_first_byte, None);
    assert_eq!(record.response_size, Some(0));
}

#[test]
fn answers_without_a_body() {
    let head = Request::head("/").body(Empty::<Bytes>::new()).unwrap();
    let mut long = stream(Script::new([Step::Wait]));
    long.headers_mut().insert("content-length", 100.into());
    let (response, ring) = ask(head, long);
    let record = only(&ring);
    assert_eq!((record.outcome, record.success), (Outcome::Complete, true));
    drop(response);
    only(&ring);

    for status in [204, 304, 101] {
        let mut response = stream(Script::new([Step::Wait]));
        *response.status_mut() = status.try_into().unwrap();
        let (response, ring) = ask(post("/"), response);
        let record = only(&ring);
        assert_eq!(record.outcome, Outcome::Complete, "{status}");
        assert_eq!(record.success, status == 204);
        drop(response);
        only(&ring);
    }

    let (response, ring) = ask(post("/"), Response::new(Empty::<Bytes>::new()));
    assert!(response.body().is_end_stream());
    assert_eq!(only(&ring).outcome, Outcome::Complete);
}

#[test]
fn how_answers_go_wrong() {
    let short = json(Script::new([data(ANSWER)]).of_length(1000));
    let record = read(watched(short));
    assert_eq!(record.outcome, Outcome::UpstreamCut);
    assert_eq!(
        record.error.as_deref(),
        Some("the upstream's answer is shorter than announced")
    );

    let cut = json(Script::new([data(r#"{"stopReason":"end_turn","#)]));
    let record = read(watched(cut));
    assert_eq!(record.outcome, Outcome::UpstreamCut);
    assert_eq!(record.stop_reason.as_deref(), Some("end_turn"));

    let mut failed = json(Script::new([data(r#"{"message":"slow down"}"#)]));
    *failed.status_mut() = 429.try_into().unwrap();
    failed.headers_mut().insert(
        "x-amzn-errortype",
        "com.amazon#ThrottlingException:http://x".parse().unwrap(),
    );
    let record = read(watched(failed));
    assert_eq!(record.outcome, Outcome::UpstreamError);
    assert_eq!(record.error.as_deref(), Some("ThrottlingException"));
    assert_eq!((record.status_code, record.success), (Some(429), false));

    let mut failed = json(Script::new([data("no")]));
    *failed.status_mut() = 503.try_into().unwrap();
    let record = read(watched(failed));
    assert_eq!(record.error.as_deref(), Some("503 Service Unavailable"));

    let unknown = r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
    let record = read(watched(json(Script::new([data(unknown)]))));
    assert_eq!(record.outcome, Outcome::UpstreamError);
    assert_eq!(record.error.as_deref(), Some("UnknownOperationException"));
    assert_eq!((record.status_code, record.success), (Some(200), false));
}

#[test]
fn how_streams_go_wrong() {
    let frames = frames();
    let some = |n: usize| Script::new(frames.iter().take(n).cloned().map(Step::Data));

    let record = read(watched(stream(some(3))));
    assert_eq!(record.outcome, Outcome::UpstreamCut, "before messageStop");
    assert_eq!(record.status_code, Some(200));

    let record = read(watched(stream(some(0))));
    assert_eq!(record.outcome, Outcome::UpstreamCut, "no frame");

    let half = frames[2].slice(..20);
    let record = read(watched(stream(some(2).then(Step::Data(half)))));
    assert_eq!(record.outcome, Outcome::UpstreamCut, "in mid-frame");

    let exception = eventstream::exception("modelStreamErrorException", b"{\"message\":\"x\"}");
    for end in [Step::Trailers, Step::Fail] {
        let script = some(2).then(Step::Data(exception.clone())).then(end);
        let record = read(watched(stream(script)));
        assert_eq!(record.outcome, Outcome::UpstreamError);
        assert_eq!(record.error.as_deref(), Some("modelStreamErrorException"));
        assert!(!record.success);
    }

    // The client leaves because of the exception.
    let script = some(2).then(Step::Data(exception)).then(Step::Wait);
    let (response, ring) = ask(post(NATIVE), stream(script));
    let mut body = response.into_body();
    while let Poll::Ready(Some(_)) = next(&mut body) {}
    drop(body);
    assert_eq!(only(&ring).outcome, Outcome::UpstreamError);

    let mut bad = frames[3].to_vec();
    *bad.last_mut().unwrap() ^= 1;
    let record = read(watched(stream(some(3).then(Step::Data(bad.into())))));
    assert_eq!(record.outcome, Outcome::UpstreamError);
    assert!(record.error.as_deref().unwrap().contains("checksum"));
}

#[test]
fn streams_pass_unchanged_in_any_split() {
    let wire = frames().concat();
    for size in [1, 3, 7, 1000, usize::MAX] {
        let script = Script::chunks(&wire, size.min(wire.len()));
        let (response, ring) = ask(post(NATIVE), stream(script));
        let body = now(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(body, wire);
        let record = only(&ring);
        assert_eq!(record.outcome, Outcome::Complete, "{size}");
        assert_eq!((record.tokens_in, record.tokens_out), (Some(7), Some(3)));
        assert_eq!(record.stop_reason.as_deref(), Some("max_tokens"));
        assert_eq!(record.response_size, Some(wire.len() as u64));
        let (first, token) = (record.time_to_first_byte, record.time_to_first_token);
        assert!(first.unwrap() <= token.unwrap());
    }
}

#[test]
fn future_dropped_before_a_response() {
    let ring = Ring::new(10);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    let in_flight = Arc::new(());
    let held = Arc::clone(&in_flight);
    let mut service = layer.layer(service_fn(move |_: Request<Empty<Bytes>>| {
        let held = Arc::clone(&held);
        async move {
            let response = pending::<Response<Empty<Bytes>>>().await;
            drop(held);
            Ok::<_, Infallible>(response)
        }
    }));

    drop(service.call(post(NATIVE)));
    let record = only(&ring);
    assert_eq!(record.outcome, Outcome::ClientDisconnect);
    assert_eq!((record.status_code, record.response_size), (None, None));
    assert_eq!((record.attempts, record.error.as_deref()), (None, None));

    let mut future = Box::pin(service.call(post(NATIVE)));
    assert!(poll(future.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&in_flight), 3);
    drop(future);
    assert_eq!(Arc::strong_count(&in_flight), 2, "the upstream was let go");
    assert_eq!(ring.len(), 2);
    assert_eq!(ring.snapshot()[0].outcome, Outcome::ClientDisconnect);
    assert!(!ring.snapshot()[0].success);
}

#[test]
fn inner_service_fails() {
    let ring = Ring::new(10);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
        Err::<Response<Empty<Bytes>>, _>("no route to host")
    }));
    assert_eq!(
        now(service.call(post("/"))).unwrap_err(),
        "no route to host"
    );
    let record = only(&ring);
    assert_eq!(record.outcome, Outcome::UpstreamError);
    assert_eq!(record.error.as_deref(), Some("the inner service failed"));
    assert_eq!((record.status_code, record.success), (None, false));
}

#[test]
fn inner_service_panics() {
    let ring = Ring::new(10);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    let service = layer.layer(service_fn(
        |_: Request<Empty<Bytes>>| -> std::future::Ready<Result<Response<Empty<Bytes>>, Infallible>> {
            panic!("on purpose")
        },
    ));
    let call = std::panic::AssertUnwindSafe(move || {
        let mut service = service;
        drop(service.call(post("/")));
    });
    assert!(std::panic::catch_unwind(call).is_err());
    only(&ring);
}

/// The whole stack, but for the client.
fn stack<F>(
    ring: &Ring,
    answer: impl Fn() -> F + Clone,
) -> impl Service<Request<Full<Bytes>>, Response = Response<impl Body<Data = Bytes>>, Error = Infallible>
+ Clone
where
    F: Future<Output = Response<Script>>,
{
    let gateway = GatewayTokens::new("acme", "prod").unwrap();
    let gateway = gateway.with_token("s3cret").unwrap();
    ServiceBuilder::new()
        .layer(ObservabilityLayer::new().with_sink(ring.clone()))
        .layer(GatewayAuthLayer::new(
            Gateways::new().with_gateway(gateway).unwrap(),
        ))
        .layer(BedrockPathRewriteLayer::new())
        .layer(SigV4SigningLayer::new(
            Credentials::new("AKIDEXAMPLE", "secret").unwrap(),
        ))
        .service(service_fn(
            move |request: Request<tower_bedrock::sign::SignedBody<Full<Bytes>>>| {
                assert!(!request.headers().contains_key("cf-aig-log-id"));
                let answer = answer();
                async { Ok::<_, Infallible>(answer.await) }
            },
        ))
}

fn signed_for(token: &str) -> Request<Full<Bytes>> {
    let request = Request::post(NATIVE).header("cf-aig-authorization", format!("Bearer {token}"));
    request.body(Full::from("{\"messages\":[]}")).unwrap()
}

#[tokio::test]
async fn the_whole_stack_fills_the_record() {
    let ring = Ring::new(10);
    let answer = || async { json(Script::new([data(ANSWER)])) };
    let Ok(response) = stack(&ring, answer).call(signed_for("s3cret")).await;
    assert_eq!(response.headers()["x-amzn-requestid"], "aws-1");
    assert!(response.into_body().collect().await.is_ok());

    let record = only(&ring);
    let json = serde_json::to_value(&*record).unwrap();
    for (name, value) in [
        ("provider", "aws-bedrock"),
        ("account_id", "acme"),
        ("gateway_id", "prod"),
        ("region", "us-east-1"),
        ("operation", "Converse"),
        ("model", "us.amazon.nova-lite-v1:0"),
        ("path", NATIVE.split('?').next().unwrap()),
        ("credentials_id", "AKIDEXAMPLE"),
        ("upstream_request_id", "aws-1"),
        ("outcome", "complete"),
        ("stop_reason", "end_turn"),
        ("event_id", &record.id),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
    assert!(json["principal"].is_string());
    assert_eq!(json["success"], true);
    assert_eq!(json["request_size"], 15);
    assert_eq!(json["attempts"], 1);
    assert!(json["upstream_latency"].is_number());
    assert_eq!(json["cost"], 0.00000165);
    for name in ["metadata", "error", "tokens_cache_write"] {
        assert!(json.as_object().unwrap().contains_key(name), "{name}");
        assert!(json[name].is_null(), "{name}");
    }
    let created_at = json["created_at"].as_str().unwrap();
    assert_eq!((created_at.len(), &created_at[23..]), (24, "Z"));
}

#[tokio::test]
async fn a_client_that_leaves_leaves_a_full_record() {
    let ring = Ring::new(10);
    let mut service = stack(&ring, pending::<Response<Script>>);
    let mut future = Box::pin(service.call(signed_for("s3cret")));
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    let record = only(&ring);
    assert_eq!(record.outcome, Outcome::ClientDisconnect);
    assert!(record.principal.is_some());
    assert_eq!(record.credentials_id.as_deref(), Some("AKIDEXAMPLE"));
    assert_eq!(record.model.as_deref(), Some("us.amazon.nova-lite-v1:0"));
    assert_eq!((record.attempts, record.status_code), (Some(1), None));
}

#[tokio::test]
async fn refusals() {
    let ring = Ring::new(10);
    let answer = || async { json(Script::new([data(ANSWER)])) };
    let Ok(response) = stack(&ring, answer).call(signed_for("guess")).await;
    assert_eq!(response.status(), 401);
    let id = response.headers()["cf-aig-log-id"].clone();
    assert_eq!(response.headers()["x-amzn-requestid"], id);
    assert!(!response.headers().contains_key("x-request-id"));
    let body = response.into_body().collect().await.ok().unwrap();
    let record = only(&ring);
    assert_eq!(record.id, id.to_str().unwrap());
    assert_eq!(record.outcome, Outcome::Refused);
    assert_eq!(record.status_code, Some(401));
    assert_eq!((record.attempts, record.success), (Some(0), false));
    assert_eq!(record.account_id.as_deref(), Some("acme"));
    assert_eq!(record.upstream_request_id, None);
    assert_eq!(record.principal, None);
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    assert!(text.contains(record.error.as_deref().unwrap()));

    // A gRPC refusal has a status of 200.
    let mut request = signed_for("guess");
    let headers = request.headers_mut();
    headers.insert("content-type", "application/grpc".parse().unwrap());
    let Ok(response) = stack(&ring, answer).call(request).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x-amzn-requestid"));
    let record = &ring.snapshot()[0];
    assert_eq!((record.status_code, record.success), (Some(200), false));
    assert_eq!(record.outcome, Outcome::Refused);
}

#[test]
fn a_layer_that_gives_up_on_the_upstream() {
    let rejection = Rejection::new(RejectionKind::UpstreamTimeout, "too late");
    let response = rejection.into_response::<Empty<Bytes>>(tower_bedrock::Dialect::Envelope);
    let (response, ring) = ask(post(NATIVE), response);
    drop(response);
    let record = only(&ring);
    assert_eq!(record.outcome, Outcome::UpstreamError);
    assert_eq!(record.error.as_deref(), Some("too late"));
    assert_eq!(record.status_code, Some(504));
}

#[test]
fn ids_on_every_response() {
    let request = |headers: &[(&'static str, &str)]| {
        let mut request = post(NATIVE);
        for (name, value) in headers {
            let value = value.parse().unwrap();
            request.headers_mut().append(*name, value);
        }
        request
    };
    let ids = |request| {
        let mut inner = json(Script::new([data(ANSWER)]));
        for name in ["cf-aig-log-id", "cf-aig-event-id", "cf-aig-step"] {
            inner.headers_mut().insert(name, "theirs".parse().unwrap());
        }
        let (response, ring) = ask(request, inner);
        let headers = response.headers().clone();
        drop(response);
        let text = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().unwrap().to_str().unwrap().to_owned();
            assert!(values.next().is_none());
            value
        };
        assert_eq!(text("cf-aig-step"), "0");
        assert_eq!(text("x-amzn-requestid"), "aws-1");
        let (log, event) = (text("cf-aig-log-id"), text("cf-aig-event-id"));
        let record = only(&ring);
        assert_eq!((&record.id, &record.event_id), (&log, &event));
        assert_eq!(log.len(), 36);
        assert_eq!(&log[14..15], "7", "a UUID of version 7");
        assert!(matches!(&log[19..20], "8" | "9" | "a" | "b"));
        (log, event)
    };

    let (log, event) = ids(request(&[]));
    assert_eq!(log, event);
    let (later, _) = ids(request(&[("cf-aig-log-id", "mine")]));
    assert!(later > log, "in order of time");
    let (log, event) = ids(request(&[("cf-aig-event-id", "run-7")]));
    assert_ne!(log, "run-7");
    assert_eq!(event, "run-7");
    let (_, event) = ids(request(&[("cf-aig-event-id", &"x".repeat(128))]));
    assert_eq!(event.len(), 128);
    for bad in ["", "a b", &"x".repeat(129), "caf\u{e9}"] {
        let (log, event) = ids(request(&[("cf-aig-event-id", bad)]));
        assert_eq!(log, event, "{bad:?}");
    }
}

#[test]
fn openai_answers_carry_their_own_id() {
    let request = post("/v1/acme/prod/compat/chat/completions");
    let (response, _) = ask(request, json(Script::new([data("{}")])));
    let id = &response.headers()["cf-aig-log-id"];
    assert_eq!(&response.headers()["x-request-id"], id);
}

#[test]
fn the_request_goes_inward_without_a_log_id() {
    let layer = ObservabilityLayer::new();
    let mut service = layer.layer(service_fn(|request: Request<Empty<Bytes>>| async move {
        assert!(!request.headers().contains_key("cf-aig-log-id"));
        assert_eq!(request.headers()["cf-aig-event-id"], "mine");
        let context = Context::get(request.extensions()).unwrap();
        assert_eq!(context.inbound(), Some(request.uri()));
        assert_eq!(context.request_size(), Some(0));
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    let mut request = post(NATIVE);
    let headers = request.headers_mut();
    headers.insert("cf-aig-log-id", "mine".parse().unwrap());
    headers.insert("cf-aig-event-id", "mine".parse().unwrap());
    let Ok(response) = now(service.call(request));
    // There are ids without any sink.
    assert_eq!(response.headers()["cf-aig-log-id"].len(), 36);
}

#[test]
fn request_size() {
    for (length, hint, known) in [
        (Some("12"), None, Some(12)),
        (None, Some(5), Some(5)),
        (None, None, None),
        (Some("+12"), None, None),
        (Some("12, 12"), None, None),
        (Some("99999999999999999999"), None, None),
    ] {
        let mut script = Script::new([]);
        script.length = hint;
        let mut request = Request::new(script);
        if let Some(length) = length {
            let length = length.parse().unwrap();
            request.headers_mut().insert("content-length", length);
        }
        let (_, ring) = ask(request, Response::new(Empty::<Bytes>::new()));
        assert_eq!(only(&ring).request_size, known, "{length:?}");
    }
}

#[test]
fn bedrocks_own_urls() {
    let host = "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com";
    let uri = format!("{host}/model/arn%3Aaws%3Abedrock%3A%2Fx/invoke");
    let (_, ring) = ask(post(&uri), Response::new(Empty::<Bytes>::new()));
    let record = only(&ring);
    assert_eq!(record.model.as_deref(), Some("arn:aws:bedrock:/x"));
    assert_eq!(record.operation, Some("InvokeModel"));
    assert_eq!(record.region.as_deref(), Some("us-gov-west-1"));
    assert_eq!((&record.account_id, &record.gateway_id), (&None, &None));

    let path = format!("/{}", "\u{e9}".repeat(8 * 1024));
    let (_, ring) = ask(post(&path), Response::new(Empty::<Bytes>::new()));
    let record = only(&ring);
    assert_eq!(record.path.len(), 8 * 1024 - 1, "at a character's end");
    assert_eq!((record.operation, &record.model), (None, &None));
}

#[test]
fn clones_of_a_template_have_their_own_records() {
    let ring = Ring::new(10);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    let mut service = layer.layer(service_fn(|request: Request<Empty<Bytes>>| async move {
        let (head, _) = request.into_parts();
        let mut response = Response::new(Empty::<Bytes>::new());
        response.extensions_mut().insert(head.extensions);
        Ok::<_, Infallible>(response)
    }));
    let Ok(first) = now(service.call(post("/model/a/converse")));
    let mut template = post("/model/b/converse");
    *template.extensions_mut() = first
        .extensions()
        .get::<http::Extensions>()
        .unwrap()
        .clone();
    let _ = now(service.call(template));
    let records = ring.snapshot();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].model.as_deref(), Some("b"), "newest first");
    assert_eq!(records[1].model.as_deref(), Some("a"));
    assert_ne!(records[0].id, records[1].id);
}

// Sinks.

#[test]
fn a_sink_that_panics_harms_nobody() {
    let (before, after) = (Ring::new(1), Ring::new(1));
    let layer = ObservabilityLayer::new()
        .with_sink(before.clone())
        .with_sink(from_fn(|_| panic!("on purpose")))
        .with_sink(Arc::new(after.clone()));
    let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Script::new([data("x"), Step::Wait])))
    }));
    for n in 1..=3 {
        let Ok(response) = now(service.call(post("/")));
        drop(response);
        assert_eq!((before.len(), after.len()), (1, 1));
        assert_eq!(layer.sink_panics(), n);
    }

    // Not even while the thread panics already.
    let Ok(response) = now(service.call(post("/")));
    let thread = std::thread::spawn(move || {
        let _response = response;
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    assert_eq!(layer.sink_panics(), 4);
}

#[test]
fn ring_keeps_the_latest() {
    let ring = Ring::new(2);
    let nothing = Ring::new(0);
    let layer = ObservabilityLayer::new()
        .with_sink(ring.clone())
        .with_sink(nothing.clone())
        .with_sink(Tracing::new());
    let mut service = layer.layer(service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    }));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let Ok(response) = now(service.call(post("/")));
        ids.push(
            response.headers()["cf-aig-log-id"]
                .to_str()
                .unwrap()
                .to_owned(),
        );
    }
    let kept: Vec<_> = ring.snapshot().iter().map(|r| r.id.clone()).collect();
    assert_eq!(kept, [ids[2].clone(), ids[1].clone()]);
    assert_eq!(ring.len(), 2);
    assert!(ring.get(&ids[0]).is_none());
    assert_eq!(ring.get(&ids[1]).unwrap().id, ids[1]);
    assert!(nothing.is_empty());
}

/// A writer that can be seen into, and can be told to fail.
#[derive(Clone, Default)]
struct Shared {
    written: Arc<Mutex<Vec<u8>>>,
    fails: Arc<AtomicBool>,
    /// Held while a test wants the writer to wait.
    gate: Arc<Mutex<()>>,
    calls: Arc<AtomicUsize>,
}

impl Write for Shared {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock());
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("disk full"));
        }
        self.written.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn count(&self) -> usize {
        let written = self.written.lock().unwrap();
        let lines = written.split(|&byte| byte == b'\n');
        lines.filter(|line| !line.is_empty()).count()
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let written = String::from_utf8(self.written.lock().unwrap().clone()).unwrap();
        assert!(written.is_empty() || written.ends_with('\n'));
        let lines = written.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn record() -> Arc<Record> {
    let (response, ring) = ask(post("/"), Response::new(Empty::<Bytes>::new()));
    drop(response);
    only(&ring)
}

#[test]
fn json_lines_are_written_and_flushed() {
    let (writer, record) = (Shared::default(), record());
    let sink = JsonLines::new(writer.clone());
    sink.record(&record);
    sink.flush();
    assert_eq!(writer.lines().len(), 1);
    assert_eq!(writer.lines()[0]["id"], record.id);

    let second = sink.clone();
    for _ in 0..1000 {
        second.record(&record);
    }
    drop(sink);
    drop(second);
    assert_eq!(writer.count(), 1001, "the last handle writes what waits");
}

#[test]
fn json_lines_that_find_no_place_are_counted() {
    let (writer, record) = (Shared::default(), record());
    let sink = JsonLines::new(writer.clone());
    let held = writer.gate.lock().unwrap();
    sink.record(&record);
    while writer.calls.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    // The thread is stuck with the first one.
    for _ in 0..5000 {
        sink.record(&record);
    }
    assert_eq!(sink.dropped(), 5000 - 4096);
    drop(held);
    sink.flush();
    assert_eq!(writer.count(), 4097);

    writer.fails.store(true, Ordering::SeqCst);
    sink.record(&record);
    sink.flush();
    assert_eq!(sink.dropped(), 905);
    writer.fails.store(false, Ordering::SeqCst);
    sink.record(&record);
    sink.flush();
    assert_eq!(writer.count(), 4098);
    assert_eq!(sink.dropped(), 905);
}

#[test]
fn json_lines_go_to_a_file() {
    let name = format!("tower-bedrock-records-{}.jsonl", std::process::id());
    let path = std::env::temp_dir().join(name);
    for _ in 0..2 {
        JsonLines::to_file(&path).unwrap().record(&record());
    }
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(text.lines().count(), 2, "appended");
    assert!(JsonLines::to_file(path.join("no/such/folder")).is_err());
}

#[test]
fn shapes() {
    fn common<T: Send + Sync + Clone + 'static>() {}
    fn movable<T: Send + Sync + 'static>() {}
    common::<ObservabilityLayer>();
    common::<Observability<()>>();
    common::<Record>();
    common::<Ring>();
    common::<JsonLines>();
    common::<Tracing>();
    movable::<ObservedBody<Full<Bytes>>>();
    movable::<ResponseFuture<std::future::Ready<()>, ()>>();
    fn defaults<T: Default>() {}
    struct NoDefault;
    defaults::<ObservedBody<NoDefault>>();
    let none = ObservedBody::<Full<Bytes>, Infallible>::default();
    assert!(none.is_end_stream());
    assert_eq!(none.size_hint().exact(), Some(0));
    assert_eq!(
        format!("{:?}", ObservabilityLayer::default()),
        "ObservabilityLayer { sinks: 1, .. }"
    );

    let mut service = ObservabilityLayer::new().layer(7);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
