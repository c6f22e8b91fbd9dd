//! What a layer that translates an answer has read of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::eventstream::DecodeError;

/// For the record: who stands outside sees only the translation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Told {
    /// Tokens read by the model, without those that came from or went to the prompt cache.
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cache_read_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    /// Those of them that the cache keeps for an hour.
    pub(crate) cache_write_1h_tokens: Option<u64>,
    /// Those of the tokens written in which the model reasoned.
    pub(crate) reasoning_tokens: Option<u64>,
    /// Converse's `metrics.latencyMs`.
    pub(crate) latency: Option<u64>,
    /// Converse's `stopReason`.
    pub(crate) stop_reason: Option<String>,
    /// Converse's name for the tier that answered.
    pub(crate) service_tier: Option<String>,
    /// Converse's `performanceConfig.latency`.
    pub(crate) latency_mode: Option<String>,
    /// What went wrong, in public words: the upstream's name for it, if it has one.
    pub(crate) fault: Option<String>,
    /// The answer ended before its message did.
    pub(crate) is_cut: bool,
    /// Why the rest of a stream was not read, and how many bytes of it had come.
    pub(crate) broken: Option<(DecodeError, u64)>,
}

/// How far a stream has come that is translated.
#[derive(Debug, Default)]
pub(crate) struct Translated(AtomicU64);

impl Translated {
    /// Notes the events so far in which the model says something, and whether its message is over.
    pub(crate) fn note(&self, contents: u64, is_over: bool) {
        let word = contents << 1 | u64::from(is_over);
        self.0.store(word, Ordering::Relaxed);
    }

    #[cfg(feature = "observe")]
    pub(crate) fn get(&self) -> (u64, bool) {
        let word = self.0.load(Ordering::Relaxed);
        (word >> 1, word & 1 != 0)
    }
}
