//! A gateway composed by hand, with a layer of one's own in the middle: whoever is on trial gets
//! their answers under a guardrail, whatever they ask for.
//!
//! Run with `cargo run --example composed`. It talks to an emulated Bedrock that it starts itself.

use std::error::Error;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use tower::layer::layer_fn;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_bedrock::auth::{GatewayAuthLayer, GatewayTokens, Gateways};
use tower_bedrock::rewrite::{BedrockPathRewriteLayer, Endpoints};
use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
use tower_bedrock::{ObservabilityLayer, Principal, SigV4SigningLayer};
use tower_bedrock::{credentials::Credentials, emulator::Emulator};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const PATH: &str = "aws-bedrock/bedrock-runtime/us-east-1/model/amazon.nova-lite-v1:0/invoke";
const PROMPT: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hello!"}]}]}"#;
const GUARDRAIL: HeaderName = HeaderName::from_static("x-amzn-bedrock-guardrailidentifier");
const GR_TRIAL: HeaderValue = HeaderValue::from_static("gr-trial");

#[derive(Clone)]
struct Guarded<S>(S);

impl<S: Service<Request<B>>, B> Service<Request<B>> for Guarded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let caller = Principal::of(request.extensions()).map_or("", Principal::id);
        if caller.starts_with("acme/trial/") {
            request.headers_mut().insert(GUARDRAIL, GR_TRIAL);
        }
        self.0.call(request)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let emulator = Emulator::builder().credentials(ID, SECRET);
    let bedrock = emulator.start(([127, 0, 0, 1], 0).into()).await?;
    let gateways = Gateways::new()
        .with_gateway(GatewayTokens::new("acme", "prod")?.with_token("prod-token")?)?
        .with_gateway(GatewayTokens::new("acme", "trial")?.with_token("trial-token")?)?;
    let gateway = ServiceBuilder::new()
        // One record of every request, whatever becomes of it.
        .layer(ObservabilityLayer::default())
        // Who is calling? From here on it is known.
        .layer(GatewayAuthLayer::new(gateways))
        // Ours: inside of auth, which says who calls, and outside of sign, which signs the header.
        .layer(layer_fn(Guarded))
        // From the gateway's URL to Bedrock's.
        .layer(BedrockPathRewriteLayer::new().with_endpoints(Endpoints::fixed(&bedrock.url())?))
        // With the gateway's key.
        .layer(SigV4SigningLayer::new(Credentials::new(ID, SECRET)?))
        // What goes wrong from here on is answered with 502 or 504.
        .layer(UpstreamLayer::new())
        .service(HyperClient::new());
    for name in ["prod", "trial"] {
        let request = Request::post(format!("/v1/acme/{name}/{PATH}"))
            .header("authorization", format!("Bearer {name}-token"))
            .body(Full::<Bytes>::from(PROMPT))?;
        let response = gateway.clone().oneshot(request).await?;
        println!("{name}: {}", response.status());
        let answer = response.into_body().collect().await?.to_bytes();
        println!("{}", String::from_utf8_lossy(&answer));
        let arrived = bedrock.requests().pop().ok_or("nothing arrived")?;
        println!("guardrail: {:?}\n", arrived.headers.get(GUARDRAIL));
    }
    Ok(())
}
