//! Parameters that Bedrock has no counterpart for.

use std::borrow::Cow;

use super::path::At;
use crate::reject::Rejection;

/// Collects them, or refuses the first, as the caller's policy has it.
#[derive(Debug)]
pub(super) struct Ignored {
    strict: bool,
    names: Vec<Cow<'static, str>>,
}

impl Ignored {
    /// They are listed in a response header, which has to stay short.
    const MOST: usize = 32;

    pub(super) fn new(strict: bool) -> Self {
        Self {
            strict,
            names: Vec::new(),
        }
    }

    /// What is at `at` is left out; `why` tells a caller who is refused.
    pub(super) fn add(&mut self, at: &At<'_>, why: &str) -> Result<(), Rejection> {
        if self.strict {
            return Err(at.unsupported_parameter(why));
        }
        let name = at.to_string();
        if self.names.len() < Self::MOST && !self.names.iter().any(|known| *known == name) {
            self.names.push(name.into());
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

    pub(super) fn into_names(self) -> Vec<Cow<'static, str>> {
        self.names
    }
}
