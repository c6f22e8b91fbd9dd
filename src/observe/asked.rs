//! What a client asks in its request's headers, as far as it concerns the record.

use http::{HeaderMap, HeaderValue};

use super::ignored::Ignored;
use super::trace::{SpanId, TraceId, traceparent};

/// Longer values are not kept until the record is made, nor read.
const MAX_JSON: usize = 8 * 1024;

/// The longest alias that is kept.
const MAX_ALIAS: usize = 128;

#[derive(Debug)]
pub(super) struct Asked {
    /// Read when the record is made.
    pub(super) metadata: Option<HeaderValue>,
    pub(super) custom_cost: Option<HeaderValue>,
    pub(super) alias: Option<HeaderValue>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) parent_span_id: Option<SpanId>,
    /// A record is to be kept, and bodies with it.
    pub(super) collect: bool,
    pub(super) payloads: bool,
    pub(super) ignored: Ignored,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            metadata: None,
            custom_cost: None,
            alias: None,
            trace_id: None,
            parent_span_id: None,
            collect: true,
            payloads: true,
            ignored: Ignored::default(),
        }
    }
}

impl Asked {
    /// Nothing, if there is no such header. Of one that was sent more than once the first value
    /// counts.
    pub(super) fn of(headers: &HeaderMap) -> Option<Box<Self>> {
        let is_meant = |name: &str| match name.strip_prefix("cf-aig-") {
            Some(name) => !matches!(name, "authorization" | "event-id"),
            None => name == "traceparent",
        };
        headers
            .keys()
            .any(|name| is_meant(name.as_str()))
            .then(|| Box::new(Self::read(headers)))
    }

    fn read(headers: &HeaderMap) -> Self {
        let mut asked = Self::default();
        let (mut collect, mut payloads) = (None, None);
        let (mut trace, mut span, mut parent) = (None, None, None);
        for (name, value) in headers {
            // Nearly all headers are told apart by their first letters.
            let name = name.as_str();
            let Some(name) = name.strip_prefix("cf-aig-") else {
                if name == "traceparent" {
                    parent.get_or_insert(value);
                }
                continue;
            };
            match name {
                "metadata" => asked.metadata = asked.metadata.or_else(|| Some(value.clone())),
                "custom-cost" => {
                    asked.custom_cost = asked.custom_cost.or_else(|| Some(value.clone()));
                }
                "byok-alias" => asked.alias = asked.alias.or_else(|| Some(value.clone())),
                "collect-log" => _ = collect.get_or_insert(value),
                "collect-log-payload" => _ = payloads.get_or_insert(value),
                "otel-trace-id" => _ = trace.get_or_insert(value),
                "otel-parent-span-id" => _ = span.get_or_insert(value),
                _ => {}
            }
        }
        let ignored = &mut asked.ignored;
        for (name, value) in [
            ("cf-aig-metadata", &mut asked.metadata),
            ("cf-aig-custom-cost", &mut asked.custom_cost),
        ] {
            if value.as_ref().is_some_and(|value| value.len() > MAX_JSON) {
                *value = None;
                ignored.add(name, "too long");
            }
        }
        let short = |alias: &HeaderValue| alias.len() <= MAX_ALIAS && alias.to_str().is_ok();
        asked.alias = asked.alias.filter(short);
        for (name, value, switch) in [
            ("cf-aig-collect-log", collect, &mut asked.collect),
            ("cf-aig-collect-log-payload", payloads, &mut asked.payloads),
        ] {
            match value.map(|value| value.as_bytes().to_ascii_lowercase()) {
                None => {}
                Some(value) if value == b"true" => *switch = true,
                Some(value) if value == b"false" => *switch = false,
                Some(_) => ignored.add(name, "neither true nor false"),
            }
        }
        asked.trace(trace, span, parent);
        asked
    }

    /// The ids of `cf-aig-otel-…` belong together; without a trace id among them the request
    /// belongs to the trace of `traceparent`.
    fn trace(
        &mut self,
        trace: Option<&HeaderValue>,
        span: Option<&HeaderValue>,
        parent: Option<&HeaderValue>,
    ) {
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        if let Some(value) = trace {
            self.trace_id = TraceId::parse(&text(value));
            if self.trace_id.is_none() {
                self.ignored
                    .add("cf-aig-otel-trace-id", "not 32 hexadecimal digits");
            }
        }
        if let Some(value) = span {
            let span = SpanId::parse(&text(value));
            match (span, self.trace_id) {
                (Some(span), Some(_)) => self.parent_span_id = Some(span),
                (Some(_), None) => self
                    .ignored
                    .add("cf-aig-otel-parent-span-id", "without a trace id"),
                (None, _) => self
                    .ignored
                    .add("cf-aig-otel-parent-span-id", "not 16 hexadecimal digits"),
            }
        }
        if self.trace_id.is_some() {
            return;
        }
        if let Some(value) = parent {
            match value.to_str().ok().and_then(traceparent) {
                Some((trace, span)) => {
                    (self.trace_id, self.parent_span_id) = (Some(trace), Some(span));
                }
                None => self.ignored.add("traceparent", "malformed"),
            }
        }
    }
}
