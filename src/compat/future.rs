//! The response future: reads the request, calls inward with its translation, and translates the
//! answer, of a stream its beginning.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::{CompatBody, Events};
use super::collecting::{Collecting, failed};
use super::head;
use super::layer::Settings;
use super::reading::{Encoding, Reading};
use super::translation::Translation;
use crate::body::{BoxError, CollectError, RequestBody, ResponseBody};
use crate::context::Context;
use crate::reject::{Drain, Manner, Rejection, RejectionKind};

pin_project! {
    /// The response future of [`OpenAiCompat`](super::OpenAiCompat).
    pub struct ResponseFuture<S, B, F, R> {
        #[pin]
        body: Option<B>,
        asked: Option<Asked>,
        // In a box, for most requests are none of ours, and all are moved about.
        unsent: Option<Box<Unsent<S>>>,
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, R> {
        /// None of ours.
        Passing { #[pin] future: F },
        /// The rest of the request is read away, then this is the answer.
        Draining { drain: Drain, answer: Option<Response<CompatBody<R>>> },
        /// The request is read.
        Reading,
        /// Bedrock is asked.
        Calling { #[pin] future: F, translation: Option<Box<Translation>> },
        /// An answer that is not streamed, or an error, is read.
        Collecting { answer: Option<Collecting<R>> },
        /// A stream has to begin before its head can be given.
        Beginning {
            head: Option<response::Parts>,
            events: Option<Events<R>>,
            translation: Option<Translation>,
        },
        /// Neither the inner future nor the body may be polled again.
        Done,
    }
}

/// What is known of a request that is translated.
pub(super) struct Asked {
    pub(super) settings: Arc<Settings>,
    pub(super) context: Context,
    pub(super) manner: Manner,
    /// The caller's own Bedrock API key pays.
    pub(super) own_key: bool,
    pub(super) encoding: Encoding,
}

/// A request that has not been read yet.
struct Unsent<S> {
    /// The instance of the inner service that was polled ready.
    ready: S,
    head: Parts,
    region: Arc<str>,
    reading: Reading,
}

impl<S, B, F, R> ResponseFuture<S, B, F, R> {
    pub(super) fn passing(future: F) -> Self {
        Self {
            body: None,
            asked: None,
            unsent: None,
            state: State::Passing { future },
        }
    }

    pub(super) fn answered(answer: Response<CompatBody<R>>, manner: Manner, body: B) -> Self {
        Self {
            body: Some(body),
            asked: None,
            unsent: None,
            state: State::Draining {
                drain: Drain::new(manner),
                answer: Some(answer),
            },
        }
    }

    pub(super) fn reading(asked: Asked, region: Arc<str>, head: Parts, body: B, ready: S) -> Self {
        let unsent = Unsent {
            ready,
            head,
            region,
            reading: Reading::new(&asked.settings),
        };
        Self {
            body: Some(body),
            asked: Some(asked),
            unsent: Some(Box::new(unsent)),
            state: State::Reading,
        }
    }
}

impl<S> Unsent<S> {
    /// Translates the request and calls inward.
    fn send<B, R>(
        mut self,
        asked: &Asked,
        read: Result<Bytes, CollectError>,
    ) -> Result<State<S::Future, R>, Rejection>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let (settings, context) = (&asked.settings, &asked.context);
        let limit = settings.body_limit;
        let body = read.map_err(|error| error.refusal(limit))?;
        context.set_request_size(body.len() as u64);
        let body = asked.encoding.decode(body, limit)?;
        let policy = context.policy(&settings.policy);
        let mut translation = Translation::of_bytes(&body, policy)?;
        head::translate(&mut self.head, &translation, settings, asked.own_key)?;
        if let Some(alias) = translation.alias() {
            context.set_asked_model(alias);
        }
        context.set_translated(&self.head.uri, self.region);
        if let Some(route) = context.route() {
            policy
                .admits(&route)
                .map_err(|problem| Rejection::new(RejectionKind::NotAllowed, problem))?;
        }
        let body = translation.take_body();
        let request = Request::from_parts(self.head, RequestBody::from(body));
        Ok(State::Calling {
            future: self.ready.call(request),
            translation: Some(Box::new(translation)),
        })
    }
}

impl<S, B, R> Future for ResponseFuture<S, B, S::Future, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Unpin,
{
    type Output = Result<Response<CompatBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Passing { future } => {
                    let response = ready!(future.poll(cx));
                    this.state.set(State::Done);
                    return Poll::Ready(response.map(plain));
                }
                StateProj::Draining { drain, answer } => {
                    if let Some(body) = this.body.as_mut().as_pin_mut() {
                        ready!(drain.poll(body, cx));
                    }
                    let Some(answer) = answer.take() else {
                        return Poll::Pending;
                    };
                    this.state.set(State::Done);
                    return Poll::Ready(Ok(answer));
                }
                StateProj::Done => return Poll::Pending,
                StateProj::Reading => {
                    let body = this.body.as_mut().as_pin_mut();
                    let (Some(unsent), Some(body)) = (this.unsent.as_mut(), body) else {
                        return Poll::Pending;
                    };
                    let read = ready!(unsent.reading.poll(body, cx));
                    if matches!(read, Ok(_) | Err(CollectError::Broken(_))) {
                        // It has ended: it is not held any longer, nor polled again.
                        this.body.set(None);
                    }
                    let (Some(unsent), Some(asked)) = (this.unsent.take(), this.asked.as_mut())
                    else {
                        return Poll::Pending;
                    };
                    // A client that has been told to go on is heard out.
                    asked.manner.awaits_continue &= !unsent.reading.has_begun();
                    let drain = match &read {
                        Ok(_) => Drain::new(asked.manner),
                        Err(error) => error.drain(asked.manner),
                    };
                    match unsent.send::<B, R>(asked, read) {
                        Ok(calling) => calling,
                        Err(rejection) => asked.refuse(rejection, drain),
                    }
                }
                StateProj::Calling {
                    future,
                    translation,
                } => {
                    let response = ready!(future.poll(cx));
                    let translation = translation.take();
                    this.state.set(State::Done);
                    let response = response?;
                    let (Some(asked), Some(translation)) = (&*this.asked, translation) else {
                        return Poll::Ready(Ok(plain(response)));
                    };
                    if let Some(rejection) = response.extensions().get::<Rejection>().cloned() {
                        let (head, _) = response.into_parts();
                        let refusal = head::translated_refusal(head, rejection, asked.manner);
                        return Poll::Ready(Ok(refusal));
                    }
                    asked.receive(response, *translation)
                }
                StateProj::Collecting { answer } => {
                    let (Some(asked), Some(collecting)) = (&*this.asked, answer.as_mut()) else {
                        return Poll::Pending;
                    };
                    let end = ready!(collecting.poll(&asked.settings, cx));
                    let Some(answer) = answer.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(answer.complete(end, asked)));
                }
                StateProj::Beginning {
                    head,
                    events,
                    translation,
                } => {
                    let Some(begun) = events else {
                        return Poll::Pending;
                    };
                    let begun = ready!(begun.poll_begin(cx));
                    let answer = (head.take(), events.take(), translation.take());
                    let (Some(mut head), Some(events), Some(translation)) = answer else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(match begun {
                        Ok(()) => {
                            head::describe(&mut head, &translation);
                            Response::from_parts(head, CompatBody::events(events))
                        }
                        Err(error) => failed(head, &error, &translation),
                    }));
                }
            };
            this.state.set(next);
        }
    }
}

impl Asked {
    fn refuse<F, R>(&self, rejection: Rejection, drain: Drain) -> State<F, R> {
        let rejection = self.context.rejected(rejection);
        State::Draining {
            drain,
            answer: Some(head::refusal(rejection, self.manner)),
        }
    }

    /// How this answer is to be read on.
    fn receive<F, R>(&self, response: Response<R>, translation: Translation) -> State<F, R>
    where
        R: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = response.into_parts();
        let wanted = match translation.is_stream() {
            true => "application/vnd.amazon.eventstream",
            false => "application/json",
        };
        let is_answer = head.status.is_success() && head::is_type(&head.headers, wanted);
        if is_answer && translation.is_stream() {
            let id = head::answer_id(&head.headers);
            let chunks = translation.chunks(&id, head::created());
            let context = self.context.clone();
            let events = Events::new(body, chunks, context, self.settings.keep_alive);
            return State::Beginning {
                head: Some(head),
                events: Some(events),
                translation: Some(translation),
            };
        }
        let answer = Some(Collecting::new(head, body, is_answer, translation));
        State::Collecting { answer }
    }
}

fn plain<R>(response: Response<R>) -> Response<CompatBody<R>> {
    response.map(|body| CompatBody::plain(ResponseBody::inner(body)))
}

impl<S, B, F, R> fmt::Debug for ResponseFuture<S, B, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
