//! Streams that do not end well: nothing is made up.

use bytes::{Bytes, BytesMut};
use serde_json::json;
use tower_bedrock::compat::OpenAiError;
use tower_bedrock::eventstream::{self, Decoder, HeaderValue};

use super::accumulated::checked;
use super::{CREATED, ID, fixtures, frames, streamed, translation, wire};

/// No end of the message, no usage, no end of the stream.
fn assert_nothing_is_made_up(sse: &str) {
    assert!(!sse.contains("[DONE]"), "{sse}");
    for chunk in checked(sse, true) {
        assert!(chunk["choices"][0]["finish_reason"].is_null(), "{chunk}");
        assert!(chunk["usage"].is_null(), "{chunk}");
    }
}

/// A well-begun stream, then `last`.
fn after_a_start(last: Bytes) -> (String, OpenAiError) {
    let begun = wire(&[
        ("messageStart", json!({"role": "assistant"})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
        ),
    ]);
    let (sse, result) = streamed([begun, last], true);
    (sse, result.unwrap_err())
}

#[test]
fn cut_after_every_frame() {
    for fixture in fixtures::all() {
        // Not among those that look like the framing.
        if fixture.name.contains("framing") {
            continue;
        }
        let frames = frames(&wire(&fixture.events()));
        let end = frames
            .iter()
            .position(|frame| frame.event_type() == "messageStop")
            .unwrap();
        for count in 0..=end {
            let pieces = frames[..count].iter().map(|frame| frame.raw().clone());
            let (sse, result) = streamed(pieces, true);
            let error = result.unwrap_err();
            assert_eq!(error.status(), 502, "{}", fixture.name);
            assert_eq!(
                (error.kind(), error.code()),
                ("api_error", Some("upstream_error"))
            );
            assert_nothing_is_made_up(&sse);
        }
    }
}

#[test]
fn exceptions() {
    let table = [
        (
            "internalServerException",
            500,
            "api_error",
            Some("server_error"),
        ),
        (
            "modelStreamErrorException",
            502,
            "api_error",
            Some("model_error"),
        ),
        ("validationException", 400, "invalid_request_error", None),
        (
            "throttlingException",
            429,
            "rate_limit_error",
            Some("rate_limit_exceeded"),
        ),
        (
            "serviceUnavailableException",
            503,
            "api_error",
            Some("service_unavailable"),
        ),
        ("modelTimeoutException", 504, "api_error", Some("timeout")),
    ];
    let payload = br#"{"message":"It went wrong in 123456789012.","p":"abc"}"#;
    for (name, status, kind, code) in table {
        let headers = [
            (":message-type", HeaderValue::from("error")),
            (":error-code", HeaderValue::from(name)),
            (
                ":error-message",
                HeaderValue::from("It went wrong in 123456789012."),
            ),
        ];
        let forms = [
            eventstream::exception(name, payload),
            eventstream::event(name, payload),
            eventstream::encode(&headers, b"").unwrap(),
        ];
        for last in forms {
            let (sse, error) = after_a_start(last.clone());
            assert_eq!(checked(&sse, true).len(), 2);
            assert_nothing_is_made_up(&sse);
            assert_eq!(error.status(), status, "{name}");
            assert_eq!((error.kind(), error.code()), (kind, code), "{name}");
            assert_eq!(error.to_string(), "It went wrong in [account].");
            let (first, result) = streamed([last], true);
            assert_eq!((first.as_str(), result.unwrap_err()), ("", error));
        }
    }
}

#[test]
fn after_the_message_too() {
    let stop = wire(&[("messageStop", json!({"stopReason": "end_turn"}))]);
    let exception = eventstream::exception("internalServerException", b"{}");
    let (sse, result) = streamed([stop, exception], true);
    assert_eq!(result.unwrap_err().status(), 500);
    assert!(!sse.contains("[DONE]"));
}

#[test]
fn frames_that_are_not_of_converse() {
    let headerless = eventstream::encode(&[], b"{}").unwrap();
    let nameless = eventstream::encode(&[(":message-type", "event".into())], b"{}").unwrap();
    let strange = eventstream::encode(
        &[
            (":message-type", "rumour".into()),
            (":event-type", "messageStart".into()),
        ],
        b"{}",
    )
    .unwrap();
    let mut lasts = vec![headerless, nameless, strange];
    for event in [
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ] {
        let garbage = [
            &b""[..],
            b"{",
            b"null",
            b"[]",
            b"7",
            b"{\"a\":1} x",
            b"\xff",
            b"{\"x\":\"\xc3\"}",
        ];
        lasts.extend(garbage.map(|payload| eventstream::event(event, payload)));
    }
    for (event, payload) in [
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": -1, "delta": {"text": "a"}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": 7}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": "a"}),
        ),
        // Of a call that never began.
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 3, "delta": {"toolUse": {"input": "{}"}}}),
        ),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse": {"name": "n"}}}),
        ),
        ("messageStop", json!({"stopReason": 7})),
    ] {
        lasts.push(wire(&[(event, payload)]));
    }
    for last in lasts {
        let (sse, error) = after_a_start(last.clone());
        assert_eq!(error.status(), 502, "{last:?}");
        assert_eq!(checked(&sse, true).len(), 2, "{last:?}");
        assert_nothing_is_made_up(&sse);
    }
}

#[test]
fn a_message_does_not_go_on_after_its_end() {
    for event in [
        ("messageStart", json!({"role": "assistant"})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "more"}}),
        ),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "a", "name": "n"}}}),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("messageStop", json!({"stopReason": "end_turn"})),
    ] {
        let stop = ("messageStop", json!({"stopReason": "end_turn"}));
        let (sse, result) = streamed([wire(&[stop, event])], true);
        assert_eq!(result.unwrap_err().status(), 502);
        assert!(!sse.contains("[DONE]") && !sse.contains("more"));
    }
}

#[test]
fn once_wrong_always_wrong() {
    let mut stream = translation(true).chunks(ID, CREATED);
    let mut out = BytesMut::new();
    let mut decoder = Decoder::new();
    decoder.push(eventstream::exception("throttlingException", b"{}"));
    let exception = decoder.next().unwrap().unwrap();
    let error = stream.push(&exception, &mut out).unwrap_err();
    for frame in frames(&wire(&fixtures::all()[0].events())) {
        assert_eq!(stream.push(&frame, &mut out).unwrap_err(), error);
    }
    assert_eq!(stream.finish(&mut out).unwrap_err(), error);
    assert!(out.is_empty());
}

/// Whatever a byte is changed to, it is a chunk, nothing, or an error.
#[test]
fn no_byte_makes_it_panic() {
    let (mut written, mut errors) = (0, 0);
    for fixture in fixtures::all() {
        for frame in frames(&wire(&fixture.events())) {
            for at in 0..frame.payload().len() {
                for byte in [b'"', b'\\', b'}', b'u', 0, 0xff] {
                    let mut payload = frame.payload().to_vec();
                    payload[at] = byte;
                    let changed = eventstream::event(frame.event_type(), &payload);
                    let (sse, result) = streamed([changed], true);
                    checked(sse.trim_end_matches("data: [DONE]\n\n"), true);
                    written += usize::from(!sse.is_empty());
                    errors += usize::from(result.is_err());
                }
            }
        }
    }
    assert!(written > 1000 && errors > 1000, "{written} {errors}");
}
