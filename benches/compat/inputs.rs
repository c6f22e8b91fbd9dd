//! What is translated: requests of OpenAI's, and what Bedrock answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tower_bedrock::eventstream;

const MODEL: &str = "aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0";

const INSTRUCTIONS: &str = "You answer questions of the customers of a bicycle workshop in Graz.\n\
    Rules:\n\
    1. Be brief: three sentences at most, no lists, no headings.\n\
    2. Prices are in euros and include tax; never promise a date, say \"usually within two days\".\n\
    3. A question about anything else gets: \"I can only help with your bicycle.\"\n\
    4. Use the customer's language; say \"du\" to nobody who has not said it first.\n\
    What a service costs: small check 49 €, large check 99 €, new brake pads 25 € per wheel and \
    the pads, a puncture 18 € and the tube, truing a wheel from 29 €. Motors are not opened here: \
    for those there is the manufacturer's hotline, whose number is under the bottle cage.";

const ADVICE: &str = "That grinding is most likely the pads: on wet roads they wear down to the \
    metal within a season, and then the disc goes with them. Take the wheel out and look from \
    above – less than a millimetre of pad means \"change now\".\n\n\
    New pads cost 25 € per wheel and the pads themselves, and it usually takes us no longer than \
    two days. Until then please use the front brake as little as you can: a disc costs more than \
    any pad.";

/// A chat of 2 KiB.
pub(crate) fn chat() -> Bytes {
    let request = json!({
        "model": MODEL,
        "messages": [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": "Hi! My rear brake makes a noise since last week, like \
                sand between two stones. It is worse in the rain. What could that be?"},
            {"role": "assistant", "content": ADVICE},
            {"role": "user", "content": [{"type": "text", "text": "Thanks – I looked: there is \
                about half a millimetre left, and the disc has a \"step\" at its edge that I can \
                feel with a fingernail. Is the disc done for as well, and what would it be all \
                together for both wheels? The bicycle is three years old, and I \
                ride it some 20 km a day, in winter too. I could bring it on Thursday after \
                four, or else leave it in front of your door in the morning, if you tell me \
                where the key should go."}]},
        ],
        "temperature": 0.3,
        "max_completion_tokens": 400,
        "stop": ["\n\nCustomer:"],
        "user": "customer-4711",
    });
    request.to_string().into()
}

/// Converse's answer to it.
pub(crate) fn answer() -> Bytes {
    let answer = json!({
        "metrics": {"latencyMs": 1840},
        "output": {"message": {"role": "assistant", "content": [{"text": ADVICE}]}},
        "stopReason": "end_turn",
        "usage": {
            "cacheReadInputTokenCount": 0,
            "cacheReadInputTokens": 0,
            "cacheWriteInputTokenCount": 0,
            "cacheWriteInputTokens": 0,
            "inputTokens": 512,
            "outputTokens": 118,
            "serverToolUsage": {},
            "totalTokens": 630,
        },
    });
    answer.to_string().into()
}

/// A conversation with many calls: 20 messages, 10 tools.
pub(crate) fn history() -> Bytes {
    let mut messages = vec![json!({"role": "system", "content": INSTRUCTIONS})];
    for turn in 0..5 {
        let (id, bicycle) = (format!("toolu_{turn:024}"), format!("WBK-2025-{turn}"));
        let arguments = json!({"bicycle": bicycle, "since": "2025-03-01"}).to_string();
        let found = json!({
            "bicycle": bicycle,
            "checks": [{"date": "2025-04-12", "kind": "small"}, {"date": "2025-09-30", "kind": "large"}],
            "note": "Chain at 0.75 %, rear pads \"soon\".",
        });
        messages.extend([
            json!({"role": "user", "content": format!("Is {bicycle} due for a check?")}),
            json!({"role": "assistant", "content": "I look it up.", "tool_calls": [{
                "id": id, "type": "function",
                "function": {"name": format!("find_{turn}"), "arguments": arguments},
            }]}),
            json!({"role": "tool", "tool_call_id": id, "content": found.to_string()}),
            json!({"role": "assistant", "content": ADVICE}),
        ]);
    }
    // The model is to answer the last result.
    messages.truncate(20);
    let request = json!({
        "model": MODEL,
        "messages": messages,
        "tools": (0..10).map(tool).collect::<Vec<_>>(),
        "tool_choice": "auto",
        "max_tokens": 1024,
    });
    request.to_string().into()
}

fn tool(number: u32) -> Value {
    json!({"type": "function", "function": {
        "name": format!("find_{number}"),
        "description": "Finds what was done to a bicycle, the newest first. Call it before you \
            answer any question about a certain bicycle.",
        "parameters": {
            "type": "object",
            "properties": {
                "bicycle": {"type": "string", "description": "Number of the frame, under the bottom bracket"},
                "since": {"type": "string", "description": "First day that matters, as YYYY-MM-DD"},
                "kinds": {"type": "array", "items": {"type": "string", "enum": ["small", "large", "repair"]}},
                "limit": {"type": "integer", "minimum": 1, "maximum": 100},
            },
            "required": ["bicycle"],
            "additionalProperties": false,
        },
    }})
}

/// A question about an image of 10 MB.
pub(crate) fn image() -> Bytes {
    // What matters is its length; PNG it is by its first bytes.
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(
        (0_u32..)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .take(7_500_000),
    );
    let url = format!("data:image/png;base64,{}", STANDARD.encode(file));
    let request = json!({"model": MODEL, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is wrong with this wheel?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]}]});
    request.to_string().into()
}

/// The beginning of a stream.
pub(crate) fn stream_start() -> Bytes {
    let start = r#"{"p":"abcdefghijkl","role":"assistant"}"#;
    eventstream::event("messageStart", start.as_bytes())
}

/// Payloads of `contentBlockDelta`, as Bedrock sends them: some words and some padding in each.
pub(crate) fn deltas() -> Vec<Bytes> {
    const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let words: Vec<_> = ADVICE.split_inclusive(' ').collect();
    let pieces = words.chunks(3).enumerate().map(|(at, words)| {
        let padding = PADDING.get(..at * 7 % PADDING.len());
        let delta =
            json!({"contentBlockIndex": 0, "delta": {"text": words.concat()}, "p": padding});
        Bytes::from(delta.to_string())
    });
    pieces.collect()
}

/// The frame around one of them, in memory that is shared already, as a client's buffer is.
pub(crate) fn framed(delta: &Bytes) -> Bytes {
    let frame = eventstream::event("contentBlockDelta", delta);
    drop(frame.clone());
    frame
}
