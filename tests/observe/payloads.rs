//! Bodies that are kept with the record.

use super::*;
use tower_bedrock::observe::{Capture, CaptureRequestLayer, Payload, Side};

/// The record of a request with this body, which the inner service reads to its end.
fn record(capture: Option<Capture>, headers: &[(&str, &str)], body: &'static str) -> Arc<Record> {
    let ring = Ring::new(1);
    let mut layer = ObservabilityLayer::new().with_sink(ring.clone());
    if let Some(capture) = capture {
        layer = layer.with_payloads(capture);
    }
    let inner = service_fn(
        |request: Request<tower_bedrock::observe::CapturedBody<Full<Bytes>>>| async {
            let _ = request.into_body().collect().await;
            let script = Script::chunks(ANSWER.as_bytes(), 10);
            Ok::<_, Infallible>(json(script))
        },
    );
    let mut service = layer.layer(CaptureRequestLayer::new().layer(inner));
    let mut request = Request::post(NATIVE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let Ok(response) = now(service.call(request.body(Full::from(body)).unwrap()));
    let _ = now(response.into_body().collect());
    only(&ring)
}

fn text(payload: &Option<Payload>) -> Option<(&str, bool)> {
    let payload = payload.as_ref()?;
    Some((
        std::str::from_utf8(payload.data()).unwrap(),
        payload.is_complete(),
    ))
}

const BODY: &str = r#"{"messages":["my card is 4111"]}"#;

#[test]
fn nothing_is_kept_unless_it_is_wanted() {
    let off = ("cf-aig-collect-log-payload", "false");
    for (capture, headers) in [
        (None, &[][..]),
        (None, &[("cf-aig-collect-log-payload", "true")]),
        (Some(Capture::new(100)), &[off]),
        (Some(Capture::new(0)), &[]),
    ] {
        let record = record(capture, headers, BODY);
        assert_eq!(
            (&record.request_body, &record.response_body),
            (&None, &None)
        );
        assert_eq!(record.tokens_in, Some(13));
    }
}

#[test]
fn as_much_as_is_allowed() {
    let whole = record(Some(Capture::new(10_000)), &[], BODY);
    assert_eq!(text(&whole.request_body), Some((BODY, true)));
    assert_eq!(text(&whole.response_body), Some((ANSWER, true)));
    let json = serde_json::to_value(&*whole).unwrap();
    assert_eq!(
        json["request_body"],
        serde_json::json!({"text": BODY, "complete": true})
    );
    let debug = format!("{:?}", whole.request_body);
    assert!(!debug.contains("4111"), "{debug}");

    for limit in [1, 9, 10, 11, 31] {
        let capture = Capture::new(limit).with_response_limit(2 * limit);
        let part = record(Some(capture), &[], BODY);
        assert_eq!(text(&part.request_body), Some((&BODY[..limit], false)));
        assert_eq!(
            text(&part.response_body),
            Some((&ANSWER[..2 * limit], false))
        );
    }
    let one = Capture::new(100).with_request_limit(0);
    assert_eq!(record(Some(one), &[], BODY).request_body, None);
    // Exactly as long.
    let exact = record(Some(Capture::new(BODY.len())), &[], BODY);
    assert_eq!(text(&exact.request_body), Some((BODY, true)));
    // An empty body is one.
    let empty = record(Some(Capture::new(9)), &[], "");
    assert_eq!(text(&empty.request_body), Some(("", true)));
}

#[test]
fn what_is_secret_is_taken_out() {
    let capture = Capture::new(1000).with_redaction(|side, body| match side {
        Side::Request => {
            let text = String::from_utf8_lossy(body).replace("4111", "****");
            *body = text.into_bytes();
        }
        _ => panic!("no answer is fit to be kept"),
    });
    let record = record(Some(capture), &[], BODY);
    let expected = BODY.replace("4111", "****");
    assert_eq!(text(&record.request_body), Some((&*expected, true)));
    assert_eq!(record.response_body, None);
    assert_eq!(record.outcome, Outcome::Complete);
}

#[test]
fn what_is_no_text() {
    let layer = ObservabilityLayer::new().with_payloads(Capture::new(16));
    let wire = frames().concat();
    let (response, ring) = ask_of(layer, post(NATIVE), stream(Script::chunks(&wire, 100)));
    let _ = now(response.into_body().collect());
    let json = serde_json::to_value(&*only(&ring)).unwrap();
    assert_eq!(json["response_body"]["complete"], false);
    assert!(json["response_body"]["base64"].is_string());

    // Cut off within a character.
    let layer = ObservabilityLayer::new().with_payloads(Capture::new(4));
    let (response, ring) = ask_of(layer, post(NATIVE), json_of("abc\u{e9}"));
    let _ = now(response.into_body().collect());
    let json = serde_json::to_value(&*only(&ring)).unwrap();
    assert_eq!(
        json["response_body"],
        serde_json::json!({"text": "abc", "complete": false})
    );
}

fn json_of(text: &'static str) -> Response<Script> {
    json(Script::new([data(text)]))
}

#[test]
fn a_client_that_leaves() {
    let layer = ObservabilityLayer::new().with_payloads(Capture::new(100));
    let script = Script::new([data(r#"{"a":1,"#), Step::Wait]);
    let (response, ring) = ask_of(layer, post(NATIVE), json(script));
    let mut body = response.into_body();
    assert!(next(&mut body).is_ready());
    drop(body);
    assert_eq!(
        text(&only(&ring).response_body),
        Some((r#"{"a":1,"#, false))
    );
}
