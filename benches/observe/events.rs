//! Events of a stream, as ConverseStream answers.

use bytes::Bytes;
use tower_bedrock::eventstream;

/// A frame of this length in which the model says something.
pub(crate) fn frame(length: usize) -> Bytes {
    let of = |text: usize| {
        let text = "x".repeat(text);
        let payload = format!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{text}"}}}}"#);
        eventstream::event("contentBlockDelta", payload.as_bytes())
    };
    let text = length - of(0).len();
    let frame = of(text);
    assert_eq!(frame.len(), length);
    frame
}

/// A whole stream of so many frames.
pub(crate) fn whole(frames: usize, length: usize) -> Vec<Bytes> {
    let event = |name, payload: &str| eventstream::event(name, payload.as_bytes());
    let mut whole = vec![event("messageStart", r#"{"role":"assistant"}"#)];
    whole.resize(frames - 3, frame(length));
    whole.push(event("contentBlockStop", r#"{"contentBlockIndex":0}"#));
    whole.push(event("messageStop", r#"{"stopReason":"end_turn"}"#));
    let usage = r#"{"metrics":{"latencyMs":551},"usage":{"inputTokens":14,"outputTokens":56,"totalTokens":70}}"#;
    whole.push(event("metadata", usage));
    whole
}
