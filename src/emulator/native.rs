//! The OpenAI and Anthropic surfaces of bedrock-mantle (and of `/openai/v1` on the runtime).

use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, Content};
use super::claude;
use super::refusal::Refusal;
use super::reply::Reply;

/// One of the native surfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Native {
    ChatCompletions,
    Responses,
    Messages,
}

impl Native {
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/chat/completions" | "/openai/v1/chat/completions" => Self::ChatCompletions,
            "/v1/responses" | "/openai/v1/responses" => Self::Responses,
            "/anthropic/v1/messages" => Self::Messages,
            _ => return None,
        })
    }

    /// Refuses a body that lacks what this surface cannot do without.
    pub(super) fn check(self, body: &Value) -> Result<(), Refusal> {
        let key = match self {
            Self::Responses => "input",
            Self::ChatCompletions | Self::Messages => "messages",
        };
        for key in ["model", key] {
            if body[key].is_null() {
                return Err(Refusal::validation(&format!(
                    "Missing required field: {key}"
                )));
            }
        }
        Ok(())
    }

    /// A JSON answer, or server-sent events for `"stream": true`.
    pub(super) fn answer(self, model: &str, body: &Value, reply: &Reply) -> Answer {
        if body["stream"] == true && self != Self::Responses {
            return Answer::events(self.stream(model, body, reply));
        }
        Answer::json(&match self {
            Self::ChatCompletions => json!({
                "id": chat_id(),
                "object": "chat.completion",
                "created": 0,
                "model": model,
                "choices": [{
                    "index": 0,
                    "message": { "role": "assistant", "content": reply.text, "refusal": null },
                    "logprobs": null,
                    "finish_reason": reply.stop("stop", "length"),
                }],
                "usage": chat_usage(reply),
            }),
            Self::Responses => json!({
                "id": format!("resp_{}", Uuid::new_v4().simple()),
                "object": "response",
                "created_at": 0,
                "model": model,
                "status": "completed",
                "output": [{
                    "id": format!("msg_{}", Uuid::new_v4().simple()),
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{ "type": "output_text", "text": reply.text, "annotations": [] }],
                }],
                "usage": {
                    "input_tokens": reply.input,
                    "output_tokens": reply.output,
                    "total_tokens": reply.total(),
                },
            }),
            Self::Messages => claude::message(model, reply),
        })
    }

    fn stream(self, model: &str, body: &Value, reply: &Reply) -> Content {
        let frames = if self == Self::Messages {
            claude::events(model, reply)
                .iter()
                .map(|event| {
                    let name = event["type"].as_str().unwrap_or_default();
                    format!("event: {name}\ndata: {event}\n\n").into()
                })
                .collect()
        } else {
            chat_chunks(model, body, reply)
                .iter()
                .map(|chunk| format!("data: {chunk}\n\n").into())
                .chain(["data: [DONE]\n\n".into()])
                .collect()
        };
        Content::Frames {
            frames,
            closing: 2,
            binary: false,
        }
    }
}

fn chat_chunks(model: &str, body: &Value, reply: &Reply) -> Vec<Value> {
    let id = chat_id();
    let chunk = |choices: Value| json!({ "id": id, "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices });
    let choice = |delta: Value, end: Value| {
        chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": end }]))
    };
    let mut chunks = vec![choice(
        json!({ "role": "assistant", "content": "" }),
        Value::Null,
    )];
    for text in reply.pieces() {
        chunks.push(choice(json!({ "content": text }), Value::Null));
    }
    chunks.push(choice(json!({}), json!(reply.stop("stop", "length"))));
    if body["stream_options"]["include_usage"] == true {
        let mut last = chunk(json!([]));
        last["usage"] = chat_usage(reply);
        chunks.push(last);
    }
    chunks
}

fn chat_usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input,
        "completion_tokens": reply.output,
        "total_tokens": reply.total(),
    })
}

fn chat_id() -> String {
    format!("chatcmpl-{}", Uuid::new_v4())
}
