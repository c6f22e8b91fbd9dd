//! Reads an answer that is one JSON object, as it passes.

use std::cell::RefCell;

use super::head::Head;
use super::scan::Scanner;
use super::tally::{Field, Tally};
use super::wanted::BODY;

#[derive(Debug)]
pub(super) struct Json {
    /// What the answer's head tells.
    pub(super) head: Head,
    /// Its head says that it is JSON.
    pub(super) is_declared: bool,
    scanner: Scanner<Field>,
    tally: Tally,
}

thread_local! {
    /// The one that was used last, for the room in it.
    static SPARE: RefCell<Option<Box<Json>>> = const { RefCell::new(None) };
}

impl Json {
    /// A fresh one, in room that another had before if there is some.
    pub(super) fn spare() -> Box<Self> {
        let spare = SPARE.try_with(|spare| spare.take());
        let Ok(Some(mut json)) = spare else {
            return Box::new(Self {
                head: Head::default(),
                is_declared: false,
                scanner: Scanner::new(&BODY),
                tally: Tally::default(),
            });
        };
        json.scanner.restart(&BODY);
        json.tally.reset();
        json
    }

    /// Hands its room on to the next.
    pub(super) fn give_back(self: Box<Self>) {
        // Without a place for it, which is while a thread ends, it is freed.
        let _ = SPARE.try_with(|spare| spare.replace(Some(self)));
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let tally = &mut self.tally;
        self.scanner
            .push(bytes, &mut |field, value| tally.found(field, value));
    }

    /// Whether JSON was promised, and nothing came.
    pub(super) fn is_missing(&self) -> bool {
        self.is_declared && self.scanner.is_at_start()
    }

    /// What was learnt, and whether the object has not ended.
    pub(super) fn finish(&self) -> (&Tally, bool) {
        (&self.tally, self.scanner.is_open())
    }
}
