//! The emulator over real sockets, with requests signed by `aws-sigv4`.

#[path = "../support/mod.rs"]
mod support;

mod duplex;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::read_message_from;
use base64::Engine as _;
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tower_bedrock::emulator::{Emulator, EmulatorBuilder, Verdict};

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1%3A0";
const STREAM: &str = "application/vnd.amazon.eventstream";

fn builder() -> EmulatorBuilder {
    Emulator::builder()
        .credentials(ID, SECRET)
        .session_credentials("ASIAEXAMPLE", SECRET, "token/+=")
        .expired_credentials("ASIAEXPIRED", SECRET, "old")
        .api_key("bedrock-api-key-1")
}

async fn start(builder: EmulatorBuilder) -> Emulator {
    builder.start(([127, 0, 0, 1], 0).into()).await.unwrap()
}

async fn emulator() -> Emulator {
    start(builder()).await
}

/// A request body of Converse.
fn conversation(text: &str) -> Value {
    json!({
        "messages": [{ "role": "user", "content": [{ "text": text }] }],
        "inferenceConfig": { "maxTokens": 256 },
    })
}

/// A request body of InvokeModel, for any model.
fn prompt(text: &str) -> Value {
    json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 256,
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": text }] }],
    })
}

struct Call {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
    id: &'static str,
    token: Option<&'static str>,
    signed: bool,
    h2: bool,
}

/// What came back, as far as it came.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
    frames: usize,
    /// The transfer broke off.
    broken: bool,
}

impl Call {
    fn post(target: &str, body: impl ToString) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Self {
            method: Method::POST,
            target: target.to_owned(),
            headers,
            body: body.to_string().into(),
            id: ID,
            token: None,
            signed: true,
            h2: false,
        }
    }

    fn model(model: &str, operation: &str, body: impl ToString) -> Self {
        Self::post(&format!("/model/{model}/{operation}"), body)
    }

    fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            ..Self::post(target, "")
        }
    }

    fn key(self, id: &'static str, token: Option<&'static str>) -> Self {
        Self { id, token, ..self }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    fn unsigned(self) -> Self {
        Self {
            signed: false,
            ..self
        }
    }

    fn h2(self) -> Self {
        Self { h2: true, ..self }
    }

    fn sign(&mut self, host: &str) {
        self.sign_as(host, None);
    }

    /// Signs with this word in the place of the body's hash.
    fn sign_as(&mut self, host: &str, payload: Option<&str>) {
        let credentials =
            Credentials::new(self.id, SECRET, self.token.map(str::to_owned), None, "test");
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("bedrock")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .unwrap();
        if let Some(payload) = payload {
            let value = payload.parse().unwrap();
            self.headers.insert("x-amz-content-sha256", value);
        }
        let headers: Vec<(String, String)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .chain([("host".to_owned(), host.to_owned())])
            .collect();
        let signable = SignableRequest::new(
            self.method.as_str(),
            format!("http://{host}{}", self.target),
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            match payload {
                Some(payload) => SignableBody::Precomputed(payload.to_owned()),
                None => SignableBody::Bytes(&self.body),
            },
        )
        .unwrap();
        let (instructions, _) = sign(signable, &params.into()).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).unwrap();
            self.headers.insert(name, value.parse().unwrap());
        }
    }

    /// Signs as AWS SDK for JavaScript does over HTTP/2: `:authority` instead of `host`.
    fn sign_authority(mut self, host: &str) -> Self {
        let now = SystemTime::now();
        let date = httpdate(now);
        let hash = hex(&Sha256::digest(&self.body));
        let names = ":authority;content-type;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "{}\n{}\n\n:authority:{host}\ncontent-type:application/json\nx-amz-content-sha256:{hash}\nx-amz-date:{date}\n\n{names}\n{hash}",
            self.method,
            self.target.replace('%', "%25"),
        );
        let scope = format!("{}/us-east-1/bedrock/aws4_request", &date[..8]);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex(&Sha256::digest(canonical))
        );
        let key = v4::generate_signing_key(SECRET, now, "us-east-1", "bedrock");
        let signature = v4::calculate_signature(key, to_sign.as_bytes());
        self.signed = false;
        self.h2 = true;
        self.header("x-amz-date", &date)
            .header("x-amz-content-sha256", &hash)
            .header(
                "authorization",
                &format!("AWS4-HMAC-SHA256 Credential={ID}/{scope}, SignedHeaders={names}, Signature={signature}"),
            )
    }

    async fn send(mut self, emulator: &Emulator) -> Answer {
        let host = emulator.addr().to_string();
        if self.signed {
            self.sign(&host);
        }
        let stream = TcpStream::connect(emulator.addr()).await.unwrap();
        let uri = if self.h2 {
            format!("http://{host}{}", self.target)
        } else {
            self.target.clone()
        };
        let mut request = Request::builder()
            .method(self.method)
            .uri(uri)
            .body(Full::new(self.body))
            .unwrap();
        *request.headers_mut() = self.headers;
        let response = if self.h2 {
            let (mut client, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            client.send_request(request).await.unwrap()
        } else {
            request.headers_mut().insert("host", host.parse().unwrap());
            let (mut client, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            client.send_request(request).await.unwrap()
        };
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut frames, mut broken) = (Vec::new(), 0, false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
                    frames += 1;
                }
                Err(_) => {
                    broken = true;
                    break;
                }
            }
        }
        Answer {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body: bytes.into(),
            frames,
            broken,
        }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    #[track_caller]
    fn is_error(&self, status: u16, name: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let error_type = self.header("x-amzn-errortype");
        assert!(
            error_type.starts_with(&format!("{name}:http://internal.amazon.com/coral/")),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("x-amzn-requestid").len(), 36);
        assert!(self.header("date").ends_with(" GMT"), "{self:?}");
    }

    /// The events (`:event-type` or `:exception-type`, payload) up to the first frame that cannot be read.
    fn events(&self) -> (Vec<(String, Value)>, bool) {
        assert_eq!(self.header("content-type"), STREAM);
        let mut rest = self.body.clone();
        let mut events = Vec::new();
        while rest.has_remaining() {
            // The reader does not look for a whole message.
            let length = rest
                .get(..4)
                .map_or(usize::MAX, |length| (&length[..]).get_u32() as usize);
            if rest.len() < length {
                return (events, false);
            }
            let Ok(message) = read_message_from(&mut rest) else {
                return (events, false);
            };
            let name = message
                .headers()
                .iter()
                .find(|header| {
                    header.name().as_str().ends_with("-type")
                        && header.name().as_str() != ":content-type"
                })
                .unwrap();
            events.push((
                name.value().as_string().unwrap().as_str().to_owned(),
                serde_json::from_slice(message.payload()).unwrap(),
            ));
        }
        (events, true)
    }

    /// The inner events of an invoke stream.
    fn chunks(&self) -> Vec<Value> {
        let (events, whole) = self.events();
        assert!(whole);
        events
            .into_iter()
            .map(|(name, event)| {
                assert_eq!(name, "chunk");
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(event["bytes"].as_str().unwrap())
                    .unwrap();
                serde_json::from_slice(&bytes).unwrap()
            })
            .collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn httpdate(time: SystemTime) -> String {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    time::OffsetDateTime::from(time).format(format).unwrap()
}

#[tokio::test]
async fn operations_of_claude() {
    let emulator = emulator().await;
    let body = prompt("What is Cloudflare?");
    let text = "You said: \"What is Cloudflare?\" This is an emulated answer, so that is all there is to say about it.";

    let answer = Call::model(CLAUDE, "invoke", &body).send(&emulator).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-amzn-bedrock-input-token-count"), "3");
    assert_eq!(answer.header("x-amzn-bedrock-output-token-count"), "20");
    assert_eq!(answer.header("x-amzn-bedrock-invocation-latency"), "200");
    let message = answer.json();
    assert_eq!(message["content"][0]["text"], text);
    assert_eq!(message["model"], "claude-haiku-4-5-20251001");
    assert_eq!(message["usage"]["input_tokens"], 3);
    assert_eq!(message["stop_reason"], "end_turn");

    let answer = Call::model(CLAUDE, "invoke-with-response-stream", &body)
        .send(&emulator)
        .await;
    assert_eq!(
        answer.header("x-amzn-bedrock-content-type"),
        "application/json"
    );
    let chunks = answer.chunks();
    assert_eq!(chunks[0]["type"], "message_start");
    let streamed: String = chunks
        .iter()
        .filter_map(|chunk| chunk["delta"]["text"].as_str())
        .collect();
    assert_eq!(streamed, text);
    let metrics = &chunks.last().unwrap()["amazon-bedrock-invocationMetrics"];
    assert_eq!(
        (&metrics["inputTokenCount"], &metrics["outputTokenCount"]),
        (&json!(3), &json!(20))
    );
    assert!(chunks.len() > 10);

    let converse = conversation("What is Cloudflare?");
    let answer = Call::model(CLAUDE, "converse", &converse)
        .send(&emulator)
        .await;
    let message = answer.json();
    assert_eq!(message["output"]["message"]["content"][0]["text"], text);
    assert_eq!(
        message["usage"],
        json!({"inputTokens": 3, "outputTokens": 20, "totalTokens": 23})
    );

    let answer = Call::model(CLAUDE, "converse-stream", &converse)
        .send(&emulator)
        .await;
    let (events, whole) = answer.events();
    assert!(whole);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "messageStart");
    assert_eq!(names[names.len() - 2..], ["messageStop", "metadata"]);
    assert!(
        events
            .iter()
            .all(|(_, event)| event["p"].as_str().is_some_and(|p| p.starts_with('a')))
    );
    assert_eq!(events.last().unwrap().1["usage"]["totalTokens"], 23);
    let streamed: String = events
        .iter()
        .filter_map(|(_, event)| event["delta"]["text"].as_str())
        .collect();
    assert_eq!(streamed, text);

    let count = json!({ "input": { "converse": converse } });
    let answer = Call::model(CLAUDE, "count-tokens", &count)
        .send(&emulator)
        .await;
    assert_eq!(answer.json(), json!({ "inputTokens": 3 }));
    let inner = base64::engine::general_purpose::STANDARD.encode(body.to_string());
    let count = json!({ "input": { "invokeModel": { "body": inner } } });
    let answer = Call::model(CLAUDE, "count-tokens", &count)
        .send(&emulator)
        .await;
    assert_eq!(answer.json(), json!({ "inputTokens": 3 }));

    assert!(emulator.requests().iter().all(|request| request.accepted()));
    assert_eq!(emulator.aborted(), 0);
}

#[tokio::test]
async fn operations_of_other_models() {
    let emulator = emulator().await;
    let body = json!({ "messages": [{ "role": "user", "content": [{ "text": "one two" }] }] });
    let nova = "amazon.nova-lite-v1:0";
    let answer = Call::model(nova, "invoke", &body).send(&emulator).await;
    assert_eq!(answer.json()["usage"]["inputTokens"], 2, "{answer:?}");
    assert_eq!(
        answer.header("x-amzn-bedrock-cache-read-input-token-count"),
        "0"
    );
    let chunks = Call::model(nova, "invoke-with-response-stream", &body)
        .send(&emulator)
        .await
        .chunks();
    assert!(chunks[2]["contentBlockStop"].is_object());
    assert_eq!(
        chunks.last().unwrap()["metadata"]["usage"]["inputTokens"],
        2
    );
    assert_eq!(
        chunks.last().unwrap()["amazon-bedrock-invocationMetrics"]["inputTokenCount"],
        2
    );

    let body = json!({ "inputText": "one two three" });
    let answer = Call::model("amazon.titan-text-express-v1", "invoke", &body)
        .send(&emulator)
        .await;
    assert_eq!(answer.json()["inputTextTokenCount"], 3, "{answer:?}");
    let chunks = Call::model(
        "amazon.titan-text-express-v1",
        "invoke-with-response-stream",
        &body,
    )
    .send(&emulator)
    .await
    .chunks();
    assert_eq!(chunks.last().unwrap()["completionReason"], "FINISH");

    // An ARN hides the model: the body tells.
    let arn =
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc";
    let answer = Call::model(arn, "invoke", prompt("hi"))
        .send(&emulator)
        .await;
    assert_eq!(answer.json()["content"][0]["type"], "text");

    let chat = json!({ "model": "openai.gpt-oss-120b", "messages": [{ "role": "user", "content": "hi" }] });
    for path in ["/v1/chat/completions", "/openai/v1/chat/completions"] {
        let answer = Call::post(path, &chat).send(&emulator).await;
        assert_eq!(answer.json()["usage"]["prompt_tokens"], 1, "{answer:?}");
    }
    let mut streamed = chat.clone();
    streamed["stream"] = json!(true);
    let answer = Call::post("/v1/chat/completions", &streamed)
        .send(&emulator)
        .await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert!(answer.body.ends_with(b"data: [DONE]\n\n"));
    let mut message = prompt("hi");
    message["model"] = json!("anthropic.claude-haiku-4-5");
    let answer = Call::post("/anthropic/v1/messages", &message)
        .send(&emulator)
        .await;
    assert_eq!(answer.json()["type"], "message");
    let responses = json!({ "model": "openai.gpt-oss-120b", "input": "hi there" });
    let answer = Call::post("/openai/v1/responses", &responses)
        .send(&emulator)
        .await;
    assert_eq!(answer.json()["usage"]["input_tokens"], 2, "{answer:?}");
    let answer = Call::get("/foundation-models").send(&emulator).await;
    assert!(answer.json()["modelSummaries"].is_array());
}

/// Two calls in one streamed answer, then the answer to their results.
#[tokio::test]
async fn tools_over_the_wire() {
    let emulator = emulator().await;
    let tool = |name: &str, properties: Value| {
        let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
        let schema = json!({ "type": "object", "properties": properties, "required": required });
        json!({ "toolSpec": { "name": name, "inputSchema": { "json": schema } } })
    };
    let city = json!({ "city": { "type": "string" } });
    let mut body = conversation("Use get_weather and now in Paris");
    body["toolConfig"] = json!({ "tools": [tool("get_weather", city), tool("now", json!({}))] });
    let answer = Call::model(CLAUDE, "converse-stream", &body)
        .send(&emulator)
        .await;
    let (events, whole) = answer.events();
    assert!(whole);
    let mut content = Vec::new();
    for (name, event) in &events {
        let delta = &event["delta"];
        match &name[..] {
            "contentBlockStart" => content.push(event["start"].clone()),
            "contentBlockDelta" if delta["text"].is_string() => {
                if content.is_empty() {
                    content.push(json!({ "text": "" }));
                }
                let text = content[0]["text"].as_str().unwrap().to_owned();
                content[0]["text"] = json!(text + delta["text"].as_str().unwrap());
            }
            "contentBlockDelta" => {
                let input = &mut content.last_mut().unwrap()["toolUse"]["input"];
                let before = input.as_str().unwrap_or_default().to_owned();
                *input = json!(before + delta["toolUse"]["input"].as_str().unwrap());
            }
            "messageStop" => assert_eq!(event["stopReason"], "tool_use"),
            _ => {}
        }
    }
    assert_eq!(content.len(), 3, "{content:?}");
    for block in &mut content[1..] {
        let input = block["toolUse"]["input"].as_str().unwrap();
        let input = if input.is_empty() { "{}" } else { input };
        block["toolUse"]["input"] = serde_json::from_str(input).unwrap();
    }
    assert_eq!(content[1]["toolUse"]["input"], json!({ "city": "Paris" }));

    let result = |block: &Value, text: &str| {
        let id = &block["toolUse"]["toolUseId"];
        json!({ "toolResult": { "toolUseId": id, "content": [{ "text": text }] } })
    };
    let results = [result(&content[2], "noon"), result(&content[1], "sunny")];
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": content }));
    messages.push(json!({ "role": "user", "content": &results[..1] }));
    let answer = Call::model(CLAUDE, "converse", &body).send(&emulator).await;
    answer.is_error(400, "ValidationException");
    let id = content[1]["toolUse"]["toolUseId"].as_str().unwrap();
    assert_eq!(
        answer.message(),
        format!("Expected toolResult blocks at messages.2.content for the following Ids: {id}")
    );
    body["messages"][2]["content"] = json!(results);
    let answer = Call::model(CLAUDE, "converse", &body).send(&emulator).await;
    let message = answer.json();
    let text = &message["output"]["message"]["content"][0]["text"];
    assert_eq!(text, "The tools say: noon; sunny");
}

/// What Bedrock took, the emulator takes; what Bedrock refused for its content, the emulator
/// refuses in the same words.
#[tokio::test]
async fn recorded_conversations() {
    let Some(folder) = support::shared() else {
        return;
    };
    let emulator = start(Emulator::builder().verify_signatures(false)).await;
    let text = std::fs::read_to_string(folder.join("recordings/exchanges.jsonl")).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for line in text.lines() {
        let recording: Value = serde_json::from_str(line).unwrap();
        let (request, response) = (&recording["request"], &recording["response"]);
        let url = request["url"].as_str().unwrap();
        let Some((_, target)) = url
            .split_once("/model/")
            .filter(|_| url.contains("/converse"))
        else {
            continue;
        };
        // Some recorders left the body out, or broke it.
        let body = request["body"].as_str().unwrap_or_default();
        if serde_json::from_str::<Value>(body).is_err() {
            continue;
        }
        let status = response["status"].as_u64().unwrap();
        if ![200, 400].contains(&status) {
            continue;
        }
        let id = recording["id"].as_str().unwrap();
        let answer = Call::post(&format!("/model/{target}"), body)
            .unsigned()
            .send(&emulator)
            .await;
        if status == 400 {
            let said: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
            assert_eq!(said["message"], *answer.message(), "{id} {target}");
            refused += 1;
        } else if answer.status != 200 {
            let message = answer.message();
            let known = NOT_TAKEN
                .iter()
                .any(|(what, text)| id.starts_with(what) && message.contains(text));
            assert!(known, "{id} {target}: {message}");
        } else {
            taken += 1;
        }
    }
    assert!(taken > 260 && refused == 5, "{taken} {refused}");
}

/// Recordings that the emulator refuses although they were answered, and with what words.
const NOT_TAKEN: [(&str, &str); 4] = [
    // Signed by the real service, with a secret that is not ours.
    ("", "Invalid `signature` in `thinking` block"),
    ("", "Invalid `data` in `redacted_thinking` block"),
    // Written by hand: Claude 3 has no structured output.
    (
        "dd-trace-py-",
        "This model doesn't support the outputConfig.textFormat field.",
    ),
    // Outside the service model, but taken in 2025.
    ("pydantic-ai-0609", "Value 'video/mp4'"),
];

#[tokio::test]
async fn bad_requests() {
    let emulator = emulator().await;
    for (operation, body) in [
        ("converse", "no JSON".to_owned()),
        ("converse", "[]".to_owned()),
        ("converse", "{}".to_owned()),
        ("converse", json!({ "messages": [] }).to_string()),
        ("converse-stream", "{}".to_owned()),
        (
            "invoke",
            json!({ "messages": [{}], "max_tokens": 1 }).to_string(),
        ),
        ("invoke-with-response-stream", String::new()),
        ("count-tokens", "{}".to_owned()),
        (
            "count-tokens",
            json!({ "input": { "invokeModel": { "body": "!" } } }).to_string(),
        ),
    ] {
        let answer = Call::model(CLAUDE, operation, &body).send(&emulator).await;
        answer.is_error(400, "ValidationException");
    }
    let answer = Call::model("a%253A0", "converse", conversation("hi"))
        .send(&emulator)
        .await;
    answer.is_error(400, "ValidationException");
    assert_eq!(
        answer.message(),
        "The provided model identifier is invalid."
    );

    let unknown = json!({
        "Output": { "__type": "com.amazon.coral.service#UnknownOperationException" },
        "Version": "1.0",
    });
    let arn =
        "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.x/converse";
    for call in [
        Call::post(arn, conversation("hi")),
        Call::post("/model/x/unknown", "{}"),
        Call::get("/model/x/converse"),
        Call::get("/"),
    ] {
        let answer = call.send(&emulator).await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, unknown.clone())
        );
    }
}

#[tokio::test]
async fn credentials() {
    let emulator = emulator().await;
    let call = || Call::model(CLAUDE, "converse", conversation("hi"));
    assert_eq!(call().send(&emulator).await.status, 200);
    assert_eq!(
        call()
            .key("ASIAEXAMPLE", Some("token/+="))
            .send(&emulator)
            .await
            .status,
        200
    );
    let answer = call()
        .key("ASIAEXAMPLE", Some("other"))
        .send(&emulator)
        .await;
    answer.is_error(403, "UnrecognizedClientException");
    let answer = call().key("ASIAEXAMPLE", None).send(&emulator).await;
    answer.is_error(403, "UnrecognizedClientException");
    let answer = call().key("ASIAEXPIRED", Some("old")).send(&emulator).await;
    answer.is_error(403, "ExpiredTokenException");
    let answer = call().unsigned().send(&emulator).await;
    answer.is_error(403, "MissingAuthenticationTokenException");
    assert_eq!(
        answer.json(),
        json!({ "message": "Missing Authentication Token" })
    );
    let bearer = |key| call().unsigned().header("authorization", key);
    assert_eq!(
        bearer("Bearer bedrock-api-key-1")
            .send(&emulator)
            .await
            .status,
        200
    );
    let answer = bearer("Bearer other").send(&emulator).await;
    answer.is_error(403, "AccessDeniedException");
    let answer = bearer("AWS4-HMAC-SHA256 garbage").send(&emulator).await;
    answer.is_error(400, "IncompleteSignatureException");

    let verdicts: Vec<Verdict> = emulator
        .take_requests()
        .iter()
        .map(|request| request.verdict)
        .collect();
    assert_eq!(verdicts[0], Verdict::Accepted);
    assert_eq!(verdicts[2], Verdict::Refused("UnrecognizedClientException"));
    assert_eq!(verdicts.len(), 9);
    assert!(emulator.requests().is_empty());

    let lenient = start(Emulator::builder().verify_signatures(false)).await;
    assert_eq!(call().unsigned().send(&lenient).await.status, 200);
    let late = start(builder().clock(|| SystemTime::now() + Duration::from_secs(301))).await;
    let answer = call().send(&late).await;
    answer.is_error(403, "InvalidSignatureException");
    assert!(
        answer.message().starts_with("Signature expired: "),
        "{answer:?}"
    );
}

#[tokio::test]
async fn what_arrived_is_kept() {
    let emulator = emulator().await;
    let call = Call::post(
        "/v1/chat/completions?a=1&b=%2b+x&a=2&c",
        "{\"model\":\"x\",\"messages\":[]}",
    )
    .header("cf-aig-authorization", "Bearer gateway-token")
    .header("x-forwarded-for", "10.0.0.1");
    let answer = call.send(&emulator).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let [request] = &emulator.requests()[..] else {
        panic!()
    };
    assert_eq!(request.target, "/v1/chat/completions?a=1&b=%2b+x&a=2&c");
    assert_eq!(request.path(), "/v1/chat/completions");
    assert_eq!(request.query(), Some("a=1&b=%2b+x&a=2&c"));
    assert_eq!(request.version, Version::HTTP_11);
    assert_eq!(request.header("x-forwarded-for"), Some("10.0.0.1"));
    assert_eq!(
        request.header("cf-aig-authorization"),
        Some("Bearer gateway-token")
    );
    assert_eq!(request.body, "{\"model\":\"x\",\"messages\":[]}");
    assert_eq!(request.body_len, 27);
    let debug = format!("{request:?} {emulator:?} {:?}", builder());
    for secret in [
        "gateway-token",
        "Signature",
        SECRET,
        "bedrock-api-key",
        "token/+=",
    ] {
        assert!(!debug.contains(secret), "{secret} in {debug}");
    }

    let large = Call::model(CLAUDE, "converse", conversation(&"word ".repeat(400_000)));
    let length = large.body.len();
    let answer = large.send(&emulator).await;
    assert_eq!(answer.json()["usage"]["inputTokens"], 400_000);
    let request = &emulator.requests()[1];
    assert_eq!(
        (request.body.len(), request.body_len),
        (1024 * 1024, length as u64)
    );
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let emulator = emulator().await;
    let host = emulator.addr().to_string();
    let answer = Call::model(CLAUDE, "converse-stream", conversation("hi"))
        .h2()
        .send(&emulator)
        .await;
    assert_eq!(
        (answer.status, answer.version),
        (StatusCode::OK, Version::HTTP_2),
        "{answer:?}"
    );
    assert!(answer.events().1);
    let answer = Call::model(CLAUDE, "converse", conversation("hi"))
        .sign_authority(&host)
        .send(&emulator)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = Call::model(CLAUDE, "converse", conversation("hi"))
        .sign_authority("127.0.0.1:1")
        .send(&emulator)
        .await;
    answer.is_error(403, "InvalidSignatureException");
    let answer = Call::model(
        "us.anthropic.fault.cut",
        "converse-stream",
        conversation("hi"),
    )
    .h2()
    .send(&emulator)
    .await;
    assert!(answer.broken);
    let requests = emulator.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.version == Version::HTTP_2)
    );
    assert_eq!(requests[0].authority.as_deref(), Some(&host[..]));
}

#[tokio::test]
async fn chunked_and_old_requests() {
    let emulator = start(Emulator::builder().verify_signatures(false)).await;
    let body = conversation("hi").to_string();
    let (first, second) = body.split_at(10);
    let chunked = format!(
        "POST /model/{CLAUDE}/converse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len(),
    );
    let old = format!(
        "POST /model/{CLAUDE}/converse HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for raw in [chunked, old] {
        let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
        stream.write_all(raw.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(" 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\"inputTokens\":1"), "{answer}");
    }
    assert_eq!(emulator.requests()[1].version, Version::HTTP_10);
}

/// Waits for the counter, which moves when the server has noticed.
async fn aborted(emulator: &Emulator, wanted: u64) {
    let seen = timeout(Duration::from_secs(5), async {
        while emulator.aborted() < wanted {
            sleep(Duration::from_millis(10)).await;
        }
    });
    seen.await
        .unwrap_or_else(|_| panic!("{} instead of {wanted}", emulator.aborted()));
}

#[tokio::test]
async fn peers_that_leave_are_counted() {
    let emulator = start(Emulator::builder().verify_signatures(false)).await;
    // In the middle of the request.
    let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
    stream
        .write_all(
            b"POST /model/x/converse HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"mess",
        )
        .await
        .unwrap();
    sleep(Duration::from_millis(50)).await;
    drop(stream);
    aborted(&emulator, 1).await;
    let [request] = &emulator.requests()[..] else {
        panic!()
    };
    assert_eq!(
        (request.verdict, request.body_len),
        (Verdict::Incomplete, 6)
    );
    // Before the answer, after its head, between frames; over both protocols.
    let mut wanted = 1;
    for fault in [
        "fault.never",
        "fault.hang-body",
        "fault.slow-frames-1000",
        "fault.slow-first-byte-9000",
    ] {
        for h2 in [false, true] {
            let mut call = Call::model(fault, "converse-stream", conversation("hi")).unsigned();
            call.h2 = h2;
            let left = timeout(Duration::from_millis(300), call.send(&emulator)).await;
            assert!(left.is_err(), "{fault}");
            wanted += 1;
            aborted(&emulator, wanted).await;
        }
    }
}

#[tokio::test]
async fn faults_instead_of_an_answer() {
    let emulator = emulator().await;
    let call = |fault: &str| {
        Call::model(
            &format!("us.anthropic.fault.{fault}"),
            "converse",
            conversation("hi"),
        )
    };
    for wanted in [429, 429, 200, 200] {
        assert_eq!(call("throttle-2").send(&emulator).await.status, wanted);
    }
    call("throttle-1")
        .send(&emulator)
        .await
        .is_error(429, "ThrottlingException");
    for (fault, status, name) in [
        ("error-400", 400, "ValidationException"),
        ("error-403", 403, "AccessDeniedException"),
        ("error-404", 404, "ResourceNotFoundException"),
        ("error-408", 408, "ModelTimeoutException"),
        ("error-424", 424, "ModelErrorException"),
        ("error-429", 429, "ThrottlingException"),
        ("error-500", 500, "InternalServerException"),
        ("error-503", 503, "ServiceUnavailableException"),
        ("error-quota", 400, "ServiceQuotaExceededException"),
        ("error-not-ready", 429, "ModelNotReadyException"),
        ("expired", 403, "ExpiredTokenException"),
        ("exception-first", 400, "ValidationException"),
        ("exception-mid", 424, "ModelErrorException"),
        ("misspelt", 400, "ValidationException"),
    ] {
        call(fault).send(&emulator).await.is_error(status, name);
    }
    let answer = call("unknown-operation").send(&emulator).await;
    assert_eq!(answer.status, 200);
    assert!(answer.json()["Output"]["__type"].is_string());
    let begin = Instant::now();
    assert_eq!(
        call("slow-first-byte-200").send(&emulator).await.status,
        200
    );
    assert!(begin.elapsed() >= Duration::from_millis(200));
    let answer = call("cut").send(&emulator).await;
    assert!(answer.broken && !answer.body.is_empty(), "{answer:?}");
    let answer = call("large-100000").send(&emulator).await;
    assert_eq!(
        answer.json()["output"]["message"]["content"][0]["text"]
            .as_str()
            .unwrap()
            .len(),
        100_000
    );
    assert_eq!(emulator.aborted(), 0);
}

#[tokio::test]
async fn faults_of_streams() {
    let emulator = emulator().await;
    for (operation, body) in [
        ("converse-stream", conversation("hi")),
        ("invoke-with-response-stream", prompt("hi")),
    ] {
        let call = |fault: &str| {
            let call = Call::model(&format!("us.anthropic.fault.{fault}"), operation, &body);
            let emulator = emulator.clone();
            async move { call.send(&emulator).await }
        };
        let good = Call::model(CLAUDE, operation, &body).send(&emulator).await;
        let total = good.events().0.len();
        let check = |answer: &Answer, wanted: usize, last: &str, readable: bool, broken: bool| {
            let (events, whole) = answer.events();
            assert_eq!(answer.status, 200);
            assert_eq!(
                (events.len(), whole, answer.broken),
                (wanted, readable, broken),
                "{last}"
            );
            assert!(
                last.is_empty() || events.last().unwrap().0 == last,
                "{last}"
            );
        };
        let half = total / 2;
        check(
            &call("exception-first").await,
            1,
            "validationException",
            true,
            false,
        );
        check(
            &call("exception-mid").await,
            half + 1,
            "modelStreamErrorException",
            true,
            false,
        );
        check(&call("no-message-stop").await, total - 2, "", true, false);
        check(&call("bad-crc").await, half, "", false, false);
        check(&call("oversized-frame").await, half, "", false, false);
        check(&call("cut").await, half, "", false, true);
        let begin = Instant::now();
        check(&call("slow-frames-5").await, total, "", true, false);
        assert!(begin.elapsed() >= Duration::from_millis(5 * (total as u64 - 1)));
        let large = call("large-1000000").await;
        assert!(large.body.len() > 1_000_000 && large.events().1);
        let id = format!("fault.{operation}-fault.throttle-1");
        let throttled = Call::model(&id, operation, &body).send(&emulator).await;
        throttled.is_error(429, "ThrottlingException");
        call("error-500")
            .await
            .is_error(500, "InternalServerException");
    }
    // Frames travel one by one.
    let answer = Call::model(CLAUDE, "converse-stream", conversation("hi"))
        .send(&emulator)
        .await;
    assert!(answer.frames > 5, "{}", answer.frames);
}

#[tokio::test]
async fn shutdown_and_drop_close_the_port() {
    let emulator = emulator().await;
    let address: SocketAddr = emulator.addr();
    let hanging = tokio::spawn({
        let emulator = emulator.clone();
        async move {
            Call::model("fault.hang-body", "converse", conversation("hi"))
                .send(&emulator)
                .await
        }
    });
    sleep(Duration::from_millis(100)).await;
    timeout(Duration::from_secs(3), emulator.shutdown())
        .await
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert!(hanging.await.unwrap().broken);

    let address = {
        let dropped = start(builder()).await;
        dropped.addr()
    };
    let closed = timeout(Duration::from_secs(3), async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    });
    closed.await.unwrap();
}

fn recordings() -> Option<PathBuf> {
    let shared = std::env::var_os("TOWER_BEDROCK_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let file = shared.join("recordings/exchanges.jsonl");
    if file.exists() {
        return Some(file);
    }
    assert!(
        std::env::var("TOWER_BEDROCK_REQUIRE_SHARED").as_deref() != Ok("1"),
        "{} is missing",
        file.display()
    );
    println!("skipped: {} is missing", file.display());
    None
}

#[tokio::test]
async fn recordings_are_replayed() {
    let Some(file) = recordings() else { return };
    let text = std::fs::read_to_string(&file).unwrap();
    let builder = || Emulator::builder().verify_signatures(false);
    let emulator = start(builder().replay(&file).unwrap()).await;
    let chunked = start(builder().replay(&file).unwrap().chunk_size(7)).await;
    let mut streams = 0;
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let id = entry["id"].as_str().unwrap();
        let (request, response) = (&entry["request"], &entry["response"]);
        let url = request["url"].as_str().unwrap();
        let target = &url["https://".len()..];
        let target = &target[target.find('/').unwrap()..];
        let mut call = Call::post(target, request["body"].as_str().unwrap_or_default()).unsigned();
        call.method = request["method"].as_str().unwrap().parse().unwrap();
        if request["body"].is_null() {
            call = call.header("x-replay-id", id);
        }
        let answer = call.send(&emulator).await;
        assert_eq!(
            u64::from(answer.status.as_u16()),
            response["status"].as_u64().unwrap(),
            "{id}"
        );
        for header in response["headers"].as_array().unwrap() {
            let name = header[0].as_str().unwrap().to_ascii_lowercase();
            if !["connection", "transfer-encoding", "content-length"].contains(&&name[..]) {
                assert!(
                    answer
                        .headers
                        .get_all(&name)
                        .iter()
                        .any(|value| value == header[1].as_str().unwrap()),
                    "{id} {name}: {answer:?}"
                );
            }
        }
        let digest = entry["response_sha256"].as_str().unwrap();
        assert_eq!(hex(&Sha256::digest(&answer.body)), digest, "{id}");
        if streams < 20 && answer.header("content-type") == STREAM {
            streams += 1;
            let call = Call::post("/", "").unsigned().header("x-replay-id", id);
            let pieces = call.send(&chunked).await;
            assert_eq!(pieces.body, answer.body, "{id}");
            assert!(
                pieces.frames > answer.body.len() / 70,
                "{id}: {}",
                pieces.frames
            );
        }
    }
    assert!(streams > 0);
    for call in [
        Call::post("/", "").unsigned().header("x-replay-id", "none"),
        Call::model(CLAUDE, "converse", "{}").unsigned(),
    ] {
        call.send(&emulator)
            .await
            .is_error(404, "ResourceNotFoundException");
    }
}

#[tokio::test]
async fn equal_requests_take_their_recordings_in_turn() {
    let file =
        std::env::temp_dir().join(format!("tower-bedrock-replay-{}.jsonl", std::process::id()));
    let line = |id: &str, body: &str| {
        json!({
            "id": id,
            "request": {
                "method": "POST",
                "url": "https://bedrock-runtime.us-east-1.amazonaws.com/model/a%3A0/converse",
                "headers": [],
                "body": "{\"a\": 1, \"b\": [2]}",
            },
            "response": { "status": 200, "headers": [["Date", "Tue, 22 Jul 2025 20:54:50 GMT"]], "body": body },
        })
    };
    let sha = hex(&Sha256::digest("not kept"));
    let mut omitted = line("omitted", "omitted");
    omitted["request"]["body"].take();
    omitted["request"]["body_omitted"] = json!({ "len": 8, "sha256": sha });
    let text = format!(
        "{}\n{}\n\n{omitted}\n",
        line("first", "1"),
        line("second", "2")
    );
    std::fs::write(&file, text).unwrap();
    let emulator = start(
        Emulator::builder()
            .verify_signatures(false)
            .replay(&file)
            .unwrap(),
    )
    .await;
    for wanted in ["1", "2", "1"] {
        let call = Call::model("a:0", "converse", "{\"b\":[2],\"a\":1}").unsigned();
        let answer = call.send(&emulator).await;
        assert_eq!(answer.body, wanted);
        assert_eq!(answer.header("date"), "Tue, 22 Jul 2025 20:54:50 GMT");
    }
    let answer = Call::model("a:0", "converse", "not kept")
        .unsigned()
        .send(&emulator)
        .await;
    assert_eq!(answer.body, "omitted");
    std::fs::write(&file, "{}\n").unwrap();
    let error = Emulator::builder().replay(&file).unwrap_err().to_string();
    assert!(error.contains("line 1: no request.method"), "{error}");
    std::fs::remove_file(&file).unwrap();
    assert!(Emulator::builder().replay(&file).is_err());
}
