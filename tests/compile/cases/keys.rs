//! What provides no credentials, and what cannot tell who is calling.

use tower_bedrock::{GatewayAuthLayer, SigV4SigningLayer};

struct Vault;

fn main() {
    let _ = SigV4SigningLayer::new(Vault);
    let _ = GatewayAuthLayer::new("a token");
}
