//! Layers in the wrong order, or there twice, say so.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::retry::{Policy, RetryLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bedrock::auth::{BearerTokens, GatewayAuthLayer};
use tower_bedrock::observe::{Capture, CaptureRequestLayer, ObservabilityLayer, Outcome, Ring};
use tower_bedrock::rewrite::{BedrockPathRewriteLayer, Endpoints};
use tower_bedrock::sign::{SigV4SigningLayer, SignedBody};
use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
use tower_bedrock::{OpenAiCompatLayer, Rejection, RejectionKind};

use crate::cases::{PATH, Slow, Stack, TOKEN, URL, Vault, gateways, key};
use crate::probe::{Probe, Watch};
use crate::script::{Script, script};

const AUTH: &str = "GatewayAuthLayer";
const REWRITE: &str = "BedrockPathRewriteLayer";
const SIGN: &str = "SigV4SigningLayer";

fn auth() -> GatewayAuthLayer {
    GatewayAuthLayer::new(gateways())
}

fn rewrite() -> BedrockPathRewriteLayer {
    BedrockPathRewriteLayer::new()
}

fn sign() -> SigV4SigningLayer {
    SigV4SigningLayer::new(key())
}

fn to(uri: &str) -> Request<Script> {
    Request::post(uri)
        .header("host", "gateway.test")
        .header("cf-aig-authorization", format!("Bearer {TOKEN}"))
        .body(script().data("{}"))
        .unwrap()
}

/// As a request over HTTP/2 comes in.
fn absolute(path: &str) -> Request<Script> {
    to(&format!("http://gateway.test{path}"))
}

/// `names` are those of the layer that must be outside and of that which must be inside of it.
async fn assert_misordered<S>(
    stack: impl FnOnce(Probe) -> S,
    request: Request<Script>,
    names: [&str; 2],
) where
    S: Stack<Error: Debug>,
{
    let watch = Watch::default();
    let response = stack(watch.probe()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "InternalServerException"
    );
    let rejection: &Rejection = response.extensions().get().unwrap();
    assert_eq!(rejection.kind(), RejectionKind::StackMisordered);
    let [outer, inner] = names;
    let text = match outer == inner {
        true => format!("StackMisordered: {outer} is there twice: take out one of the two"),
        false => format!("StackMisordered: put {outer} outside of {inner}"),
    };
    assert!(rejection.text().starts_with(&text), "{rejection}");
    assert_eq!(watch.calls(), 0);
}

#[tokio::test]
async fn sign_outside_rewrite() {
    for request in [to(PATH), absolute(PATH)] {
        let stack = |probe| sign().layer(rewrite().layer(probe));
        assert_misordered(stack, request, [REWRITE, SIGN]).await;
    }
    let stack = |probe| {
        sign()
            .with_region("us-east-1")
            .layer(rewrite().layer(probe))
    };
    assert_misordered(stack, absolute(PATH), [REWRITE, SIGN]).await;
    let stack = |probe| {
        let inner = rewrite().layer(probe);
        auth().layer(SigV4SigningLayer::new(Vault).layer(inner))
    };
    assert_misordered(stack, to(PATH), [REWRITE, SIGN]).await;
    // The observer knows the route of a request whose URI is absolute.
    let stack = |probe| {
        let inner = auth().layer(sign().layer(rewrite().layer(probe)));
        ObservabilityLayer::new().layer(inner)
    };
    assert_misordered(stack, absolute(PATH), [REWRITE, SIGN]).await;
}

#[tokio::test]
async fn auth_inside_rewrite() {
    for layer in [auth(), GatewayAuthLayer::new(Slow)] {
        let stack = |probe| rewrite().layer(layer.layer(probe));
        assert_misordered(stack, to(PATH), [AUTH, REWRITE]).await;
        let stack = |probe| rewrite().layer(layer.layer(sign().layer(probe)));
        assert_misordered(stack, absolute(PATH), [AUTH, REWRITE]).await;
    }
}

#[tokio::test]
async fn auth_inside_sign() {
    let tokens = GatewayAuthLayer::new(BearerTokens::new([TOKEN]).unwrap());
    let stack = |probe| sign().layer(tokens.layer(probe));
    assert_misordered(stack, to(URL), [AUTH, SIGN]).await;
    let stack = |probe| rewrite().layer(sign().layer(auth().layer(probe)));
    assert_misordered(stack, to(PATH), [AUTH, REWRITE]).await;
}

#[tokio::test]
async fn twice() {
    let stack = |probe| auth().layer(auth().layer(probe));
    assert_misordered(stack, to(PATH), [AUTH; 2]).await;
    let stack = |probe| GatewayAuthLayer::new(Slow).layer(auth().layer(probe));
    assert_misordered(stack, to(PATH), [AUTH; 2]).await;
    let stack = |probe| rewrite().layer(rewrite().layer(probe));
    assert_misordered(stack, to(PATH), [REWRITE; 2]).await;
    let stack = |probe| sign().layer(sign().layer(probe));
    assert_misordered(stack, to(URL), [SIGN; 2]).await;
    let stack = |probe| rewrite().layer(sign().layer(rewrite().layer(probe)));
    assert_misordered(stack, to(PATH), [REWRITE; 2]).await;
    // Of a request in which nothing asks for a decision.
    let plain = Request::post(URL).header("content-type", "application/json");
    let plain = plain.body(script().data("{}")).unwrap();
    let stack = |probe| sign().layer(sign().layer(probe));
    assert_misordered(stack, plain, [SIGN; 2]).await;
}

#[tokio::test]
async fn compat_in_the_wrong_place() {
    const COMPAT: &str = "OpenAiCompatLayer";
    let compat = || OpenAiCompatLayer::new().with_region("us-east-1").unwrap();
    let stack = |probe| compat().layer(compat().layer(probe));
    assert_misordered(stack, to(PATH), [COMPAT; 2]).await;
    let stack = |probe| rewrite().layer(compat().layer(probe));
    assert_misordered(stack, to(PATH), [COMPAT, REWRITE]).await;
    let stack = |probe| sign().layer(compat().layer(probe));
    assert_misordered(stack, to(URL), [COMPAT, SIGN]).await;
    for layer in [auth(), GatewayAuthLayer::new(Slow)] {
        let stack = |probe| compat().layer(layer.layer(probe));
        assert_misordered(stack, to(PATH), [AUTH, COMPAT]).await;
    }
}

/// A second observer cannot refuse: whatever is inside of it does.
#[tokio::test]
async fn observed_twice() {
    const OBSERVE: [&str; 2] = ["ObservabilityLayer"; 2];
    let twice = || {
        let records = Ring::new(10);
        let observe = ObservabilityLayer::new().with_sink(records.clone());
        (
            ServiceBuilder::new().layer(observe.clone()).layer(observe),
            records,
        )
    };
    let (observe, records) = twice();
    let stack = |probe| observe.service(auth().layer(probe));
    assert_misordered(stack, to(PATH), OBSERVE).await;
    for record in records.snapshot() {
        assert_eq!(record.outcome, Outcome::Refused);
        assert!(
            record
                .error
                .as_ref()
                .is_some_and(|text| text.contains(OBSERVE[0]))
        );
    }
    let stack = |probe| twice().0.service(GatewayAuthLayer::new(Slow).layer(probe));
    assert_misordered(stack, to(PATH), OBSERVE).await;
    let stack = |probe| twice().0.service(rewrite().layer(probe));
    assert_misordered(stack, to(PATH), OBSERVE).await;
    let stack = |probe| twice().0.service(sign().layer(probe));
    assert_misordered(stack, to(URL), OBSERVE).await;
    let stack = |probe| twice().0.service(UpstreamLayer::new().layer(probe));
    assert_misordered(stack, to(URL), OBSERVE).await;
    // With a layer between them.
    let stack = |probe| {
        let inner = ObservabilityLayer::new().layer(rewrite().layer(probe));
        ObservabilityLayer::new().layer(auth().layer(inner))
    };
    assert_misordered(stack, to(PATH), OBSERVE).await;
}

/// Where nothing inside can refuse, a request has one record nevertheless.
#[tokio::test]
async fn observed_twice_alone() {
    let observe = || {
        let records = Ring::new(10);
        let layer = ObservabilityLayer::new().with_sink(records.clone());
        (layer, records)
    };
    let check = |records: [Ring; 2], response: Response<()>, path: &str| {
        let [outer, inner] = records.map(|records| records.snapshot());
        assert_eq!((outer.len(), inner.len()), (1, 0), "{path}");
        assert_eq!((&*outer[0].path, outer[0].response_size), (path, Some(2)));
        assert_eq!(response.headers()["cf-aig-log-id"], outer[0].id);
    };
    let answer = service_fn(|_: Request<Script>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("ok")))
    });
    // At once; below a router that takes off a prefix; beside something that repeats requests.
    for path in ["/model/m/converse", "/ai/model/m/converse"] {
        let ((outer, records), (inner, others)) = (observe(), observe());
        let stack = ServiceBuilder::new()
            .layer(outer)
            .map_request(|mut request: Request<Script>| {
                let inner = request.uri().path().trim_start_matches("/ai");
                *request.uri_mut() = inner.parse().unwrap();
                request
            })
            .layer(inner)
            .service(answer);
        let response = stack.oneshot(to(path)).await.unwrap();
        let (head, body) = response.into_parts();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ok");
        check([records, others], Response::from_parts(head, ()), path);
    }
    let ((outer, records), (inner, others)) = (observe(), observe());
    let stack = outer.layer(thrice().layer(inner.layer(Busy::default())));
    let request = to(URL).map(|_| Full::from("{}"));
    drop(stack.oneshot(request).await.unwrap());
    assert_eq!((records.len(), others.len()), (1, 0));

    // A call that a handler makes is none of those, though it has the extensions of another.
    let ((outer, records), (inner, others)) = (observe(), observe());
    let client = inner.layer(answer);
    let handler = service_fn(move |request: Request<Script>| {
        let (head, body) = request.into_parts();
        let mut call = Request::new(body);
        *call.uri_mut() = "https://elsewhere.test/other".parse().unwrap();
        *call.extensions_mut() = head.extensions;
        client.clone().oneshot(call)
    });
    let response = outer.layer(handler).oneshot(to(PATH)).await.unwrap();
    drop(response);
    assert_eq!((records.len(), others.len()), (1, 1));
    assert_ne!(records.snapshot()[0].id, others.snapshot()[0].id);
}

/// The second one takes nothing.
#[tokio::test]
async fn captured_twice() {
    let records = Ring::new(10);
    let stack = ServiceBuilder::new()
        .layer(
            ObservabilityLayer::new()
                .with_sink(records.clone())
                .with_payloads(Capture::new(100)),
        )
        .layer(CaptureRequestLayer::new())
        .layer(CaptureRequestLayer::new())
        .layer(sign())
        .service(Watch::default().probe());
    stack.oneshot(to(URL)).await.unwrap();
    let record = Arc::clone(&records.snapshot()[0]);
    let body = serde_json::to_value(&record.request_body).unwrap();
    assert_eq!(body["text"], "{}");
}

// Repeating requests.

trait Again: Sized {
    fn again(&self) -> Option<Self>;
}

impl Again for Full<Bytes> {
    fn again(&self) -> Option<Self> {
        Some(self.clone())
    }
}

impl Again for SignedBody<Full<Bytes>> {
    fn again(&self) -> Option<Self> {
        self.try_clone()
    }
}

/// Sends a request up to three times, as long as it has no good answer.
#[derive(Clone)]
struct Thrice(u32);

impl<B: Again, R, E> Policy<Request<B>, Response<R>, E> for Thrice {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<B>,
        result: &mut Result<Response<R>, E>,
    ) -> Option<Ready<()>> {
        self.0 += 1;
        let is_good = |answer: &Response<R>| answer.status().is_success();
        let is_over = result.as_ref().is_ok_and(is_good) || self.0 == 3;
        (!is_over).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        let mut again = Request::new(request.body().again()?);
        *again.method_mut() = request.method().clone();
        *again.uri_mut() = request.uri().clone();
        *again.headers_mut() = request.headers().clone();
        *again.extensions_mut() = request.extensions().clone();
        Some(again)
    }
}

fn thrice() -> RetryLayer<Thrice> {
    RetryLayer::new(Thrice(0))
}

/// Answers 503, 503 and then 200, and counts.
#[derive(Clone, Default)]
struct Busy(Arc<AtomicU32>);

impl<B> Service<Request<B>> for Busy {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let calls = self.0.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Full::default());
        if calls < 2 {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        ready(Ok(response))
    }
}

async fn answer<S, R>(stack: S, path: &str) -> (u16, Option<String>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error: Debug>,
{
    let request = to(path).map(|_| Full::from("{}"));
    let response = stack.oneshot(request).await.unwrap();
    let rejection = response.extensions().get::<Rejection>();
    let text = rejection.map(|rejection| rejection.text().to_owned());
    (response.status().as_u16(), text)
}

/// Whatever stands outside of signing may ask as often as it likes.
#[tokio::test]
async fn retry_outside_sign() {
    let observe = || ObservabilityLayer::new().with_sink(Ring::new(10));
    let upstream = UpstreamLayer::new;
    let stack = |busy| {
        let inner = sign().layer(upstream().layer(busy));
        observe().layer(auth().layer(rewrite().layer(thrice().layer(inner))))
    };
    let check = async |(status, text): (u16, Option<String>), calls: &Busy| {
        assert_eq!((status, text), (200, None));
        assert_eq!(calls.0.load(Ordering::Relaxed), 3);
    };
    let busy = Busy::default();
    check(answer(stack(busy.clone()), PATH).await, &busy).await;
    // Outside of rewriting, of auth, of everything.
    let busy = Busy::default();
    let inner = rewrite().layer(sign().layer(upstream().layer(busy.clone())));
    let stack = observe().layer(auth().layer(thrice().layer(inner)));
    check(answer(stack, PATH).await, &busy).await;
    let busy = Busy::default();
    let inner = rewrite().layer(sign().layer(upstream().layer(busy.clone())));
    let stack = observe().layer(thrice().layer(auth().layer(inner)));
    check(answer(stack, PATH).await, &busy).await;
    let busy = Busy::default();
    let inner = rewrite().layer(sign().layer(upstream().layer(busy.clone())));
    let stack = thrice().layer(observe().layer(auth().layer(inner)));
    check(answer(stack, PATH).await, &busy).await;
    // Where nothing of ours but signing sees the request.
    let busy = Busy::default();
    let stack = thrice().layer(sign().layer(upstream().layer(busy.clone())));
    check(answer(stack, URL).await, &busy).await;
}

const RESENT: &str = "StackMisordered: put what repeats requests (tower::retry, for example) outside of SigV4SigningLayer";

/// Inside of signing, a second attempt would carry the first one's signature.
#[tokio::test]
async fn retry_inside_sign() {
    let upstream = UpstreamLayer::new;
    let check = async |(status, text): (u16, Option<String>), busy: &Busy| {
        let text = text.unwrap();
        assert!(status == 500 && text.starts_with(RESENT), "{status} {text}");
        assert_eq!(busy.0.load(Ordering::Relaxed), 1);
    };
    let busy = Busy::default();
    let inner = sign().layer(thrice().layer(upstream().layer(busy.clone())));
    check(answer(rewrite().layer(inner), PATH).await, &busy).await;
    let busy = Busy::default();
    let inner = sign().layer(thrice().layer(upstream().layer(busy.clone())));
    check(
        answer(upstream().layer(rewrite().layer(inner)), PATH).await,
        &busy,
    )
    .await;
    // The request says whose credentials it wants, so signing has facts to keep.
    let busy = Busy::default();
    let inner = sign().layer(thrice().layer(upstream().layer(busy.clone())));
    check(answer(inner, URL).await, &busy).await;
}

/// `UpstreamLayer` may stand at several depths, inside of signing too.
#[tokio::test]
async fn upstream_twice() {
    let upstream = UpstreamLayer::new;
    let busy = Busy(Arc::new(AtomicU32::new(2)));
    let inner = upstream().layer(upstream().layer(upstream().layer(busy)));
    let inner = upstream().layer(sign().layer(inner));
    let stack = upstream().layer(rewrite().layer(upstream().layer(inner)));
    assert_eq!(answer(stack, PATH).await, (200, None));
}

/// The ready-made client sees what is repeated just outside of it.
#[tokio::test]
async fn retry_around_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = serve(listener, |_, _| {
        Some("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")
    });
    let endpoints = || Endpoints::fixed(&url).unwrap();
    let rewrite = || rewrite().with_endpoints(endpoints());
    let upstream = UpstreamLayer::new;
    let inner = thrice().layer(HyperClient::new());
    let stack = upstream().layer(rewrite().layer(sign().layer(inner)));
    let (status, text) = answer(stack, PATH).await;
    assert!(
        status == 500 && text.unwrap().starts_with(RESENT),
        "{status}"
    );
    let inner = upstream().layer(thrice().layer(HyperClient::new()));
    let stack = rewrite().layer(sign().layer(inner));
    let (status, text) = answer(stack, PATH).await;
    assert!(
        status == 500 && text.unwrap().starts_with(RESENT),
        "{status}"
    );
    // One each.
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    // And what is repeated outside of signing is none of its business.
    let inner = sign().layer(upstream().layer(HyperClient::new()));
    let stack = rewrite().layer(thrice().layer(inner));
    assert_eq!(answer(stack, PATH).await, (503, None));
}

/// A request that meets a connection which the upstream has just closed is sent once more, as it
/// is: that is the client's own affair.
#[tokio::test]
async fn the_client_resends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // On the first connection one answer only.
    let connections = serve(listener, |connection, request| {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        (connection > 0 || request == 0).then_some(ok)
    });
    let inner = sign().layer(UpstreamLayer::new().layer(HyperClient::new()));
    let stack = rewrite()
        .with_endpoints(Endpoints::fixed(&url).unwrap())
        .layer(inner);
    for _ in 0..3 {
        assert_eq!(answer(stack.clone(), PATH).await, (200, None));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

/// Answers the requests of each connection in turn, and closes where there is no answer. Counts
/// connections. Bodies are `{}`.
fn serve(listener: TcpListener, answer: fn(u32, usize) -> Option<&'static str>) -> Arc<AtomicU32> {
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let connection = counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for request in 0.. {
                    while !seen.ends_with(b"{}") {
                        if stream.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    seen.clear();
                    let Some(text) = answer(connection, request) else {
                        return;
                    };
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    count
}

/// What a layer between two of ours makes of the path is not what the outer one has let in, were it
/// of the same length.
#[tokio::test]
async fn another_path_between() {
    for (before, after) in [("/v1/", "/ai/v1/"), ("us-east-1", "us-west-2")] {
        let path = PATH.replace(before, after);
        assert_ne!(path, PATH);
        let changed = move |request: Request<Full<Bytes>>| {
            let (mut head, body) = request.into_parts();
            head.uri = path.parse().unwrap();
            Request::from_parts(head, body)
        };
        let busy = Busy::default();
        let inner = rewrite().layer(sign().layer(busy.clone()));
        let stack = auth().layer(tower::util::MapRequest::new(inner, changed));
        let (status, text) = answer(stack, PATH).await;
        let text = text.unwrap();
        assert_eq!(status, 500, "{text}");
        assert!(text.starts_with("StackMisordered: put what changes the path"));
        assert_eq!(busy.0.load(Ordering::Relaxed), 0);
    }
}

/// A second attempt would find that it had been translated.
#[tokio::test]
async fn retry_outside_compat() {
    const CHAT: &str =
        r#"{"model":"aws-bedrock/a.b-v1","messages":[{"role":"user","content":"hi"}]}"#;
    let busy = Busy::default();
    let inner = rewrite().layer(sign().layer(busy.clone()));
    let compat = OpenAiCompatLayer::new().with_region("us-east-1").unwrap();
    let stack = auth().layer(thrice().layer(compat.layer(inner)));
    let request = to("/v1/acme/prod/compat/chat/completions").map(|_| Full::from(CHAT));
    let response = stack.oneshot(request).await.unwrap();
    let rejection: &Rejection = response.extensions().get().unwrap();
    let text = rejection.text();
    assert!(
        text.starts_with("StackMisordered: put what repeats requests"),
        "{text}"
    );
    assert!(text.contains("inside of OpenAiCompatLayer"), "{text}");
    assert_eq!(busy.0.load(Ordering::Relaxed), 1);
}
