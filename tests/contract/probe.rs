//! The innermost service of every test.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Sleep;
use tower::Service;

/// The frames of an answer.
pub(crate) static REPLY: [&str; 2] = ["the first frame, ", "and the second"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeError {
    /// From `poll_ready`.
    Unready,
    /// From the response future.
    Failed,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for ProbeError {}

/// What `poll_ready` says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Readiness {
    #[default]
    Open,
    Closed,
    Broken,
}

/// What the response future does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Answer {
    /// Reads the request to its end and answers with [`REPLY`] and trailers.
    #[default]
    Reply,
    /// Neither reads nor answers.
    Silence,
    /// Answers with a body that stops after its first frame.
    Stall,
    /// Fails.
    Fail,
    /// Panics: when it is called, when its future is polled, amid its body.
    Panic(Place),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Call,
    Future,
    Body,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: request::Parts,
    pub(crate) hint: SizeHint,
    pub(crate) frames: Vec<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
}

#[derive(Default)]
struct State {
    readiness: Readiness,
    answer: Answer,
    /// How long each step of an answer takes.
    pace: Duration,
    /// Answers with this instead of [`REPLY`]: a content type and frames.
    says: Option<(&'static str, Vec<Bytes>)>,
    /// May be called without having been polled ready.
    lenient: bool,
    wakers: Vec<Waker>,
    /// Times that readiness was asked for.
    polls: usize,
    calls: usize,
    /// Instances that hold readiness, futures, and response bodies, now.
    held: usize,
    running: usize,
    bodies: usize,
    seen: Vec<Seen>,
}

/// Sees and steers a probe and all its clones.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<State>>);

impl Watch {
    pub(crate) fn probe(&self) -> Probe {
        Probe {
            watch: self.clone(),
            ready: None,
        }
    }

    pub(crate) fn readiness(&self, readiness: Readiness) {
        let mut state = self.state();
        state.readiness = readiness;
        state.wakers.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.state().answer = answer;
    }

    /// Takes this long before it reads, before it answers and before each frame.
    pub(crate) fn pace(&self, pace: Duration) {
        self.state().pace = pace;
    }

    pub(crate) fn say(&self, content_type: &'static str, frames: Vec<Bytes>) {
        self.state().says = Some((content_type, frames));
    }

    pub(crate) fn asks_for_nothing(&self) {
        self.state().lenient = true;
    }

    pub(crate) fn polls(&self) -> usize {
        self.state().polls
    }

    pub(crate) fn calls(&self) -> usize {
        self.state().calls
    }

    pub(crate) fn held(&self) -> usize {
        self.state().held
    }

    /// Inner futures that are there.
    pub(crate) fn running(&self) -> usize {
        self.state().running
    }

    pub(crate) fn bodies(&self) -> usize {
        self.state().bodies
    }

    /// The latest request.
    pub(crate) fn seen(&self) -> Seen {
        self.state()
            .seen
            .last()
            .expect("no request came in")
            .clone()
    }

    /// Nothing of a request is left.
    #[track_caller]
    pub(crate) fn assert_idle(&self) {
        let state = self.state();
        assert_eq!(state.held, 0, "readiness is still held");
        assert_eq!(state.running, 0, "an inner future is still there");
        assert_eq!(state.bodies, 0, "a response body is still there");
    }

    /// Nobody else knows this watch any more: no probe, no future, no body.
    #[track_caller]
    pub(crate) fn assert_alone(&self) {
        assert_eq!(Arc::strong_count(&self.0), 1, "something leaked");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that fails fails once, not a second time for what it drops.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, which: fn(&mut State) -> &mut usize) -> Counted {
        *which(&mut self.state()) += 1;
        let watch = self.clone();
        Counted { watch, which }
    }
}

/// Counted as long as it lives.
struct Counted {
    watch: Watch,
    which: fn(&mut State) -> &mut usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        *(self.which)(&mut self.watch.state()) -= 1;
    }
}

/// Panics when it is called without having been polled ready itself: a clone has not been.
pub(crate) struct Probe {
    watch: Watch,
    ready: Option<Counted>,
}

impl Clone for Probe {
    fn clone(&self) -> Self {
        self.watch.probe()
    }
}

impl<B> Service<Request<B>> for Probe
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Debug,
{
    type Response = Response<Reply>;
    type Error = ProbeError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Reply>, ProbeError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProbeError>> {
        let readiness = {
            let mut state = self.watch.state();
            state.polls += 1;
            state.readiness
        };
        match readiness {
            Readiness::Open => {
                let watch = &self.watch;
                self.ready
                    .get_or_insert_with(|| watch.count(|state| &mut state.held));
                Poll::Ready(Ok(()))
            }
            Readiness::Closed => {
                self.watch.state().wakers.push(cx.waker().clone());
                Poll::Pending
            }
            Readiness::Broken => Poll::Ready(Err(ProbeError::Unready)),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let held = self.ready.take();
        assert!(
            held.is_some() || self.watch.state().lenient,
            "an instance was called that had not been polled ready"
        );
        drop(held);
        let (head, body) = request.into_parts();
        let (answer, at, pace, says) = {
            let mut state = self.watch.state();
            state.calls += 1;
            state.seen.push(Seen {
                head,
                hint: body.size_hint(),
                frames: Vec::new(),
                trailers: None,
            });
            let at = state.seen.len() - 1;
            (state.answer, at, state.pace, state.says.clone())
        };
        if let Answer::Panic(Place::Call) = answer {
            panic!("on purpose");
        }
        let watch = self.watch.clone();
        let running = watch.count(|state| &mut state.running);
        Box::pin(async move {
            let _running = running;
            let mut body = Box::pin(body);
            rest(pace).await;
            match answer {
                Answer::Silence => pending().await,
                Answer::Fail => return Err(ProbeError::Failed),
                Answer::Panic(Place::Future) => panic!("on purpose"),
                Answer::Reply | Answer::Stall | Answer::Panic(_) => {}
            }
            while let Some(frame) = body.frame().await {
                let frame = frame.expect("the request body failed inside");
                let seen = &mut watch.state().seen[at];
                match frame.into_data() {
                    Ok(data) => seen.frames.push(data),
                    Err(frame) => seen.trailers = frame.into_trailers().ok(),
                }
            }
            rest(pace).await;
            let mut reply = Response::new(Reply::new(&watch, answer));
            reply.body_mut().pace = pace;
            if let Some((content_type, frames)) = says {
                let content_type = HeaderValue::from_static(content_type);
                reply.headers_mut().insert(CONTENT_TYPE, content_type);
                reply.body_mut().frames = frames.into_iter().map(Frame::data).collect();
            }
            Ok(reply)
        })
    }
}

async fn rest(pace: Duration) {
    if !pace.is_zero() {
        tokio::time::sleep(pace).await;
    }
}

/// The response body; not `Default`, and panics when polled after its end.
pub(crate) struct Reply {
    frames: VecDeque<Frame<Bytes>>,
    stalls: bool,
    panics: bool,
    over: bool,
    pace: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    _alive: Counted,
}

impl Reply {
    fn new(watch: &Watch, answer: Answer) -> Self {
        let frames = REPLY.map(|text| Frame::data(Bytes::from_static(text.as_bytes())));
        let mut frames = VecDeque::from(frames);
        let stalls = matches!(answer, Answer::Stall);
        if stalls {
            frames.truncate(1);
        } else {
            frames.push_back(Frame::trailers(trailers()));
        }
        Self {
            frames,
            stalls,
            panics: matches!(answer, Answer::Panic(Place::Body)),
            over: false,
            pace: Duration::ZERO,
            sleep: None,
            _alive: watch.count(|state| &mut state.bodies),
        }
    }
}

/// The trailers of every answer.
pub(crate) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-checksum".parse().unwrap(), "1234".parse().unwrap())])
}

impl Body for Reply {
    type Data = Bytes;
    type Error = ProbeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProbeError>>> {
        assert!(!self.over, "the response body was polled after its end");
        if !self.pace.is_zero() {
            let pace = self.pace;
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pace)));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        assert!(!self.panics || self.frames.len() > 1, "on purpose");
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None if self.stalls => Poll::Pending,
            None => {
                self.over = true;
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.stalls {
            return SizeHint::default();
        }
        let data = self.frames.iter().filter_map(Frame::data_ref);
        SizeHint::with_exact(data.map(|data| data.len() as u64).sum())
    }
}
