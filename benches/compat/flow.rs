//! A request and its answer on their way through the translation.

use bytes::{Bytes, BytesMut};
use tower_bedrock::Policy;
use tower_bedrock::compat::{Chunks, Translation};
use tower_bedrock::eventstream::Decoder;

use crate::inputs;

const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
const CREATED: u64 = 1_764_000_000;

pub(crate) fn chat_and_answer(request: &Bytes, answer: &Bytes, policy: &Policy) -> Vec<u8> {
    let translation = Translation::of_bytes(request, policy).expect("it can be translated");
    let completion = translation.completion(answer, ID, CREATED);
    completion.expect("it is an answer")
}

/// A stream in its middle, as the layer's response body holds it.
pub(crate) struct Stream {
    decoder: Decoder,
    chunks: Chunks,
    text: BytesMut,
}

impl Stream {
    pub(crate) fn begin() -> Self {
        let translation = Translation::of_bytes(&inputs::chat(), &Policy::new());
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
