//! Records that are lost: counted, and said now and then.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Kinds of sinks, as the metric names them.
pub(super) const JSON_LINES: &str = "json_lines";
pub(super) const BACKGROUND: &str = "background";
pub(super) const PANICKED: &str = "panicked";
#[cfg(feature = "metrics")]
pub(super) const KINDS: [&str; 3] = [JSON_LINES, BACKGROUND, PANICKED];

/// Losses are said at once, and then this often at most.
const PAUSE: Duration = Duration::from_secs(60);

/// Counts records that are lost.
#[derive(Debug)]
pub(super) struct Lost {
    count: AtomicU64,
    said: Mutex<Said>,
    sink: &'static str,
}

/// The latest warning: when, and the count at that time.
#[derive(Debug, Default, Clone, Copy)]
struct Said {
    at: Option<Instant>,
    count: u64,
}

impl Lost {
    pub(super) fn new(sink: &'static str) -> Self {
        Self {
            count: AtomicU64::new(0),
            said: Mutex::default(),
            sink,
        }
    }

    /// So many more are lost, for this reason.
    pub(super) fn add(&self, records: u64, reason: &dyn Display) {
        let count = self.count.fetch_add(records, Ordering::Relaxed) + records;
        #[cfg(feature = "metrics")]
        super::metrics::lost(self.sink, records);
        if let Some(since) = self.due(count, Instant::now()) {
            tracing::warn!(sink = self.sink, records = since, %reason, "records are lost");
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// A counter that goes on from here.
    pub(super) fn fork(&self) -> Self {
        let said = *self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            count: AtomicU64::new(self.count()),
            said: Mutex::new(said),
            sink: self.sink,
        }
    }

    /// How many have been lost since the latest warning, if it is time for another.
    fn due(&self, count: u64, now: Instant) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.at.is_some_and(|at| now.duration_since(at) < PAUSE) {
            return None;
        }
        let since = count.saturating_sub(said.count);
        let at = Some(now);
        *said = Said { at, count };
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn said_at_once_and_then_once_a_minute() {
        let lost = Lost::new(BACKGROUND);
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(lost.due(3, begin), Some(3));
        assert_eq!(lost.due(4, begin), None);
        assert_eq!(lost.due(1000, after(59)), None);
        assert_eq!(lost.due(1001, after(60)), Some(998));
        assert_eq!(lost.due(1002, after(119)), None);
        assert_eq!(lost.fork().due(1002, after(119)), None);
        assert_eq!(lost.due(1003, after(200)), Some(2));
    }
}
