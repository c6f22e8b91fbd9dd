//! A body whose data is not `Bytes`.

use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_bedrock::SigV4SigningLayer;
use tower_bedrock_compile::{bedrock, key, serve};

fn main() {
    let stack = ServiceBuilder::new()
        .layer(SigV4SigningLayer::new(key()))
        .service(service_fn(bedrock));
    serve::<Full<&'static [u8]>, _, _>(stack);
}
