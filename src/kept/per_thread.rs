//! One of each for every thread that runs at a time.
//!
//! What all threads write to, if only a reference count, is handed from core to core each time.
//! So what every request touches is there several times over, and a thread uses its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// For this many threads at once; it bounds what is held.
const MOST: usize = 32;

/// As many values as a power of two, at least one.
pub(crate) struct PerThread<T>(Box<[Place<T>]>);

/// In cache lines of its own.
#[repr(align(128))]
struct Place<T>(T);

impl<T> PerThread<T> {
    pub(crate) fn new(mut make: impl FnMut() -> T) -> Self {
        let threads = available_parallelism().map_or(4, usize::from);
        let count = threads.clamp(1, MOST).next_power_of_two();
        Self((0..count).map(|_| Place(make())).collect())
    }

    /// This thread's; some threads share one if there are more than processors.
    #[inline]
    pub(crate) fn own(&self) -> &T {
        &self.0[seat() & (self.0.len() - 1)].0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|place| &place.0)
    }
}

/// A number for each thread, counted from 0.
#[inline]
fn seat() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static SEAT: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    SEAT.try_with(|seat| *seat).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::PerThread;

    #[test]
    fn a_thread_keeps_its_own() {
        let counters = PerThread::new(|| AtomicUsize::new(0));
        let first: *const _ = counters.own();
        for _ in 0..10 {
            counters.own().fetch_add(1, Relaxed);
            assert!(std::ptr::eq(counters.own(), first));
        }
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| counters.own().fetch_add(1, Relaxed));
            }
        });
        let all: usize = counters.iter().map(|counter| counter.load(Relaxed)).sum();
        assert_eq!(all, 110);
    }
}
