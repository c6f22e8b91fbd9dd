//! The response body: hands on every frame and notices the end, whichever it is.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::observation::{End, Guard, Observation};

pin_project! {
    /// The response body of [`Observability`](super::Observability): the inner one, read as it passes.
    ///
    /// It is [`Default`] whatever the inner body is, as `tower_http::cors` asks.
    pub struct ObservedBody<R> {
        // Dropped before the guard: the upstream is let go first.
        #[pin]
        inner: Option<R>,
        guard: Guard,
    }
}

impl<R> ObservedBody<R> {
    pub(super) fn new(inner: R, observation: Option<Observation>) -> Self {
        Self {
            inner: Some(inner),
            guard: Guard::new(observation),
        }
    }
}

impl<R> Default for ObservedBody<R> {
    fn default() -> Self {
        Self {
            inner: None,
            guard: Guard::new(None),
        }
    }
}

impl<R: Body<Data = Bytes>> Body for ObservedBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = ready!(inner.as_mut().poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                if let (Some(data), Some(observation)) = (frame.data_ref(), this.guard.get_mut()) {
                    observation.read(data);
                }
                // A server asks for no more after trailers, nor after the last frame if the body
                // says that it was the last.
                if frame.is_trailers() || inner.is_end_stream() {
                    this.guard.finish(End::Whole);
                }
            }
            Some(Err(_)) => this.guard.finish(End::Failed),
            None => this.guard.finish(End::Whole),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for ObservedBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedBody")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
