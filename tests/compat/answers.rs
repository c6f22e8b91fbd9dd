//! Answers of Converse, as OpenAI gives them.
//!
//! What is expected is read from Converse's JSON by code of its own, in `expected.rs`; what clients
//! would make of a stream is put together in `accumulated.rs`. All translations are written to
//! `completions.jsonl` in the target's temporary folder, where `tests/clients/completions.py` reads
//! them with OpenAI's own package.

mod accumulated;
mod bad_answers;
mod bad_ends;
mod expected;
mod fixtures;
mod recorded;
mod splits;
mod streams;
mod whole;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use tower_bedrock::Policy;
use tower_bedrock::compat::{OpenAiError, Translation};
use tower_bedrock::eventstream::{self, Decoder, Frame};

const MODEL: &str = "aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0";
const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
const CREATED: u64 = 1_764_000_000;

/// Of a request with a tool, and nothing else special about it: without one, no call is given.
fn translation(include_usage: bool) -> Translation {
    let request = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "tools": [{"type": "function", "function": {"name": "w"}}],
        "stream": true,
        "stream_options": {"include_usage": include_usage},
    });
    Translation::of(request.to_string().as_bytes(), &Policy::new()).unwrap()
}

fn whole(answer: &str) -> Result<Value, OpenAiError> {
    let json = translation(false).completion(answer.as_bytes(), ID, CREATED)?;
    Ok(serde_json::from_slice(&json).unwrap())
}

/// One event of ConverseStream.
type Event = (&'static str, Value);

fn wire(events: &[Event]) -> Bytes {
    let frames = events
        .iter()
        .map(|(name, payload)| eventstream::event(name, payload.to_string().as_bytes()));
    frames.collect::<Vec<_>>().concat().into()
}

fn frames(wire: &Bytes) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    decoder.push(wire.clone());
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        frames.push(frame);
    }
    decoder.finish().unwrap();
    frames
}

/// What the client of a stream receives, and how it ended.
fn streamed(
    pieces: impl IntoIterator<Item = Bytes>,
    include_usage: bool,
) -> (String, Result<(), OpenAiError>) {
    let mut chunks = translation(include_usage).chunks(ID, CREATED);
    let mut decoder = Decoder::new();
    let mut out = BytesMut::new();
    let mut result = Ok(());
    'stream: for piece in pieces {
        decoder.push(piece);
        while let Some(frame) = decoder.next().unwrap() {
            result = chunks.push(&frame, &mut out);
            if result.is_err() {
                break 'stream;
            }
        }
    }
    let result = result.and_then(|()| chunks.finish(&mut out));
    (String::from_utf8(out.to_vec()).unwrap(), result)
}
