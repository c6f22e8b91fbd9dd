//! What is timed.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tower_bedrock::Policy;
use tower_bedrock::compat::{Chunks, Translation};
use tower_bedrock::eventstream::Decoder;

use crate::contest::Contest;
use crate::inputs;

const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
const CREATED: u64 = 1_764_000_000;

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
            black_box(chat_and_answer(&request, &answer, &policy));
        }),
        value: Box::new(move || both.iter().for_each(there_and_back)),
        wanted: 0.8,
    }
}

pub(crate) fn chat_and_answer(request: &Bytes, answer: &Bytes, policy: &Policy) -> Vec<u8> {
    let translation = Translation::of(black_box(request), policy).expect("it can be translated");
    black_box(translation.body());
    let completion = translation.completion(black_box(answer), ID, CREATED);
    completion.expect("it is an answer")
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
            let translation = Translation::of(black_box(&request), &policy);
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

/// A stream in its middle, as the layer's response body holds it.
pub(crate) struct Stream {
    decoder: Decoder,
    chunks: Chunks,
    text: BytesMut,
}

impl Stream {
    pub(crate) fn begin() -> Self {
        let translation = Translation::of(&inputs::chat(), &Policy::new());
        let mut stream = Self {
            decoder: Decoder::new(),
            chunks: translation
                .expect("it can be translated")
                .chunks(ID, CREATED),
            text: BytesMut::new(),
        };
        stream.translate(&inputs::stream_start());
        stream
    }

    pub(crate) fn translate(&mut self, piece: &Bytes) -> Bytes {
        self.decoder.push(piece.clone());
        while let Some(frame) = self.decoder.next().expect("it is a frame") {
            let pushed = self.chunks.push(&frame, &mut self.text);
            pushed.expect("it is an event");
        }
        self.text.split().freeze()
    }
}
