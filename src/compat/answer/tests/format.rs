//! Answers in a format that was asked for.

use super::*;

#[test]
fn a_format_tool_is_the_content() {
    let text = json!({"text": "Here it is: "});
    let format = call("json_tool_call", &json!({"a": [" x "], "b": 1}));
    let other = call("weather", &json!({}));
    let plan = format_plan();

    let alone = choice(&json!([format]), "tool_use", &plan);
    assert_eq!(alone["message"]["content"], r#"{"a":[" x "],"b":1}"#);
    assert_eq!(alone["finish_reason"], "stop");
    assert!(alone["message"].get("tool_calls").is_none());

    let beside_text = choice(&json!([text, format, text]), "tool_use", &plan);
    assert_eq!(
        beside_text["message"]["content"],
        alone["message"]["content"]
    );

    let twice = choice(
        &json!([format, call("json_tool_call", &json!({}))]),
        "tool_use",
        &plan,
    );
    assert_eq!(twice["message"]["content"], alone["message"]["content"]);

    let beside_call = choice(&json!([format, other]), "tool_use", &plan);
    assert_eq!(
        beside_call["message"]["content"],
        alone["message"]["content"]
    );
    assert_eq!(
        beside_call["message"]["tool_calls"][0]["function"]["name"],
        "weather"
    );
    assert_eq!(beside_call["finish_reason"], "tool_calls");

    let not_called = choice(&json!([text]), "end_turn", &plan);
    assert_eq!(not_called["message"]["content"], "Here it is: ");
    let cut_short = choice(&json!([format]), "max_tokens", &plan);
    assert_eq!(cut_short["finish_reason"], "length");
    // To a request without a `response_format` it is a tool like others.
    let tool = choice(&json!([format]), "tool_use", &self::plan());
    assert_eq!(tool["finish_reason"], "tool_calls");
}

#[test]
fn a_format_tool_is_streamed_as_content() {
    let plan = format_plan();
    let events = [
        start(),
        delta(0, json!({"text": "Here it "})),
        delta(0, json!({"text": "is"})),
        close(0),
        tool(1, "json_tool_call"),
        delta(1, json!({"toolUse": {"input": ""}})),
        delta(1, json!({"toolUse": {"input": "{\"a\": "}})),
        delta(1, json!({"toolUse": {"input": "1}"}})),
        close(1),
        delta(2, json!({"text": " - there"})),
        close(2),
        tool(3, "json_tool_call"),
        delta(3, json!({"toolUse": {"input": "{}"}})),
        close(3),
        stop("tool_use"),
    ];
    let (chunks, result) = streamed(&events, &plan);
    result.unwrap();
    assert_eq!(content(&chunks), r#"{"a": 1}"#);
    assert_eq!(finish_reasons(&chunks), ["stop"]);
    // Piece by piece: the role, two pieces, the reason, the end.
    assert_eq!(chunks.len(), 5);

    let empty = [
        start(),
        tool(0, "json_tool_call"),
        close(0),
        stop("tool_use"),
    ];
    assert_eq!(content(&streamed(&empty, &plan).0), "{}");

    let not_called = [
        start(),
        delta(0, json!({"text": "No\u{2028}, "})),
        delta(0, json!({"text": "\"sorry\""})),
        close(0),
        stop("end_turn"),
    ];
    let (chunks, result) = streamed(&not_called, &plan);
    result.unwrap();
    assert_eq!(content(&chunks), "No\u{2028}, \"sorry\"");
    assert_eq!(finish_reasons(&chunks), ["stop"]);

    // What was held back is not sent if the message is not over.
    let (chunks, result) = streamed(&not_called[..3], &plan);
    result.unwrap_err();
    assert_eq!((content(&chunks).as_str(), chunks.len()), ("", 1));
}

#[test]
fn text_does_not_stand_beside_a_call_where_json_was_asked_for() {
    let native = Plan {
        holds_text: true,
        ..plan()
    };
    let looks = "I look \u{2028} it up.";
    let json = "\n {\"a\": 1}";
    for (plan, text, is_called, expected) in [
        (&native, looks, true, None),
        (&native, looks, false, Some(looks)),
        (&native, json, true, Some(json)),
        (&native, json, false, Some(json)),
        (&native, " \n", true, None),
        (&format_plan(), looks, true, None),
        (&format_plan(), looks, false, Some(looks)),
        (&format_plan(), json, true, None),
        (&plan(), looks, true, Some(looks)),
    ] {
        let mut blocks = vec![json!({ "text": text })];
        let (head, tail) = text.split_at(2);
        let mut events = vec![
            start(),
            delta(0, json!({ "text": head })),
            delta(0, json!({ "text": tail })),
            close(0),
        ];
        let mut reason = "end_turn";
        if is_called {
            reason = "tool_use";
            blocks.push(call("weather", &json!({})));
            events.extend([tool(1, "weather"), close(1)]);
        }
        events.push(stop(reason));

        let choice = choice(&Value::from(blocks), reason, plan);
        assert_eq!(choice["message"]["content"].as_str(), expected, "{text}");
        assert_eq!(choice["message"]["tool_calls"].is_array(), is_called);
        let (chunks, result) = streamed(&events, plan);
        result.unwrap();
        assert_eq!(content(&chunks), expected.unwrap_or_default(), "{text}");
        assert_eq!(finish_reasons(&chunks), [choice["finish_reason"].clone()]);
    }
}

#[test]
fn json_is_streamed_at_once() {
    let plan = Plan {
        holds_text: true,
        ..plan()
    };
    let mut chunks = Chunks::new(plan, "1", 7);
    let mut out = BytesMut::new();
    let mut lengths = Vec::new();
    for (event, payload) in [
        start(),
        delta(0, json!({"text": "\n"})),
        delta(0, json!({"text": "{\"a\":"})),
        delta(0, json!({"text": "1}"})),
    ] {
        chunks.push(&frame(event, &payload), &mut out).unwrap();
        lengths.push(out.split().len());
    }
    let is_sent: Vec<_> = lengths.iter().map(|length| *length > 0).collect();
    assert_eq!(is_sent, [true, false, true, true]);
}
