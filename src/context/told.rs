//! What a layer that translates an answer has read of it.

/// For the record: who stands outside sees only the translation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Told {
    /// Tokens read by the model, without those that came from or went to the prompt cache.
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cache_read_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    /// Converse's `stopReason`.
    pub(crate) stop_reason: Option<String>,
    /// The upstream's name for what went wrong.
    pub(crate) fault: Option<String>,
    /// A stream ended before its message did.
    pub(crate) is_cut: bool,
}
