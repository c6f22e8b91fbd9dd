//! What the emulated model does with a conversation: a pure function of it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::prompt::{self, Prompt};
use super::super::reply::Reply;
use super::family::{Family, Thinking, Vendor};
use super::memory::{Cached, Memory};
use super::rules::{items, member};
use super::sample::Sampler;
use super::settings;

/// A guardrail stops what holds this word.
const BLOCKED: &str = "blocked-by-guardrail";
/// Claude does not show what it thinks about this word.
const HIDDEN: &str = "redacted-thinking";

/// One block of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Thought {
        text: String,
        signature: Option<String>,
    },
    /// A thought that is not shown.
    Redacted(String),
    Text(String),
    Call {
        id: String,
        name: String,
        input: Value,
    },
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) blocks: Vec<Block>,
    pub(super) stop: &'static str,
    pub(super) usage: Value,
    /// Milliseconds that the model claims to have taken.
    pub(super) latency: u64,
    pub(super) trace: Option<Value>,
}

impl Turn {
    /// Answers the request `body`; `large` replaces the text by one of so many bytes.
    pub(super) fn to(
        id: &str,
        family: &Family,
        memory: &Memory,
        body: &Value,
        large: Option<usize>,
    ) -> Self {
        if let Some(blocked) = guarded(body) {
            return blocked;
        }
        let mut reply = Reply::to(body);
        if let Some(bytes) = large {
            reply = reply.enlarged(bytes);
        }
        let mut blocks = thought(family, memory, body, &reply);
        let mut calls = Vec::new();
        let prompt = Prompt::read(body);
        let asked = Asked::of(body, &prompt.last);
        if large.is_none() {
            calls = asked.calls();
            if let Some(text) = asked.text(body, &calls) {
                let limit = prompt.limit.and_then(|limit| usize::try_from(limit).ok());
                reply = reply.saying(&text, limit.unwrap_or(usize::MAX));
            }
        }
        let mut stop = reply.stop("end_turn", "max_tokens");
        for sequence in items(&body["inferenceConfig"]["stopSequences"]) {
            let found = sequence.as_str().and_then(|stop| reply.text.find(stop));
            if let Some(at) = found {
                reply.text.truncate(at);
                calls.clear();
                stop = "stop_sequence";
            }
        }
        if reply.cut {
            calls.clear();
        }
        if !reply.text.is_empty() {
            blocks.push(Block::Text(reply.text));
        }
        if !calls.is_empty() {
            stop = "tool_use";
            blocks.append(&mut calls);
        }
        let output = blocks.iter().map(Block::tokens).sum();
        Self {
            usage: usage(reply.input, output, memory.cached(id, body)),
            latency: 100 + 5 * output,
            blocks,
            stop,
            trace: None,
        }
    }
}

impl Block {
    fn tokens(&self) -> u64 {
        match self {
            Self::Thought { text, .. } | Self::Text(text) => prompt::tokens(text),
            Self::Redacted(_) => 1,
            Self::Call { input, .. } => prompt::tokens(&spaced(input)),
        }
    }
}

fn usage(input: u64, output: u64, cached: Option<Cached>) -> Value {
    let Some(cached) = cached else {
        return json!({
            "inputTokens": input,
            "outputTokens": output,
            "totalTokens": input + output,
        });
    };
    let mut usage = json!({
        "inputTokens": input.saturating_sub(cached.read + cached.written),
        "outputTokens": output,
        "totalTokens": input + output,
        "cacheReadInputTokens": cached.read,
        "cacheWriteInputTokens": cached.written,
    });
    if cached.written > 0 {
        let ttl = if cached.for_an_hour { "1h" } else { "5m" };
        usage["cacheDetails"] = json!([{ "ttl": ttl, "inputTokens": cached.written }]);
    }
    usage
}

/// The answer of a guardrail, if the request has one that a user's text offends.
fn guarded(body: &Value) -> Option<Turn> {
    let config = &body["guardrailConfig"];
    let id = config["guardrailIdentifier"].as_str()?;
    let messages = items(&body["messages"]).iter();
    let users = messages.filter(|message| message["role"] == "user");
    let mut blocks = users.flat_map(|message| items(&message["content"]));
    blocks.find(|block| {
        let texts = [&block["text"], &block["guardContent"]["text"]["text"]];
        let mut texts = texts.into_iter().filter_map(Value::as_str);
        texts.any(|text| text.contains(BLOCKED))
    })?;
    let word = json!({ "match": BLOCKED, "action": "BLOCKED", "detected": true });
    let assessment = json!({ "wordPolicy": { "customWords": [word], "managedWordLists": [] } });
    let traced = matches!(config["trace"].as_str(), Some("enabled" | "enabled_full"));
    Some(Turn {
        blocks: vec![Block::Text(
            "Sorry, the model cannot answer this question.".to_owned(),
        )],
        stop: "guardrail_intervened",
        usage: usage(0, 0, None),
        latency: 100,
        trace: traced.then(|| {
            json!({ "guardrail": {
                "actionReason": "Guardrail blocked.",
                "inputAssessment": { id: assessment },
                "modelOutput": [],
            } })
        }),
    })
}

/// What the model thinks first, if it is asked to.
fn thought(family: &Family, memory: &Memory, body: &Value, reply: &Reply) -> Vec<Block> {
    let fields = &body["additionalModelRequestFields"];
    let shown = |text: String| {
        vec![Block::Thought {
            text,
            signature: None,
        }]
    };
    let text = format!(
        "The conversation has {} words. I answer the last of them.",
        reply.input
    );
    match family.vendor {
        Vendor::GptOss if fields["reasoning_effort"].is_string() => return shown(text),
        Vendor::Qwen if fields["reasoning_config"].is_string() => return shown(text),
        _ => {}
    }
    let on = settings::thinking(body).filter(|setting| setting["type"] != "disabled");
    if on.is_none() || family.thinking == Thinking::No {
        return Vec::new();
    }
    if family.vendor == Vendor::Nova {
        return shown("[REDACTED]".to_owned());
    }
    if Prompt::read(body).last.contains(HIDDEN) {
        return vec![Block::Redacted(memory.redacted())];
    }
    vec![Block::Thought {
        signature: Some(memory.signature(&text)),
        text,
    }]
}

/// What the last message asks for.
struct Asked<'a> {
    text: &'a str,
    /// The name and schema of each tool to call.
    tools: Vec<(&'a str, &'a Value)>,
    forced: bool,
    /// The texts of the tool results that the last message brings.
    results: Vec<String>,
    /// What strings in made-up values say.
    word: &'a str,
}

impl<'a> Asked<'a> {
    fn of(body: &'a Value, text: &'a str) -> Self {
        let config = &body["toolConfig"];
        let specs = items(&config["tools"]).iter().map(|tool| &tool["toolSpec"]);
        let known: Vec<(&str, &Value)> = specs
            .filter_map(|spec| Some((spec["name"].as_str()?, &spec["inputSchema"]["json"])))
            .collect();
        let last = items(&body["messages"]).last().unwrap_or(&Value::Null);
        let content = items(&last["content"]).iter();
        let results: Vec<String> = content
            .map(|block| &block["toolResult"])
            .filter(|result| result.is_object())
            .flat_map(|result| items(&result["content"]))
            .map(said)
            .collect();
        let one = &body["additionalModelRequestFields"]["tool_choice"]["disable_parallel_tool_use"];
        let (choice, chosen) = member(&config["toolChoice"]);
        let mut tools: Vec<_> = known
            .iter()
            .filter(|(name, _)| match choice {
                "any" => true,
                "tool" => chosen["name"] == *name,
                _ => results.is_empty() && words(text).any(|word| word == *name),
            })
            .copied()
            .collect();
        let forced = matches!(choice, "any" | "tool");
        if forced || *one == true {
            tools.truncate(1);
        }
        let mut plain = words(text).filter(|word| !known.iter().any(|(name, _)| name == word));
        let all: Vec<&str> = plain.by_ref().collect();
        let place = all.iter().position(|word| *word == "in");
        let place = place.and_then(|at| all.get(at + 1));
        Self {
            text,
            tools,
            forced,
            results,
            word: place.or(all.last()).copied().unwrap_or("text"),
        }
    }

    fn calls(&self) -> Vec<Block> {
        let made = self.tools.iter().map(|(name, schema)| Block::Call {
            id: format!("tooluse_{}", short(Uuid::new_v4())),
            name: (*name).to_owned(),
            input: Sampler::new(schema, self.word).value(),
        });
        made.collect()
    }

    /// What to say instead of repeating the prompt.
    fn text(&self, body: &Value, calls: &[Block]) -> Option<String> {
        if !calls.is_empty() {
            // Forced calls come without a word.
            let named = |word: &str| self.tools.iter().any(|(name, _)| *name == word);
            let more = words(self.text).any(|word| !named(word));
            let names: Vec<&str> = self.tools.iter().map(|(name, _)| *name).collect();
            return Some(match more && !self.forced {
                true => format!("I will use {}.", names.join(" and ")),
                false => String::new(),
            });
        }
        let schema = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema");
        if let Some(schema) = schema.and_then(Value::as_str) {
            let schema: Value = serde_json::from_str(schema).unwrap_or_default();
            return Some(spaced(&Sampler::new(&schema, self.word).value()));
        }
        (!self.results.is_empty()).then(|| {
            let results = self.results.join("; ");
            format!("The tools say: {results}")
        })
    }
}

/// The words of a text, without the punctuation around them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let around = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
    let words = text.split_whitespace();
    words
        .map(move |word| word.trim_matches(around))
        .filter(|word| !word.is_empty())
}

/// What a block of a tool result says.
fn said(block: &Value) -> String {
    match member(block) {
        ("text", text) => text.as_str().unwrap_or_default().to_owned(),
        ("json", json) => json.to_string(),
        (kind, _) => format!("[{kind}]"),
    }
}

/// JSON as models write it: with spaces, so that it has words.
pub(super) fn spaced(value: &Value) -> String {
    let pretty = format!("{value:#}");
    let lines: Vec<&str> = pretty.lines().map(str::trim).collect();
    lines.join(" ")
}

/// The 22 characters that Bedrock's ids have.
fn short(id: Uuid) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id.as_bytes())
}
