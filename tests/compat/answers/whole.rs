//! Answers in one piece.

use serde_json::{Value, json};

use super::expected::Expected;
use super::{CREATED, ID, MODEL, fixtures, whole};

#[test]
fn every_fixture_gives_its_completion() {
    for fixture in fixtures::all() {
        let completion = whole(&fixture.answer()).unwrap();
        let expected = json!({
            "id": format!("chatcmpl-{ID}"),
            "object": "chat.completion",
            "created": CREATED,
            "model": MODEL,
            "choices": [fixture.choice],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        });
        assert_eq!(completion, expected, "{}", fixture.name);
        let answer: Value = serde_json::from_str(&fixture.answer()).unwrap();
        let read = Expected::of(&answer);
        assert_eq!(Expected::said_by(&completion), read, "{}", fixture.name);
    }
}

#[test]
fn the_order_of_fields_is_openais() {
    let answer = r#"{"output":{"message":{"role":"assistant","content":[{"text":"a"},{"toolUse":{"toolUseId":"t","name":"n","input":{ }}}]}},"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":9,"cacheReadInputTokens":4,"cacheWriteInputTokens":2},"serviceTier":{"type":"flex"}}"#;
    let json = super::translation(false)
        .completion(answer.as_bytes(), "1", 7)
        .unwrap();
    assert_eq!(
        String::from_utf8(json).unwrap(),
        format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"a","refusal":null,"tool_calls":[{{"id":"t","type":"function","function":{{"name":"n","arguments":"{{}}"}}}}]}},"logprobs":null,"finish_reason":"tool_calls"}}],"usage":{{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{{"cached_tokens":4,"cache_write_tokens":2}}}},"service_tier":"flex"}}"#
        )
    );
}

#[test]
fn service_tiers() {
    for (tier, expected) in [
        (json!({"type": "default"}), json!("default")),
        (json!({"type": "flex"}), json!("flex")),
        (json!({"type": "priority"}), json!("priority")),
        // OpenAI has no such one.
        (json!({"type": "reserved"}), Value::Null),
        (json!({}), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let mut answer: Value = serde_json::from_str(&fixtures::all()[0].answer()).unwrap();
        answer["serviceTier"] = tier;
        let completion = whole(&answer.to_string()).unwrap();
        assert_eq!(completion["service_tier"], expected);
    }
}

#[test]
fn usage_is_not_invented() {
    let mut answer: Value = serde_json::from_str(&fixtures::all()[0].answer()).unwrap();
    for usage in [Value::Null, json!({}), json!({"inputTokens": 4}), json!([])] {
        answer["usage"] = usage;
        let completion = whole(&answer.to_string()).unwrap();
        assert!(completion.get("usage").is_none(), "{completion}");
    }
}

#[test]
fn a_deep_input_passes() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = format!(
        r#"{{"output":{{"message":{{"content":[{{"toolUse":{{"toolUseId":"a","name":"n","input":{{"x":{deep}}}}}}}]}}}},"stopReason":"tool_use","usage":{{"deep":{deep}}},"additionalModelResponseFields":{deep}}}"#
    );
    let completion = whole(&answer).unwrap();
    let arguments = &completion["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(*arguments, format!(r#"{{"x":{deep}}}"#));
}
