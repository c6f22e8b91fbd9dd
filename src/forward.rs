//! Which headers of a gateway's client Bedrock gets to see.

use http::header::{HeaderMap, HeaderName};

/// Headers of a signature that the client made, or that belong to none.
pub(crate) const STALE: [&str; 5] = [
    "authorization",
    "x-amz-cf-id",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

/// The headers that travel on: those that Bedrock knows, and the `others`.
pub(crate) fn forwarded(headers: HeaderMap, others: &[HeaderName]) -> HeaderMap {
    const NAMES: [&str; 5] = [
        "accept",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    const PREFIXES: [&str; 5] = [
        "amz-sdk-",
        "anthropic-",
        "openai-",
        "x-amz-",
        "x-amzn-bedrock-",
    ];
    // Room for the three headers of the signature, so that the map does not grow again.
    let mut kept = HeaderMap::with_capacity(headers.keys_len() + 4);
    let mut current = None;
    for (name, value) in headers {
        if let Some(name) = name {
            let text = name.as_str();
            let known = NAMES.contains(&text) || PREFIXES.iter().any(|p| text.starts_with(p));
            let keep = others.contains(&name) || known && !STALE.contains(&text);
            current = keep.then_some(name);
        }
        if let Some(name) = &current {
            kept.append(name.clone(), value);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use http::header::HeaderMap;

    use super::forwarded;

    #[test]
    fn only_what_bedrock_knows_is_forwarded() {
        let mut headers = HeaderMap::new();
        for name in [
            "accept",
            "accept-encoding",
            "amz-sdk-request",
            "anthropic-beta",
            "authorization",
            "content-encoding",
            "content-length",
            "content-type",
            "host",
            "openai-organization",
            "user-agent",
            "x-amz-cf-id",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-foo",
            "x-amz-security-token",
            "x-amzn-bedrock-trace",
            "x-amzn-trace-id",
            "x-mine",
            "x-other",
        ] {
            headers.append(name, "1".parse().unwrap());
        }
        headers.append("x-amz-foo", "2".parse().unwrap());
        let kept = forwarded(headers, &["x-mine".parse().unwrap()]);
        let mut names: Vec<_> = kept.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "accept",
                "amz-sdk-request",
                "anthropic-beta",
                "content-length",
                "content-type",
                "host",
                "openai-organization",
                "user-agent",
                "x-amz-foo",
                "x-amzn-bedrock-trace",
                "x-mine",
            ]
        );
        assert_eq!(kept.get_all("x-amz-foo").iter().count(), 2);
    }
}
