//! Reads an event stream as it passes: only headers, and the payloads that tell something.

use std::mem;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc32fast::Hasher;

use crate::eventstream::{DEFAULT_MAX_FRAME, DecodeError, Headers, OVERHEAD, PRELUDE, Prelude};

use super::reader::Progress;
use super::scan::Scanner;
use super::tally::{self, Field, Tally};
use super::wanted::{CHUNK, EVENT, MESSAGE_STOP, METADATA};

#[derive(Debug)]
pub(super) struct Frames {
    at: At,
    /// The part of a prelude, of headers or of a checksum that came in earlier pieces.
    held: Vec<u8>,
    need: Need,
    /// The prelude of the frame in hand.
    head: [u8; PRELUDE],
    sum: Hasher,
    payload: Scanner<Field>,
    /// The event inside a chunk, and its scanner.
    chunk: Vec<u8>,
    event: Scanner<Field>,
    /// What the headers of the frame in hand say that is hopped over.
    hopped: Hopped,
    /// What the frame in hand says; it counts once its checksum has been seen.
    frame: Tally,
    total: Tally,
    contents: u64,
    any: bool,
    /// The end of ConverseStream: what has come of it, and what the frame in hand is of it.
    close: Close,
    closing: Close,
    broken: Option<DecodeError>,
    /// Bytes that came when reading had stopped.
    unread: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hopped {
    /// Belongs to no message.
    Other,
    /// Belongs to one.
    Message,
    /// Is text of it.
    Content,
}

/// How ConverseStream ends: with `messageStop`, and then with `metadata`, which tells the usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Close {
    Open,
    Stop,
    Metadata,
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
    /// Nothing depends on it: it is hopped over.
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
            head: [0; PRELUDE],
            sum: Hasher::new(),
            payload: Scanner::new(&METADATA),
            chunk: Vec::new(),
            event: Scanner::new(&EVENT),
            hopped: Hopped::Other,
            frame: Tally::default(),
            total: Tally::default(),
            contents: 0,
            any: false,
            close: Close::Open,
            closing: Close::Open,
            broken: None,
            unread: 0,
        }
    }

    /// Says how far the stream has come.
    pub(super) fn push(&mut self, mut input: &[u8]) -> Progress {
        while self.broken.is_none() && !input.is_empty() {
            if matches!(self.at, At::Prelude) && self.held.is_empty() {
                input = self.hop(input);
            }
            match self.step(input) {
                Ok(rest) => input = rest,
                Err(error) => self.broken = Some(error),
            }
        }
        if self.broken.is_some() {
            self.unread = self.unread.saturating_add(input.len() as u64);
        }
        Progress {
            contents: self.contents,
            is_over: self.total.ended,
        }
    }

    /// Whether no frame has come to its end.
    pub(super) fn is_silent(&self) -> bool {
        !self.any
    }

    /// What was learnt, and whether the stream stopped short: in mid-frame, or before the message
    /// that was begun had ended.
    pub(super) fn finish(&self) -> (&Tally, bool) {
        let in_frame = !matches!(self.at, At::Prelude) || !self.held.is_empty();
        let total = &self.total;
        let is_open = (total.begun && !total.ended) || self.close == Close::Stop;
        let in_message = is_open && total.exception.is_empty();
        let short = in_frame || in_message;
        (total, short && self.broken.is_none())
    }

    /// Why reading has stopped, and how many bytes were not read since.
    pub(super) fn broken(&self) -> Option<(DecodeError, u64)> {
        self.broken.map(|error| (error, self.unread))
    }

    /// Hops over frames of text that lie there whole: nearly all frames are such. Gives back what
    /// is left for [`step`](Self::step).
    fn hop<'a>(&mut self, mut input: &'a [u8]) -> &'a [u8] {
        while let Some(head) = input.first_chunk::<PRELUDE>()
            && let Ok(prelude) = Prelude::read(head, DEFAULT_MAX_FRAME)
            && let Some((frame, rest)) = input.split_at_checked(prelude.total)
            && prelude.headers == DELTA.len()
            && let Some(headers) = frame.get(PRELUDE..)
            && headers.first_chunk() == Some(DELTA)
        {
            self.contents += 1;
            self.total.begun = true;
            self.any = true;
            input = rest;
        }
        input
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
                self.head = *head;
                self.at = At::Headers(prelude);
            }
            At::Headers(prelude) => {
                self.need = self.begin_frame(part)?;
                if self.need != Need::Nothing {
                    self.sum.reset();
                    self.sum.update(&self.head);
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
        if let Some(event) = usual_event(headers) {
            return Ok(self.begin_event(event));
        }
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
        let failure = match message {
            "exception" => exception,
            "error" => code,
            // Not seen in recordings, but other gateways guard against it.
            _ if event.ends_with("Exception") => event,
            _ => return Ok(self.begin_event(event.as_bytes())),
        };
        self.frame.reset();
        self.closing = Close::Open;
        let name = match failure {
            "" => "an exception without a name",
            name => tally::bounded(name),
        };
        tally::put(&mut self.frame.exception, name);
        Ok(Need::Headers)
    }

    fn begin_event(&mut self, event: &[u8]) -> Need {
        let payload = match event {
            b"contentBlockDelta" => {
                self.hopped = Hopped::Content;
                return Need::Nothing;
            }
            b"messageStart" | b"contentBlockStart" | b"contentBlockStop" => {
                self.hopped = Hopped::Message;
                return Need::Nothing;
            }
            b"messageStop" => &MESSAGE_STOP,
            b"metadata" => &METADATA,
            b"chunk" => &CHUNK,
            _ => {
                self.hopped = Hopped::Other;
                return Need::Nothing;
            }
        };
        self.frame.reset();
        self.closing = match event {
            b"messageStop" => Close::Stop,
            b"metadata" => Close::Metadata,
            _ => Close::Open,
        };
        self.frame.ended = self.closing == Close::Stop;
        self.frame.begun = self.frame.ended;
        self.payload.restart(payload);
        Need::Payload
    }

    fn end_frame(&mut self, checksum: &[u8]) -> Result<(), DecodeError> {
        self.any = true;
        if self.need == Need::Nothing {
            self.total.begun |= self.hopped != Hopped::Other;
            self.contents += u64::from(self.hopped == Hopped::Content);
            return Ok(());
        }
        let sum = mem::take(&mut self.sum).finalize();
        if checksum != sum.to_be_bytes() {
            return Err(DecodeError::MessageChecksum);
        }
        self.contents += u64::from(self.frame.content == Some(true));
        self.close = self.close.max(self.closing);
        self.total.add(&mut self.frame);
        Ok(())
    }
}

/// The headers of a frame of text, as Bedrock writes them.
const DELTA: &[u8; 87] = b"\x0b:event-type\x07\x00\x11contentBlockDelta\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event";

/// The type of an event whose headers are those that all of Bedrock's have, in their order.
fn usual_event(headers: &[u8]) -> Option<&[u8]> {
    const BEFORE: &[u8] = b"\x0b:event-type\x07\x00";
    const AFTER: &[u8] =
        b"\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event";
    let rest = headers.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    let (&length, event) = rest.split_first()?;
    let is_plain = event.is_ascii() && !event.ends_with(b"Exception");
    (usize::from(length) == event.len() && is_plain).then_some(event)
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
        scanner.restart(&EVENT);
        scanner.push(buffer, &mut |field, value| frame.found(field, value));
    }
    // What does not say that it is something else is taken for text.
    frame.content = frame.content.or(Some(true));
}
