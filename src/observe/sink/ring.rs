use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Sink;
use crate::observe::record::Record;
use crate::observe::spare;

/// Keeps the latest records in memory. Clones share them.
#[derive(Clone)]
pub struct Ring {
    records: Arc<Mutex<VecDeque<Arc<Record>>>>,
    capacity: usize,
}

impl Ring {
    /// Keeps so many records.
    pub fn new(capacity: usize) -> Self {
        Self {
            records: Arc::default(),
            capacity,
        }
    }

    /// The records, newest first.
    pub fn snapshot(&self) -> Vec<Arc<Record>> {
        self.lock().iter().rev().cloned().collect()
    }

    /// The record with this log id.
    pub fn get(&self, id: &str) -> Option<Arc<Record>> {
        let records = self.lock();
        let record = records.iter().rev().find(|record| record.id == id)?;
        Some(Arc::clone(record))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Record>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Ring {
    fn record(&self, record: &Arc<Record>) {
        if self.capacity == 0 {
            return;
        }
        let mut records = self.lock();
        let oldest = if records.len() >= self.capacity {
            records.pop_front()
        } else {
            None
        };
        records.push_back(Arc::clone(record));
        // Outside of the lock.
        drop(records);
        if let Some(oldest) = oldest {
            spare::give_back(oldest);
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
