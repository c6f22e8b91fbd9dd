//! From a frame of the request to the bytes that the model gets.

use std::time::SystemTime;

use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value;

use crate::emulator::refusal::Refusal;
use crate::emulator::verify::Chain;
use crate::eventstream::{Decoder, Frame};

pub(super) const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;
/// The most bytes of one chunk.
const CHUNK: usize = 1_000_000;

/// What a frame brings.
#[derive(Debug)]
pub(super) enum Message {
    Chunk(Vec<u8>),
    End,
}

/// How the messages of one request are wrapped.
#[derive(Debug)]
pub(super) struct Reader {
    wrapping: Wrapping,
}

#[derive(Debug)]
enum Wrapping {
    Signed(Chain),
    /// With an API key.
    Bare,
    /// Nothing is verified: either.
    Any,
}

impl Reader {
    pub(super) fn new(chain: Option<Chain>) -> Self {
        let wrapping = chain.map_or(Wrapping::Bare, Wrapping::Signed);
        Self { wrapping }
    }

    pub(super) fn unverified() -> Self {
        Self {
            wrapping: Wrapping::Any,
        }
    }

    /// Whether every message has to have a signature.
    pub(super) fn is_chained(&self) -> bool {
        matches!(self.wrapping, Wrapping::Signed(_))
    }

    /// Whether a signed end has come.
    pub(super) fn is_ended(&self) -> bool {
        matches!(&self.wrapping, Wrapping::Signed(chain) if chain.ended())
    }

    /// Whether the request may not end here.
    pub(super) fn lacks_end(&self) -> bool {
        self.is_chained() && !self.is_ended()
    }

    /// Unwraps one frame.
    pub(super) fn read(&mut self, frame: &Frame, now: SystemTime) -> Result<Message, Refusal> {
        let wrapped = match &mut self.wrapping {
            Wrapping::Bare => return chunk(frame),
            Wrapping::Any if frame.header(":chunk-signature").is_none() => return chunk(frame),
            Wrapping::Any => Some(frame.payload().clone()).filter(|payload| !payload.is_empty()),
            Wrapping::Signed(chain) => chain.unwrap(frame, now)?,
        };
        match wrapped {
            None => Ok(Message::End),
            Some(wrapped) => chunk(&single(wrapped)?),
        }
    }
}

/// The one frame that these bytes are.
fn single(bytes: Bytes) -> Result<Frame, Refusal> {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    let frame = decoder
        .next()
        .map_err(|error| Refusal::validation(&error.to_string()))?;
    match (frame, decoder.finish()) {
        (Some(frame), Ok(())) => Ok(frame),
        _ => Err(Refusal::validation(
            "A signed message must wrap exactly one message.",
        )),
    }
}

/// The bytes of a chunk event.
fn chunk(frame: &Frame) -> Result<Message, Refusal> {
    let malformed = |text: &str| Err(Refusal::validation(text));
    if (frame.message_type(), frame.event_type()) != ("event", "chunk") {
        return malformed("Every message of the input stream is an event of type chunk.");
    }
    let Ok(payload) = serde_json::from_slice::<Value>(frame.payload()) else {
        return malformed("The payload of a chunk is a JSON object.");
    };
    let bytes = match &payload["bytes"] {
        Value::Null => Vec::new(),
        Value::String(bytes) => match BASE64.decode(bytes) {
            Ok(bytes) => bytes,
            Err(_) => return malformed("The bytes of a chunk are base64."),
        },
        _ => return malformed("The bytes of a chunk are base64."),
    };
    if bytes.len() > CHUNK {
        return malformed(
            "1 validation error detected: Value at 'body.chunk.bytes' failed to satisfy constraint: Member must have \
             length less than or equal to 1000000",
        );
    }
    Ok(Message::Chunk(bytes))
}
