//! Parameters that Bedrock has no counterpart for.

use std::borrow::Cow;
use std::collections::HashSet;

use super::hash::fnv;
use super::path::At;
use crate::reject::Rejection;

/// Collects them, or refuses the first, as the caller's policy has it.
#[derive(Debug)]
pub(super) struct Ignored {
    strict: bool,
    names: Vec<Cow<'static, str>>,
    /// Hashes of those that are not listed any more.
    more: HashSet<u64>,
}

impl Ignored {
    /// They are listed in a response header, which has to stay short.
    const MOST: usize = 32;

    pub(super) fn new(strict: bool) -> Self {
        Self {
            strict,
            names: Vec::new(),
            more: HashSet::new(),
        }
    }

    /// What is at `at` is left out; `why` tells a caller who is refused.
    pub(super) fn add(&mut self, at: &At<'_>, why: &str) -> Result<(), Rejection> {
        if self.strict {
            return Err(at.unsupported_parameter(why));
        }
        let name = at.to_string();
        if self.names.iter().any(|known| *known == name) {
            return Ok(());
        }
        if self.names.len() < Self::MOST {
            self.names.push(name.into());
        } else {
            self.more.insert(fnv(&name, 0));
        }
        Ok(())
    }

    /// A key that this crate does not know either.
    pub(super) fn unknown(&mut self, at: &At<'_>) -> Result<(), Rejection> {
        if self.strict {
            return Err(at.refuse("unknown_parameter", "there is no such parameter."));
        }
        self.add(at, "")
    }

    /// Their names; if there are too many, the last entry says how many more there are.
    pub(super) fn into_names(mut self) -> Vec<Cow<'static, str>> {
        if !self.more.is_empty() {
            self.names.push(format!("+{} more", self.more.len()).into());
        }
        self.names
    }
}
