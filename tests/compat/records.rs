//! The record of a translated request tells what that of a native one does.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_bedrock::body::RequestBody;
use tower_bedrock::compat::OpenAiCompatLayer;
use tower_bedrock::eventstream;
use tower_bedrock::observe::{ObservabilityLayer, Outcome, Record, Ring};

use crate::support::post;

const MODEL: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const JSON: &str = "application/json";
const STREAM: &str = "application/vnd.amazon.eventstream";

/// Pieces that come some time after one another; the last may be a failure.
struct Pieces {
    pieces: std::vec::IntoIter<Option<Bytes>>,
    every: Duration,
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = Option<Bytes>>, every: Duration) -> Self {
        let pieces: Vec<_> = pieces.into_iter().collect();
        Self {
            pieces: pieces.into_iter(),
            every,
            wait: None,
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let every = self.every;
        let wait = self
            .wait
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
        if !every.is_zero() {
            std::task::ready!(wait.as_mut().poll(cx));
        }
        self.wait = None;
        let piece = self.pieces.next();
        Poll::Ready(piece.map(|piece| piece.map(Frame::data).ok_or("broken")))
    }
}

/// A request for a chat completion, answered so: the status, what the client gets, and the record.
async fn ask(
    layer: ObservabilityLayer,
    stream: bool,
    (status, content_type): (u16, &'static str),
    body: Pieces,
) -> (u16, String, Arc<Record>) {
    let ring = Ring::new(10);
    let answer = Arc::new(Mutex::new(Some(body)));
    let service = ServiceBuilder::new()
        .layer(layer.with_sink(ring.clone()))
        .layer(OpenAiCompatLayer::new().with_region("us-east-1").unwrap())
        .service(service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
            let response = Response::builder()
                .status(status)
                .header("content-type", content_type)
                .header("x-amzn-requestid", "aws-1");
            let body = answer.lock().unwrap().take().unwrap();
            std::future::ready(Ok::<_, Infallible>(response.body(body).unwrap()))
        }));
    let asked = json!({"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": stream});
    let request = post("/v1/acme/prod/compat/chat/completions")
        .header("cf-aig-metadata", r#"{"team":"a"}"#)
        .body(Full::from(asked.to_string()))
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let records = ring.snapshot();
    assert_eq!(records.len(), 1);
    (status, text, Arc::clone(&records[0]))
}

fn whole(text: &str) -> Pieces {
    let data = Bytes::copy_from_slice(text.as_bytes());
    Pieces::new([Some(data)], Duration::ZERO)
}

fn event(name: &str, payload: &Value) -> Option<Bytes> {
    Some(eventstream::event(name, payload.to_string().as_bytes()))
}

fn usage() -> Value {
    json!({"inputTokens": 11, "outputTokens": 5, "totalTokens": 116, "cacheReadInputTokens": 80, "cacheWriteInputTokens": 20,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 8}, {"ttl": "5m", "inputTokens": 12}]})
}

/// What a model adds that was asked for it.
fn details() -> Value {
    json!({"usage": {"output_tokens_details": {"thinking_tokens": 3}}})
}

fn converse(stop: &str) -> Value {
    json!({
        "metrics": {"latencyMs": 1830},
        "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
        "stopReason": stop,
        "usage": usage(),
        "serviceTier": {"type": "default"},
        "additionalModelResponseFields": details(),
    })
}

fn events(stop: &str) -> Vec<Option<Bytes>> {
    let text = |text: &str| json!({"contentBlockIndex": 0, "delta": {"text": text}});
    vec![
        event("messageStart", &json!({"role": "assistant"})),
        event("contentBlockDelta", &text("a")),
        event("contentBlockDelta", &text("b")),
        event("contentBlockDelta", &text("c")),
        event("contentBlockStop", &json!({"contentBlockIndex": 0})),
        event(
            "messageStop",
            &json!({"stopReason": stop, "additionalModelResponseFields": details()}),
        ),
        event(
            "metadata",
            &json!({"metrics": {"latencyMs": 1830}, "usage": usage(), "serviceTier": {"type": "default"}}),
        ),
    ]
}

/// In US dollars for 11 tokens in, 80 read, 12 written for five minutes and 8 for an hour, and 5
/// out.
const COST: f64 = (11.0 * 1.1 + 80.0 * 0.11 + 12.0 * 1.375 + 8.0 * 2.2 + 5.0 * 5.5) / 1e6;

#[tokio::test]
async fn everything_that_converse_tells() {
    for (stop, guardrail) in [
        ("end_turn", None),
        ("guardrail_intervened", Some("INTERVENED")),
    ] {
        for stream in [false, true] {
            let (content_type, body) = match stream {
                true => (STREAM, Pieces::new(events(stop), Duration::ZERO)),
                false => (JSON, whole(&converse(stop).to_string())),
            };
            let layer = ObservabilityLayer::new();
            let (status, text, record) = ask(layer, stream, (200, content_type), body).await;
            assert_eq!((status, record.status_code), (200, Some(200)), "{text}");
            assert_eq!((record.outcome, record.success), (Outcome::Complete, true));
            assert_eq!(record.is_stream, stream);
            assert_eq!(record.model.as_deref(), Some(MODEL));
            assert_eq!(record.region.as_deref(), Some("us-east-1"));
            assert_eq!(record.upstream_request_id.as_deref(), Some("aws-1"));
            assert_eq!(
                (record.tokens_in, record.tokens_input),
                (Some(111), Some(11))
            );
            assert_eq!(record.tokens_cache_read, Some(80));
            assert_eq!(record.tokens_cache_write, Some(20));
            assert_eq!(record.tokens_out, Some(5));
            assert_eq!(record.tokens_reasoning, Some(3));
            assert_eq!(record.bedrock_latency, Some(Duration::from_millis(1830)));
            assert_eq!(record.service_tier.as_deref(), Some("default"));
            assert_eq!(record.stop_reason.as_deref(), Some(stop));
            assert_eq!(record.guardrail_action.as_deref(), guardrail);
            assert_eq!(record.metadata.as_ref().unwrap().len(), 1);
            assert_eq!(record.response_size, Some(text.len() as u64));
            let json = serde_json::to_value(&*record).unwrap();
            let cost = json["cost"].as_f64().unwrap();
            assert!((cost - COST).abs() < 1e-12, "{cost} {COST}");
        }
    }
}

/// Answered at a price that nobody knows.
#[tokio::test]
async fn a_faster_answer() {
    for stream in [false, true] {
        let config = json!({"latency": "optimized"});
        let mut answer = converse("end_turn");
        answer["performanceConfig"] = config.clone();
        let mut frames = events("end_turn");
        let metadata = json!({"usage": usage(), "performanceConfig": config});
        *frames.last_mut().unwrap() = event("metadata", &metadata);
        let (content_type, body) = match stream {
            true => (STREAM, Pieces::new(frames, Duration::ZERO)),
            false => (JSON, whole(&answer.to_string())),
        };
        let answer = ask(ObservabilityLayer::new(), stream, (200, content_type), body);
        let (_, _, record) = answer.await;
        assert_eq!(record.latency_mode.as_deref(), Some("optimized"));
        assert_eq!((record.tokens_out, record.cost), (Some(5), None));
    }
}

#[tokio::test]
async fn the_head_says_what_it_cost() {
    let layer = ObservabilityLayer::new().with_usage_headers(100_000);
    let ring = Ring::new(1);
    let body = whole(&converse("end_turn").to_string());
    let (_, text, record) = ask(layer.with_sink(ring.clone()), false, (200, JSON), body).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["usage"]["prompt_tokens"], 111);
    assert_eq!(record.tokens_in, Some(111));
    assert_eq!(ring.len(), 1);
}

#[tokio::test]
async fn the_times_of_a_stream() {
    let every = Duration::from_millis(30);
    let body = Pieces::new(events("end_turn"), every);
    let (_, _, record) = ask(ObservabilityLayer::new(), true, (200, STREAM), body).await;
    let first_byte = record.time_to_first_byte.unwrap();
    let first_token = record.time_to_first_token.unwrap();
    let between = record.time_between_tokens.unwrap();
    // The role comes with the message's start, which is no word of the model's.
    assert!(first_byte >= every && first_token >= first_byte + every / 2);
    // From the second piece to the sixth, by two.
    assert!(between >= every * 3 / 2, "{between:?}");
    assert!(first_token + between * 2 < record.duration);

    // An answer that is not streamed has no such times.
    let body = whole(&converse("end_turn").to_string());
    let (_, _, record) = ask(ObservabilityLayer::new(), false, (200, JSON), body).await;
    assert!(record.time_to_first_byte.is_some());
    assert_eq!(record.time_to_first_token, None);
    assert_eq!(record.time_between_tokens, None);
}

/// What breaks off is told from what is wrong, whichever status the client gets.
#[tokio::test]
async fn answers_that_break_off() {
    let json = converse("end_turn").to_string();
    let half = json.get(..json.len() / 2).unwrap();
    let piece = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
    let frames = events("end_turn");
    let first = |count: usize| frames.iter().take(count).cloned();
    let none = Duration::ZERO;
    let cut = Some("the upstream's answer ended before it was complete");
    let exception = eventstream::exception("throttlingException", br#"{"message":"slow"}"#);
    for (name, stream, status, body, outcome, error) in [
        (
            "half an object",
            false,
            502,
            whole(half),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "a failure in an object",
            false,
            502,
            Pieces::new([piece(half), None], none),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "a failure at once",
            false,
            502,
            Pieces::new([None], none),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "no stream",
            true,
            502,
            Pieces::new([], none),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "a failure instead",
            true,
            502,
            Pieces::new([None], none),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "half a message",
            true,
            200,
            Pieces::new(first(3), none),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "a failure in a message",
            true,
            200,
            Pieces::new(first(3).chain([None]), none),
            Outcome::UpstreamCut,
            cut,
        ),
        (
            "no answer of Converse's",
            false,
            502,
            whole("{}"),
            Outcome::UpstreamError,
            Some("the model's service gave an answer that cannot be read"),
        ),
        (
            "no JSON",
            false,
            502,
            whole("<html>"),
            Outcome::UpstreamError,
            Some("the model's service gave an answer that cannot be read"),
        ),
        (
            "an exception",
            true,
            200,
            Pieces::new(first(3).chain([Some(exception)]), none),
            Outcome::UpstreamError,
            Some("throttlingException"),
        ),
    ] {
        let content_type = if stream { STREAM } else { JSON };
        let layer = ObservabilityLayer::new();
        let (seen, _, record) = ask(layer, stream, (200, content_type), body).await;
        assert_eq!((seen, record.status_code), (status, Some(status)), "{name}");
        assert_eq!(record.outcome, outcome, "{name}");
        assert_eq!(record.error.as_deref(), error, "{name}");
        assert!(!record.success && record.cost.is_none(), "{name}");
    }
}

/// As of a stream that is not translated.
#[tokio::test]
async fn streams_that_stop_short() {
    let frames = events("end_turn");
    let count = frames.len();
    let first = |count: usize| frames.iter().take(count).cloned();
    let none = Duration::ZERO;

    let body = Pieces::new(first(count - 1), none);
    let layer = ObservabilityLayer::new();
    let (status, text, record) = ask(layer, true, (200, STREAM), body).await;
    assert_eq!((status, record.tokens_in), (200, None));
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(record.outcome, Outcome::UpstreamCut);
    assert_eq!(record.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(record.bytes_unread, None);

    let mut bad = frames[2].clone().unwrap().to_vec();
    *bad.last_mut().unwrap() ^= 1;
    let length = bad.len() as u64;
    for and_more in [false, true] {
        // What comes in the same piece had come.
        let after = frames[3].clone().unwrap();
        let piece = [&bad[..], if and_more { &after[..] } else { &[] }].concat();
        let pieces = first(2).chain([Some(piece.into())]).chain(first(count));
        let ring = ObservabilityLayer::new();
        let seen = ring.clone();
        let (_, _, record) = ask(ring, true, (200, STREAM), Pieces::new(pieces, none)).await;
        let more = if and_more { after.len() as u64 } else { 0 };
        assert_eq!(record.outcome, Outcome::UpstreamError);
        assert_eq!(record.bytes_unread, Some(length + more));
        assert_eq!(seen.unread_streams(), 1);
    }
}

#[tokio::test]
async fn an_error_without_a_name_is_told_in_its_words() {
    for (status, body) in [
        (500, "oops"),
        (503, ""),
        (418, "{\"message\":\"short and stout\"}"),
    ] {
        let layer = ObservabilityLayer::new();
        let (_, text, record) = ask(layer, false, (status, JSON), whole(body)).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record.outcome, Outcome::UpstreamError);
        assert_eq!(record.error.as_deref(), answer["error"]["message"].as_str());
    }
}
