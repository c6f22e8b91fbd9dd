//! A point in time that a future waits for at most.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

pin_project! {
    /// Runs from its creation; costs nothing until it is polled.
    #[derive(Debug)]
    pub(super) struct Deadline {
        after: Duration,
        at: Option<Instant>,
        // Boxed, for most never wait, and are moved about with what they are for.
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

impl Deadline {
    /// `None` and what is too far off never come.
    pub(super) fn new(after: Option<Duration>) -> Self {
        Self {
            after: after.unwrap_or_default(),
            at: after.and_then(|after| Instant::now().checked_add(after)),
            sleep: None,
        }
    }
}

impl Future for Deadline {
    /// How long was waited.
    type Output = Duration;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Duration> {
        let this = self.project();
        let Some(at) = *this.at else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            // Without a Tokio runtime there is no timer to wait with.
            if tokio::runtime::Handle::try_current().is_err() {
                return Poll::Pending;
            }
            *this.sleep = Some(Box::pin(sleep_until(at)));
        }
        if let Some(sleep) = this.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(*this.after)
    }
}
