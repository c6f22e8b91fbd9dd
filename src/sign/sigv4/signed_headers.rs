//! Which headers are signed.

use std::sync::Arc;

use http::HeaderName;

/// Which headers a signature covers. `host`, `x-amz-date` and `x-amz-security-token` always are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum SignedHeaders {
    /// `host`, `content-type`, `x-amz-*`, `x-amzn-bedrock-*`.
    #[default]
    Essential,
    /// These in addition.
    EssentialAnd(Arc<[HeaderName]>),
}

impl SignedHeaders {
    pub(super) fn covers(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        if never_signed(text) {
            return false;
        }
        let essential = matches!(text, "host" | "content-type")
            || text.starts_with("x-amz-")
            || text.starts_with("x-amzn-bedrock-");
        match self {
            Self::Essential => essential,
            Self::EssentialAnd(others) => essential || others.contains(name),
        }
    }
}

/// What proxies add or change in between.
fn never_signed(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "baggage"
            | "connection"
            | "content-length"
            | "expect"
            | "keep-alive"
            | "te"
            | "traceparent"
            | "tracestate"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "user-agent"
            | "x-amzn-trace-id"
    ) || name.starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::SignedHeaders;

    #[test]
    fn what_is_signed() {
        let rule =
            SignedHeaders::EssentialAnd(["x-mine".parse().unwrap(), "te".parse().unwrap()].into());
        for (name, signed) in [
            ("host", true),
            ("content-type", true),
            ("x-amz-foo", true),
            ("x-mine", true),
            ("x-amzn-bedrock-trace", true),
            ("accept", false),
            ("content-length", false),
            ("x-amzn-trace-id", false),
            ("traceparent", false),
            ("te", false),
        ] {
            assert_eq!(rule.covers(&name.parse().unwrap()), signed, "{name}");
        }
        assert!(!SignedHeaders::Essential.covers(&"x-mine".parse().unwrap()));
    }
}
