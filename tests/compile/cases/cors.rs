//! `CorsLayer` around a body that has no `Default`.

use axum::Router;
use tower::{ServiceBuilder, service_fn};
use tower_bedrock::SigV4SigningLayer;
use tower_bedrock_compile::{bedrock, key};
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;

fn main() {
    let stack = ServiceBuilder::new()
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http())
        .layer(SigV4SigningLayer::new(key()))
        .service(service_fn(bedrock));
    let _: Router = Router::new().nest_service("/bedrock", stack);
}
