//! In other people's servers: axum, plain hyper, tonic, with tower-http around and inside.

#[path = "support/built.rs"]
mod built;
mod support;

use std::convert::Infallible;
use std::future::ready;
use std::io::Read;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use built::binary;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use support::{KEY, MODEL, before, emulator, eventually};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, server::TcpIncoming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_bedrock::auth::{BearerTokens, GatewayTokens, Gateways};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::observe::{Outcome, Record, Ring};
use tower_bedrock::rewrite::Endpoints;
use tower_bedrock::upstream::HyperClient;
use tower_bedrock::{
    BedrockPathRewriteLayer, GatewayAuthLayer, ObservabilityLayer, OpenAiCompatLayer,
    SigV4SigningLayer, UpstreamLayer,
};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

const ORIGIN: &str = "http://localhost:3000";
const STREAM: &str = "application/vnd.amazon.eventstream";
const PROMPT: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hello there"}]}]}"#;

// The built examples, as their users run them.

struct Running {
    child: Child,
    out: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts a server; gives it, and its URL.
    async fn start(name: &str) -> (Self, String) {
        let mut child = Command::new(binary(name))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self { child, out };
        let line = running.line().await;
        let url = line.strip_prefix("listening on ").expect(&line).to_owned();
        assert_eq!(running.line().await, "");
        (running, url)
    }

    async fn line(&mut self) -> String {
        let line = timeout(Duration::from_secs(60), self.out.next_line()).await;
        line.unwrap().unwrap().expect("another line")
    }

    /// What comes after SIGINT; it must be a success.
    #[cfg(unix)]
    fn interrupt(&self) {
        let id = self.child.id().unwrap().to_string();
        let kill = std::process::Command::new("kill")
            .args(["-INT", &id])
            .status();
        assert!(kill.unwrap().success());
    }

    async fn ends_well(mut self) {
        let status = timeout(Duration::from_secs(60), self.child.wait()).await;
        assert!(status.unwrap().unwrap().success());
    }
}

/// Runs an example to its end.
async fn output(name: &str) -> String {
    let mut command = Command::new(binary(name));
    let run = command.kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(60), run)
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}\n{errors}");
    text
}

fn client(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http()
}

async fn read<B>(response: Response<B>) -> (StatusCode, HeaderMap, Bytes)
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (head, body) = response.into_parts();
    let body = timeout(Duration::from_secs(60), body.collect()).await;
    (head.status, head.headers, body.unwrap().unwrap().to_bytes())
}

fn post(url: &str, token: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(url)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(body))
        .unwrap()
}

const CHAT: &str = r#"{"model":"us.anthropic.claude-haiku-4-5-20251001-v1:0","messages":[{"role":"user","content":"Hello there"}]}"#;

#[tokio::test]
async fn axum_serves() {
    let (mut axum, url) = Running::start("axum").await;
    let bedrock = format!("{url}/bedrock/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1");
    let curl = axum.line().await;
    assert!(
        curl.starts_with(&format!("curl {bedrock}/model/")),
        "{curl}"
    );

    for http2 in [false, true] {
        let client = client(http2);
        let request = Request::get(format!("{url}/health")).body(Full::default());
        let (_, headers, body) = read(client.request(request.unwrap()).await.unwrap()).await;
        assert_eq!(
            (&body[..], headers["x-request-id"].len()),
            (&b"ok\n"[..], 36)
        );

        // As AWS's SDKs write it.
        let model = MODEL.replace(':', "%3A");
        let converse = format!("{bedrock}/model/{model}/converse");
        let request = post(&converse, "demo-token", PROMPT);
        let (status, headers, body) = read(client.request(request).await.unwrap()).await;
        assert_eq!(status, 200);
        assert!(String::from_utf8_lossy(&body).contains("Hello there"));
        assert_ne!(headers["x-request-id"], headers["cf-aig-log-id"]);

        let request = post(&converse, "wrong", PROMPT);
        let (status, headers, _) = read(client.request(request).await.unwrap()).await;
        assert_eq!(status, 401);
        assert!(headers.contains_key("x-request-id"));

        let chat = format!("{url}/bedrock/v1/demo/demo/compat/chat/completions");
        let request = post(&chat, "demo-token", CHAT);
        let (status, headers, _) = read(client.request(request).await.unwrap()).await;
        assert_eq!(status, 200);
        assert_eq!(headers["x-request-id"], headers["cf-aig-log-id"]);
    }
    #[cfg(unix)]
    {
        axum.interrupt();
        axum.ends_well().await;
    }
}

#[tokio::test]
async fn hyper_serves() {
    let (mut hyper, url) = Running::start("hyper").await;
    let curl = hyper.line().await;
    assert!(
        curl.starts_with(&format!("curl {url}/v1/demo/demo/compat/")),
        "{curl}"
    );
    let bedrock = format!("{url}/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1");
    let slow = "us.anthropic.claude.fault.slow-frames-20";
    for http2 in [false, true] {
        let converse = format!("{bedrock}/model/{MODEL}/converse");
        let request = post(&converse, "demo-token", PROMPT);
        let (status, _, body) = read(client(http2).request(request).await.unwrap()).await;
        assert_eq!(status, 200);
        assert!(String::from_utf8_lossy(&body).contains("Hello there"));
    }
    // What is under way when it is told to stop, comes to its end.
    let mut streams = Vec::new();
    for http2 in [false, true] {
        let url = format!("{bedrock}/model/{slow}/converse-stream");
        let response = client(http2)
            .request(post(&url, "demo-token", PROMPT))
            .await;
        streams.push(response.unwrap());
    }
    #[cfg(unix)]
    hyper.interrupt();
    for stream in streams {
        let (status, headers, body) = read(stream).await;
        assert_eq!(
            (status.as_u16(), &headers["content-type"]),
            (200, &STREAM.parse().unwrap())
        );
        assert!(
            String::from_utf8_lossy(&body).contains("inputTokens"),
            "{body:?}"
        );
    }
    #[cfg(unix)]
    hyper.ends_well().await;
}

#[tokio::test]
async fn the_others_come_to_their_end() {
    let text = output("tonic").await;
    for line in [
        "record: /grpc.health.v1.Health/Check gRPC status Some(16), refused, success false",
        "record: /grpc.health.v1.Health/Check gRPC status Some(0), complete, success true, None",
        "with a token: Serving",
        "gRPC status Some(5), upstream_error, success false, Some(\"NOT_FOUND\")",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    let text = output("client_stack").await;
    let record = "record: 1 tokens in, 18 out, 0.0001001 US dollars, complete";
    assert_eq!(text.matches(record).count(), 2, "{text}");
    assert!(text.contains(r#"You said: \"Hello!\""#), "{text}");
    assert!(text.contains("\nmessageStop: "), "{text}");
    let text = output("composed").await;
    assert_eq!(text.matches(r#"You said: \"Hello!\""#).count(), 2, "{text}");
    let (prod, trial) = text.split_once("trial: 200 OK").unwrap();
    assert!(
        prod.starts_with("prod: 200 OK") && prod.contains("guardrail: None"),
        "{text}"
    );
    assert!(trial.contains(r#"guardrail: Some("gr-trial")"#), "{text}");
    let text = output("two_layers").await;
    assert!(text.starts_with("200 OK"), "{text}");
    assert!(text.contains(r#"You said: \"Hello!\""#), "{text}");
    assert!(text.contains("400 Bad Request"), "{text}");
}

// tower-http's layers around the gateway, and between its layers.

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static(ORIGIN))
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([HeaderName::from_static("cf-aig-log-id")])
}

/// As in the example.
fn compress() -> CompressionLayer<impl Predicate> {
    let events = NotForContentType::const_new(STREAM);
    CompressionLayer::new().compress_when(DefaultPredicate::new().and(events))
}

/// Around all of it.
fn outside(bedrock: &Emulator) -> Made {
    let (gateway, records) = before(&bedrock.url(), |builder| builder);
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(TraceLayer::new_for_http())
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(cors())
        .layer(compress());
    let app = Router::new()
        .nest_service("/bedrock", gateway)
        .layer(layers);
    (app, records)
}

/// In the other order. One by one, for the body of `TraceLayer` has no `Default`, which CORS asks
/// for; axum's own has, and that is between any two of these.
fn reversed(bedrock: &Emulator) -> Made {
    let (gateway, records) = before(&bedrock.url(), |builder| builder);
    let app = Router::new()
        .nest_service("/bedrock", gateway)
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(TraceLayer::new_for_http())
        .layer(cors())
        .layer(compress());
    (app, records)
}

/// Between the observer and the rest.
fn inside(bedrock: &Emulator) -> Made {
    let records = Ring::new(100);
    let tokens = GatewayTokens::new("acme", "prod")
        .unwrap()
        .with_token("good")
        .unwrap();
    let endpoints = Endpoints::fixed(&bedrock.url()).unwrap();
    let stack = ServiceBuilder::new()
        .layer(ObservabilityLayer::new().with_sink(records.clone()))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(TraceLayer::new_for_http())
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(cors())
        .layer(compress())
        .layer(GatewayAuthLayer::new(
            Gateways::new().with_gateway(tokens).unwrap(),
        ))
        .layer(OpenAiCompatLayer::new().with_region("us-east-1").unwrap())
        .layer(BedrockPathRewriteLayer::new().with_endpoints(endpoints))
        .layer(SigV4SigningLayer::new(
            Credentials::new(KEY.0, KEY.1).unwrap(),
        ))
        .layer(UpstreamLayer::new())
        .service(HyperClient::new());
    (Router::new().nest_service("/bedrock", stack), records)
}

type Made = (Router, Ring);

const ALL: [fn(&Emulator) -> Made; 3] = [outside, reversed, inside];

async fn call(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    read(app.clone().oneshot(request).await.unwrap()).await
}

fn to(path: &str, body: &'static str) -> Request<Body> {
    Request::post(format!("/bedrock/v1/acme/prod/{path}"))
        .header("content-type", "application/json")
        .header("authorization", "Bearer good")
        .header("accept-encoding", "gzip")
        .header("origin", ORIGIN)
        .body(Body::from(body))
        .unwrap()
}

fn native(operation: &str) -> Request<Body> {
    let path = format!("aws-bedrock/bedrock-runtime/us-east-1/model/{MODEL}/{operation}");
    to(&path, PROMPT)
}

#[tokio::test]
async fn preflight() {
    let bedrock = emulator().await;
    for (order, make) in ALL.into_iter().enumerate() {
        let (app, records) = make(&bedrock);
        let mut request = native("converse");
        *request.method_mut() = Method::OPTIONS;
        request.headers_mut().remove("authorization");
        let headers = request.headers_mut();
        headers.insert("access-control-request-method", "POST".parse().unwrap());
        headers.insert(
            "access-control-request-headers",
            "authorization".parse().unwrap(),
        );
        let (status, headers, _) = call(&app, request).await;
        assert_eq!(status, 200);
        assert_eq!(headers["access-control-allow-origin"], ORIGIN);
        let allowed = headers["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.contains("authorization"), "{allowed}");
        // An id where it is set outside of CORS; a record where CORS is inside of the observer.
        assert_eq!(headers.contains_key("x-request-id"), order != 1);
        assert_eq!(records.snapshot().len(), usize::from(order == 2));

        // A refusal can be read by the browser's script too.
        let mut request = native("converse");
        request.headers_mut().remove("authorization");
        let (status, headers, body) = call(&app, request).await;
        assert_eq!(status, 401);
        assert_eq!(headers["access-control-allow-origin"], ORIGIN);
        assert_eq!(headers["access-control-expose-headers"], "cf-aig-log-id");
        assert_eq!(headers["x-request-id"].len(), 36);
        assert!(!body.is_empty());
    }
}

#[tokio::test]
async fn compression() {
    let bedrock = emulator().await;
    for (order, make) in ALL.into_iter().enumerate() {
        let (app, records) = make(&bedrock);
        let (status, headers, body) = call(&app, native("converse")).await;
        assert_eq!(
            (status.as_u16(), &headers["content-encoding"]),
            (200, &"gzip".parse().unwrap())
        );
        let mut text = String::new();
        GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        assert!(text.contains("Hello there"), "{text}");
        eventually("record", || records.snapshot().len() == 1).await;
        // The observer does not read what was compressed inside of it.
        let tokens = records.snapshot()[0].tokens_in;
        assert_eq!(tokens, (order != 2).then_some(2), "{order}");

        let (_, headers, body) = call(&app, native("converse-stream")).await;
        assert_eq!(headers["content-type"], STREAM);
        assert!(!headers.contains_key("content-encoding"));
        assert!(String::from_utf8_lossy(&body).contains("messageStop"));
        eventually("record", || records.snapshot().len() == 2).await;
        assert!(
            records
                .snapshot()
                .iter()
                .any(|r| r.is_stream && r.tokens_in == Some(2))
        );

        let chat = r#"{"model":"us.anthropic.claude-haiku-4-5-20251001-v1:0","stream":true,"messages":[{"role":"user","content":"Hello there"}]}"#;
        let (_, headers, body) = call(&app, to("compat/chat/completions", chat)).await;
        let kind = headers["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        assert!(!headers.contains_key("content-encoding"));
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    }
}

// gRPC.

/// tonic's health service behind two of the layers; where it listens, and its records.
async fn health() -> (String, Ring) {
    let records = Ring::new(100);
    let (_, health) = tonic_health::server::health_reporter();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    let tokens = BearerTokens::new(["good"]).unwrap();
    let server = tonic::transport::Server::builder()
        .layer(ObservabilityLayer::new().with_sink(records.clone()))
        .layer(GatewayAuthLayer::new(tokens))
        .serve_with_incoming(health, incoming);
    tokio::spawn(server);
    (url, records)
}

async fn the_record(records: &Ring) -> Arc<Record> {
    eventually("a record", || !records.snapshot().is_empty()).await;
    let all = records.snapshot();
    assert_eq!(all.len(), 1, "{all:?}");
    Arc::clone(&all[0])
}

/// What a client of tonic's gets, and the record.
async fn check(
    service: &str,
    token: Option<&'static str>,
) -> (Result<i32, tonic::Status>, Arc<Record>) {
    let (url, records) = health().await;
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let service = service.to_owned();
    let mut request = tonic::Request::new(HealthCheckRequest { service });
    if let Some(token) = token {
        let token = MetadataValue::from_static(token);
        request.metadata_mut().insert("authorization", token);
    }
    let call = async { HealthClient::new(channel).check(request).await };
    let answer = timeout(Duration::from_secs(60), call).await.unwrap();
    let answer = answer.map(|answer| answer.into_inner().status);
    (answer, the_record(&records).await)
}

#[tokio::test]
async fn tonic_calls() {
    let (answer, record) = check("", Some("Bearer good")).await;
    assert_eq!(answer.unwrap(), 1);
    assert_eq!(record.path, "/grpc.health.v1.Health/Check");
    assert_eq!(
        (record.status_code, record.grpc_status),
        (Some(200), Some(0))
    );
    assert_eq!((record.outcome, record.success), (Outcome::Complete, true));
    assert_eq!(record.principal.as_deref(), Some("token-1"));

    for token in [None, Some("Bearer wrong"), Some("Basic Z29vZA==")] {
        let (answer, record) = check("", token).await;
        let status = answer.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated, "{status}");
        assert!(status.message().contains("token"), "{status}");
        let id = status.metadata().get("cf-aig-log-id").unwrap();
        assert_eq!(id.to_str().unwrap(), record.id);
        assert_eq!(
            (record.status_code, record.grpc_status),
            (Some(200), Some(16))
        );
        assert_eq!((record.outcome, record.success), (Outcome::Refused, false));
    }

    let (answer, record) = check("unknown", Some("Bearer good")).await;
    assert_eq!(answer.unwrap_err().code(), tonic::Code::NotFound);
    assert_eq!(
        (record.status_code, record.grpc_status),
        (Some(200), Some(5))
    );
    assert_eq!(
        (record.outcome, record.success),
        (Outcome::UpstreamError, false)
    );
    assert_eq!(record.error.as_deref(), Some("NOT_FOUND"));
}

/// A refusal has its status in the head, and no body after it.
#[tokio::test]
async fn trailers_only() {
    let (url, _) = health().await;
    let request = Request::post(format!("{url}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::from(&[0; 5][..]));
    let response = client(true).request(request.unwrap()).await.unwrap();
    let (head, mut body) = response.into_parts();
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-type"], "application/grpc");
    assert_eq!(head.headers["grpc-status"], "16");
    assert!(body.frame().await.is_none());
}

/// The record of a gRPC call that an inner service answers so.
async fn answered(
    head: &[(&'static str, &'static str)],
    last: Option<&'static str>,
) -> Arc<Record> {
    let records = Ring::new(10);
    let trailers = last.map(|status| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        Ok(trailers)
    });
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(ready(trailers));
    let mut response = Response::new(body);
    for &(name, value) in head {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    let mut response = Some(response);
    let inner = tower::service_fn(move |_: Request<Full<Bytes>>| {
        ready(response.take().ok_or("it is called once"))
    });
    let request = Request::post("/a.Service/Method")
        .header("content-type", "application/grpc")
        .body(Full::default());
    let service = ObservabilityLayer::new().with_sink(records.clone());
    let response = service.layer(inner).oneshot(request.unwrap()).await;
    let body = response.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), &[0; 5][..]);
    the_record(&records).await
}

#[tokio::test]
async fn status_in_trailers() {
    use Outcome::{Complete, UpstreamCut, UpstreamError};
    const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");
    for (head, last, status, outcome, error) in [
        (&[GRPC][..], Some("0"), Some(0), Complete, None),
        (
            &[GRPC],
            Some("13"),
            Some(13),
            UpstreamError,
            Some("INTERNAL"),
        ),
        (
            &[GRPC],
            Some("99"),
            Some(99),
            UpstreamError,
            Some("UNKNOWN"),
        ),
        (&[GRPC], Some("x"), Some(2), UpstreamError, Some("UNKNOWN")),
        (
            &[GRPC, ("grpc-status", "5")],
            Some("0"),
            Some(5),
            UpstreamError,
            Some("NOT_FOUND"),
        ),
        (
            &[GRPC],
            None,
            None,
            UpstreamCut,
            Some("the upstream's answer ended without a gRPC status"),
        ),
        // That of browsers ends within the body.
        (
            &[("content-type", "application/grpc-web")],
            None,
            None,
            Complete,
            None,
        ),
        (
            &[("content-type", "text/plain")],
            Some("5"),
            None,
            Complete,
            None,
        ),
    ] {
        let record = answered(head, last).await;
        assert_eq!(
            (record.grpc_status, record.outcome),
            (status, outcome),
            "{head:?} {last:?}"
        );
        assert_eq!(record.error.as_deref(), error);
        assert_eq!(record.success, outcome == Complete);
    }
}

// Wrong orders.

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Each pair of layers is named in the log once, however often it is met.
#[tokio::test]
async fn logged_once() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer({
        let log = log.clone();
        move || log.clone()
    });
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let auth = || GatewayAuthLayer::new(BearerTokens::new(["good"]).unwrap());
    let inner = tower::service_fn(|_: Request<Full<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    for _ in 0..3 {
        let twice = auth().layer(auth().layer(inner));
        let inside = BedrockPathRewriteLayer::new().layer(auth().layer(inner));
        let path =
            format!("/v1/acme/prod/aws-bedrock/bedrock-runtime/us-east-1/model/{MODEL}/converse");
        let response = twice.oneshot(post(&path, "good", PROMPT)).await.unwrap();
        assert_eq!(response.status(), 500);
        let response = inside.oneshot(post(&path, "good", PROMPT)).await.unwrap();
        assert_eq!(response.status(), 500);
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0].contains("GatewayAuthLayer is there twice"),
        "{text}"
    );
    assert!(
        lines[1].contains("put GatewayAuthLayer outside of BedrockPathRewriteLayer"),
        "{text}"
    );
}
