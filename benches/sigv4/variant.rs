//! What is timed, and how: alone by criterion, or in turn with others.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::request::Parts;

use crate::request;

/// So many requests are prepared before the clock starts, and dropped after it has stopped; bodies
/// in frames come in smaller batches.
pub(crate) const BATCH: usize = 32;

/// Where a variant gets its requests from.
pub(crate) struct Source {
    pub(crate) column: &'static str,
    pub(crate) parts: Box<dyn FnMut() -> Parts>,
    pub(crate) clock: Box<dyn FnMut() -> SystemTime>,
    pub(crate) body: Bytes,
}

impl Source {
    /// Steady state: the same route in the same second.
    pub(crate) fn steady(column: &'static str, body: &Bytes) -> Self {
        Self {
            column,
            parts: Box::new(request::same()),
            clock: Box::new(request::now),
            body: body.clone(),
        }
    }

    pub(crate) fn with_parts(mut self, parts: impl FnMut() -> Parts + 'static) -> Self {
        self.parts = Box::new(parts);
        self
    }

    pub(crate) fn with_clock(mut self, clock: impl FnMut() -> SystemTime + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }
}

/// One way to do something: a cell of the table.
pub(crate) struct Variant {
    /// Length of the body.
    pub(crate) column: &'static str,
    pub(crate) row: &'static str,
    /// The row that it is compared with.
    pub(crate) against: Option<&'static str>,
    /// Does it so many times; says how long that took.
    time: Box<dyn FnMut(u64) -> Duration>,
}

impl Variant {
    /// Times `run` on what `fresh` gives.
    pub(crate) fn new<T: 'static, R>(
        column: &'static str,
        row: &'static str,
        fresh: impl FnMut() -> T + 'static,
        run: impl FnMut(&mut T) -> R + 'static,
    ) -> Self {
        Self::cleaned(column, row, BATCH, fresh, run, || ())
    }

    /// The same, where there is more to drop after each batch of at most `size`.
    pub(crate) fn cleaned<T: 'static, R>(
        column: &'static str,
        row: &'static str,
        size: usize,
        mut fresh: impl FnMut() -> T + 'static,
        mut run: impl FnMut(&mut T) -> R + 'static,
        mut clean: impl FnMut() + 'static,
    ) -> Self {
        let mut batch = Vec::with_capacity(size);
        let time = move |count| {
            let mut total = Duration::ZERO;
            for count in batches(count, size) {
                batch.extend((0..count).map(|_| fresh()));
                let start = Instant::now();
                for input in &mut batch {
                    black_box(run(black_box(input)));
                }
                total += start.elapsed();
                batch.clear();
                clean();
            }
            total
        };
        Self::timed(column, row, time)
    }

    /// One that keeps the time itself.
    pub(crate) fn timed(
        column: &'static str,
        row: &'static str,
        time: impl FnMut(u64) -> Duration + 'static,
    ) -> Self {
        Self {
            column,
            row,
            against: None,
            time: Box::new(time),
        }
    }

    /// Compared with this row.
    pub(crate) fn against(self, row: &'static str) -> Self {
        let against = Some(row);
        Self { against, ..self }
    }

    pub(crate) fn time(&mut self, count: u64) -> Duration {
        (self.time)(count)
    }
}

/// Splits `count` into batches of at most `most`.
pub(crate) fn batches(count: u64, most: usize) -> impl Iterator<Item = usize> {
    let mut left = usize::try_from(count).unwrap_or(usize::MAX);
    std::iter::from_fn(move || {
        let batch = left.min(most);
        left -= batch;
        (batch > 0).then_some(batch)
    })
}

/// Variants that are measured in turn.
pub(crate) struct Contest {
    /// How often a variant does its work in one round.
    pub(crate) count: u64,
    pub(crate) variants: Vec<Variant>,
}

/// How long a contest goes on.
#[derive(Clone, Copy)]
pub(crate) enum Effort {
    /// One round, to see that it runs.
    Smoke,
    /// Round after round, for so long.
    For(Duration),
}

/// What came of a variant: nanoseconds per request, one number per round.
pub(crate) struct Measured {
    pub(crate) column: &'static str,
    pub(crate) row: &'static str,
    pub(crate) against: Option<&'static str>,
    pub(crate) rounds: Vec<f64>,
}

impl Contest {
    /// Each variant in its turn, round after round: what disturbs the machine for a while
    /// disturbs all of them. What the one before left behind in the caches is got rid of by a few
    /// requests that are not timed.
    pub(crate) fn measure(mut self, effort: Effort) -> impl Iterator<Item = Measured> {
        let start = Instant::now();
        let (count, warm_up) = match effort {
            Effort::Smoke => (1, 0),
            Effort::For(_) => (self.count, self.count.div_ceil(4)),
        };
        let mut measured: Vec<_> = self.variants.iter().map(|_| Vec::new()).collect();
        loop {
            for (variant, rounds) in self.variants.iter_mut().zip(&mut measured) {
                variant.time(warm_up);
                rounds.push(variant.time(count).as_nanos() as f64 / count as f64);
            }
            match effort {
                Effort::For(budget) if start.elapsed() < budget => {}
                _ => break,
            }
        }
        self.variants
            .into_iter()
            .zip(measured)
            .map(|(variant, rounds)| Measured {
                column: variant.column,
                row: variant.row,
                against: variant.against,
                rounds,
            })
    }
}
