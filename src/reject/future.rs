//! The response future of layers that either call inward or answer at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{Drain, Manner, Rejection};
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
        Refused { #[pin] body: B, drain: Drain, refusal: Option<(Rejection, Manner)> },
        /// Neither the inner future nor the body may be polled again.
        Done,
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
            refusal: Some((rejection, manner)),
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
        let mut kind = self.project().kind;
        let answer = match kind.as_mut().project() {
            KindProj::Inner { future } => {
                ready!(future.poll(cx)).map(|response| response.map(ResponseBody::inner))
            }
            KindProj::Refused {
                body,
                drain,
                refusal,
            } => {
                ready!(drain.poll(body, cx));
                let Some((rejection, manner)) = refusal.take() else {
                    return Poll::Pending;
                };
                Ok(rejection.answer(manner))
            }
            KindProj::Done => return Poll::Pending,
        };
        kind.set(Kind::Done);
        Poll::Ready(answer)
    }
}
