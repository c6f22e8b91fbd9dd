//! The chunks as server-sent events.

use std::io::Write as _;

use bytes::{BufMut, BytesMut};

use super::extras::Extras;
use super::text::{Quoted, write_string};
use super::tools::Kind;
use super::usage::Usage;
use crate::compat::plan::Plan;

/// Writes chunks of one stream: what they have in common is written once and then copied.
pub(super) struct Writer {
    /// An event as far as the fields of its `delta`.
    head: Vec<u8>,
    /// How much of it is before `choices`.
    common: usize,
    include_usage: bool,
}

const CHOICES: &[u8] = b"\"choices\":[{\"index\":0,\"delta\":{";

impl Writer {
    pub(super) fn new(plan: &Plan, id: &str, created: u64) -> Self {
        let mut head = b"data: {\"id\":".to_vec();
        write_string(&format!("chatcmpl-{id}"), &mut head);
        // A buffer in memory does not fail.
        let _ = write!(
            head,
            r#","object":"chat.completion.chunk","created":{created},"model":"#
        );
        write_string(&plan.model, &mut head);
        head.push(b',');
        let common = head.len();
        head.extend_from_slice(CHOICES);
        Self {
            head,
            common,
            include_usage: plan.include_usage,
        }
    }

    /// The first chunk.
    pub(super) fn role(&self, out: &mut BytesMut) {
        self.chunk(out, |out| {
            out.put_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        });
    }

    /// A chunk whose delta is one string; `field` is its name with all that precedes the text.
    pub(super) fn text(&self, field: &[u8], text: Quoted<'_>, out: &mut BytesMut) {
        let tail = self.tail();
        out.reserve(self.head.len() + field.len() + text.len() + 1 + tail.len());
        out.put_slice(&self.head);
        out.put_slice(field);
        text.write(out);
        out.put_slice(b"\"");
        out.put_slice(tail);
    }

    /// A piece of a tool's input.
    pub(super) fn input(&self, kind: Kind, is_legacy: bool, input: Quoted<'_>, out: &mut BytesMut) {
        match kind {
            Kind::Ignored => {}
            Kind::Format => self.text(b"\"content\":\"", input, out),
            Kind::Call(_) if is_legacy => self.chunk(out, |out| {
                out.put_slice(b"\"function_call\":{\"arguments\":\"");
                input.write(out);
                out.put_slice(b"\"}");
            }),
            Kind::Call(ordinal) => self.chunk(out, |out| {
                let _ = write!(
                    out.writer(),
                    r#""tool_calls":[{{"index":{ordinal},"function":{{"arguments":""#
                );
                input.write(out);
                out.put_slice(b"\"}}]");
            }),
        }
    }

    /// A chunk whose delta has the fields that `write` appends.
    pub(super) fn chunk(&self, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
        out.put_slice(&self.head);
        write(out);
        out.put_slice(self.tail());
    }

    /// The last chunk with a choice, without its [end](Self::end); `write` appends what follows its
    /// `logprobs`.
    pub(super) fn finish(&self, out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
        out.put_slice(&self.head);
        out.put_slice(b"},\"logprobs\":null,");
        write(out);
        out.put_slice(b"}]");
        if self.include_usage {
            out.put_slice(b",\"usage\":null");
        }
    }

    /// The end of that chunk.
    pub(super) fn end(&self, extras: Extras<'_>, out: &mut BytesMut) {
        extras.write(out);
        out.put_slice(b"}\n\n");
    }

    /// The chunk after that one; `false` if the usage is not known, and nothing if there is nothing
    /// else to tell.
    pub(super) fn usage(
        &self,
        usage: &Usage,
        tier: Option<&str>,
        extras: Extras<'_>,
        out: &mut BytesMut,
    ) -> bool {
        let before = out.len();
        out.put_slice(self.head.get(..self.common).unwrap_or_default());
        out.put_slice(b"\"choices\":[],\"usage\":");
        let is_known = usage.write(out);
        if !is_known {
            if extras.is_empty() {
                out.truncate(before);
                return false;
            }
            out.put_slice(b"null");
        }
        if let Some(tier) = tier {
            out.put_slice(b",\"service_tier\":");
            write_string(tier, out);
        }
        self.end(extras, out);
        is_known
    }

    fn tail(&self) -> &'static [u8] {
        if self.include_usage {
            b"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"
        } else {
            b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
        }
    }
}
