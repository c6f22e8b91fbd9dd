//! What was found out lately, so that it need not be found out again.
//!
//! Most requests of a gateway are to a few paths. What follows from the path alone is kept with it,
//! in a few places: of two paths that share a place, the one that came last has it.

use std::sync::Mutex;

use crate::kept::PerThread;

/// A power of two.
const PLACES: usize = 32;

/// A few values for each thread that runs at a time.
pub(crate) struct Lately<T>(PerThread<Mutex<Vec<Option<T>>>>);

impl<T: Clone> Lately<T> {
    pub(crate) fn new() -> Self {
        Self(PerThread::new(Mutex::default))
    }

    /// What is in the place of this mark, if that `is_it`; else what `make` gives, which has the
    /// place from now on.
    #[inline]
    pub(crate) fn get<E>(
        &self,
        mark: u64,
        is_it: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        // Nobody waits for another thread.
        let Ok(mut places) = self.0.own().try_lock() else {
            return make();
        };
        if places.is_empty() {
            places.resize(PLACES, None);
        }
        let at = (mark ^ mark >> 32) as usize & (PLACES - 1);
        let Some(place) = places.get_mut(at) else {
            return make();
        };
        if let Some(known) = place.as_ref().filter(|known| is_it(known)) {
            return Ok(known.clone());
        }
        let made = make()?;
        *place = Some(made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lately, PLACES};

    fn made<'a>(lately: &Lately<&'a str>, mark: usize, text: &'a str) -> (&'a str, bool) {
        let mut was_made = false;
        let make = || {
            was_made = true;
            Ok::<_, ()>(text)
        };
        let got = lately.get(mark as u64, |known| *known == text, make);
        (got.unwrap(), was_made)
    }

    #[test]
    fn the_last_has_the_place() {
        let lately = Lately::new();
        assert_eq!(made(&lately, 1, "a"), ("a", true));
        assert_eq!(made(&lately, 1, "a"), ("a", false));
        assert_eq!(made(&lately, 2, "b"), ("b", true));
        assert_eq!(made(&lately, 1 + PLACES, "c"), ("c", true));
        assert_eq!(made(&lately, 1, "a"), ("a", true));
        assert_eq!(made(&lately, 2, "b"), ("b", false));
    }

    #[test]
    fn what_could_not_be_made_is_not_kept() {
        let lately: Lately<&str> = Lately::new();
        assert_eq!(lately.get(1, |_| true, || Err("no")), Err("no"));
        assert_eq!(made(&lately, 1, "a"), ("a", true));
    }
}
