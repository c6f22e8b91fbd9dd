//! A body that comes back when whoever it was lent to lets it go.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::BoxError;
use super::upstream::AnyBody;

/// The body, in the hands of whoever sends it.
pub(super) struct Lent {
    body: Option<AnyBody>,
    owner: GivenBack,
}

impl Lent {
    pub(super) fn new(body: AnyBody) -> (Self, GivenBack) {
        let owner = GivenBack(Arc::new(Mutex::new(State::Lent(None))));
        let lent = Self {
            body: Some(body),
            owner: owner.clone(),
        };
        (lent, owner)
    }

    fn is_over(&mut self, failed: bool) {
        self.body = None;
        self.owner.set(State::Over { failed });
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.owner.set(State::Back(body));
        }
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = body.as_mut().poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.is_over(false),
            Poll::Ready(Some(Err(_))) => self.is_over(true),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

/// The same body, for its owner: what is left of it, once it is back.
#[derive(Clone)]
pub(crate) struct GivenBack(Arc<Mutex<State>>);

enum State {
    /// Whom to tell when it comes back.
    Lent(Option<Waker>),
    Back(AnyBody),
    Over {
        failed: bool,
    },
}

impl GivenBack {
    /// Whether the body broke off while it was lent.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(*self.state(), State::Over { failed: true })
    }

    fn set(&self, state: State) {
        let before = std::mem::replace(&mut *self.state(), state);
        if let State::Lent(Some(waker)) = before {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Body for GivenBack {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.state();
        match &mut *state {
            State::Lent(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Back(body) => body.as_mut().poll_frame(cx),
            State::Over { .. } => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &*self.state() {
            State::Lent(_) => SizeHint::default(),
            State::Back(body) => body.size_hint(),
            State::Over { .. } => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for GivenBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenBack { .. }")
    }
}
