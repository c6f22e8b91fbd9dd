//! Two of the layers and no more: a private network's own way to Bedrock, without tokens or
//! records. Paths become Bedrock's URLs, and requests are signed with one key.
//!
//! Run with `cargo run --example two_layers`. It talks to an emulated Bedrock that it starts itself;
//! for the real one use an https connector, leave out `with_endpoints`, and change the key.

use std::error::Error;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{ServiceBuilder, ServiceExt};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::rewrite::{BedrockPathRewriteLayer, Endpoints};
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const PATH: &str = "/v1/home/lab/aws-bedrock/bedrock-runtime/eu-west-1/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/converse";
const PROMPT: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hello!"}]}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().credentials(ID, SECRET);
    let bedrock = emulator.start(([127, 0, 0, 1], 0).into()).await?;

    let client = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Full<Bytes>>>();
    let service = ServiceBuilder::new()
        // Outside of signing: it decides the host and the path that are signed.
        .layer(BedrockPathRewriteLayer::new().with_endpoints(Endpoints::fixed(&bedrock.url())?))
        // The region is that of the path.
        .layer(SigV4SigningLayer::new(Credentials::new(ID, SECRET)?))
        .service(client);

    for path in [PATH, "/v1/home/lab/elsewhere"] {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Full::from(PROMPT))?;
        // Whatever the client cannot do is an error here: only `UpstreamLayer` makes it a 502.
        let response = service.clone().oneshot(request).await?;
        println!("{} {}", response.status(), path);
        let answer = response.into_body().collect().await?.to_bytes();
        println!("{}\n", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
