//! Which headers there are in a head, and which of a client's travel on.

#[cfg(any(feature = "rewrite", feature = "sign", feature = "compat"))]
mod forward;
#[cfg(any(feature = "rewrite", feature = "compat"))]
mod hop;
mod present;

#[cfg(any(feature = "rewrite", feature = "sign", feature = "compat"))]
pub(crate) use self::forward::{keep_forwarded, remove};
#[cfg(any(feature = "rewrite", feature = "compat"))]
pub(crate) use self::hop::{check_hop, named_in_connection, remove_named_in_connection};
pub(crate) use self::present::Present;
