//! A request body that does as it is told.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Sleep;

/// 1 MiB.
pub(crate) const MIB: usize = 1 << 20;

#[derive(Debug, PartialEq)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script breaks off")
    }
}

impl std::error::Error for Broken {}

#[derive(Debug, Clone)]
enum Step {
    Data(Bytes),
    Wait(Duration),
    Trailers(HeaderMap),
    Fail,
    Hang,
    Forever(Bytes, Duration),
}

#[derive(Debug, Default)]
struct State {
    polls: usize,
    bytes: usize,
    over: bool,
}

/// What became of a [`Script`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<State>>);

impl Log {
    pub(crate) fn polls(&self) -> usize {
        self.state().polls
    }

    /// Bytes that were read.
    pub(crate) fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Whether it was read to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.state().over
    }

    #[track_caller]
    pub(crate) fn assert_dropped(&self) {
        assert_eq!(Arc::strong_count(&self.0), 1, "the body is still there");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

pin_project! {
    /// Neither `Unpin` nor forgiving: it panics when it is polled after its end or its error.
    #[derive(Debug)]
    pub(crate) struct Script {
        steps: VecDeque<Step>,
        declared: Option<u64>,
        sleep: Option<Pin<Box<Sleep>>>,
        log: Log,
        #[pin]
        _pinned: PhantomPinned,
    }
}

/// Nothing but its end.
pub(crate) fn script() -> Script {
    Script {
        steps: VecDeque::new(),
        declared: None,
        sleep: None,
        log: Log::default(),
        _pinned: PhantomPinned,
    }
}

impl Script {
    fn then(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    pub(crate) fn data(self, data: impl Into<Bytes>) -> Self {
        self.then(Step::Data(data.into()))
    }

    /// So many frames of 1 MiB.
    pub(crate) fn mebibytes(self, count: usize) -> Self {
        let frame = Bytes::from(vec![b'x'; MIB]);
        (0..count).fold(self, |script, _| script.data(frame.clone()))
    }

    pub(crate) fn wait(self, duration: Duration) -> Self {
        self.then(Step::Wait(duration))
    }

    pub(crate) fn trailers(self, trailers: HeaderMap) -> Self {
        self.then(Step::Trailers(trailers))
    }

    pub(crate) fn fails(self) -> Self {
        self.then(Step::Fail)
    }

    /// Nothing more comes, and no end.
    pub(crate) fn hangs(self) -> Self {
        self.then(Step::Hang)
    }

    /// A frame after every such wait, without end.
    pub(crate) fn forever(self, frame: impl Into<Bytes>, every: Duration) -> Self {
        self.then(Step::Forever(frame.into(), every))
    }

    /// Says in its size hint that it is this long.
    pub(crate) fn declared(mut self, length: usize) -> Self {
        self.declared = Some(length as u64);
        self
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.project();
        {
            let mut state = this.log.state();
            assert!(!state.over, "the request body was polled after its end");
            state.polls += 1;
        }
        let wait = match this.steps.front() {
            Some(Step::Wait(wait) | Step::Forever(_, wait)) => *wait,
            _ => Duration::ZERO,
        };
        if !wait.is_zero() {
            let sleep = this
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
            ready!(sleep.as_mut().poll(cx));
            *this.sleep = None;
            if let Some(Step::Wait(_)) = this.steps.front() {
                this.steps.pop_front();
            }
        }
        let data = match this.steps.pop_front() {
            Some(Step::Data(data)) => data,
            Some(Step::Trailers(trailers)) => {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            Some(Step::Fail) => {
                this.log.state().over = true;
                return Poll::Ready(Some(Err(Broken)));
            }
            Some(Step::Forever(frame, wait)) => {
                this.steps.push_front(Step::Forever(frame.clone(), wait));
                frame
            }
            Some(Step::Hang) => {
                this.steps.push_front(Step::Hang);
                return Poll::Pending;
            }
            // Two waits in a row are not needed.
            Some(Step::Wait(_)) => unreachable!("a wait after a wait"),
            None => {
                this.log.state().over = true;
                return Poll::Ready(None);
            }
        };
        this.log.state().bytes += data.len();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        let Some(declared) = self.declared else {
            return SizeHint::default();
        };
        SizeHint::with_exact(declared.saturating_sub(self.log.bytes() as u64))
    }
}
