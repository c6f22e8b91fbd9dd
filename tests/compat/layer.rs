//! The layer: what goes in and comes out of it, alone and in a whole gateway.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_bedrock::body::{RequestBody, ResponseBody, UpstreamBody};
use tower_bedrock::compat::{CompatBody, OpenAiCompatLayer};
use tower_bedrock::credentials::Credentials;
use tower_bedrock::eventstream;
use tower_bedrock::observe::Outcome;
use tower_bedrock::sign::SigV4SigningLayer;
use tower_bedrock::upstream::{HyperClient, UpstreamLayer};
use tower_bedrock::{
    ClientCredentials, Context, Dialect, ModelAlias, Policy, Rejection, RejectionKind,
};

use crate::support::{KEY, MODEL, Stack, client_signed, emulator, eventually, post, stack};

const CHAT: &str = "/v1/acme/prod/compat/chat/completions";

fn chat(model: &str, stream: bool) -> Value {
    json!({
        "model": format!("aws-bedrock/{model}"),
        "messages": [{"role": "user", "content": "Hello there"}],
        "stream": stream,
    })
}

fn request(path: &str, body: &Value) -> Request<Full<Bytes>> {
    post(path).body(Full::from(body.to_string())).unwrap()
}

async fn ask(stack: &Stack, body: &Value) -> (Parts, String) {
    let (head, body) = stack.send(request(CHAT, body)).await;
    (head, String::from_utf8(body.to_vec()).unwrap())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The `data` of each event but the last, and whether that was `[DONE]`.
fn events(text: &str) -> (Vec<Value>, bool) {
    let mut data: Vec<&str> = text
        .split_terminator("\n\n")
        .filter(|event| !event.starts_with(':'))
        .map(|event| event.strip_prefix("data: ").expect("an event of data"))
        .collect();
    let done = data.pop_if(|last| *last == "[DONE]").is_some();
    (data.into_iter().map(parsed).collect(), done)
}

fn content(chunks: &[Value]) -> String {
    let deltas = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    deltas.collect()
}

#[tokio::test]
async fn a_chat_completion() {
    let stack = stack().await;
    let asked = json!({
        "model": format!("aws-bedrock/{MODEL}"),
        "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hello there"}],
        "max_tokens": 100,
        "seed": 7,
        "user": "u",
    });
    let (head, text) = ask(&stack, &asked).await;
    assert_eq!(head.status, 200, "{text}");
    assert_eq!(head.headers["content-type"], "application/json");
    assert_eq!(head.headers["x-bedrock-dropped-params"], "seed, user");
    assert_eq!(head.headers["x-request-id"], head.headers["cf-aig-log-id"]);
    let answer = parsed(&text);
    let upstream = head.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(answer["id"], format!("chatcmpl-{upstream}"));
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], asked["model"]);
    let choice = &answer["choices"][0];
    let said = choice["message"]["content"].as_str().unwrap();
    assert!(said.starts_with("You said: \"Hello there\""), "{said}");
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(answer["usage"]["prompt_tokens"], 4);

    let [seen] = <[_; 1]>::try_from(stack.emulator.take_requests()).unwrap();
    let path = format!("/model/{}/converse", MODEL.replace(':', "%3A"));
    assert_eq!(seen.path(), path);
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(
        body,
        json!({
            "messages": [{"role": "user", "content": [{"text": "Hello there"}]}],
            "system": [{"text": "Be brief"}],
            "inferenceConfig": {"maxTokens": 100},
        })
    );

    let record = stack.record();
    assert_eq!(record.path, CHAT);
    assert_eq!(record.model.as_deref(), Some(MODEL));
    assert_eq!(record.region.as_deref(), Some("us-east-1"));
    assert_eq!(record.operation, Some("Converse"));
    assert_eq!(record.outcome, Outcome::Complete);
    assert!(record.success);
    assert_eq!(record.request_size, Some(asked.to_string().len() as u64));
    assert_eq!(
        (record.tokens_in, record.tokens_out),
        (Some(4), answer["usage"]["completion_tokens"].as_u64())
    );
    assert_eq!(record.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(record.upstream_request_id.as_deref(), Some(upstream));
    assert_eq!(record.attempts, Some(1));
    assert_eq!(record.credentials_id.as_deref(), Some(KEY.0));
}

#[tokio::test]
async fn a_stream_of_chunks() {
    let stack = stack().await;
    let mut asked = chat(MODEL, true);
    let (head, text) = ask(&stack, &asked).await;
    assert_eq!(head.status, 200);
    assert_eq!(
        head.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(head.headers["cache-control"], "no-cache");
    assert!(!head.headers.contains_key("x-amzn-bedrock-content-type"));
    let (chunks, done) = events(&text);
    assert!(done, "{text}");
    assert!(content(&chunks).starts_with("You said: \"Hello there\""));
    assert_eq!(
        chunks.last().unwrap()["choices"][0]["finish_reason"],
        "stop"
    );
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
    assert!(chunks.iter().all(|chunk| chunk["usage"].is_null()));
    // The record has the usage that the client did not ask for.
    let record = stack.record();
    assert_eq!(record.operation, Some("ConverseStream"));
    assert_eq!((record.tokens_in, record.tokens_out), (Some(2), Some(19)));
    assert_eq!((record.outcome, record.success), (Outcome::Complete, true));
    assert!(record.time_to_first_token.is_some());

    asked["stream_options"] = json!({"include_usage": true});
    let (_, text) = ask(&stack, &asked).await;
    let (chunks, _) = events(&text);
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 2);
}

/// The faults of a model, what its caller sees of them, and what the record says.
#[tokio::test]
async fn errors_of_bedrock() {
    for (fault, status, kind, code, outcome) in [
        (
            // "The provided model identifier is invalid."
            "error-400",
            404,
            "invalid_request_error",
            json!("model_not_found"),
            "ValidationException",
        ),
        (
            "error-403",
            403,
            "permission_error",
            json!("model_access_denied"),
            "AccessDeniedException",
        ),
        (
            "error-404",
            404,
            "invalid_request_error",
            json!("model_not_found"),
            "ResourceNotFoundException",
        ),
        (
            "error-408",
            504,
            "api_error",
            json!("timeout"),
            "ModelTimeoutException",
        ),
        (
            "error-424",
            502,
            "api_error",
            json!("model_error"),
            "ModelErrorException",
        ),
        (
            "error-429",
            429,
            "rate_limit_error",
            json!("rate_limit_exceeded"),
            "ThrottlingException",
        ),
        (
            "quota",
            429,
            "insufficient_quota",
            json!("insufficient_quota"),
            "ServiceQuotaExceededException",
        ),
        (
            "not-ready",
            503,
            "api_error",
            json!("model_not_ready"),
            "ModelNotReadyException",
        ),
        (
            "error-500",
            500,
            "api_error",
            json!("server_error"),
            "InternalServerException",
        ),
        (
            "error-503",
            503,
            "api_error",
            json!("service_unavailable"),
            "ServiceUnavailableException",
        ),
        (
            "unknown-operation",
            404,
            "invalid_request_error",
            json!("model_not_found"),
            "UnknownOperationException",
        ),
    ] {
        let fault = match fault {
            "quota" | "not-ready" => format!("error-{fault}"),
            _ => fault.to_owned(),
        };
        for stream in [false, true] {
            let stack = stack().await;
            let mut asked = chat(&format!("us.anthropic.fault.{fault}"), stream);
            asked["seed"] = json!(1);
            let (head, text) = ask(&stack, &asked).await;
            assert_eq!(head.headers["x-bedrock-dropped-params"], "seed");
            assert_eq!(head.status, status, "{fault} {text}");
            assert_eq!(head.headers["content-type"], "application/json");
            let error = &parsed(&text)["error"];
            assert_eq!(
                (&error["type"], &error["code"]),
                (&json!(kind), &code),
                "{fault}"
            );
            assert!(error["param"].is_null());
            assert!(
                error["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
            assert!(!head.headers.contains_key("x-amzn-errortype"));
            let is_final = matches!(status, 400 | 403 | 404) || fault == "error-quota";
            assert_eq!(
                head.headers.contains_key("x-should-retry"),
                is_final,
                "{fault}"
            );
            let record = stack.record();
            assert_eq!(record.outcome, Outcome::UpstreamError);
            assert_eq!(record.error.as_deref(), Some(outcome), "{fault}");
            assert_eq!(record.status_code, Some(status));
            assert_eq!(record.tokens_out, None);
        }
    }
}

#[tokio::test]
async fn streams_that_end_badly() {
    for (fault, code, outcome) in [
        ("exception-mid", "model_error", Outcome::UpstreamError),
        ("cut", "upstream_error", Outcome::UpstreamCut),
        ("no-message-stop", "upstream_error", Outcome::UpstreamCut),
        ("bad-crc", "upstream_error", Outcome::UpstreamError),
        ("oversized-frame", "upstream_error", Outcome::UpstreamError),
    ] {
        let stack = stack().await;
        let mut asked = chat(&format!("us.anthropic.fault.{fault}"), true);
        asked["stream_options"] = json!({"include_usage": true});
        let (head, text) = ask(&stack, &asked).await;
        assert_eq!(head.status, 200, "{fault}");
        let (mut chunks, done) = events(&text);
        assert!(!done, "{fault}: {text}");
        let error = chunks.pop().unwrap();
        assert_eq!(error["error"]["code"], code, "{fault} {error}");
        assert_eq!(error["error"]["type"], "api_error", "{fault}");
        assert!(!content(&chunks).is_empty());
        for chunk in &chunks {
            assert!(chunk["choices"][0]["finish_reason"].is_null(), "{fault}");
            assert!(chunk["usage"].is_null(), "{fault}");
        }
        let record = stack.record();
        assert_eq!(record.outcome, outcome, "{fault} {record:?}");
        assert!(!record.success);
        assert!(record.error.is_some(), "{fault}");
        assert_eq!(record.tokens_out, None, "{fault}");
    }
}

#[tokio::test]
async fn an_exception_instead_of_a_stream_is_an_http_error() {
    let stack = stack().await;
    let (head, text) = ask(&stack, &chat("us.anthropic.fault.exception-first", true)).await;
    assert_eq!(head.status, 400, "{text}");
    assert_eq!(head.headers["content-type"], "application/json");
    assert_eq!(parsed(&text)["error"]["type"], "invalid_request_error");
    assert_eq!(stack.record().error.as_deref(), Some("validationException"));
}

#[tokio::test]
async fn what_the_caller_has_to_change() {
    let stack = stack().await;
    let long = "x".repeat(33 << 20);
    let good = chat(MODEL, false).to_string();
    let gpt = good.replace(&format!("aws-bedrock/{MODEL}"), "gpt-4o");
    for (headers, body, status, code, param) in [
        (&[][..], "", 400, "invalid_json", Value::Null),
        (&[], "{", 400, "invalid_json", Value::Null),
        (&[], "[]", 400, "invalid_type", Value::Null),
        (&[], "{}", 400, "missing_required_parameter", json!("model")),
        (&[], &gpt, 404, "model_not_found", json!("model")),
        (&[], &long, 413, "body_too_large", Value::Null),
        (
            &[("content-encoding", "br")],
            &good,
            415,
            "unsupported_encoding",
            Value::Null,
        ),
        (
            &[("content-encoding", "gzip")],
            &good,
            400,
            "invalid_body",
            Value::Null,
        ),
        (
            &[("cf-aig-byok-alias", "none")],
            &good,
            400,
            "byok_alias",
            Value::Null,
        ),
        (
            &[("authorization", "Basic YTpi")],
            &good,
            400,
            "client_credentials",
            Value::Null,
        ),
        (
            &[("cf-aig-byok-alias", "expired")],
            &good,
            502,
            "upstream_auth_error",
            Value::Null,
        ),
    ] {
        let mut request = post(CHAT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let (head, text) = stack.send(request).await;
        let error = &serde_json::from_slice::<Value>(&text).unwrap()["error"];
        let found = (head.status.as_u16(), &error["code"], &error["param"]);
        assert_eq!(found, (status, &json!(code), &param), "{headers:?} {error}");
        if status == 502 {
            assert_eq!(head.headers["x-should-retry"], "false");
        }
        let records = stack.records.snapshot();
        let record = &records[0];
        let upstream = status == 502;
        let outcome = if upstream {
            Outcome::UpstreamError
        } else {
            Outcome::Refused
        };
        assert_eq!(
            (record.status_code, record.outcome),
            (Some(status), outcome)
        );
    }
}

/// Compressed, and in pieces.
#[tokio::test]
async fn a_compressed_request() {
    use flate2::{Compression, write::GzEncoder};

    let stack = stack().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    io::Write::write_all(&mut encoder, chat(MODEL, false).to_string().as_bytes()).unwrap();
    let compressed = Bytes::from(encoder.finish().unwrap());
    let pieces = compressed.chunks(7).map(Bytes::copy_from_slice);
    let body = tower_bedrock::body::Buffered::from_iter(pieces);
    let request = post(CHAT).header("content-encoding", "gzip");
    let response = stack.gateway.clone().oneshot(request.body(body).unwrap());
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&text).contains("Hello there"));
    let [seen] = <[_; 1]>::try_from(stack.emulator.take_requests()).unwrap();
    assert!(!seen.headers.contains_key("content-encoding"));
    assert_eq!(stack.record().request_size, Some(compressed.len() as u64));
}

#[tokio::test]
async fn the_callers_own_credentials() {
    let stack = stack().await;
    let body = chat(MODEL, false);
    let bare = "/v1/acme/bare/compat/chat/completions";
    let with = |path, authorization: &str| {
        let mut request = request(path, &body);
        let value = authorization.parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    };
    // A Bedrock API key, in the region of the stored key.
    let api_key = format!("Bearer {}", crate::support::API_KEY);
    let (head, _) = stack.send(with(CHAT, &api_key)).await;
    assert_eq!(head.status, 200);
    let seen = stack.emulator.take_requests();
    assert_eq!(seen[0].headers["authorization"], api_key);
    // One that AWS does not know is the caller's to mend.
    let (head, body) = stack.send(with(CHAT, "Bearer sk-unknown")).await;
    let text = String::from_utf8_lossy(&body);
    assert_eq!(head.status, 401, "{text}");
    assert!(text.contains("invalid_api_key"), "{text}");
    // No stored key says a region.
    let (head, body) = stack.send(with(bare, &api_key)).await;
    let text = String::from_utf8_lossy(&body);
    assert_eq!(
        (head.status.as_u16(), text.contains("no_credentials")),
        (400, true),
        "{text}"
    );
    // A signature cannot cover what is made of the request.
    let signed = client_signed(
        "https://bedrock-runtime.us-east-1.amazonaws.com/x",
        "{}",
        &HeaderMap::new(),
    )
    .await;
    let (head, body) = stack
        .send(with(CHAT, signed["authorization"].to_str().unwrap()))
        .await;
    let text = String::from_utf8_lossy(&body);
    assert_eq!(
        (head.status.as_u16(), text.contains("client_credentials")),
        (400, true),
        "{text}"
    );
}

#[tokio::test]
async fn names_of_models() {
    use tower_bedrock::auth::{GatewayTokens, Gateways};
    use tower_bedrock::credentials::{StoredKey, StoredKeys};

    let emulator = emulator().await;
    let alias = |model| ModelAlias::new(model).unwrap();
    let policy = Policy::new()
        .with_model_alias("mini", alias(MODEL))
        .and_then(|policy| policy.with_model_alias("other", alias("amazon.nova-lite-v1:0")))
        .unwrap()
        .with_models(["us.anthropic.*"]);
    let tokens = GatewayTokens::new("acme", "prod").unwrap();
    let tokens = tokens.with_token("good").unwrap().with_policy(policy);
    let key = StoredKey::new(Credentials::new(KEY.0, KEY.1).unwrap(), "us-east-1").unwrap();
    let gateway = tower_bedrock::Gateway::builder()
        .authenticate(Gateways::new().with_gateway(tokens).unwrap())
        .credentials(
            StoredKeys::new()
                .with_key("acme", "prod", "default", key)
                .unwrap(),
        )
        .endpoint(&emulator.url())
        .unwrap()
        .build()
        .unwrap();
    let send = async |model: &str| {
        let mut body = chat("", false);
        body["model"] = json!(model);
        let (head, body) = crate::support::send(&gateway, request(CHAT, &body)).await;
        (
            head.status.as_u16(),
            serde_json::from_slice::<Value>(&body).unwrap(),
        )
    };
    for name in ["mini", "aws-bedrock/mini", MODEL] {
        let (status, answer) = send(name).await;
        assert_eq!((status, &answer["model"]), (200, &json!(name)), "{answer}");
    }
    // What the gateway does not allow is not allowed under another name either.
    let (status, answer) = send("other").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (403, &json!("not_allowed"))
    );

    let list = Request::get("/v1/acme/prod/compat/models/").header("authorization", "Bearer good");
    let list = list.body(Full::<Bytes>::default()).unwrap();
    let (head, body) = crate::support::send(&gateway, list).await;
    assert_eq!(head.status, 200);
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap(),
        json!({"object": "list", "data": [
            {"id": "mini", "object": "model", "created": 0, "owned_by": "anthropic"},
        ]})
    );
}

/// A body that is fed by the test.
#[derive(Clone, Default)]
struct Fed(Arc<Mutex<Feed>>);

#[derive(Default)]
struct Feed {
    pieces: VecDeque<Option<Bytes>>,
    waker: Option<std::task::Waker>,
    dropped: bool,
}

impl Fed {
    fn feed(&self, piece: impl Into<Option<Bytes>>) {
        let mut feed = self.0.lock().unwrap();
        feed.pieces.push_back(piece.into());
        if let Some(waker) = feed.waker.take() {
            waker.wake();
        }
    }
}

struct FedBody(Fed);

impl Body for FedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut feed = self.0.0.lock().unwrap();
        match feed.pieces.pop_front() {
            Some(piece) => Poll::Ready(piece.map(|piece| Ok(Frame::data(piece)))),
            None => {
                feed.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for FedBody {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().dropped = true;
    }
}

fn layer() -> OpenAiCompatLayer {
    OpenAiCompatLayer::new().with_region("us-east-1").unwrap()
}

fn stream_of(fed: &Fed) -> Response<FedBody> {
    Response::builder()
        .header("content-type", "application/vnd.amazon.eventstream")
        .header("x-amzn-requestid", "r-1")
        .body(FedBody(fed.clone()))
        .unwrap()
}

fn start() -> Bytes {
    eventstream::event("messageStart", br#"{"role":"assistant","p":"ab"}"#)
}

fn delta(text: &str) -> Bytes {
    let event = json!({"contentBlockIndex": 0, "delta": {"text": text}, "p": "abc"});
    eventstream::event("contentBlockDelta", event.to_string().as_bytes())
}

/// Asks a layer whose inner service answers with what is fed.
fn streaming(
    layer: OpenAiCompatLayer,
    fed: &Fed,
) -> impl Future<Output = Response<CompatBody<FedBody>>> + use<> {
    let fed = fed.clone();
    let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
        std::future::ready(Ok::<_, Infallible>(stream_of(&fed)))
    });
    let request = request(CHAT, &chat(MODEL, true));
    async move { layer.layer(inner).oneshot(request).await.unwrap() }
}

#[tokio::test(start_paused = true)]
async fn each_frame_is_sent_on_before_the_next() {
    let fed = Fed::default();
    let answer = tokio::spawn(streaming(layer().with_keep_alive(None), &fed));
    let second = Duration::from_secs(1);
    tokio::time::sleep(second).await;
    assert!(
        !answer.is_finished(),
        "the head was given before anything was known"
    );
    // Half a frame is not yet anything.
    let first = start();
    fed.feed(first.slice(..20));
    tokio::time::sleep(second).await;
    assert!(!answer.is_finished());
    fed.feed(first.slice(20..));
    let mut body = answer.await.unwrap().into_body();
    let text = async |body: &mut CompatBody<FedBody>| {
        let frame = BodyExt::frame(body);
        let frame = tokio::time::timeout(second, frame).await;
        frame.ok().map(|frame| {
            let data = frame.expect("no more").unwrap().into_data().unwrap();
            String::from_utf8(data.to_vec()).unwrap()
        })
    };
    assert!(
        text(&mut body)
            .await
            .unwrap()
            .contains("\"role\":\"assistant\"")
    );
    for word in ["one ", "two"] {
        assert_eq!(text(&mut body).await, None);
        fed.feed(delta(word));
        assert!(text(&mut body).await.unwrap().contains(word));
    }
    // What has come at once goes on at once.
    fed.feed(Bytes::from([delta("a"), delta("b")].concat()));
    assert_eq!(events(&text(&mut body).await.unwrap()).0.len(), 2);
    drop(body);
    assert!(fed.0.lock().unwrap().dropped);
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_comments() {
    let fed = Fed::default();
    fed.feed(start());
    let every = Duration::from_secs(15);
    let mut body = streaming(layer(), &fed).await.into_body();
    body.frame().await.unwrap().unwrap();
    for _ in 0..3 {
        let begun = tokio::time::Instant::now();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), ": keep-alive\n\n");
        assert_eq!(begun.elapsed(), every);
    }
    // News puts the next comment off.
    let wait = Duration::from_secs(10);
    tokio::time::timeout(wait, body.frame()).await.unwrap_err();
    fed.feed(delta("word"));
    assert!(
        body.frame()
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap()
            .starts_with(b"data: {")
    );
    tokio::time::timeout(wait, body.frame()).await.unwrap_err();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        ": keep-alive\n\n"
    );
}

/// Wherever the network splits a stream, the same text comes of it.
#[tokio::test]
async fn splits_make_no_difference() {
    let stop = eventstream::event("messageStop", br#"{"stopReason":"end_turn"}"#);
    let exception = eventstream::exception("throttlingException", br#"{"message":"slow down"}"#);
    let good = [start(), delta("one "), delta("two"), stop].concat();
    let bad = [start(), delta("one "), exception].concat();
    for wire in [good, bad] {
        let mut first: Option<String> = None;
        for at in 1..wire.len() {
            let fed = Fed::default();
            let (head, tail) = wire.split_at(at);
            fed.feed(Bytes::copy_from_slice(head));
            fed.feed(Bytes::copy_from_slice(tail));
            fed.feed(None);
            let response = streaming(layer(), &fed).await;
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let (chunks, _) = events(&text);
            let created = chunks[0]["created"].to_string();
            let text = text.replace(&created, "0");
            assert_eq!(*first.get_or_insert(text.clone()), text, "split at {at}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves() {
    let stack = stack().await;
    let asked = chat("us.anthropic.fault.slow-frames-50", true);
    let response = stack
        .gateway
        .clone()
        .oneshot(request(CHAT, &asked))
        .await
        .unwrap();
    let mut body = response.into_body();
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    let record = stack.record();
    assert_eq!(record.outcome, Outcome::ClientDisconnect);
    assert_eq!(record.tokens_out, None);
    let emulator = &stack.emulator;
    eventually("the upstream is let go", || emulator.aborted() == 1).await;
}

/// Answers that are none.
#[tokio::test]
async fn answers_that_are_not_what_was_asked_for() {
    let types = [
        "application/json",
        "text/html",
        "application/vnd.amazon.eventstream",
    ];
    for stream in [false, true] {
        for content_type in types {
            for body in ["", "{}", "<html>", "{\"output\":{}}", "{\"output\":null}"] {
                let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
                    let response = Response::builder().header("content-type", content_type);
                    let response = response.header("content-length", body.len());
                    let response = response.body(Full::<Bytes>::from(body)).unwrap();
                    std::future::ready(Ok::<_, Infallible>(response))
                });
                let request = request(CHAT, &chat(MODEL, stream));
                let response = layer().layer(inner).oneshot(request).await.unwrap();
                let case = format!("{stream} {content_type} {body}");
                assert_eq!(response.status(), 502, "{case}");
                assert!(!response.headers().contains_key("content-length"), "{case}");
                let text = response.into_body().collect().await.unwrap().to_bytes();
                let text = String::from_utf8(text.to_vec()).unwrap();
                assert_eq!(parsed(&text)["error"]["type"], "api_error", "{case}");
                assert!(!text.contains("<html>"), "{text}");
            }
        }
    }
}

/// Panics if it is called without having been polled ready: a clone starts anew.
struct Picky {
    ready: bool,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Clone for Picky {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            calls: Arc::clone(&self.calls),
        }
    }
}

impl<B> Service<Request<B>> for Picky {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "called without being ready"
        );
        let context = Context::get(request.extensions()).unwrap();
        assert!(context.route().is_some());
        self.calls.lock().unwrap().push(request.uri().to_string());
        // It does not know whose language the caller speaks.
        let refusal = Rejection::new(RejectionKind::RateLimited, "later");
        let mut response: Response<ResponseBody<Full<Bytes>>> =
            refusal.into_response(Dialect::Envelope);
        response
            .headers_mut()
            .insert("x-mine", "1".parse().unwrap());
        std::future::ready(Ok(response.map(|_| Full::from("refused inside"))))
    }
}

#[tokio::test]
async fn calls_the_instance_that_was_polled_and_translates_refusals() {
    let picky = Picky {
        ready: false,
        calls: Arc::default(),
    };
    let mut service = layer().layer(picky);
    for model in [
        "a.b",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x",
    ] {
        let request = request(CHAT, &chat(model, true));
        let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service).await;
        let response = ready.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["x-mine"], "1");
        assert!(response.headers().contains_key("x-request-id"));
        assert!(!response.headers().contains_key("x-amzn-errortype"));
        assert!(response.extensions().get::<Rejection>().is_some());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let error = &serde_json::from_slice::<Value>(&body).unwrap()["error"];
        assert_eq!(error["code"], "rate_limit_exceeded");
    }
    assert_eq!(
        *service.get_ref().calls.lock().unwrap(),
        [
            "/model/a.b/converse-stream",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fx/converse-stream",
        ]
    );
}

/// Without auth and rewriting: the layer, signing, and a client.
#[tokio::test]
async fn alone_around_a_signing_client() {
    let emulator = emulator().await;
    let credentials = Credentials::new(KEY.0, KEY.1).unwrap();
    // The token is the gateway's that there is not.
    let ignore = Policy::new().with_client_credentials(ClientCredentials::Ignore);
    let sign = SigV4SigningLayer::new(credentials).with_region("us-east-1");
    let sign = sign.with_policy(ignore.clone());
    let client = UpstreamLayer::new().layer(HyperClient::new());
    let client = client.map_request(|request: Request<UpstreamBody>| request);
    let signing =
        sign.layer(client.map_request(|request: Request<_>| request.map(UpstreamBody::from)));
    let layer = layer()
        .with_origin(&emulator.url())
        .unwrap()
        .with_policy(ignore);
    let layer = layer.with_forwarded_header("x-mine".parse().unwrap());
    let service = layer.layer(signing);
    let mut request = Request::post(CHAT);
    for name in [
        "authorization",
        "cf-aig-metadata",
        "connection",
        "cookie",
        "x-api-key",
        "x-forwarded-for",
        "x-hop",
        "x-stainless-lang",
    ] {
        request = request.header(name, "Bearer x-hop");
    }
    let request = request.header("host", "gateway.test");
    let request = request.header("user-agent", "OpenAI/Python");
    let request = request.header("x-mine", "1");
    let body = Full::<Bytes>::from(chat(MODEL, false).to_string());
    let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("cf-aig-log-id"));
    let [seen] = <[_; 1]>::try_from(emulator.take_requests()).unwrap();
    let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "authorization",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "x-amz-date",
            "x-mine"
        ]
    );
    assert_eq!(seen.headers["host"], emulator.addr().to_string());
    assert_eq!(
        response.headers()["x-request-id"],
        response.headers()["x-amzn-requestid"]
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("Hello there"));

    for wrong in [
        "",
        "bedrock.test",
        "https://",
        "ftp://a.b",
        "https://a.b/c",
        "/x",
    ] {
        assert!(
            OpenAiCompatLayer::new().with_origin(wrong).is_err(),
            "{wrong}"
        );
    }
    assert!(OpenAiCompatLayer::new().with_region("mars-1").is_err());
}

/// Asks a layer whose inner service answers with these headers and this body.
async fn answered<R>(
    layer: OpenAiCompatLayer,
    model: &str,
    stream: bool,
    headers: &[(&'static str, &str)],
    body: R,
) -> Response<CompatBody<R>>
where
    R: Body<Data = Bytes> + Unpin + Clone + Send + 'static,
{
    let mut response = Response::new(body);
    for (name, value) in headers {
        let value = value.parse().unwrap();
        response.headers_mut().append(*name, value);
    }
    let (head, body) = response.into_parts();
    let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
        let response = Response::from_parts(head.clone(), body.clone());
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let request = request(CHAT, &chat(model, stream));
    layer.layer(inner).oneshot(request).await.unwrap()
}

async fn text<R: Body<Data = Bytes> + Unpin>(response: Response<CompatBody<R>>) -> String
where
    R::Error: std::fmt::Debug,
{
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json");
const HELLO: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":1,"outputTokens":2,"totalTokens":3}}"#;

#[tokio::test]
async fn policies_hold_alone() {
    for policy in [
        Policy::new().with_models(["amazon.*"]),
        Policy::new().with_operations(["InvokeModel"]).unwrap(),
        Policy::new().with_regions(["eu-west-1"]).unwrap(),
    ] {
        let layer = layer().with_policy(policy);
        let response = answered(layer, MODEL, false, &[JSON], Full::from(HELLO)).await;
        assert_eq!(response.status(), 403);
        assert!(text(response).await.contains("not_allowed"));
    }
}

/// An answer of any length within the limit, however it comes; what is said of another.
#[tokio::test]
async fn the_limit_of_answers() {
    let length = HELLO.len();
    for size in [1, 7, length] {
        let pieces = || {
            let pieces = HELLO.as_bytes().chunks(size).map(Bytes::copy_from_slice);
            tower_bedrock::body::Buffered::from_iter(pieces)
        };
        let layer = layer().with_body_limit(1000);
        let exact = layer.clone().with_answer_limit(length);
        let response = answered(exact, MODEL, false, &[JSON], pieces()).await;
        assert_eq!(response.status(), 200);
        let short = layer.with_answer_limit(length - 1);
        let response = answered(short, MODEL, false, &[JSON], pieces()).await;
        assert_eq!(response.status(), 502);
        let said = text(response).await;
        assert!(said.contains(&format!("{} bytes", length - 1)), "{said}");
    }
}

#[tokio::test]
async fn a_request_within_the_limit_may_grow() {
    let stack = crate::support::stack_with(|builder| builder.body_limit(1000)).await;
    let messages: Vec<Value> = (0..20)
        .map(|_| json!({"role": "user", "content": "ab"}))
        .collect();
    let mut asked = chat(MODEL, false);
    asked["messages"] = json!(messages);
    let short = asked.to_string().len();
    assert!(short < 1000);
    let (head, text) = ask(&stack, &asked).await;
    assert_eq!(head.status, 200, "{text}");
    asked["user"] = json!("x".repeat(1000 - short));
    assert!(asked.to_string().len() > 1000);
    let (head, _) = ask(&stack, &asked).await;
    assert_eq!(head.status, 413);
}

/// Answers that break off before anything of them could be given.
#[tokio::test]
async fn cut_answers() {
    for (fault, stream) in [("cut", false), ("hang-body", false), ("hang-body", true)] {
        let stack = crate::support::stack_with(|builder| {
            builder.timeouts(tower_bedrock::Timeouts {
                idle: Some(Duration::from_millis(300)),
                ..Default::default()
            })
        })
        .await;
        let model = format!("us.anthropic.fault.{fault}");
        let (head, text) = ask(&stack, &chat(&model, stream)).await;
        assert_eq!(head.status, 502, "{fault}");
        assert_eq!(parsed(&text)["error"]["code"], "upstream_error");
        let record = stack.record();
        assert_eq!(record.outcome, Outcome::UpstreamCut, "{fault} {stream}");
        let why = match fault {
            "cut" => "the upstream's answer ended before it was complete",
            _ => "the upstream fell silent for 300 ms amid its answer",
        };
        assert_eq!(record.error.as_deref(), Some(why));
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let get = |path: &str| Request::get(path).body(Full::<Bytes>::default()).unwrap();
    let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let service = layer().layer(inner);
    for (request, status) in [
        (get("/v1/a/g/compat/models"), 200),
        (get(CHAT), 405),
        (request(CHAT, &json!([])), 400),
        (request(CHAT, &chat(MODEL, false)), 502),
    ] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(!response.headers()["x-request-id"].is_empty(), "{status}");
    }
    let own = [
        JSON,
        ("x-amzn-requestid", "a b"),
        ("x-request-id", "theirs"),
    ];
    let response = answered(layer(), MODEL, false, &own, Full::from(HELLO)).await;
    assert_eq!(response.headers()["x-request-id"], "a b");
    let answer = parsed(&text(response).await);
    let id = answer["id"].as_str().unwrap();
    assert!(!id.contains(' ') && id.len() > "chatcmpl-".len(), "{id}");
}

/// What `Connection` names stays here, and what the request needs must not be named; a body is not
/// encoded for the way to here.
#[tokio::test]
async fn connection_of_the_client() {
    let stack = stack().await;
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = request(CHAT, &chat(MODEL, false));
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let (head, body) = stack.send(request).await;
        (
            head.status.as_u16(),
            String::from_utf8(body.to_vec()).unwrap(),
        )
    };
    let named = [
        ("connection", "close, user-agent, Anthropic-Beta"),
        ("user-agent", "mine"),
        ("anthropic-beta", "x"),
    ];
    assert_eq!(ask(&named).await.0, 200);
    let [seen] = <[_; 1]>::try_from(stack.emulator.take_requests()).unwrap();
    assert!(!seen.headers.contains_key("anthropic-beta"));
    assert!(
        seen.headers
            .get("user-agent")
            .is_none_or(|agent| agent != "mine")
    );
    for (name, value, status) in [
        ("connection", "host", 400),
        ("connection", "close, x-amz-date", 400),
        ("connection", "cf-aig-byok-alias", 400),
        ("transfer-encoding", "gzip, chunked", 415),
    ] {
        let (told, text) = ask(&[(name, value)]).await;
        assert_eq!(told, status, "{name}: {value}: {text}");
        assert!(
            parsed(&text)["error"]["message"]
                .as_str()
                .unwrap()
                .contains(name)
        );
    }
    assert!(stack.emulator.take_requests().is_empty());
}

/// What is between the upstream and us stays there.
#[tokio::test]
async fn heads_of_answers() {
    let headers = [
        JSON,
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("etag", "x"),
        ("location", "https://elsewhere.test"),
        ("set-cookie", "a=b"),
        ("retry-after", "7"),
        ("x-amzn-requestid", "r-1"),
        ("x-mine", "1"),
    ];
    let response = answered(layer(), MODEL, false, &headers, Full::from(HELLO)).await;
    let mut names: Vec<_> = response
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["content-type", "x-amzn-requestid", "x-mine", "x-request-id"]
    );
    assert_eq!(
        response.body().size_hint().exact(),
        Some(text(response).await.len() as u64)
    );
}

/// A stream that came in one piece has not ended before its text was given, and what it told is
/// in the record even if the client has left.
#[tokio::test]
async fn a_stream_in_one_piece() {
    use tower_bedrock::observe::{ObservabilityLayer, Ring};

    let usage = br#"{"usage":{"inputTokens":3,"outputTokens":4,"totalTokens":7}}"#;
    let stop = eventstream::event("messageStop", br#"{"stopReason":"end_turn"}"#);
    let metadata = eventstream::event("metadata", usage);
    let wire = Bytes::from([start(), delta("one"), stop, metadata].concat());
    for is_read in [true, false] {
        let fed = Fed::default();
        fed.feed(wire.clone());
        if is_read {
            fed.feed(None);
        }
        let inner = service_fn({
            let fed = fed.clone();
            move |_: Request<RequestBody<Full<Bytes>>>| {
                std::future::ready(Ok::<_, Infallible>(stream_of(&fed)))
            }
        });
        let ring = Ring::new(10);
        let observe = ObservabilityLayer::new().with_sink(ring.clone());
        let service = observe.layer(layer().layer(inner));
        let response = service
            .oneshot(request(CHAT, &chat(MODEL, true)))
            .await
            .unwrap();
        let mut body = response.into_body();
        assert!(!body.is_end_stream());
        if is_read {
            let text = body.collect().await.unwrap().to_bytes();
            assert!(text.ends_with(b"data: [DONE]\n\n"));
        } else {
            body.frame().await.unwrap().unwrap();
            drop(body);
        }
        let [record] = <[_; 1]>::try_from(ring.snapshot()).unwrap();
        assert_eq!((record.tokens_in, record.tokens_out), (Some(3), Some(4)));
        let outcome = if is_read {
            Outcome::Complete
        } else {
            Outcome::ClientDisconnect
        };
        assert_eq!(record.outcome, outcome);
    }
}

/// A client that waits for `100 Continue` is not asked for a body that is refused for its length,
/// and is heard out once it was asked.
#[tokio::test]
async fn a_client_that_waits_to_continue() {
    let inner = service_fn(|_: Request<RequestBody<FedBody>>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())))
    });
    let fed = Fed::default();
    fed.feed(Bytes::from_static(b"not JSON at all"));
    fed.feed(Bytes::from_static(b"more of it"));
    let service = layer().with_body_limit(20).layer(inner);
    let request = Request::post(CHAT).header("expect", "100-continue");
    let answer = service.oneshot(request.body(FedBody(fed.clone())).unwrap());
    let answer = tokio::spawn(answer);
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Over the limit: the rest is read away before the answer is given.
    assert!(!answer.is_finished());
    fed.feed(None);
    assert_eq!(answer.await.unwrap().unwrap().status(), 413);
}
