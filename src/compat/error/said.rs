//! What the body of an error says.

use serde_json::Value;

/// Empty where nothing is said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// As it is written: `com.amazon.coral.service#UnknownOperationException`.
    pub(super) name: String,
    pub(super) message: String,
}

impl Said {
    /// Reads what AWS's services write, and OpenAI's; nothing in a page of HTML.
    pub(super) fn in_body(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let text = |pointers: &[&str]| {
            let mut found = pointers.iter().filter_map(|at| body.pointer(at)?.as_str());
            found.next().unwrap_or_default().to_owned()
        };
        Self {
            name: text(&["/__type", "/Output/__type"]),
            // Denials of IAM have the capital letter.
            message: text(&["/message", "/Message", "/originalMessage", "/error/message"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let table = [
            (r#"{"message":"m"}"#, "", "m"),
            (r#"{"Message":"m"}"#, "", "m"),
            (r#"{"message":null,"Message":"m"}"#, "", "m"),
            (
                r#"{"originalMessage":"m","originalStatusCode":500}"#,
                "",
                "m",
            ),
            (r#"{"__type":"a.b#C","message":"m"}"#, "a.b#C", "m"),
            (
                r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#,
                "com.amazon.coral.service#UnknownOperationException",
                "",
            ),
            (r#"{"error":{"message":"m","type":"t"}}"#, "", "m"),
            ("", "", ""),
            ("<html><body>502 Bad Gateway</body></html>", "", ""),
            ("[1]", "", ""),
            ("{\"message\":7", "", ""),
            ("\u{feff}{}", "", ""),
        ];
        for (body, name, message) in table {
            let said = Said::in_body(body.as_bytes());
            assert_eq!((&*said.name, &*said.message), (name, message), "{body}");
        }
        assert_eq!(Said::in_body(b"\xff\xfe"), Said::default());
    }
}
