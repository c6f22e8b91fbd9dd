//! What signatures have in common, kept between requests.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use super::shard::Shard;

/// Shards for this many threads at once; it bounds what is held.
const MOST: usize = 32;

/// One [`Shard`] for each thread that runs at a time, so that none waits for another and none
/// shares a counter with another.
///
/// It is no thread-local, for then secrets would outlive the signer.
pub(super) struct Cache(/* as many as a power of two */ Box<[Place]>);

/// In cache lines of its own.
#[repr(align(128))]
struct Place(Mutex<Shard>);

impl Cache {
    pub(super) fn new() -> Self {
        let threads = available_parallelism().map_or(4, usize::from);
        // Not known outside, so that nobody can have all his requests in one set.
        let seed = RandomState::new().hash_one(0);
        let place = |_| Place(Mutex::new(Shard::new(seed)));
        let count = threads.clamp(1, MOST).next_power_of_two();
        Self((0..count).map(place).collect())
    }

    /// This thread's shard; another's if that is taken.
    #[inline]
    pub(super) fn shard(&self) -> MutexGuard<'_, Shard> {
        let own = seat() & (self.0.len() - 1);
        match self.0[own].0.try_lock() {
            Ok(shard) => shard,
            Err(_) => self.other(own),
        }
    }

    #[cold]
    fn other(&self, own: usize) -> MutexGuard<'_, Shard> {
        self.0
            .iter()
            .find_map(|place| place.0.try_lock().ok())
            // A shard is right whatever its user was in the middle of: see `Route::go_to`.
            .unwrap_or_else(|| self.0[own].0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A number for each thread, counted from 0.
fn seat() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static SEAT: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    SEAT.try_with(|seat| *seat).unwrap_or(0)
}
