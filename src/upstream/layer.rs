//! The layer that turns errors into responses.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, Response, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::OtherSide;
use super::deadline::Deadline;
use super::error::{self, Fault};
use super::{TimedBody, UpstreamError};
use crate::body::{BoxError, ResponseBody};
use crate::context::{Context, KeyChoice, Policy, Principal, Timeouts};
use crate::reject::{Drain, Manner, Rejection};
use crate::route::Operation;

/// Longest silence amid a response unless told otherwise.
const IDLE: Duration = Duration::from_secs(60);

/// Turns errors into responses. See the [module docs](super).
#[derive(Debug, Clone)]
#[must_use]
pub struct UpstreamLayer {
    timeouts: Timeouts,
}

impl UpstreamLayer {
    /// A layer with the default timeouts.
    pub fn new() -> Self {
        Self {
            timeouts: Timeouts {
                connect: None,
                first_byte: None,
                idle: Some(IDLE),
            },
        }
    }

    /// How long the upstream may take. What is `None` stays as it was; [`Duration::MAX`] is for
    /// ever.
    ///
    /// `connect` is heeded by the ready-made client only, and goes before its own setting.
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = or(timeouts, self.timeouts);
        self
    }
}

impl Default for UpstreamLayer {
    fn default() -> Self {
        Self::new()
    }
}

fn or(first: Timeouts, second: Timeouts) -> Timeouts {
    Timeouts {
        connect: first.connect.or(second.connect),
        first_byte: first.first_byte.or(second.first_byte),
        idle: first.idle.or(second.idle),
    }
}

impl<S> Layer<S> for UpstreamLayer {
    type Service = Upstream<S>;

    fn layer(&self, inner: S) -> Upstream<S> {
        Upstream {
            inner,
            timeouts: self.timeouts,
            failed: None,
        }
    }
}

/// Turns the inner service's errors into responses. See the [module docs](super).
#[derive(Debug)]
pub struct Upstream<S> {
    inner: S,
    timeouts: Timeouts,
    /// The inner service's readiness error, for the next call.
    failed: Option<BoxError>,
}

/// A clone has not asked for readiness yet, so it has no error to tell.
impl<S: Clone> Clone for Upstream<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            timeouts: self.timeouts,
            failed: None,
        }
    }
}

impl<S> Upstream<S> {
    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, for a change.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Upstream<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
{
    type Response = Response<ResponseBody<TimedBody<R>>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        if self.failed.is_none() {
            self.failed = ready!(self.inner.poll_ready(cx)).err().map(Into::into);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let (context, wrong) = Context::send(&mut head.extensions);
        // Now, while the head is here; mostly an outer layer has done it.
        let manner = context.manner(&head);
        let failed = self.failed.take().map(error::rejection);
        if let Some(rejection) = wrong.or(failed) {
            let rejection = context.rejected(rejection);
            let kind = Kind::Refused {
                drain: Drain::new(manner),
                refusal: Some((rejection, manner)),
                body,
            };
            return ResponseFuture { kind };
        }

        let own = context.principal().and_then(Principal::policy);
        let timeouts = or(own.map(Policy::timeouts).unwrap_or_default(), self.timeouts);
        if let Some(after) = timeouts.connect {
            context.set_connect_timeout(after);
        }
        let converses = converses(&context, &head);
        head.version = match converses || signs_authority(&context) {
            true => Version::HTTP_2,
            false => Version::HTTP_11,
        };
        let kind = Kind::Calling {
            first_byte: Deadline::new(timeouts.first_byte),
            future: self.inner.call(Request::from_parts(head, body)),
            idle: timeouts.idle,
            converses,
            context,
            manner,
        };
        ResponseFuture { kind }
    }
}

fn signs_authority(context: &Context) -> bool {
    context.key_choice().is_some_and(KeyChoice::signs_authority)
}

/// Whether both sides of the exchange speak at the same time.
fn converses(context: &Context, head: &Parts) -> bool {
    #[cfg(feature = "sign")]
    if context.is_conversation() {
        return true;
    }
    let _ = context;
    head.method == Method::POST && Operation::is_bidirectional(head.uri.path())
}

pin_project! {
    /// The response future of [`Upstream`].
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
        Calling {
            #[pin] future: F,
            #[pin] first_byte: Deadline,
            idle: Option<Duration>,
            converses: bool,
            context: Context,
            manner: Manner,
        },
        Refused { #[pin] body: B, drain: Drain, refusal: Option<(Rejection, Manner)> },
        Done,
    }
}

impl<F, B, R, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<TimedBody<R>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut kind = self.project().kind;
        let response = match kind.as_mut().project() {
            KindProj::Calling {
                future,
                first_byte,
                idle,
                converses,
                context,
                manner,
            } => match ready!(poll_call(future, first_byte, cx)) {
                Ok(mut response) => {
                    // An HTTP/1.0 answer, passed on as one, would end where the connection does,
                    // whatever became of its body.
                    *response.version_mut() = Version::HTTP_11;
                    let other = converses.then(|| OtherSide::new(context));
                    response.map(|body| {
                        ResponseBody::inner(TimedBody::new(body, *idle, other, context))
                    })
                }
                Err(error) => context.rejected(error::rejection(error)).answer(*manner),
            },
            KindProj::Refused {
                body,
                drain,
                refusal,
            } => {
                ready!(drain.poll(body, cx));
                let Some((rejection, manner)) = refusal.take() else {
                    return Poll::Pending;
                };
                rejection.answer(manner)
            }
            KindProj::Done => return Poll::Pending,
        };
        // Nothing of a request that timed out goes on, however long this future is kept.
        kind.set(Kind::Done);
        Poll::Ready(Ok(response))
    }
}

/// The final response, or why there is none.
fn poll_call<F, R, E>(
    future: Pin<&mut F>,
    first_byte: Pin<&mut Deadline>,
    cx: &mut Task<'_>,
) -> Poll<Result<Response<R>, BoxError>>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    let fault = match future.poll(cx) {
        Poll::Ready(Ok(response)) if response.status().is_informational() => Fault::Interim,
        Poll::Ready(outcome) => return Poll::Ready(outcome.map_err(Into::into)),
        Poll::Pending => Fault::NoAnswerWithin(ready!(first_byte.poll(cx))),
    };
    Poll::Ready(Err(UpstreamError::from(fault).into()))
}
