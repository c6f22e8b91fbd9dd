//! Which values of an answer tell something, and what they tell.

use std::borrow::Cow;
use std::mem;

use serde_json::Value;

use super::counts::{Count, Counts};
use super::usage::{Usage, credible};

/// What has been learnt from the whole answer, or from one event of it. An empty text is one that
/// was not told; its room is used again.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// What the model's own words say.
    told: Usage,
    /// What Bedrock measured; it is what is billed.
    measured: Usage,
    /// How long the model took, in milliseconds.
    pub(super) latency: Option<u64>,
    pub(super) stop_reason: String,
    /// The name of the exception or error that came instead of an answer.
    pub(super) exception: String,
    /// What a guardrail did.
    pub(super) guardrail: String,
    pub(super) service_tier: String,
    pub(super) latency_mode: String,
    pub(super) model: String,
    pub(super) unknown_operation: bool,
    /// Tokens of the answer as its beginning names them: one, mostly, whatever it will have. It
    /// counts if the message ended and nothing else was said.
    at_start: Option<u64>,
    /// A message was begun, or ended, in a format that says so.
    pub(super) begun: bool,
    pub(super) ended: bool,
    /// Whether this is text of the model, if its format says so.
    pub(super) content: Option<bool>,
    /// It is part of a completion of OpenAI's. As server-sent events these end with `[DONE]`.
    pub(super) is_completion: bool,
    /// The answer's own id.
    pub(super) id: String,
}

/// What a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// An object of counts.
    Usage,
    /// The same, at the start of a message.
    Start,
    /// The same, measured by Bedrock.
    Measured,
    /// A count of tokens.
    Input,
    Output,
    /// A count of tokens that is one of several.
    OutputPart,
    /// How many of the tokens of a conversation are speech.
    Speech,
    /// Milliseconds that the model took.
    Latency,
    StopReason,
    /// What a guardrail did.
    Guardrail,
    /// The same, in answers about nothing else.
    Action,
    ServiceTier,
    /// How fast the model was to answer.
    LatencyMode,
    /// The model, in its own word.
    Model,
    /// `type` of an event.
    Type,
    /// Text of the model, or a container of nothing else.
    Content,
    /// An event around the text.
    Begin,
    End,
    Other,
    /// An error that came instead of an answer: an object, or in a stream also a text.
    Error,
    Fault,
    /// `status` of a response of OpenAI's.
    Status,
    /// The `__type` of an answer to nothing.
    Operation,
    /// An event in base64.
    Bytes,
    /// The parts of a completion.
    Choices,
    /// The answer's own id.
    Id,
}

/// The longest name that is kept, of a stop reason for example.
pub(super) const MAX_NAME: usize = 128;

impl Tally {
    /// Bedrock's word first, then the model's.
    pub(super) fn usage(&self) -> Usage {
        let usage = self.measured.or(self.told);
        let at_start = self.at_start.filter(|_| self.ended);
        Usage {
            output_tokens: usage.output_tokens.or(at_start),
            ..usage
        }
    }

    /// Adds what a later event says.
    pub(super) fn add(&mut self, later: &mut Self) {
        self.told = later.told.or(self.told);
        self.measured = later.measured.or(self.measured);
        self.latency = later.latency.or(self.latency);
        for (text, later) in [
            (&mut self.stop_reason, &mut later.stop_reason),
            (&mut self.guardrail, &mut later.guardrail),
            (&mut self.service_tier, &mut later.service_tier),
            (&mut self.latency_mode, &mut later.latency_mode),
            (&mut self.model, &mut later.model),
            (&mut self.id, &mut later.id),
        ] {
            if !later.is_empty() {
                mem::swap(text, later);
            }
        }
        if self.exception.is_empty() {
            mem::swap(&mut self.exception, &mut later.exception);
        }
        self.unknown_operation |= later.unknown_operation;
        self.at_start = later.at_start.or(self.at_start);
        self.begun |= later.begun;
        self.ended |= later.ended;
        self.is_completion |= later.is_completion;
    }

    /// Forgets everything but the room for it.
    pub(super) fn reset(&mut self) {
        let mut room = mem::take(self);
        let texts = [
            (&mut self.stop_reason, &mut room.stop_reason),
            (&mut self.exception, &mut room.exception),
            (&mut self.guardrail, &mut room.guardrail),
            (&mut self.service_tier, &mut room.service_tier),
            (&mut self.latency_mode, &mut room.latency_mode),
            (&mut self.model, &mut room.model),
            (&mut self.id, &mut room.id),
        ];
        for (text, room) in texts {
            room.clear();
            mem::swap(text, room);
        }
    }

    /// Notes a value that a scanner found, as it stands in the JSON; `None` if it is too long.
    pub(super) fn found(&mut self, field: Field, value: Option<&[u8]>) {
        let number = || {
            let Count(count) = serde_json::from_slice(value?).ok()?;
            count
        };
        match field {
            Field::Usage => {
                let counts = Counts::read(value.unwrap_or_default());
                self.told = counts.usage.or(self.told);
                if let Some(tier) = counts.service_tier {
                    put(&mut self.service_tier, bounded(tier));
                }
            }
            Field::Start => {
                let mut usage = Counts::read(value.unwrap_or_default()).usage;
                self.at_start = usage.output_tokens.take().or(self.at_start);
                self.told = usage.or(self.told);
            }
            Field::Measured => {
                let counts = Counts::read(value.unwrap_or_default());
                self.measured = counts.usage.or(self.measured);
                self.latency = counts.latency.or(self.latency);
            }
            Field::Input => self.told.input_tokens = number().or(self.told.input_tokens),
            Field::Output => self.told.output_tokens = number().or(self.told.output_tokens),
            Field::OutputPart => {
                if let Some(part) = number() {
                    let so_far = self.told.output_tokens.unwrap_or_default();
                    self.told.output_tokens = Some(so_far.saturating_add(part));
                }
            }
            Field::Speech => {
                let details: Value = value
                    .and_then(|value| serde_json::from_slice(value).ok())
                    .unwrap_or_default();
                let total = |side: &str| {
                    let speech = &details["total"][side]["speechTokens"];
                    speech.as_u64().and_then(credible)
                };
                let told = &mut self.told;
                told.speech_input_tokens = total("input").or(told.speech_input_tokens);
                told.speech_output_tokens = total("output").or(told.speech_output_tokens);
            }
            Field::Latency => self.latency = number().or(self.latency),
            Field::StopReason => put_text(&mut self.stop_reason, value),
            Field::Guardrail => put_text(&mut self.guardrail, value),
            Field::Action => {
                if let Some(name) = value.and_then(text) {
                    match name.strip_prefix("GUARDRAIL_") {
                        Some(action) => put(&mut self.guardrail, action),
                        None if name == "NONE" => put(&mut self.guardrail, &name),
                        None => {}
                    }
                }
            }
            Field::ServiceTier => put_text(&mut self.service_tier, value),
            Field::LatencyMode => put_text(&mut self.latency_mode, value),
            Field::Model => put_text(&mut self.model, value),
            Field::Type => {
                if let Some(kind) = value.and_then(text) {
                    self.event(&kind);
                }
            }
            Field::Content => {
                if !matches!(value, Some(b"null" | b"\"\"" | b"[]")) {
                    self.content = Some(true);
                }
            }
            Field::Begin => self.envelope(true, false),
            Field::End => self.envelope(false, true),
            Field::Other => self.envelope(false, false),
            Field::Error | Field::Fault => {
                if let Some(name) = fault(value, field == Field::Error) {
                    put(&mut self.exception, bounded(&name));
                }
            }
            Field::Status => {
                if value == Some(b"\"failed\"") {
                    self.fail("failed");
                }
            }
            Field::Operation => {
                let name = value.and_then(text).unwrap_or_default();
                self.unknown_operation |= name.ends_with("UnknownOperationException");
            }
            Field::Bytes => {}
            Field::Choices => self.is_completion = true,
            Field::Id => put_text(&mut self.id, value),
        }
    }

    /// Notes an error, unless it has a name already.
    fn fail(&mut self, name: &str) {
        if self.exception.is_empty() {
            put(&mut self.exception, name);
        }
    }

    /// `type` in the streams of Anthropic and of OpenAI's Responses.
    fn event(&mut self, kind: &str) {
        if matches!(kind, "error" | "response.failed") {
            self.fail(kind);
        }
        match kind {
            "message_start" | "response.created" => self.envelope(true, false),
            "message_stop" | "response.completed" | "response.incomplete" | "response.failed" => {
                self.envelope(false, true);
            }
            "content_block_start" | "content_block_stop" | "message_delta" | "ping" | "error" => {
                self.envelope(false, false);
            }
            "content_block_delta" => self.content = Some(true),
            _ if !kind.starts_with("response.") => {}
            _ if kind.ends_with(".delta") => self.content = Some(true),
            _ => self.envelope(false, false),
        }
    }

    fn envelope(&mut self, begin: bool, end: bool) {
        self.begun |= begin;
        self.ended |= end;
        self.content = self.content.or(Some(false));
    }
}

/// The name of what an error's value tells, or a text if it has none; `None` if it is no error.
fn fault(value: Option<&[u8]>, may_be_text: bool) -> Option<Cow<'_, str>> {
    const NAMELESS: Cow<'_, str> = Cow::Borrowed("an error without a name");
    let Some(value) = value else {
        // Too long to be read.
        return Some(NAMELESS);
    };
    match serde_json::from_slice(value).ok()? {
        Value::String(text) => Some(Cow::from(text)).filter(|text| may_be_text && !text.is_empty()),
        Value::Object(error) if !error.is_empty() => {
            let mut told = ["type", "code", "message"].into_iter().filter_map(|key| {
                let told = match error.get(key)? {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return None,
                };
                Some(told).filter(|told| !told.is_empty())
            });
            Some(told.next().map_or(NAMELESS, Cow::Owned))
        }
        _ => None,
    }
}

/// At most [`MAX_NAME`] bytes of it.
pub(super) fn bounded(name: &str) -> &str {
    let end = name.floor_char_boundary(MAX_NAME);
    name.get(..end).unwrap_or_default()
}

pub(super) fn put(place: &mut String, text: &str) {
    place.clear();
    place.push_str(text);
}

/// Keeps a text, if the value is one.
fn put_text(place: &mut String, value: Option<&[u8]>) {
    if let Some(text) = value.and_then(text) {
        put(place, &text);
    }
}

/// The text in a JSON string; nothing is copied if there is no escape in it.
pub(super) fn text(json: &[u8]) -> Option<Cow<'_, str>> {
    let plain = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if plain.contains(&b'\\') {
        return serde_json::from_slice(json).ok().map(Cow::Owned);
    }
    std::str::from_utf8(plain).ok().map(Cow::Borrowed)
}
