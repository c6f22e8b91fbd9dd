//! The beginning of a request's body, for the record.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Context;

#[derive(Debug)]
pub(crate) struct Taken {
    limit: usize,
    body: Mutex<Beginning>,
}

/// What has been taken so far.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    pub(crate) data: Vec<u8>,
    /// Something did not fit.
    pub(crate) is_cut: bool,
    /// The body has ended.
    pub(crate) is_ended: bool,
}

impl Context {
    /// Asks for the beginning of the body, up to so many bytes.
    pub(crate) fn take_body(&self, limit: usize) {
        let _ = self.0.taken.set(Box::new(Taken::new(limit)));
    }

    pub(crate) fn taken(&self) -> Option<&Taken> {
        self.0.taken.get().map(|taken| &**taken)
    }
}

impl Taken {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            body: Mutex::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Beginning> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, data: &[u8]) {
        self.lock().add(data, self.limit);
    }

    pub(crate) fn end(&self) {
        self.lock().is_ended = true;
    }
}

impl Beginning {
    /// Takes as much as fits.
    pub(crate) fn add(&mut self, data: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.data.len());
        let (now, rest) = data.split_at_checked(room).unwrap_or((data, &[]));
        self.data.extend_from_slice(now);
        self.is_cut |= !rest.is_empty();
    }

    /// It is the whole body.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_ended && !self.is_cut
    }
}
