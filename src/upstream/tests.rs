//! What needs the facts of a request; the rest is in `tests/upstream.rs`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

use super::{HyperClient, UpstreamLayer};
use crate::body::Buffered;
use crate::{Context, Policy, Rejection};

const BY_AUTHORITY: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/bedrock/aws4_request, SignedHeaders=:authority;x-amz-date, Signature=00ff";

fn signed_by_authority(uri: &str) -> Request<Buffered> {
    let request = Request::post(uri).header("authorization", BY_AUTHORITY);
    let (mut head, body) = request
        .body(Buffered::from(Bytes::from("{}")))
        .unwrap()
        .into_parts();
    let context = Context::of(&mut head.extensions);
    context.choose_key(&head, &Policy::new()).unwrap();
    Request::from_parts(head, body)
}

#[tokio::test]
async fn only_a_signature_over_authority_goes_by_http2() {
    for inbound in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        let inner = service_fn(|request: Request<Buffered>| async move {
            let version = match request.headers().contains_key("authorization") {
                true => Version::HTTP_2,
                false => Version::HTTP_11,
            };
            assert_eq!(request.version(), version);
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let service = UpstreamLayer::new().layer(inner);
        for mut request in [
            signed_by_authority("http://h/"),
            Request::new(Buffered::empty()),
        ] {
            *request.version_mut() = inbound;
            service.clone().oneshot(request).await.unwrap();
        }
    }
}

/// An endpoint override and a signature over `:authority`: the connection goes there, the name
/// stays.
#[tokio::test]
async fn connects_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let echo = hyper::service::service_fn(|request: Request<Incoming>| async move {
                let uri = request.uri().to_string();
                Ok::<_, Infallible>(
                    Response::builder()
                        .header("x-uri", uri)
                        .body(Empty::<Bytes>::new())
                        .unwrap(),
                )
            });
            tokio::spawn(
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), echo),
            );
        }
    });
    let client = HyperClient::new()
        .with_endpoint(endpoint.parse().unwrap())
        .unwrap();
    let service = UpstreamLayer::new().layer(client);
    for _ in 0..2 {
        let request =
            signed_by_authority("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse");
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["x-uri"],
            "http://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
        );
    }
}

#[tokio::test]
async fn an_upstream_without_http2_is_a_502_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let never = hyper::service::service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), never),
            );
        }
    });
    let service = UpstreamLayer::new().layer(HyperClient::new());
    let request = signed_by_authority(&uri);
    let context = Context::get(request.extensions()).unwrap().clone();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 502);
    let rejection = response.extensions().get::<Rejection>().unwrap();
    assert!(rejection.text().contains(":authority"), "{rejection:?}");
    assert!(rejection.text().contains("HTTP/2"), "{rejection:?}");
    assert_eq!(context.rejection().unwrap().text(), rejection.text());
}
