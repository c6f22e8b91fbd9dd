//! Where records go.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::request::Parts;

use self::lost::{Lost, PANICKED};
pub(super) use self::spans::RequestSpan;
use super::record::Record;
use super::trace::{SpanId, TraceId};
use crate::context::Context;

mod background;
mod json_lines;
mod lost;
#[cfg(feature = "metrics")]
mod metrics;
mod queue;
mod ring;
mod semconv;
mod spans;
mod tracing;

pub use self::background::Background;
pub use self::json_lines::JsonLines;
#[cfg(feature = "metrics")]
pub(super) use self::metrics::unread as count_unread;
#[cfg(feature = "metrics")]
pub use self::metrics::{MetricLabel, Metrics};
pub use self::ring::Ring;
pub use self::spans::Spans;
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

    /// Whether it keeps records, or only counts them. One that keeps none is given those too whose
    /// client has asked by `cf-aig-collect-log` that none be kept.
    fn keeps_records(&self) -> bool {
        true
    }
}

impl<K: Sink + ?Sized> Sink for Arc<K> {
    fn record(&self, record: &Arc<Record>) {
        K::record(self, record);
    }

    fn keeps_records(&self) -> bool {
        K::keeps_records(self)
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
pub(super) struct Sinks {
    list: Vec<Arc<dyn Sink>>,
    spans: Option<Spans>,
    panics: Lost,
}

impl Default for Sinks {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            spans: None,
            panics: Lost::new(PANICKED),
        }
    }
}

impl Sinks {
    pub(super) fn with(&self, sink: impl Sink) -> Self {
        let mut sinks = self.fork();
        sinks.list.push(Arc::new(sink));
        sinks
    }

    pub(super) fn with_spans(&self, spans: Spans) -> Self {
        let mut sinks = self.fork();
        sinks.spans = Some(spans);
        sinks
    }

    fn fork(&self) -> Self {
        Self {
            list: self.list.clone(),
            spans: self.spans.clone(),
            panics: self.panics.fork(),
        }
    }

    /// Nobody wants to know of a request.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.spans.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The span of a request that begins; a disabled one, unless spans are wanted.
    pub(super) fn begin(&self, head: &Parts, parent: Option<(TraceId, SpanId)>) -> RequestSpan {
        let Some(spans) = &self.spans else {
            return RequestSpan::none();
        };
        catch_unwind(AssertUnwindSafe(|| spans.begin(head, parent))).unwrap_or_else(|_| {
            self.panics.add(1, &"the sink panicked");
            RequestSpan::none()
        })
    }

    pub(super) fn panics(&self) -> u64 {
        self.panics.count()
    }

    /// Ends the span, and gives the record to every sink, whatever the others do; to those that
    /// keep records only if it is to be kept.
    pub(super) fn record(
        &self,
        record: &Arc<Record>,
        is_kept: bool,
        span: &RequestSpan,
        context: &Context,
    ) {
        let guarded = |job: &dyn Fn()| {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                self.panics.add(1, &"the sink panicked");
            }
        };
        if self.spans.is_some() {
            guarded(&|| span.end(record, context));
        }
        for sink in &self.list {
            guarded(&|| {
                if is_kept || !sink.keeps_records() {
                    sink.record(record);
                }
            });
        }
    }
}
