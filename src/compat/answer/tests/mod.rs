mod format;

use bytes::BytesMut;
use serde_json::{Value, json};

use super::*;
use crate::eventstream::{self, DecodeError, Decoder, Frame};

fn plan() -> Plan {
    Plan {
        model: "aws-bedrock/\"m\"".to_owned(),
        include_usage: true,
        ..Plan::default()
    }
}

fn format_plan() -> Plan {
    Plan {
        format_tool: Some("json_tool_call".to_owned()),
        ..plan()
    }
}

fn renaming_plan() -> Plan {
    let mut plan = plan();
    plan.names
        .rename("mcp_server_tool".to_owned(), "mcp.server/tool".to_owned());
    plan
}

fn legacy_plan() -> Plan {
    Plan {
        legacy_functions: true,
        ..plan()
    }
}

fn answer(content: &Value, stop: &str) -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8},
        "metrics": {"latencyMs": 1},
    })
}

fn whole(content: &Value, stop: &str, plan: &Plan) -> Value {
    let text = answer(content, stop).to_string();
    let (json, _) = completion(text.as_bytes(), plan, "1", 7).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn choice(content: &Value, stop: &str, plan: &Plan) -> Value {
    whole(content, stop, plan)["choices"][0].take()
}

fn frame(event: &str, payload: &Value) -> Frame {
    let mut decoder = Decoder::new();
    decoder.push(eventstream::event(event, payload.to_string().as_bytes()));
    decoder.next().unwrap().unwrap()
}

/// The deltas of the chunks, then what `finish` says.
fn streamed(events: &[(&str, Value)], plan: &Plan) -> (Vec<Value>, Result<(), OpenAiError>) {
    let mut chunks = Chunks::new(plan.clone(), "1", 7);
    let mut out = BytesMut::new();
    let mut result = Ok(());
    for (event, payload) in events {
        result = result.and_then(|()| chunks.push(&frame(event, payload), &mut out));
    }
    result = result.and_then(|()| chunks.finish(&mut out));
    let text = String::from_utf8(out.to_vec()).unwrap();
    let events = text.split_terminator("\n\n").map(|event| {
        let data = event.strip_prefix("data: ").unwrap();
        serde_json::from_str(data).unwrap_or_else(|_| Value::from(data))
    });
    (events.collect(), result)
}

fn delta(index: u64, delta: Value) -> (&'static str, Value) {
    (
        "contentBlockDelta",
        json!({"contentBlockIndex": index, "delta": delta, "p": "abc"}),
    )
}

fn tool(index: u64, name: &str) -> (&'static str, Value) {
    (
        "contentBlockStart",
        json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": format!("id{index}"), "name": name}}}),
    )
}

fn close(index: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

fn stop(reason: &str) -> (&'static str, Value) {
    ("messageStop", json!({"stopReason": reason}))
}

fn start() -> (&'static str, Value) {
    ("messageStart", json!({"role": "assistant"}))
}

/// All contents of the deltas, one after the other.
fn content(chunks: &[Value]) -> String {
    let deltas = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]);
    deltas
        .filter_map(|delta| delta["content"].as_str())
        .collect()
}

fn finish_reasons(chunks: &[Value]) -> Vec<&str> {
    let choices = chunks.iter().map(|chunk| &chunk["choices"][0]);
    let reasons = choices.filter_map(|choice| choice["finish_reason"].as_str());
    reasons.collect()
}

fn call(name: &str, input: &Value) -> Value {
    json!({"toolUse": {"toolUseId": "id", "name": name, "input": input}})
}

#[test]
fn names_come_back_as_the_client_knows_them() {
    let plan = renaming_plan();
    let content = json!([
        call("mcp_server_tool", &json!({})),
        call("plain", &json!({}))
    ]);
    let calls = choice(&content, "tool_use", &plan)["message"]["tool_calls"].take();
    assert_eq!(calls[0]["function"]["name"], "mcp.server/tool");
    assert_eq!(calls[1]["function"]["name"], "plain");

    let events = [
        start(),
        tool(0, "mcp_server_tool"),
        close(0),
        stop("tool_use"),
    ];
    let (chunks, _) = streamed(&events, &plan);
    let call = &chunks[1]["choices"][0]["delta"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "mcp.server/tool");
}

#[test]
fn functions_get_one_function_call() {
    let plan = legacy_plan();
    let content = json!([
        {"text": "I look."},
        call("weather", &json!({"city": "Ulm"})),
        call("time", &json!({})),
    ]);
    let one = choice(&content, "tool_use", &plan);
    assert_eq!(
        one["message"]["function_call"],
        json!({"name": "weather", "arguments": "{\"city\":\"Ulm\"}"})
    );
    assert!(one["message"].get("tool_calls").is_none());
    assert_eq!(one["finish_reason"], "function_call");

    let events = [
        start(),
        tool(0, "weather"),
        delta(0, json!({"toolUse": {"input": "{\"city\":"}})),
        delta(0, json!({"toolUse": {"input": "\"Ulm\"}"}})),
        close(0),
        tool(1, "time"),
        delta(1, json!({"toolUse": {"input": "{}"}})),
        close(1),
        stop("tool_use"),
    ];
    let (chunks, result) = streamed(&events, &plan);
    result.unwrap();
    let deltas: Vec<_> = chunks[1..4]
        .iter()
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .collect();
    assert_eq!(
        deltas,
        [
            json!({"function_call": {"name": "weather", "arguments": ""}}),
            json!({"function_call": {"arguments": "{\"city\":"}}),
            json!({"function_call": {"arguments": "\"Ulm\"}"}}),
        ]
    );
    assert_eq!(finish_reasons(&chunks), ["function_call"]);
    assert_eq!(chunks.len(), 6);
}

#[test]
fn the_record_is_told() {
    let usage = json!({"inputTokens": 11, "outputTokens": 5, "totalTokens": 116, "cacheReadInputTokens": 80, "cacheWriteInputTokens": 20,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 8}, {"ttl": "5m", "inputTokens": 12}, {"ttl": "1h", "inputTokens": 1}]});
    let expected = Told {
        input_tokens: Some(11),
        output_tokens: Some(5),
        cache_read_tokens: Some(80),
        cache_write_tokens: Some(20),
        cache_write_1h_tokens: Some(9),
        reasoning_tokens: None,
        latency: Some(7),
        stop_reason: Some("stop_sequence".to_owned()),
        service_tier: Some("reserved".to_owned()),
        latency_mode: Some("standard".to_owned()),
        fault: None,
        is_cut: false,
        broken: None,
    };
    let mut answer = answer(&json!([{"text": "a"}]), "stop_sequence");
    answer["usage"] = usage.clone();
    let (metrics, tier) = (json!({"latencyMs": 7}), json!({"type": "reserved"}));
    answer["metrics"] = metrics.clone();
    answer["serviceTier"] = tier.clone();
    let performance = json!({"latency": "standard"});
    answer["performanceConfig"] = performance.clone();
    let (_, told) = completion(answer.to_string().as_bytes(), &plan(), "1", 7).unwrap();
    assert_eq!(told, expected);

    for include_usage in [false, true] {
        let plan = Plan {
            include_usage,
            ..plan()
        };
        let mut chunks = Chunks::new(plan, "1", 7);
        let mut out = BytesMut::new();
        let mut push = |chunks: &mut Chunks, (event, payload): (&str, Value)| {
            chunks.push(&frame(event, &payload), &mut out)
        };
        push(&mut chunks, start()).unwrap();
        assert_eq!(chunks.told(), Told::default());
        push(&mut chunks, stop("stop_sequence")).unwrap();
        push(
            &mut chunks,
            (
                "metadata",
                json!({ "usage": usage, "metrics": metrics, "serviceTier": tier, "performanceConfig": performance }),
            ),
        )
        .unwrap();
        assert_eq!(chunks.told(), expected);
    }
}

#[test]
fn the_record_is_told_of_bad_ends() {
    let mut cut = Chunks::new(plan(), "1", 7);
    let mut out = BytesMut::new();
    let (event, payload) = start();
    cut.push(&frame(event, &payload), &mut out).unwrap();
    assert!(!cut.told().is_cut);
    let error = cut.finish(&mut out).unwrap_err();
    assert!(cut.told().is_cut);
    // It stays so.
    assert_eq!(cut.finish(&mut out).unwrap_err(), error);
    assert_eq!(
        cut.push(&frame(event, &payload), &mut out).unwrap_err(),
        error
    );

    let mut failed = Chunks::new(plan(), "1", 7);
    let mut decoder = Decoder::new();
    decoder.push(eventstream::exception(
        "throttlingException",
        br#"{"message":"slow"}"#,
    ));
    let exception = decoder.next().unwrap().unwrap();
    let error = failed.push(&exception, &mut out).unwrap_err();
    assert_eq!(failed.told().fault.as_deref(), Some("throttlingException"));
    assert_eq!(failed.finish(&mut out).unwrap_err(), error);
    assert!(!failed.told().is_cut);
}

#[test]
fn a_stream_that_is_none_stays_failed() {
    for (error, is_cut) in [
        (DecodeError::Truncated, true),
        (DecodeError::MessageChecksum, false),
    ] {
        let mut chunks = Chunks::new(plan(), "1", 7);
        let mut out = BytesMut::new();
        let (event, payload) = stop("end_turn");
        chunks.push(&frame(event, &payload), &mut out).unwrap();
        let error = chunks.fail(&error);
        assert_eq!(chunks.told().is_cut, is_cut);
        out.clear();
        assert_eq!(chunks.finish(&mut out).unwrap_err(), error);
        assert!(out.is_empty());
    }
}

#[test]
fn debug_output_has_nothing_of_the_message() {
    let mut chunks = Chunks::new(format_plan(), "1", 7);
    let mut out = BytesMut::new();
    for (event, payload) in [
        delta(0, json!({"text": "hush"})),
        delta(1, json!({"reasoningContent": {"text": "hush"}})),
    ] {
        chunks.push(&frame(event, &payload), &mut out).unwrap();
    }
    assert!(!format!("{chunks:?}").contains("hush"));
}

#[test]
fn what_openai_has_no_place_for_is_passed_on() {
    let fields = json!({"stop_sequence": "END", "b": [1, "\u{2028}"], "a": {}});
    let trace = json!({"guardrail": {"inputAssessment": {"id": {"topicPolicy": {}}}}});
    let config = json!({"latency": "optimized"});

    let mut answer = answer(&json!([{"text": "a"}]), "end_turn");
    answer["additionalModelResponseFields"] = fields.clone();
    answer["trace"] = trace.clone();
    answer["performanceConfig"] = config.clone();
    let pretty = serde_json::to_vec_pretty(&answer).unwrap();
    let (json, _) = completion(&pretty, &plan(), "1", 7).unwrap();
    assert!(!json.contains(&b'\n'));
    let completion: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(completion["additionalModelResponseFields"], fields);
    assert_eq!(completion["trace"], trace);
    assert_eq!(completion["performanceConfig"], config);

    let usage = json!({"inputTokens": 1, "outputTokens": 2});
    for (include_usage, usage) in [(true, &usage), (true, &Value::Null), (false, &usage)] {
        let plan = Plan {
            include_usage,
            ..plan()
        };
        let events = [
            start(),
            delta(0, json!({"text": "a"})),
            (
                "messageStop",
                json!({"stopReason": "end_turn", "additionalModelResponseFields": fields}),
            ),
            (
                "metadata",
                json!({"usage": usage, "trace": trace, "performanceConfig": config}),
            ),
        ];
        let (chunks, result) = streamed(&events, &plan);
        result.unwrap();
        let (stop, last) = (&chunks[2], &chunks[chunks.len() - 2]);
        assert_eq!(chunks.len(), if include_usage { 5 } else { 4 });
        assert_eq!(stop["choices"][0]["finish_reason"], "stop");
        assert_eq!(stop["additionalModelResponseFields"], fields);
        assert_eq!(last["trace"], trace);
        assert_eq!(last["performanceConfig"], config);
        if include_usage {
            assert_eq!(last["choices"], json!([]));
            assert_eq!(last["usage"].is_object(), usage.is_object());
        }
    }
}

#[test]
fn no_call_is_given_where_none_may_be() {
    let plan = Plan {
        no_calls: true,
        ..plan()
    };
    for (content, text) in [
        (
            json!([{"text": "I look."}, call("weather", &json!({}))]),
            "I look.",
        ),
        (json!([call("weather", &json!({}))]), ""),
    ] {
        let choice = choice(&content, "tool_use", &plan);
        assert_eq!(choice["message"]["content"], text);
        assert!(choice["message"].get("tool_calls").is_none());
        assert_eq!(choice["finish_reason"], "stop");
        assert_eq!(choice["native_finish_reason"], "tool_use");
    }

    let events = [
        start(),
        delta(0, json!({"text": "I look."})),
        close(0),
        tool(1, "weather"),
        delta(1, json!({"toolUse": {"input": "{}"}})),
        close(1),
        stop("tool_use"),
    ];
    let (chunks, result) = streamed(&events, &plan);
    result.unwrap();
    assert_eq!(content(&chunks), "I look.");
    assert_eq!(chunks.len(), 4);
    assert_eq!(finish_reasons(&chunks), ["stop"]);
    assert_eq!(chunks[2]["choices"][0]["native_finish_reason"], "tool_use");
}

/// Clients parse the content of such an answer, if there is any.
#[test]
fn halves_of_surrogate_pairs_do_not_spoil_arguments() {
    let input = r#"{"a": "\ud83e", "b": "\ud83e\udd80"}"#;
    let mended = json!({"a": "\u{fffd}", "b": "\u{1f980}"});
    let text = format!(
        r#"{{"output":{{"message":{{"content":[{{"toolUse":{{"toolUseId":"1","name":"n","input":{input}}}}}]}}}},"stopReason":"tool_use"}}"#
    );
    let (json, _) = completion(text.as_bytes(), &plan(), "1", 7).unwrap();
    let completion: Value = serde_json::from_slice(&json).unwrap();
    let call = &completion["choices"][0]["message"]["tool_calls"][0];
    let arguments = call["function"]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), mended);

    for size in 1..input.len() {
        let pieces = input.as_bytes().chunks(size);
        let pieces = pieces.map(|piece| std::str::from_utf8(piece).unwrap());
        let mut events = vec![start(), tool(0, "n")];
        events.extend(pieces.map(|piece| delta(0, json!({"toolUse": {"input": piece}}))));
        events.extend([close(0), stop("tool_use")]);
        let (chunks, result) = streamed(&events, &plan());
        result.unwrap();
        let calls = chunks
            .iter()
            .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]);
        let arguments = calls.filter_map(|call| call["function"]["arguments"].as_str());
        let arguments: String = arguments.collect();
        assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), mended);
    }
}
