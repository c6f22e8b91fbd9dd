//! What Converse tells and OpenAI has no place for: it is passed on under Converse's names.

use std::borrow::Cow;

use bytes::BufMut;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::embedded::{depth, write_compact};

/// What is nested deeper, many clients cannot parse, and then the message is lost with it.
const MAX_DEPTH: usize = 64;

/// A longer name is nobody's.
const MAX_MODE: usize = 128;

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

    /// What `performanceConfig` says of how fast the model was to answer, for the record.
    pub(super) fn latency_mode(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Performance<'a> {
            #[serde(borrow)]
            latency: Cow<'a, str>,
        }
        let json = self.performance_config?.get();
        let performance: Performance<'_> = serde_json::from_str(json).ok()?;
        let mode = performance.latency;
        (mode.len() <= MAX_MODE).then(|| mode.into_owned())
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
