//! One request and its answer, as the ready-made client sees them.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use http::{Request, Response};

use super::client::Pools;
use super::error::Fault;
use super::lent::Lent;
use super::sending::{Failure, Sending};
use super::spare::Spare;
use super::{UpstreamError, UpstreamResponse};
use crate::body::UpstreamBody;

/// The response future of [`HyperClient`](super::HyperClient).
#[derive(Debug)]
pub struct UpstreamFuture {
    stage: Stage,
    connect: Duration,
    spare: Option<Box<Spare>>,
    lent: Option<Lent>,
}

#[derive(Debug)]
enum Stage {
    Sending(Sending),
    /// Told once the rest of the body was read away.
    Failed(UpstreamError),
    Done,
}

impl UpstreamFuture {
    pub(super) fn new(
        pools: &Arc<Pools>,
        request: Request<UpstreamBody>,
        connect: Duration,
    ) -> Self {
        let (lent, mut request) = Lent::of(request);
        let spare = Spare::of(pools, &mut request);
        Self {
            stage: Stage::Sending(Sending::new(pools, request, connect)),
            connect,
            spare,
            lent,
        }
    }

    /// Nothing is sent.
    pub(super) fn refused(fault: Fault) -> Self {
        Self {
            stage: Stage::Failed(fault.into()),
            connect: Duration::ZERO,
            spare: None,
            lent: None,
        }
    }

    /// What is done about a failure: the request is sent again, or that was it.
    fn after(&mut self, mut failure: Failure) -> Stage {
        if let Some(spare) = self.spare.take()
            && spare.is_called_for(&failure)
        {
            tracing::debug!(
                ?failure,
                "the pooled connection was dead: sending once more"
            );
            return Stage::Sending(spare.send(self.connect));
        }
        if self.lent.as_ref().is_some_and(Lent::has_failed) {
            failure.fault = Fault::RequestBody;
        }
        Stage::Failed(failure.into())
    }
}

impl Future for UpstreamFuture {
    type Output = Result<Response<UpstreamResponse>, UpstreamError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.stage {
                Stage::Sending(sending) => match ready!(sending.poll(cx)) {
                    Ok(response) => {
                        this.stage = Stage::Done;
                        return Poll::Ready(Ok(UpstreamResponse::of(response)));
                    }
                    Err(failure) => {
                        // Lets go of the body, which is asked how it ended.
                        this.stage = Stage::Done;
                        this.stage = this.after(failure);
                    }
                },
                Stage::Failed(_) => {
                    if let Some(lent) = &mut this.lent {
                        ready!(lent.poll_drained(cx));
                    }
                    if let Stage::Failed(error) = mem::replace(&mut this.stage, Stage::Done) {
                        return Poll::Ready(Err(error));
                    }
                }
                Stage::Done => return Poll::Pending,
            }
        }
    }
}
