//! Which headers of a gateway's client Bedrock gets to see.

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderName};

use crate::headers::Present;

/// Leaves only the headers that travel on: those that Bedrock knows, and the `others`. `present` are
/// those of this head.
pub(crate) fn keep_forwarded(headers: &mut HeaderMap, present: Present, others: &[HeaderName]) {
    if present.has(Present::ACCEPT_ENCODING) && !others.contains(&ACCEPT_ENCODING) {
        headers.remove(ACCEPT_ENCODING);
    }
    if present.has(Present::LOCAL) {
        remove(headers, |name| {
            Present::named(name.as_str()).has(Present::LOCAL) && !others.contains(name)
        });
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

    use super::{Present, keep_forwarded};

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
        let present = Present::in_head(&headers);
        keep_forwarded(&mut headers, present, &["x-mine".parse().unwrap()]);
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
