//! What Converse asks of a conversation beyond its shape.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::refusal::Refusal;
use super::family::{Beside, Family, Vendor};
use super::files::{documents, media};
use super::memory::Memory;

type Verdict = Result<(), Refusal>;

/// A request that breaks a rule of Converse itself.
pub(super) fn refuse<T>(text: impl AsRef<str>) -> Result<T, Refusal> {
    Err(Refusal::validation(text.as_ref()))
}

/// What the model behind Converse says of a request that it does not take.
pub(super) fn model_refuses<T>(text: impl AsRef<str>) -> Result<T, Refusal> {
    let text = text.as_ref();
    refuse(format!("The model returned the following errors: {text}"))
}

/// A field that the model does not know.
pub(super) fn unsupported<T>(field: &str) -> Result<T, Refusal> {
    refuse(format!(
        "This model doesn't support the {field} field. Remove {field} and try again."
    ))
}

/// The member that a union sets, and its value.
pub(super) fn member(block: &Value) -> (&str, &Value) {
    let members = block.as_object().into_iter().flatten();
    let mut set = members.filter(|(_, value)| !value.is_null());
    set.next()
        .map_or(("", &Value::Null), |(name, value)| (name, value))
}

/// The items of an array; none of anything else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// One side's part of the conversation: messages of one role in a row count as one.
struct Turn<'a> {
    role: &'a str,
    /// Of its first message.
    index: usize,
    blocks: Vec<&'a Value>,
}

impl<'a> Turn<'a> {
    fn all(messages: &'a [Value]) -> Vec<Self> {
        let mut turns: Vec<Self> = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let role = message["role"].as_str().unwrap_or_default();
            let blocks = items(&message["content"]).iter();
            match turns.last_mut() {
                Some(turn) if turn.role == role => turn.blocks.extend(blocks),
                _ => turns.push(Self {
                    role,
                    index,
                    blocks: blocks.collect(),
                }),
            }
        }
        turns
    }

    /// The ids of its blocks of this kind, those of the model's own tools excepted.
    fn ids(&self, kind: &str) -> Vec<&'a str> {
        let blocks = self.blocks.iter().map(|block| &block[kind]);
        let clients = blocks.filter(|block| block["type"].is_null());
        clients
            .filter_map(|block| block["toolUseId"].as_str())
            .collect()
    }
}

pub(super) fn check(id: &str, family: &Family, memory: &Memory, body: &Value) -> Verdict {
    let messages = items(&body["messages"]);
    let stored_prompt = id.contains(":prompt/");
    if messages.is_empty() && stored_prompt {
        return Ok(());
    }
    order(family, messages)?;
    for (index, message) in messages.iter().enumerate() {
        blocks(family, memory, index, message)?;
    }
    documents(messages)?;
    let turns = Turn::all(messages);
    results(family, &turns)?;
    let used = messages
        .iter()
        .flat_map(|message| items(&message["content"]))
        .any(|block| matches!(member(block).0, "toolUse" | "toolResult"));
    if used && body["toolConfig"].is_null() {
        return refuse(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        );
    }
    cache_points(family, body)
}

fn order(family: &Family, messages: &[Value]) -> Verdict {
    let roles = || messages.iter().map(|message| &message["role"]);
    let first = roles().find(|role| *role != "system");
    if first.is_none_or(|role| role == "assistant" && !family.leads) {
        return refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    if !family.system_turns && roles().any(|role| role == "system") {
        return model_refuses(
            "messages: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.",
        );
    }
    if family.alternates && roles().zip(roles().skip(1)).any(|(one, next)| one == next) {
        return refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
        );
    }
    let Some(last) = messages.last().filter(|last| last["role"] == "assistant") else {
        return Ok(());
    };
    if !family.prefill {
        return match family.vendor {
            Vendor::Claude => model_refuses(
                "This model does not support assistant message prefill. The conversation must end with a user message.",
            ),
            _ => refuse(
                "A conversation must end with a user message. Try again with a conversation that ends with a user message.",
            ),
        };
    }
    let text = items(&last["content"]).last().map(|block| &block["text"]);
    let text = text.and_then(Value::as_str).unwrap_or_default();
    if family.vendor == Vendor::Claude && text.ends_with(char::is_whitespace) {
        return model_refuses(
            "messages: final assistant content cannot end with trailing whitespace",
        );
    }
    Ok(())
}

fn blocks(family: &Family, memory: &Memory, index: usize, message: &Value) -> Verdict {
    let content = items(&message["content"]);
    if content.is_empty() {
        return refuse(format!(
            "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
        ));
    }
    let from_user = message["role"] == "user";
    for (at, block) in content.iter().enumerate() {
        let place = format!("messages.{index}.content.{at}");
        let (kind, block) = member(block);
        match kind {
            "text" => {
                // A line break beside other blocks is known to be taken by Claude.
                let beside = family.vendor == Vendor::Claude && content.len() > 1;
                let text = block.as_str().unwrap_or_default();
                if text.is_empty() || text.trim().is_empty() && !beside {
                    return blank("ContentBlock", &place);
                }
            }
            "image" | "document" | "video" | "audio" => {
                media(family, kind, block)?;
                if kind == "document" && !family.s3 && !block["source"]["s3Location"].is_null() {
                    return model_refuses(format!("{place}.document.source.type: Field required"));
                }
            }
            "toolUse" if from_user => {
                return model_refuses(format!(
                    "messages.{index}: `tool_use` blocks can only be in `assistant` messages"
                ));
            }
            "toolUse" if !block["input"].is_object() => {
                return not_an_object(&format!("{place}.toolUse.input"));
            }
            "toolResult" if !from_user && block["type"].is_null() => {
                return model_refuses(format!(
                    "messages.{index}: `tool_result` blocks can only be in `user` messages"
                ));
            }
            "toolResult" => result(family, block, &place)?,
            "reasoningContent" if from_user => {
                return model_refuses(format!(
                    "messages.{index}: `thinking` blocks can only be in `assistant` messages"
                ));
            }
            "reasoningContent" => reasoning(family, memory, block, &place)?,
            _ => {}
        }
    }
    Ok(())
}

fn blank<T>(object: &str, place: &str) -> Result<T, Refusal> {
    refuse(format!(
        "The text field in the {object} object at {place} is blank. Add text to the text field, and try again."
    ))
}

fn not_an_object<T>(place: &str) -> Result<T, Refusal> {
    refuse(format!(
        "The format of the value at {place} is invalid. Provide a json object for the field and try again."
    ))
}

fn result(family: &Family, result: &Value, place: &str) -> Verdict {
    let content = items(&result["content"]);
    if !family.status && !result["status"].is_null() {
        return unsupported("status");
    }
    if content.is_empty() && result["status"] == "error" {
        return refuse(format!(
            "The content field at {place}.toolResult cannot be empty when status value is error."
        ));
    }
    for (at, block) in content.iter().enumerate() {
        let place = format!("{place}.toolResult.content.{at}");
        let (kind, block) = member(block);
        match kind {
            "text" if block.as_str().is_none_or(|text| text.trim().is_empty()) => {
                return blank("ToolResultContentBlock", &place);
            }
            "json" if !block.is_object() => return not_an_object(&format!("{place}.json")),
            "image" | "document" | "video" => {
                media(family, kind, block)?;
                let of_text = matches!(block["format"].as_str(), Some("txt" | "csv" | "md"));
                let refused = !family.media_in_results.contains(&kind);
                if family.vendor == Vendor::Nova && (refused || kind == "document" && !of_text) {
                    let (message, block) = place.split_once(".content.").unwrap_or_default();
                    let message = message.trim_start_matches("messages.");
                    let block = block.split('.').next().unwrap_or_default();
                    return model_refuses(format!(
                        "Malformed input request: #/messages/{message}/content/{block}: extraneous key [toolResult] is not permitted, please reformat your input and try again."
                    ));
                }
                if refused {
                    return refuse(format!(
                        "This model doesn't support the {kind} content block that you provided. Update the content block and try again."
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn reasoning(family: &Family, memory: &Memory, block: &Value, place: &str) -> Verdict {
    if !family.reasoning {
        return unsupported("reasoningContent");
    }
    if family.vendor != Vendor::Claude {
        return Ok(());
    }
    if let Some(redacted) = block["redactedContent"].as_str() {
        return match memory.is_redacted(redacted) {
            true => Ok(()),
            false => model_refuses(format!(
                "{place}: Invalid `data` in `redacted_thinking` block"
            )),
        };
    }
    let thought = &block["reasoningText"];
    let text = thought["text"].as_str().unwrap_or_default();
    match thought["signature"].as_str() {
        None => model_refuses(format!("{place}.thinking.signature: Field required")),
        Some(signature) if signature != memory.signature(text) => {
            model_refuses(format!("{place}: Invalid `signature` in `thinking` block"))
        }
        Some(_) => Ok(()),
    }
}

/// Every call is answered in the next turn, and nothing else is.
fn results(family: &Family, turns: &[Turn<'_>]) -> Verdict {
    let mut asked: Vec<&str> = Vec::new();
    for turn in turns.iter().filter(|turn| turn.role != "system") {
        let index = turn.index;
        let answered = turn.ids("toolResult");
        let missing: Vec<&str> = asked
            .iter()
            .filter(|id| !answered.contains(id))
            .copied()
            .collect();
        if !missing.is_empty() {
            let ids = missing.join(", ");
            return refuse(format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {ids}"
            ));
        }
        if answered.len() > asked.len() {
            return refuse(format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of previous turn."
            ));
        }
        if !answered.is_empty() {
            let other = |block: &&Value| {
                let kind = member(block).0;
                !matches!(kind, "toolResult" | "cachePoint")
            };
            let mut blocks = turn.blocks.iter().copied();
            let refused = match family.beside_results {
                Beside::Anything => false,
                Beside::Nothing => blocks.any(|block| other(&block)),
            };
            if refused {
                return refuse(format!(
                    "messages.{index}.content: Conversation blocks and tool result blocks cannot be provided in the same turn."
                ));
            }
        }
        asked = turn.ids("toolUse");
        let distinct: BTreeSet<&str> = asked.iter().copied().collect();
        if distinct.len() < asked.len() {
            return model_refuses(format!("messages.{index}: `tool_use` ids must be unique"));
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let (index, ids) = (turns.len(), asked.join(", "));
    refuse(format!(
        "Expected toolResult blocks at messages.{index}.content for the following Ids: {ids}"
    ))
}

fn cache_points(family: &Family, body: &Value) -> Verdict {
    let content = items(&body["messages"])
        .iter()
        .flat_map(|message| items(&message["content"]));
    let count = items(&body["toolConfig"]["tools"])
        .iter()
        .chain(items(&body["system"]))
        .chain(content)
        .filter(|block| !block["cachePoint"].is_null())
        .count();
    if count > 0 && !family.cache {
        return Err(Refusal::service(
            403,
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.",
        ));
    }
    if count > 4 {
        return model_refuses(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {count}."
        ));
    }
    Ok(())
}
