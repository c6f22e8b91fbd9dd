//! Labels of which there are not too many, whatever clients send.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ::metrics::SharedString;

/// What stands for every value that finds no place.
pub(super) const OTHER: &str = "other";
/// The longest value that is told apart, in bytes.
const MAX_VALUE: usize = 256;

/// The values of one label.
pub(super) type Values = Bounded<Arc<str>>;

/// Up to so many different things.
#[derive(Debug)]
pub(super) struct Bounded<T> {
    known: RwLock<HashSet<T>>,
    limit: usize,
}

impl<T> Bounded<T> {
    pub(super) fn new(limit: usize) -> Self {
        let known = RwLock::default();
        Self { known, limit }
    }
}

impl Values {
    /// The value, or [`OTHER`]: if it is not known, and may or can not become known.
    pub(super) fn label(&self, value: &str, may_add: bool) -> SharedString {
        if let Some(known) = self.read().get(value) {
            return SharedString::from_shared(Arc::clone(known));
        }
        if may_add && value.len() <= MAX_VALUE && self.has_room() {
            let value: Arc<str> = value.into();
            if self.add(Arc::clone(&value)) {
                return SharedString::from_shared(value);
            }
        }
        SharedString::const_str(OTHER)
    }
}

impl<T: Eq + Hash + Clone> Bounded<T> {
    /// Whether it is one of those that are told apart.
    pub(super) fn admits(&self, value: &T) -> bool {
        self.read().contains(value) || (self.has_room() && self.add(value.clone()))
    }

    fn read(&self) -> RwLockReadGuard<'_, HashSet<T>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self) -> bool {
        self.read().len() < self.limit
    }

    /// Whether it is known now.
    fn add(&self, value: T) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.contains(&value) || (known.len() < self.limit && known.insert(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_are_told_apart() {
        let values = Values::new(2);
        assert_eq!(&*values.label("refused", false), OTHER);
        assert_eq!(&*values.label("a", true), "a");
        assert_eq!(&*values.label(&"x".repeat(MAX_VALUE + 1), true), OTHER);
        assert_eq!(&*values.label("b\n\"", true), "b\n\"");
        assert_eq!(&*values.label("c", true), OTHER);
        assert_eq!(&*values.label("a", false), "a");
        assert_eq!(values.read().len(), 2);
    }
}
