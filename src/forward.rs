//! Which headers of a gateway's client Bedrock gets to see.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, USER_AGENT,
};

/// Headers of a signature that the client made, or that belong to none.
pub(crate) const STALE: [&str; 5] = [
    "authorization",
    "x-amz-cf-id",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

/// Leaves only the headers that travel on: those that Bedrock knows, and the `others`.
pub(crate) fn keep_forwarded(headers: &mut HeaderMap, others: &[HeaderName]) {
    remove(headers, |name| !travels(name) && !others.contains(name));
}

fn travels(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 5] = [
        "amz-sdk-",
        "anthropic-",
        "openai-",
        "x-amz-",
        "x-amzn-bedrock-",
    ];
    // Without their names in text, most are known by one comparison.
    let is_known = *name == HOST
        || *name == ACCEPT
        || *name == CONTENT_LENGTH
        || *name == CONTENT_TYPE
        || *name == USER_AGENT;
    is_known || {
        let text = name.as_str();
        PREFIXES.iter().any(|prefix| text.starts_with(prefix)) && !STALE.contains(&text)
    }
}

/// Removes the headers with a doomed name.
pub(crate) fn remove(headers: &mut HeaderMap, doomed: impl Fn(&HeaderName) -> bool) {
    // Most requests have only a few of them: no list is made for these. And they are looked up by
    // a copy on the stack, for cloning a name that came over the wire allocates.
    let mut buffer = [0; 64];
    for _ in 0..16 {
        let Some(name) = headers.keys().find(|name| doomed(name)) else {
            return;
        };
        // Most clients send it, and it is known without its text.
        if *name == ACCEPT_ENCODING {
            headers.remove(ACCEPT_ENCODING);
            continue;
        }
        let name = name.as_str().as_bytes();
        let Some(copy) = buffer.get_mut(..name.len()) else {
            break;
        };
        copy.copy_from_slice(name);
        match std::str::from_utf8(copy) {
            Ok(name) => headers.remove(name),
            Err(_) => break,
        };
    }
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| doomed(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::header::HeaderMap;

    use super::keep_forwarded;

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
        keep_forwarded(&mut headers, &["x-mine".parse().unwrap()]);
        let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
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
        assert_eq!(headers.get_all("x-amz-foo").iter().count(), 2);
    }
}
