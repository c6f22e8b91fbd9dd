//! A request body that streams through, lent to the connection: if there is no answer, what is left of
//! it is read away before the caller is told.

use std::pin::Pin;
use std::task::{Context as Task, Poll};

use http::Request;

use crate::body::{GivenBack, UpstreamBody};
use crate::context::Context;
use crate::reject::Drain;

/// The body of a request that streams through.
#[derive(Debug)]
pub(super) struct Lent {
    body: GivenBack,
    drain: Drain,
}

impl Lent {
    /// Only for a layer that answers someone: who sends a request of their own is told at once.
    pub(super) fn of(request: Request<UpstreamBody>) -> (Option<Self>, Request<UpstreamBody>) {
        // Mostly it is held, and there is nothing to be taken apart.
        if request.body().is_whole() {
            return (None, request);
        }
        let (head, mut body) = request.into_parts();
        let lent = Context::get(&head.extensions).and_then(|context| {
            let drain = Drain::new(context.manner(&head));
            Some(Self {
                body: body.lend()?,
                drain,
            })
        });
        (lent, Request::from_parts(head, body))
    }

    /// Whether it broke off at the caller's side.
    pub(super) fn has_failed(&self) -> bool {
        self.body.has_failed()
    }

    /// Completes when the rest was read, or when reading on is not worth it.
    pub(super) fn poll_drained(&mut self, cx: &mut Task<'_>) -> Poll<()> {
        self.drain.poll(Pin::new(&mut self.body), cx)
    }
}
