//! Answers in pieces.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tower_bedrock::eventstream::{self, HeaderValue};

use super::accumulated::{chunks, completion, normalised};
use super::{CREATED, Event, ID, MODEL, fixtures, frames, streamed, translation, whole, wire};

#[test]
fn every_fixture_gives_the_same_in_pieces() {
    for fixture in fixtures::all() {
        let name = fixture.name;
        let (sse, result) = streamed([wire(&fixture.events())], true);
        result.expect(name);
        let accumulated = completion(&chunks(&sse, true));
        let once = whole(&fixture.answer()).unwrap();
        // Events have their keys in order; the pieces of an input are of that text.
        assert_eq!(normalised(accumulated), normalised(once), "{name}");

        let (without, result) = streamed([wire(&fixture.events())], false);
        result.expect(name);
        let deltas = |sse: &str, include_usage| -> Vec<Value> {
            let chunks = chunks(sse, include_usage).into_iter();
            let choices = chunks.map(|mut chunk| chunk["choices"].take());
            choices.filter(|choices| *choices != json!([])).collect()
        };
        assert_eq!(deltas(&without, false), deltas(&sse, true), "{name}");
    }
}

#[test]
fn the_bytes_are_openais() {
    let events: [Event; 11] = [
        ("messageStart", json!({"role": "assistant", "p": "a"})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "Hi \"you\"\n"}, "p": "ab"}),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t1", "name": "w"}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": ""}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"a\":"}}}),
        ),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": " 1}"}}}),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 1})),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t2", "name": "n"}}}),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 2})),
        ("messageStop", json!({"stopReason": "tool_use"})),
    ];
    let metadata: Event = (
        "metadata",
        json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "serviceTier": {"type": "priority"}, "p": "abc"}),
    );
    let deltas = [
        (r#"{"role":"assistant","content":""}"#, "null"),
        (r#"{"content":"Hi \"you\"\n"}"#, "null"),
        (
            r#"{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"w","arguments":""}}]}"#,
            "null",
        ),
        (
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}"#,
            "null",
        ),
        (
            r#"{"tool_calls":[{"index":0,"function":{"arguments":" 1}"}}]}"#,
            "null",
        ),
        (
            r#"{"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"n","arguments":""}}]}"#,
            "null",
        ),
        (
            r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#,
            "null",
        ),
        ("{}", r#""tool_calls""#),
    ];
    let head = format!(
        r#"data: {{"id":"chatcmpl-{ID}","object":"chat.completion.chunk","created":{CREATED},"model":"{MODEL}","#
    );
    for include_usage in [false, true] {
        let usage = if include_usage {
            r#","usage":null"#
        } else {
            ""
        };
        let mut expected: String = deltas
            .iter()
            .map(|(delta, finish)| {
                format!("{head}\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n")
            })
            .collect();
        if include_usage {
            expected += &format!(
                "{head}\"choices\":[],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}},\"service_tier\":\"priority\"}}\n\n"
            );
        }
        expected += "data: [DONE]\n\n";
        let events: Vec<Event> = events.iter().cloned().chain([metadata.clone()]).collect();
        let (sse, result) = streamed([wire(&events)], include_usage);
        result.unwrap();
        assert_eq!(sse, expected);
    }
}

/// Bedrock writes most frames in one way, which is told at a glance.
#[test]
fn frames_may_be_written_in_other_ways() {
    for fixture in fixtures::all() {
        let usual = wire(&fixture.events());
        let (sse, _) = streamed([usual.clone()], true);
        let unusual: Vec<Bytes> = frames(&usual)
            .iter()
            .map(|frame| {
                let payload: Value = serde_json::from_slice(frame.payload()).unwrap();
                let payload = serde_json::to_string_pretty(&payload).unwrap();
                let headers = [
                    (":message-type", "event".into()),
                    ("x", HeaderValue::Bool(true)),
                    (":event-type", frame.event_type().into()),
                ];
                eventstream::encode(&headers, payload.as_bytes()).unwrap()
            })
            .collect();
        let (other, result) = streamed(unusual, true);
        result.unwrap();
        assert_eq!(other, sse, "{}", fixture.name);
    }
}

#[test]
fn each_frame_is_translated_at_once() {
    let fixture = &fixtures::all()[0];
    let mut stream = translation(true).chunks(ID, CREATED);
    let mut out = BytesMut::new();
    for frame in frames(&wire(&fixture.events())) {
        stream.push(&frame, &mut out).unwrap();
        let written = out.split();
        let is_silent = frame.event_type() == "contentBlockStop"
            || frame
                .payload()
                .starts_with(br#"{"contentBlockIndex":0,"delta":{"text":""}"#);
        assert_eq!(written.is_empty(), is_silent, "{frame:?}");
        assert!(written.is_empty() || written.ends_with(b"\n\n"));
    }
    stream.finish(&mut out).unwrap();
    assert_eq!(&out[..], b"data: [DONE]\n\n");
}

#[test]
fn what_need_not_be_there() {
    let delta = || {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "a"}}),
        )
    };
    let stop = || ("messageStop", json!({"stopReason": "end_turn"}));
    let metadata = || {
        (
            "metadata",
            json!({"usage": {"inputTokens": 1, "outputTokens": 2}}),
        )
    };
    // The usage is not told: none is invented, and the message is over all the same.
    for events in [
        vec![delta(), stop()],
        vec![delta(), stop(), ("metadata", json!({}))],
        vec![
            delta(),
            stop(),
            ("metadata", json!({"usage": {"inputTokens": 1}})),
        ],
    ] {
        let (sse, result) = streamed([wire(&events)], true);
        result.unwrap();
        assert!(
            chunks(&sse, true)
                .iter()
                .all(|chunk| chunk["usage"].is_null())
        );
    }
    // It is told early.
    let (sse, result) = streamed([wire(&[metadata(), delta(), stop()])], true);
    result.unwrap();
    let early = chunks(&sse, true);
    assert_eq!(early.last().unwrap()["usage"]["total_tokens"], 3);
    // Once is enough.
    let events = [
        ("messageStart", json!({"role": "assistant"})),
        ("messageStart", json!({"role": "assistant"})),
        ("somethingNew", json!({"x": 1})),
        delta(),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"hologram": 1}}),
        ),
        ("contentBlockDelta", json!({})),
        ("contentBlockStart", json!({})),
        ("contentBlockStop", json!({})),
        ("contentBlockStop", json!({"contentBlockIndex": 77})),
        stop(),
        metadata(),
        metadata(),
    ];
    let (sse, result) = streamed([wire(&events)], true);
    result.unwrap();
    let chunks = chunks(&sse, true);
    assert_eq!(completion(&chunks)["choices"][0]["message"]["content"], "a");
    assert_eq!(chunks.len(), 4);
}

#[test]
fn blocks_may_be_interleaved_and_left_open() {
    let input = |index: u64, input: &str| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": input}}}),
        )
    };
    let tool = |index: u64, id: &str| {
        (
            "contentBlockStart",
            json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": "n"}}}),
        )
    };
    let events = [
        tool(4, "a"),
        tool(2, "b"),
        input(4, "{\"x\":"),
        input(2, "{\"y\":"),
        input(4, "1}"),
        input(2, "2}"),
        tool(9, "c"),
        ("messageStop", json!({"stopReason": "tool_use"})),
    ];
    let (sse, result) = streamed([wire(&events)], false);
    result.unwrap();
    let calls = completion(&chunks(&sse, false))["choices"][0]["message"]["tool_calls"].take();
    let arguments: Vec<_> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["function"]["arguments"])
        .collect();
    assert_eq!(arguments, [r#"{"x":1}"#, r#"{"y":2}"#, "{}"]);
}
