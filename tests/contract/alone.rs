//! Signing without any other layer, around a client.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Request, StatusCode};
use tower::{Layer, ServiceExt};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::{Rejection, RejectionKind};

use crate::cases::{URL, key};
use crate::probe::Watch;
use crate::script::script;

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";

fn sign() -> SigV4SigningLayer {
    SigV4SigningLayer::new(key())
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045))
}

/// The headers that go out, or the refusal.
async fn send(
    sign: &SigV4SigningLayer,
    uri: &str,
    host: Option<&str>,
) -> Result<HeaderMap, (StatusCode, Rejection)> {
    let watch = Watch::default();
    let mut request = Request::post(uri).header("x-own", "stays");
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let service = sign.layer(watch.probe());
    let request = request.body(script().data("{}")).unwrap();
    let response = service.oneshot(request).await.unwrap();
    match response.extensions().get::<Rejection>() {
        Some(rejection) => {
            assert_eq!(watch.calls(), 0);
            Err((response.status(), rejection.clone()))
        }
        None => Ok(watch.seen().head.headers),
    }
}

async fn sent(sign: &SigV4SigningLayer, uri: &str, host: Option<&str>) -> HeaderMap {
    send(sign, uri, host).await.unwrap()
}

fn scope(headers: &HeaderMap) -> &str {
    let authorization = headers["authorization"].to_str().unwrap();
    let (_, rest) = authorization.split_once("AKIDEXAMPLE/20260102/").unwrap();
    rest.split_once("/aws4_request").unwrap().0
}

#[tokio::test]
async fn host_is_that_of_the_uri() {
    let headers = sent(&sign(), URL, None).await;
    assert_eq!(headers["host"], HOST);
    assert_eq!(headers["x-own"], "stays");
    assert_eq!(headers["x-amz-date"], "20260102T030405Z");
    assert_eq!(scope(&headers), "us-east-1/bedrock");
    assert!(headers["authorization"].is_sensitive());
    let signed = headers["authorization"].to_str().unwrap();
    assert!(
        signed.contains("SignedHeaders=host;x-amz-date,"),
        "{signed}"
    );

    let local = sign().with_region("us-east-1");
    for (uri, host) in [
        ("http://127.0.0.1:9000/model/m/converse", "127.0.0.1:9000"),
        ("http://bedrock.test:80/x", "bedrock.test"),
        ("https://bedrock.test:443/x", "bedrock.test"),
        ("https://bedrock.test:80/x", "bedrock.test:80"),
    ] {
        assert_eq!(sent(&local, uri, None).await["host"], host);
    }
}

/// Whoever sends through a proxy names the host that is meant.
#[tokio::test]
async fn host_that_is_set_stays_and_is_signed() {
    let sign = sign().with_region("us-east-1");
    let direct = sent(&sign, URL, None).await;
    let via = "http://127.0.0.1:9/model/m/converse";
    let proxied = sent(&sign, via, Some(HOST)).await;
    assert_eq!(proxied["host"], HOST);
    assert_eq!(proxied["authorization"], direct["authorization"]);
    let other = sent(&sign, via, Some("elsewhere.test")).await;
    assert_eq!(other["host"], "elsewhere.test");
    assert_ne!(other["authorization"], direct["authorization"]);
}

#[tokio::test]
async fn region_and_service_are_those_of_the_host() {
    for (uri, expected) in [
        (
            "https://bedrock-runtime.eu-west-1.amazonaws.com/x",
            "eu-west-1/bedrock",
        ),
        (
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/x",
            "us-gov-west-1/bedrock",
        ),
        (
            "https://bedrock-mantle.us-east-2.api.aws/v1/x",
            "us-east-2/bedrock-mantle",
        ),
        (
            "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/x",
            "cn-north-1/bedrock",
        ),
    ] {
        assert_eq!(scope(&sent(&sign(), uri, None).await), expected);
        let elsewhere = sign().with_region("ap-south-1");
        let (_, service) = expected.split_once('/').unwrap();
        let headers = sent(&elsewhere, uri, None).await;
        assert_eq!(scope(&headers), format!("ap-south-1/{service}"));
    }
    let custom = sign()
        .with_region("us-east-1")
        .with_service("bedrock-mantle");
    assert_eq!(
        scope(&sent(&custom, URL, None).await),
        "us-east-1/bedrock-mantle"
    );
}

#[tokio::test]
async fn what_cannot_be_signed_alone() {
    let relative = "/model/m/converse";
    for (sign, uri) in [
        (sign(), relative),
        (sign().with_region("us-east-1"), relative),
        (sign(), "https://bedrock.example.com/model/m/converse"),
        (sign(), "http://127.0.0.1:9000/model/m/converse"),
    ] {
        for host in [None, Some("gateway.test")] {
            let (status, rejection) = send(&sign, uri, host).await.unwrap_err();
            assert_eq!(status, 500);
            assert_eq!(rejection.kind(), RejectionKind::StackMisordered);
            assert!(rejection.text().contains("BedrockPathRewriteLayer"));
            assert!(rejection.text().contains("SigV4SigningLayer"));
        }
    }
}

/// A signature that is on the request already is of no use to the new one.
#[tokio::test]
async fn stale_proof_is_replaced() {
    let temporary = Credentials::with_session_token("AKIDEXAMPLE", "secret", "t0ken").unwrap();
    let policy = tower_bedrock::Policy::new()
        .with_client_credentials(tower_bedrock::ClientCredentials::Ignore);
    let watch = Watch::default();
    let service = SigV4SigningLayer::new(temporary).with_policy(policy);
    let request = Request::post(URL)
        .header("authorization", "AWS4-HMAC-SHA256 old")
        .header("authorization", "Bearer old")
        .header("x-amz-date", "20200101T000000Z")
        .header("x-amz-security-token", "old")
        .header("x-amz-content-sha256", "old");
    let request = request.body(script()).unwrap();
    service.layer(watch.probe()).oneshot(request).await.unwrap();
    let headers = watch.seen().head.headers;
    for name in ["authorization", "x-amz-date", "x-amz-security-token"] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{name}");
        assert!(!values[0].to_str().unwrap().contains("old"));
    }
    assert_eq!(headers["x-amz-security-token"], "t0ken");
    assert!(headers["x-amz-security-token"].is_sensitive());
    assert!(!headers.contains_key("x-amz-content-sha256"));
}
