//! What is to be reached.

use std::fmt;

/// Its `Display` is the line that is printed.
pub(crate) struct Goal {
    pub(crate) name: &'static str,
    pub(crate) measured: f64,
    /// At most.
    pub(crate) wanted: f64,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            measured,
            wanted,
        } = self;
        let met = if measured <= wanted { "ok" } else { "short" };
        write!(
            f,
            "goal: {name} | measured {measured:.3} | wanted <= {wanted} | {met}"
        )
    }
}
