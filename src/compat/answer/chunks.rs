//! A message that comes in pieces.

use std::fmt;
use std::io::Write as _;

use bytes::{BufMut, BytesMut};

use super::citations::Annotations;
use super::converse::{
    BlockDelta, BlockStart, BlockStop, Citation, MessageStop, Metadata, ReasoningDelta, ToolUse,
    ToolUseDelta,
};
use super::event::{self, read};
use super::finish::{self, Called};
use super::message::{is_format_tool, write_name};
use super::sse::Writer;
use super::text::Quoted;
use super::thinking::Thinking;
use super::tools::{Kind, Tools};
use super::usage::Usage;
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
    told: Told,
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
    /// It may yet turn out to stand beside the answer that was asked for in a certain format.
    Held(BytesMut),
    /// It stands beside that answer.
    Dropped,
}

impl Chunks {
    pub(in crate::compat) fn new(plan: Plan, id: &str, created: u64) -> Self {
        Self {
            writer: Writer::new(&plan, id, created),
            text: match plan.format_tool {
                Some(_) => Text::Held(BytesMut::new()),
                None => Text::Sent,
            },
            usage_is_due: plan.include_usage,
            plan,
            place: Place::Before,
            tools: Tools::default(),
            thinking: Thinking::default(),
            annotations: Annotations::default(),
            block: (None, 0),
            usage: Usage::default(),
            told: Told::default(),
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

    fn translate(&mut self, frame: &Frame, out: &mut BytesMut) -> Result<(), OpenAiError> {
        if self.place == Place::Within
            && let Some((index, text)) = event::text_at_a_glance(frame)
        {
            self.enter(index);
            self.say(text, out);
            return Ok(());
        }
        let event = event::name_of(frame)?;
        let is_within = self.place != Place::After;
        match event {
            "messageStart" if is_within => self.begin(out),
            "contentBlockStart" if is_within => self.start(read(frame)?, out),
            "contentBlockDelta" if is_within => self.delta(read(frame)?, out)?,
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

    fn start(&mut self, start: BlockStart<'_>, out: &mut BytesMut) {
        self.begin(out);
        let index = start.content_block_index.unwrap_or(0);
        self.enter(index);
        let Some(tool) = start.start.and_then(|block| block.tool_use) else {
            return;
        };
        self.close_tool(index, out);
        if tool.is_of_server() {
            self.tools.open(index, Kind::Ignored);
        } else if is_format_tool(tool.name, &self.plan) {
            let is_first = !matches!(self.text, Text::Dropped);
            self.text = Text::Dropped;
            let kind = if is_first {
                Kind::Format
            } else {
                Kind::Ignored
            };
            self.tools.open(index, kind);
        } else {
            self.call(index, &tool, out);
        }
    }

    fn call(&mut self, index: u64, tool: &ToolUse<'_>, out: &mut BytesMut) {
        let ordinal = self.tools.count();
        let (plan, writer) = (&self.plan, &self.writer);
        if plan.legacy_functions && ordinal > 0 {
            // There is room for one.
            self.tools.open(index, Kind::Ignored);
            return;
        }
        writer.chunk(out, |out| {
            if plan.legacy_functions {
                out.put_slice(b"\"function_call\":{\"name\":");
                write_name(tool.name, plan, out);
                out.put_slice(b",\"arguments\":\"\"}");
            } else {
                let _ = write!(out.writer(), r#""tool_calls":[{{"index":{ordinal},"id":""#);
                tool.tool_use_id.write(out);
                out.put_slice(b"\",\"type\":\"function\",\"function\":{\"name\":");
                write_name(tool.name, plan, out);
                out.put_slice(b",\"arguments\":\"\"}}]");
            }
        });
        self.tools.open_call(index);
    }

    fn delta(&mut self, piece: BlockDelta<'_>, out: &mut BytesMut) -> Result<(), OpenAiError> {
        self.begin(out);
        let index = piece.content_block_index.unwrap_or(0);
        self.enter(index);
        let Some(delta) = piece.delta else {
            return Ok(());
        };
        if let Some(text) = delta.text {
            self.say(text, out);
        }
        if let Some(tool) = delta.tool_use {
            self.argue(index, &tool, out)?;
        }
        if let Some(reasoning) = delta.reasoning_content {
            self.reason(index, &reasoning, out);
        }
        if let Some(citation) = delta.citation {
            self.cite(&citation);
        }
        Ok(())
    }

    fn say(&mut self, text: Quoted<'_>, out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        match &mut self.text {
            Text::Sent => {
                self.annotations.advance(text.chars());
                self.writer.text(b"\"content\":\"", text, out);
            }
            Text::Held(held) => {
                self.annotations.advance(text.chars());
                text.write(held);
            }
            Text::Dropped => {}
        }
    }

    fn argue(
        &mut self,
        index: u64,
        tool: &ToolUseDelta<'_>,
        out: &mut BytesMut,
    ) -> Result<(), OpenAiError> {
        let Some(kind) = self.tools.kind(index) else {
            // Of a call that has neither a name nor an id.
            return Err(OpenAiError::of_unreadable_stream());
        };
        if let Some(input) = tool.input.filter(|input| !input.is_empty()) {
            self.tools.has_input(index);
            self.writer
                .input(kind, self.plan.legacy_functions, input, out);
        }
        Ok(())
    }

    fn reason(&mut self, index: u64, reasoning: &ReasoningDelta<'_>, out: &mut BytesMut) {
        if let Some(text) = reasoning.text {
            self.thinking.add_text(index, text);
            if !text.is_empty() {
                self.writer.text(b"\"reasoning_content\":\"", text, out);
            }
        }
        if let Some(signature) = reasoning.signature {
            self.thinking.add_signature(index, signature);
        }
        if let Some(data) = reasoning.redacted_content {
            self.thinking.add_redacted(index, data);
        }
    }

    fn cite(&mut self, citation: &Citation<'_>) {
        if !matches!(self.text, Text::Dropped) {
            self.annotations.note(citation, self.block.1);
        }
    }

    /// Notes where the text of the block begins.
    fn enter(&mut self, index: u64) {
        if self.block.0 != Some(index) {
            self.annotations.close_block();
            self.block = (Some(index), self.annotations.position());
        }
    }

    fn stop_block(&mut self, index: Option<u64>, out: &mut BytesMut) {
        self.close_tool(index.unwrap_or(0), out);
        self.annotations.close_block();
        self.block.0 = None;
    }

    /// A call without any input is one with none.
    fn close_tool(&mut self, index: u64, out: &mut BytesMut) {
        if let Some(kind) = self.tools.close(index) {
            let nothing = Quoted::of_plain("{}");
            self.writer
                .input(kind, self.plan.legacy_functions, nothing, out);
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
        self.writer
            .finish(out, |out| finish::write(&reason, called, out));
        if !reason.is_empty() {
            self.told.stop_reason = Some(reason.into_owned());
        }
    }

    fn write_what_was_kept(&mut self, out: &mut BytesMut) {
        match &self.text {
            Text::Held(held) if !held.is_empty() => self.writer.chunk(out, |out| {
                out.put_slice(b"\"content\":\"");
                out.put_slice(held);
                out.put_slice(b"\"");
            }),
            _ => {}
        }
        let is_formatted = matches!(self.text, Text::Dropped);
        // Each in one piece: not every client can put lists together from several.
        if !self.annotations.is_empty() && !is_formatted {
            self.writer.chunk(out, |out| self.annotations.write(out));
        }
        if !self.thinking.is_empty() {
            self.writer.chunk(out, |out| self.thinking.write(out));
        }
    }

    fn metadata(&mut self, metadata: &Metadata<'_>, out: &mut BytesMut) {
        if let Some(usage) = metadata.usage {
            self.usage.read(usage);
        }
        if self.usage_is_due && self.place == Place::After {
            let tier = metadata.service_tier.as_ref().and_then(|tier| tier.name());
            self.usage_is_due = !self.writer.usage(&self.usage, tier, out);
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
