//! What of AWS's words is not the caller's business.

/// Longer texts are cut.
const MAX_CHARS: usize = 4000;

/// `text` without ARNs, account ids, access key ids and names of hosts of AWS's.
pub(super) fn scrubbed(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_CHARS));
    let text = match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    };
    for token in text.split_inclusive(is_separator) {
        let word = token.trim_end_matches(is_separator);
        let separator = token.get(word.len()..).unwrap_or_default();
        // A full stop or a colon after a word is not of it.
        let bare = word.trim_end_matches(['.', ':']);
        match replaced(bare) {
            Some(replacement) => {
                out.push_str(replacement);
                out.push_str(word.get(bare.len()..).unwrap_or_default());
            }
            None => out.push_str(word),
        }
        out.push_str(separator);
    }
    out
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || "\"'`,;()[]{}<>|=".contains(c)
}

fn replaced(word: &str) -> Option<&'static str> {
    if word.contains("arn:aws") {
        return Some("[arn]");
    }
    let lower = word.to_ascii_lowercase();
    if [".amazonaws.", ".amazon.com", ".api.aws"]
        .iter()
        .any(|host| lower.contains(host))
    {
        return Some("[host]");
    }
    let mut parts = word.split(|c: char| !c.is_ascii_alphanumeric());
    parts.find_map(|part| {
        if part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()) {
            Some("[account]")
        } else if part.len() >= 16 && ["AKIA", "ASIA"].iter().any(|id| part.starts_with(id)) {
            Some("[key]")
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let table = [
            ("", ""),
            (
                "The provided model identifier is invalid.",
                "The provided model identifier is invalid.",
            ),
            (
                "User: arn:aws:iam::123456789012:user/x is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/a.b-v1:0 because",
                "User: [arn] is not authorized to perform: bedrock:InvokeModel on resource: [arn] because",
            ),
            (
                "role \"arn:aws-us-gov:sts::1:assumed-role/a\".",
                "role \"[arn]\".",
            ),
            (
                "account 123456789012, not 12345678901",
                "account [account], not 12345678901",
            ),
            ("(account_123456789012)", "([account])"),
            (
                "cannot reach https://bedrock-runtime.us-east-1.amazonaws.com/model: gone",
                "cannot reach [host]: gone",
            ),
            ("vpce-1.bedrock.us-east-1.vpce.AMAZONAWS.com.", "[host]."),
            ("key AKIAIOSFODNN7EXAMPLE is gone", "key [key] is gone"),
            ("a\n\n  b\u{2028}é: ", "a\n\n  b\u{2028}é: "),
        ];
        for (text, expected) in table {
            assert_eq!(scrubbed(text), expected);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(scrubbed(&"é ".repeat(1_000_000)).chars().count(), MAX_CHARS);
    }
}
