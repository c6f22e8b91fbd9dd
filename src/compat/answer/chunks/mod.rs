//! A message that comes in pieces.

mod blocks;

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::citations::Annotations;
use super::converse::{BlockStop, MessageStop, Metadata};
use super::event::{self, read};
use super::extras::Extras;
use super::finish::{self, Called};
use super::sse::Writer;
use super::text::Quoted;
use super::thinking::Thinking;
use super::tools::Tools;
use super::usage::{self, Usage};
use crate::compat::error::OpenAiError;
use crate::compat::plan::Plan;
use crate::context::Told;
use crate::eventstream::{DecodeError, Frame};

/// Translates the events of ConverseStream to server-sent events, chunk by chunk.
///
/// A stream begins with the role and ends, if nothing went wrong, with `data: [DONE]`: all chunks
/// between are of one `id`, `created` and `model`. What goes wrong is an error of
/// [`push`](Self::push) or [`finish`](Self::finish); nothing is made up then, neither a
/// `finish_reason` nor usage nor `[DONE]`.
pub struct Chunks {
    plan: Plan,
    writer: Writer,
    place: Place,
    tools: Tools,
    thinking: Thinking,
    annotations: Annotations,
    /// The block that the last piece belongs to, and where the text of it begins.
    block: (Option<u64>, u64),
    text: Text,
    usage: Usage,
    usage_is_due: bool,
    has_metadata: bool,
    /// The last chunk, which waits for what `metadata` adds to it.
    last: Option<BytesMut>,
    told: Told,
    /// Events in which the model says something.
    contents: u64,
    failed: Option<OpenAiError>,
}

/// Where in the message the stream is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Before,
    Within,
    After,
}

/// What happens to the model's text.
enum Text {
    Sent,
    /// It may yet turn out to stand beside what it must not stand beside.
    Held(BytesMut),
    /// It stands beside a call, and is not in the format that was asked for.
    Dropped,
    /// It stands beside the input of the tool that stands in for the format.
    Replaced,
}

impl Chunks {
    pub(in crate::compat) fn new(plan: Plan, id: &str, created: u64) -> Self {
        Self {
            writer: Writer::new(&plan, id, created),
            text: match plan.holds_text || plan.format_tool.is_some() {
                true => Text::Held(BytesMut::new()),
                false => Text::Sent,
            },
            usage_is_due: plan.include_usage,
            plan,
            has_metadata: false,
            place: Place::Before,
            tools: Tools::default(),
            thinking: Thinking::default(),
            annotations: Annotations::default(),
            block: (None, 0),
            usage: Usage::default(),
            last: None,
            told: Told::default(),
            contents: 0,
            failed: None,
        }
    }

    /// Appends what `frame` amounts to; nothing, for some.
    ///
    /// # Errors
    /// If it is an exception, or not an event of ConverseStream. The stream is over then.
    pub fn push(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), OpenAiError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.translate(frame, out);
        if let Err(error) = &result {
            let fault = error.fault();
            self.told.fault = (!fault.is_empty()).then(|| fault.to_owned());
            self.failed = Some(error.clone());
        }
        result
    }

    /// Appends what belongs at the end, now that no more frames come.
    ///
    /// # Errors
    /// If the message was not over.
    pub fn finish(&mut self, out: &mut BytesMut) -> Result<(), OpenAiError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.place != Place::After {
            let error = OpenAiError::of_cut_stream();
            self.told.is_cut = true;
            self.failed = Some(error.clone());
            return Err(error);
        }
        // The client has the whole message, and the record lacks what it cost.
        self.told.is_cut = !self.has_metadata;
        self.send_last(Extras::default(), out);
        if self.usage_is_due {
            // It was told before the end of the message, or not at all.
            let extras = Extras::default();
            self.usage_is_due = !self.writer.usage(&self.usage, None, extras, out);
        }
        out.put_slice(b"data: [DONE]\n\n");
        Ok(())
    }

    /// Takes note that what comes next is no frame.
    pub(in crate::compat) fn fail(&mut self, error: &DecodeError) -> OpenAiError {
        self.told.is_cut |= *error == DecodeError::Truncated;
        let error = OpenAiError::of_broken_stream(error);
        self.failed.get_or_insert(error).clone()
    }

    /// What the frames so far have told.
    pub(in crate::compat) fn told(&self) -> Told {
        let mut told = self.told.clone();
        self.usage.tell(&mut told);
        told
    }

    /// How many events there were in which the model says something, and whether its message is
    /// over.
    pub(in crate::compat) fn progress(&self) -> (u64, bool) {
        (self.contents, self.place == Place::After)
    }

    fn translate(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), OpenAiError> {
        if self.place == Place::Within
            && let Some((index, text)) = event::text_at_a_glance(frame)
        {
            self.contents += 1;
            self.enter(index);
            self.say(text, out);
            return Ok(());
        }
        let event = event::name_of(frame)?;
        let is_within = self.place != Place::After;
        match event {
            "messageStart" if is_within => self.begin(out),
            "contentBlockStart" if is_within => self.start(read(frame)?, out),
            "contentBlockDelta" if is_within => {
                self.contents += 1;
                self.delta(read(frame)?, out)?;
            }
            "contentBlockStop" if is_within => {
                let stop: BlockStop = read(frame)?;
                self.stop_block(stop.content_block_index, out);
            }
            "messageStop" if is_within => self.stop(&read(frame)?, out),
            "metadata" => self.metadata(&read(frame)?, out),
            "messageStart" | "contentBlockStart" | "contentBlockDelta" | "contentBlockStop"
            | "messageStop" => return Err(OpenAiError::of_unreadable_stream()),
            // An event of the future's.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if self.place == Place::Before {
            self.place = Place::Within;
            self.writer.role(out);
        }
    }

    fn stop(&mut self, stop: &MessageStop<'_>, out: &mut BytesMut) {
        self.begin(out);
        self.place = Place::After;
        while let Some(index) = self.tools.any_open() {
            self.close_tool(index, out);
        }
        self.write_what_was_kept(out);
        if let Some(fields) = stop.additional_model_response_fields {
            self.usage.read_details(fields);
        }
        let reason = stop.stop_reason.map(Quoted::decoded).unwrap_or_default();
        let called = match self.tools.count() {
            0 => Called::Nothing,
            _ if self.plan.legacy_functions => Called::Function,
            _ => Called::Tools,
        };
        let extras = Extras {
            additional_fields: stop.additional_model_response_fields,
            ..Extras::default()
        };
        let mut last = BytesMut::new();
        self.writer
            .finish(&mut last, |out| finish::write(&reason, called, out));
        extras.write(&mut last);
        self.last = Some(last);
        if self.plan.include_usage {
            // What follows has a chunk of its own.
            self.send_last(Extras::default(), out);
        }
        if !reason.is_empty() {
            self.told.stop_reason = Some(reason.into_owned());
        }
    }

    fn write_what_was_kept(&mut self, out: &mut BytesMut) {
        if let Text::Held(_) = self.text {
            self.send_held(out);
        }
        // Each in one piece: not every client can put lists together from several.
        if !self.annotations.is_empty() && matches!(self.text, Text::Sent) {
            self.writer.chunk(out, |out| self.annotations.write(out));
        }
        if !self.thinking.is_empty() {
            self.writer.chunk(out, |out| self.thinking.write(out));
        }
    }

    /// Sends what was held of the text, and from now on each piece as it comes.
    fn send_held(&mut self, out: &mut BytesMut) {
        if let Text::Held(held) = std::mem::replace(&mut self.text, Text::Sent)
            && !held.is_empty()
        {
            self.writer.chunk(out, |out| {
                out.put_slice(b"\"content\":\"");
                out.put_slice(&held);
                out.put_slice(b"\"");
            });
        }
    }

    fn metadata(&mut self, metadata: &Metadata<'_>, out: &mut BytesMut) {
        self.has_metadata = true;
        if let Some(usage) = metadata.usage {
            self.usage.read(usage);
        }
        let tier = metadata.service_tier.as_ref();
        self.told.service_tier = tier.and_then(|tier| tier.said());
        self.told.latency = metadata.metrics.and_then(usage::latency);
        let extras = Extras {
            additional_fields: None,
            trace: metadata.trace,
            performance_config: metadata.performance_config,
        };
        self.told.latency_mode = extras.latency_mode();
        if self.place != Place::After {
            return;
        }
        self.send_last(extras, out);
        if self.usage_is_due {
            let tier = tier.and_then(|tier| tier.name());
            self.usage_is_due = !self.writer.usage(&self.usage, tier, extras, out);
        }
    }

    fn send_last(&mut self, extras: Extras<'_>, out: &mut BytesMut) {
        if let Some(last) = self.last.take() {
            out.put_slice(&last);
            self.writer.end(extras, out);
        }
    }
}

/// Without the model's words.
impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("plan", &self.plan)
            .field("told", &self.told())
            .finish_non_exhaustive()
    }
}
