//! Who holds a request under observation, and sees to it that it leaves its record.

use std::cell::RefCell;
use std::time::Duration;

use super::observation::{End, Observation};

/// Places that a thread keeps for the requests to come.
const MOST: usize = 64;

/// In a place of its own, for futures and bodies are moved about.
type Place = Box<Option<Observation>>;

thread_local! {
    static FREE: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// Ends an observation, if nothing else does before it is dropped.
#[derive(Default)]
pub(super) struct Guard(Option<Place>);

impl Guard {
    /// It is made where it stays, if there is one.
    #[inline]
    pub(super) fn new(observe: impl FnOnce() -> Option<Observation>) -> Self {
        let free = FREE.try_with(|free| free.borrow_mut().pop());
        let mut place = free.ok().flatten().unwrap_or_default();
        *place = observe();
        Self(Some(place))
    }

    pub(super) fn get(&self) -> Option<&Observation> {
        self.0.as_ref()?.as_ref().as_ref()
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Observation> {
        self.0.as_mut()?.as_mut().as_mut()
    }

    /// Does `work` within the request's span.
    #[inline]
    pub(super) fn in_span<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.get() {
            Some(observation) => observation.span.in_scope(work),
            None => work(),
        }
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(super) fn finish(&mut self, end: End) {
        self.finish_at(end, None);
    }

    /// The same, where the time is known.
    pub(super) fn finish_at(&mut self, end: End, now: Option<Duration>) {
        let Some(mut place) = self.0.take() else {
            return;
        };
        if let Some(observation) = place.as_mut() {
            observation.finish(end, now);
        }
        *place = None;
        // While a thread ends nothing is kept.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < MOST {
                free.push(place);
            }
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.finish(End::Dropped);
    }
}
