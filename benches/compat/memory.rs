//! What is allocated.

use allocation_counter::measure;
use bytes::Bytes;
use tower_bedrock::Policy;
use tower_bedrock::compat::Translation;

use crate::flow::{Stream, chat_and_answer};
use crate::goal::Goal;
use crate::inputs;

pub(crate) fn goals() -> [Goal; 3] {
    [
        Goal {
            name: "allocations for a chat of 2 KiB and its answer",
            measured: chat() as f64,
            wanted: 60.0,
        },
        Goal {
            name: "allocations for a streamed text delta, the most of any",
            measured: delta() as f64,
            wanted: 2.0,
        },
        Goal {
            name: "peak memory for an image of 10 MB in base64, in lengths of the request",
            measured: image(),
            wanted: 1.3,
        },
    ]
}

fn chat() -> u64 {
    let (request, answer, policy) = (inputs::chat(), inputs::answer(), Policy::new());
    measure(|| drop(chat_and_answer(&request, &answer, &policy))).count_total
}

/// While all that was sent before is still held.
fn delta() -> u64 {
    let mut stream = Stream::begin();
    let frames: Vec<Bytes> = inputs::deltas().iter().map(inputs::framed).collect();
    let mut sent = Vec::with_capacity(frames.len());
    let counts = frames.iter().map(|frame| {
        let translated = measure(|| sent.push(stream.translate(frame)));
        translated.count_total
    });
    counts.max().unwrap_or(u64::MAX)
}

/// Of the request, which is held, and all that becomes of it.
fn image() -> f64 {
    let policy = Policy::new();
    let image = inputs::image();
    let length = image.len() as f64;
    let peak = measure(|| {
        let request = Bytes::from(image.to_vec());
        let translation = Translation::of_bytes(&request, &policy);
        drop((request, translation.expect("it can be translated")));
    });
    peak.bytes_max as f64 / length
}
