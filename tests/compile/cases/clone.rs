//! An inner service that cannot be cloned, inside of a layer that waits before it calls.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::util::BoxService;
use tower::{ServiceBuilder, service_fn};
use tower_bedrock::SigV4SigningLayer;
use tower_bedrock::sign::SignedBody;
use tower_bedrock_compile::{bedrock, key, serve};

type Boxed = BoxService<Request<SignedBody<Full<Bytes>>>, Response<Full<Bytes>>, Infallible>;

fn main() {
    let boxed: Boxed = BoxService::new(service_fn(bedrock));
    let stack = ServiceBuilder::new()
        .layer(SigV4SigningLayer::new(key()))
        .service(boxed);
    serve::<Full<Bytes>, _, _>(stack);
}
