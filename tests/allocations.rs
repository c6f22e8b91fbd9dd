//! What a request costs in allocations. The numbers are printed: `--nocapture` shows them.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, SystemTime};

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body::Body as _;
use http_body_util::{Empty, Full};
use tower::{Layer, Service};
use tower_bedrock::auth::{Authenticate, GatewayAuthLayer, GatewayTokens, Gateways};
use tower_bedrock::compat::Translation;
use tower_bedrock::credentials::{Credentials, ProvideCredentials};
use tower_bedrock::observe::{ObservabilityLayer, Ring};
use tower_bedrock::rewrite::{BedrockPathRewriteLayer, Endpoints};
use tower_bedrock::sign::{PayloadHash, SigV4SigningLayer, Signer, SigningParams};
use tower_bedrock::{Context, Policy, Principal, Rejection};

#[path = "../benches/compat/flow.rs"]
mod flow;
#[path = "../benches/compat/inputs.rs"]
mod inputs;

type Body = Full<Bytes>;

/// Answers at once, and allocates nothing.
#[derive(Clone)]
struct Nothing;

impl<B> Service<Request<B>> for Nothing {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Dropping the request is not what is measured.
        std::mem::forget(request);
        ready(Ok(Response::new(Empty::new())))
    }
}

const HEADERS: &[(&str, &str)] = &[
    ("host", "gateway.test"),
    ("user-agent", "aws-sdk-rust/1.3"),
    ("content-type", "application/json"),
    ("content-length", "2"),
    ("cf-aig-authorization", "Bearer s3cret"),
];

/// What a load balancer and Cloudflare's edge add.
const PROXIED: &[(&str, &str)] = &[
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-real-ip", "192.0.2.1"),
    ("via", "1.1 edge"),
    ("cf-ray", "8c0d"),
    ("cf-connecting-ip", "192.0.2.1"),
    ("cf-ipcountry", "XX"),
    ("cookie", "a=b"),
    ("connection", "keep-alive"),
];

/// What a client adds that signs itself.
const SIGNED: &[(&str, &str)] = &[
    (
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=00ff",
    ),
    ("x-amz-date", "20260102T030405Z"),
];

/// As hyper makes it: URI and header values are slices of the buffer that was read.
fn as_hyper_does(path: &str, headers: &[&[(&str, &str)]]) -> Request<Body> {
    let headers = headers.concat();
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    buffer.extend_from_slice(path.as_bytes());
    for (_, value) in &headers {
        buffer.extend_from_slice(value.as_bytes());
    }
    let mut buffer = buffer.split().freeze();
    let mut map = HeaderMap::with_capacity(headers.len());
    let uri = Uri::from_maybe_shared(buffer.split_to(path.len())).unwrap();
    for (name, value) in &headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_maybe_shared(buffer.split_to(value.len())).unwrap();
        map.append(name, value);
    }
    let mut request = Request::new(Full::from("{}"));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = map;
    request
}

/// As a program makes it.
fn from_string(path: &str, headers: &[&[(&str, &str)]]) -> Request<Body> {
    let mut request = Request::post(path.to_owned());
    for (name, value) in headers.concat() {
        request = request.header(name, value);
    }
    request.body(Full::from("{}")).unwrap()
}

fn path(model: &str) -> String {
    format!("/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/{model}/converse?a=%2b")
}

fn long_model() -> String {
    "m%3A0.".repeat(7 * 1024 / 6)
}

/// Allocations of `work`, and what it made; dropping that is not part of it.
fn count<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let mut made = None;
    let info = measure(|| made = Some(work()));
    (info.count_total, made.unwrap())
}

/// Polls once, which must be enough.
fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Allocations of a call and of its future, up to the inner service's answer.
fn cost<S, R>(service: &S, request: Request<Body>) -> u64
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone,
{
    let mut service = service.clone();
    let mut cx = Task::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let (allocations, response) = count(|| finish(service.call(request)));
    assert_eq!(response.unwrap().status(), 200);
    allocations
}

fn gateways() -> Gateways {
    let gateway = GatewayTokens::new("acme", "prod").unwrap();
    let gateway = gateway.with_token("s3cret").unwrap();
    Gateways::new().with_gateway(gateway).unwrap()
}

/// Knows who is calling, but is asked in a future.
struct Asked(Principal);

impl Authenticate for Asked {
    async fn authenticate(&self, _: &Parts) -> Result<Principal, Rejection> {
        ready(()).await;
        Ok(self.0.clone())
    }
}

/// The same at once.
struct Known(Principal);

impl Authenticate for Known {
    async fn authenticate(&self, _: &Parts) -> Result<Principal, Rejection> {
        Ok(self.0.clone())
    }

    fn authenticate_now(&self, _: &Parts) -> Option<Result<Principal, Rejection>> {
        Some(Ok(self.0.clone()))
    }
}

struct Vault(Credentials);

impl ProvideCredentials for Vault {
    async fn credentials(&self, _: &Parts) -> Result<Credentials, Rejection> {
        ready(()).await;
        Ok(self.0.clone())
    }
}

fn key() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret").unwrap()
}

type Make = fn(&str, &[&[(&str, &str)]]) -> Request<Body>;
const MAKES: [(&str, Make); 2] = [
    ("from hyper", as_hyper_does),
    ("from a string", from_string),
];

/// The handle of a request's facts: its `Arc`, and what `http::Extensions` needs for one value.
#[test]
fn context() {
    let mut request = as_hyper_does("/", &[HEADERS]);
    let (allocations, _) = count(|| Context::of(request.extensions_mut()));
    println!("context: {allocations}");
    assert_eq!(allocations, 4);
    let (again, _) = count(|| Context::of(request.extensions_mut()));
    assert_eq!(again, 0);
}

#[test]
fn rewrite() {
    let aws = BedrockPathRewriteLayer::new();
    let fixed = Endpoints::fixed("http://127.0.0.1:9000").unwrap();
    let fixed = aws.clone().with_endpoints(fixed);
    let arn = "arn:aws:bedrock:us-east-1:123456789012:custom-model/a/b";
    let spread = format!("{arn}{}", "/c".repeat(3 * 1024));
    let escapes = "%3A%2F/".repeat(5 * 1024 / 7);
    let long = long_model();
    // The first request of a thread to a host.
    let first = cost(&aws.layer(Nothing), as_hyper_does(&path("m"), &[HEADERS]));
    println!("rewrite, first of a thread: {first}");
    let (aws, fixed) = (aws.layer(Nothing), fixed.layer(Nothing));
    for (made, make) in MAKES {
        for (what, model) in [
            ("short path", "m%3A0"),
            ("7 KiB path", &long),
            ("ARN over segments", arn),
            ("6 KiB ARN over segments", &spread),
            ("5 KiB of escapes", &escapes),
        ] {
            for (to, service) in [("AWS", &aws), ("fixed", &fixed)] {
                for (from, headers) in [
                    ("a client", &[HEADERS][..]),
                    ("a proxy", &[HEADERS, PROXIED]),
                    ("a signing client", &[HEADERS, SIGNED]),
                ] {
                    let path = path(model);
                    let [first, again] = [(); 2].map(|()| cost(service, make(&path, headers)));
                    println!("rewrite, {made}, {what}, to {to}, by {from}: {first}, {again}");
                    assert!(first <= 7, "{first} allocations");
                    // Only so long a path is kept.
                    let most = if path.len() <= 512 { 5 } else { 7 };
                    assert!(again <= most, "{again} allocations");
                }
            }
        }
    }
}

/// On top of the context's own: nothing if the answer is there, one box if it is waited for.
#[test]
fn auth() {
    let principal = Principal::new("team");
    let gateways = GatewayAuthLayer::new(gateways()).layer(Nothing);
    let known = GatewayAuthLayer::new(Known(principal.clone())).layer(Nothing);
    let asked = GatewayAuthLayer::new(Asked(principal)).layer(Nothing);
    for (made, make) in MAKES {
        for model in ["m", &long_model()] {
            let request = || make(&path(model), &[HEADERS]);
            let first = cost(&gateways, request());
            let costs = [
                cost(&gateways, request()),
                cost(&known, request()),
                cost(&asked, request()),
            ];
            let [gateways, known, asked] = costs;
            println!(
                "auth, {made}, path of {}: gateways {gateways}, at first {first}, user's at once {known}, user's async fn {asked}",
                path(model).len(),
            );
            let parsed = if path(model).len() <= 512 { 0 } else { 2 };
            assert_eq!(costs, [4 + parsed, 4, 5]);
            assert!(first <= 7, "{first} allocations");
        }
    }
}

#[test]
fn compat() {
    let policy = Policy::new();
    let (chat, answer) = (inputs::chat(), inputs::answer());
    let (both, _) = count(|| flow::chat_and_answer(&chat, &answer, &policy));
    let history = inputs::history();
    let (history, _) = count(|| Translation::of_bytes(&history, &policy).unwrap());
    println!("compat: a chat and its answer {both}, a history with tools {history}");
    assert!(both <= 60, "{both} allocations");

    let frames: Vec<_> = inputs::deltas().iter().map(inputs::framed).collect();
    let mut stream = flow::Stream::begin();
    // All that is sent is still held.
    let counts: Vec<_> = frames
        .iter()
        .map(|frame| count(|| stream.translate(frame)))
        .collect();
    let counts: Vec<_> = counts.iter().map(|(allocations, _)| *allocations).collect();
    println!("compat, deltas of a stream: {counts:?}");
    assert!(counts.iter().all(|count| *count <= 2), "{counts:?}");
}

/// The request is held, and what becomes of it.
#[test]
fn compat_image() {
    let image = inputs::image();
    let peak = measure(|| {
        let request = Bytes::from(image.to_vec());
        let translation = Translation::of_bytes(&request, &Policy::new());
        drop((request, translation.unwrap()));
    });
    let lengths = peak.bytes_max as f64 / image.len() as f64;
    println!("compat, peak for an image: {lengths:.2} lengths of the request");
    assert!(lengths <= 1.3, "{lengths}");
}

/// What a program sends that signs its own requests.
const OWN: &[(&str, &str)] = &[
    ("host", "bedrock-runtime.us-east-1.amazonaws.com"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
];

/// Nothing once the route is known, whatever the second; one box if the credentials are waited
/// for.
#[test]
fn sign() {
    static SECOND: AtomicU64 = AtomicU64::new(1_767_322_845);
    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(SECOND.load(Relaxed))
    }
    let uri = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m%3A0/converse";
    let token = "T".repeat(960);
    let temporary = Credentials::with_session_token("AKIDEXAMPLE", "secret", &token).unwrap();
    for (what, key) in [("a key pair", key()), ("a session token", temporary)] {
        let at_once = SigV4SigningLayer::new(key.clone()).with_clock(clock);
        let at_once = at_once.layer(Nothing);
        let asked = SigV4SigningLayer::new(Vault(key)).with_clock(clock);
        let asked = asked.layer(Nothing);
        let request = |headers| {
            let mut request = as_hyper_does("/", headers);
            // With room for what the layer adds.
            request.headers_mut().reserve(8);
            *request.uri_mut() = Uri::from_static(uri);
            request
        };
        let own = || request(&[OWN]);
        // The first request is remembered, the second becomes a route.
        for _ in 0..2 {
            cost(&at_once, own());
            cost(&asked, own());
        }
        let hundred: u64 = (0..100).map(|_| cost(&at_once, own())).sum();
        SECOND.fetch_add(1, Relaxed);
        let second = cost(&at_once, own());
        let waited = cost(&asked, own());
        let facts = cost(&at_once, request(&[HEADERS]));
        println!(
            "sign, {what}: {hundred} for 100 requests, {second} for the first of a second, async fn {waited}, first with facts {facts}"
        );
        // Room for signatures is taken for many at a time; here none is ever given back.
        assert!(hundred <= 6, "{hundred} allocations");
        // The date's value: of a second, not of a request.
        assert!(second <= 2, "{second} allocations");
        assert!(waited <= 3, "{waited} allocations");
    }
}

/// Requests that are over give back what they held: then nothing is allocated at all.
#[test]
fn sign_and_forget() {
    let signer = Signer::new();
    let credentials = key();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_322_845);
    let params = SigningParams::new(&credentials, "us-east-1", time);
    let payload = PayloadHash::of(b"{}");
    let sign = || {
        let mut request = as_hyper_does("/model/m%3A0/converse", &[OWN]);
        request.headers_mut().reserve(8);
        let (mut head, _) = request.into_parts();
        let (signed, _) = count(|| {
            let headers = &mut head.headers;
            signer.sign(&head.method, &head.uri, headers, &payload, &params)
        });
        signed
    };
    for _ in 0..200 {
        sign();
    }
    assert_eq!((0..1000).map(|_| sign()).sum::<u64>(), 0);
}

/// The handle of the facts, and room for the ids in an answer without a header: the record is made
/// in the room of the one before.
#[test]
fn observe() {
    let ring = ObservabilityLayer::new().with_sink(Ring::new(1));
    for (sink, layer) in [("no sink", ObservabilityLayer::new()), ("a ring", ring)] {
        let service = layer.layer(Nothing);
        let request = || as_hyper_does(&path("m%3A0"), &[HEADERS]);
        let costs: Vec<_> = (0..5).map(|_| cost(&service, request())).collect();
        println!("observe, {sink}: {costs:?}");
        assert_eq!(costs[4], 6);
    }
}

/// What stands in for Bedrock: gives the answer that it was given before.
#[derive(Clone, Default)]
struct Prepared(Arc<Mutex<Option<Response<Body>>>>);

impl Service<Request<Body>> for Prepared {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(self.0.lock().unwrap().take().unwrap()))
    }
}

const CONVERSED: &str = r#"{"metrics":{"latencyMs":421},"output":{"message":{"content":[{"text":"hi"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"cacheReadInputTokens":2,"inputTokens":11,"outputTokens":4,"totalTokens":17}}"#;

/// From the request to the record in the ring: the handle of the facts. A ring that is full gives the room of its oldest record to the next.
#[test]
fn observe_to_the_record() {
    let prepared = Prepared::default();
    let ring = Ring::new(10);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    let mut service = layer.layer(prepared.clone());
    let uri =
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse";
    let mut exchange = |has_extensions: bool| {
        let mut request = as_hyper_does("/", &[HEADERS]);
        *request.uri_mut() = Uri::from_static(uri);
        if has_extensions {
            request.extensions_mut().insert(7u8);
        }
        let mut response = Response::new(Full::from(CONVERSED));
        // As hyper's client makes it, with room for more.
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-requestid", HeaderValue::from_static("aws-1"));
        *prepared.0.lock().unwrap() = Some(response);
        let (allocations, ()) = count(|| {
            let Ok(response) = finish(service.call(request));
            let mut body = pin!(response.into_body());
            let mut task = Task::from_waker(Waker::noop());
            while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(&mut task) {}
        });
        allocations
    };
    for (has_extensions, goal) in [(false, 4), (true, 2)] {
        for _ in 0..100 {
            exchange(has_extensions);
        }
        let all: Vec<_> = (0..1000).map(|_| exchange(has_extensions)).collect();
        let sum: u64 = all.iter().sum();
        let most = all.iter().max().unwrap();
        println!(
            "observe, to the record, extensions {has_extensions}: {sum} for 1000 requests, {most} at most"
        );
        assert_eq!(sum, 1000 * goal);
    }
    let record = &ring.snapshot()[0];
    assert_eq!(
        (record.tokens_in, record.stop_reason.as_deref()),
        (Some(13), Some("end_turn"))
    );
    assert_eq!(record.model.as_deref(), Some("us.amazon.nova-lite-v1:0"));
    assert_eq!(record.cost.unwrap().to_string(), "0.00000165");
}

/// A hundred thousand models leave nothing behind but the records that are kept.
#[test]
fn observe_many_models() {
    let prepared = Prepared::default();
    let ring = Ring::new(10);
    let layer = ObservabilityLayer::new().with_sink(ring.clone());
    let mut service = layer.layer(prepared.clone());
    let mut exchange = |model: usize| {
        let uri = format!(
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.vendor.model-{model}-v1%3A0/converse"
        );
        let request = Request::post(uri).body(Full::from("{}")).unwrap();
        *prepared.0.lock().unwrap() = Some(Response::new(Full::from(CONVERSED)));
        let Ok(response) = finish(service.call(request));
        let mut body = pin!(response.into_body());
        let mut task = Task::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(&mut task) {}
    };
    (0..1000).for_each(&mut exchange);
    let few = measure(|| (0..10_000).for_each(&mut exchange)).bytes_current;
    let many = measure(|| (0..100_000).for_each(&mut exchange)).bytes_current;
    println!("observe, models: {few} bytes for 10,000, {many} for 100,000");
    assert!(
        ring.snapshot()[0]
            .model
            .as_deref()
            .unwrap()
            .contains("99999")
    );
    assert_eq!(ring.snapshot()[0].cost, None);
    assert!(many < 1_000_000, "{many} bytes");
}

/// A stack's layers share the handle: it is paid once.
#[test]
fn auth_and_rewrite() {
    let rewrite = BedrockPathRewriteLayer::new().layer(Nothing);
    let both = GatewayAuthLayer::new(gateways()).layer(rewrite);
    // The first request of a thread to a host.
    cost(&both, as_hyper_does(&path("m"), &[HEADERS]));
    for (made, make) in MAKES {
        for model in ["m%3A0", &long_model()] {
            let path = path(model);
            let [first, again] = [(); 2].map(|()| cost(&both, make(&path, &[HEADERS])));
            let length = path.len();
            println!("auth + rewrite, {made}, path of {length}: {first}, {again}");
            assert!(first <= 7, "{first} allocations");
            let most = if length <= 512 { 5 } else { 7 };
            assert!(again <= most, "{again} allocations");
        }
    }
}
