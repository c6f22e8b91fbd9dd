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

    /// The bytes that [`write`](Self::write) will append, or a few less.
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// What it says.
    pub(super) fn decoded(self) -> Cow<'a, str> {
        if !self.0.contains('\\') {
            return Cow::Borrowed(self.0);
        }
        let mut whole = String::with_capacity(self.0.len() + 2);
        whole.push('"');
        whole.push_str(self.0);
        whole.push('"');
        serde_json::from_str(&whole).map_or(Cow::Borrowed(self.0), Cow::Owned)
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
        if self.0.is_ascii() && !self.0.contains("\\u") {
            out.put_slice(self.0.as_bytes());
        } else {
            self.write_slowly(out);
        }
    }

    fn write_slowly(self, out: &mut impl BufMut) {
        const SPECIAL: [char; 4] = ['\\', '\u{85}', '\u{2028}', '\u{2029}'];
        let mut rest = self.0;
        while let Some(at) = rest.find(SPECIAL) {
            let (plain, special) = rest.split_at(at);
            out.put_slice(plain.as_bytes());
            let (length, replaced) = match special.chars().next() {
                Some('\u{85}') => ('\u{85}'.len_utf8(), Some("\\u0085")),
                Some('\u{2028}') => ('\u{2028}'.len_utf8(), Some("\\u2028")),
                Some('\u{2029}') => ('\u{2029}'.len_utf8(), Some("\\u2029")),
                _ => {
                    let (length, is_half) = escape_at(special);
                    (length, is_half.then_some("\\ufffd"))
                }
            };
            let (escape, after) = special.split_at_checked(length).unwrap_or((special, ""));
            out.put_slice(replaced.unwrap_or(escape).as_bytes());
            rest = after;
        }
        out.put_slice(rest.as_bytes());
    }
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

/// Appends the JSON text `json`, without the whitespace between its tokens, as it is written
/// inside a JSON string.
pub(super) fn write_embedded(json: &str, out: &mut impl BufMut) {
    let mut rest = json;
    let mut in_string = false;
    while let Some((plain, special, after)) = split_at_special(rest, in_string) {
        out.put_slice(plain.as_bytes());
        rest = after;
        match special {
            b'"' => {
                in_string = !in_string;
                out.put_slice(b"\\\"");
            }
            b'\\' => {
                out.put_slice(b"\\\\");
                // What it escapes goes along.
                if let Some(after) = rest.strip_prefix(['"', '\\']) {
                    let escaped = if rest.starts_with('"') {
                        b"\\\""
                    } else {
                        b"\\\\"
                    };
                    out.put_slice(escaped);
                    rest = after;
                }
            }
            _ => {}
        }
    }
    out.put_slice(rest.as_bytes());
}

/// Cuts `json` at the next quote, backslash or, outside of strings, whitespace.
fn split_at_special(json: &str, in_string: bool) -> Option<(&str, u8, &str)> {
    let at = json.bytes().position(|byte| match byte {
        b'"' => true,
        b'\\' => in_string,
        b' ' | b'\n' | b'\r' | b'\t' => !in_string,
        _ => false,
    })?;
    let (plain, rest) = json.split_at_checked(at)?;
    let (special, after) = rest.split_at_checked(1)?;
    Some((plain, *special.as_bytes().first()?, after))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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

    #[test]
    fn embedded_json_is_compact_and_keeps_the_order_of_keys() {
        let table = [
            ("{}", "{}"),
            (" { } ", "{}"),
            (
                "{\n  \"b\" : [ 1.0 , -2e5 ],\r\n\t\"a b\": \" x \\\" \\\\ \\n é \\u00e9\"\n}",
                "{\"b\":[1.0,-2e5],\"a b\":\" x \\\" \\\\ \\n é \\u00e9\"}",
            ),
            (r#"{"a":"\\","b":"\\\""}"#, r#"{"a":"\\","b":"\\\""}"#),
            ("null", "null"),
        ];
        for (json, expected) in table {
            let mut out = vec![b'"'];
            write_embedded(json, &mut out);
            out.push(b'"');
            let text: String = serde_json::from_slice(&out).unwrap();
            assert_eq!(text, expected);
            let (before, after): (Value, Value) = (
                serde_json::from_str(json).unwrap(),
                serde_json::from_str(&text).unwrap(),
            );
            assert_eq!(before, after);
        }
    }
}
