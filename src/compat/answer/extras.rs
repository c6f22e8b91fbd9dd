//! What Converse tells and OpenAI has no place for: it is passed on under Converse's names.

use bytes::BufMut;
use serde_json::value::RawValue;

use super::embedded::{depth, write_compact};

/// What is nested deeper, many clients cannot parse, and then the message is lost with it.
const MAX_DEPTH: usize = 64;

/// Fields beside those of a completion or a chunk, each as the model's service wrote it.
#[derive(Clone, Copy, Default)]
pub(super) struct Extras<'a> {
    /// What the request named in `additionalModelResponseFieldPaths`.
    pub(super) additional_fields: Option<&'a RawValue>,
    /// What the guardrail did.
    pub(super) trace: Option<&'a RawValue>,
    pub(super) performance_config: Option<&'a RawValue>,
}

impl Extras<'_> {
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fields = [
            ("additionalModelResponseFields", self.additional_fields),
            ("trace", self.trace),
            ("performanceConfig", self.performance_config),
        ];
        let fields = fields.into_iter();
        let fields = fields.filter_map(|(name, value)| Some((name, value?.get())));
        fields.filter(|(_, json)| depth(json) <= MAX_DEPTH)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields().next().is_none()
    }

    /// Appends them to the fields of an object, of which one is there already.
    pub(super) fn write(&self, out: &mut impl BufMut) {
        for (name, value) in self.fields() {
            out.put_slice(b",\"");
            out.put_slice(name.as_bytes());
            out.put_slice(b"\":");
            write_compact(value, out);
        }
    }
}
