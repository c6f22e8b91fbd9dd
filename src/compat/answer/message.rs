//! A whole message.

use bytes::BufMut;
use serde_json::value::RawValue;

use super::citations::Annotations;
use super::converse::{Block, ReasoningText, ToolUse};
use super::embedded::write_embedded;
use super::finish::Called;
use super::text::{Quoted, write_string};
use super::thinking::Thinking;
use crate::compat::plan::Plan;

/// The parts of a message, sorted by where they go.
pub(super) struct Parts<'a> {
    plan: &'a Plan,
    blocks: &'a [Block<'a>],
    /// What stands in for the text.
    formatted: Option<&'a ToolUse<'a>>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(blocks: &'a [Block<'a>], plan: &'a Plan) -> Self {
        let mut parts = Self {
            plan,
            blocks,
            formatted: None,
        };
        parts.formatted = parts
            .tools()
            .find(|tool| !tool.is_of_server() && is_format_tool(tool.name, plan));
        parts
    }

    /// What the client sees called.
    pub(super) fn called(&self) -> Called {
        match self.calls().next() {
            None => Called::Nothing,
            Some(_) if self.plan.legacy_functions => Called::Function,
            Some(_) => Called::Tools,
        }
    }

    /// Appends the message's JSON object.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_slice(b"{\"role\":\"assistant\",\"content\":");
        self.write_content(out);
        out.put_slice(b",\"refusal\":null");
        if self.formatted.is_none() && !self.text_is_dropped() {
            self.write_annotations(out);
        }
        match self.called() {
            Called::Nothing => {}
            Called::Tools => self.write_tool_calls(out),
            Called::Function => self.write_function_call(out),
        }
        self.write_reasoning(out);
        out.put_slice(b"}");
    }

    fn write_content(&self, out: &mut Vec<u8>) {
        if let Some(tool) = self.formatted {
            out.put_slice(b"\"");
            write_arguments(tool.input, out);
            out.put_slice(b"\"");
        } else if self.text_is_dropped()
            || self.calls().next().is_some() && self.texts().all(Quoted::is_empty)
        {
            out.put_slice(b"null");
        } else {
            out.put_slice(b"\"");
            self.texts().for_each(|text| text.write(out));
            out.put_slice(b"\"");
        }
    }

    /// The text stands beside a call, and is not in the format that was asked for.
    fn text_is_dropped(&self) -> bool {
        let has_format_tool = self.plan.format_tool.is_some();
        if !(has_format_tool || self.plan.holds_text) || self.calls().next().is_none() {
            return false;
        }
        let is_call = |block: &Block<'_>| block.tool_use.as_ref().is_some_and(|t| self.is_call(t));
        let before = self.blocks.iter().take_while(|block| !is_call(block));
        let text = before.flat_map(texts_of).map(Quoted::as_written);
        has_format_tool || !begins_object(text.map(str::as_bytes))
    }

    fn write_annotations(&self, out: &mut Vec<u8>) {
        let is_citing = |block: &Block<'_>| block.citations_content.is_some();
        if !self.blocks.iter().any(is_citing) {
            return;
        }
        let mut annotations = Annotations::default();
        for block in self.blocks {
            let start = annotations.position();
            texts_of(block).for_each(|text| annotations.advance(text.chars()));
            let cited = block.citations_content.as_ref();
            let citations = cited.and_then(|cited| cited.citations.as_ref());
            for citation in citations.into_iter().flatten() {
                annotations.note(citation, start);
            }
            annotations.close_block();
        }
        if !annotations.is_empty() {
            out.put_slice(b",");
            annotations.write(out);
        }
    }

    fn write_tool_calls(&self, out: &mut Vec<u8>) {
        for (at, call) in self.calls().enumerate() {
            out.put_slice(if at == 0 { b",\"tool_calls\":[" } else { b"," });
            out.put_slice(b"{\"id\":\"");
            call.tool_use_id.write(out);
            out.put_slice(b"\",\"type\":\"function\",\"function\":");
            self.write_call(call, out);
            out.put_slice(b"}");
        }
        out.put_slice(b"]");
    }

    /// There is room for one.
    fn write_function_call(&self, out: &mut Vec<u8>) {
        if let Some(call) = self.calls().next() {
            out.put_slice(b",\"function_call\":");
            self.write_call(call, out);
        }
    }

    fn write_call(&self, call: &ToolUse<'_>, out: &mut Vec<u8>) {
        out.put_slice(b"{\"name\":");
        write_name(call.name, self.plan, out);
        out.put_slice(b",\"arguments\":\"");
        write_arguments(call.input, out);
        out.put_slice(b"\"}");
    }

    fn write_reasoning(&self, out: &mut Vec<u8>) {
        let blocks = || {
            self.blocks
                .iter()
                .filter_map(|block| block.reasoning_content.as_ref())
        };
        let texts = || blocks().filter_map(|block| block.reasoning_text.as_ref());
        if texts().next().is_some() {
            out.put_slice(b",\"reasoning_content\":\"");
            for text in texts().filter_map(|block| block.text) {
                text.write(out);
            }
            out.put_slice(b"\"");
        }
        let mut thinking = Thinking::default();
        for (index, block) in (0..).zip(blocks()) {
            if let Some(ReasoningText { text, signature }) = block.reasoning_text {
                thinking.add_text(index, text.unwrap_or_default());
                thinking.add_signature(index, signature.unwrap_or_default());
            } else if let Some(data) = block.redacted_content {
                thinking.add_redacted(index, data);
            }
        }
        if !thinking.is_empty() {
            out.put_slice(b",");
            thinking.write(out);
        }
    }

    fn texts(&self) -> impl Iterator<Item = Quoted<'a>> {
        self.blocks.iter().flat_map(texts_of)
    }

    /// What the model wants of the client.
    fn calls(&self) -> impl Iterator<Item = &'a ToolUse<'a>> {
        self.tools().filter(|tool| self.is_call(tool))
    }

    fn is_call(&self, tool: &ToolUse<'_>) -> bool {
        !self.plan.no_calls && !tool.is_of_server() && !is_format_tool(tool.name, self.plan)
    }

    fn tools(&self) -> impl Iterator<Item = &'a ToolUse<'a>> + use<'a> {
        let blocks = self.blocks.iter();
        blocks.filter_map(|block| block.tool_use.as_ref())
    }
}

fn texts_of<'a>(block: &Block<'a>) -> impl Iterator<Item = Quoted<'a>> {
    let cited = block.citations_content.as_ref();
    let cited = cited.and_then(|cited| cited.content.as_ref());
    let cited = cited.into_iter().flatten().filter_map(|part| part.text);
    block.text.into_iter().chain(cited)
}

/// Whether a text, as it is written in JSON strings, begins as a JSON object does.
pub(super) fn begins_object<'a>(text: impl IntoIterator<Item = &'a [u8]>) -> bool {
    for piece in text {
        let mut rest = piece;
        loop {
            rest = match rest {
                [] => break,
                [b' ', after @ ..] | [b'\\', b'n' | b'r' | b't', after @ ..] => after,
                [first, ..] => return *first == b'{',
            };
        }
    }
    false
}

/// Whether a call of this tool is the answer itself.
pub(super) fn is_format_tool(name: Quoted<'_>, plan: &Plan) -> bool {
    let format_tool = plan.format_tool.as_deref();
    format_tool.is_some_and(|tool| tool == name.decoded())
}

/// Appends the client's name of the tool that Bedrock knows as `sent`.
pub(super) fn write_name(sent: Quoted<'_>, plan: &Plan, out: &mut impl BufMut) {
    write_string(plan.names.original(&sent.decoded()), out);
}

/// Appends a tool's input to a JSON string.
fn write_arguments(input: Option<&RawValue>, out: &mut Vec<u8>) {
    match input.map(RawValue::get) {
        None | Some("\"\"") => out.put_slice(b"{}"),
        Some(json) => write_embedded(json, out),
    }
}
