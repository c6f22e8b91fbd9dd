//! The gateway in an axum server, beside other routes and below tower-http's layers.
//!
//! Run with `cargo run --example axum`, or `cargo run --example axum 0.0.0.0:8080`. It talks to an
//! emulated Bedrock that it starts itself; for the real one leave out `endpoint` and change the key.

use std::{env, error::Error, io::Write};

use axum::{Router, routing::get, serve::ListenerExt};
use http::{HeaderName, HeaderValue, header};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_bedrock::Gateway;
use tower_bedrock::auth::{GatewayTokens, Gateways};
use tower_bedrock::body::Received;
use tower_bedrock::credentials::{Credentials, StoredKey, StoredKeys};
use tower_bedrock::emulator::Emulator;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CURL: &str = "/bedrock/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/converse \\
  -H 'cf-aig-authorization: Bearer demo-token' -d '{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hello!\"}]}]}'";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().credentials(ID, SECRET);
    let bedrock = emulator.start(([127, 0, 0, 1], 0).into()).await?;
    let tokens = GatewayTokens::new("demo", "demo")?.with_token("demo-token")?;
    let key = StoredKey::new(Credentials::new(ID, SECRET)?, "us-east-1")?;
    let gateway = Gateway::builder()
        .authenticate(Gateways::new().with_gateway(tokens)?)
        .credentials(StoredKeys::new().with_key("demo", "demo", "default", key)?)
        .endpoint(&bedrock.url())?
        .build()?;

    let token = HeaderName::from_static("cf-aig-authorization");
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static("http://localhost:3000"))
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, token])
        .expose_headers([HeaderName::from_static("cf-aig-log-id")]);
    // Nothing that is streamed: compressed, events would wait for one another. The default says no
    // to server-sent events and gRPC already; Bedrock's event streams it does not know.
    let events = NotForContentType::const_new("application/vnd.amazon.eventstream");
    let layers = ServiceBuilder::new()
        // An id for each request, before anything is logged of it.
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        // A span around all that follows.
        .layer(TraceLayer::new_for_http())
        // The id on the answer too, unless that has one: those of `/compat` do.
        .layer(PropagateRequestIdLayer::x_request_id())
        // Outside of the gateway, for browsers send no token when they ask what they may send.
        .layer(cors)
        // Outside of the gateway, whose record is made of what Bedrock says, not of gzip.
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(events)));
    // An upload that its client resets is not whole: axum's body hides from the gateway that it is
    // hyper's.
    let gateway = ServiceBuilder::new()
        .map_request(Received::of)
        .service(gateway);
    let app = Router::new()
        .route("/health", get(async || "ok\n"))
        // axum takes the prefix off: the gateway sees `/v1/…`.
        .nest_service("/bedrock", gateway)
        .layer(layers);

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("listening on {url}\n\ncurl {url}{CURL}");
    std::io::stdout().flush()?;
    // Small frames of a stream must not wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let stop = async { _ = tokio::signal::ctrl_c().await };
    let server = axum::serve(listener, app).with_graceful_shutdown(stop);
    Ok(server.await?)
}
