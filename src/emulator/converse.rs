//! The Converse shapes, the same for every model.

use serde_json::{Value, json};

use super::reply::Reply;

/// The whole answer.
pub(super) fn message(reply: &Reply) -> Value {
    json!({
        "metrics": { "latencyMs": reply.latency() },
        "output": { "message": { "content": [{ "text": reply.text }], "role": "assistant" } },
        "stopReason": reply.stop("end_turn", "max_tokens"),
        "usage": usage(reply),
    })
}

/// The events of a stream; the last two close the message.
pub(super) fn events(reply: &Reply) -> Vec<(&'static str, Value)> {
    let mut events = vec![("messageStart", json!({ "role": "assistant" }))];
    events.extend(reply.pieces().into_iter().map(|text| {
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 0, "delta": { "text": text } }),
        )
    }));
    events.push(("contentBlockStop", json!({ "contentBlockIndex": 0 })));
    events.push((
        "messageStop",
        json!({ "stopReason": reply.stop("end_turn", "max_tokens") }),
    ));
    events.push((
        "metadata",
        json!({ "metrics": { "latencyMs": reply.latency() }, "usage": usage(reply) }),
    ));
    events
}

fn usage(reply: &Reply) -> Value {
    json!({
        "inputTokens": reply.input,
        "outputTokens": reply.output,
        "totalTokens": reply.total(),
    })
}
