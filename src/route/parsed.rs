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
}

impl Parsed {
    pub(crate) fn new(path: &str, spans: Spans) -> Self {
        Self {
            path: path.into(),
            spans,
        }
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
        let parse = || Ok(Arc::new(Parsed::new(path, parse()?)));
        if path.len() > LONGEST {
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
