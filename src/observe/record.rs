//! What is kept of a request.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_core::ser::{Serialize, SerializeStruct, Serializer};
use time::OffsetDateTime;

use super::cost::Cost;
use super::metadata::Metadata;
use super::payload::Payload;
use super::trace::{SpanId, TraceId};

/// What happened to one request: see the table in the [module docs](super).
///
/// It serializes to a flat object of these names; what is not known is `null`, never zero.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Record {
    /// The log id: a UUID of version 7, sent as `cf-aig-log-id`.
    pub id: String,
    /// When the request came.
    pub created_at: SystemTime,
    /// From the request's head to the last byte of the answer.
    pub duration: Duration,
    /// To the first byte of the answer's body.
    pub time_to_first_byte: Option<Duration>,
    /// To the first piece of a stream in which the model says something.
    pub time_to_first_token: Option<Duration>,
    /// The mean time from one such piece to the next: from the first to the end of the message, by
    /// the number of the others.
    pub time_between_tokens: Option<Duration>,
    /// From the latest attempt to the head of its answer.
    pub upstream_latency: Option<Duration>,
    /// How long the model took, as Bedrock measured it.
    pub bedrock_latency: Option<Duration>,
    /// Always `aws-bedrock`.
    pub provider: &'static str,
    /// The model id of the path, decoded.
    pub model: Option<String>,
    /// The path as it arrived, without the query; its first 8 KiB.
    pub path: String,
    /// The HTTP status that was sent.
    pub status_code: Option<u16>,
    /// The status that a gRPC call ended with.
    pub grpc_status: Option<u32>,
    /// The answer has a status of 2xx, was complete and reported no error.
    pub success: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The answer is a stream of events.
    pub is_stream: bool,
    /// Bytes of a stream that were not read, since a frame of it was broken or too long.
    pub bytes_unread: Option<u64>,
    /// Everything that the model was given: input, cache reads and cache writes together.
    pub tokens_in: Option<u64>,
    /// Tokens that the model was given and that were neither read from the prompt cache nor
    /// written to it.
    pub tokens_input: Option<u64>,
    /// Tokens that came from the prompt cache.
    pub tokens_cache_read: Option<u64>,
    /// Tokens that went to the prompt cache.
    pub tokens_cache_write: Option<u64>,
    /// Tokens that the model wrote.
    pub tokens_out: Option<u64>,
    /// Those of them in which it reasoned.
    pub tokens_reasoning: Option<u64>,
    /// The price; `None` if it is not known.
    pub cost: Option<Cost>,
    /// The price is by the client's own rates.
    pub custom_cost: bool,
    /// Length of the request body, in bytes.
    pub request_size: Option<u64>,
    /// Length of the answer's body as far as it was sent, in bytes.
    pub response_size: Option<u64>,
    /// The account in the path.
    pub account_id: Option<String>,
    /// The gateway in the path.
    pub gateway_id: Option<String>,
    /// The id of the [`Principal`](crate::Principal).
    pub principal: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// The operation's name in AWS's service model, such as `ConverseStream`.
    pub operation: Option<&'static str>,
    /// Why the model stopped, in its own word.
    pub stop_reason: Option<String>,
    /// What a guardrail did: `INTERVENED` or `NONE`, for example.
    pub guardrail_action: Option<String>,
    /// The tier of service that answered: `flex`, for example.
    pub service_tier: Option<String>,
    /// How fast the model was to answer: `standard` or `optimized`.
    pub latency_mode: Option<String>,
    /// AWS's own id of the request.
    pub upstream_request_id: Option<String>,
    /// The answer's own id, as in its body.
    pub response_id: Option<String>,
    /// How often the request was sent upstream.
    pub attempts: Option<u32>,
    /// What the client says of its request.
    pub metadata: Option<Metadata>,
    /// The trace that the request belongs to.
    pub trace_id: Option<TraceId>,
    /// The client's span.
    pub parent_span_id: Option<SpanId>,
    /// The answer came from a cache.
    pub cached: bool,
    /// Which of several fallbacks answered.
    pub step: u32,
    /// The id that the client gave in `cf-aig-event-id`, else the log id.
    pub event_id: String,
    /// The access key id that signed the request.
    pub credentials_id: Option<String>,
    /// The alias of the stored key that the client named.
    pub alias: Option<String>,
    /// What went wrong, in words that the client may read.
    pub error: Option<String>,
    /// What the client asked for in headers that could not be heeded: the header, and which part.
    pub ignored: Vec<String>,
    /// The request's body, if it is to be kept.
    pub request_body: Option<Payload>,
    /// The answer's body, if it is to be kept.
    pub response_body: Option<Payload>,
}

impl Record {
    /// A record in which nothing else is known.
    #[cfg(test)]
    pub(super) fn new(id: String, event_id: String, created_at: SystemTime) -> Self {
        Self {
            id,
            event_id,
            created_at,
            ..Self::blank()
        }
    }

    /// A record in which nothing is known.
    pub(super) fn blank() -> Self {
        Self {
            id: String::new(),
            created_at: UNIX_EPOCH,
            duration: Duration::ZERO,
            time_to_first_byte: None,
            time_to_first_token: None,
            time_between_tokens: None,
            upstream_latency: None,
            bedrock_latency: None,
            provider: "aws-bedrock",
            model: None,
            path: String::new(),
            status_code: None,
            grpc_status: None,
            success: false,
            outcome: Outcome::ClientDisconnect,
            is_stream: false,
            bytes_unread: None,
            tokens_in: None,
            tokens_input: None,
            tokens_cache_read: None,
            tokens_cache_write: None,
            tokens_out: None,
            tokens_reasoning: None,
            cost: None,
            custom_cost: false,
            request_size: None,
            response_size: None,
            account_id: None,
            gateway_id: None,
            principal: None,
            region: None,
            operation: None,
            stop_reason: None,
            guardrail_action: None,
            service_tier: None,
            latency_mode: None,
            upstream_request_id: None,
            response_id: None,
            attempts: None,
            metadata: None,
            trace_id: None,
            parent_span_id: None,
            cached: false,
            step: 0,
            event_id: String::new(),
            credentials_id: None,
            alias: None,
            error: None,
            ignored: Vec::new(),
            request_body: None,
            response_body: None,
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Every field under its own name, as it is or as what is said to stand for it.
        macro_rules! object {
            ($($field:ident $(= $value:expr)?,)*) => {{
                let Self { $($field),* } = self;
                let names = [$(stringify!($field)),*];
                let mut object = serializer.serialize_struct("Record", names.len())?;
                $(
                    $(let $field = &$value;)?
                    object.serialize_field(stringify!($field), $field)?;
                )*
                object.end()
            }};
        }
        object! {
            id, created_at = Rfc3339(*created_at),
            duration = in_millis(*duration),
            time_to_first_byte = time_to_first_byte.map(in_millis),
            time_to_first_token = time_to_first_token.map(in_millis),
            time_between_tokens = time_between_tokens.map(in_millis),
            upstream_latency = upstream_latency.map(in_millis),
            bedrock_latency = bedrock_latency.map(in_millis),
            provider, model, path,
            status_code, grpc_status, success, outcome, is_stream, bytes_unread,
            tokens_in, tokens_input, tokens_cache_read, tokens_cache_write,
            tokens_out, tokens_reasoning,
            cost, custom_cost, request_size, response_size,
            account_id, gateway_id, principal, region, operation,
            stop_reason, guardrail_action, service_tier, latency_mode,
            upstream_request_id, response_id, attempts,
            metadata, trace_id, parent_span_id, cached, step, event_id,
            credentials_id, alias, error, ignored, request_body, response_body,
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The whole answer was sent.
    Complete,
    /// One of the layers refused the request.
    Refused,
    /// The upstream could not be asked, or answered with an error.
    UpstreamError,
    /// The upstream's answer broke off.
    UpstreamCut,
    /// The client left before the end of the answer.
    ClientDisconnect,
}

impl Outcome {
    /// Its name in a serialized record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamCut => "upstream_cut",
            Self::ClientDisconnect => "client_disconnect",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn in_millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// UTC, to the millisecond.
struct Rfc3339(SystemTime);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
        let time = OffsetDateTime::from_unix_timestamp(seconds);
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = time.to_hms();
        let millis = since.subsec_millis();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialized_as_the_table_says() {
        let created_at = UNIX_EPOCH + Duration::from_micros(1_767_322_845_006_999);
        let mut record = Record::new("a".to_owned(), "b".to_owned(), created_at);
        record.duration = Duration::from_nanos(1_234_567_890);
        record.time_to_first_byte = Some(Duration::from_micros(250));
        record.outcome = Outcome::UpstreamCut;
        record.tokens_in = Some(u64::MAX);
        record.operation = Some("Converse");
        record.cost = Some(Cost::from_picodollars(96_000_000));
        record.trace_id = TraceId::parse("0AF7651916cd43dd8448eb211c80319c");
        record.parent_span_id = SpanId::parse("00000000000000ff");
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            concat!(
                r#"{"id":"a","created_at":"2026-01-02T03:00:45.006Z","duration":1234.567,"time_to_first_byte":0.25,"time_to_first_token":null,"#,
                r#""time_between_tokens":null,"upstream_latency":null,"bedrock_latency":null,"provider":"aws-bedrock","model":null,"path":"","#,
                r#""status_code":null,"grpc_status":null,"success":false,"outcome":"upstream_cut","is_stream":false,"bytes_unread":null,"#,
                r#""tokens_in":18446744073709551615,"tokens_input":null,"tokens_cache_read":null,"tokens_cache_write":null,"tokens_out":null,"#,
                r#""tokens_reasoning":null,"cost":0.000096,"custom_cost":false,"request_size":null,"response_size":null,"account_id":null,"#,
                r#""gateway_id":null,"principal":null,"region":null,"operation":"Converse","stop_reason":null,"guardrail_action":null,"#,
                r#""service_tier":null,"latency_mode":null,"upstream_request_id":null,"response_id":null,"attempts":null,"metadata":null,"#,
                r#""trace_id":"0af7651916cd43dd8448eb211c80319c","parent_span_id":"00000000000000ff","cached":false,"step":0,"#,
                r#""event_id":"b","credentials_id":null,"alias":null,"error":null,"ignored":[],"request_body":null,"response_body":null}"#
            )
        );
    }

    #[test]
    fn times_that_no_calendar_has() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Rfc3339(before).to_string(), "1970-01-01T00:00:00.000Z");
        if let Some(late) = UNIX_EPOCH.checked_add(Duration::from_secs(u64::MAX >> 8)) {
            assert_eq!(Rfc3339(late).to_string(), "1970-01-01T00:00:00.000Z");
        }
    }
}
