//! Dropped in every state of every future and body there is, and polled after their end.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::task::Poll;

use http_body_util::BodyExt;
use tokio::task::yield_now;
use tokio::time::sleep;
use tower::{Layer, Service};
use tower_bedrock::observe::Outcome;

use crate::cases::{Case, Stack, WAIT, ready};
use crate::probe::{Probe, Watch};
use crate::script::{Log, script};

/// Polls once; every wait in these tests is over by the next time.
async fn step<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let polled = poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx))).await;
    if polled.is_pending() {
        sleep(WAIT).await;
    }
    polled
}

/// A service that is ready, the request for it, and who watches both.
async fn begin<L, E: Debug, S>(
    case: &Case<L>,
    is_good: bool,
) -> (S, http::Request<crate::script::Script>, Watch, Log)
where
    L: Layer<Probe, Service = S>,
    S: Stack<Error = E>,
{
    let (mut service, watch) = case.service();
    watch.pace(WAIT);
    (case.suit)(&watch);
    if !is_good {
        (case.spoil)(&watch);
    }
    ready(&mut service).await.unwrap();
    let body = match is_good {
        true => (case.sample)(),
        false => script().data("half").wait(WAIT).data("whole").wait(WAIT),
    };
    let log = body.log();
    let request = match is_good {
        true => case.good(body),
        false => case.bad(body),
    };
    (service, request, watch, log)
}

/// Polls so often, then drops. Says whether all had been answered by then.
async fn drop_after<L, E: Debug>(case: &Case<L>, is_good: bool, polls: usize) -> bool
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let (mut service, request, watch, log) = begin(case, is_good).await;
    let future = service.call(request);
    let mut answered = Box::pin(async move {
        let mut body = future.await.unwrap().into_body();
        // Between any two of these it may be dropped too.
        yield_now().await;
        while let Some(frame) = body.frame().await {
            assert!(frame.is_ok());
            yield_now().await;
        }
    });
    let mut is_over = false;
    for _ in 0..polls {
        is_over = step(&mut answered).await.is_ready();
        if is_over {
            break;
        }
    }
    drop(answered);
    log.assert_dropped();
    if is_good || case.gives_back {
        watch.assert_idle();
    }
    drop(service);
    watch.assert_idle();
    watch.assert_alone();
    is_over
}

async fn dropped<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    let mut requests = 0;
    for (is_good, end) in [(true, Outcome::Complete), (false, case.outcome)] {
        let states = async {
            let mut polls = 0;
            while !drop_after(&case, is_good, polls).await {
                polls += 1;
                case.assert_records(requests + polls);
            }
            polls
        };
        let polls = states.await;
        assert!((4..100).contains(&polls), "{polls}");
        requests += polls + 1;
        case.assert_records(requests);
        let outcomes = case.outcomes();
        assert!(
            outcomes
                .iter()
                .all(|o| [Outcome::ClientDisconnect, Outcome::Complete, case.outcome].contains(o)),
            "{outcomes:?}"
        );
        assert!(
            outcomes.last().is_none_or(|last| *last == end),
            "{outcomes:?}"
        );
    }
}
each_observed!(dropped: auth_now, auth_later, rewrite, compat, compat_long, compat_chat, compat_stream, sign_now, sign_keyless, sign_later, sign_long, capture, observe, upstream);

/// Whoever polls a future that has completed gets nothing, and no panic.
async fn polled_after_completion<L, E: Debug>(case: Case<L>)
where
    L: Layer<Probe, Service: Stack<Error = E>>,
{
    for is_good in [true, false] {
        let (mut service, request, watch, log) = begin(&case, is_good).await;
        let mut future = Box::pin(service.call(request));
        let mut polled = step(&mut future).await;
        while polled.is_pending() {
            polled = step(&mut future).await;
        }
        for _ in 0..3 {
            assert!(step(&mut future).await.is_pending());
        }
        drop((polled, future));
        log.assert_dropped();
        drop(service);
        watch.assert_idle();
        watch.assert_alone();
    }
}
each_observed!(polled_after_completion: auth_now, auth_later, rewrite, compat, compat_long, compat_chat, compat_stream, sign_now, sign_keyless, sign_later, sign_long, observe, upstream);
