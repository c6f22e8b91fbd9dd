//! Which headers are signed.

use std::sync::Arc;

use http::header::{self, HeaderName};

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
    /// Whether this header is signed.
    #[inline]
    pub(super) fn covers(&self, name: &HeaderName) -> bool {
        static HOST: HeaderName = header::HOST;
        static CONTENT_TYPE: HeaderName = header::CONTENT_TYPE;
        *name == HOST
            || *name == CONTENT_TYPE
            || is_amazons(name.as_str())
            || match self {
                Self::Essential => false,
                Self::EssentialAnd(others) => others.contains(name) && !never_signed(name.as_str()),
            }
    }
}

#[inline]
fn is_amazons(name: &str) -> bool {
    name.strip_prefix("x-amz")
        .is_some_and(|rest| rest.starts_with('-') || rest.starts_with("n-bedrock-"))
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
