//! What signatures have in common, kept between requests.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shard::Shard;
use crate::kept::PerThread;

/// One [`Shard`] for each thread that runs at a time, so that none waits for another.
///
/// It is no thread-local, for then what is made from secrets would outlive the signer.
pub(super) struct Cache(PerThread<Mutex<Shard>>);

impl Cache {
    pub(super) fn new() -> Self {
        // Not known outside, so that nobody can have all his requests in one set.
        let seed = RandomState::new().hash_one(0);
        Self(PerThread::new(|| Mutex::new(Shard::new(seed))))
    }

    /// This thread's shard; another's if that is taken.
    #[inline]
    pub(super) fn shard(&self) -> MutexGuard<'_, Shard> {
        match self.0.own().try_lock() {
            Ok(shard) => shard,
            Err(_) => self.other(),
        }
    }

    #[cold]
    fn other(&self) -> MutexGuard<'_, Shard> {
        self.0
            .iter()
            .find_map(|shard| shard.try_lock().ok())
            .unwrap_or_else(|| {
                // It is right whatever its user was in the middle of: see `Route::go_to`.
                self.0.own().lock().unwrap_or_else(PoisonError::into_inner)
            })
    }
}
