//! A request of OpenAI's out of the fuzzer's bytes, and an answer of Bedrock's to it: whatever they
//! hold, what comes of them is a translation or an error.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use tower_bedrock::Policy;
use tower_bedrock::compat::Translation;
use tower_bedrock::eventstream::{self, Decoder};

const PLAIN: &[u8] = br#"{"model":"a.b","messages":[{"role":"user","content":"x"}],"stream_options":{"include_usage":true},"stream":true}"#;
const EVENTS: [&str; 7] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "throttlingException",
];

fuzz_target!(|bytes: &[u8]| {
    let (request, answer) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => bytes.split_at(at),
        None => (bytes, &[][..]),
    };
    let strict = Policy::new().with_strict_parameters(true);
    for policy in [&Policy::new(), &strict] {
        if let Ok(translation) = Translation::of(request, policy) {
            let body: serde_json::Value = serde_json::from_slice(translation.body()).unwrap();
            assert!(
                body["messages"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
            );
        }
    }

    let translation = Translation::of(PLAIN, &Policy::new()).unwrap();
    if let Ok(completion) = translation.completion(answer, "id", 0) {
        serde_json::from_slice::<serde_json::Value>(&completion).unwrap();
    }
    // Once as an event stream, and once as the payloads of one.
    let payloads = answer.split(|byte| *byte == 0).filter_map(|payload| {
        let (first, rest) = payload.split_first()?;
        Some(eventstream::event(
            EVENTS[usize::from(*first) % EVENTS.len()],
            rest,
        ))
    });
    let framed: Vec<Bytes> = payloads.collect();
    for wire in [Bytes::copy_from_slice(answer), framed.concat().into()] {
        let mut chunks = translation.chunks("id", 0);
        let mut decoder = Decoder::new();
        let mut text = BytesMut::new();
        decoder.push(wire);
        while let Ok(Some(frame)) = decoder.next() {
            if chunks.push(&frame, &mut text).is_err() {
                break;
            }
        }
        let _ = chunks.finish(&mut text);
        let text = std::str::from_utf8(&text).unwrap();
        for event in text.split_terminator("\n\n") {
            let data = event.strip_prefix("data: ").unwrap();
            if data != "[DONE]" {
                serde_json::from_str::<serde_json::Value>(data).unwrap();
            }
        }
    }
});
