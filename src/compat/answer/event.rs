//! What a frame is.

use serde::Deserialize;

use super::text::Quoted;
use crate::compat::error::OpenAiError;
use crate::eventstream::Frame;

/// The name of the event.
///
/// # Errors
/// What an exception says, in whichever form it comes.
pub(super) fn name_of(frame: &Frame) -> Result<&str, OpenAiError> {
    let (mut message, mut event, mut exception) = ("", "", "");
    let (mut code, mut text) = ("", "");
    for (name, value) in frame.headers() {
        let field = match name {
            ":message-type" => &mut message,
            ":event-type" => &mut event,
            ":exception-type" => &mut exception,
            ":error-code" => &mut code,
            ":error-message" => &mut text,
            _ => continue,
        };
        *field = value.as_str().unwrap_or_default();
    }
    match message {
        "exception" => Err(OpenAiError::of_exception(exception, frame.payload())),
        "error" => Err(OpenAiError::of_fault(code, text)),
        _ if event.ends_with("Exception") => Err(OpenAiError::of_exception(event, frame.payload())),
        "event" if !event.is_empty() => Ok(event),
        _ => Err(OpenAiError::of_unreadable_stream()),
    }
}

/// What the frame carries.
pub(super) fn read<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Result<T, OpenAiError> {
    let text = std::str::from_utf8(frame.payload()).ok();
    text.and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(OpenAiError::of_unreadable_stream)
}

/// The headers of a `contentBlockDelta` as Bedrock writes them, byte for byte.
const DELTA: &[u8] = b"\x0b:event-type\x07\x00\x11contentBlockDelta\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event";

/// Both lengths and their checksum before the headers, a checksum after the payload.
const FRAMING: usize = 12 + 4;

/// What the padding is the beginning of.
const PADDING: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The block's index and the text, if the frame is what nearly all are: a piece of text, written
/// the way that Bedrock writes it. It saves a walk through headers and JSON; any other frame gives
/// `None` and takes the long way.
pub(super) fn text_at_a_glance(frame: &Frame) -> Option<(u64, Quoted<'_>)> {
    let (raw, payload) = (frame.raw(), frame.payload());
    let headers = raw.get(12..)?;
    if !headers.starts_with(DELTA) || raw.len() != DELTA.len() + payload.len() + FRAMING {
        return None;
    }
    text_of(payload)
}

fn text_of(payload: &[u8]) -> Option<(u64, Quoted<'_>)> {
    let rest = payload.strip_prefix(b"{\"contentBlockIndex\":")?;
    let (index, rest) = match rest {
        [digit @ b'0'..=b'9', rest @ ..] => (digit - b'0', rest),
        _ => return None,
    };
    let rest = rest.strip_prefix(b",\"delta\":{\"text\":\"")?;
    let (text, rest) = rest.split_at_checked(end_of_string(rest)?)?;
    let rest = rest.strip_prefix(b"\"}")?;
    if rest != b"}" {
        let padding = rest.strip_prefix(b",\"p\":\"")?.strip_suffix(b"\"}")?;
        if !PADDING.starts_with(padding) {
            return None;
        }
    }
    let text = std::str::from_utf8(text).ok()?;
    Some((u64::from(index), Quoted::of_plain(text)))
}

/// Where the quote is that ends the string; `None` if there is none or what is before it is not of
/// a string.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        at += rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        match text.get(at..)? {
            [b'"', ..] => return Some(at),
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => at += 2,
            // Longer escapes, and what is no string at all.
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::converse::BlockDelta;
    use super::*;
    use crate::eventstream::{self, Decoder};

    fn frame(event: &str, payload: &[u8]) -> Frame {
        let mut decoder = Decoder::new();
        decoder.push(eventstream::event(event, payload));
        decoder.next().unwrap().unwrap()
    }

    /// What is seen at a glance; fails if it is not what the long way sees.
    fn glance(payload: &[u8]) -> Option<String> {
        let frame = frame("contentBlockDelta", payload);
        let (index, text) = text_at_a_glance(&frame)?;
        let read: BlockDelta<'_> = read(&frame).expect("it is JSON");
        let delta = read.delta.unwrap();
        assert_eq!(read.content_block_index, Some(index));
        assert_eq!(delta.text.unwrap().decoded(), text.decoded());
        assert!(delta.tool_use.is_none() && delta.citation.is_none());
        assert!(delta.reasoning_content.is_none());
        Some(text.decoded().into_owned())
    }

    #[test]
    fn what_bedrock_writes_is_seen_at_a_glance() {
        let table = [
            (
                r#"{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"abcdefg"}"#,
                "Hello",
            ),
            (r#"{"contentBlockIndex":9,"delta":{"text":""},"p":""}"#, ""),
            (
                r#"{"contentBlockIndex":1,"delta":{"text":" é🦀\n\"x\" \\"}}"#,
                " é🦀\n\"x\" \\",
            ),
        ];
        for (payload, text) in table {
            assert_eq!(glance(payload.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn all_else_takes_the_long_way() {
        for payload in [
            r#"{"contentBlockIndex":10,"delta":{"text":"a"}}"#,
            r#"{"contentBlockIndex":-1,"delta":{"text":"a"}}"#,
            r#"{"contentBlockIndex": 0,"delta":{"text":"a"}}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"\u0041"}}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"\x"}}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a"}} "#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a"},"p":"abd"}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a"},"p":"abc","delta":{}}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a"},"x":"abc"}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a","citation":{}}}"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a"#,
            r#"{"contentBlockIndex":0,"delta":{"text":"a\"#,
            r#"{"delta":{"text":"a"},"contentBlockIndex":0}"#,
            "",
        ] {
            assert_eq!(glance(payload.as_bytes()), None, "{payload}");
        }
        let payload = br#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#;
        assert!(text_at_a_glance(&frame("contentBlockStart", payload)).is_none());
        assert!(text_at_a_glance(&frame("contentBlockDeltas", payload)).is_none());
    }

    /// Whatever a byte is changed to, it is seen as it is or not at all.
    #[test]
    fn a_glance_never_sees_what_is_not_there() {
        let payload = r#"{"contentBlockIndex":0,"delta":{"text":"aé\n\"b"},"p":"abcd"}"#;
        let mut seen = 0;
        for at in 0..payload.len() {
            for byte in 0..=255 {
                let mut changed = payload.as_bytes().to_vec();
                changed[at] = byte;
                seen += usize::from(glance(&changed).is_some());
            }
            glance(&payload.as_bytes()[..at]);
        }
        assert!(seen > payload.len(), "{seen}");
    }
}
