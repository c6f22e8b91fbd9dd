/// The tokens of one request, as far as the answer tells.
///
/// What is not told is `None`, never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens read by the model, without those that came from or went to the prompt cache.
    pub input_tokens: Option<u64>,
    /// Tokens written by the model.
    pub output_tokens: Option<u64>,
    /// Tokens that came from the prompt cache.
    pub cache_read_tokens: Option<u64>,
    /// Tokens that went to the prompt cache.
    pub cache_write_tokens: Option<u64>,
    /// Those of them that it keeps for an hour.
    pub cache_write_1h_tokens: Option<u64>,
    /// Those of the tokens written in which the model reasoned.
    pub reasoning_tokens: Option<u64>,
    /// Those of the tokens read that are speech.
    pub speech_input_tokens: Option<u64>,
    /// Those of the tokens written that are speech.
    pub speech_output_tokens: Option<u64>,
}

/// A greater count is a mistake, and so is not known.
pub(super) const MOST_TOKENS: u64 = 1_000_000_000_000;

/// The count, if it can be one.
pub(super) fn credible(count: u64) -> Option<u64> {
    (count <= MOST_TOKENS).then_some(count)
}

impl Usage {
    /// Everything that the model was given: input, cache reads and cache writes together.
    pub fn tokens_in(&self) -> Option<u64> {
        let cached = [self.cache_read_tokens, self.cache_write_tokens];
        Some(
            cached
                .into_iter()
                .flatten()
                .fold(self.input_tokens?, u64::saturating_add),
        )
    }

    /// What this one tells, and where it is silent what `other` tells.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.or(other.input_tokens),
            output_tokens: self.output_tokens.or(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.or(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.or(other.cache_write_tokens),
            cache_write_1h_tokens: self.cache_write_1h_tokens.or(other.cache_write_1h_tokens),
            reasoning_tokens: self.reasoning_tokens.or(other.reasoning_tokens),
            speech_input_tokens: self.speech_input_tokens.or(other.speech_input_tokens),
            speech_output_tokens: self.speech_output_tokens.or(other.speech_output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(counts: [Option<u64>; 4]) -> Usage {
        let [
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
        ] = counts;
        Usage {
            input_tokens,
            output_tokens,
            cache_read_tokens,
            cache_write_tokens,
            ..Usage::default()
        }
    }

    #[test]
    fn tokens_in() {
        assert_eq!(usage([None, None, Some(1), None]).tokens_in(), None);
        assert_eq!(usage([Some(1), None, None, None]).tokens_in(), Some(1));
        assert_eq!(
            usage([Some(1), Some(9), Some(2), Some(4)]).tokens_in(),
            Some(7)
        );
        assert_eq!(
            usage([Some(u64::MAX), None, Some(2), None]).tokens_in(),
            Some(u64::MAX)
        );
    }
}
