//! Reads usage, and how an answer ended, from its bytes as they pass.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

#[cfg(feature = "compat")]
use crate::context::Told;
use crate::eventstream::DecodeError;

use super::frames::Frames;
use super::scan::Scanner;
use super::sse::Events;
use super::tally::{BODY, Field, Tally};
use super::usage::Usage;

/// Reads one answer. It never holds more of it than a few values, and of a stream at most the
/// part of one frame that it reads.
#[derive(Debug)]
pub(crate) struct Reader {
    headers: Usage,
    kind: Kind,
    content: bool,
}

/// What a piece of the answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing that changes the record now.
    None,
    /// The first piece of a stream in which the model says something.
    FirstContent,
}

/// What an answer told.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) usage: Usage,
    pub(crate) stop_reason: Option<String>,
    /// The name of the exception or error that a stream carried.
    pub(crate) exception: Option<String>,
    /// The answer is a success in its status alone: Bedrock knows no such operation.
    pub(crate) unknown_operation: bool,
    /// The answer stopped in mid-frame, in mid-object or before the message did, or a stream had
    /// no frame at all.
    pub(crate) truncated: bool,
    /// Why the rest of the stream was not read.
    pub(crate) broken: Option<DecodeError>,
}

#[cfg(feature = "compat")]
impl Reading {
    /// What the layer has read that gave the answer its form.
    pub(super) fn of(told: &Told) -> Self {
        Self {
            usage: Usage {
                input_tokens: told.input_tokens,
                output_tokens: told.output_tokens,
                cache_read_tokens: told.cache_read_tokens,
                cache_write_tokens: told.cache_write_tokens,
            },
            stop_reason: told.stop_reason.clone(),
            exception: told.fault.clone(),
            truncated: told.is_cut,
            ..Self::default()
        }
    }
}

#[derive(Debug)]
enum Kind {
    Nothing,
    Json(Box<Json>),
    Frames(Box<Frames>),
    Events(Box<Events>),
}

#[derive(Debug)]
struct Json {
    scanner: Scanner<Field>,
    tally: Tally,
}

impl Reader {
    /// A reader for the answer of this head.
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap) -> Self {
        let success = status.is_success();
        Self {
            headers: if success {
                Usage::from_headers(headers)
            } else {
                Usage::default()
            },
            kind: if success && is_plain(headers) {
                Kind::of(headers)
            } else {
                Kind::Nothing
            },
            content: false,
        }
    }

    /// Reads on.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Progress {
        let content = match &mut self.kind {
            Kind::Nothing => false,
            Kind::Json(json) => {
                let tally = &mut json.tally;
                let found = &mut |field, value: Option<&[u8]>| tally.found(field, value);
                json.scanner.push(bytes, found);
                false
            }
            Kind::Frames(frames) => frames.push(bytes),
            Kind::Events(events) => events.push(bytes),
        };
        if content && !self.content {
            self.content = true;
            return Progress::FirstContent;
        }
        Progress::None
    }

    /// What the answer told, now that it has ended, or for as far as it came.
    pub(crate) fn finish(self) -> Reading {
        let (tally, truncated, broken) = match self.kind {
            Kind::Nothing => Default::default(),
            Kind::Json(json) => (json.tally, json.scanner.is_open(), None),
            Kind::Frames(frames) => frames.finish(),
            Kind::Events(events) => {
                let (tally, truncated) = events.finish();
                (tally, truncated, None)
            }
        };
        Reading {
            usage: self.headers.or(tally.usage()),
            stop_reason: tally.stop_reason,
            exception: tally.exception,
            unknown_operation: tally.unknown_operation,
            truncated,
            broken,
        }
    }
}

impl Kind {
    /// By the content type; an answer without one may be JSON, and if not nothing is found in it.
    fn of(headers: &HeaderMap) -> Self {
        let value = match headers.get(CONTENT_TYPE) {
            Some(value) => value.to_str().unwrap_or_default(),
            None => "application/json",
        };
        let essence = value.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        match essence.as_str() {
            "application/vnd.amazon.eventstream" => Self::Frames(Box::new(Frames::new())),
            "text/event-stream" => Self::Events(Box::new(Events::new())),
            other if other.contains("json") => Self::Json(Box::new(Json {
                scanner: Scanner::new(BODY),
                tally: Tally::default(),
            })),
            _ => Self::Nothing,
        }
    }
}

/// Whether the bytes are the answer itself, not a compressed form of it.
fn is_plain(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
