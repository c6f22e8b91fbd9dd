//! Model ids: which there can be, and how one stands in a path.

/// Whether `id` can be the id of a model, an inference profile, or an ARN of either: the
/// characters of Bedrock's own pattern, 1 to 2048 of them, slashes in ARNs only.
pub(crate) fn check_model(id: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
    (1..=2048).contains(&id.len())
        && id.bytes().all(fits)
        && !matches!(id, "." | "..")
        && (id.starts_with("arn:") || !id.contains('/'))
}

/// Appends `id` as one path segment, by the rule of Smithy's labels: everything but unreserved
/// characters is escaped (RFC 3986 §2.3).
#[cfg(feature = "compat")]
pub(crate) fn push_segment(path: &mut String, id: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push(char::from(HEX[usize::from(byte >> 4)]));
            path.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_model;

    #[test]
    fn ids() {
        for id in [
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.amazon.nova-lite-v1:0",
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            "x",
        ] {
            assert!(check_model(id), "{id}");
        }
        for id in [
            "", ".", "..", "../x", "a/b", "a b", "a?b", "a#b", "a%2Fb", "\u{e9}",
        ] {
            assert!(!check_model(id), "{id}");
        }
        assert!(!check_model(&"x".repeat(2049)));
    }

    #[cfg(feature = "compat")]
    #[test]
    fn one_segment() {
        let mut path = String::from("/model/");
        super::push_segment(
            &mut path,
            "arn:aws:bedrock:us-east-1::foundation-model/a.b-v1:0",
        );
        assert_eq!(
            path,
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fa.b-v1%3A0"
        );
    }
}
