//! Which layers a request has passed.

/// A layer that wants to know whether it, or one that should come later, was passed before.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stage {
    #[cfg(feature = "auth")]
    Auth = 1,
    #[cfg(feature = "rewrite")]
    Rewrite = 2,
    #[cfg(feature = "sign")]
    Sign = 4,
    #[cfg(feature = "compat")]
    Compat = 8,
    /// Not a layer: the signing layer has found that the body is one side of a bidirectional
    /// stream, and counts its bytes as they go.
    #[cfg(feature = "sign")]
    Conversation = 16,
}
