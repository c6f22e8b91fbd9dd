//! Anthropic's Messages shapes, as InvokeModel and `/anthropic/v1/messages` answer them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::reply::Reply;

/// The whole answer.
pub(super) fn message(model: &str, reply: &Reply) -> Value {
    json!({
        "id": id(),
        "type": "message",
        "role": "assistant",
        "model": model_name(model),
        "content": [{ "type": "text", "text": reply.text }],
        "stop_reason": stop_reason(reply),
        "stop_sequence": null,
        "usage": {
            "input_tokens": reply.input,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": reply.output,
        },
    })
}

/// The events of a stream; the last two close the message.
pub(super) fn events(model: &str, reply: &Reply) -> Vec<Value> {
    let mut start = message(model, reply);
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![
        json!({ "type": "message_start", "message": start }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
    ];
    events.extend(reply.pieces().into_iter().map(|text| {
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } })
    }));
    events.push(json!({ "type": "content_block_stop", "index": 0 }));
    events.push(json!({
        "type": "message_delta",
        "delta": { "stop_reason": stop_reason(reply), "stop_sequence": null },
        "usage": { "output_tokens": reply.output },
    }));
    events.push(json!({ "type": "message_stop" }));
    events
}

fn stop_reason(reply: &Reply) -> &'static str {
    reply.stop("end_turn", "max_tokens")
}

fn id() -> String {
    format!("msg_bdrk_{}", Uuid::new_v4().simple())
}

/// `us.anthropic.claude-haiku-4-5-20251001-v1:0` calls itself `claude-haiku-4-5-20251001`.
fn model_name(id: &str) -> &str {
    let name = id.rsplit_once("anthropic.").map_or(id, |(_, name)| name);
    name.split_once("-v1").map_or(name, |(name, _)| name)
}
