//! The layer that ends the error channel.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response, Version};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_bedrock::upstream::{Upstream, UpstreamLayer};
use tower_bedrock::{Rejection, RejectionKind, Timeouts};

use crate::cases::{URL, ask, ready};
use crate::probe::{Answer, Probe, Readiness, Watch};
use crate::script::{Script, script};

fn service() -> (Upstream<Probe>, Watch) {
    let watch = Watch::default();
    (UpstreamLayer::new().layer(watch.probe()), watch)
}

fn to(body: Script) -> Request<Script> {
    Request::post(URL).body(body).unwrap()
}

fn rejected<R>(outcome: Result<Response<R>, Infallible>) -> (u16, RejectionKind, String) {
    let Ok(response) = outcome;
    let rejection: &Rejection = response.extensions().get().expect("it was not refused");
    let cause = rejection.internal().map(ToString::to_string);
    let status = response.status().as_u16();
    (status, rejection.kind(), cause.unwrap_or_default())
}

/// A failed readiness is told in `call`, and told once.
#[tokio::test]
async fn failed_readiness_becomes_an_answer() {
    let (mut service, watch) = service();
    watch.readiness(Readiness::Broken);
    let Ok(()) = ready(&mut service).await;
    // Whoever failed is not asked again before the failure was told.
    let Ok(()) = ready(&mut service).await;
    assert_eq!(watch.polls(), 1);

    // A clone has not asked, so it has nothing to tell.
    watch.readiness(Readiness::Open);
    let mut other = service.clone();
    let Ok(response) = ask(&mut other, to(script())).await;
    assert_eq!(response.status(), 200);

    let outcome = service.call(to(script())).await;
    let expected = (502, RejectionKind::UpstreamError, "Unready".to_owned());
    assert_eq!((rejected(outcome), watch.calls()), (expected, 1));

    let Ok(response) = ask(&mut service, to(script())).await;
    assert_eq!((response.status().as_u16(), watch.calls()), (200, 2));
    watch.assert_idle();
}

#[tokio::test]
async fn failure_becomes_an_answer() {
    let (mut service, watch) = service();
    watch.answer(Answer::Fail);
    let body = script().data("x").hangs();
    let log = body.log();
    let outcome = ask(&mut service, to(body)).await;
    let expected = (502, RejectionKind::UpstreamError, "Failed".to_owned());
    assert_eq!(rejected(outcome), expected);
    log.assert_dropped();
    watch.assert_idle();
}

/// What is given up is dropped at once, however long its future is kept.
#[tokio::test(start_paused = true)]
async fn silence_becomes_an_answer() {
    let watch = Watch::default();
    let timeouts = Timeouts {
        first_byte: Some(Duration::from_secs(3)),
        ..Timeouts::default()
    };
    let mut service = UpstreamLayer::new()
        .with_timeouts(timeouts)
        .layer(watch.probe());
    watch.answer(Answer::Silence);
    let body = script().hangs();
    let log = body.log();
    let Ok(()) = ready(&mut service).await;
    let start = Instant::now();
    let mut future = Box::pin(service.call(to(body)));
    let (status, kind, _) = rejected((&mut future).await);
    assert_eq!((status, kind), (504, RejectionKind::UpstreamTimeout));
    assert_eq!(start.elapsed().as_secs(), 3);
    log.assert_dropped();
    watch.assert_idle();
    drop(future);
}

#[tokio::test]
async fn goes_out_as_http_1() {
    for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
        let (mut service, watch) = service();
        let mut request = to(script());
        *request.version_mut() = version;
        let Ok(_) = ask(&mut service, request).await;
        assert_eq!(watch.seen().head.version, Version::HTTP_11);
    }
}

/// Twice, with Tower's own layers in between.
#[tokio::test(start_paused = true)]
async fn stands_at_any_depth() {
    let watch = Watch::default();
    let service = ServiceBuilder::new()
        .layer(UpstreamLayer::new())
        .load_shed()
        .concurrency_limit(1)
        .timeout(Duration::from_secs(1))
        .layer(UpstreamLayer::new())
        .service(watch.probe());
    let Ok(response) = service.clone().oneshot(to(script())).await;
    assert_eq!(response.status(), 200);

    watch.answer(Answer::Silence);
    let late = tokio::spawn(service.clone().oneshot(to(script())));
    tokio::task::yield_now().await;
    assert_eq!(watch.running(), 1);
    let (status, kind, _) = rejected(service.clone().oneshot(to(script())).await);
    assert_eq!((status, kind), (429, RejectionKind::RateLimited));
    let (status, kind, _) = rejected(late.await.unwrap());
    assert_eq!((status, kind), (504, RejectionKind::UpstreamTimeout));
    assert_eq!(watch.calls(), 2);
    watch.assert_idle();
}
