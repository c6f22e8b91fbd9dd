//! A gateway before the emulator, as the tests of the whole stack use it.
#![allow(dead_code, unreachable_pub)] // each test binary uses a part of it

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::request;
use http::response::Parts;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tower::{Service, ServiceExt};
use tower_bedrock::auth::{GatewayTokens, Gateways};
use tower_bedrock::credentials::{StoredKey, StoredKeys};
use tower_bedrock::emulator::Emulator;
use tower_bedrock::observe::{Record, Ring};
use tower_bedrock::{ClientCredentials, Gateway, GatewayBuilder, Policy, Timeouts};

pub const KEY: (&str, &str) = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
);
pub const API_KEY: &str = "bedrock-api-key-emulator";
pub const MODEL: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
pub const CLAUDE: &str = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":256,"messages":[{"role":"user","content":"What is Cloudflare?"}]}"#;
pub const CONVERSE: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hello there"}]}]}"#;

/// The emulator, a gateway before it, and the records of the gateway.
pub struct Stack {
    pub emulator: Emulator,
    pub gateway: Gateway,
    pub records: Ring,
}

/// `/v1/acme/{gateway}/aws-bedrock/bedrock-runtime/us-east-1`
pub fn base(gateway: &str) -> String {
    format!("/v1/acme/{gateway}/aws-bedrock/bedrock-runtime/us-east-1")
}

pub async fn emulator() -> Emulator {
    Emulator::builder()
        .credentials(KEY.0, KEY.1)
        .session_credentials("ASIAIOSFODNN7EXAMPLE", KEY.1, "a-session-token")
        .expired_credentials("ASIAEXPIRED", KEY.1, "an-old-token")
        .api_key(API_KEY)
        .start(([127, 0, 0, 1], 0).into())
        .await
        .unwrap()
}

/// The gateways that the tests use, all of account `acme`.
pub fn builder() -> GatewayBuilder {
    let tokens = |name: &str| GatewayTokens::new("acme", name).unwrap();
    let own = |policy| Policy::new().with_client_credentials(policy);
    let lists = Policy::new()
        .with_regions(["us-east-1"])
        .and_then(|policy| policy.with_operations(["Converse"]))
        .unwrap()
        .with_models(["us.anthropic.*"]);
    let gateways = [
        tokens("prod").with_token("good").unwrap(),
        tokens("other").with_token("others").unwrap(),
        tokens("bare").with_token("good").unwrap(),
        tokens("broken").with_token("good").unwrap(),
        tokens("open").without_authentication(),
        tokens("ignore")
            .with_token("good")
            .unwrap()
            .with_policy(own(ClientCredentials::Ignore)),
        tokens("refuse")
            .with_token("good")
            .unwrap()
            .with_policy(own(ClientCredentials::Refuse)),
        tokens("lists")
            .with_token("good")
            .unwrap()
            .with_policy(lists),
    ];
    let gateways = gateways
        .into_iter()
        .try_fold(Gateways::new(), Gateways::with_gateway)
        .unwrap();
    let long = format!(
        r#"{{"accessKeyId":"{}","secretAccessKey":"{}","region":"us-east-1"}}"#,
        KEY.0, KEY.1
    );
    let short = format!(
        r#"{{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"{}","region":"us-east-1","sessionToken":"a-session-token"}}"#,
        KEY.1
    );
    let expired = short
        .replace("ASIAIOSFODNN7EXAMPLE", "ASIAEXPIRED")
        .replace("a-session-token", "an-old-token");
    let api_key = format!(r#"{{"apiKey":"{API_KEY}","region":"us-east-1"}}"#);
    let keys = [
        ("prod", "default", &long),
        ("prod", "short", &short),
        ("prod", "expired", &expired),
        ("prod", "bearer", &api_key),
        ("broken", "default", &expired),
        ("ignore", "default", &long),
        ("refuse", "default", &long),
        ("lists", "default", &long),
        ("bare", "other", &long),
    ];
    let keys = keys
        .into_iter()
        .fold(StoredKeys::new(), |keys, (gateway, alias, json)| {
            let key = StoredKey::from_json(json).unwrap();
            keys.with_key("acme", gateway, alias, key).unwrap()
        });
    Gateway::builder().authenticate(gateways).credentials(keys)
}

pub async fn stack() -> Stack {
    stack_with(|builder| builder).await
}

pub async fn stack_with(change: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Stack {
    let emulator = emulator().await;
    let (gateway, records) = before(&emulator.url(), change);
    Stack {
        emulator,
        gateway,
        records,
    }
}

/// A gateway before any upstream.
pub fn before(url: &str, change: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> (Gateway, Ring) {
    let records = Ring::new(100_000);
    let timeouts = Timeouts {
        connect: Some(Duration::from_secs(2)),
        first_byte: Some(Duration::from_secs(5)),
        idle: Some(Duration::from_secs(5)),
    };
    let builder = builder()
        .sink(records.clone())
        .endpoint(url)
        .unwrap()
        .timeouts(timeouts);
    (change(builder).build().unwrap(), records)
}

/// A POST request with the good token.
pub fn post(path: &str) -> request::Builder {
    Request::post(path)
        .header("cf-aig-authorization", "Bearer good")
        .header("content-type", "application/json")
}

impl Stack {
    pub async fn send(&self, request: Request<Full<Bytes>>) -> (Parts, Bytes) {
        send(&self.gateway, request).await
    }

    /// The one record there is; waits for it, since it is made when the body is dropped.
    pub fn record(&self) -> Arc<Record> {
        let records = self.records.snapshot();
        assert_eq!(records.len(), 1, "{records:#?}");
        Arc::clone(&records[0])
    }
}

pub async fn send(gateway: &Gateway, request: Request<Full<Bytes>>) -> (Parts, Bytes) {
    let response = gateway.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head, body)
}

/// Serves `gateway` on a free loopback port, over HTTP/1.1 and HTTP/2.
pub async fn serve(gateway: Gateway) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let gateway = gateway.clone();
            // Called at once, so that a client that is gone by the first poll leaves a record.
            let service = hyper::service::service_fn(move |request| {
                let mut gateway = gateway.clone();
                let task = &mut Context::from_waker(Waker::noop());
                let _ = Service::<Request<Incoming>>::poll_ready(&mut gateway, task);
                gateway.call(request)
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// Waits until `condition` holds; fails after ten seconds.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not after ten seconds");
}

/// The headers that `SigV4SigningLayer` alone puts on a request to AWS, as a client would.
pub async fn client_signed(url: &str, body: &'static str, more: &HeaderMap) -> HeaderMap {
    use std::convert::Infallible;
    use tower::Layer;
    use tower_bedrock::credentials::Credentials;
    use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};

    let inner = tower::service_fn(async |request: Request<SignedBody<Full<Bytes>>>| {
        let mut response = http::Response::new(Full::<Bytes>::default());
        *response.headers_mut() = request.into_parts().0.headers;
        Ok::<_, Infallible>(response)
    });
    let layer = SigV4SigningLayer::new(Credentials::new(KEY.0, KEY.1).unwrap());
    let mut request = Request::post(url).body(Full::from(body)).unwrap();
    *request.headers_mut() = more.clone();
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut headers = response.into_parts().0.headers;
    headers.remove("host");
    headers.remove("content-length");
    headers
}

/// The folder with recorded traffic and vectors, if there is one.
///
/// Panics if `TOWER_BEDROCK_REQUIRE_SHARED` is set and there is none.
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    if folder.join("recordings/exchanges.jsonl").is_file() {
        return Some(folder);
    }
    let required = std::env::var_os("TOWER_BEDROCK_REQUIRE_SHARED").is_some();
    assert!(!required, "{} holds no recordings", folder.display());
    println!("skipped: {} holds no recordings", folder.display());
    None
}
