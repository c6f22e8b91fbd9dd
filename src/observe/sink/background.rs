use std::fmt;
use std::sync::Arc;

use super::Sink;
use super::lost::{BACKGROUND, Lost};
use super::queue::{CAPACITY, Queue, Work};
use crate::observe::record::Record;

/// Calls another [`Sink`] from a thread of its own: for one that may block.
///
/// Up to 4096 records wait for it; those that find no place, and those at which it panics, are
/// dropped and counted. Dropping the last handle waits up to five seconds for what waits. Clones
/// share the sink.
///
/// ```
/// use tower_bedrock::observe::{Background, ObservabilityLayer, from_fn};
///
/// let slow = Background::new(from_fn(|record| {
///     // A database, say: this may take its time.
///     println!("{}", record.id);
/// }));
/// let layer = ObservabilityLayer::new().with_sink(slow.clone());
/// # assert_eq!(slow.dropped(), 0);
/// ```
#[derive(Clone)]
pub struct Background {
    queue: Arc<Queue>,
    keeps_records: bool,
}

impl Background {
    /// Up to 4096 records wait for `sink`.
    pub fn new(sink: impl Sink) -> Self {
        Self::with_capacity(sink, CAPACITY)
    }

    /// So many records may wait for `sink`.
    ///
    /// If no thread can be had, all records are dropped and counted.
    pub fn with_capacity(sink: impl Sink, capacity: usize) -> Self {
        let lost = Arc::new(Lost::new(BACKGROUND));
        Self {
            keeps_records: sink.keeps_records(),
            queue: Arc::new(Queue::new(Foreign(sink), capacity, lost)),
        }
    }

    /// How many records were dropped.
    pub fn dropped(&self) -> u64 {
        self.queue.lost()
    }

    /// Waits until the sink has had all records so far. It blocks the thread.
    pub fn flush(&self) {
        self.queue.flush();
    }
}

impl Sink for Background {
    fn record(&self, record: &Arc<Record>) {
        self.queue.push(record);
    }

    fn keeps_records(&self) -> bool {
        self.keeps_records
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Background")
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

struct Foreign<K>(K);

impl<K: Sink> Work for Foreign<K> {
    fn record(&mut self, record: &Arc<Record>) {
        self.0.record(record);
    }
}
