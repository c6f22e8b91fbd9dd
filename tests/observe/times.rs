//! When the pieces of an answer came.

use std::thread::sleep;
use std::time::Duration;

use super::*;

/// A body whose pieces take their time.
fn slowly(body: &mut (impl Body + Unpin), pause: Duration) {
    loop {
        sleep(pause);
        if !matches!(next(body), Poll::Ready(Some(Ok(_)))) {
            return;
        }
    }
}

#[test]
fn between_tokens() {
    let event = |name: &str| eventstream::event(name, b"{}");
    let delta = || event("contentBlockDelta");
    // Two come in one piece.
    let both = [delta(), delta()].concat();
    let steps = [
        event("messageStart"),
        both.into(),
        delta(),
        event("contentBlockStop"),
        delta(),
        event("messageStop"),
        event("metadata"),
    ];
    let (response, ring) = ask(post(NATIVE), stream(Script::new(steps.map(Step::Data))));
    let pause = Duration::from_millis(10);
    slowly(&mut response.into_body(), pause);
    let record = only(&ring);
    assert_eq!(record.outcome, Outcome::Complete);
    assert!(record.is_stream);
    let (byte, token) = (
        record.time_to_first_byte.unwrap(),
        record.time_to_first_token.unwrap(),
    );
    assert!(byte >= pause && token >= byte + pause, "{byte:?} {token:?}");
    // Four pauses from the first to the end of the message, and three events after the first.
    let between = record.time_between_tokens.unwrap();
    assert!((pause..pause * 4).contains(&between), "{between:?}");
    assert!(record.duration >= pause * 6);
}

#[test]
fn unknown_where_there_is_nothing_between() {
    let event = |name: &str| Step::Data(eventstream::event(name, b"{}"));
    for (steps, tokens) in [
        (vec!["messageStart", "messageStop"], false),
        (
            vec!["messageStart", "contentBlockDelta", "messageStop"],
            true,
        ),
    ] {
        let steps = steps.into_iter().map(event);
        let record = record_of(post(NATIVE), stream(Script::new(steps)));
        assert_eq!(record.time_to_first_token.is_some(), tokens);
        assert_eq!(record.time_between_tokens, None);
    }
    let record = record_of(post(NATIVE), json(Script::new([data(ANSWER)])));
    assert_eq!(
        (record.time_to_first_token, record.time_between_tokens),
        (None, None)
    );
    assert!(!record.is_stream);
}

#[test]
fn server_sent_events() {
    const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let response = Response::builder().header("content-type", "text/event-stream");
    let script = Script::new([
        data("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"),
        data(DELTA),
        data(DELTA),
        data("data: [DONE]\n\n"),
    ]);
    let (response, ring) = ask(post(NATIVE), response.body(script).unwrap());
    let pause = Duration::from_millis(5);
    slowly(&mut response.into_body(), pause);
    let record = only(&ring);
    assert!(record.time_to_first_token.unwrap() >= pause * 2);
    assert!(record.time_between_tokens.unwrap() >= pause);
}
