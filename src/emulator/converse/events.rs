//! The answers of Converse and ConverseStream, the same for every model but in how tool input is streamed.

use serde_json::{Value, json};

use super::super::reply;
use super::family::Vendor;
use super::model::{Block, Turn, spaced};

/// How much of a tool's input Claude sends at a time.
const FRAGMENT: usize = 8;

/// The whole answer.
pub(super) fn message(turn: &Turn, request: &Value) -> Value {
    let blocks = turn.blocks.iter().map(|block| match block {
        Block::Text(text) => json!({ "text": text }),
        Block::Thought { text, signature } => {
            let mut thought = json!({ "text": text });
            if let Some(signature) = signature {
                thought["signature"] = json!(signature);
            }
            json!({ "reasoningContent": { "reasoningText": thought } })
        }
        Block::Redacted(data) => json!({ "reasoningContent": { "redactedContent": data } }),
        Block::Call { id, name, input } => {
            json!({ "toolUse": { "toolUseId": id, "name": name, "input": input } })
        }
    });
    let content: Vec<Value> = blocks.collect();
    let mut message = closing(turn, request);
    message["output"] = json!({ "message": { "content": content, "role": "assistant" } });
    message["stopReason"] = json!(turn.stop);
    message
}

/// The events of a stream; the last two close the message.
pub(super) fn events(turn: &Turn, request: &Value, vendor: Vendor) -> Vec<(&'static str, Value)> {
    let mut stream = Stream {
        events: vec![("messageStart", json!({ "role": "assistant" }))],
        index: 0,
    };
    let thinks = matches!(turn.blocks.first(), Some(Block::Thought { .. }));
    if vendor == Vendor::GptOss && thinks {
        // Its streams begin with an empty text.
        stream.delta(json!({ "text": "" }));
        stream.stop();
    }
    for block in &turn.blocks {
        stream.block(block, vendor);
    }
    let mut events = stream.events;
    events.push(("messageStop", json!({ "stopReason": turn.stop })));
    events.push(("metadata", closing(turn, request)));
    events
}

/// What both say at the end.
fn closing(turn: &Turn, request: &Value) -> Value {
    let mut closing = json!({
        "metrics": { "latencyMs": turn.latency },
        "usage": turn.usage,
    });
    if let Some(trace) = &turn.trace {
        closing["trace"] = trace.clone();
    }
    for key in ["serviceTier", "performanceConfig"] {
        if !request[key].is_null() {
            closing[key] = request[key].clone();
        }
    }
    closing
}

struct Stream {
    events: Vec<(&'static str, Value)>,
    index: usize,
}

impl Stream {
    fn delta(&mut self, delta: Value) {
        let index = self.index;
        self.events.push((
            "contentBlockDelta",
            json!({ "contentBlockIndex": index, "delta": delta }),
        ));
    }

    fn stop(&mut self) {
        let index = self.index;
        self.events
            .push(("contentBlockStop", json!({ "contentBlockIndex": index })));
        self.index += 1;
    }

    fn block(&mut self, block: &Block, vendor: Vendor) {
        match block {
            Block::Text(text) => {
                for text in reply::pieces(text) {
                    self.delta(json!({ "text": text }));
                }
            }
            Block::Thought { text, signature } => {
                for text in reply::pieces(text) {
                    self.delta(json!({ "reasoningContent": { "text": text } }));
                }
                if let Some(signature) = signature {
                    self.delta(json!({ "reasoningContent": { "signature": signature } }));
                }
            }
            Block::Redacted(data) => {
                self.delta(json!({ "reasoningContent": { "redactedContent": data } }));
            }
            Block::Call { id, name, input } => {
                let tool = json!({ "toolUse": { "toolUseId": id, "name": name } });
                let index = self.index;
                self.events.push((
                    "contentBlockStart",
                    json!({ "contentBlockIndex": index, "start": tool }),
                ));
                for input in fragments(input, vendor) {
                    self.delta(json!({ "toolUse": { "input": input } }));
                }
            }
        }
        self.stop();
    }
}

/// A tool's input as the vendor streams it. Without parameters Claude sends an empty text, Nova `{}`, others nothing.
fn fragments(input: &Value, vendor: Vendor) -> Vec<String> {
    let empty = input.as_object().is_some_and(serde_json::Map::is_empty);
    match vendor {
        Vendor::Claude if empty => vec![String::new()],
        Vendor::Claude => {
            let text: Vec<char> = spaced(input).chars().collect();
            let pieces = text.chunks(FRAGMENT).map(|piece| piece.iter().collect());
            std::iter::once(String::new()).chain(pieces).collect()
        }
        Vendor::Nova => vec![input.to_string()],
        _ if empty => Vec::new(),
        _ => vec![input.to_string()],
    }
}
