//! Reads an event stream as it passes: only headers, and the payloads that tell something.

use std::mem;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc32fast::Hasher;

use crate::eventstream::{DEFAULT_MAX_FRAME, DecodeError, Headers, OVERHEAD, PRELUDE, Prelude};

use super::scan::Scanner;
use super::tally::{self, CHUNK, EVENT, Field, MESSAGE_STOP, METADATA, Tally};

#[derive(Debug)]
pub(super) struct Frames {
    at: At,
    /// The part of a prelude, of headers or of a checksum that came in earlier pieces.
    held: Vec<u8>,
    need: Need,
    sum: Hasher,
    payload: Scanner<Field>,
    /// The event inside a chunk, and its scanner.
    chunk: Vec<u8>,
    event: Scanner<Field>,
    /// What the frame in hand says; it counts once its checksum has been seen.
    frame: Tally,
    total: Tally,
    content: bool,
    any: bool,
    broken: Option<DecodeError>,
}

/// The part of a frame that comes next.
#[derive(Debug, Clone, Copy)]
enum At {
    Prelude,
    Headers(Prelude),
    /// So many bytes of it.
    Payload(usize),
    Checksum,
}

/// What a frame is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Its headers said enough, and nothing depends on it.
    Nothing,
    /// Its headers said enough.
    Headers,
    Payload,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            at: At::Prelude,
            held: Vec::new(),
            need: Need::Nothing,
            sum: Hasher::new(),
            payload: Scanner::new(METADATA),
            chunk: Vec::new(),
            event: Scanner::new(EVENT),
            frame: Tally::default(),
            total: Tally::default(),
            content: false,
            any: false,
            broken: None,
        }
    }

    /// Whether text of the model has come by now.
    pub(super) fn push(&mut self, mut input: &[u8]) -> bool {
        while self.broken.is_none() && !input.is_empty() {
            input = self.step(input).unwrap_or_else(|error| {
                self.broken = Some(error);
                &[]
            });
        }
        self.content
    }

    /// What was learnt, whether the stream stopped short, and why reading did.
    pub(super) fn finish(self) -> (Tally, bool, Option<DecodeError>) {
        let in_frame = !matches!(self.at, At::Prelude) || !self.held.is_empty();
        let total = self.total;
        let in_message = total.begun && !total.ended && total.exception.is_none();
        let short = in_frame || in_message || !self.any;
        (total, short && self.broken.is_none(), self.broken)
    }

    /// Reads to the end of one part of a frame; gives back the rest.
    fn step<'a>(&mut self, input: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        let wanted = match self.at {
            At::Prelude => PRELUDE,
            At::Headers(prelude) => prelude.headers,
            At::Payload(left) => return Ok(self.step_payload(input, left)),
            At::Checksum => OVERHEAD - PRELUDE,
        };
        let lacking = wanted.saturating_sub(self.held.len());
        let Some((now, rest)) = input.split_at_checked(lacking) else {
            self.held.extend_from_slice(input);
            return Ok(&[]);
        };
        if self.held.is_empty() {
            self.step_part(now)?;
        } else {
            let mut held = mem::take(&mut self.held);
            held.extend_from_slice(now);
            self.step_part(&held)?;
            held.clear();
            self.held = held;
        }
        Ok(rest)
    }

    fn step_part(&mut self, part: &[u8]) -> Result<(), DecodeError> {
        match self.at {
            At::Prelude => {
                let head = part.first_chunk().ok_or(DecodeError::Truncated)?;
                let prelude = Prelude::read(head, DEFAULT_MAX_FRAME)?;
                self.sum.reset();
                self.sum.update(head);
                self.at = At::Headers(prelude);
            }
            At::Headers(prelude) => {
                self.need = self.begin_frame(part)?;
                if self.need != Need::Nothing {
                    self.sum.update(part);
                }
                self.at = At::Payload(prelude.total - OVERHEAD - prelude.headers);
            }
            At::Payload(_) => {}
            At::Checksum => {
                self.end_frame(part)?;
                self.at = At::Prelude;
            }
        }
        Ok(())
    }

    fn step_payload<'a>(&mut self, input: &'a [u8], left: usize) -> &'a [u8] {
        let (now, rest) = input.split_at_checked(left).unwrap_or((input, &[]));
        if self.need != Need::Nothing {
            self.sum.update(now);
        }
        if self.need == Need::Payload {
            let (chunk, event, frame) = (&mut self.chunk, &mut self.event, &mut self.frame);
            self.payload.push(now, &mut |field, value| match field {
                Field::Bytes => read_chunk(value, chunk, event, frame),
                field => frame.found(field, value),
            });
        }
        self.at = match left - now.len() {
            0 => At::Checksum,
            left => At::Payload(left),
        };
        rest
    }

    fn begin_frame(&mut self, headers: &[u8]) -> Result<Need, DecodeError> {
        let (mut message, mut event, mut exception, mut code) = (None, None, None, None);
        for (name, value) in Headers::validated(headers)? {
            match name {
                ":message-type" => message.get_or_insert(value),
                ":event-type" => event.get_or_insert(value),
                ":exception-type" => exception.get_or_insert(value),
                ":error-code" => code.get_or_insert(value),
                _ => continue,
            };
        }
        let [message, event, exception, code] = [message, event, exception, code]
            .map(|value| value.and_then(|value| value.as_str()).unwrap_or_default());

        self.frame = Tally::default();
        let failure = match message {
            "exception" => Some(exception),
            "error" => Some(code),
            // Not seen in recordings, but other gateways guard against it.
            _ if event.ends_with("Exception") => Some(event),
            _ => None,
        };
        if let Some(name) = failure {
            self.frame.exception = Some(tally::bounded(name));
            return Ok(Need::Headers);
        }
        Ok(match event {
            "messageStart" | "contentBlockStart" | "contentBlockStop" => {
                self.frame.begun = true;
                Need::Nothing
            }
            "contentBlockDelta" => {
                self.frame.begun = true;
                self.frame.content = Some(true);
                Need::Nothing
            }
            "messageStop" => {
                self.frame.begun = true;
                self.frame.ended = true;
                self.payload.restart(MESSAGE_STOP);
                Need::Payload
            }
            "metadata" => {
                self.payload.restart(METADATA);
                Need::Payload
            }
            "chunk" => {
                self.payload.restart(CHUNK);
                Need::Payload
            }
            _ => Need::Nothing,
        })
    }

    fn end_frame(&mut self, checksum: &[u8]) -> Result<(), DecodeError> {
        if self.need != Need::Nothing {
            let sum = mem::take(&mut self.sum).finalize();
            if checksum != sum.to_be_bytes() {
                return Err(DecodeError::MessageChecksum);
            }
        }
        let frame = mem::take(&mut self.frame);
        self.content |= frame.content == Some(true);
        self.total.add(frame);
        self.any = true;
        Ok(())
    }
}

/// Reads the base64 text of a chunk.
fn read_chunk(
    value: Option<&[u8]>,
    buffer: &mut Vec<u8>,
    scanner: &mut Scanner<Field>,
    frame: &mut Tally,
) {
    buffer.clear();
    let quoted = value.unwrap_or_default();
    let plain = quoted
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""));
    let decoded = match plain {
        // A slash may come escaped.
        Some(text) if text.contains(&b'\\') => serde_json::from_slice::<String>(quoted)
            .is_ok_and(|text| STANDARD.decode_vec(text, buffer).is_ok()),
        Some(text) => STANDARD.decode_vec(text, buffer).is_ok(),
        None => false,
    };
    if decoded {
        scanner.restart(EVENT);
        scanner.push(buffer, &mut |field, value| frame.found(field, value));
    }
    // What does not say that it is something else is taken for text.
    frame.content = frame.content.or(Some(true));
}
