//! Strings that go from one JSON text into another without being decoded.

use std::borrow::Cow;

use bytes::BufMut;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

/// A JSON string as it is written, without its quotes: what is escaped stays so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quoted<'a>(&'a str);

impl<'a> Quoted<'a> {
    /// Of a text in which nothing needs to be escaped.
    pub(super) const fn of_plain(text: &'a str) -> Self {
        Self(text)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// As it stands in its JSON text.
    pub(super) fn as_written(self) -> &'a str {
        self.0
    }

    /// The bytes that [`write`](Self::write) will append, or a few less.
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// What it says; U+FFFD for half a surrogate pair.
    pub(super) fn decoded(self) -> Cow<'a, str> {
        if !self.0.contains('\\') {
            return Cow::Borrowed(self.0);
        }
        let mut whole = Vec::with_capacity(self.0.len() + 2);
        whole.push(b'"');
        self.write(&mut whole);
        whole.push(b'"');
        serde_json::from_slice(&whole).map_or(Cow::Borrowed(self.0), Cow::Owned)
    }

    /// Unicode characters, an escape being the one that it stands for.
    pub(super) fn chars(self) -> u64 {
        let mut rest = self.0;
        let mut count = 0;
        while let Some(at) = rest.find('\\') {
            let (plain, escape) = rest.split_at(at);
            let (length, _) = escape_at(escape);
            count += plain.chars().count() + 1;
            rest = escape.get(length..).unwrap_or_default();
        }
        (count + rest.chars().count()) as u64
    }

    /// Appends it, to stand between quotes of the writer's.
    ///
    /// It is never more than one line, not even for those who break lines where Unicode does, and
    /// half a surrogate pair becomes U+FFFD, since many parsers refuse the whole text for it.
    pub(super) fn write(self, out: &mut impl BufMut) {
        let bytes = self.0.as_bytes();
        let (mut from, mut written) = (0, 0);
        while let Some(at) = special_from(from, bytes) {
            let (length, replaced) = match bytes.get(at..).unwrap_or_default() {
                [b'\\', b'u', ..] => {
                    let (length, is_half) = self.0.get(at..).map_or((2, false), escape_at);
                    (length, is_half.then_some("\\ufffd"))
                }
                [b'\\', ..] => (2, None),
                [0xC2, 0x85, ..] => (2, Some("\\u0085")),
                [0xE2, 0x80, 0xA8, ..] => (3, Some("\\u2028")),
                [0xE2, 0x80, 0xA9, ..] => (3, Some("\\u2029")),
                _ => (1, None),
            };
            from = at + length;
            if let Some(replaced) = replaced {
                out.put_slice(bytes.get(written..at).unwrap_or_default());
                out.put_slice(replaced.as_bytes());
                written = from;
            }
        }
        out.put_slice(bytes.get(written..).unwrap_or_default());
    }
}

/// Where, not before `from`, a byte is that may begin what is not written as it is: a backslash,
/// or a character that would break the line.
fn special_from(from: usize, bytes: &[u8]) -> Option<usize> {
    let is_special = |byte: &u8| (*byte == b'\\') | (*byte == 0xC2) | (*byte == 0xE2);
    let rest = bytes.get(from..)?;
    // Many at a time, which the compiler makes a few instructions of.
    let (blocks, _) = rest.as_chunks::<16>();
    let is_plain = |block: &&[u8; 16]| {
        let special = block.iter().map(|byte| u8::from(is_special(byte)));
        special.fold(0, |any, one| any | one) == 0
    };
    let plain = 16 * blocks.iter().take_while(is_plain).count();
    let at = rest.get(plain..)?.iter().position(is_special)?;
    Some(from + plain + at)
}

impl<'de: 'a, 'a> Deserialize<'de> for Quoted<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?.get();
        raw.strip_prefix('"')
            .and_then(|raw| raw.strip_suffix('"'))
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a string"))
    }
}

/// The length of the escape that `text` begins with, a surrogate pair being one, and whether it is
/// half such a pair.
fn escape_at(text: &str) -> (usize, bool) {
    let Some(unit) = unit_at(text) else {
        return (2, false);
    };
    match unit {
        0xD800..=0xDBFF => {
            let low = text.get(6..).and_then(unit_at);
            let is_pair = low.is_some_and(|low| (0xDC00..=0xDFFF).contains(&low));
            if is_pair { (12, false) } else { (6, true) }
        }
        0xDC00..=0xDFFF => (6, true),
        _ => (6, false),
    }
}

/// The code unit of the `\uXXXX` that `text` begins with.
fn unit_at(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Appends `text` as a JSON string, quotes included, on one line as [`Quoted::write`] does.
pub(in super::super) fn write_string(text: &str, out: &mut impl BufMut) {
    if text.is_ascii() {
        // A buffer in memory does not fail.
        let _ = serde_json::to_writer(out.writer(), text);
    } else {
        let json = serde_json::Value::from(text).to_string();
        Quoted(&json).write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        let quoted: Quoted<'_> = serde_json::from_str(json).unwrap();
        let mut out = vec![b'"'];
        quoted.write(&mut out);
        out.push(b'"');
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_stay_as_they_are_written() {
        for json in [
            r#""""#,
            r#""a\n\"b\" \\ \/ \u00e9 é 🦀 \ud83e\udd80""#,
            r#""data: [DONE]\n\ndata: x""#,
            r#""\\u2028 \\ud800""#,
        ] {
            assert_eq!(written(json), json);
        }
    }

    #[test]
    fn line_ends_of_unicode_are_escaped_and_halves_replaced() {
        let table = [
            (
                "\"a\u{2028}b\u{2029}c\u{85}é\"",
                r#""a\u2028b\u2029c\u0085é""#,
            ),
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\udc00\ud800x""#, r#""\ufffd\ufffdx""#),
            (r#""\ud83e\ud83e\udd80""#, r#""\ufffd\ud83e\udd80""#),
            (r#""\ud83e\n""#, r#""\ufffd\n""#),
        ];
        for (json, expected) in table {
            assert_eq!(written(json), expected);
            assert!(serde_json::from_str::<String>(&written(json)).is_ok());
        }
    }

    #[test]
    fn texts_become_strings() {
        for text in ["", "a\"\\\n\u{1}", "é\u{2028}\"\u{85}🦀"] {
            let mut out = Vec::new();
            write_string(text, &mut out);
            let json = String::from_utf8(out).unwrap();
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            assert!(!json.contains(['\u{2028}', '\u{85}', '\n']), "{json}");
        }
    }

    #[test]
    fn only_strings_are_strings() {
        for json in ["1", "null", "{}", r#"["a"]"#, "true"] {
            assert!(serde_json::from_str::<Quoted<'_>>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn characters_are_counted_decoded() {
        for json in [
            r#""""#,
            r#""plain""#,
            r#""é🦀""#,
            r#""\n\u00e9\ud83e\udd80\\u""#,
            r#""\"\\\"""#,
        ] {
            let quoted: Quoted<'_> = serde_json::from_str(json).unwrap();
            let text: String = serde_json::from_str(json).unwrap();
            assert_eq!(quoted.chars(), text.chars().count() as u64, "{json}");
            assert_eq!(quoted.decoded(), text);
        }
    }
}
