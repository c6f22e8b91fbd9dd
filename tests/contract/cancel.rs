//! A future or a body that is dropped takes everything with it, and leaves one record.

use std::fmt::Debug;
use std::time::Duration;

use http_body_util::BodyExt;
use tower::{Layer, Service};
use tower_bedrock::observe::Outcome;

use crate::cases::{Case, Stack, WAIT, ask, ready};
use crate::probe::{Answer, Probe, Watch};
use crate::script::{Log, script};

/// Polls for a moment, within which `future` must not complete; hands it back.
async fn poll_for<F: Future>(moment: Duration, future: F) -> std::pin::Pin<Box<F>> {
    let mut future = Box::pin(future);
    let early = tokio::time::timeout(moment, &mut future).await;
    assert!(early.is_err(), "it completed");
    future
}

/// Nothing of the request is left, and nothing of the service once that is dropped too.
#[track_caller]
fn assert_gone<S>(service: S, watch: &Watch, log: &Log) {
    log.assert_dropped();
    watch.assert_idle();
    drop(service);
    watch.assert_alone();
}

async fn before_call<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    ready(&mut service).await.unwrap();
    assert_eq!(watch.held(), 1);
    drop(service);
    watch.assert_idle();
    watch.assert_alone();
    case.assert_recorded(&[]);
}
each_observed!(before_call: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);

async fn before_the_first_poll<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    for good in [true, false] {
        if !good {
            (case.spoil)(&watch);
        }
        ready(&mut service).await.unwrap();
        let body = script().hangs();
        let log = body.log();
        drop(service.call(if good {
            case.good(body)
        } else {
            case.bad(body)
        }));
        log.assert_dropped();
        assert_eq!(log.polls(), 0);
    }
    drop(service);
    watch.assert_idle();
    watch.assert_alone();
    case.assert_records(2);
}
each_observed!(before_the_first_poll: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

/// While a trait of the user's is asked.
async fn while_asking<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    ready(&mut service).await.unwrap();
    let body = script().hangs();
    let log = body.log();
    let future = poll_for(WAIT / 2, service.call(case.good(body))).await;
    assert_eq!((watch.held(), watch.calls(), log.polls()), (1, 0, 0));
    drop(future);
    assert_gone(service, &watch, &log);
    case.assert_recorded(&[Outcome::ClientDisconnect]);
}
each_observed!(while_asking: auth_later, sign_later);

/// While the body comes in that is to be signed.
async fn while_reading<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    ready(&mut service).await.unwrap();
    let body = script().data("half of it").hangs();
    let log = body.log();
    let future = poll_for(Duration::from_secs(1), service.call(case.good(body))).await;
    assert_eq!((watch.held(), watch.calls(), log.bytes()), (1, 0, 10));
    drop(future);
    assert_gone(service, &watch, &log);
    case.assert_recorded(&[Outcome::ClientDisconnect]);
}
each_observed!(while_reading: sign_now, sign_later, compat_chat);

async fn while_the_inner_service_works<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    watch.answer(Answer::Silence);
    ready(&mut service).await.unwrap();
    let body = script().data("all of it");
    let log = body.log();
    let future = poll_for(Duration::from_secs(1), service.call(case.good(body))).await;
    assert_eq!((watch.held(), watch.running()), (0, 1));
    drop(future);
    assert_gone(service, &watch, &log);
    case.assert_recorded(&[Outcome::ClientDisconnect]);
}
each_observed!(while_the_inner_service_works: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);

/// While the rest of a refused body is read away.
async fn while_draining<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    (case.spoil)(&watch);
    ready(&mut service).await.unwrap();
    let body = script().data("half of it").hangs();
    let log = body.log();
    let future = poll_for(Duration::from_secs(1), service.call(case.bad(body))).await;
    assert_eq!((watch.calls(), log.bytes()), (0, 10));
    drop(future);
    log.assert_dropped();
    drop(service);
    watch.assert_idle();
    watch.assert_alone();
    case.assert_recorded(&[case.outcome]);
}
each_observed!(while_draining: auth_now, auth_later, rewrite, compat, compat_long, sign_now, sign_keyless, sign_later, sign_long, upstream);

async fn amid_the_response<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, watch) = case.service();
    watch.answer(Answer::Stall);
    let body = script().data("all of it");
    let log = body.log();
    let response = ask(&mut service, case.good(body)).await.unwrap();
    let mut body = response.into_body();
    assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
    let body = {
        let early = tokio::time::timeout(Duration::from_secs(1), body.frame()).await;
        assert!(early.is_err());
        body
    };
    assert_eq!(watch.bodies(), 1);
    drop(body);
    assert_gone(service, &watch, &log);
    case.assert_recorded(&[Outcome::ClientDisconnect]);
}
each_observed!(amid_the_response: auth_now, auth_later, rewrite, compat, sign_now, sign_later, observe, upstream);
