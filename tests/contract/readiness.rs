//! Readiness: whose it is, how it passes through, when it is given back.

use std::fmt::Debug;

use tower::{Layer, Service};
use tower_bedrock::Rejection;

use crate::cases::{Case, Stack, ask, ready};
use crate::probe::{Answer, Probe, ProbeError, Readiness};
use crate::script::script;

async fn calls_the_instance_that_was_polled<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    for round in 1..=3 {
        let response = ask(&mut service, case.good(script())).await.unwrap();
        assert_eq!((response.status().as_u16(), watch.calls()), (200, round));
    }

    // Several at once, made before any of them is polled.
    let mut other = service.clone();
    ready(&mut other).await.unwrap();
    ready(&mut service).await.unwrap();
    let first = service.call(case.good(script()));
    ready(&mut service).await.unwrap();
    let second = service.call(case.good(script()));
    let third = other.call(case.good(script()));
    for outcome in <[_; 3]>::from(tokio::join!(third, second, first)) {
        assert_eq!(outcome.unwrap().status(), 200);
    }
    assert_eq!(watch.calls(), 6);
    watch.assert_idle();
}
each!(calls_the_instance_that_was_polled: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);

async fn refusal_gives_readiness_back<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    ready(&mut service).await.unwrap();
    assert_eq!(watch.held(), 1);
    let body = script().mebibytes(1).hangs();
    let log = body.log();
    let mut refusal = Box::pin(service.call(case.bad(body)));
    // The client is uploading still, which keeps nobody else waiting.
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), &mut refusal).await;
    assert!(early.is_err() && log.polls() > 0);
    assert_eq!(watch.held(), usize::from(!case.gives_back));

    let response = refusal.await.unwrap();
    assert_eq!(response.status(), case.status);
    assert!(response.extensions().get::<Rejection>().is_some());
    assert_eq!(watch.calls(), 0);

    let response = ask(&mut service, case.good(script())).await.unwrap();
    assert_eq!((response.status().as_u16(), watch.calls()), (200, 1));
}
each!(refusal_gives_readiness_back: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long);

async fn pending_readiness_passes<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    watch.readiness(Readiness::Closed);
    let waiting = tokio::spawn(async move {
        ready(&mut service).await.unwrap();
    });
    tokio::task::yield_now().await;
    assert_eq!((watch.polls(), waiting.is_finished()), (1, false));
    watch.readiness(Readiness::Open);
    waiting.await.unwrap();
    watch.assert_idle();
}
each!(pending_readiness_passes: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);

async fn failed_readiness_passes<L>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = ProbeError>>,
{
    let (mut service, watch) = case.service();
    watch.readiness(Readiness::Broken);
    assert_eq!(ready(&mut service).await, Err(ProbeError::Unready));
    watch.readiness(Readiness::Open);
    assert!(ask(&mut service, case.good(script())).await.is_ok());
}
each!(failed_readiness_passes: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe);

async fn failure_passes<L>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = ProbeError>>,
{
    let (mut service, watch) = case.service();
    watch.answer(Answer::Fail);
    let outcome = ask(&mut service, case.good(script())).await;
    assert_eq!(outcome.err(), Some(ProbeError::Failed));
    watch.assert_idle();
}
each!(failure_passes: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe);
