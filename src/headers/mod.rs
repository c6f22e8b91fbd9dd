//! Which headers there are in a head, and which of a client's travel on.

#[cfg(any(feature = "rewrite", feature = "sign", feature = "compat"))]
mod forward;
mod present;

#[cfg(any(feature = "rewrite", feature = "sign", feature = "compat"))]
pub(crate) use self::forward::{keep_forwarded, remove};
pub(crate) use self::present::Present;
