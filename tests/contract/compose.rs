//! Tower's own layers between any two of ours, and outside and inside of all of them.

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_bedrock::OpenAiCompatLayer;
use tower_bedrock::auth::GatewayAuthLayer;
use tower_bedrock::observe::{CaptureRequestLayer, ObservabilityLayer, Ring};
use tower_bedrock::rewrite::BedrockPathRewriteLayer;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::UpstreamLayer;

use crate::cases::{PATH, Slow, TOKEN, Vault};
use crate::probe::{Answer, Watch};
use crate::script::{Script, script};

const SECOND: Duration = Duration::from_secs(1);

/// All our layers, with what is given at one place among them.
macro_rules! stack {
    ($watch:expr, $records:expr, $place:tt, $extra:expr) => {{
        let inner = ServiceBuilder::new().layer(UpstreamLayer::new());
        let inner = stack!(@0 $place inner, $extra);
        let inner = inner.layer(ObservabilityLayer::new().with_sink($records.clone()));
        let inner = stack!(@1 $place inner, $extra);
        let inner = inner.layer(CaptureRequestLayer::new());
        let inner = stack!(@2 $place inner, $extra);
        let inner = inner.layer(GatewayAuthLayer::new(Slow));
        let inner = stack!(@3 $place inner, $extra);
        let inner = inner.layer(OpenAiCompatLayer::new());
        let inner = stack!(@4 $place inner, $extra);
        let inner = inner.layer(BedrockPathRewriteLayer::new());
        let inner = stack!(@5 $place inner, $extra);
        let inner = inner.layer(SigV4SigningLayer::new(Vault));
        let inner = stack!(@6 $place inner, $extra);
        inner.service($watch.probe())
    }};
    (@0 0 $builder:ident, $extra:expr) => { $extra($builder) };
    (@1 1 $builder:ident, $extra:expr) => { $extra($builder) };
    (@2 2 $builder:ident, $extra:expr) => { $extra($builder) };
    (@3 3 $builder:ident, $extra:expr) => { $extra($builder) };
    (@4 4 $builder:ident, $extra:expr) => { $extra($builder) };
    (@5 5 $builder:ident, $extra:expr) => { $extra($builder) };
    (@6 6 $builder:ident, $extra:expr) => { $extra($builder) };
    (@$at:tt $place:tt $builder:ident, $extra:expr) => { $builder };
}

fn request() -> Request<Script> {
    Request::post(PATH)
        .header("cf-aig-authorization", format!("Bearer {TOKEN}"))
        .body(script().data("{}"))
        .unwrap()
}

/// Status of the answer, once it is through.
async fn ask<S, R>(service: S) -> u16
where
    S: Service<Request<Script>, Response = http::Response<R>, Error = std::convert::Infallible>,
    R: http_body::Body,
{
    let Ok(response) = service.oneshot(request()).await;
    let status = response.status().as_u16();
    assert!(response.into_body().collect().await.is_ok());
    status
}

/// Runs `$check` with `$extra` in each place.
macro_rules! everywhere {
    ($($name:ident($extra:expr) $check:ident;)+) => { $(
        mod $name {
            use super::*;
            everywhere!(@ $extra, $check, outside 0, in_observe 1, in_capture 2, in_auth 3, in_compat 4, in_rewrite 5, in_sign 6);
        }
    )+ };
    (@ $extra:expr, $check:ident, $($name:ident $place:tt),+) => { $(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            let (watch, records) = (Watch::default(), Ring::new(10));
            let service = stack!(watch, records, $place, $extra);
            $check!(service, watch, records, $place);
        }
    )+ };
}

/// Everything works as it does without.
macro_rules! is_no_hindrance {
    ($service:ident, $watch:ident, $records:ident, $place:tt) => {
        for _ in 0..3 {
            assert_eq!(ask($service.clone()).await, 200);
        }
        let both = tokio::join!(ask($service.clone()), ask($service.clone()));
        assert_eq!(both, (200, 200));
        assert_eq!(($watch.calls(), $records.len()), (5, 5));
        $watch.answer(Answer::Fail);
        assert_eq!(ask($service.clone()).await, 502);
        drop($service);
        // A buffer's worker ends when nobody is left to ask it.
        tokio::task::yield_now().await;
        $watch.assert_idle();
        $watch.assert_alone();
        assert_eq!($records.len(), 6);
    };
}

macro_rules! ends_what_takes_too_long {
    ($service:ident, $watch:ident, $records:ident, $place:tt) => {
        assert_eq!(ask($service.clone()).await, 200);
        $watch.answer(Answer::Silence);
        let start = tokio::time::Instant::now();
        assert_eq!(ask($service.clone()).await, 504);
        assert!(start.elapsed() < 2 * SECOND);
        $watch.assert_idle();
        assert_eq!($records.len(), 2);
        $watch.answer(Answer::Reply);
        assert_eq!(ask($service.clone()).await, 200);
    };
}

macro_rules! sheds_what_is_too_much {
    ($service:ident, $watch:ident, $records:ident, $place:tt) => {
        $watch.answer(Answer::Silence);
        let first = tokio::spawn($service.clone().oneshot(request()));
        tokio::time::sleep(SECOND).await;
        assert_eq!($watch.running(), 1);
        assert_eq!(ask($service.clone()).await, 429);
        first.abort();
        let _ = first.await;
        $watch.assert_idle();
        $watch.answer(Answer::Reply);
        assert_eq!(ask($service.clone()).await, 200);
        // What is shed outside of the observer is not seen by it.
        assert_eq!($records.len(), if $place == 0 { 2 } else { 3 });
    };
}

everywhere! {
    timeout(|stack: ServiceBuilder<_>| stack.timeout(SECOND)) ends_what_takes_too_long;
    load_shed(|stack: ServiceBuilder<_>| stack.load_shed().concurrency_limit(1)) sheds_what_is_too_much;
    limit(|stack: ServiceBuilder<_>| stack.concurrency_limit(1)) is_no_hindrance;
    buffer(|stack: ServiceBuilder<_>| stack.buffer(2)) is_no_hindrance;
    all(|stack: ServiceBuilder<_>| stack.buffer(2).concurrency_limit(2).timeout(10 * SECOND)) is_no_hindrance;
}
