//! Amazon's own shapes: Nova's messages, and Titan's, which stand for every other model.

use serde_json::{Value, json};

use super::reply::Reply;

/// Nova's whole answer.
pub(super) fn message(reply: &Reply) -> Value {
    json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": reply.text }] } },
        "stopReason": reply.stop("end_turn", "max_tokens"),
        "usage": {
            "inputTokens": reply.input,
            "outputTokens": reply.output,
            "totalTokens": reply.total(),
            "cacheReadInputTokenCount": 0,
            "cacheWriteInputTokenCount": 0,
        },
    })
}

/// Nova's stream: every delta is a block of its own; the last two events close the message.
pub(super) fn events(reply: &Reply) -> Vec<Value> {
    let mut events = vec![json!({ "messageStart": { "role": "assistant" } })];
    for (index, text) in reply.pieces().into_iter().enumerate() {
        events.push(json!({ "contentBlockDelta": { "delta": { "text": text }, "contentBlockIndex": index } }));
        events.push(json!({ "contentBlockStop": { "contentBlockIndex": index } }));
    }
    events.push(json!({ "messageStop": { "stopReason": reply.stop("end_turn", "max_tokens") } }));
    events.push(json!({ "metadata": {
        "usage": {
            "inputTokens": reply.input,
            "outputTokens": reply.output,
            "cacheReadInputTokenCount": 0,
            "cacheWriteInputTokenCount": 0,
        },
        "metrics": {},
        "trace": {},
    } }));
    events
}

/// Titan's whole answer.
pub(super) fn titan(reply: &Reply) -> Value {
    json!({
        "inputTextTokenCount": reply.input,
        "results": [{
            "tokenCount": reply.output,
            "outputText": reply.text,
            "completionReason": reply.stop("FINISH", "LENGTH"),
        }],
    })
}

/// Titan's stream: one empty last chunk says how it ended.
pub(super) fn titan_events(reply: &Reply) -> Vec<Value> {
    let chunk = |text: String, end: Value| {
        json!({
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": reply.output,
            "completionReason": end,
            "inputTextTokenCount": reply.input,
        })
    };
    let mut events: Vec<Value> = reply
        .pieces()
        .into_iter()
        .map(|text| chunk(text, Value::Null))
        .collect();
    events.push(chunk(String::new(), json!(reply.stop("FINISH", "LENGTH"))));
    events
}
