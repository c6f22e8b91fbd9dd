//! The canonical request, up to the hash of the body.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use http::{HeaderName, HeaderValue};

pub(super) static DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub(super) static TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signed headers that are put in order here; more are unusual.
const MOST: usize = 24;

/// Where things are in a written canonical request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The 16 characters of the date.
    pub(super) date: usize,
    /// The names of the signed headers; a line break follows.
    pub(super) names: usize,
}

/// Writes the canonical request of a request without a query, as far as the hash of its body.
///
/// `None` if it has too many headers to be put in order here, or a value that cannot be signed.
pub(super) fn write<'a>(
    into: &mut Vec<u8>,
    (method, path): (&str, &str),
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    date: &'a [u8; 16],
    token: Option<&'a str>,
) -> Option<Layout> {
    let mut fields = Fields::new();
    for (name, value) in headers {
        fields.add(name.as_str(), value.as_bytes())?;
    }
    fields.add(DATE.as_str(), date)?;
    if let Some(token) = token {
        fields.add(TOKEN.as_str(), token.as_bytes())?;
    }

    into.clear();
    into.extend_from_slice(method.as_bytes());
    into.push(b'\n');
    push_path(path, into);
    into.extend_from_slice(b"\n\n");
    let mut date_at = 0;
    for (name, values) in fields.by_name() {
        into.extend_from_slice(name.as_bytes());
        into.push(b':');
        if name == DATE.as_str() {
            date_at = into.len();
        }
        for &(_, value) in values {
            if !value.iter().all(|&byte| is_visible(byte)) {
                return None;
            }
            push_value(value, into);
            into.push(b',');
        }
        into.pop();
        into.push(b'\n');
    }
    into.push(b'\n');
    let names_at = into.len();
    for (name, _) in fields.by_name() {
        into.extend_from_slice(name.as_bytes());
        into.push(b';');
    }
    into.pop();
    into.push(b'\n');
    Some(Layout {
        date: date_at,
        names: names_at,
    })
}

/// What [`HeaderValue::to_str`] takes.
fn is_visible(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

/// Headers in the order of their names; values of the same name in the order of the request.
struct Fields<'a> {
    sorted: [(&'a str, &'a [u8]); MOST],
    len: usize,
}

impl<'a> Fields<'a> {
    fn new() -> Self {
        Self {
            sorted: [("", &[]); MOST],
            len: 0,
        }
    }

    fn add(&mut self, name: &'a str, value: &'a [u8]) -> Option<()> {
        let used = self.sorted.get_mut(..=self.len)?;
        let at = used[..self.len].partition_point(|(other, _)| *other <= name);
        used[at..].rotate_right(1);
        used[at] = (name, value);
        self.len += 1;
        Some(())
    }

    fn by_name(&self) -> impl Iterator<Item = (&'a str, &[(&'a str, &'a [u8])])> {
        self.sorted[..self.len]
            .chunk_by(|(a, _), (b, _)| a == b)
            .map(|values| (values[0].0, values))
    }
}

/// Writes a path as it is signed: empty, `.` and `..` segments removed (RFC 3986 §5.2.4), then
/// percent-encoded once more. So `/model/a%3A0` is signed as `/model/a%253A0`.
pub(in crate::sign) fn push_path(path: &str, into: &mut Vec<u8>) {
    let start = into.len();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                let parent = into[start..].iter().rposition(|&byte| byte == b'/');
                into.truncate(start + parent.unwrap_or(0));
            }
            segment => {
                into.push(b'/');
                push_encoded(segment.as_bytes(), into);
            }
        }
    }
    let to_directory = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    if to_directory && into.last() != Some(&b'/') || into.len() == start {
        into.push(b'/');
    }
}

/// Percent-encodes every byte that is not unreserved (RFC 3986 §2.3).
pub(super) fn push_encoded(text: &[u8], into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            into.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
        }
    }
}

/// Writes a header's value as it is signed: without spaces around it, and with one for each run
/// of spaces in it. Tabs stay.
pub(in crate::sign) fn push_value(value: &[u8], into: &mut Vec<u8>) {
    let is_plain = value.first() != Some(&b' ')
        && value.last() != Some(&b' ')
        && !value.windows(2).any(|pair| pair == b"  ");
    if is_plain {
        into.extend_from_slice(value);
        return;
    }
    let words = value
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty());
    for (n, word) in words.enumerate() {
        if n > 0 {
            into.push(b' ');
        }
        into.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use super::{push_path, push_value};

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = b"GET\n".to_vec();
        write(&mut text);
        String::from_utf8(text.split_off(4)).unwrap()
    }

    #[test]
    fn paths() {
        for (path, wanted) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/.", "/"),
            ("/..", "/"),
            ("/../..", "/"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a//", "/a/"),
            ("/a/.", "/a/"),
            ("/a/./", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a/b/../c", "/a/c"),
            ("/a/../../c", "/c"),
            ("/a.b/...", "/a.b/..."),
            ("/model/m:0/converse", "/model/m%3A0/converse"),
            ("/model/m%3a0/converse", "/model/m%253a0/converse"),
            ("/%2F/~-_.", "/%252F/~-_."),
            ("/a%2F../b", "/a%252F../b"),
        ] {
            assert_eq!(written(|text| push_path(path, text)), wanted, "{path}");
        }
    }

    #[test]
    fn values() {
        for (value, wanted) in [
            ("", ""),
            (" ", ""),
            ("a", "a"),
            (" a", "a"),
            ("a ", "a"),
            ("  a   b c ", "a b c"),
            ("\ta \t b\t", "\ta \t b\t"),
        ] {
            assert_eq!(written(|text| push_value(value.as_bytes(), text)), wanted);
        }
    }
}
