//! Copies of a request, for another attempt or another place, keep what is known of their caller.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_bedrock::auth::{GatewayAuthLayer, GatewayTokens, Gateways};
use tower_bedrock::observe::{ObservabilityLayer, Ring};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::UpstreamLayer;
use tower_bedrock::{ClientCredentials, Policy};

use crate::cases::{PATH, TOKEN, key};
use crate::probe::Watch;
use crate::script::{Script, script};

fn auth(policy: Policy) -> GatewayAuthLayer {
    let tokens = GatewayTokens::new("acme", "prod").unwrap();
    let tokens = tokens.with_token(TOKEN).unwrap().with_policy(policy);
    GatewayAuthLayer::new(Gateways::new().with_gateway(tokens).unwrap())
}

fn request() -> Request<Script> {
    Request::post(PATH)
        .header("host", "gateway.test")
        .header("cf-aig-authorization", format!("Bearer {TOKEN}"))
        .header("authorization", "Bearer the-clients-own")
        .body(script().data("{}"))
        .unwrap()
}

/// Sends three copies of a request that has passed `auth`, and tells the status of each.
async fn thrice<S, R>(auth: GatewayAuthLayer, inner: S) -> Vec<StatusCode>
where
    S: Service<Request<Script>, Response = Response<R>, Error: std::fmt::Debug> + Clone,
{
    let statuses = Arc::default();
    let handler = service_fn(|request: Request<Script>| {
        let (inner, statuses) = (inner.clone(), Arc::clone(&statuses));
        async move {
            let (head, _) = request.into_parts();
            for _ in 0..3 {
                let copy = Request::from_parts(head.clone(), script().data("{}"));
                let answer = inner.clone().oneshot(copy).await.unwrap();
                let statuses: &std::sync::Mutex<Vec<StatusCode>> = &statuses;
                statuses.lock().unwrap().push(answer.status());
            }
            Ok::<_, std::convert::Infallible>(Response::new(script()))
        }
    });
    auth.layer(handler).oneshot(request()).await.unwrap();
    let statuses = statuses.lock().unwrap();
    statuses.clone()
}

#[tokio::test]
async fn an_allow_list_holds_for_each() {
    let (watch, records) = (Watch::default(), Ring::new(10));
    let inner = ServiceBuilder::new()
        .layer(ObservabilityLayer::new().with_sink(records.clone()))
        .layer(BedrockPathRewriteLayer::new())
        .service(watch.probe());
    let policy = Policy::new().with_models(["another-model"]);
    assert_eq!(thrice(auth(policy), inner).await, [403; 3]);
    assert_eq!(watch.calls(), 0);
    let records = records.snapshot();
    assert_eq!(records.len(), 3);
    for record in records {
        assert!(record.principal.is_some());
        assert_eq!(record.gateway_id.as_deref(), Some("prod"));
    }
}

#[tokio::test]
async fn a_client_is_given_our_key_each_time() {
    let watch = Watch::default();
    let inner = ServiceBuilder::new()
        .layer(ObservabilityLayer::new().with_sink(Ring::new(10)))
        .layer(BedrockPathRewriteLayer::new())
        .layer(SigV4SigningLayer::new(key()))
        .service(watch.probe());
    let policy = Policy::new().with_client_credentials(ClientCredentials::Ignore);
    assert_eq!(thrice(auth(policy), inner).await, [200; 3]);
    let proof = watch.seen().head.headers["authorization"].clone();
    assert!(proof.as_bytes().starts_with(b"AWS4-HMAC-SHA256"));
}

/// Each is signed: none is the same signature for the second time.
#[tokio::test]
async fn observed_inside_of_signing() {
    let watch = Watch::default();
    let inner = ServiceBuilder::new()
        .layer(BedrockPathRewriteLayer::new())
        .layer(SigV4SigningLayer::new(key()))
        .layer(ObservabilityLayer::new().with_sink(Ring::new(10)))
        .layer(UpstreamLayer::new())
        .service(watch.probe());
    let policy = Policy::new().with_client_credentials(ClientCredentials::Ignore);
    assert_eq!(thrice(auth(policy), inner).await, [200; 3]);
    assert_eq!(watch.calls(), 3);
}
