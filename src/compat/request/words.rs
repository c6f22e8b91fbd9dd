//! Text on its way through: most of a request is text that nobody has to look into.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::value::RawValue;

/// A text. As the client wrote it, quotes and escapes included, where that can be written again.
#[derive(Debug, Clone)]
pub(super) enum Words<'n> {
    Written(&'n RawValue),
    Plain(Cow<'n, str>),
}

impl<'n> Words<'n> {
    pub(super) fn plain(text: &'n str) -> Self {
        Self::Plain(Cow::Borrowed(text))
    }

    /// Whether there is nothing in it that a model would take for text.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Plain(text) => is_blank(text),
            Self::Written(raw) => {
                let text = raw.get().strip_prefix('"').unwrap_or_default();
                let mut rest = text.trim_start();
                while let Some(after) = rest.strip_prefix('\\') {
                    let Some(after) = after.strip_prefix(['n', 'r', 't', 'f']) else {
                        return false;
                    };
                    rest = after.trim_start();
                }
                rest == "\""
            }
        }
    }

    /// Takes white space away at the end.
    pub(super) fn trim_end(&mut self) {
        let text: String = match self {
            Self::Plain(text) => text.trim_end().to_owned(),
            // It has been read as a string already.
            Self::Written(raw) => serde_json::from_str(raw.get()).unwrap_or_default(),
        };
        *self = Self::Plain(Cow::Owned(text.trim_end().to_owned()));
    }
}

impl Serialize for Words<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Written(raw) => raw.serialize(serializer),
            Self::Plain(text) => text.serialize(serializer),
        }
    }
}

pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::Words;

    fn written(text: &str) -> Words<'_> {
        Words::Written(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn blank_or_not() {
        for blank in [
            r#""""#,
            r#"" ""#,
            r#""\n""#,
            r#"" \t \r\n \f""#,
            "\"\u{2028}\"",
        ] {
            assert!(written(blank).is_blank(), "{blank}");
        }
        for text in [
            r#""a""#,
            r#""\\n""#,
            r#""\"""#,
            r#""\/""#,
            r#"" \n.""#,
            r#""\b""#,
        ] {
            assert!(!written(text).is_blank(), "{text}");
        }
    }

    #[test]
    fn as_it_was_written() {
        let text = r#""a\/b\n\"""#;
        assert_eq!(serde_json::to_string(&written(text)).unwrap(), text);
        let mut words = written(r#""a\/b \n\t""#);
        words.trim_end();
        assert_eq!(serde_json::to_string(&words).unwrap(), r#""a/b""#);
    }
}
