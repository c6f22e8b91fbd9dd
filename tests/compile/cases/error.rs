//! A stack that can fail, in a server that asks for one that cannot.

use axum::Router;
use tower::ServiceBuilder;
use tower_bedrock::upstream::HyperClient;
use tower_bedrock::{BedrockPathRewriteLayer, SigV4SigningLayer};
use tower_bedrock_compile::key;

fn main() {
    let stack = ServiceBuilder::new()
        .layer(BedrockPathRewriteLayer::new())
        .layer(SigV4SigningLayer::new(key()))
        .service(HyperClient::new());
    let _: Router = Router::new().nest_service("/bedrock", stack);
}
