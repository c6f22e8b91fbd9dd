//! What is not a whole answer is not recorded as one, however cleanly its bytes end.

use super::*;

const COMPLETIONS: &str = "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions";
const RESPONSES: &str = "https://bedrock-mantle.us-east-1.api.aws/v1/responses";
const CUT: Option<&str> = Some("the upstream's answer ended before it was complete");

/// The outcome and the error of what comes in pieces of some sizes, as `answer` makes it.
fn check(
    uri: &str,
    answer: fn(Script) -> Response<Script>,
    wire: &str,
    outcome: Outcome,
    error: Option<&str>,
) {
    for size in [1, 7, 10_000] {
        let script = Script::chunks(wire.as_bytes(), size);
        let record = record_of(post(uri), answer(script));
        assert_eq!(record.outcome, outcome, "{wire:?} in pieces of {size}");
        assert_eq!(record.error.as_deref(), error, "{wire:?}");
        assert_eq!(record.success, outcome == Outcome::Complete, "{wire:?}");
    }
}

#[test]
fn events_that_stop_short() {
    const SAID: &str = "data: {\"x\":1}\n\n";
    for (wire, is_whole) in [
        (SAID, true),
        ("data: {\"type\":\"message_stop\"}\n\n", true),
        // As the clients of OpenAI and Anthropic read it.
        ("data: {\"type\":\"message_stop\"}", true),
        ("", false),
        ("\n\n", false),
        (": nothing yet\n\n", false),
        ("event: ping\n\n", false),
        ("data: {\"x\":1}", false),
        ("data: {\"x\":1}\n", false),
        ("data: {\"x\":1}\n\ndata: {\"x\":", false),
        ("data: {\"x\":1}\n\nevent: x\ndata: {}\n", false),
        ("data: {\"x\":1}\n\ndat", false),
        ("<html>", false),
    ] {
        let (outcome, error) = match is_whole {
            true => (Outcome::Complete, None),
            false => (Outcome::UpstreamCut, CUT),
        };
        check(COMPLETIONS, events, wire, outcome, error);
    }
}

#[test]
fn errors_in_events() {
    const SAID: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let long = format!(
        r#"{{"error":{{"type":"x","message":"{}"}}}}"#,
        "y".repeat(5000)
    );
    for (event, error) in [
        (
            r#"{"error":{"message":"m","type":"server_error","code":500}}"#,
            "server_error",
        ),
        (
            r#"{"error":{"message":"m","code":"throttled"}}"#,
            "throttled",
        ),
        (
            r#"{"error":{"message":"m","type":null,"code":"throttled"}}"#,
            "throttled",
        ),
        (r#"{"error":{"code":429}}"#, "429"),
        (r#"{"error":{"message":"too much"}}"#, "too much"),
        (r#"{"error":{"param":null}}"#, "an error without a name"),
        (r#"{"error":"boom"}"#, "boom"),
        (
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            "overloaded_error",
        ),
        (
            r#"{"error":{"type":"overloaded_error"},"type":"error"}"#,
            "overloaded_error",
        ),
        (r#"{"type":"error","code":"ERR","message":"m"}"#, "error"),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
            "server_error",
        ),
        (
            r#"{"type":"response.failed","response":{"error":null}}"#,
            "response.failed",
        ),
        (&long, "an error without a name"),
    ] {
        for end in ["", "data: [DONE]\n\n"] {
            let wire = format!("{SAID}data: {event}\n\n{end}");
            check(
                COMPLETIONS,
                events,
                &wire,
                Outcome::UpstreamError,
                Some(error),
            );
        }
    }
    for event in [
        r#"{"error":null}"#,
        r#"{"error":""}"#,
        r#"{"error":{}}"#,
        r#"{"error":false}"#,
        r#"{"response":{"error":null}}"#,
        r#"{"choices":[{"error":{"type":"x"}}]}"#,
    ] {
        let wire = format!("{SAID}data: {event}\n\ndata: [DONE]\n\n");
        check(COMPLETIONS, events, &wire, Outcome::Complete, None);
    }
}

#[test]
fn objects_that_tell_an_error() {
    for (wire, error) in [
        (r#"{"error":{"type":"x"}}"#, Some("x")),
        (
            r#"{"status":"failed","error":{"code":"server_error","message":"m"},"usage":null}"#,
            Some("server_error"),
        ),
        (
            r#"{"error":{"code":"server_error","message":"m"},"status":"failed"}"#,
            Some("server_error"),
        ),
        (r#"{"status":"failed","error":null}"#, Some("failed")),
        (r#"{"status":"incomplete","error":null}"#, None),
        (r#"{"status":"completed","error":null}"#, None),
        // Of an image that was held back from among others.
        (r#"{"images":["…"],"error":"held back"}"#, None),
        (
            r#"{"output":{"error":{"type":"x"},"status":"failed"}}"#,
            None,
        ),
    ] {
        let outcome = match error {
            Some(_) => Outcome::UpstreamError,
            None => Outcome::Complete,
        };
        check(RESPONSES, json, wire, outcome, error);
    }
}

#[test]
fn answers_with_nothing_in_them() {
    for uri in ["/model/m/converse", "/model/m/invoke", COMPLETIONS] {
        for wire in ["", "\r\n"] {
            check(uri, json, wire, Outcome::UpstreamCut, CUT);
        }
    }
    // Nobody has promised anything.
    check("/async-invoke", json, "", Outcome::Complete, None);
    check(
        "/model/m/converse",
        Response::new,
        "",
        Outcome::Complete,
        None,
    );
    let head = Request::head("/model/m/converse")
        .body(Empty::new())
        .unwrap();
    let record = record_of(head, json(Script::new([])));
    assert_eq!(record.outcome, Outcome::Complete);
}

/// What an answer cost is in its last frame.
#[test]
fn converse_stream_without_its_metadata() {
    let frames = frames();
    let mut backwards = frames.clone();
    backwards.swap(3, 4);
    for (frames, outcome, error) in [
        (&frames[..], Outcome::Complete, None),
        (&backwards[..], Outcome::Complete, None),
        (&frames[..4], Outcome::UpstreamCut, CUT),
    ] {
        for size in [1, 10_000] {
            let script = Script::chunks(&frames.concat(), size);
            let record = record_of(post(NATIVE), stream(script));
            assert_eq!((record.outcome, record.error.as_deref()), (outcome, error));
            assert_eq!(record.stop_reason.as_deref(), Some("max_tokens"));
        }
    }
}
