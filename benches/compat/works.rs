//! What is timed.

use std::hint::black_box;

use bytes::Bytes;
use serde_json::Value;
use tower_bedrock::Policy;
use tower_bedrock::compat::Translation;

use crate::contest::Contest;
use crate::flow::{Stream, chat_and_answer};
use crate::inputs;

/// What table and goals need.
pub(crate) fn all() -> Vec<Contest> {
    vec![chat(), history(), delta()]
}

fn chat() -> Contest {
    let (request, answer) = (inputs::chat(), inputs::answer());
    let both = [request.clone(), answer.clone()];
    let policy = Policy::new();
    Contest {
        name: "chat of 2 KiB and its answer vs serde_json::Value there and back",
        bytes: request.len() + answer.len(),
        pieces: 1,
        ours: Box::new(move || {
            black_box(chat_and_answer(
                black_box(&request),
                black_box(&answer),
                &policy,
            ));
        }),
        value: Box::new(move || both.iter().for_each(there_and_back)),
        wanted: 0.8,
    }
}

fn history() -> Contest {
    let request = inputs::history();
    let same = request.clone();
    let policy = Policy::new();
    Contest {
        name: "history of 20 messages and 10 tools vs serde_json::Value there and back",
        bytes: request.len(),
        pieces: 1,
        ours: Box::new(move || {
            let translation = Translation::of_bytes(black_box(&request), &policy);
            black_box(translation.expect("it can be translated"));
        }),
        value: Box::new(move || there_and_back(&same)),
        wanted: 0.8,
    }
}

fn there_and_back(json: &Bytes) {
    let value: Value = serde_json::from_slice(black_box(json)).expect("it is JSON");
    let mut out = Vec::with_capacity(json.len() + 64);
    serde_json::to_writer(&mut out, &value).expect("it can be written");
    black_box(out);
}

/// Both pieces as they come from the wire: neither knows how many follow.
fn delta() -> Contest {
    let deltas = inputs::deltas();
    let mut stream = Stream::begin();
    let frames: Vec<Bytes> = deltas.iter().map(inputs::framed).collect();
    Contest {
        name: "streamed text delta, frame in, chunk out, vs serde_json::Value of its JSON",
        bytes: deltas.iter().map(Bytes::len).sum::<usize>() / deltas.len(),
        pieces: u32::try_from(deltas.len()).unwrap_or(u32::MAX),
        ours: Box::new(move || {
            for frame in &frames {
                black_box(stream.translate(black_box(frame)));
            }
        }),
        value: Box::new(move || {
            for delta in &deltas {
                let value: Value = serde_json::from_slice(black_box(delta)).expect("it is JSON");
                black_box(value);
            }
        }),
        wanted: 1.0,
    }
}
