use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use tracing::Span;
use tracing::field::Empty;

use super::semconv;
use crate::context::Context;
use crate::observe::record::Record;
use crate::observe::trace::{SpanId, TraceId};
use crate::route::{Operation, decode};

type SetParent = dyn Fn(&Span, TraceId, SpanId) + Send + Sync;

/// Makes one span of `tracing` per request, with OpenTelemetry's names for generative AI, so that
/// `tracing-opentelemetry` exports it: [`with_spans`](crate::ObservabilityLayer::with_spans).
///
/// A span begins with the request and ends with its answer. Where the path names the model, it is
/// entered while the inner service is called and its future polled, so that what is logged there, or
/// made spans of, belongs to it. (Elsewhere the model is in the body, and `tracing-opentelemetry`
/// gives no new name to a span that was entered.) Its target is `tower_bedrock::observe`, its level
/// `INFO`, its fields are those of the convention:
///
/// | field | |
/// |---|---|
/// | `otel.name` | `{gen_ai.operation.name} {gen_ai.request.model}` |
/// | `otel.kind`, `otel.status_description` | `client`; what went wrong, unless it was a success: that makes the status `error` |
/// | `error.type` | the name of AWS's exception, else the status, else `upstream_cut` or `client_disconnect` |
/// | `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`, `gen_ai.request.stream` | |
/// | `gen_ai.usage.input_tokens` | with those of a cache; also `…output_tokens`, `…cache_read.input_tokens`, `…cache_creation.input_tokens`, `…reasoning.output_tokens` |
/// | `gen_ai.usage.cost` | US dollars: not in the convention, but Cloudflare's name for it |
/// | `gen_ai.response.id` | where the answer's body has one |
/// | `gen_ai.response.finish_reasons` | a list in JSON, for `tracing` has no lists |
/// | `gen_ai.response.time_to_first_chunk` | seconds, of streams |
/// | `aws.request_id`, `cloud.region`, `http.response.status_code` | |
/// | `server.address`, `server.port` | where the request went: the host of its URL at Bedrock |
/// | `aws.bedrock.guardrail.id` | of a request that names it in `X-Amzn-Bedrock-GuardrailIdentifier` or in its path |
/// | `tower_bedrock.log_id`, `.event_id`, `.account_id`, `.gateway_id`, `.principal`, `.operation`, `.outcome`, `.attempts`, `.metadata` | as in the record, the metadata in JSON |
///
/// What is not known is left out. The example `otel` exports them.
#[derive(Clone, Default)]
#[must_use]
pub struct Spans {
    set_parent: Option<Arc<SetParent>>,
}

impl Spans {
    /// Spans whose parent is the current one where the service is called.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `set_parent` with a new span, if the request says to which trace it belongs, and to which
    /// span of the client: where it names a trace alone, one is made up, for OpenTelemetry knows no
    /// trace without. This crate knows nothing of OpenTelemetry, so that is where to call
    /// `tracing_opentelemetry::OpenTelemetrySpanExt::set_parent`.
    pub fn with_parent(
        self,
        set_parent: impl Fn(&Span, TraceId, SpanId) + Send + Sync + 'static,
    ) -> Self {
        let set_parent: Arc<SetParent> = Arc::new(set_parent);
        Self {
            set_parent: Some(set_parent),
        }
    }

    /// A request begins, with this head.
    pub(super) fn begin(&self, head: &Parts, parent: Option<(TraceId, SpanId)>) -> RequestSpan {
        let span = tracing::info_span!(
            target: "tower_bedrock::observe",
            "request",
            otel.name = Empty,
            otel.kind = "client",
            otel.status_description = Empty,
            error.type = Empty,
            gen_ai.operation.name = Empty,
            gen_ai.provider.name = semconv::PROVIDER,
            gen_ai.request.model = Empty,
            gen_ai.request.stream = Empty,
            gen_ai.response.id = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.response.time_to_first_chunk = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.cache_creation.input_tokens = Empty,
            gen_ai.usage.reasoning.output_tokens = Empty,
            gen_ai.usage.cost = Empty,
            aws.request_id = Empty,
            cloud.region = Empty,
            http.response.status_code = Empty,
            server.address = Empty,
            server.port = Empty,
            aws.bedrock.guardrail.id = Empty,
            tower_bedrock.log_id = Empty,
            tower_bedrock.event_id = Empty,
            tower_bedrock.account_id = Empty,
            tower_bedrock.gateway_id = Empty,
            tower_bedrock.principal = Empty,
            tower_bedrock.operation = Empty,
            tower_bedrock.outcome = Empty,
            tower_bedrock.attempts = Empty,
            tower_bedrock.metadata = Empty,
        );
        if let (Some(set_parent), Some((trace, parent))) = (&self.set_parent, parent)
            && !span.is_disabled()
        {
            set_parent(&span, trace, parent);
        }
        let mut this = RequestSpan {
            span,
            is_named: false,
        };
        let path = head.uri.path();
        if !this.span.is_disabled()
            && let Some(guardrail) = guardrail(head)
        {
            this.span.record("aws.bedrock.guardrail.id", &*guardrail);
        }
        if let Some((operation, model)) = named(path).filter(|_| !this.span.is_disabled()) {
            this.name(Some(operation.as_str()), Some(&model));
            this.is_named = true;
        }
        this
    }
}

/// Operation and model, if the path names them, wherever it begins.
fn named(path: &str) -> Option<(Operation, Cow<'_, str>)> {
    let (before, _) = path.split_once("/model/")?;
    let (operation, model) = Operation::parse(path.get(before.len() + 1..)?);
    Some((operation, decode(model?)))
}

/// The guardrail that a request names, where it does so in its head.
fn guardrail(head: &Parts) -> Option<Cow<'_, str>> {
    const HEADER: &str = "x-amzn-bedrock-guardrailidentifier";
    let header = head.headers.get(HEADER);
    let header = header.and_then(|value| value.to_str().ok()).map(Cow::from);
    let in_path = || {
        let (_, rest) = head.uri.path().split_once("/guardrail/")?;
        rest.rsplit_once("/version/").map(|(id, _)| decode(id))
    };
    let id = header.or_else(in_path)?;
    // That of an ARN is no longer.
    Some(id).filter(|id| (1..=2048).contains(&id.len()))
}

/// The span of a request.
pub(in crate::observe) struct RequestSpan {
    /// A disabled one if no spans are wanted.
    span: Span,
    /// Name, operation and model are known.
    is_named: bool,
}

impl RequestSpan {
    pub(in crate::observe) const fn none() -> Self {
        let span = Span::none();
        Self {
            span,
            is_named: false,
        }
    }

    pub(in crate::observe) fn is_none(&self) -> bool {
        self.span.is_disabled()
    }

    /// Does `work` within it.
    pub(in crate::observe) fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.is_named {
            true => self.span.in_scope(work),
            false => work(),
        }
    }

    fn name(&self, operation: Option<&str>, model: Option<&str>) {
        let operation = semconv::operation_name(operation, model);
        let name = model.map(|model| format!("{operation} {model}"));
        tracing::record_all!(
            self.span,
            otel.name = name.as_deref().unwrap_or(operation),
            gen_ai.operation.name = operation,
            gen_ai.request.model = model,
        );
    }

    /// The request has ended, now.
    pub(super) fn end(&self, record: &Record, context: &Context) {
        let span = &self.span;
        if span.is_disabled() {
            return;
        }
        if !self.is_named {
            self.name(record.operation, record.model.as_deref());
        }
        let error = semconv::error_type(record);
        let reason = record.stop_reason.as_ref();
        let first_chunk = record.time_to_first_byte.filter(|_| record.is_stream);
        let metadata = record.metadata.as_ref();
        let (address, port) = context.upstream().unzip();
        // Numbers without a sign would be exported as text.
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        tracing::record_all!(
            span,
            // It says that there is an error, too.
            otel.status_description = error.as_deref().map(|error| record.error.as_deref().unwrap_or(error)),
            error.type = error.as_deref(),
            gen_ai.request.stream = record.is_stream,
            gen_ai.response.id = record.response_id.as_deref(),
            gen_ai.response.finish_reasons =
                reason.and_then(|reason| serde_json::to_string(&[reason]).ok()).as_deref(),
            gen_ai.response.time_to_first_chunk = first_chunk.map(|time| time.as_secs_f64()),
            gen_ai.usage.input_tokens = record.tokens_in.map(signed),
            gen_ai.usage.output_tokens = record.tokens_out.map(signed),
            gen_ai.usage.cache_read.input_tokens = record.tokens_cache_read.map(signed),
            gen_ai.usage.cache_creation.input_tokens = record.tokens_cache_write.map(signed),
            gen_ai.usage.reasoning.output_tokens = record.tokens_reasoning.map(signed),
            gen_ai.usage.cost = record.cost.map(|cost| cost.as_usd()),
            aws.request_id = record.upstream_request_id.as_deref(),
            cloud.region = record.region.as_deref(),
            http.response.status_code = record.status_code.map(i64::from),
            server.address = address,
            server.port = port.map(i64::from),
            tower_bedrock.log_id = record.id.as_str(),
            tower_bedrock.event_id = record.event_id.as_str(),
            tower_bedrock.account_id = record.account_id.as_deref(),
            tower_bedrock.gateway_id = record.gateway_id.as_deref(),
            tower_bedrock.principal = record.principal.as_deref(),
            tower_bedrock.operation = record.operation,
            tower_bedrock.outcome = record.outcome.as_str(),
            tower_bedrock.attempts = record.attempts.map(i64::from),
            tower_bedrock.metadata =
                metadata.and_then(|metadata| serde_json::to_string(metadata).ok()).as_deref(),
        );
        // Exporters take the time of the latest exit for the end.
        span.in_scope(|| ());
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}
