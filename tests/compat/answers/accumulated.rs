//! What a client makes of a stream.

use serde_json::{Value, json};

use super::expected::EXTRAS;
use super::{CREATED, ID, MODEL};

/// The chunks of a stream that ended well; fails if they are not as OpenAI's are.
pub(super) fn chunks(sse: &str, include_usage: bool) -> Vec<Value> {
    let events = sse
        .strip_suffix("data: [DONE]\n\n")
        .expect("ends with [DONE]");
    checked(events, include_usage)
}

/// The chunks of a stream, as far as it went.
pub(super) fn checked(events: &str, include_usage: bool) -> Vec<Value> {
    // However a client breaks lines, an event is one.
    let breaks = [
        '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
    ];
    let chunks: Vec<Value> = events
        .split_terminator("\n\n")
        .map(|event| {
            assert!(!event.contains(breaks), "{event:?}");
            serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()
        })
        .collect();
    for chunk in &chunks {
        assert_eq!(chunk["id"], format!("chatcmpl-{ID}"));
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["created"], CREATED);
        assert_eq!(chunk["model"], MODEL);
        assert_eq!(chunk.get("usage").is_some(), include_usage, "{chunk}");
        assert!(chunk.get("p").is_none() && chunk.get("obfuscation").is_none());
        let choices = chunk["choices"].as_array().unwrap();
        assert_eq!(choices.is_empty(), chunk["usage"].is_object(), "{chunk}");
        for choice in choices {
            assert_eq!(choice["index"], 0);
            assert!(choice["delta"].is_object());
            assert!(choice.get("finish_reason").is_some());
        }
    }
    let deltas = || {
        chunks
            .iter()
            .filter_map(|chunk| chunk.pointer("/choices/0/delta"))
    };
    if let Some(first) = deltas().next() {
        assert_eq!(*first, json!({"role": "assistant", "content": ""}));
    }
    let roles = deltas().filter(|delta| delta.get("role").is_some());
    assert!(roles.count() <= 1);
    // The reason is told once, by an empty delta, after all others.
    let reasons = chunks.iter().position(|chunk| {
        chunk
            .pointer("/choices/0/finish_reason")
            .is_some_and(Value::is_string)
    });
    if let Some(at) = reasons {
        assert_eq!(chunks[at]["choices"][0]["delta"], json!({}));
        assert!(chunks.len() <= at + 2);
        assert!(
            chunks[at + 1..]
                .iter()
                .all(|chunk| chunk["usage"].is_object())
        );
    }
    chunks
}

/// The completion that the chunks of a stream amount to.
pub(super) fn completion(chunks: &[Value]) -> Value {
    let mut message = json!({});
    let mut choice = json!({"index": 0, "logprobs": null});
    let mut completion = json!({
        "id": chunks[0]["id"],
        "object": "chat.completion",
        "created": chunks[0]["created"],
        "model": chunks[0]["model"],
    });
    for chunk in chunks {
        for field in ["usage", "service_tier"].iter().chain(&EXTRAS) {
            if let Some(value) = chunk.get(field).filter(|value| !value.is_null()) {
                completion[field] = value.clone();
            }
        }
        let Some(piece) = chunk["choices"].get(0) else {
            continue;
        };
        for field in ["finish_reason", "native_finish_reason"] {
            if let Some(value) = piece.get(field).filter(|value| !value.is_null()) {
                choice[field] = value.clone();
            }
        }
        merge(&mut message, &piece["delta"]);
    }
    message["refusal"] = Value::Null;
    choice["message"] = message;
    completion["choices"] = json!([choice]);
    completion
}

/// As OpenAI's SDKs do it.
fn merge(message: &mut Value, delta: &Value) {
    for (name, piece) in delta.as_object().unwrap() {
        match (name.as_str(), piece) {
            ("tool_calls", Value::Array(pieces)) => {
                if message["tool_calls"].is_null() {
                    message["tool_calls"] = json!([]);
                }
                let calls = message["tool_calls"].as_array_mut().unwrap();
                for piece in pieces {
                    let mut piece = piece.clone();
                    let index = piece["index"].as_u64().unwrap() as usize;
                    piece.as_object_mut().unwrap().remove("index");
                    assert!(index <= calls.len(), "an index is left out");
                    if index == calls.len() {
                        for field in ["/id", "/type", "/function/name"] {
                            assert!(
                                piece.pointer(field).is_some(),
                                "the first piece has {field}"
                            );
                        }
                        calls.push(piece);
                    } else {
                        let arguments = &mut calls[index]["function"]["arguments"];
                        append(arguments, &piece["function"]["arguments"]);
                    }
                }
            }
            (_, Value::String(_)) => append(&mut message[name], piece),
            _ => {
                // Not every client can put lists together.
                assert!(message.get(name).is_none(), "{name} comes in pieces");
                message[name] = piece.clone();
            }
        }
    }
}

fn append(place: &mut Value, piece: &Value) {
    let before = place.as_str().unwrap_or_default().to_owned();
    *place = Value::from(before + piece.as_str().unwrap());
}

/// What may differ between a stream and a whole completion without being another message.
pub(super) fn normalised(mut completion: Value) -> Value {
    let message = &mut completion["choices"][0]["message"];
    if message["content"] == "" {
        message["content"] = Value::Null;
    }
    if message["reasoning_content"] == "" {
        message.as_object_mut().unwrap().remove("reasoning_content");
    }
    for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        call["function"]["arguments"] = serde_json::from_str(arguments).unwrap();
    }
    completion
}
