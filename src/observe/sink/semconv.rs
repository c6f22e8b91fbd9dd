//! The words of OpenTelemetry's conventions for generative AI.

use std::borrow::Cow;

use crate::observe::record::{Outcome, Record};

/// `gen_ai.provider.name`
pub(super) const PROVIDER: &str = "aws.bedrock";

/// Families whose `InvokeModel` takes messages.
const CHATTING: [&str; 10] = [
    "claude",
    "nova",
    "jamba",
    "command-r",
    "gpt-oss",
    "deepseek.v",
    "qwen",
    "minimax",
    "kimi",
    "glm",
];
const DRAWING: [&str; 6] = ["image", "canvas", "stable-", "sd3", "-reel", "luma.ray"];

/// `gen_ai.operation.name`: one of the well-known values where there is one.
pub(super) fn operation_name(operation: Option<&str>, model: Option<&str>) -> &'static str {
    match operation {
        Some("Converse" | "ConverseStream" | "ChatCompletions" | "Responses" | "Messages") => {
            "chat"
        }
        Some("InvokeModel" | "InvokeModelWithResponseStream") => {
            let model = model.unwrap_or_default();
            let is_one_of = |names: &[&str]| names.iter().any(|name| model.contains(name));
            if model.contains("embed") {
                "embeddings"
            } else if model.contains("rerank") {
                "rerank"
            } else if is_one_of(&DRAWING) {
                "generate_content"
            } else if is_one_of(&CHATTING) {
                "chat"
            } else {
                "text_completion"
            }
        }
        Some("InvokeModelWithBidirectionalStream" | "AsyncInvoke") => "generate_content",
        Some("CountTokens") => "count_tokens",
        Some("ApplyGuardrail" | "InvokeGuardrailChecks") => "apply_guardrail",
        Some("Models") => "list_models",
        _ => "_OTHER",
    }
}

/// `error.type`: the name of AWS's exception or of gRPC's status, that of HTTP, or how the answer broke off.
pub(super) fn error_type(record: &Record) -> Option<Cow<'_, str>> {
    let status = record.status_code.filter(|status| *status >= 300);
    let named = record.error.as_deref().filter(|error| is_name(error));
    let or_status = |otherwise: &'static str| match status {
        Some(status) => Cow::Owned(status.to_string()),
        None => Cow::Borrowed(otherwise),
    };
    Some(match record.outcome {
        Outcome::Complete if record.success => return None,
        Outcome::Complete => or_status("_OTHER"),
        Outcome::Refused => or_status("refused"),
        Outcome::UpstreamError => match named {
            Some(name) => Cow::Borrowed(name),
            None => or_status("upstream_error"),
        },
        Outcome::UpstreamCut => Cow::Borrowed("upstream_cut"),
        Outcome::ClientDisconnect => Cow::Borrowed("client_disconnect"),
    })
}

/// Such as `ThrottlingException`, or gRPC's `NOT_FOUND`.
fn is_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(is_fit)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn record() -> Record {
        Record::new(String::new(), String::new(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn operations() {
        for (operation, model, name) in [
            (Some("Converse"), "m", "chat"),
            (Some("ChatCompletions"), "m", "chat"),
            (Some("InvokeModel"), "us.anthropic.claude-haiku-4-5", "chat"),
            (
                Some("InvokeModel"),
                "amazon.titan-embed-text-v2:0",
                "embeddings",
            ),
            (Some("InvokeModel"), "cohere.embed-english-v3", "embeddings"),
            (Some("InvokeModel"), "cohere.rerank-v3-5:0", "rerank"),
            (
                Some("InvokeModel"),
                "amazon.nova-canvas-v1:0",
                "generate_content",
            ),
            (
                Some("InvokeModel"),
                "meta.llama3-8b-instruct-v1:0",
                "text_completion",
            ),
            (None, "m", "_OTHER"),
        ] {
            let found = operation_name(operation, Some(model));
            assert_eq!(found, name, "{operation:?} {model}");
        }
    }

    #[test]
    fn errors() {
        for (outcome, status, error, wanted) in [
            (Outcome::Refused, Some(401), Some("no token"), "401"),
            (
                Outcome::UpstreamError,
                Some(429),
                Some("ThrottlingException"),
                "ThrottlingException",
            ),
            (
                Outcome::UpstreamError,
                Some(200),
                Some("NOT_FOUND"),
                "NOT_FOUND",
            ),
            (
                Outcome::UpstreamError,
                Some(502),
                Some("the upstream is not there"),
                "502",
            ),
            (
                Outcome::UpstreamError,
                Some(200),
                Some("a bad frame"),
                "upstream_error",
            ),
            (Outcome::UpstreamCut, Some(200), None, "upstream_cut"),
            (Outcome::ClientDisconnect, None, None, "client_disconnect"),
            (Outcome::Complete, Some(304), None, "304"),
        ] {
            let mut record = record();
            (record.outcome, record.status_code) = (outcome, status);
            record.error = error.map(str::to_owned);
            assert_eq!(error_type(&record).as_deref(), Some(wanted));
        }
        let mut whole = record();
        (whole.outcome, whole.success) = (Outcome::Complete, true);
        assert_eq!(error_type(&whole), None);
    }
}
