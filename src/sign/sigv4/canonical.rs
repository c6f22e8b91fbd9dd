//! The lines of a canonical request.

/// The canonical path: empty, `.` and `..` segments are resolved (RFC 3986 §5.2.4), then every
/// byte but `/` and the unreserved ones is percent-encoded, those of escapes too.
pub(in crate::sign) fn push_path(path: &str, into: &mut Vec<u8>) {
    let mut segments: Vec<&str> = Vec::new();
    let mut is_folder = true;
    for segment in path.split('/') {
        is_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    for segment in &segments {
        into.push(b'/');
        push_encoded(segment.as_bytes(), into);
    }
    if is_folder || segments.is_empty() {
        into.push(b'/');
    }
}

/// The canonical value of a header: spaces at its ends are left out, runs of them become one.
/// Other white space stays as it is.
pub(in crate::sign) fn push_value(value: &[u8], into: &mut Vec<u8>) {
    let words = value.split(|byte| *byte == b' ');
    for (at, word) in words.filter(|word| !word.is_empty()).enumerate() {
        if at > 0 {
            into.push(b' ');
        }
        into.extend_from_slice(word);
    }
}

/// Percent-encodes every byte that is not unreserved (RFC 3986 §2.3), with upper-case digits.
fn push_encoded(bytes: &[u8], into: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(byte);
        } else {
            let [high, low] = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            into.extend_from_slice(&[b'%', high, low]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{push_path, push_value};

    #[test]
    fn paths() {
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("*", "/%2A"),
            ("/model/a:0/converse", "/model/a%3A0/converse"),
            ("/model/a%3A0/converse", "/model/a%253A0/converse"),
            ("/a/b/", "/a/b/"),
            ("//a///b//", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/..", "/"),
            ("/../a", "/a"),
            ("/-._~!\u{e9}", "/-._~%21%C3%A9"),
        ] {
            let mut into = Vec::new();
            push_path(path, &mut into);
            assert_eq!(String::from_utf8(into).unwrap(), canonical, "{path}");
        }
    }

    #[test]
    fn values() {
        for (value, canonical) in [
            ("", ""),
            ("   ", ""),
            ("a", "a"),
            ("  a   b c  ", "a b c"),
            ("a\t \tb", "a\t \tb"),
            ("\ta ", "\ta"),
        ] {
            let mut into = Vec::new();
            push_value(value.as_bytes(), &mut into);
            assert_eq!(String::from_utf8(into).unwrap(), canonical, "{value:?}");
        }
    }
}
