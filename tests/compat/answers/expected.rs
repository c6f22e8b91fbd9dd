//! What a completion has to say, read from Converse's JSON.

use serde_json::{Value, json};

/// Fields that a completion has as Converse gives them.
pub(super) const EXTRAS: [&str; 3] = [
    "additionalModelResponseFields",
    "trace",
    "performanceConfig",
];

/// The parts of a completion that are compared.
#[derive(Debug, PartialEq, Clone)]
pub(super) struct Expected {
    pub(super) text: String,
    pub(super) reasoning: String,
    /// Id, name and input.
    pub(super) calls: Vec<(String, String, Value)>,
    pub(super) finish_reason: String,
    /// Prompt, completion, total, read from the cache, written to it.
    pub(super) usage: Option<[Option<u64>; 5]>,
}

impl Expected {
    /// Of an answer of Converse.
    pub(super) fn of(answer: &Value) -> Self {
        let blocks = answer["output"]["message"]["content"].as_array().unwrap();
        let mut expected = Self {
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            finish_reason: String::new(),
            usage: usage(&answer["usage"]),
        };
        for block in blocks {
            expected.text += block["text"].as_str().unwrap_or_default();
            for part in items(&block["citationsContent"]["content"]) {
                expected.text += part["text"].as_str().unwrap_or_default();
            }
            let reasoning = &block["reasoningContent"]["reasoningText"]["text"];
            expected.reasoning += reasoning.as_str().unwrap_or_default();
            let tool = &block["toolUse"];
            if tool.is_object() && tool["type"] != "server_tool_use" {
                let text = |name: &str| tool[name].as_str().unwrap().to_owned();
                let input = match &tool["input"] {
                    Value::Object(_) => tool["input"].clone(),
                    nothing => {
                        assert!(nothing.is_null() || nothing == "");
                        json!({})
                    }
                };
                expected
                    .calls
                    .push((text("toolUseId"), text("name"), input));
            }
        }
        expected.finish_reason = match answer["stopReason"].as_str().unwrap() {
            "tool_use" if !expected.calls.is_empty() => "tool_calls",
            "max_tokens" | "model_context_window_exceeded" => "length",
            "guardrail_intervened" | "content_filtered" => "content_filter",
            _ => "stop",
        }
        .to_owned();
        expected
    }

    /// What a completion of OpenAI's says.
    pub(super) fn said_by(completion: &Value) -> Self {
        let choice = &completion["choices"][0];
        let message = &choice["message"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let calls = items(&message["tool_calls"]).map(|call| {
            let arguments = text(&call["function"]["arguments"]);
            assert_eq!(call["type"], "function");
            (
                text(&call["id"]),
                text(&call["function"]["name"]),
                serde_json::from_str(&arguments).expect("arguments are JSON"),
            )
        });
        Self {
            text: text(&message["content"]),
            reasoning: text(&message["reasoning_content"]),
            calls: calls.collect(),
            finish_reason: text(&choice["finish_reason"]),
            usage: completion.get("usage").map(|usage| {
                let details = &usage["prompt_tokens_details"];
                [
                    usage["prompt_tokens"].as_u64(),
                    usage["completion_tokens"].as_u64(),
                    usage["total_tokens"].as_u64(),
                    details["cached_tokens"].as_u64(),
                    details["cache_write_tokens"].as_u64(),
                ]
            }),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "text": self.text,
            "reasoning": self.reasoning,
            "calls": self.calls,
            "finish_reason": self.finish_reason,
            "usage": self.usage,
        })
    }
}

fn usage(usage: &Value) -> Option<[Option<u64>; 5]> {
    let count = |name: &str| usage[name].as_u64();
    let (input, output) = (count("inputTokens")?, count("outputTokens")?);
    let (read, written) = (
        count("cacheReadInputTokens"),
        count("cacheWriteInputTokens"),
    );
    let prompt = input + read.unwrap_or(0) + written.unwrap_or(0);
    Some([
        Some(prompt),
        Some(output),
        Some(prompt + output),
        read,
        written,
    ])
}

pub(super) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The answer that the events of a stream amount to.
pub(super) fn assembled(events: &[(String, Value)]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut answer = json!({});
    for (event, payload) in events {
        let index = payload["contentBlockIndex"].as_u64().unwrap_or(0) as usize;
        if event.starts_with("contentBlock") && blocks.len() <= index {
            blocks.resize(index + 1, json!({}));
        }
        match event.as_str() {
            "contentBlockStart" => blocks[index] = payload["start"].clone(),
            "contentBlockDelta" => add(&mut blocks[index], &payload["delta"]),
            "messageStop" => answer["stopReason"] = payload["stopReason"].clone(),
            "metadata" => {
                answer["usage"] = payload["usage"].clone();
                if let Some(tier) = payload.get("serviceTier") {
                    answer["serviceTier"] = tier.clone();
                }
            }
            _ => {}
        }
        for field in EXTRAS {
            if let Some(extra) = payload.get(field) {
                answer[field] = extra.clone();
            }
        }
    }
    for block in &mut blocks {
        if let Some(Value::String(input)) = block.pointer("/toolUse/input") {
            let text = if input.is_empty() { "{}" } else { input };
            block["toolUse"]["input"] = serde_json::from_str(text).unwrap();
        }
        // A block of text with citations is of another kind in a whole answer.
        if block.get("citations").is_some() {
            *block = json!({"citationsContent": {"content": [{"text": block["text"]}], "citations": block["citations"]}});
        }
    }
    answer["output"] = json!({"message": {"role": "assistant", "content": blocks}});
    answer
}

fn add(block: &mut Value, delta: &Value) {
    let append = |place: &mut Value, piece: &Value| {
        if let Some(piece) = piece.as_str() {
            *place = Value::from(place.as_str().unwrap_or_default().to_owned() + piece);
        }
    };
    if delta.get("text").is_some() {
        append(&mut block["text"], &delta["text"]);
    }
    if delta.get("toolUse").is_some() {
        append(&mut block["toolUse"]["input"], &delta["toolUse"]["input"]);
    }
    if let Some(piece) = delta.get("reasoningContent") {
        let reasoning = &mut block["reasoningContent"];
        if piece.get("redactedContent").is_some() {
            append(&mut reasoning["redactedContent"], &piece["redactedContent"]);
        } else {
            append(&mut reasoning["reasoningText"]["text"], &piece["text"]);
            append(
                &mut reasoning["reasoningText"]["signature"],
                &piece["signature"],
            );
        }
    }
    if let Some(citation) = delta.get("citation") {
        match block["citations"].as_array_mut() {
            Some(list) => list.push(citation.clone()),
            None => block["citations"] = json!([citation]),
        }
    }
}
