//! What the headers of an `InvokeModel` answer tell.

use http::{HeaderMap, HeaderValue};

use super::usage::{Usage, credible};

const PREFIX: &str = "x-amzn-bedrock-";

/// A longer name is nobody's.
const MAX_NAME: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) usage: Usage,
    /// How long the model took, in milliseconds.
    pub(super) latency: Option<u64>,
    service_tier: Option<HeaderValue>,
    latency_mode: Option<HeaderValue>,
}

impl Head {
    /// Nothing, if there is no such header.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.keys();
        if !all.any(|name| name.as_str().starts_with(PREFIX)) {
            return None;
        }
        let mut head = Self::default();
        for (name, value) in headers {
            let Some(name) = name.as_str().strip_prefix(PREFIX) else {
                continue;
            };
            let usage = &mut head.usage;
            let number = match name {
                "input-token-count" => &mut usage.input_tokens,
                "output-token-count" => &mut usage.output_tokens,
                "cache-read-input-token-count" => &mut usage.cache_read_tokens,
                "cache-write-input-token-count" => &mut usage.cache_write_tokens,
                "invocation-latency" => &mut head.latency,
                "service-tier" if value.len() <= MAX_NAME => {
                    head.service_tier = Some(value.clone());
                    continue;
                }
                "performanceconfig-latency" if value.len() <= MAX_NAME => {
                    head.latency_mode = Some(value.clone());
                    continue;
                }
                _ => continue,
            };
            *number = value
                .to_str()
                .ok()
                .and_then(|text| credible(text.trim().parse().ok()?));
        }
        Some(head)
    }

    pub(super) fn service_tier(&self) -> Option<&str> {
        self.service_tier.as_ref()?.to_str().ok()
    }

    pub(super) fn latency_mode(&self) -> Option<&str> {
        self.latency_mode.as_ref()?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_headers_tell() {
        let mut headers = HeaderMap::new();
        assert!(Head::of(&headers).is_none());
        for (name, value) in [
            ("x-amzn-bedrock-input-token-count", "12"),
            ("x-amzn-bedrock-output-token-count", "many"),
            ("x-amzn-bedrock-cache-read-input-token-count", "0"),
            (
                "x-amzn-bedrock-cache-write-input-token-count",
                "1000000000001",
            ),
            ("x-amzn-bedrock-invocation-latency", "1830"),
            ("x-amzn-bedrock-service-tier", "flex"),
            ("x-amzn-bedrock-performanceconfig-latency", "optimized"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let head = Head::of(&headers).unwrap();
        let usage = Usage {
            input_tokens: Some(12),
            cache_read_tokens: Some(0),
            ..Usage::default()
        };
        assert_eq!(head.usage, usage);
        assert_eq!(head.latency, Some(1830));
        assert_eq!(head.service_tier(), Some("flex"));
        assert_eq!(head.latency_mode(), Some("optimized"));
    }
}
