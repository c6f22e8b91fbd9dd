//! What may stand in `{rest}`, and how a model id is decoded.

use std::borrow::Cow;

/// Refuses what AWS and a proxy in between could read differently.
pub(super) fn rest(rest: &str) -> Result<(), &'static str> {
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        let decoded = if byte == b'%' {
            let escape = (bytes.next().and_then(hex), bytes.next().and_then(hex));
            let (Some(high), Some(low)) = escape else {
                return Err(
                    "the path holds an invalid escape: a % must be followed by two hex digits",
                );
            };
            high << 4 | low
        } else {
            byte
        };
        match decoded {
            0..=0x1f | 0x7f => return Err("the path holds a control character"),
            b'\\' => return Err("the path holds a backslash"),
            _ => {}
        }
    }
    if rest.split('/').any(is_dots) {
        return Err("the path holds a \".\" or \"..\" segment");
    }
    Ok(())
}

/// `.` and `..`, raw or encoded. Every segment comes by here, so nothing is allocated.
fn is_dots(segment: &str) -> bool {
    let after_dot = |text| {
        ["%2e", "%2E", "."]
            .iter()
            .find_map(|dot| str::strip_prefix(text, dot))
    };
    after_dot(segment).is_some_and(|rest| rest.is_empty() || after_dot(rest) == Some(""))
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
    while let Some((&byte, tail)) = bytes.split_first() {
        if let (b'%', [high, low, tail @ ..]) = (byte, tail)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            bytes = tail;
        } else {
            out.push(byte);
            bytes = tail;
        }
    }
    *text = match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}
