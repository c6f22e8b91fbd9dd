//! Reading the prompt out of any of the request shapes.

use serde_json::Value;

/// The number of tokens of a text: its whitespace-separated words.
pub(super) fn tokens(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// What matters of a request body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// Texts of the last user message.
    pub(super) last: String,
    /// Tokens of every text of `system` and `messages`.
    pub(super) tokens: u64,
    pub(super) limit: Option<u64>,
}

impl Prompt {
    pub(super) fn read(body: &Value) -> Self {
        let mut all = Vec::new();
        for key in ["system", "instructions", "prompt", "inputText"] {
            texts(&body[key], &mut all);
        }
        let mut last = Vec::new();
        for key in ["messages", "input"] {
            for message in body[key].as_array().into_iter().flatten() {
                let content = &message["content"];
                texts(content, &mut all);
                if message["role"] == "user" {
                    last.clear();
                    texts(content, &mut last);
                }
            }
        }
        if let Some(text) = body["input"].as_str() {
            all.push(text);
        }
        if last.is_empty() {
            // Titan's and the other plain shapes have no messages.
            last = ["inputText", "prompt", "input"]
                .into_iter()
                .filter_map(|key| body[key].as_str())
                .collect();
        }
        Self {
            last: last.join(" "),
            tokens: all.iter().map(|text| tokens(text)).sum(),
            limit: limit(body),
        }
    }
}

/// Collects a string, or the texts of an array of content blocks, those of tool results included.
fn texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(blocks) => {
            for block in blocks {
                block_texts(block, into);
            }
        }
        _ => {}
    }
}

fn block_texts<'a>(block: &'a Value, into: &mut Vec<&'a str>) {
    if let Some(text) = block["text"].as_str() {
        into.push(text);
    }
    texts(&block["content"], into);
    texts(&block["toolResult"]["content"], into);
}

/// The tokens of one content block.
pub(super) fn block_tokens(block: &Value) -> u64 {
    let mut all = Vec::new();
    block_texts(block, &mut all);
    all.iter().map(|text| tokens(text)).sum()
}

fn limit(body: &Value) -> Option<u64> {
    [
        "/inferenceConfig/maxTokens",
        "/inferenceConfig/max_new_tokens",
        "/max_tokens",
        "/max_completion_tokens",
        "/max_output_tokens",
        "/textGenerationConfig/maxTokenCount",
    ]
    .into_iter()
    .find_map(|path| body.pointer(path)?.as_u64())
}
