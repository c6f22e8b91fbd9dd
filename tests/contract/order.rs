//! Layers in the wrong order, or there twice, say so.

use std::fmt::Debug;

use http::Request;
use tower::{Layer, ServiceExt};
use tower_bedrock::auth::{BearerTokens, GatewayAuthLayer};
use tower_bedrock::observe::ObservabilityLayer;
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
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
    let text = rejection.text();
    assert!(text.starts_with("StackMisordered"), "{text}");
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    assert_eq!(watch.calls(), 0);
}

#[tokio::test]
async fn sign_outside_rewrite() {
    for request in [to(PATH), absolute(PATH)] {
        let stack = |probe| sign().layer(rewrite().layer(probe));
        assert_misordered(stack, request, [SIGN, REWRITE]).await;
    }
    let stack = |probe| {
        sign()
            .with_region("us-east-1")
            .layer(rewrite().layer(probe))
    };
    assert_misordered(stack, absolute(PATH), [SIGN, REWRITE]).await;
    let stack = |probe| {
        let inner = rewrite().layer(probe);
        auth().layer(SigV4SigningLayer::new(Vault).layer(inner))
    };
    assert_misordered(stack, to(PATH), [SIGN, REWRITE]).await;
    // The observer knows the route of a request whose URI is absolute.
    let stack = |probe| {
        let inner = auth().layer(sign().layer(rewrite().layer(probe)));
        ObservabilityLayer::new().layer(inner)
    };
    assert_misordered(stack, absolute(PATH), [SIGN, REWRITE]).await;
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

/// Retrying inside rewriting, outside signing, is the right order.
#[tokio::test]
async fn attempts_are_not_layers() {
    let watch = Watch::default();
    let retried = tower::service_fn({
        let service = sign().layer(watch.probe());
        move |request: Request<Script>| {
            let service = service.clone();
            async move {
                let (head, _) = request.into_parts();
                let again = Request::from_parts(head.clone(), script());
                service.clone().oneshot(again).await?;
                service.oneshot(Request::from_parts(head, script())).await
            }
        }
    });
    let service = rewrite().layer(retried);
    let response = service.oneshot(to(PATH)).await.unwrap();
    assert_eq!((response.status().as_u16(), watch.calls()), (200, 2));
    let context = tower_bedrock::Context::get(&watch.seen().head.extensions).cloned();
    assert_eq!(context.unwrap().attempts(), 2);
}
