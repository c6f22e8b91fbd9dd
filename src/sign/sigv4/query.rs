//! The query in the canonical request.

use super::canonical::push_encoded;

/// The canonical query: names and values decoded as those of a form are, encoded again, sorted.
pub(in crate::sign) fn canonical_query(query: &str) -> Vec<u8> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<[Vec<u8>; 2]> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // What is no UTF-8 is replaced, as `aws-sigv4` does.
            [name, value].map(|part| encoded(&String::from_utf8_lossy(&decoded(part))))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<Vec<u8>> = pairs.iter().map(|pair| pair.join(&b'=')).collect();
    pairs.join(&b'&')
}

/// Percent-decoded, `+` being a space; a `%` that begins no escape stays.
fn decoded(part: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escape = after.split_at_checked(2).filter(|_| byte == b'%');
        let escape = escape.and_then(|(digits, after)| Some((hex_byte(digits)?, after)));
        match (escape, byte) {
            (Some((byte, after)), _) => {
                decoded.push(byte);
                rest = after;
            }
            (None, b'+') => decoded.push(b' '),
            (None, _) => decoded.push(byte),
        }
    }
    decoded
}

fn encoded(part: &str) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(part.len());
    push_encoded(part.as_bytes(), &mut encoded);
    encoded
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0, |byte: u8, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(byte << 4 | u8::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::canonical_query;

    #[test]
    fn queries() {
        for (query, wanted) in [
            ("", ""),
            ("&&", ""),
            ("a", "a="),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&a=", "a=&a=1&a=2"),
            ("a=b=c", "a=b%3Dc"),
            ("k=%2b%2B+/", "k=%2B%2B%20%2F"),
            ("k=%zz%", "k=%25zz%25"),
            ("k=%ff", "k=%EF%BF%BD"),
        ] {
            assert_eq!(canonical_query(query), wanted.as_bytes(), "{query}");
        }
    }
}
