use http::HeaderMap;
use serde_json::Value;

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
        }
    }

    /// The headers of an `InvokeModel` answer.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let count = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        Self {
            input_tokens: count("x-amzn-bedrock-input-token-count"),
            output_tokens: count("x-amzn-bedrock-output-token-count"),
            cache_read_tokens: count("x-amzn-bedrock-cache-read-input-token-count"),
            cache_write_tokens: count("x-amzn-bedrock-cache-write-input-token-count"),
        }
    }

    /// The `usage` object of an answer, in the words of any of the vendors.
    pub(super) fn from_json(value: &Value) -> Self {
        let get = |names: &[&str]| names.iter().find_map(|name| count(value.get(name)?));
        let told = Self {
            input_tokens: get(&[
                "inputTokens",
                "inputTokenCount",
                "input_tokens",
                "prompt_tokens",
            ]),
            output_tokens: get(&[
                "outputTokens",
                "outputTokenCount",
                "output_tokens",
                "completion_tokens",
            ]),
            cache_read_tokens: get(&[
                "cacheReadInputTokens",
                "cacheReadInputTokenCount",
                "cache_read_input_tokens",
            ]),
            cache_write_tokens: get(&[
                "cacheWriteInputTokens",
                "cacheWriteInputTokenCount",
                "cache_creation_input_tokens",
            ]),
        };
        let details = ["prompt_tokens_details", "input_tokens_details"]
            .iter()
            .find_map(|name| value.get(name));
        match details {
            // OpenAI's way: the input includes what was cached, and these say how much of it.
            Some(details) => {
                let detail = |name: &str| count(details.get(name)?);
                let cached = Self {
                    cache_read_tokens: detail("cached_tokens"),
                    cache_write_tokens: detail("cache_write_tokens"),
                    ..Self::default()
                };
                let within = [cached.cache_read_tokens, cached.cache_write_tokens];
                let rest = |all| within.into_iter().flatten().fold(all, u64::saturating_sub);
                Self {
                    input_tokens: told.input_tokens.map(rest),
                    ..cached.or(told)
                }
            }
            None => told,
        }
    }
}

/// A count of tokens; some models write them as `28.0`.
pub(super) fn count(value: &Value) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        // Between these bounds the cast loses nothing but a fraction.
        (0.0..=EXACT).contains(&number).then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

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
        }
    }

    #[test]
    fn shapes() {
        let table = [
            (
                json!({"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}),
                [Some(1), Some(2), None, None],
            ),
            (
                json!({"inputTokens": 11, "outputTokens": 236, "cacheReadInputTokenCount": 0, "cacheReadInputTokens": 0,
                    "cacheWriteInputTokenCount": 1028, "cacheWriteInputTokens": 1028, "serverToolUsage": {}}),
                [Some(11), Some(236), Some(0), Some(1028)],
            ),
            (
                json!({"inputTokens": 5, "outputTokens": 6, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 8}),
                [Some(5), Some(6), Some(7), Some(8)],
            ),
            (
                json!({"inputTokenCount": 5, "outputTokenCount": 6, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 8}),
                [Some(5), Some(6), Some(7), Some(8)],
            ),
            (
                json!({"input_tokens": 5, "output_tokens": 6, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 8,
                    "cache_creation": {"ephemeral_5m_input_tokens": 8}, "output_tokens_details": {"thinking": 3}}),
                [Some(5), Some(6), Some(7), Some(8)],
            ),
            (
                json!({"prompt_tokens": 72, "completion_tokens": 56, "total_tokens": 128}),
                [Some(72), Some(56), None, None],
            ),
            (
                json!({"prompt_tokens": 72, "completion_tokens": 56, "prompt_tokens_details": {"cached_tokens": 70, "audio_tokens": 0}}),
                [Some(2), Some(56), Some(70), None],
            ),
            (
                json!({"prompt_tokens": 72, "completion_tokens": 56, "prompt_tokens_details": null}),
                [Some(72), Some(56), None, None],
            ),
            (
                json!({"input_tokens": 88, "input_tokens_details": {"cache_write_tokens": 80, "cached_tokens": 6}, "output_tokens": 14}),
                [Some(2), Some(14), Some(6), Some(80)],
            ),
            (
                json!({"input_tokens": 1, "input_tokens_details": {"cached_tokens": 6}}),
                [Some(0), None, Some(6), None],
            ),
            (
                json!({"inputTokens": 28.0, "outputTokens": -1, "cacheReadInputTokens": "7"}),
                [Some(28), None, None, None],
            ),
            (json!({"topicPolicyUnits": 1}), [None; 4]),
            (json!(null), [None; 4]),
            (json!([1]), [None; 4]),
        ];
        for (value, expected) in table {
            assert_eq!(Usage::from_json(&value), usage(expected), "{value}");
        }
    }

    #[test]
    fn headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Usage::from_headers(&headers), usage([None; 4]));
        for (name, value) in [
            ("x-amzn-bedrock-input-token-count", "12"),
            ("x-amzn-bedrock-output-token-count", "many"),
            ("x-amzn-bedrock-cache-read-input-token-count", "0"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(
            Usage::from_headers(&headers),
            usage([Some(12), None, Some(0), None])
        );
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
