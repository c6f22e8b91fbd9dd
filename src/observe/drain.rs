//! Reading on when the client has left.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::runtime::Handle;

use super::guard::Guard;

/// So many answers are read on at the same time.
const MOST: usize = 1024;

/// Whether an answer whose client has left is read on.
pub trait AfterLeaving<R>: Clone {
    /// Does so, if that is wanted.
    #[doc(hidden)]
    fn reader(&self) -> Option<ReadOn<R>>;
}

/// An answer is dropped when its client has left.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct LetGo;

/// An answer whose client has left is read on, within limits, so that its usage is known.
#[derive(Debug, Clone)]
pub struct Drain {
    limits: Option<Limits>,
    active: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    time: Duration,
    bytes: u64,
}

impl Drain {
    /// For so long, and so many bytes.
    pub(super) fn new(limits: Option<(Duration, u64)>) -> Self {
        Self {
            limits: limits.map(|(time, bytes)| Limits { time, bytes }),
            active: Arc::default(),
        }
    }
}

impl<R> AfterLeaving<R> for LetGo {
    fn reader(&self) -> Option<ReadOn<R>> {
        None
    }
}

impl<R> AfterLeaving<R> for Drain
where
    R: Body<Data = Bytes> + Send + 'static,
{
    fn reader(&self) -> Option<ReadOn<R>> {
        Some(ReadOn {
            limits: self.limits?,
            active: Arc::clone(&self.active),
            spawn: spawn::<R>,
        })
    }
}

/// How an answer of this type is read on.
pub struct ReadOn<R> {
    limits: Limits,
    active: Arc<AtomicUsize>,
    spawn: fn(Pin<Box<R>>, Guard, Limits, Slot, &Handle),
}

impl<R> ReadOn<R> {
    /// Reads on in a task of its own; without a runtime, or if too many are at it, not.
    pub(super) fn start(self, body: Pin<Box<R>>, guard: Guard) {
        let slot = Slot::take(self.active);
        match (Handle::try_current(), slot) {
            (Ok(runtime), Some(slot)) => {
                (self.spawn)(body, guard, self.limits, slot, &runtime);
            }
            _ => {
                drop(body);
                drop(guard);
            }
        }
    }
}

impl<R> fmt::Debug for ReadOn<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOn").finish_non_exhaustive()
    }
}

fn spawn<R>(
    mut body: Pin<Box<R>>,
    // Leaves the record when it is dropped, whatever becomes of the task.
    mut guard: Guard,
    limits: Limits,
    slot: Slot,
    runtime: &Handle,
) where
    R: Body<Data = Bytes> + Send + 'static,
{
    runtime.spawn(async move {
        let _slot = slot;
        let read = async {
            let mut left = limits.bytes;
            while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                if let Some(observation) = guard.get_mut() {
                    observation.read(data);
                }
                left = left.saturating_sub(data.len() as u64);
                if left == 0 || frame.is_trailers() || body.is_end_stream() {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(limits.time, read).await;
        // The upstream is let go first.
        drop(body);
        drop(guard);
    });
}

/// One of the places for answers that are read on.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(active: Arc<AtomicUsize>) -> Option<Self> {
        // Given back by the destructor if it was one too many.
        let slot = Self(active);
        (slot.0.fetch_add(1, Ordering::Relaxed) < MOST).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
