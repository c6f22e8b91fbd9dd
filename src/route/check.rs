//! What may stand in `{rest}`, and how a model id is decoded.

use std::borrow::Cow;

/// Refuses what AWS and a proxy in between could read differently.
pub(super) fn rest(rest: &str) -> Result<(), &'static str> {
    let mut bytes = rest.as_bytes();
    // Of what stood before these bytes, the last.
    let mut before = b'/';
    while let Some(at) = bytes.iter().position(|byte| IS_TOLD[usize::from(*byte)]) {
        before = at.checked_sub(1).map_or(before, |last| bytes[last]);
        bytes = &bytes[at..];
        if before == b'/' && is_dots(bytes) {
            return Err("the path holds a \".\" or \"..\" segment");
        }
        let (byte, tail) = (bytes[0], &bytes[1..]);
        let escaped = (byte == b'%').then(|| unescape(tail));
        let Some((decoded, tail)) = escaped.unwrap_or(Some((byte, tail))) else {
            return Err("the path holds an invalid escape: a % must be followed by two hex digits");
        };
        match decoded {
            0..=0x1f | 0x7f => return Err("the path holds a control character"),
            b'\\' => return Err("the path holds a backslash"),
            _ => (before, bytes) = (byte, tail),
        }
    }
    Ok(())
}

/// The bytes that tell something; most are none of these.
const IS_TOLD: [bool; 256] = {
    let mut told = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        told[byte] = matches!(byte as u8, 0..=0x1f | 0x7f | b'%' | b'\\' | b'.');
        byte += 1;
    }
    told
};

/// Whether the first segment is `.` or `..`, raw or encoded. Every path comes by here, so nothing is
/// allocated.
fn is_dots(path: &[u8]) -> bool {
    fn after_dot(text: &[u8]) -> Option<&[u8]> {
        match text {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => Some(rest),
            _ => None,
        }
    }
    let ends = |rest: &[u8]| matches!(rest, [] | [b'/', ..]);
    after_dot(path).is_some_and(|rest| ends(rest) || after_dot(rest).is_some_and(ends))
}

/// Decodes escapes once. What is not UTF-8 after decoding is replaced, not refused.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    if !raw.contains('%') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    decode_into(raw, &mut text);
    Cow::Owned(text)
}

/// The same, in the room of another text.
pub(crate) fn decode_into(raw: &str, text: &mut String) {
    let mut out = std::mem::take(text).into_bytes();
    out.clear();
    let mut bytes = raw.as_bytes();
    while let Some(at) = bytes.iter().position(|byte| *byte == b'%') {
        let (plain, escape) = bytes.split_at(at);
        out.extend_from_slice(plain);
        let after = escape.get(1..).unwrap_or_default();
        let (byte, tail) = unescape(after).unwrap_or((b'%', after));
        out.push(byte);
        bytes = tail;
    }
    out.extend_from_slice(bytes);
    *text = match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
}

/// The byte that the two digits after a `%` stand for, and what follows.
fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], rest) = text.split_first_chunk()?;
    Some((hex(high)? << 4 | hex(low)?, rest))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
