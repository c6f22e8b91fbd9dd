//! The response body: hands on every frame and notices the end, whichever it is.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::drain::ReadOn;
use super::guard::Guard;
use super::observation::{End, Observation};
use crate::body::BoxError;

pin_project! {
    /// The response body of [`Observability`](super::Observability): the inner one, read as it passes.
    ///
    /// It is [`Default`] whatever the inner body is, as `tower_http::cors` asks.
    /// `E` is the inner body's error.
    pub struct ObservedBody<R, E = BoxError> {
        // Dropped before the guard: the upstream is let go first.
        #[pin]
        inner: Inner<R, E>,
        guard: Guard,
    }

    impl<R, E> PinnedDrop for ObservedBody<R, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.inner.as_mut().read_on(this.guard);
        }
    }
}

pin_project! {
    #[project = InnerProj]
    #[project_replace = InnerOwn]
    enum Inner<R, E> {
        None,
        Plain { #[pin] body: R },
        // A body that leaves this place before it has ended, or was polled in another.
        Boxed { body: Pin<Box<R>>, held: Held<E>, read_on: Option<ReadOn<R>> },
    }
}

/// Pieces of an answer that came before its head was sent, in their order.
#[derive(Debug)]
pub(super) struct Held<E> {
    pub(super) frames: VecDeque<Frame<Bytes>>,
    /// How the body ended, if it has: it is not asked again.
    pub(super) end: Option<Result<(), E>>,
}

impl<R, E> ObservedBody<R, E> {
    pub(super) fn new(body: R, guard: Guard) -> Self {
        Self {
            inner: Inner::Plain { body },
            guard,
        }
    }

    pub(super) fn boxed(
        body: Pin<Box<R>>,
        held: Held<E>,
        read_on: Option<ReadOn<R>>,
        guard: Guard,
    ) -> Self {
        Self {
            inner: Inner::Boxed {
                body,
                held,
                read_on,
            },
            guard,
        }
    }
}

impl<R, E> Inner<R, E> {
    /// Reads an answer on whose client has left, if that is wanted.
    fn read_on(mut self: Pin<&mut Self>, guard: &mut Guard) {
        let is_wanted = matches!(
            self.as_mut().project(),
            InnerProj::Boxed { read_on: Some(_), held, .. } if held.end.is_none()
        );
        if !is_wanted || !guard.get_mut().is_some_and(Observation::leave) {
            return;
        }
        if let InnerOwn::Boxed {
            body,
            read_on: Some(read_on),
            ..
        } = self.project_replace(Self::None)
        {
            read_on.start(body, guard.take());
        }
    }
}

impl<R, E> Default for ObservedBody<R, E> {
    fn default() -> Self {
        Self {
            inner: Inner::None,
            guard: Guard::default(),
        }
    }
}

impl<R> Body for ObservedBody<R, R::Error>
where
    R: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let mut this = self.project();
        // Handed on as it is: a frame is large.
        let polled = match this.inner.as_mut().project() {
            InnerProj::None => return Poll::Ready(None),
            InnerProj::Plain { body } => body.poll_frame(cx),
            InnerProj::Boxed { body, held, .. } => match held.frames.pop_front() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => match held.take_end() {
                    Some(end) => Poll::Ready(end.err().map(Err)),
                    None => body.as_mut().poll_frame(cx),
                },
            },
        };
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                let observed = frame.data_ref().zip(this.guard.get_mut());
                let now = observed.and_then(|(data, observation)| observation.pass(data));
                if let Some((trailers, observation)) =
                    frame.trailers_ref().zip(this.guard.get_mut())
                {
                    observation.trailers(trailers);
                }
                // A server asks for no more after trailers, nor after the last frame if the body
                // says that it was the last.
                if frame.is_trailers() || this.inner.is_end_stream() {
                    this.guard.finish_at(End::Whole, now);
                }
            }
            Poll::Ready(Some(Err(_))) => this.guard.finish(End::Failed),
            Poll::Ready(None) => this.guard.finish(End::Whole),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::None => SizeHint::with_exact(0),
            Inner::Plain { body } => body.size_hint(),
            Inner::Boxed { body, held, .. } => held.size_hint(body.size_hint()),
        }
    }
}

impl<R: Body> Inner<R, R::Error> {
    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Plain { body } => body.is_end_stream(),
            Self::Boxed { body, held, .. } => {
                held.frames.is_empty()
                    && held
                        .end
                        .as_ref()
                        .map_or(body.is_end_stream(), Result::is_ok)
            }
        }
    }
}

impl<E> Held<E> {
    pub(super) fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            end: None,
        }
    }

    /// How the body ended, if it has; then it has just ended.
    fn take_end(&mut self) -> Option<Result<(), E>> {
        self.end.replace(Ok(())).or_else(|| {
            self.end = None;
            None
        })
    }

    /// The size of what is held and of what is to come.
    fn size_hint(&self, rest: SizeHint) -> SizeHint {
        let data = self.frames.iter().filter_map(Frame::data_ref);
        let held: u64 = data.map(|data| data.len() as u64).sum();
        let rest = match &self.end {
            Some(Ok(())) => SizeHint::with_exact(0),
            Some(Err(_)) => SizeHint::new(),
            None => rest,
        };
        let mut hint = SizeHint::new();
        hint.set_lower(held.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<R: fmt::Debug, E> fmt::Debug for ObservedBody<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("ObservedBody");
        match &self.inner {
            Inner::None => {}
            Inner::Plain { body } => _ = all.field("inner", body),
            Inner::Boxed { body, .. } => _ = all.field("inner", body),
        }
        all.finish_non_exhaustive()
    }
}
