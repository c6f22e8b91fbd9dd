//! Where in an answer the facts stand that are looked for.

use super::scan::{EACH, Path, Table};
use super::tally::{Field, MAX_NAME};

/// The whole answer as one object.
pub(super) static BODY: Table<Field> = Table::new(&[
    usage(Field::Usage, &["usage"]),
    number(Field::Input, &["inputTextTokenCount"]),
    number(Field::Input, &["prompt_token_count"]),
    number(Field::Output, &["generation_token_count"]),
    number(Field::OutputPart, &["results", EACH, "tokenCount"]),
    name(Field::StopReason, &["stopReason"]),
    name(Field::StopReason, &["stop_reason"]),
    name(Field::StopReason, &["finish_reason"]),
    name(Field::StopReason, &["choices", EACH, "finish_reason"]),
    name(Field::StopReason, &["choices", EACH, "stop_reason"]),
    name(Field::StopReason, &["outputs", EACH, "stop_reason"]),
    name(Field::StopReason, &["results", EACH, "completionReason"]),
    name(Field::StopReason, &["generations", EACH, "finish_reason"]),
    name(
        Field::StopReason,
        &["completions", EACH, "finishReason", "reason"],
    ),
    name(Field::Operation, &["Output", "__type"]),
    number(Field::Latency, &["metrics", "latencyMs"]),
    name(Field::Guardrail, &["amazon-bedrock-guardrailAction"]),
    name(Field::Action, &["action"]),
    name(Field::ServiceTier, &["serviceTier", "type"]),
    name(Field::LatencyMode, &["performanceConfig", "latency"]),
    name(Field::ServiceTier, &["service_tier"]),
    model(&["model"]),
    name(Field::Id, &["id"]),
    error(Field::Fault, &["error"]),
    name(Field::Status, &["status"]),
]);

/// `metadata` of ConverseStream.
pub(super) static METADATA: Table<Field> = Table::new(&[
    usage(Field::Usage, &["usage"]),
    number(Field::Latency, &["metrics", "latencyMs"]),
    name(Field::ServiceTier, &["serviceTier", "type"]),
    name(Field::LatencyMode, &["performanceConfig", "latency"]),
]);

/// `messageStop` of ConverseStream.
pub(super) static MESSAGE_STOP: Table<Field> =
    Table::new(&[name(Field::StopReason, &["stopReason"])]);

/// `chunk` of InvokeModelWithResponseStream. Its part has at most 1,000,000 bytes before base64.
pub(super) static CHUNK: Table<Field> = Table::new(&[Path {
    field: Field::Bytes,
    keys: &["bytes"],
    limit: 1_400_000,
}]);

/// One event of a model's own stream: what is in a `chunk`, or in the `data` of a server-sent event.
pub(super) static EVENT: Table<Field> = Table::new(&[
    usage(Field::Measured, &["amazon-bedrock-invocationMetrics"]),
    usage(Field::Usage, &["usage"]),
    usage(Field::Start, &["message", "usage"]),
    usage(Field::Usage, &["metadata", "usage"]),
    usage(Field::Usage, &["response", "usage"]),
    number(Field::Input, &["inputTextTokenCount"]),
    number(Field::Input, &["prompt_token_count"]),
    number(Field::Output, &["totalOutputTextTokenCount"]),
    number(Field::Output, &["generation_token_count"]),
    name(Field::StopReason, &["stop_reason"]),
    name(Field::StopReason, &["finish_reason"]),
    name(Field::StopReason, &["completionReason"]),
    name(Field::StopReason, &["delta", "stop_reason"]),
    name(Field::StopReason, &["messageStop", "stopReason"]),
    name(Field::StopReason, &["response", "finish_reason"]),
    name(Field::StopReason, &["choices", EACH, "finish_reason"]),
    name(Field::StopReason, &["choices", EACH, "stop_reason"]),
    name(Field::StopReason, &["outputs", EACH, "stop_reason"]),
    name(Field::StopReason, &["generations", EACH, "finish_reason"]),
    name(Field::Type, &["type"]),
    presence(Field::Begin, &["messageStart"]),
    presence(Field::Other, &["contentBlockStart"]),
    presence(Field::Content, &["contentBlockDelta"]),
    presence(Field::Other, &["contentBlockStop"]),
    presence(Field::End, &["messageStop"]),
    presence(Field::Other, &["metadata"]),
    empty_or_more(Field::Content, &["choices", EACH, "delta", "content"]),
    empty_or_more(Field::Content, &["choices", EACH, "delta", "reasoning"]),
    empty_or_more(
        Field::Content,
        &["choices", EACH, "delta", "reasoning_content"],
    ),
    empty_or_more(Field::Content, &["choices", EACH, "delta", "tool_calls"]),
    // Nova Sonic: the sums of the conversation until now.
    number(Field::Input, &["event", "usageEvent", "totalInputTokens"]),
    number(Field::Output, &["event", "usageEvent", "totalOutputTokens"]),
    usage(Field::Speech, &["event", "usageEvent", "details"]),
    name(Field::StopReason, &["event", "completionEnd", "stopReason"]),
    presence(Field::Other, &["event", "usageEvent"]),
    presence(Field::Other, &["event", "completionStart"]),
    presence(Field::Other, &["event", "completionEnd"]),
    presence(Field::Other, &["event", "contentStart"]),
    presence(Field::Other, &["event", "contentEnd"]),
    error(Field::Error, &["error"]),
    error(Field::Fault, &["response", "error"]),
    name(Field::Guardrail, &["amazon-bedrock-guardrailAction"]),
    name(Field::ServiceTier, &["service_tier"]),
    name(Field::ServiceTier, &["response", "service_tier"]),
    model(&["model"]),
    model(&["message", "model"]),
    model(&["response", "model"]),
    presence(Field::Choices, &["choices"]),
    name(Field::Id, &["id"]),
    name(Field::Id, &["message", "id"]),
    name(Field::Id, &["response", "id"]),
]);

const fn usage(field: Field, keys: &'static [&'static str]) -> Path<Field> {
    let limit = 16 * 1024;
    Path { field, keys, limit }
}

const fn error(field: Field, keys: &'static [&'static str]) -> Path<Field> {
    let limit = 4 * 1024;
    Path { field, keys, limit }
}

const fn number(field: Field, keys: &'static [&'static str]) -> Path<Field> {
    let limit = 32;
    Path { field, keys, limit }
}

const fn name(field: Field, keys: &'static [&'static str]) -> Path<Field> {
    let limit = MAX_NAME;
    Path { field, keys, limit }
}

pub(super) const fn model(keys: &'static [&'static str]) -> Path<Field> {
    let (field, limit) = (Field::Model, 2 * MAX_NAME);
    Path { field, keys, limit }
}

const fn presence(field: Field, keys: &'static [&'static str]) -> Path<Field> {
    let limit = 0;
    Path { field, keys, limit }
}

/// Long enough for `null`.
const fn empty_or_more(field: Field, keys: &'static [&'static str]) -> Path<Field> {
    let limit = 4;
    Path { field, keys, limit }
}
