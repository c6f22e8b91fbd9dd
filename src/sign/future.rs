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
use super::conversation::{Verdict, is_the_upstreams};
use super::headers::{Plain, state_length};
use super::judge::{Signed, may_blame_us, noted};
use super::reading::{BodyHash, First, Reading, first};
use super::settings::Settings;
use crate::body::{BoxError, Buffered, CollectError, ResponseBody};
use crate::context::Context;
use crate::credentials::{Credentials, Later};
use crate::reject::{Drain, Manner, Rejection};

pin_project! {
    /// The response future of [`SigV4Signing`](super::SigV4Signing).
    #[project = FutureProj]
    pub struct ResponseFuture<S, B, F> {
        #[pin]
        body: Option<B>,
        settings: Option<Arc<Settings>>,
        // In a box, for most bodies are there at once.
        reading: Option<Box<Reading>>,
        signed: Signed,
        #[pin]
        state: State<S, F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, B> {
        /// With the body, if it is one side of a conversation.
        Asking { answer: Later, side: Option<B>, unsigned: Option<Unsigned<S>> },
        /// With the settings' credentials if there are none.
        Reading { credentials: Option<Credentials>, unsigned: Option<Unsigned<S>> },
        /// With a place for what is wrong with the client's side of a conversation, if it is one.
        Calling { #[pin] future: F, verdict: Option<Verdict> },
        Refusing { drain: Drain, refusal: Option<(Rejection, Manner)> },
        /// Neither the inner future nor the body may be polled again.
        Done,
    }
}

/// A request that is to be signed.
pub(super) struct Unsigned<S> {
    pub(super) plain: Option<Plain>,
    pub(super) manner: Manner,
    /// The instance of the inner service that was polled ready.
    pub(super) ready: S,
    /// Lent to the provider of the credentials while it is asked.
    pub(super) head: Parts,
}

impl<S, B, F> ResponseFuture<S, B, F> {
    #[inline]
    fn new(facts: Option<Context>, body: Option<B>, state: State<S, F, B>) -> Self {
        Self {
            body,
            settings: None,
            reading: None,
            signed: Signed::new(facts),
            state,
        }
    }

    pub(super) fn passing(future: F) -> Self {
        Self::new(None, None, State::calling(future))
    }

    pub(super) fn refused(
        facts: Option<Context>,
        rejection: Rejection,
        manner: Manner,
        body: B,
    ) -> Self {
        let state = State::refusing(facts.as_ref(), rejection, manner);
        Self::new(facts, Some(body), state)
    }

    /// The body is one `side` of a conversation, or read whole.
    pub(super) fn asking(
        settings: &Arc<Settings>,
        facts: Option<Context>,
        unsigned: Unsigned<S>,
        (body, side): (Option<B>, Option<B>),
        answer: Later,
    ) -> Self {
        let state = State::Asking {
            answer,
            side,
            unsigned: Some(unsigned),
        };
        Self {
            settings: Some(Arc::clone(settings)),
            ..Self::new(facts, body, state)
        }
    }

    pub(super) fn conversing<R>(
        settings: &Arc<Settings>,
        facts: Context,
        unsigned: Unsigned<S>,
        body: B,
        credentials: &Credentials,
    ) -> Self
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>, Future = F>,
    {
        let mut signed = Signed::new(Some(facts));
        let manner = unsigned.manner;
        match unsigned.converse(settings, &mut signed, body, credentials) {
            Ok((future, verdict)) => Self {
                settings: Some(Arc::clone(settings)),
                signed,
                ..Self::new(None, None, State::conversing(future, verdict))
            },
            Err((rejection, body)) => Self::refused(signed.facts, rejection, manner, body),
        }
    }

    #[inline]
    pub(super) fn signing(
        settings: &Arc<Settings>,
        facts: Option<Context>,
        unsigned: Unsigned<S>,
        body: B,
        credentials: Option<Credentials>,
    ) -> Self {
        Self {
            body: Some(body),
            settings: Some(Arc::clone(settings)),
            reading: None,
            signed: Signed::new(facts),
            state: State::Reading {
                credentials,
                unsigned: Some(unsigned),
            },
        }
    }
}

impl<S, B, F> FutureProj<'_, S, B, F> {
    /// Signs the request with this body and calls inward, or refuses.
    #[inline]
    fn send<R>(&mut self, body: Buffered, hash: &BodyHash)
    where
        S: Service<Request<SignedBody<B>>, Response = Response<R>, Future = F>,
    {
        let StateProj::Reading {
            credentials,
            unsigned,
        } = self.state.as_mut().project()
        else {
            return;
        };
        let Some(settings) = self.settings.as_deref() else {
            return;
        };
        let credentials = credentials.as_ref().or(settings.credentials.as_ref());
        // It is moved twice, the clock in between: what was only just written is slow to be read
        // again.
        let unsigned = unsigned.take();
        let time = settings.time(unsigned.as_ref().map(|unsigned| &unsigned.head.uri));
        let (Some(mut unsigned), Some(credentials)) = (unsigned, credentials) else {
            return;
        };
        let head = &mut unsigned.head;
        let facts = self.signed.facts.as_ref();
        // What is recorded is the size of what the caller sent.
        if let Some(context) = facts.filter(|context| !context.is_translated()) {
            context.set_request_size(body.len());
        }
        if body.is_empty() || unsigned.plain.is_none_or(|plain| plain.states_length) {
            state_length(&mut head.headers, body.len());
        }
        match settings.prove(facts, head, (&body, hash), credentials, time) {
            Ok(dated) => self.signed.sent(unsigned.manner, &head.uri, dated),
            Err(rejection) => {
                let manner = self.heard(unsigned.manner);
                return self.refuse(rejection, manner, Drain::new(manner));
            }
        }
        let request = Request::from_parts(unsigned.head, SignedBody::whole(body));
        let future = unsigned.ready.call(request);
        self.state.set(State::calling(future));
    }

    /// Begins a conversation now that the credentials are known, or refuses it.
    #[cold]
    fn converse<R>(
        &mut self,
        mut unsigned: Unsigned<S>,
        head: Parts,
        answer: Result<Credentials, Rejection>,
        body: B,
    ) where
        S: Service<Request<SignedBody<B>>, Response = Response<R>, Future = F>,
    {
        let Some(settings) = self.settings.as_ref() else {
            return;
        };
        let manner = unsigned.manner;
        unsigned.head = head;
        let begun = match answer {
            Ok(credentials) => unsigned.converse(settings, self.signed, body, &credentials),
            Err(rejection) => Err((rejection, body)),
        };
        let state = match begun {
            Ok((future, verdict)) => State::conversing(future, verdict),
            Err((rejection, body)) => {
                self.body.set(Some(body));
                State::refusing(self.signed.facts.as_ref(), rejection, manner)
            }
        };
        self.state.set(state);
    }

    /// A client that has been told to go on is heard out.
    fn heard(&self, mut manner: Manner) -> Manner {
        manner.awaits_continue &= self.reading.is_none();
        manner
    }

    /// The inner service goes with what was not signed: what was reserved is given back.
    #[cold]
    fn refuse(&mut self, rejection: Rejection, manner: Manner, drain: Drain) {
        let refusal = (noted(self.signed.facts.as_ref(), rejection), manner);
        let refusal = Some(refusal);
        self.state.set(State::Refusing { drain, refusal });
    }
}

impl<S, F, B> State<S, F, B> {
    #[inline]
    fn calling(future: F) -> Self {
        let verdict = None;
        Self::Calling { future, verdict }
    }

    fn conversing(future: F, verdict: Verdict) -> Self {
        let verdict = Some(verdict);
        Self::Calling { future, verdict }
    }

    #[cold]
    fn refusing(facts: Option<&Context>, rejection: Rejection, manner: Manner) -> Self {
        Self::Refusing {
            drain: Drain::new(manner),
            refusal: Some((noted(facts, rejection), manner)),
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
                StateProj::Asking {
                    answer,
                    side,
                    unsigned,
                } => {
                    let (head, answer) = ready!(answer.as_mut().poll(cx));
                    let (side, Some(mut unsigned)) = (side.take(), unsigned.take()) else {
                        return Poll::Pending;
                    };
                    if let Some(body) = side {
                        this.converse(unsigned, head, answer, body);
                        continue;
                    }
                    match answer {
                        Ok(credentials) => {
                            unsigned.head = head;
                            this.state.set(State::Reading {
                                credentials: Some(credentials),
                                unsigned: Some(unsigned),
                            });
                        }
                        Err(rejection) => {
                            let manner = unsigned.manner;
                            this.refuse(rejection, manner, Drain::new(manner));
                        }
                    }
                }
                StateProj::Reading { unsigned, .. } => {
                    let manner = unsigned.as_ref().map(|unsigned| unsigned.manner);
                    let body = this.body.as_mut().as_pin_mut();
                    let (Some(settings), Some(mut body)) = (this.settings.as_deref(), body) else {
                        return Poll::Pending;
                    };
                    let limit = settings.limit(this.signed.facts.as_ref());
                    let read = match this.reading {
                        Some(reading) => ready!(reading.poll(body, cx)),
                        None => match first(body.as_mut(), cx, limit) {
                            // Most bodies are there, and in one frame.
                            Ok(First::Whole(frame)) => {
                                let mut hash = BodyHash::new();
                                hash.update(&frame, true);
                                this.body.set(None);
                                this.send(frame.into(), &hash);
                                continue;
                            }
                            Ok(First::Other(frame)) => {
                                let reading =
                                    this.reading.insert(Box::new(Reading::new(limit, settings)));
                                ready!(reading.poll_from(frame, body, cx))
                            }
                            Err(error) => Err(error),
                        },
                    };
                    if matches!(read, Ok(_) | Err(CollectError::Broken(_))) {
                        // It has ended: it is not held any longer, nor polled again.
                        this.body.set(None);
                    }
                    match (read, this.reading.as_ref().map(|reading| reading.hash())) {
                        (Ok(body), Some(hash)) => this.send(body, &hash),
                        (Err(error), _) => {
                            let manner = this.heard(manner.unwrap_or(Manner::PLAIN));
                            let drain = error.drain(manner);
                            this.refuse(error.refusal(limit), manner, drain);
                        }
                        (Ok(_), None) => return Poll::Pending,
                    }
                }
                StateProj::Calling { future, verdict } => {
                    let polled = future.poll(cx);
                    if let Some(verdict) = verdict
                        && let Some(rejection) = verdict.get()
                        && !is_the_upstreams(&polled)
                    {
                        let refusal = Some((rejection.clone(), this.signed.manner));
                        // There is nothing left to read: the body went inward.
                        let drain = Drain::new(Manner::PLAIN);
                        this.state.set(State::Refusing { drain, refusal });
                        continue;
                    }
                    let response = ready!(polled);
                    this.state.set(State::Done);
                    let response = response?;
                    if let Some(settings) = this.settings
                        && may_blame_us(response.status())
                    {
                        return Poll::Ready(Ok(this.signed.judge(settings, response)));
                    }
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Refusing { drain, refusal } => {
                    if let Some(body) = this.body.as_mut().as_pin_mut() {
                        ready!(drain.poll(body, cx));
                    }
                    let Some((rejection, manner)) = refusal.take() else {
                        return Poll::Pending;
                    };
                    this.state.set(State::Done);
                    return Poll::Ready(Ok(rejection.answer(manner)));
                }
                StateProj::Done => return Poll::Pending,
            }
        }
    }
}

impl<S, B, F> fmt::Debug for ResponseFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
