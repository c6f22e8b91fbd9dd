//! JSON text that goes into an answer: as JSON, or inside of a string.

use std::borrow::Cow;

use bytes::BufMut;

use super::text::Quoted;

/// Appends the JSON text `json` on one line: without the whitespace between its tokens, and its
/// strings as [`Quoted::write`] writes them.
pub(super) fn write_compact(json: &str, out: &mut impl BufMut) {
    let mut rest = json;
    while let Some((tokens, string)) = rest.split_once('"') {
        write_tokens(tokens, out);
        let (text, after) = split_string(string);
        out.put_slice(b"\"");
        Quoted::of_plain(text).write(out);
        out.put_slice(b"\"");
        rest = after;
    }
    write_tokens(rest, out);
}

/// How deep the JSON text `json` is nested.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = json;
    while !rest.is_empty() {
        let (tokens, string) = rest.split_once('"').unwrap_or((rest, ""));
        for byte in tokens.bytes() {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        rest = split_string(string).1;
    }
    deepest
}

/// Appends what [`write_compact`] does, as it is written inside a JSON string.
pub(super) fn write_embedded(json: &str, out: &mut impl BufMut) {
    let mut compact = Vec::with_capacity(json.len());
    write_compact(json, &mut compact);
    for piece in compact.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
        if let [plain @ .., special @ (b'"' | b'\\')] = piece {
            out.put_slice(plain);
            out.put_slice(&[b'\\', *special]);
        } else {
            out.put_slice(piece);
        }
    }
}

fn write_tokens(tokens: &str, out: &mut impl BufMut) {
    for token in tokens.split_ascii_whitespace() {
        out.put_slice(token.as_bytes());
    }
}

/// Cuts after the string that `text` begins with, whose first quote is taken off already.
fn split_string(text: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|text| text.find(['"', '\\'])) {
        let at = from + found;
        if let Some((string, after)) = text.split_at_checked(at)
            && let Some(after) = after.strip_prefix('"')
        {
            return (string, after);
        }
        from = at + 2;
    }
    (text, "")
}

/// A backslash of the inner text.
const BACKSLASH: &str = r"\\";
/// `\uXXXX` of the inner text.
const UNIT: usize = UNIT_START.len() + "XXXX".len();
const UNIT_START: &str = r"\\u";
/// Takes the place of half a surrogate pair, which many parsers refuse the whole text for.
const REPLACEMENT: &str = r"\\ufffd";

/// JSON text inside of a JSON string that comes in pieces, which may be cut within an escape of
/// the inner text.
#[derive(Default)]
pub(super) struct Pieces {
    /// The beginning of an escape.
    held: String,
}

impl Pieces {
    /// What can be told of the text, now that `piece` is there.
    pub(super) fn push<'a>(&mut self, piece: Quoted<'a>) -> Cow<'a, str> {
        let piece = piece.as_written();
        if self.held.is_empty() && !piece.contains(BACKSLASH) {
            return Cow::Borrowed(piece);
        }
        let whole = std::mem::take(&mut self.held) + piece;
        let mut told = String::with_capacity(whole.len());
        let mut rest = &*whole;
        while let Some((plain, escape)) = rest
            .find(BACKSLASH)
            .and_then(|at| rest.split_at_checked(at))
        {
            told.push_str(plain);
            let Some((length, is_half)) = escape_at(escape) else {
                self.held.push_str(escape);
                return Cow::Owned(told);
            };
            let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
            told.push_str(if is_half { REPLACEMENT } else { escape });
            rest = after;
        }
        told.push_str(rest);
        Cow::Owned(told)
    }

    /// What is left, now that no more pieces come.
    pub(super) fn finish(self) -> Cow<'static, str> {
        // Nothing else as long as this is held than the first half of a pair.
        match self.held.len() {
            UNIT => Cow::Borrowed(REPLACEMENT),
            _ => Cow::Owned(self.held),
        }
    }
}

/// The length of the escape that `text` begins with, a surrogate pair being one, and whether it is
/// half such a pair; `None` if that depends on what follows.
fn escape_at(text: &str) -> Option<(usize, bool)> {
    let escaped = text.get(BACKSLASH.len()..)?;
    match escaped.bytes().next()? {
        b'u' => unit_at(text),
        // A quote or a backslash, which have an escape of their own.
        b'\\' => Some((BACKSLASH.len() + 2, false)),
        _ => Some((BACKSLASH.len(), false)),
    }
}

/// The same of an escape by a code unit.
fn unit_at(text: &str) -> Option<(usize, bool)> {
    let (unit, after) = text.split_at_checked(UNIT)?;
    match unit_of(unit) {
        Some(0xD800..=0xDBFF) => {}
        Some(0xDC00..=0xDFFF) => return Some((UNIT, true)),
        _ => return Some((UNIT, false)),
    }
    let next = after.get(..UNIT).unwrap_or(after);
    let begins_unit = UNIT_START.starts_with(next) || next.starts_with(UNIT_START);
    if next.len() < UNIT && begins_unit {
        return None;
    }
    match unit_of(next) {
        Some(0xDC00..=0xDFFF) => Some((2 * UNIT, false)),
        _ => Some((UNIT, true)),
    }
}

fn unit_of(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix(UNIT_START)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn embedded(json: &str) -> String {
        let mut out = vec![b'"'];
        write_embedded(json, &mut out);
        out.push(b'"');
        serde_json::from_slice(&out).unwrap()
    }

    fn compact(json: &str) -> String {
        let mut out = Vec::new();
        write_compact(json, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_becomes_compact_and_keeps_the_order_of_keys() {
        let table = [
            ("{}", "{}"),
            (" { } ", "{}"),
            (
                "{\n  \"b\" : [ 1.0 , -2e5 ],\r\n\t\"a b\": \" x \\\" \\\\ \\n é \\u00e9\"\n}",
                "{\"b\":[1.0,-2e5],\"a b\":\" x \\\" \\\\ \\n é \\u00e9\"}",
            ),
            (r#"{"a":"\\","b":"\\\""}"#, r#"{"a":"\\","b":"\\\""}"#),
            ("null", "null"),
            (r#""""#, r#""""#),
            ("[\"a\u{2028}\"]", r#"["a\u2028"]"#),
        ];
        for (json, expected) in table {
            assert_eq!(compact(json), expected);
            assert_eq!(embedded(json), expected);
            let [before, after] = [json, expected].map(serde_json::from_str::<Value>);
            assert_eq!(before.unwrap(), after.unwrap());
        }
    }

    #[test]
    fn nesting_is_counted_outside_of_strings() {
        for (json, expected) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a[[\"[": [{}, [1], {"b": "{{"}], "c": []}"#, 3),
        ] {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn halves_of_pairs_are_replaced() {
        let table = [
            (r#"{"a":"\ud83e\udd80"}"#, r#"{"a":"\ud83e\udd80"}"#),
            (r#"{"a":"\ud83e"}"#, r#"{"a":"\ufffd"}"#),
            (r#"{"a":"\udd80\ud83ex"}"#, r#"{"a":"\ufffd\ufffdx"}"#),
            (r#"{"a":"\\ud83e"}"#, r#"{"a":"\\ud83e"}"#),
            (
                r#"{"\ud83e\n":"\ud83e\u0041"}"#,
                r#"{"\ufffd\n":"\ufffd\u0041"}"#,
            ),
            (r#"{"a":"\"\ud83e\\\ud83e"}"#, r#"{"a":"\"\ufffd\\\ufffd"}"#),
        ];
        for (json, expected) in table {
            assert_eq!(embedded(json), expected);
            assert!(serde_json::from_str::<Value>(expected).is_ok());
            for size in 1..=json.len() {
                assert_eq!(in_pieces(json, size), expected, "in pieces of {size}");
            }
        }
    }

    #[test]
    fn nothing_is_lost_of_what_is_no_json() {
        for text in [
            r"\",
            r"\u",
            r"\ud8",
            r"\u12é4",
            r"\ud83e\",
            r"\ud83e\ud",
            r"\uxyzw",
            r"a\",
        ] {
            for size in 1..=text.len() {
                let told = in_pieces(text, size);
                assert!(
                    told == text || told == text.replace(r"\ud83e", r"\ufffd"),
                    "{told}"
                );
            }
        }
    }

    /// The text that a client puts together.
    fn in_pieces(text: &str, size: usize) -> String {
        let mut pieces = Pieces::default();
        let mut told = String::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(size) {
            let piece = Value::from(piece.iter().collect::<String>()).to_string();
            told += &pieces.push(serde_json::from_str(&piece).unwrap());
        }
        told += &pieces.finish();
        serde_json::from_str(&format!("\"{told}\"")).unwrap()
    }
}
