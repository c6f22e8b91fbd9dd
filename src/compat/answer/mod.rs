//! From Converse's answer to OpenAI's.
//!
//! | Converse | OpenAI |
//! |---|---|
//! | `text`, `citationsContent.content` | `content`: all of them, one after the other, nothing between |
//! | `toolUse` | `tool_calls`, numbered among themselves; `arguments` is compact JSON in the model's order of keys, `{}` if there was none. `content` is null if there is no text. For a request with `functions`: `function_call`, the first only |
//! | `toolUse` of the tool that stands in for a `response_format` | `content`, in place of the model's text |
//! | `toolUse`, where the request said `tool_choice: none` | left out; `finish_reason` is `stop` |
//! | text beside a `toolUse`, where the request has a `response_format` | left out unless it is the JSON that was asked for: clients parse all content there is |
//! | `toolUse` of type `server_tool_use`, `toolResult`, `image`, whatever comes | left out |
//! | `reasoningContent` | `reasoning_content`, the text; `thinking_blocks`, `[{"type":"thinking","thinking","signature"?},{"type":"redacted_thinking","data"}]`, which can be sent back |
//! | citation of a page of the web | an `annotations` entry of type `url_citation`, whose indices are those of the cited text, in characters; other citations are left out |
//! | `end_turn`, `stop_sequence` | `finish_reason` `stop` |
//! | `tool_use` | `tool_calls` (`function_call`), or `stop` if the client sees no call |
//! | `max_tokens`, `model_context_window_exceeded` | `length` |
//! | `guardrail_intervened`, `content_filtered` | `content_filter` |
//! | `malformed_model_output`, `malformed_tool_use`, whatever comes | `stop` |
//! | `usage` | `prompt_tokens` with what was read from and written to the cache, `completion_tokens`, `total_tokens`, `prompt_tokens_details` of `cached_tokens` and `cache_write_tokens`; left out where Converse does not tell |
//! | `serviceTier` | `service_tier`, if OpenAI has such a one |
//! | `additionalModelResponseFields`, `trace`, `performanceConfig` | the same, beside `choices`; left out if nested deeper than many parsers go |
//!
//! Where the reason of Converse's is not the first of its row, or the row has no better one,
//! `native_finish_reason` beside `finish_reason` tells it: only `end_turn`, `max_tokens` and a
//! `tool_use` with calls go without.
//!
//! # Streams
//!
//! `messageStart` gives the role, `messageStop` the `finish_reason` and `metadata` the usage, if it
//! was asked for. `annotations` and `thinking_blocks` each come in one piece before the
//! `finish_reason`, since the OpenAI SDKs put lists together from pieces in different ways. Text
//! is held back to the end only where the request has a `response_format`, since it is left out if
//! a tool is called after it; JSON goes out at once, unless a tool stands in for the format.
//!
//! `additionalModelResponseFields` is beside the `finish_reason`; `trace` and `performanceConfig`
//! come with the usage. If that was not asked for, the chunk with the `finish_reason` waits for
//! them: a chunk with `choices: []` breaks clients that have not asked for one, and a choice after
//! the `finish_reason` makes OpenAI's SDK for Node.js report the last call a second time.

mod chunks;
mod citations;
mod converse;
mod embedded;
mod event;
mod extras;
mod finish;
mod message;
mod sse;
mod text;
mod thinking;
mod tools;
mod usage;

use std::io::Write as _;

pub use self::chunks::Chunks;
use self::converse::Answer;
use self::extras::Extras;
use self::message::Parts;
pub(super) use self::text::write_string;
use self::usage::Usage;
use super::error::OpenAiError;
use super::plan::Plan;
use crate::context::Told;

/// The completion that Converse's `answer` amounts to, as JSON text.
pub(super) fn completion(
    answer: &[u8],
    plan: &Plan,
    id: &str,
    created: u64,
) -> Result<(Vec<u8>, Told), OpenAiError> {
    let unexpected = || OpenAiError::of_unexpected_answer(answer);
    let text = std::str::from_utf8(answer).map_err(|_| unexpected())?;
    let read: Answer<'_> = serde_json::from_str(text).map_err(|_| unexpected())?;
    let message = read.output.and_then(|output| output.message);
    let blocks = message.ok_or_else(unexpected)?.content.unwrap_or_default();

    let parts = Parts::of(&blocks, plan);
    let reason = read.stop_reason.unwrap_or_default().decoded();
    let mut usage = Usage::default();
    if let Some(fields) = read.additional_model_response_fields {
        usage.read_details(fields);
    }
    if let Some(reported) = read.usage {
        usage.read(reported);
    }

    let mut out = Vec::with_capacity(answer.len() + plan.model.len() + 512);
    out.extend_from_slice(b"{\"id\":");
    write_string(&format!("chatcmpl-{id}"), &mut out);
    // A buffer in memory does not fail.
    let _ = write!(
        out,
        r#","object":"chat.completion","created":{created},"model":"#
    );
    write_string(&plan.model, &mut out);
    out.extend_from_slice(b",\"choices\":[{\"index\":0,\"message\":");
    parts.write(&mut out);
    out.extend_from_slice(b",\"logprobs\":null,");
    finish::write(&reason, parts.called(), &mut out);
    out.extend_from_slice(b"}]");
    let before = out.len();
    out.extend_from_slice(b",\"usage\":");
    if !usage.write(&mut out) {
        out.truncate(before);
    }
    let tier = read.service_tier.as_ref();
    if let Some(tier) = tier.and_then(|tier| tier.name()) {
        out.extend_from_slice(b",\"service_tier\":");
        write_string(tier, &mut out);
    }
    let extras = Extras {
        additional_fields: read.additional_model_response_fields,
        trace: read.trace,
        performance_config: read.performance_config,
    };
    extras.write(&mut out);
    out.push(b'}');

    let mut told = Told::default();
    usage.tell(&mut told);
    told.stop_reason = (!reason.is_empty()).then(|| reason.into_owned());
    told.service_tier = tier.and_then(|tier| tier.said());
    told.latency_mode = extras.latency_mode();
    told.latency = read.metrics.and_then(usage::latency);
    Ok((out, told))
}

#[cfg(test)]
mod tests;
