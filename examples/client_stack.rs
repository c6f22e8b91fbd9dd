//! A program's own calls to Bedrock: signed, and each leaves a record of its tokens and its price.
//!
//! Run with `cargo run --example client_stack`. It talks to an emulated Bedrock that it starts
//! itself; for the real one use an https connector, leave out `with_region`, and change the key.

use std::error::Error;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::emulator::Emulator;
use tower_bedrock::eventstream::Decoder;
use tower_bedrock::observe::{ObservabilityLayer, from_fn};
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const MODEL: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const PROMPT: &str = r#"{"messages":[{"role":"user","content":[{"text":"Hello!"}]}]}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let emulator = Emulator::builder().credentials(ID, SECRET);
    let bedrock = emulator.start(([127, 0, 0, 1], 0).into()).await?;

    let print = from_fn(|record| {
        let (read, written) = (
            record.tokens_in.unwrap_or(0),
            record.tokens_out.unwrap_or(0),
        );
        let price = record
            .cost
            .map_or("unknown".to_owned(), |cost| cost.to_string());
        println!(
            "record: {read} tokens in, {written} out, {price} US dollars, {}",
            record.outcome
        );
    });
    let client = Client::builder(TokioExecutor::new()).build_http::<SignedBody<Full<Bytes>>>();
    let mut client = ServiceBuilder::new()
        // Outermost, so that what signing refuses leaves a record too.
        .layer(ObservabilityLayer::new().with_sink(print))
        // Innermost: what is sent is what was signed.
        .layer(SigV4SigningLayer::new(Credentials::new(ID, SECRET)?).with_region("us-east-1"))
        .service(client);

    for operation in ["converse", "converse-stream"] {
        let request = Request::post(format!("{}/model/{MODEL}/{operation}", bedrock.url()))
            .header("content-type", "application/json")
            .body(Full::from(PROMPT))?;
        let response = client.ready().await?.call(request).await?;
        println!("\n{operation}: {}", response.status());
        let answer = response.into_body().collect().await?.to_bytes();
        if operation == "converse" {
            println!("{}", String::from_utf8_lossy(&answer));
            continue;
        }
        let mut events = Decoder::new();
        events.push(answer);
        while let Some(event) = events.next()? {
            println!(
                "{}: {}",
                event.event_type(),
                String::from_utf8_lossy(event.payload())
            );
        }
    }
    Ok(())
}
