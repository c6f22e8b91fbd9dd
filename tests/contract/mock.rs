//! The same layers over `tower_test`'s mock, which tells in which order it is used.

use std::fmt::Debug;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::task::yield_now;
use tower::{Layer, Service};
use tower_bedrock::body::{BoxError, RequestBody};
use tower_bedrock::observe::CapturedBody;
use tower_bedrock::sign::SignedBody;
use tower_test::mock::{self, Mock};

use crate::cases::{self, Case, Stack, ready};
use crate::probe::Watch;
use crate::script::{Script, script};

type Inner<B> = Mock<Request<B>, Response<Full<Bytes>>>;

async fn over_a_mock<L, B, E: Debug + Send + 'static>(case: Case<L>, tells_failure: bool)
where
    L: Layer<Inner<B>, Service: Stack<Error = E>>,
    B: Body<Data = Bytes> + Send + 'static,
{
    let (inner, mut handle) = mock::pair();
    let mut service = case.layer.layer(inner);
    let mut cx = Context::from_waker(Waker::noop());

    // It is as ready as the mock is.
    handle.allow(0);
    assert!(service.poll_ready(&mut cx).is_pending());
    handle.allow(1);
    ready(&mut service).await.unwrap();
    let answer = tokio::spawn(service.call(case.good((case.sample)())));
    let (request, respond) = handle.next_request().await.expect("it was not called");
    assert_eq!(request.method(), "POST");
    assert!(!answer.is_finished());
    respond.send_response(Response::new(Full::from("answer")));
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    // The one request that was allowed has been.
    let mut other = service.clone();
    assert!(other.poll_ready(&mut cx).is_pending());

    // What is dropped before it is called has not been called.
    handle.allow(1);
    ready(&mut service).await.unwrap();
    drop(service);
    yield_now().await;
    assert!(matches!(
        futures_now(handle.next_request()),
        Poll::Pending | Poll::Ready(None)
    ));

    // A mock that fails once fails for ever, and so does what is around it.
    handle.send_error("worn out");
    let ready = ready(&mut other).await;
    assert_eq!(ready.is_err(), tells_failure);
    if !tells_failure {
        let Ok(refusal) = other.call(case.good(script())).await else {
            panic!("it failed");
        };
        assert_eq!(refusal.status(), 502);
    }
}

fn futures_now<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = std::pin::pin!(future);
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

macro_rules! mocked {
    ($($name:ident over $body:ty, $tells:literal;)+) => { $(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            over_a_mock::<_, $body, _>(cases::$name(), $tells).await;
        }
    )+ };
}

mocked! {
    auth_now over Script, true;
    auth_later over Script, true;
    rewrite over Script, true;
    compat over RequestBody<Script>, true;
    sign_now over SignedBody<Script>, true;
    sign_later over SignedBody<Script>, true;
    capture over CapturedBody<Script>, true;
    observe over Script, true;
    upstream over Script, false;
}

/// A service that asks for no readiness may be called without.
async fn called_without_asking<L, E: Debug + Into<BoxError>>(case: Case<L>)
where
    L: Layer<crate::probe::Probe, Service: Stack<Error = E>>,
{
    let watch = Watch::default();
    watch.asks_for_nothing();
    let mut service = case.layer.layer(watch.probe());
    for _ in 0..2 {
        let response = service.call(case.good((case.sample)())).await.unwrap();
        assert_eq!(response.status(), 200);
        let response = service.call(case.bad(script())).await.unwrap();
        assert!(response.status() == case.status || case.status == 502);
    }
    let mut clone = service.clone();
    assert_eq!(clone.call(case.good(script())).await.unwrap().status(), 200);
    drop((service, clone));
    watch.assert_idle();
    watch.assert_alone();
}
each_observed!(called_without_asking: auth_now, auth_later, rewrite, compat, sign_now, sign_keyless, sign_later, capture, observe, upstream);
