//! The response future: reads the request, calls inward with its translation, and translates the
//! answer, of a stream its beginning.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Request, Response, response};
use http_body::Body;
use pin_project_lite::pin_project;
use serde::de::IgnoredAny;
use tower_service::Service;

use super::body::{CompatBody, Events};
use super::error::OpenAiError;
use super::head;
use super::layer::Settings;
use super::reading::{Encoding, Reading};
use super::translation::Translation;
use crate::body::{BoxError, Buffered, CollectError, RequestBody, ResponseBody};
use crate::context::{Context, Told};
use crate::reject::{Drain, Manner, Rejection};

/// Longest answer that is read to learn what it complains of, in bytes.
const MAX_ERROR: usize = 64 * 1024;

pin_project! {
    /// The response future of [`OpenAiCompat`](super::OpenAiCompat).
    pub struct ResponseFuture<S, B, F, R> {
        #[pin]
        body: Option<B>,
        asked: Option<Asked>,
        // Beside the state, for it is large and would be moved from state to state.
        unsent: Option<Unsent<S>>,
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
        Calling { #[pin] future: F, translation: Option<Translation> },
        /// An answer that is not streamed, or an error, is read.
        Collecting { answer: Option<Collecting<R>> },
        /// A stream has to begin before its head can be given.
        Beginning {
            head: Option<response::Parts>,
            events: Option<Events<R>>,
            translation: Option<Translation>,
        },
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

/// An answer that is read whole.
struct Collecting<R> {
    head: response::Parts,
    body: R,
    read: BytesMut,
    limit: usize,
    /// The body failed before its end.
    is_broken: bool,
    translation: Translation,
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
            unsent: Some(unsent),
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
        let translation = Translation::of(&body, policy)?;
        head::translate(&mut self.head, &translation, settings)?;
        context.set_translated(&self.head.uri, self.region);
        let body = Buffered::from(translation.body().clone());
        let request = Request::from_parts(self.head, RequestBody::from(body));
        Ok(State::Calling {
            future: self.ready.call(request),
            translation: Some(translation),
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
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(plain(response)));
                }
                StateProj::Draining { drain, answer } => {
                    if let Some(body) = this.body.as_mut().as_pin_mut() {
                        ready!(drain.poll(body, cx));
                    }
                    // A future polled after completion gets an empty answer rather than a panic.
                    return Poll::Ready(Ok(answer.take().unwrap_or_default()));
                }
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
                    match unsent.send::<B, R>(asked, read) {
                        Ok(calling) => calling,
                        Err(rejection) => asked.refuse(rejection),
                    }
                }
                StateProj::Calling {
                    future,
                    translation,
                } => {
                    let response = ready!(future.poll(cx))?;
                    let (Some(asked), Some(translation)) = (&*this.asked, translation.take())
                    else {
                        return Poll::Ready(Ok(plain(response)));
                    };
                    // A refusal of an inner layer speaks OpenAI's language already.
                    if response.extensions().get::<Rejection>().is_some() {
                        return Poll::Ready(Ok(plain(response)));
                    }
                    asked.read(response, translation)
                }
                StateProj::Collecting { answer } => {
                    if let Some(answer) = answer.as_mut() {
                        ready!(answer.poll(cx));
                    }
                    let (Some(asked), Some(answer)) = (&*this.asked, answer.take()) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(asked.translate(answer)));
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
    fn refuse<F, R>(&self, rejection: Rejection) -> State<F, R> {
        let rejection = self.context.rejected(rejection);
        let response = rejection.into_response(self.manner.dialect);
        State::Draining {
            drain: Drain::new(self.manner),
            answer: Some(response.map(CompatBody::plain)),
        }
    }

    /// How this answer is to be read.
    fn read<F, R>(&self, response: Response<R>, translation: Translation) -> State<F, R>
    where
        R: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = response.into_parts();
        let (wanted, limit) = match translation.is_stream() {
            true => ("application/vnd.amazon.eventstream", MAX_ERROR),
            false => ("application/json", self.settings.body_limit),
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
        let limit = if is_answer { limit } else { MAX_ERROR };
        let answer = Some(Collecting {
            head,
            body,
            read: BytesMut::new(),
            limit,
            is_broken: false,
            translation,
        });
        State::Collecting { answer }
    }

    /// The completion that a whole answer amounts to, or the error.
    fn translate<R>(&self, answer: Collecting<R>) -> Response<CompatBody<R>> {
        let Collecting {
            mut head,
            read,
            limit,
            is_broken,
            translation,
            ..
        } = answer;
        let completion = if !head.status.is_success() {
            let (status, headers) = (head.status, &head.headers);
            Err(OpenAiError::of_answer(status, headers, &read, self.own_key))
        } else if translation.is_stream() || !head::is_type(&head.headers, "application/json") {
            Err(OpenAiError::of_unexpected_answer(&head.headers, &read))
        } else {
            let id = head::answer_id(&head.headers);
            translation.told_completion(&read, &id, head::created())
        };
        match completion {
            Ok((json, told)) => {
                self.context.tell(told);
                head::describe(&mut head, &translation);
                Response::from_parts(head, CompatBody::plain(ResponseBody::own(json)))
            }
            Err(error) => {
                let is_cut = head.status.is_success()
                    && read.len() <= limit
                    && (is_broken || !translation.is_stream() && is_unfinished(&read));
                let fault = match error.fault() {
                    "" if is_cut => None,
                    "" => Some(error.to_string()),
                    fault => Some(fault.to_owned()),
                };
                self.context.tell(Told {
                    fault,
                    is_cut,
                    ..Told::default()
                });
                failed(head, &error, &translation)
            }
        }
    }
}

impl<R: Body<Data = Bytes> + Unpin> Collecting<R> {
    /// Reads on; completes at the end, wherever that is. What is cut short is no valid JSON.
    fn poll(&mut self, cx: &mut Task<'_>) -> Poll<()> {
        while self.read.len() <= self.limit {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.read.extend_from_slice(data);
                    }
                }
                Some(Err(_)) => {
                    self.read.clear();
                    self.is_broken = true;
                    break;
                }
                None => break,
            }
        }
        Poll::Ready(())
    }
}

/// Whether this is the beginning of a JSON text, and not all of it.
fn is_unfinished(json: &[u8]) -> bool {
    let read = serde_json::from_slice::<IgnoredAny>(json);
    !json.is_empty() && read.is_err_and(|error| error.is_eof())
}

fn plain<R>(response: Response<R>) -> Response<CompatBody<R>> {
    response.map(|body| CompatBody::plain(ResponseBody::inner(body)))
}

/// The answer that says `error`, on the head of the upstream's.
fn failed<R>(
    mut head: response::Parts,
    error: &OpenAiError,
    translation: &Translation,
) -> Response<CompatBody<R>> {
    head::fail(&mut head, error, translation);
    Response::from_parts(head, CompatBody::plain(ResponseBody::own(error.to_json())))
}

impl<S, B, F, R> fmt::Debug for ResponseFuture<S, B, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
