//! The response future: asks for credentials, reads the body, signs, calls inward, and has AWS's
//! verdict on our credentials judged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::SignedBody;
use super::headers::state_length;
use super::judge::Signed;
use super::layer::{Settings, SigV4SigningLayer};
use super::sigv4::PayloadHasher;
use crate::body::{BoxError, CollectError, Collector, ResponseBody};
use crate::context::Context;
use crate::credentials::{Credentials, Later};
use crate::reject::{Dialect, Drain, Manner, Rejection, RejectionKind};

pin_project! {
    /// The response future of [`SigV4Signing`](super::SigV4Signing).
    pub struct ResponseFuture<S, B, F> {
        #[pin]
        body: Option<B>,
        #[pin]
        state: State<S, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Asking { answer: Later, rest: Option<Rest<S>> },
        Reading { reading: Option<Reading<S>> },
        Calling { #[pin] future: F, signed: Option<Signed> },
        Refusing { drain: Drain, refusal: Option<(Rejection, Dialect)> },
    }
}

/// What signing needs besides head and credentials.
struct Rest<S> {
    context: Context,
    settings: Arc<Settings>,
    manner: Manner,
    /// The instance of the inner service that was polled ready.
    ready: S,
}

/// A request whose body is coming in.
struct Reading<S> {
    rest: Rest<S>,
    head: Parts,
    credentials: Credentials,
    collector: Collector,
    hash: PayloadHasher,
}

impl<S, B, F> ResponseFuture<S, B, F> {
    pub(super) fn passing(future: F) -> Self {
        Self {
            body: None,
            state: State::Calling {
                future,
                signed: None,
            },
        }
    }

    pub(super) fn refused(context: &Context, rejection: Rejection, head: &Parts, body: B) -> Self {
        let manner = context.manner(head);
        Self {
            body: Some(body),
            state: State::refusing(context, rejection, manner),
        }
    }

    pub(super) fn asking(
        layer: &SigV4SigningLayer,
        context: Context,
        head: Parts,
        body: B,
        ready: S,
    ) -> Self {
        let rest = Rest::new(layer, context, &head, ready);
        Self {
            body: Some(body),
            state: State::Asking {
                answer: Arc::clone(&layer.provider).later(head),
                rest: Some(rest),
            },
        }
    }

    pub(super) fn signing(
        layer: &SigV4SigningLayer,
        context: Context,
        head: Parts,
        body: B,
        ready: S,
        answer: Result<Credentials, Rejection>,
    ) -> Self {
        let rest = Rest::new(layer, context, &head, ready);
        Self {
            body: Some(body),
            state: State::answered(rest, head, answer),
        }
    }
}

impl<S> Rest<S> {
    fn new(layer: &SigV4SigningLayer, context: Context, head: &Parts, ready: S) -> Self {
        Self {
            settings: Arc::clone(&layer.settings),
            manner: context.manner(head),
            context,
            ready,
        }
    }
}

impl<S, F> State<S, F> {
    fn answered(rest: Rest<S>, head: Parts, answer: Result<Credentials, Rejection>) -> Self {
        match answer {
            Ok(credentials) => {
                let Settings {
                    body_limit,
                    body_grace,
                    ..
                } = *rest.settings;
                let reading = Some(Reading {
                    rest,
                    head,
                    credentials,
                    collector: Collector::new(body_limit, body_grace),
                    hash: PayloadHasher::new(),
                });
                Self::Reading { reading }
            }
            Err(rejection) => Self::refusing(&rest.context, rejection, rest.manner),
        }
    }

    fn refusing(context: &Context, rejection: Rejection, manner: Manner) -> Self {
        Self::Refusing {
            drain: Drain::new(manner),
            refusal: Some((context.rejected(rejection), manner.dialect)),
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, S::Future>
where
    S: Service<Request<SignedBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<ResponseBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Asking { answer, rest } => {
                    let (head, answer) = ready!(answer.as_mut().poll(cx));
                    let Some(rest) = rest.take() else {
                        return Poll::Pending;
                    };
                    State::answered(rest, head, answer)
                }
                StateProj::Reading { reading } => {
                    let body = this.body.as_mut().as_pin_mut();
                    let (Some(now), Some(body)) = (reading.as_mut(), body) else {
                        return Poll::Pending;
                    };
                    let Reading {
                        collector, hash, ..
                    } = now;
                    let read = ready!(collector.poll(body, cx, |frame| hash.update(frame)));
                    let Some(now) = reading.take() else {
                        return Poll::Pending;
                    };
                    if matches!(read, Ok(_) | Err(CollectError::Broken(_))) {
                        // It has ended: it is not held any longer, nor polled again.
                        this.body.set(None);
                    }
                    now.finish(read)
                }
                StateProj::Calling { future, signed } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(match signed.take() {
                        Some(signed) => signed.judge(response),
                        None => response.map(ResponseBody::inner),
                    }));
                }
                StateProj::Refusing { drain, refusal } => {
                    if let Some(body) = this.body.as_mut().as_pin_mut() {
                        ready!(drain.poll(body, cx));
                    }
                    return Poll::Ready(Ok(refusal
                        .take()
                        .map_or_else(Response::default, |(rejection, dialect)| {
                            rejection.into_response(dialect)
                        })));
                }
            };
            this.state.set(next);
        }
    }
}

impl<S> Reading<S> {
    /// Signs and calls inward, or refuses.
    fn finish<B, R>(self, read: Result<crate::body::Buffered, CollectError>) -> State<S, S::Future>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>>,
    {
        let Self {
            rest:
                Rest {
                    context,
                    settings,
                    mut manner,
                    mut ready,
                },
            mut head,
            credentials,
            collector,
            hash,
        } = self;
        // A client that has been told to go on is heard out.
        manner.awaits_continue &= !collector.has_begun();
        let signed = read
            .map_err(|error| refusal(error, settings.body_limit))
            .and_then(|body| {
                context.set_request_size(body.len());
                state_length(&mut head.headers, body.len());
                let payload = hash.finish();
                let dated = settings.prove(&context, &mut head, &payload, &credentials)?;
                Ok((body, dated))
            });
        match signed {
            Ok((body, dated)) => {
                context.attempt();
                let request = Request::from_parts(head, SignedBody::whole(body));
                State::Calling {
                    future: ready.call(request),
                    signed: Some(Signed {
                        context,
                        dialect: manner.dialect,
                        dated,
                    }),
                }
            }
            Err(rejection) => State::refusing(&context, rejection, manner),
        }
    }
}

fn refusal(error: CollectError, limit: usize) -> Rejection {
    match error {
        CollectError::TooLarge => Rejection::new(
            RejectionKind::BodyTooLarge,
            format!("the request body is longer than {limit} bytes"),
        ),
        CollectError::TooSlow => Rejection::new(
            RejectionKind::InvalidBody,
            "the request body came too slowly: less than 500 bytes per second",
        ),
        CollectError::Broken(cause) => Rejection::new(
            RejectionKind::InvalidBody,
            "the request body broke off before its end",
        )
        .with_internal(cause),
    }
}

impl<S, B, F> fmt::Debug for ResponseFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
