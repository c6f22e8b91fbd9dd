//! An answer whose body is not `Unpin`, inside of `OpenAiCompatLayer`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::Full;
use tower::{ServiceBuilder, service_fn};
use tower_bedrock::OpenAiCompatLayer;
use tower_bedrock_compile::serve;

/// As it may be made with `async`.
struct Stays(#[allow(dead_code)] std::marker::PhantomPinned);

impl http_body::Body for Stays {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(None)
    }
}

async fn bedrock<B>(_: Request<B>) -> Result<Response<Stays>, Infallible> {
    Ok(Response::new(Stays(std::marker::PhantomPinned)))
}

fn main() {
    let stack = ServiceBuilder::new()
        .layer(OpenAiCompatLayer::new())
        .service(service_fn(bedrock));
    serve::<Full<Bytes>, _, _>(stack);
}
