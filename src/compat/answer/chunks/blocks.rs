//! The blocks of a message, piece by piece.

use std::io::Write as _;

use bytes::{BufMut, BytesMut};

use super::super::converse::{
    BlockDelta, BlockStart, Citation, ReasoningDelta, ToolUse, ToolUseDelta,
};
use super::super::message::{begins_object, is_format_tool, write_name};
use super::super::text::Quoted;
use super::super::tools::Kind;
use super::{Chunks, Text};
use crate::compat::error::OpenAiError;

impl Chunks {
    pub(super) fn start(&mut self, start: BlockStart<'_>, out: &mut BytesMut) {
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
            let is_first = !matches!(self.text, Text::Replaced);
            self.text = Text::Replaced;
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
        // There is room for one function.
        if plan.no_calls || plan.legacy_functions && ordinal > 0 {
            self.tools.open(index, Kind::Ignored);
            return;
        }
        if let Text::Held(_) = self.text {
            self.text = Text::Dropped;
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

    pub(super) fn delta(
        &mut self,
        piece: BlockDelta<'_>,
        out: &mut BytesMut,
    ) -> Result<(), OpenAiError> {
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

    pub(super) fn say(&mut self, text: Quoted<'_>, out: &mut BytesMut) {
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
                if self.plan.format_tool.is_none() && begins_object([&**held]) {
                    self.send_held(out);
                }
            }
            Text::Dropped | Text::Replaced => {}
        }
    }

    fn argue(
        &mut self,
        index: u64,
        tool: &ToolUseDelta<'_>,
        out: &mut BytesMut,
    ) -> Result<(), OpenAiError> {
        let input = tool.input.unwrap_or_default();
        let Some((kind, input)) = self.tools.add_input(index, input) else {
            // Of a call that has neither a name nor an id.
            return Err(OpenAiError::of_unreadable_stream());
        };
        self.write_input(kind, &input, out);
        Ok(())
    }

    fn write_input(&self, kind: Kind, input: &str, out: &mut BytesMut) {
        if !input.is_empty() {
            let input = Quoted::of_plain(input);
            self.writer
                .input(kind, self.plan.legacy_functions, input, out);
        }
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
        if matches!(self.text, Text::Sent | Text::Held(_)) {
            self.annotations.note(citation, self.block.1);
        }
    }

    /// Notes where the text of the block begins.
    pub(super) fn enter(&mut self, index: u64) {
        if self.block.0 != Some(index) {
            self.annotations.close_block();
            self.block = (Some(index), self.annotations.position());
        }
    }

    pub(super) fn stop_block(&mut self, index: Option<u64>, out: &mut BytesMut) {
        self.close_tool(index.unwrap_or(0), out);
        self.annotations.close_block();
        self.block.0 = None;
    }

    pub(super) fn close_tool(&mut self, index: u64, out: &mut BytesMut) {
        if let Some((kind, left)) = self.tools.close(index) {
            self.write_input(kind, &left, out);
        }
    }
}
