//! `SigV4SigningLayer` alone, around hyper-util's client: no gateway, just signed requests.
//!
//! ```text
//! cargo run --example sign_only
//! ```
//!
//! It talks to an emulated Bedrock that it starts itself. For the real one, use an https connector,
//! leave out `with_region` (the host name says it), and replace the key pair.

use std::error::Error;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};

const ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder()
        .credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        .start(([127, 0, 0, 1], 0).into())
        .await?;

    // The client sends what the layer hands it: the same body, once its hash is signed.
    let client = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Full<Bytes>>>();
    let credentials = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY)?;
    let bedrock = SigV4SigningLayer::new(credentials)
        .with_region("us-east-1")
        .layer(client);

    let model = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let prompt = json!({ "messages": [{ "role": "user", "content": [{ "text": "Hello!" }] }] });
    let request = Request::post(format!("{}/model/{model}/converse", emulator.url()))
        .header("content-type", "application/json")
        .body(Full::from(prompt.to_string()))?;
    let response = bedrock.oneshot(request).await?;

    println!("{}", response.status());
    let body = response.into_body().collect().await?.to_bytes();
    println!("{:#}", serde_json::from_slice::<Value>(&body)?);
    Ok(())
}
