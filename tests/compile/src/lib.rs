//! What the cases are built with: what a server asks of a service, and services to put layers on.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::{BoxError, Service, ServiceBuilder};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::SignedBody;
use tower_bedrock::{ObservabilityLayer, SigV4SigningLayer};

/// Serves requests with a body `B`, as a server would.
pub fn serve<B, S, R>(service: S)
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    drop(service);
}

/// Stands in for Bedrock.
pub async fn bedrock<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::default())
}

pub fn key() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret").expect("it can stand in a header")
}

/// The stack around `reqwest` that the docs show.
pub fn reqwest_client(
    credentials: Credentials,
) -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<impl Body<Data = Bytes>>,
    Error = reqwest::Error,
> {
    let client = ServiceBuilder::new()
        .layer(ObservabilityLayer::default())
        .layer(SigV4SigningLayer::new(credentials))
        .map_request(|request: http::Request<SignedBody<Full<Bytes>>>| {
            // It fails for a URL that is not absolute, which signing has refused before.
            reqwest::Request::try_from(request.map(reqwest::Body::wrap)).expect("a URL")
        })
        .map_response(http::Response::<reqwest::Body>::from)
        .service(reqwest::Client::new());
    client
}
