//! A refusal is given once the rest of the body was read away, or when that is not worth it.

use std::fmt::Debug;
use std::time::Duration;

use http_body_util::BodyExt;
use tokio::time::Instant;
use tower::{Layer, ServiceExt};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;

use crate::cases::{Case, Stack, Vault, WAIT, Warm, ready};
use crate::probe::{Probe, Watch};
use crate::script::{MIB, Script, script};

/// What a refusal did to the body of its request.
struct Refused {
    polls: usize,
    bytes: usize,
    is_over: bool,
    after: Duration,
}

async fn refuse<L, E: Debug>(case: &Case<L>, body: Script, expects: Option<&str>) -> Refused
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    let log = body.log();
    (case.spoil)(&watch);
    ready(&mut service).await.unwrap();
    let mut request = case.bad(body);
    if let Some(value) = expects {
        request
            .headers_mut()
            .insert("expect", value.parse().unwrap());
    }
    let start = Instant::now();
    let response = tower::Service::call(&mut service, request).await.unwrap();
    let after = start.elapsed();
    assert_eq!(response.status(), case.status);
    assert_eq!(response.headers()["content-type"], "application/json");
    let Ok(text) = response.into_body().collect().await else {
        panic!("the refusal broke off");
    };
    let text = text.to_bytes();
    let envelopes: [&[u8]; 2] = [b"{\"success\":false,", b"{\"error\":{\"message\":"];
    assert!(envelopes.iter().any(|start| text.starts_with(start)));
    assert_eq!(watch.calls(), 0);
    Refused {
        polls: log.polls(),
        bytes: log.bytes(),
        is_over: log.is_over(),
        after,
    }
}

async fn long_body_is_read_to_its_end<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let refused = refuse(&case, script().mebibytes(40), None).await;
    assert_eq!(refused.bytes, 40 * MIB);
    assert!(refused.is_over);
    // Slowly, but within the time that is given.
    let pause = Duration::from_secs(4);
    let slow = script()
        .mebibytes(20)
        .wait(pause)
        .mebibytes(10)
        .wait(pause)
        .mebibytes(10);
    let refused = refuse(&case, slow, None).await;
    assert_eq!((refused.bytes, refused.is_over), (40 * MIB, true));
    assert!(refused.after < 2 * pause + 2 * WAIT);
}
each!(long_body_is_read_to_its_end: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

async fn body_that_waits_for_100_continue_is_not_asked_for<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    for value in ["100-continue", "100-Continue"] {
        let refused = refuse(&case, script().mebibytes(1), Some(value)).await;
        assert_eq!(refused.polls, 0);
    }
}
each!(body_that_waits_for_100_continue_is_not_asked_for: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

async fn endless_silence_is_given_up<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let trickle = script().forever("x", Duration::from_secs(1));
    for body in [script().mebibytes(1).hangs(), trickle] {
        let refused = refuse(&case, body, None).await;
        assert!(!refused.is_over && refused.bytes > 0);
        let most = Duration::from_secs(10) + 2 * WAIT;
        assert!((Duration::from_secs(10)..most).contains(&refused.after));
    }
}
each!(endless_silence_is_given_up: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

async fn endless_flood_is_given_up<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let flood = script().forever(vec![0; MIB], Duration::ZERO);
    let refused = refuse(&case, flood, None).await;
    assert!((64 * MIB..=66 * MIB).contains(&refused.bytes));
}
each!(endless_flood_is_given_up: auth_now, auth_later, rewrite, compat, sign_now, sign_keyless, sign_later, upstream);

async fn declared_flood_is_not_begun<L, E: Debug>(mut case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    case.declared = Some(64 * MIB + 1);
    let refused = refuse(&case, script().mebibytes(1), None).await;
    assert_eq!(refused.polls, 0);
    case.declared = Some(MIB);
    if case.status != 413 {
        let refused = refuse(&case, script().mebibytes(1), None).await;
        assert!(refused.is_over);
    }
}
each!(declared_flood_is_not_begun: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

async fn broken_body_is_let_be<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let refused = refuse(&case, script().mebibytes(1).fails(), None).await;
    assert_eq!((refused.polls, refused.is_over), (2, true));
}
each!(broken_body_is_let_be: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

/// Rewriting takes `Expect` off the request; signing, inside of it, refuses all the same without
/// asking for the body.
#[tokio::test(start_paused = true)]
async fn signing_behind_rewriting_knows_that_the_client_waits() {
    async fn polls(sign: SigV4SigningLayer, name: &'static str, body: Script) -> (u16, usize) {
        let watch = Watch::default();
        let service = BedrockPathRewriteLayer::new().layer(sign.layer(watch.probe()));
        let log = body.log();
        let request = http::Request::post(crate::cases::PATH)
            .header("expect", "100-continue")
            .header(name, "gzip");
        let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(watch.calls(), 0);
        (response.status().as_u16(), log.polls())
    }
    let body = || script().mebibytes(1);
    // Before the provider is asked, and by the provider, at once and later.
    let sign = SigV4SigningLayer::new(Warm);
    assert_eq!(
        polls(sign.clone(), "content-encoding", body()).await,
        (415, 0)
    );
    let keyless = SigV4SigningLayer::new(tower_bedrock::credentials::StoredKeys::new());
    assert_eq!(polls(keyless, "x-other", body()).await, (400, 0));
    let short = SigV4SigningLayer::new(Vault).with_body_limit(MIB - 1);
    let declared = body().declared(MIB);
    assert_eq!(polls(short.clone(), "x-other", declared).await, (413, 0));
    // The client was told to go on, and does so until it is through.
    let (status, polls) = polls(short, "x-other", script().mebibytes(5)).await;
    assert_eq!((status, polls), (413, 6));
}

/// The same without rewriting: once a body was asked for, it is read to its end.
#[tokio::test(start_paused = true)]
async fn body_that_was_asked_for_is_read_away() {
    let watch = Watch::default();
    let service = SigV4SigningLayer::new(Warm)
        .with_body_limit(MIB)
        .layer(watch.probe());
    let body = script().mebibytes(5);
    let log = body.log();
    let request = http::Request::post(crate::cases::URL).header("expect", "100-continue");
    let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!((log.bytes(), log.is_over()), (5 * MIB, true));
}
