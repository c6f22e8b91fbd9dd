//! What was there before a request, and what came after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts requests as they are begun, over all connections.
static LATEST: AtomicU64 = AtomicU64::new(0);

/// When a request was begun to be sent: its number, or 0 if it was not yet.
///
/// Its body knows, which the connection asks how it ends right before it writes the head.
#[derive(Debug, Default)]
pub(crate) struct Begun(AtomicU64);

impl Begun {
    pub(super) fn watched() -> Arc<Self> {
        Arc::default()
    }

    /// It is about to be sent. Only the first time counts.
    pub(super) fn begin(&self) {
        if self.number() == 0 {
            let number = LATEST.fetch_add(1, Ordering::Relaxed) + 1;
            self.0.store(number, Ordering::Relaxed);
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The number of the latest request.
    pub(crate) fn latest() -> u64 {
        LATEST.load(Ordering::Relaxed)
    }
}
