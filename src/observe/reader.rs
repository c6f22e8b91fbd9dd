//! Reads usage, and how an answer ended, from its bytes as they pass.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};

use crate::context::Context;
#[cfg(feature = "compat")]
use crate::context::Told;
use crate::eventstream::DecodeError;

use super::frames::Frames;
use super::head::Head;
use super::json::Json;
use super::sse::Events;
use super::tally::Tally;
#[cfg(feature = "compat")]
use super::translated::Translated;
use super::usage::Usage;
#[cfg(feature = "compat")]
use super::usage::credible;

/// Reads one answer. It never holds more of it than a few values, and of a stream at most the
/// part of one frame that it reads.
#[derive(Debug)]
pub(super) struct Reader {
    /// What the head tells, unless it is with the object.
    head: Option<Box<Head>>,
    kind: Kind,
}

/// What an answer told.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) usage: Usage,
    /// In milliseconds.
    pub(super) latency: Option<u64>,
    pub(super) stop_reason: Option<&'a str>,
    pub(super) guardrail: Option<&'a str>,
    pub(super) service_tier: Option<&'a str>,
    pub(super) latency_mode: Option<&'a str>,
    pub(super) model: Option<&'a str>,
    /// The answer's own id.
    pub(super) id: Option<&'a str>,
    /// The name of the exception or error that a stream carried.
    pub(super) exception: Option<&'a str>,
    /// The answer is a success in its status alone: Bedrock knows no such operation.
    pub(super) unknown_operation: bool,
    /// The answer stopped in mid-frame, in mid-object or before the message did, or a stream of
    /// server-sent events had none.
    pub(super) truncated: bool,
    /// The answer is an event stream, and had no frame.
    pub(super) is_silent: bool,
    /// The answer is to be JSON, and has nothing in it.
    pub(super) is_missing: bool,
    /// A layer that read the answer found it cut off, whatever it made of that.
    pub(super) is_cut: bool,
    /// Why the rest of the stream was not read, and how many bytes that were.
    pub(super) broken: Option<(DecodeError, u64)>,
}

impl<'a> Reading<'a> {
    fn of(tally: &'a Tally) -> Self {
        Self {
            usage: tally.usage(),
            latency: tally.latency,
            stop_reason: told_text(&tally.stop_reason),
            guardrail: told_text(&tally.guardrail),
            service_tier: told_text(&tally.service_tier),
            latency_mode: told_text(&tally.latency_mode),
            model: told_text(&tally.model),
            id: told_text(&tally.id),
            exception: told_text(&tally.exception),
            unknown_operation: tally.unknown_operation,
            ..Self::default()
        }
    }

    /// What the layer has read that gave the answer its form, if one did.
    pub(super) fn in_all(self, context: &'a Context) -> Self {
        #[cfg(feature = "compat")]
        if let Some(told) = context.told() {
            return Self::told(told);
        }
        let _ = context;
        self
    }

    #[cfg(feature = "compat")]
    fn told(told: &'a Told) -> Self {
        Self {
            usage: Usage {
                input_tokens: told.input_tokens.and_then(credible),
                output_tokens: told.output_tokens.and_then(credible),
                cache_read_tokens: told.cache_read_tokens.and_then(credible),
                cache_write_tokens: told.cache_write_tokens.and_then(credible),
                cache_write_1h_tokens: told.cache_write_1h_tokens.and_then(credible),
                reasoning_tokens: told.reasoning_tokens.and_then(credible),
                // Converse tells nothing of speech.
                ..Usage::default()
            },
            latency: told.latency,
            stop_reason: told.stop_reason.as_deref(),
            service_tier: told.service_tier.as_deref(),
            latency_mode: told.latency_mode.as_deref(),
            exception: told.fault.as_deref(),
            is_cut: told.is_cut,
            broken: told.broken,
            ..Self::default()
        }
    }

    /// What a guardrail did, if that is known.
    pub(super) fn guardrail_action(&self) -> Option<&'a str> {
        let intervened = self.stop_reason == Some("guardrail_intervened");
        self.guardrail.or(intervened.then_some("INTERVENED"))
    }
}

/// How far a stream has come.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Progress {
    /// Events in which the model says something.
    pub(super) contents: u64,
    /// The message has ended.
    pub(super) is_over: bool,
}

#[derive(Debug)]
enum Kind {
    Nothing,
    Json(Box<Json>),
    Frames(Box<Frames>),
    Events(Box<Events>),
    #[cfg(feature = "compat")]
    Translated(Translated),
}

impl Reader {
    /// A reader for the answer of this head.
    pub(super) fn new(context: &Context, status: StatusCode, headers: &HeaderMap) -> Self {
        if !status.is_success() {
            return Self {
                head: None,
                kind: Kind::Nothing,
            };
        }
        #[cfg(feature = "compat")]
        if let Some(translated) = Translated::of(context, headers) {
            return Self {
                head: None,
                kind: Kind::Translated(translated),
            };
        }
        let _ = context;
        let mut kind = match is_plain(headers) {
            true => Kind::of(headers),
            false => Kind::Nothing,
        };
        let head = Head::of(headers);
        let head = match &mut kind {
            Kind::Json(json) => {
                json.head = head.unwrap_or_default();
                json.is_declared = headers.contains_key(CONTENT_TYPE);
                None
            }
            _ => head.map(Box::new),
        };
        Self { head, kind }
    }

    /// Whether the answer is one object.
    pub(super) fn is_object(&self) -> bool {
        match &self.kind {
            Kind::Json(_) => true,
            #[cfg(feature = "compat")]
            Kind::Translated(translated) => !translated.is_stream(),
            _ => false,
        }
    }

    /// Whether more of the answer could tell something.
    pub(super) fn is_reading(&self) -> bool {
        match &self.kind {
            Kind::Nothing => false,
            Kind::Json(_) | Kind::Events(_) => true,
            Kind::Frames(frames) => frames.broken().is_none(),
            #[cfg(feature = "compat")]
            Kind::Translated(translated) => translated.is_reading(),
        }
    }

    /// Whether the answer is a stream of events.
    pub(super) fn is_stream(&self) -> bool {
        match &self.kind {
            Kind::Frames(_) | Kind::Events(_) => true,
            #[cfg(feature = "compat")]
            Kind::Translated(translated) => translated.is_stream(),
            _ => false,
        }
    }

    /// Reads on.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Progress {
        match &mut self.kind {
            Kind::Nothing => Progress::default(),
            Kind::Json(json) => {
                json.push(bytes);
                Progress::default()
            }
            Kind::Frames(frames) => frames.push(bytes),
            Kind::Events(events) => events.push(bytes),
            #[cfg(feature = "compat")]
            Kind::Translated(translated) => translated.progress(),
        }
    }

    /// What the answer told, now that it has ended, or for as far as it came.
    pub(super) fn finish(&mut self) -> Reading<'_> {
        let mut head = self.head.as_deref();
        let mut broken = None;
        let mut is_missing = false;
        let mut is_silent = false;
        let (tally, truncated) = match &mut self.kind {
            Kind::Nothing => (None, false),
            #[cfg(feature = "compat")]
            Kind::Translated(_) => (None, false),
            Kind::Json(json) => {
                head = Some(&json.head);
                is_missing = json.is_missing();
                let (tally, is_open) = json.finish();
                (Some(tally), is_open)
            }
            Kind::Frames(frames) => {
                broken = frames.broken();
                is_silent = frames.is_silent() && broken.is_none();
                let (tally, is_short) = frames.finish();
                (Some(tally), is_short)
            }
            Kind::Events(events) => {
                let (tally, is_short) = events.finish();
                (Some(tally), is_short)
            }
        };
        let read = tally.map(Reading::of).unwrap_or_default();
        let usage = head.map(|head| head.usage).unwrap_or_default();
        Reading {
            usage: usage.or(read.usage),
            latency: head.and_then(|head| head.latency).or(read.latency),
            service_tier: head.and_then(Head::service_tier).or(read.service_tier),
            latency_mode: head.and_then(Head::latency_mode).or(read.latency_mode),
            truncated,
            is_silent,
            is_missing,
            broken,
            ..read
        }
    }
}

fn told_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Kind {
    /// By the content type; an answer without one may be JSON, and if not nothing is found in it.
    fn of(headers: &HeaderMap) -> Self {
        let value = match headers.get(CONTENT_TYPE) {
            Some(value) => value.to_str().unwrap_or_default(),
            None => "application/json",
        };
        let essence = value.split(';').next().unwrap_or_default().trim();
        let is = |name| essence.eq_ignore_ascii_case(name);
        if is("application/json") || has_json(essence) {
            Self::Json(Json::spare())
        } else if is("application/vnd.amazon.eventstream") {
            Self::Frames(Box::new(Frames::new()))
        } else if is("text/event-stream") {
            Self::Events(Box::new(Events::new()))
        } else {
            Self::Nothing
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

/// As in `application/problem+json`.
fn has_json(essence: &str) -> bool {
    let mut parts = essence.as_bytes().windows(4);
    parts.any(|part| part.eq_ignore_ascii_case(b"json"))
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Kind::Json(json) = std::mem::replace(&mut self.kind, Kind::Nothing) {
            json.give_back();
        }
    }
}
