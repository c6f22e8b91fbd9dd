//! The canonical request of Signature Version 4, from the parts of a request as they arrived.

use http::{HeaderMap, HeaderName};

/// How a raw `+` in a query is read. Signers disagree (form decoding or plain percent decoding) and what AWS does is
/// not documented, so the verifier tries both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plus {
    Space,
    Literal,
}

/// The canonical URI: empty, `.` and `..` segments resolved, a trailing slash kept, then every segment
/// percent-encoded once more (`:` becomes `%3A`, `%3A` becomes `%253A`).
pub(super) fn uri(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut canonical = String::with_capacity(path.len() + 16);
    for segment in &segments {
        canonical.push('/');
        encode(segment.as_bytes(), &mut canonical);
    }
    if canonical.is_empty() || path.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

/// The canonical query: names and values decoded, encoded again, sorted. `skip` leaves out the signature itself.
pub(super) fn query(query: &str, plus: Plus, skip: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name, plus), decode(value, plus)))
        .filter(|(name, _)| skip.is_none_or(|skipped| name != skipped.as_bytes()))
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The canonical headers, one `name:value` line each, for `signed` (lower case, sorted).
pub(super) fn headers(signed: &[&str], headers: &HeaderMap, authority: Option<&str>) -> Vec<u8> {
    let mut canonical = Vec::new();
    for name in signed {
        canonical.extend_from_slice(name.as_bytes());
        canonical.push(b':');
        if let Some(value) = header(name, headers, authority) {
            canonical.extend_from_slice(&value);
        }
        canonical.push(b'\n');
    }
    canonical
}

/// One header's canonical value: spaces trimmed and collapsed, duplicates joined by a comma. HTTP/2 carries the host
/// in `:authority`, which some signers call by that name and others by `host`.
pub(super) fn header(name: &str, headers: &HeaderMap, authority: Option<&str>) -> Option<Vec<u8>> {
    if name == ":authority" {
        return authority.map(|authority| authority.as_bytes().to_vec());
    }
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let values: Vec<Vec<u8>> = headers
        .get_all(&name)
        .iter()
        .map(|value| collapse(value.as_bytes()))
        .collect();
    if values.is_empty() {
        let host = authority.filter(|_| name == http::header::HOST)?;
        return Some(host.as_bytes().to_vec());
    }
    Some(values.join(&b','))
}

/// The canonical request itself.
pub(super) fn request(
    method: &str,
    uri: &str,
    query: &str,
    headers: &[u8],
    signed: &str,
    payload: &str,
) -> Vec<u8> {
    let mut canonical = format!("{method}\n{uri}\n{query}\n").into_bytes();
    canonical.extend_from_slice(headers);
    canonical.extend_from_slice(format!("\n{signed}\n{payload}").as_bytes());
    canonical
}

/// Percent-decodes `text`; an invalid escape stays as it is.
pub(super) fn decode(text: &str, plus: Plus) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            (b'+', _) if plus == Plus::Space => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    decoded
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    encode(bytes, &mut text);
    text
}

fn encode(bytes: &[u8], into: &mut String) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn collapse(value: &[u8]) -> Vec<u8> {
    let words: Vec<&[u8]> = value
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    words.join(&b' ')
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn uri_encodes_once_more() {
        for (path, wanted) in [
            ("", "/"),
            ("/", "/"),
            ("/model/a:0/converse", "/model/a%3A0/converse"),
            ("/model/a%3A0/converse", "/model/a%253A0/converse"),
            ("/a//b/./c/../d/", "/a/b/d/"),
            ("/..", "/"),
            ("/x y~-._", "/x%20y~-._"),
            ("/%2F/é", "/%252F/%C3%A9"),
        ] {
            assert_eq!(uri(path), wanted, "{path}");
        }
    }

    #[test]
    fn query_is_sorted_and_encoded_again() {
        for (raw, wanted) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a&a=&b", "a=&a=&b="),
            ("a=2&a=1&a=", "a=&a=1&a=2"),
            ("k=%2b%2B/", "k=%2B%2B%2F"),
            ("k=a=b", "k=a%3Db"),
        ] {
            assert_eq!(query(raw, Plus::Literal, None), wanted, "{raw}");
        }
        assert_eq!(query("a=b+c", Plus::Space, None), "a=b%20c");
        assert_eq!(query("a=b+c", Plus::Literal, None), "a=b%2Bc");
        assert_eq!(
            query(
                "z=1&X-Amz-Signature=00",
                Plus::Space,
                Some("X-Amz-Signature")
            ),
            "z=1"
        );
    }

    #[test]
    fn headers_are_trimmed_collapsed_and_joined() {
        let mut map = HeaderMap::new();
        map.append("x-amz-a", HeaderValue::from_static("  one   two "));
        map.append("x-amz-a", HeaderValue::from_static("three"));
        assert_eq!(header("x-amz-a", &map, None).unwrap(), b"one two,three");
        assert_eq!(header("host", &map, Some("h:1")).unwrap(), b"h:1");
        assert_eq!(header(":authority", &map, Some("h:1")).unwrap(), b"h:1");
        assert_eq!(header(":authority", &map, None), None);
        map.insert("host", HeaderValue::from_static("other"));
        assert_eq!(header("host", &map, Some("h:1")).unwrap(), b"other");
    }
}
