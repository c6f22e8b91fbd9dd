//! What an answer has cost.

use std::fmt;
use std::io::Write as _;

use bytes::BufMut;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::context::Told;

/// Counts of tokens; what is not told is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    /// What of it is kept for an hour.
    cache_write_1h: Option<u64>,
    total: Option<u64>,
    reasoning: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Shape {
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    cache_read_input_tokens: Count,
    cache_read_input_token_count: Count,
    cache_write_input_tokens: Count,
    cache_write_input_token_count: Count,
    cache_details: Written,
}

/// How long the cache keeps what was written: the sum of what it keeps for an hour.
#[derive(Default)]
struct Written(Option<u64>);

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Detail<'a> {
    input_tokens: Count,
    #[serde(borrow)]
    ttl: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let details: Vec<Detail<'_>> = serde_json::from_str(raw.get()).unwrap_or_default();
        let for_an_hour = details.iter().filter_map(|detail| {
            let is_hour = detail.ttl.is_some_and(|ttl| ttl.get() == r#""1h""#);
            detail.input_tokens.0.filter(|_| is_hour)
        });
        Ok(Self(for_an_hour.reduce(u64::saturating_add)))
    }
}

impl Usage {
    /// Reads Converse's `usage`.
    pub(super) fn read(&mut self, usage: &RawValue) {
        let shape: Shape = serde_json::from_str(usage.get()).unwrap_or_default();
        let either = |one: Count, other: Count| one.0.or(other.0);
        *self = Self {
            input: shape.input_tokens.0,
            output: shape.output_tokens.0,
            cache_read: either(
                shape.cache_read_input_tokens,
                shape.cache_read_input_token_count,
            ),
            cache_write: either(
                shape.cache_write_input_tokens,
                shape.cache_write_input_token_count,
            ),
            cache_write_1h: shape.cache_details.0,
            total: shape.total_tokens.0,
            reasoning: self.reasoning,
        };
    }

    /// Reads `additionalModelResponseFields`, where the vendor's own details are if the request
    /// asked for them.
    pub(super) fn read_details(&mut self, fields: &RawValue) {
        const POINTERS: [&str; 3] = [
            "/usage/output_tokens_details/reasoning_tokens",
            "/usage/output_tokens_details/thinking_tokens",
            "/usage/completion_tokens_details/reasoning_tokens",
        ];
        let Ok(fields) = serde_json::from_str::<Value>(fields.get()) else {
            return;
        };
        let mut found = POINTERS
            .iter()
            .filter_map(|at| fields.pointer(at)?.as_u64());
        self.reasoning = found.next().or(self.reasoning);
    }

    /// Appends OpenAI's `usage` object; nothing and `false`, if input or output is not known.
    pub(super) fn write(&self, out: &mut impl BufMut) -> bool {
        let (Some(input), Some(output)) = (self.input, self.output) else {
            return false;
        };
        let cached = [self.cache_read, self.cache_write];
        let prompt = cached
            .into_iter()
            .flatten()
            .fold(input, u64::saturating_add);
        let total = self.total.unwrap_or(prompt.saturating_add(output));
        let mut out = out.writer();
        // A buffer in memory does not fail.
        let _ = write!(
            out,
            r#"{{"prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{total}"#
        );
        let _ = match cached {
            [None, None] => Ok(()),
            [Some(read), None] => {
                write!(
                    out,
                    r#","prompt_tokens_details":{{"cached_tokens":{read}}}"#
                )
            }
            [None, Some(written)] => {
                write!(
                    out,
                    r#","prompt_tokens_details":{{"cache_write_tokens":{written}}}"#
                )
            }
            [Some(read), Some(written)] => write!(
                out,
                r#","prompt_tokens_details":{{"cached_tokens":{read},"cache_write_tokens":{written}}}"#
            ),
        };
        if let Some(reasoning) = self.reasoning {
            let _ = write!(
                out,
                r#","completion_tokens_details":{{"reasoning_tokens":{reasoning}}}"#
            );
        }
        let _ = out.write_all(b"}");
        true
    }

    /// Writes the counts down for the record.
    pub(super) fn tell(&self, told: &mut Told) {
        told.input_tokens = self.input;
        told.output_tokens = self.output;
        told.cache_read_tokens = self.cache_read;
        told.cache_write_tokens = self.cache_write;
        told.cache_write_1h_tokens = self.cache_write_1h;
        told.reasoning_tokens = self.reasoning;
    }
}

/// Converse's `metrics`: how long the model took, in milliseconds.
pub(super) fn latency(metrics: &RawValue) -> Option<u64> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Metrics {
        latency_ms: Count,
    }
    let metrics: Metrics = serde_json::from_str(metrics.get()).ok()?;
    metrics.latency_ms.0
}

/// A number that may be written `28.0`; anything else is none.
#[derive(Clone, Copy, Default)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor).map(Self)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a count")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Self::Value, E> {
        Ok(Some(count))
    }

    fn visit_f64<E>(self, count: f64) -> Result<Self::Value, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        // Between these bounds the cast loses nothing but a fraction.
        Ok((0.0..=EXACT).contains(&count).then_some(count as u64))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(usage: &Value, fields: Option<&Value>) -> Usage {
        let raw = |value: &Value| serde_json::value::to_raw_value(value).unwrap();
        let mut read = Usage::default();
        if let Some(fields) = fields {
            read.read_details(&raw(fields));
        }
        read.read(&raw(usage));
        read
    }

    #[test]
    fn counts_become_openais() {
        let table = [
            (
                json!({"inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "serverToolUsage": {}}),
                json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
            ),
            (
                json!({"inputTokens": 11, "outputTokens": 5, "totalTokens": 116, "cacheReadInputTokens": 80, "cacheWriteInputTokens": 20,
                    "cacheDetails": [{"ttl": "5m", "inputTokens": 20}]}),
                json!({"prompt_tokens": 111, "completion_tokens": 5, "total_tokens": 116,
                    "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 20}}),
            ),
            (
                json!({"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokenCount": 7}),
                json!({"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 7}}),
            ),
            (
                json!({"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokenCount": 7}),
                json!({"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10,
                    "prompt_tokens_details": {"cache_write_tokens": 7}}),
            ),
            (
                json!({"inputTokens": 28.0, "outputTokens": u64::MAX, "cacheReadInputTokens": null}),
                json!({"prompt_tokens": 28, "completion_tokens": u64::MAX, "total_tokens": u64::MAX}),
            ),
        ];
        for (usage, expected) in table {
            let mut out = Vec::new();
            assert!(read(&usage, None).write(&mut out));
            let written: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(written, expected, "{usage}");
        }
    }

    #[test]
    fn what_is_not_told_is_not_invented() {
        for usage in [
            json!(null),
            json!({}),
            json!("many"),
            json!({"inputTokens": 1}),
            json!({"outputTokens": 1}),
            json!({"inputTokens": -1, "outputTokens": 1}),
            json!({"inputTokens": "1", "outputTokens": [1]}),
            json!({"inputTokens": {"count": 1}, "outputTokens": true}),
        ] {
            let mut out = Vec::new();
            assert!(!read(&usage, None).write(&mut out), "{usage}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn reasoning_tokens_are_told_if_they_are_reported() {
        let usage = json!({"inputTokens": 1, "outputTokens": 9});
        for (fields, expected) in [
            (
                json!({"usage": {"output_tokens_details": {"reasoning_tokens": 4}}}),
                json!(4),
            ),
            (
                json!({"usage": {"output_tokens_details": {"thinking_tokens": 0}}}),
                json!(0),
            ),
            (
                json!({"usage": {"output_tokens_details": null}}),
                json!(null),
            ),
            (json!("no object"), json!(null)),
        ] {
            let mut out = Vec::new();
            read(&usage, Some(&fields)).write(&mut out);
            let written: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(
                written["completion_tokens_details"]["reasoning_tokens"],
                expected
            );
        }
    }
}
