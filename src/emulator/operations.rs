//! The operations: which one a path names, and what it answers.

use base64::Engine as _;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::answer::{Answer, Content};
use super::canonical::{self, Plus};
use super::converse::{Accepted, Memory};
use super::native::Native;
use super::prompt::Prompt;
use super::refusal::Refusal;
use super::reply::Reply;
use super::{claude, converse, nova};
use crate::eventstream;

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE64: base64::engine::GeneralPurpose = base64::engine::general_purpose::STANDARD;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Converse,
    ConverseStream,
    Invoke,
    InvokeStream,
    CountTokens,
    Bidirectional,
}

/// What a request line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/model/{id}/{operation}`; the id is one segment, decoded once.
    Model(String, Operation),
    Native(Native),
    FoundationModels,
    Unknown,
}

impl Target {
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        if let (&Method::POST, Some((id, operation))) = (method, model(path)) {
            let operation = match operation {
                "converse" => Operation::Converse,
                "converse-stream" => Operation::ConverseStream,
                "invoke" => Operation::Invoke,
                "invoke-with-response-stream" => Operation::InvokeStream,
                "count-tokens" => Operation::CountTokens,
                "invoke-with-bidirectional-stream" => Operation::Bidirectional,
                _ => return Self::Unknown,
            };
            return Self::Model(id, operation);
        }
        match (method, Native::at(path)) {
            (&Method::POST, Some(native)) => Self::Native(native),
            (&Method::GET, None) if path == "/foundation-models" => Self::FoundationModels,
            _ => Self::Unknown,
        }
    }

    /// The model that the request is about.
    pub(super) fn model<'a>(&'a self, body: &'a Value) -> &'a str {
        match self {
            Self::Model(id, _) => id,
            Self::Native(_) => body["model"].as_str().unwrap_or_default(),
            Self::FoundationModels | Self::Unknown => "",
        }
    }

    /// The answer. `large` replaces the text by one of so many bytes.
    pub(super) fn answer(
        &self,
        memory: &Memory,
        body: &[u8],
        large: Option<usize>,
    ) -> Result<Answer, Refusal> {
        if *self == Self::Unknown {
            return Ok(Answer::unknown_operation());
        }
        if *self == Self::FoundationModels {
            return Ok(foundation_models());
        }
        let body: Value = serde_json::from_slice(body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| {
                Refusal::validation(
                    "Malformed input request, please reformat your input and try again.",
                )
            })?;
        let reply = || {
            let reply = Reply::to(&body);
            match large {
                Some(bytes) => reply.enlarged(bytes),
                None => reply,
            }
        };
        match self {
            Self::Model(id, operation) => {
                if !valid_id(id) {
                    return Err(Refusal::validation(
                        "The provided model identifier is invalid.",
                    ));
                }
                operation.check(id, &body)?;
                Ok(match operation {
                    Operation::CountTokens => {
                        Answer::json(&json!({ "inputTokens": counted(&body)? }))
                    }
                    Operation::Converse => {
                        let request = converse::accept(id, &body, false, memory)?;
                        Answer::json(&request.message(large))
                    }
                    Operation::ConverseStream => {
                        let request = converse::accept(id, &body, true, memory)?;
                        converse_stream(&request, large)
                    }
                    Operation::Invoke => invoke(id, &body, &reply()),
                    Operation::InvokeStream => invoke_stream(id, &body, &reply()),
                    // Answered message by message, not here.
                    Operation::Bidirectional => Answer::unknown_operation(),
                })
            }
            Self::Native(native) => {
                native.check(&body)?;
                Ok(native.answer(self.model(&body), &body, &reply()))
            }
            Self::FoundationModels | Self::Unknown => Ok(Answer::unknown_operation()),
        }
    }
}

/// The shape of the opaque bodies of InvokeModel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Claude,
    Nova,
    Titan,
}

impl Family {
    /// By the id, or by the body where an ARN hides the model.
    fn of(id: &str, body: &Value) -> Self {
        if id.contains("anthropic") || !body["anthropic_version"].is_null() {
            Self::Claude
        } else if id.contains("nova") || body["messages"].is_array() {
            Self::Nova
        } else {
            Self::Titan
        }
    }
}

impl Operation {
    fn check(self, id: &str, body: &Value) -> Result<(), Refusal> {
        let required: &[&str] = match self {
            Self::Converse | Self::ConverseStream if id.contains(":prompt/") => &[],
            Self::Converse | Self::ConverseStream => &["messages"],
            Self::CountTokens => &["input"],
            Self::Bidirectional => &[],
            Self::Invoke | Self::InvokeStream => match Family::of(id, body) {
                Family::Claude => &["anthropic_version", "max_tokens", "messages"],
                Family::Nova => &["messages"],
                Family::Titan => &[],
            },
        };
        for key in required {
            if body[*key].is_null() {
                return Err(Refusal::validation(&format!(
                    "Malformed input request: #: required key [{key}] not found, please reformat your input and try again."
                )));
            }
        }
        let whole = matches!(self, Self::Invoke | Self::InvokeStream);
        if whole
            && required.contains(&"messages")
            && body["messages"].as_array().is_none_or(Vec::is_empty)
        {
            return Err(Refusal::validation(
                "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
            ));
        }
        Ok(())
    }
}

fn converse_stream(request: &Accepted<'_>, large: Option<usize>) -> Answer {
    let events = request.events(large).into_iter().enumerate();
    let frames = events.map(|(index, (name, event))| event_frame(name, event, index));
    stream(frames.collect(), 2)
}

fn invoke(id: &str, body: &Value, reply: &Reply) -> Answer {
    let family = Family::of(id, body);
    let message = match family {
        Family::Claude => claude::message(id, reply),
        Family::Nova => nova::message(reply),
        Family::Titan => nova::titan(reply),
    };
    let answer = Answer::json(&message)
        .with("x-amzn-bedrock-invocation-latency", reply.latency())
        .with("x-amzn-bedrock-input-token-count", reply.input)
        .with("x-amzn-bedrock-output-token-count", reply.output);
    if family == Family::Titan {
        return answer;
    }
    answer
        .with("x-amzn-bedrock-cache-read-input-token-count", 0)
        .with("x-amzn-bedrock-cache-write-input-token-count", 0)
}

fn invoke_stream(id: &str, body: &Value, reply: &Reply) -> Answer {
    let family = Family::of(id, body);
    let (mut events, closing) = match family {
        Family::Claude => (claude::events(id, reply), 2),
        Family::Nova => (nova::events(reply), 2),
        Family::Titan => (nova::titan_events(reply), 1),
    };
    if let Some(last) = events.last_mut() {
        last["amazon-bedrock-invocationMetrics"] = metrics(reply, family);
    }
    let events = events.iter().enumerate();
    let frames = events.map(|(index, event)| {
        let bytes = BASE64.encode(event.to_string());
        event_frame("chunk", json!({ "bytes": bytes }), index)
    });
    stream(frames.collect(), closing).with("x-amzn-bedrock-content-type", "application/json")
}

/// The id and the operation of `/model/{id}/{operation}`.
fn model(path: &str) -> Option<(String, &str)> {
    let (id, operation) = path.strip_prefix("/model/")?.split_once('/')?;
    let id = String::from_utf8(canonical::decode(id, Plus::Literal)).ok()?;
    (!id.is_empty() && !operation.contains('/')).then_some((id, operation))
}

pub(super) fn valid_id(id: &str) -> bool {
    id.len() <= 2048
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte))
}

/// The tokens of either form of a CountTokens request.
fn counted(body: &Value) -> Result<u64, Refusal> {
    let input = &body["input"];
    if input["converse"].is_object() {
        return Ok(Prompt::read(&input["converse"]).tokens);
    }
    let bytes = input["invokeModel"]["body"].as_str().unwrap_or_default();
    BASE64
        .decode(bytes)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .map(|body| Prompt::read(&body).tokens)
        .ok_or_else(|| {
            Refusal::validation("The input must hold a converse request or an invokeModel body.")
        })
}

fn metrics(reply: &Reply, family: Family) -> Value {
    let mut metrics = json!({
        "inputTokenCount": reply.input,
        "outputTokenCount": reply.output,
        "invocationLatency": reply.latency(),
        "firstByteLatency": 100,
    });
    if family != Family::Titan {
        metrics["cacheReadInputTokenCount"] = json!(0);
        metrics["cacheWriteInputTokenCount"] = json!(0);
    }
    metrics
}

fn stream(frames: Vec<Bytes>, closing: usize) -> Answer {
    Answer::events(Content::Frames {
        frames,
        closing,
        binary: true,
    })
}

/// One event with the padding `p` by which Bedrock hides the size of what it says.
pub(super) fn event_frame(name: &str, mut event: Value, index: usize) -> Bytes {
    let length = 1 + index * 17 % PADDING.len();
    event["p"] = json!(PADDING.get(..length));
    eventstream::event(name, event.to_string().as_bytes())
}

fn foundation_models() -> Answer {
    let summary = |id: &str, name: &str, provider: &str| {
        json!({
            "modelArn": format!("arn:aws:bedrock:us-east-1::foundation-model/{id}"),
            "modelId": id,
            "modelName": name,
            "providerName": provider,
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "responseStreamingSupported": true,
        })
    };
    Answer::json(&json!({ "modelSummaries": [
        summary("anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5", "Anthropic"),
        summary("amazon.nova-lite-v1:0", "Nova Lite", "Amazon"),
    ] }))
}
