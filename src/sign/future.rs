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
use super::headers::{Plain, state_length};
use super::judge::{Signed, noted};
use super::layer::Settings;
use super::sigv4::PayloadHasher;
use crate::body::{BoxError, Buffered, CollectError, Collector, ResponseBody};
use crate::context::Context;
use crate::credentials::{Credentials, Later};
use crate::reject::{Dialect, Drain, Manner, Rejection};

pin_project! {
    /// The response future of [`SigV4Signing`](super::SigV4Signing).
    pub struct ResponseFuture<S, B, F> {
        #[pin]
        body: Option<B>,
        settings: Option<Arc<Settings>>,
        // Beside the state, for it is large and would be moved from state to state.
        unsigned: Option<Unsigned<S>>,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Asking { answer: Later },
        Reading { credentials: Option<Credentials> },
        Calling { #[pin] future: F, signed: Option<Signed> },
        Refusing { drain: Drain, refusal: Option<(Rejection, Dialect)> },
    }
}

/// A request that is to be signed.
pub(super) struct Unsigned<S> {
    facts: Option<Context>,
    plain: Option<Plain>,
    manner: Manner,
    /// The instance of the inner service that was polled ready.
    ready: S,
    /// Lent to the provider of the credentials while it is asked.
    head: Option<Parts>,
    collector: Collector,
    hash: PayloadHasher,
}

impl<S, B, F> ResponseFuture<S, B, F> {
    pub(super) fn passing(future: F) -> Self {
        Self {
            body: None,
            settings: None,
            unsigned: None,
            state: State::Calling {
                future,
                signed: None,
            },
        }
    }

    pub(super) fn refused(
        facts: Option<&Context>,
        rejection: Rejection,
        manner: Manner,
        body: B,
    ) -> Self {
        Self {
            body: Some(body),
            settings: None,
            unsigned: None,
            state: State::refusing(facts, rejection, manner),
        }
    }

    pub(super) fn asking(
        settings: &Arc<Settings>,
        unsigned: Unsigned<S>,
        body: B,
        answer: Later,
    ) -> Self {
        Self {
            body: Some(body),
            settings: Some(Arc::clone(settings)),
            unsigned: Some(unsigned),
            state: State::Asking { answer },
        }
    }

    #[inline]
    pub(super) fn signing(
        settings: &Arc<Settings>,
        unsigned: Unsigned<S>,
        body: B,
        credentials: Credentials,
    ) -> Self {
        Self {
            body: Some(body),
            settings: Some(Arc::clone(settings)),
            unsigned: Some(unsigned),
            state: State::Reading {
                credentials: Some(credentials),
            },
        }
    }
}

impl<S> Unsigned<S> {
    #[inline]
    pub(super) fn new(
        settings: &Settings,
        facts: Option<Context>,
        plain: Option<Plain>,
        manner: Manner,
        head: Option<Parts>,
        ready: S,
    ) -> Self {
        Self {
            facts,
            plain,
            manner,
            ready,
            head,
            collector: Collector::new(settings.body_limit, settings.body_grace),
            hash: PayloadHasher::new(),
        }
    }

    /// Signs and calls inward, or refuses.
    fn finish<B, R>(
        &mut self,
        settings: &Settings,
        read: Result<Buffered, CollectError>,
        credentials: &Credentials,
    ) -> State<S::Future>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>>,
    {
        // A client that has been told to go on is heard out.
        self.manner.awaits_continue &= !self.collector.has_begun();
        self.send(settings, read, credentials)
            .unwrap_or_else(|rejection| {
                State::refusing(self.facts.as_ref(), rejection, self.manner)
            })
    }

    fn send<B, R>(
        &mut self,
        settings: &Settings,
        read: Result<Buffered, CollectError>,
        credentials: &Credentials,
    ) -> Result<State<S::Future>, Rejection>
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>>,
    {
        let body = read.map_err(|error| error.refusal(settings.body_limit))?;
        let facts = self.facts.as_ref();
        // What is recorded is the size of what the caller sent.
        if let Some(context) = facts.filter(|context| !context.is_translated()) {
            context.set_request_size(body.len());
        }
        let head = self.head.as_mut();
        let head = head.ok_or_else(|| Rejection::credentials_unavailable("not waited for"))?;
        if body.is_empty() || self.plain.is_none_or(|plain| plain.states_length) {
            state_length(&mut head.headers, body.len());
        }
        let dated = settings.prove(facts, head, &self.hash.finish(), credentials)?;
        if let Some(context) = facts {
            context.attempt();
        }
        let signed = Some(Signed {
            facts: self.facts.take(),
            dialect: self.manner.dialect,
            dated,
        });
        let Some(head) = self.head.take() else {
            return Err(Rejection::credentials_unavailable("not waited for"));
        };
        let request = Request::from_parts(head, SignedBody::whole(body));
        let future = self.ready.call(request);
        Ok(State::Calling { future, signed })
    }
}

impl<F> State<F> {
    fn refusing(facts: Option<&Context>, rejection: Rejection, manner: Manner) -> Self {
        Self::Refusing {
            drain: Drain::new(manner),
            refusal: Some((noted(facts, rejection), manner.dialect)),
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
            match this.state.as_mut().project() {
                StateProj::Asking { answer } => {
                    let (head, answer) = ready!(answer.as_mut().poll(cx));
                    let Some(unsigned) = this.unsigned.as_mut() else {
                        return Poll::Pending;
                    };
                    match answer {
                        Ok(keys) => {
                            unsigned.head = Some(head);
                            let credentials = Some(keys);
                            this.state.set(State::Reading { credentials });
                        }
                        Err(rejection) => {
                            let facts = unsigned.facts.as_ref();
                            let next = State::refusing(facts, rejection, unsigned.manner);
                            this.state.set(next);
                            *this.unsigned = None;
                        }
                    }
                }
                StateProj::Reading { credentials } => {
                    let body = this.body.as_mut().as_pin_mut();
                    let (Some(unsigned), Some(body)) = (this.unsigned.as_mut(), body) else {
                        return Poll::Pending;
                    };
                    let Unsigned {
                        collector, hash, ..
                    } = unsigned;
                    let read = ready!(collector.poll(body, cx, |frame| hash.update(frame)));
                    let Some(credentials) = credentials.take() else {
                        return Poll::Pending;
                    };
                    if matches!(read, Ok(_) | Err(CollectError::Broken(_))) {
                        // It has ended: it is not held any longer, nor polled again.
                        this.body.set(None);
                    }
                    let Some(settings) = this.settings else {
                        return Poll::Pending;
                    };
                    let next = unsigned.finish(settings, read, &credentials);
                    this.state.set(next);
                    // The inner service with it: what was reserved is used, or given back.
                    *this.unsigned = None;
                }
                StateProj::Calling { future, signed } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(match (signed.take(), this.settings) {
                        (Some(signed), Some(settings)) => signed.judge(settings, response),
                        _ => response.map(ResponseBody::inner),
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
            }
        }
    }
}

impl<S, B, F> fmt::Debug for ResponseFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
