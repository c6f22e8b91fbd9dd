//! What happened? Ids on every response, and one record of every request.
//!
//! 1. Every response carries `cf-aig-log-id` (a UUID of version 7; one that a client sends is
//!    ignored), `cf-aig-event-id` (the client's own if it has 1 to 128 visible ASCII characters,
//!    else the log id) and `cf-aig-step`. On refusals of this crate's layers `x-amzn-requestid` is
//!    the log id too, and on every answer of `/compat` so is `x-request-id`.
//! 2. Every request leaves exactly one [`Record`], when it has ended: with the last byte of its
//!    answer, with an error, or when response or future are dropped.
//! 3. Usage and stop reason are read from the answer's bytes as they pass. No byte is changed,
//!    delayed or kept, unless [`with_payloads`](ObservabilityLayer::with_payloads) and
//!    [`with_usage_headers`](ObservabilityLayer::with_usage_headers) ask for that. Requests are not
//!    looked into either; only a [`CaptureRequestLayer`] reads the `model` in the body of those
//!    whose path names none (`…/chat/completions`, `/responses`, `/messages`). Of an event
//!    stream the checksum of every prelude is checked, and that of the frames whose payload tells
//!    something; the others are hopped over. Of an answer that the OpenAI-compatible API has given
//!    another form the record has what Bedrock's own told: it is not read twice.
//! 4. Records go to every [`Sink`], see below. Without a sink there are ids but no records.
//!
//! # The record
//! What is not known is `null`, never zero. Times are in milliseconds, to the microsecond.
//!
//! | field | is |
//! |---|---|
//! | `id`, `event_id` | as on the response |
//! | `created_at` | when the request came, RFC 3339 in UTC with milliseconds |
//! | `duration` | from the request's head to the end of the answer, or until the client left |
//! | `time_to_first_byte` | to the first byte of the answer's body |
//! | `time_to_first_token` | to the first piece of a stream in which the model says something, text or tool or reasoning; not to its `messageStart` |
//! | `time_between_tokens` | the mean time from one such piece to the next: from the first to the end of the message, by the number of the others |
//! | `upstream_latency` | from the latest attempt to the head of its answer; what else there is of `time_to_first_byte` is the gateway's |
//! | `bedrock_latency` | how long the model took, as Bedrock says: `x-amzn-bedrock-invocation-latency`, `metrics.latencyMs` or `invocationLatency` |
//! | `provider` | `aws-bedrock` |
//! | `account_id`, `gateway_id`, `region`, `operation` | from the path; without a gateway's path from Bedrock's own URL |
//! | `model` | from the path, decoded; where the path has none, as the request's body names it, if a [`CaptureRequestLayer`] is inside, else as the answer does |
//! | `path` | as it arrived, without the query; its first 8 KiB |
//! | `status_code`, `response_size` | as given to the server, the size as far as it took the body: what fits into its buffers counts as sent, whether the client reads it or not |
//! | `grpc_status` | the number that a gRPC call ended with, from the trailers or, of an answer without any, the head |
//! | `request_size` | bytes of the request body, as announced or as read |
//! | `outcome` | see below |
//! | `success` | `complete`, and a status of 2xx; a gRPC call that failed is not `complete` |
//! | `is_stream` | the answer is a stream of events, also one that the OpenAI-compatible API gives |
//! | `bytes_unread` | bytes of a stream from a frame on that was broken or too long: it went to the client as it was, and was not read; of one that the OpenAI-compatible API translates, those that had come when it ended; see [`unread_streams`](ObservabilityLayer::unread_streams) |
//! | `tokens_in` | `tokens_input`, cache reads and cache writes together |
//! | `tokens_input`, `tokens_cache_read`, `tokens_cache_write`, `tokens_out` | as the answer tells; Bedrock's own measure before the model's word. A count above 10¹² is a mistake, and not known; of one that an object names twice the last number counts. What CountTokens has counted is in none of these |
//! | `tokens_reasoning` | those of `tokens_out` in which the model reasoned, if the answer tells |
//! | `cost` | in US dollars, by [`Prices`] (a price of your own is by the id that requests name, `us.` and the like included) or by the client's own rates: of the tokens that were counted, also of an answer that broke off. `null` if there is no price for the model, or none for the service tier or the latency mode that the answer names, or a count that matters is not known |
//! | `custom_cost` | `cost` is by `cf-aig-custom-cost` |
//! | `stop_reason` | as the answer tells |
//! | `guardrail_action` | `INTERVENED` or `NONE`, if the answer tells |
//! | `service_tier` | as the answer tells: `flex`, `priority`, `default` … |
//! | `latency_mode` | as the answer tells, by `performanceConfig` or `x-amzn-bedrock-performanceconfig-latency`: `optimized`, `standard` |
//! | `principal`, `credentials_id`, `alias` | who called, the access key id that signed, and the alias of a stored key that the client named |
//! | `upstream_request_id` | `x-amzn-requestid` of AWS's answer, also of one that the client was not given since AWS rejects the gateway's own credentials |
//! | `response_id` | the answer's own id, as its body tells: `msg_bdrk_…`, `chatcmpl-…`, `resp_…`; Converse has none |
//! | `attempts` | how often the request was sent |
//! | `metadata` | an object, see below |
//! | `trace_id`, `parent_span_id` | 32 and 16 hexadecimal digits, see below |
//! | `error` | what went wrong, in words that the client may read |
//! | `ignored` | a list of what the client's headers asked for in vain: `cf-aig-metadata: cf.user` |
//! | `request_body`, `response_body` | their beginnings, if [`Capture`] keeps them: `{"text": …, "complete": true}`, or with `base64` |
//! | `cached`, `step` | `false`, `0`: nothing sets them yet |
//!
//! Of the fields that the logs of Cloudflare's gateway have besides, `request_head` and `response_head`
//! are `request_body` and `response_body` here, and `byok` is `alias`; `model_type` and `request_type`
//! say no more than `operation`; and `feedback` and `score` are given when a record is long with its
//! sinks, which may join them by `id`.
//!
//! | `outcome` | when, the first that fits |
//! |---|---|
//! | `refused` | a layer refused the request |
//! | `upstream_error` | a layer could not reach the upstream or use its answer; the inner service failed; a status of 4xx or 5xx of the upstream's, an exception or an error in a stream, a stream that is not well-formed, 200 with `UnknownOperationException`, with an object under `error`, or with the `status` `failed`, a gRPC status other than 0 |
//! | `upstream_cut` | the answer broke off, or was broken off since the upstream fell silent (also if `/compat` made an error with a status of it), is shorter than its `content-length`, or ended in mid-frame, in mid-event, in mid-object, before the message did, the `metadata` of ConverseStream or the `[DONE]` of a completion, or without the status of gRPC; a stream of no event, but for a bidirectional one, and no JSON at all where a model was to answer with it |
//! | `client_disconnect` | response or future were dropped before that; what was known until then is in the record |
//! | `complete` | else |
//!
//! # What a client may ask for
//! None of these headers can fail a request. Of one that is sent twice the first counts.
//!
//! | header | |
//! |---|---|
//! | `cf-aig-metadata` | a JSON object of up to five entries, each a text (1 KiB), a number, `true` or `false`, under a key of up to 128 bytes. An entry is dropped, and named in `ignored`, if it is anything else, is one too many, is there already, or has a key that begins with `cf.` or `gen_ai.`; so is all of it if it is no object or longer than 8 KiB |
//! | `cf-aig-custom-cost` | `{"total_cost": …}` in dollars, up to a million; or `{"per_token_in": …, "per_token_out": …}` in dollars for one token, up to one, and if there is one of them `per_cache_read_token` and `per_cache_write_token`, of which the other is then that of `per_token_in`. What is negative, too great or no number is named in `ignored`; without both rates the price is that of the model. Of a request that Bedrock did not serve there is no cost |
//! | `cf-aig-otel-trace-id`, `cf-aig-otel-parent-span-id` | 32 and 16 hexadecimal digits. They belong together: a span without a trace is ignored. A trace without a span sets the trace all the same |
//! | `traceparent` | of W3C Trace Context; counts, with trace and span, if there is no valid `cf-aig-otel-trace-id` |
//! | `cf-aig-collect-log` | `false`: no sink that keeps records is given one; ids, spans and counts there are. A refused request leaves its record all the same |
//! | `cf-aig-collect-log-payload` | `false`: no body is kept |
//! | `cf-aig-event-id`, `cf-aig-byok-alias` | in the record as they are |
//!
//! # Sinks
//! | sink | |
//! |---|---|
//! | [`Tracing`] | an event of `tracing` for each record |
//! | [`Spans`] | a span of `tracing` for each request, with OpenTelemetry's names, for `tracing-opentelemetry`: given to [`with_spans`](ObservabilityLayer::with_spans), since it begins with the request |
//! | `Metrics` (feature `metrics`) | counters and histograms of the `metrics` crate, with OpenTelemetry's names, units and buckets; its labels are bounded |
//! | [`JsonLines`] | lines of JSON, written by a thread of its own |
//! | [`Ring`] | the latest records, in memory |
//! | [`Background`] | another sink, called by a thread of its own |
//! | [`from_fn`] | a closure |
//!
//! Sinks cost records and never requests: one that panics loses that record, [`JsonLines`] and
//! [`Background`] lose what finds no place while they are busy or what cannot be written. Both is
//! counted: [`sink_panics`](ObservabilityLayer::sink_panics), [`JsonLines::dropped`],
//! [`Background::dropped`], and the metric `tower_bedrock.records.lost`. A warning of `tracing` says
//! so at once, and then once a minute at most, with the number and the reason.
//!
//! # Order
//! Outermost: only what is inside is seen. Of two, the outer one makes the record and the inner one
//! keeps still, which is logged once, for they are there by mistake: the next layer of this crate
//! inside of both refuses such requests, with 500 `StackMisordered`. A call to another path that a
//! handler makes with the extensions of the request that it serves is another request, and has a
//! record of its own.
//!
//! # Deployment caveats
//! Sinks are called where the request ends, so one that blocks holds up a server's task: put it into
//! [`Background`].
//! A server that refuses a request before any service sees it (a malformed request line, say)
//! leaves no record. Nor may one over HTTP/2 whose client closes the connection before the server has
//! given the request to a service, within milliseconds. A client of HTTP/1.1 that closes its side after
//! the request is gone for hyper, unless `half_close` is set there: it gets no answer, and the record
//! says `client_disconnect`.
//! [`JsonLines`] keeps the file that it has open: one that is given another name is written to until
//! [`JsonLines::reopen`] is called. One that was opened for appending may also be copied and then
//! truncated where it is (`copytruncate`). A server that
//! shuts down and cuts off what still runs drops its responses: their records say
//! `client_disconnect`.
//!
//! # Cancellation
//! Dropping the future, or the response, first drops what is inside and then leaves the record.
//! This works outside of a runtime too. With
//! [`with_drain`](ObservabilityLayer::with_drain) an answer whose client has left is read on for a
//! while first, so that the record tells what it cost.
//!
//! # Examples
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty, Full};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_bedrock::observe::{ObservabilityLayer, Outcome, Ring};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Stands in for Bedrock.
//! let bedrock = service_fn(|_: Request<Empty<Bytes>>| async {
//!     let answer = r#"{"stopReason":"end_turn","usage":{"inputTokens":11,"outputTokens":4}}"#;
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::from(answer)))
//! });
//!
//! // Records go to the log, by `tracing`.
//! let service = ObservabilityLayer::default().layer(bedrock);
//! let request = Request::post("/model/m%3A0/converse").body(Empty::new())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.headers()["cf-aig-log-id"].len(), 36);
//!
//! // Records are kept in memory.
//! let ring = Ring::new(1000);
//! let service = ObservabilityLayer::new().with_sink(ring.clone()).layer(bedrock);
//! let request = Request::post("/model/m%3A0/converse").body(Empty::new())?;
//! let response = service.oneshot(request).await?;
//! let id = response.headers()["cf-aig-log-id"].clone();
//! response.into_body().collect().await?;
//!
//! let record = ring.get(id.to_str()?).unwrap();
//! assert_eq!(record.outcome, Outcome::Complete);
//! assert_eq!(record.model.as_deref(), Some("m:0"));
//! assert_eq!((record.tokens_in, record.tokens_out), (Some(11), Some(4)));
//! # Ok(()) }
//! ```
//! A refusal inside leaves a record as well:
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_bedrock::auth::{BearerTokens, GatewayAuthLayer};
//! use tower_bedrock::observe::{ObservabilityLayer, Outcome, from_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let print = from_fn(|record| {
//!     println!("{}", serde_json::to_string(&**record).unwrap());
//!     assert_eq!((record.status_code, record.outcome), (Some(401), Outcome::Refused));
//! });
//! let service = ServiceBuilder::new()
//!     .layer(ObservabilityLayer::new().with_sink(print))
//!     .layer(GatewayAuthLayer::new(BearerTokens::new(["s3cret"])?))
//!     .service(service_fn(|_: Request<Empty<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
//!     }));
//! let response = service.oneshot(Request::new(Empty::new())).await?;
//! assert!(response.headers().contains_key("x-amzn-requestid"));
//! response.into_body().collect().await?;
//! # Ok(()) }
//! ```
//!
//! # Limitations
//! A compressed answer is not read: its tokens and its cost are `null`, but for what its headers
//! tell. Only `created_at` and the ids are by the clock of the system, which may be set back: all
//! times between are by one that never runs backwards. If a response is dropped after its last
//! byte, but before its body said that there is no more, this counts as `client_disconnect`,
//! unless the length was known.

mod asked;
mod bill;
mod body;
mod capture;
mod cost;
mod counts;
mod drain;
mod fill;
mod frames;
mod future;
mod grpc;
mod guard;
mod head;
mod ids;
mod ignored;
mod json;
mod judge;
mod known;
mod layer;
mod metadata;
mod observation;
mod payload;
mod place;
mod reader;
mod record;
mod scan;
mod settings;
mod sink;
mod spare;
mod sse;
mod tally;
mod trace;
#[cfg(feature = "compat")]
mod translated;
mod usage;
mod wanted;

#[cfg(test)]
mod recordings;

pub use self::body::ObservedBody;
pub use self::capture::{CaptureRequest, CaptureRequestLayer, CapturedBody};
pub use self::cost::{Cost, Price, Prices};
pub use self::drain::{Drain, LetGo};
pub use self::future::ResponseFuture;
pub use self::layer::{Observability, ObservabilityLayer};
pub use self::metadata::{Metadata, MetadataValue};
pub use self::payload::{Capture, Payload, Side};
pub use self::record::{Outcome, Record};
pub use self::sink::{Background, FromFn, JsonLines, Ring, Sink, Spans, Tracing, from_fn};
#[cfg(feature = "metrics")]
pub use self::sink::{MetricLabel, Metrics};
pub use self::trace::{SpanId, TraceId};
pub use self::usage::Usage;
