//! Where records go.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::record::Record;

mod json_lines;
mod ring;
mod tracing;

pub use self::json_lines::JsonLines;
pub use self::ring::Ring;
pub use self::tracing::Tracing;

/// Takes the records of requests.
///
/// It is called once per request, from wherever the request ended: a task of the server's, the
/// destructor of a response, a thread outside of any runtime. So it must not block. A panic in it
/// is caught and harms neither the request nor the other sinks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot take records of requests",
    note = "implement `tower_bedrock::observe::Sink`, or wrap a closure in `from_fn`"
)]
pub trait Sink: Send + Sync + 'static {
    /// Takes a record; whoever wants to keep it clones the pointer.
    fn record(&self, record: &Arc<Record>);
}

impl<K: Sink + ?Sized> Sink for Arc<K> {
    fn record(&self, record: &Arc<Record>) {
        K::record(self, record);
    }
}

/// A [`Sink`] that calls a closure.
///
/// ```
/// use tower_bedrock::observe::{ObservabilityLayer, from_fn};
///
/// let layer = ObservabilityLayer::new().with_sink(from_fn(|record| {
///     println!("{} {}", record.id, record.outcome);
/// }));
/// ```
pub fn from_fn<F>(f: F) -> FromFn<F>
where
    F: Fn(&Arc<Record>) + Send + Sync + 'static,
{
    FromFn(f)
}

/// The sink of [`from_fn`].
#[derive(Clone, Copy)]
pub struct FromFn<F>(F);

impl<F> Sink for FromFn<F>
where
    F: Fn(&Arc<Record>) + Send + Sync + 'static,
{
    fn record(&self, record: &Arc<Record>) {
        (self.0)(record);
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}

/// The sinks of one layer.
#[derive(Default)]
pub(super) struct Sinks {
    list: Vec<Arc<dyn Sink>>,
    panics: AtomicU64,
}

impl Sinks {
    pub(super) fn with(&self, sink: impl Sink) -> Self {
        let mut list = self.list.clone();
        list.push(Arc::new(sink));
        Self {
            list,
            panics: AtomicU64::new(self.panics()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Gives the record to every sink, whatever the others do.
    pub(super) fn record(&self, record: Record) {
        let record = Arc::new(record);
        for sink in &self.list {
            if catch_unwind(AssertUnwindSafe(|| sink.record(&record))).is_err() {
                self.panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
