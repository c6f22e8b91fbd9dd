//! What the services of a layer share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cost::Prices;
use super::known::Known;
use super::payload::Capture;
use super::sink::Sinks;

#[derive(Clone, Default)]
pub(super) struct Settings {
    pub(super) sinks: Arc<Sinks>,
    pub(super) prices: Prices,
    /// By these prices.
    pub(super) known: Arc<Known>,
    pub(super) payloads: Option<Capture>,
    /// The longest answer that is held back for the sake of its head.
    pub(super) usage_headers: Option<usize>,
    /// Streams of which not all was read.
    unread: Arc<AtomicU64>,
}

impl Settings {
    pub(super) fn unread(&self) -> u64 {
        self.unread.load(Ordering::Relaxed)
    }

    pub(super) fn count_unread(&self) {
        self.unread.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        super::sink::count_unread(1);
    }
}
