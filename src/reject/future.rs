//! The response future of layers that either call inward or answer at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::EXPECT;
use http::{HeaderMap, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::drain::Drain;
use super::{Dialect, Rejection};
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
        Refused { #[pin] drain: Drain<B>, refusal: Option<(Rejection, Dialect)> },
    }
}

impl<F, B> ResponseFuture<F, B> {
    pub(crate) fn inner(future: F) -> Self {
        let kind = Kind::Inner { future };
        Self { kind }
    }
}

impl<F, B: Body> ResponseFuture<F, B> {
    /// Refuses the request with these headers and this body.
    pub(crate) fn refused(
        rejection: Rejection,
        dialect: Dialect,
        headers: &HeaderMap,
        body: B,
    ) -> Self {
        let kind = Kind::Refused {
            drain: Drain::new(body, awaits_continue(headers)),
            refusal: Some((rejection, dialect)),
        };
        Self { kind }
    }
}

/// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
pub(crate) fn awaits_continue(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
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
            KindProj::Refused { drain, refusal } => {
                ready!(drain.poll(cx));
                // A future polled after completion gets the empty answer rather than a panic.
                Poll::Ready(Ok(match refusal.take() {
                    Some((rejection, dialect)) => rejection.into_response(dialect),
                    None => Response::default(),
                }))
            }
        }
    }
}
