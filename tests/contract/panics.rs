//! An inner service that panics harms nobody but its own request.

use std::fmt::Debug;

use http_body_util::BodyExt;
use tower::Layer;

use crate::cases::{Case, Stack, ask};
use crate::probe::{Answer, Place, Probe};
use crate::script::script;

async fn panic_is_one_requests_alone<L, E: Debug + Send + 'static>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (service, watch) = case.service();
    for (count, place) in [(1, Place::Call), (2, Place::Future), (3, Place::Body)] {
        watch.answer(Answer::Panic(place));
        let body = script().data("{}");
        let log = body.log();
        let (mut own, request) = (service.clone(), case.good(body));
        let task = tokio::spawn(async move {
            let response = ask(&mut own, request).await.ok();
            match response {
                Some(response) => response.into_body().collect().await.is_ok(),
                None => false,
            }
        });
        let end = task.await;
        assert!(end.is_err_and(|error| error.is_panic()), "{place:?}");
        log.assert_dropped();
        watch.assert_idle();
        case.assert_records(2 * count - 1);

        watch.answer(Answer::Reply);
        let mut same = service.clone();
        let response = ask(&mut same, case.good(script())).await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.is_ok());
        case.assert_records(2 * count);
    }
    drop(service);
    watch.assert_alone();
}
each_observed!(panic_is_one_requests_alone: auth_now, auth_later, rewrite, compat, sign_now, sign_later, capture, observe, upstream);
