//! What could not be heeded of a request's headers, and is named in its record.

/// So many are named.
const MOST: usize = 16;

/// So much of a name that a client gave.
const MAX_NAME: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Ignored {
    list: Vec<String>,
    more: usize,
}

impl Ignored {
    /// The part `what` of the header `name`, or why all of it.
    pub(super) fn add(&mut self, name: &str, what: &str) {
        if self.list.len() == MOST {
            self.more += 1;
            return;
        }
        let end = what.floor_char_boundary(MAX_NAME);
        let what = what.get(..end).unwrap_or_default();
        self.list.push(format!("{name}: {what}"));
    }

    pub(super) fn into_list(mut self) -> Vec<String> {
        if self.more > 0 {
            self.list.push(format!("{} more", self.more));
        }
        self.list
    }
}
