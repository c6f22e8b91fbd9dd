//! An answer that holds its connection by a leash: when it goes, so does the connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

/// Word that a connection is not wanted any longer.
#[derive(Debug, Default)]
pub(super) struct Stop(Mutex<(bool, Option<Waker>)>);

impl Stop {
    /// Whether it has come; if not, the task is woken when it does.
    pub(super) fn is_due(&self, cx: &Context<'_>) -> bool {
        let mut stop = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_due, waker) = &mut *stop;
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        *is_due
    }
}

/// Ends its connection when it is dropped.
///
/// A stream whose upload waits for the upstream to read on would outlive the client otherwise:
/// hyper does not look at the body then.
#[derive(Debug)]
pub(super) struct Leash(Arc<Stop>);

impl Leash {
    pub(super) fn new(stop: Arc<Stop>) -> Self {
        Self(stop)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let mut stop = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        stop.0 = true;
        let waker = stop.1.take();
        drop(stop);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
