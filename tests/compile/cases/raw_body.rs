//! The ready-made client, given a body that none of the layers has made.

use axum::Router;
use tower::ServiceBuilder;
use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
use tower_bedrock::BedrockPathRewriteLayer;

fn main() {
    let stack = ServiceBuilder::new()
        .layer(BedrockPathRewriteLayer::new())
        .layer(UpstreamLayer::new())
        .service(HyperClient::new());
    let _: Router = Router::new().nest_service("/bedrock", stack);
}
