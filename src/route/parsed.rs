//! A path that was parsed, and those that were parsed lately.

use std::fmt;
use std::sync::Arc;

use super::{Route, Spans};
use crate::kept::{Lately, fold};
use crate::reject::Rejection;

/// Longer paths are parsed each time: what is kept of paths that anybody can send is bounded.
const LONGEST: usize = 512;

/// A path, and where its pieces lie. Requests to the same path share it.
#[derive(Debug)]
pub(crate) struct Parsed {
    path: Box<str>,
    spans: Spans,
    is_kept: bool,
}

impl Parsed {
    pub(crate) fn new(path: &str, spans: Spans) -> Self {
        Self {
            path: path.into(),
            spans,
            is_kept: false,
        }
    }

    /// Whether the next request to this path has the very same one. Then what follows from it can
    /// be kept too.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn route(&self) -> Route<'_> {
        Route {
            path: &self.path,
            spans: &self.spans,
        }
    }
}

/// The paths that were parsed lately.
pub(super) struct Known(Lately<Arc<Parsed>>);

impl Known {
    /// This path from memory, or parsed anew.
    pub(super) fn parsed(
        &self,
        path: &str,
        parse: impl FnOnce() -> Result<Spans, Rejection>,
    ) -> Result<Arc<Parsed>, Rejection> {
        let is_kept = path.len() <= LONGEST;
        let parse = || {
            let mut parsed = Parsed::new(path, parse()?);
            parsed.is_kept = is_kept;
            Ok(Arc::new(parsed))
        };
        if !is_kept {
            return parse();
        }
        let mark = fold(0, path.as_bytes());
        self.0.get(mark, |known| *known.path == *path, parse)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self(Lately::new())
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known { .. }")
    }
}
