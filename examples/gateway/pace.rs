//! Answers that go no faster than their connection.
//!
//! hyper asks for more of an answer while what came before still waits to be written, up to what the
//! head of a request may have. With this it asks once that is written, and the rest waits at the
//! upstream.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

/// So many bytes may wait before no more are asked for: many short frames, or one that is long.
const AHEAD: usize = 4 * 1024;

/// What a connection of HTTP/1.1 has not written yet.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    bytes: usize,
    waker: Option<Waker>,
}

impl Pace {
    /// All is written.
    pub(crate) fn is_written(&self) {
        let waiting = std::mem::take(&mut *self.waiting());
        if let Some(waker) = waiting.waker {
            waker.wake();
        }
    }

    fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting();
        if waiting.bytes < AHEAD {
            return Poll::Ready(());
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pin_project_lite::pin_project! {
    /// Without a pace, the body itself.
    pub(crate) struct Paced<B> {
        #[pin]
        body: B,
        pace: Option<Pace>,
    }
}

impl<B> Paced<B> {
    pub(crate) fn new(body: B, pace: Option<Pace>) -> Self {
        Self { body, pace }
    }
}

impl<B: Body<Data = Bytes>> Body for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let Some(pace) = this.pace else {
            return this.body.poll_frame(cx);
        };
        ready!(pace.poll_ready(cx));
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            pace.waiting().bytes += frame.data_ref().map_or(0, Buf::remaining);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
