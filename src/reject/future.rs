//! The response future of layers that either call inward or answer at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{Dialect, Drain, Manner, Rejection};
use crate::body::ResponseBody;

pin_project! {
    /// Calls inward, or refuses once the rest of the request body `B` has been read away.
    #[derive(Debug)]
    pub struct ResponseFuture<F, B> {
        #[pin]
        kind: Kind<F, B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<F, B> {
        Inner { #[pin] future: F },
        Refused { #[pin] body: B, drain: Drain, refusal: Option<(Rejection, Dialect)> },
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn inner(future: F) -> Self {
        let kind = Kind::Inner { future };
        Self { kind }
    }

    /// Refuses the request whose body this is.
    pub(crate) fn refused(rejection: Rejection, manner: Manner, body: B) -> Self {
        let kind = Kind::Refused {
            body,
            drain: Drain::new(manner),
            refusal: Some((rejection, manner.dialect)),
        };
        Self { kind }
    }
}

impl<F, B, R, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<R>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            KindProj::Refused {
                body,
                drain,
                refusal,
            } => {
                ready!(drain.poll(body, cx));
                // A future polled after completion gets an empty answer rather than a panic.
                Poll::Ready(Ok(refusal
                    .take()
                    .map_or_else(Response::default, |refusal| {
                        refusal.0.into_response(refusal.1)
                    })))
            }
        }
    }
}
