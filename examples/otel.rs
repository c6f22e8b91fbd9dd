//! Spans for OpenTelemetry: one of each request, with the names of its conventions for generative
//! AI, sent by `tracing-opentelemetry` as OTLP over HTTP.
//!
//! ```text
//! cargo run --example otel                                                    # prints the spans
//! OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 cargo run --example otel  # sends them
//! ```
//!
//! The layer itself knows `tracing` and nothing of OpenTelemetry.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState, TracerProvider};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tower::ServiceExt;
use tower_bedrock::Gateway;
use tower_bedrock::auth::BearerTokens;
use tower_bedrock::credentials::Credentials;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::observe::{SpanId, Spans, TraceId};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

const KEY: (&str, &str) = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
);
const BODY: &str =
    r#"{"messages":[{"role":"user","content":[{"text":"What is OpenTelemetry?"}]}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let endpoint = match std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Ok(url) => url,
        Err(_) => receiver().await?,
    };
    let provider = exporter(&endpoint)?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("gateway"))
        // What else is known of a span, which is always the same here.
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    // Only the requests' spans: with those of the exporter's own HTTP it would never end.
    let requests = Targets::new().with_target("tower_bedrock::observe", LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(spans.with_filter(requests))
        .init();

    let bedrock = Emulator::builder()
        .credentials(KEY.0, KEY.1)
        .start(([127, 0, 0, 1], 0).into())
        .await?;
    let gateway = Gateway::builder()
        .authenticate(BearerTokens::new(["demo-token"])?)
        .credentials(Credentials::new(KEY.0, KEY.1)?)
        .endpoint(&bedrock.url())?
        .spans(Spans::new().with_parent(set_parent))
        .build()?;

    let claude = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let throttled = "us.anthropic.fault.error-429";
    for (model, operation, token) in [
        (claude, "converse", "demo-token"),
        (claude, "converse-stream", "demo-token"),
        (throttled, "converse", "demo-token"),
        (claude, "converse", "wrong-token"),
    ] {
        let path = format!(
            "/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/{model}/{operation}"
        );
        let request = Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header(
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .body(Full::from(BODY))?;
        let response = gateway.clone().oneshot(request).await?;
        println!("{} {operation} {model}", response.status());
        // The span ends with the answer.
        response.into_body().collect().await?;
    }
    // It blocks, and what it waits for needs this runtime.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

/// The client's span becomes the parent of the request's.
fn set_parent(span: &tracing::Span, trace: TraceId, parent: SpanId) {
    let parent = SpanContext::new(
        opentelemetry::TraceId::from_bytes(trace.to_bytes()),
        opentelemetry::SpanId::from_bytes(parent.to_bytes()),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    // An error means that nobody exports this span.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Sends spans in batches to `{endpoint}/v1/traces`.
fn exporter(endpoint: &str) -> Result<SdkTracerProvider, Box<dyn Error + Send + Sync>> {
    let client = OnRuntime {
        client: HyperClient::with_default_connector(Duration::from_secs(10), None),
        runtime: Handle::current(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()?;
    let resource = Resource::builder().with_service_name("gateway").build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// The exporter has a thread of its own, but its client needs the runtime.
#[derive(Debug)]
struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

type Sending<'a> = dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a;

impl HttpClient for OnRuntime {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Pin<Box<Sending<'b>>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sending = self
            .runtime
            .spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sending.await? })
    }
}

/// Stands in for a collector: prints the spans that it gets.
async fn receiver() -> Result<String, Box<dyn Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(print)));
        }
    });
    Ok(url)
}

async fn print(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let exported: Value = serde_json::from_slice(&body).unwrap_or_default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for resource in list(&exported["resourceSpans"]) {
        for scope in list(&resource["scopeSpans"]) {
            for span in list(&scope["spans"]) {
                println!("\n{}", span["name"].as_str().unwrap_or_default());
                for attribute in list(&span["attributes"]) {
                    let value = attribute["value"].as_object();
                    let value = value.and_then(|value| value.values().next());
                    println!("  {} = {}", attribute["key"], value.unwrap_or(&Value::Null));
                }
            }
        }
    }
    Ok(Response::new(Full::from("{}")))
}
