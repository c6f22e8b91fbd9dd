//! What Converse and the models ask of the settings beside the conversation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::refusal::Refusal;
use super::family::{Family, Sampling, Thinking, Vendor};
use super::rules::{items, member, model_refuses, refuse, unsupported};
use super::strict;

type Verdict = Result<(), Refusal>;

const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];
/// What Claude takes in `additionalModelRequestFields`.
const CLAUDE_FIELDS: [&str; 9] = [
    "anthropic_beta",
    "context_management",
    "metadata",
    "output_config",
    "reasoning_config",
    "stop_sequences",
    "thinking",
    "tool_choice",
    "top_k",
];

pub(super) fn check(family: &Family, body: &Value) -> Verdict {
    if !family.system && !items(&body["system"]).is_empty() {
        return refuse(
            "This model doesn't support system messages. Try again without a system message or use a model that supports system messages.",
        );
    }
    tools(family, body)?;
    let fields = &body["additionalModelRequestFields"];
    if !(fields.is_null() || fields.is_object()) {
        return refuse(
            "The format of the value at additionalModelRequestFields is invalid. Provide a json object for the field and try again.",
        );
    }
    match family.vendor {
        Vendor::Claude => claude(family, body, fields)?,
        Vendor::Nova => nova(family, body, fields)?,
        _ => {}
    }
    let stop = items(&body["inferenceConfig"]["stopSequences"]);
    if !family.stop && !stop.is_empty() {
        return unsupported("stopSequences");
    }
    text_format(family, body)
}

/// The settings of thinking, if the request has any.
pub(super) fn thinking(body: &Value) -> Option<&Value> {
    let fields = &body["additionalModelRequestFields"];
    let names = ["thinking", "reasoning_config", "reasoningConfig"];
    let mut found = names.into_iter().map(|name| &fields[name]);
    found.find(|setting| setting.is_object())
}

fn tools(family: &Family, body: &Value) -> Verdict {
    let config = &body["toolConfig"];
    if config.is_null() {
        return Ok(());
    }
    if !family.tools {
        return refuse("This model doesn't support tool use.");
    }
    let mut names = BTreeSet::new();
    let mut strict_tools = 0;
    for (index, tool) in items(&config["tools"]).iter().enumerate() {
        let spec = &tool["toolSpec"];
        let Some(name) = spec["name"].as_str() else {
            continue;
        };
        if !names.insert(name) {
            return model_refuses("tools: Tool names must be unique.");
        }
        let place = format!("toolConfig.tools.{index}.toolSpec.inputSchema.json");
        let schema = &spec["inputSchema"]["json"];
        if !schema.is_object() {
            return refuse(format!(
                "The format of the value at {place} is invalid. Provide a json object for the field and try again."
            ));
        }
        if schema["type"] != "object" {
            return refuse(format!(
                "The value at {place}.type must be one of the following: object."
            ));
        }
        if ["anyOf", "oneOf", "allOf"]
            .iter()
            .any(|key| !schema[key].is_null())
        {
            return model_refuses(format!(
                "tools.{index}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            ));
        }
        if spec["strict"] == true {
            if !family.strict_tools {
                return unsupported("strict");
            }
            strict_tools += 1;
            if family.vendor == Vendor::Claude {
                strict::check(schema, &format!("tools.{index}.custom"))?;
            }
        }
    }
    if strict_tools > 20 {
        return model_refuses(format!(
            "Too many strict tools ({strict_tools}). The maximum number of strict tools supported is 20."
        ));
    }
    let (choice, chosen) = member(&config["toolChoice"]);
    if !family.forced_tool && matches!(choice, "any" | "tool") {
        return unsupported(&format!("toolConfig.toolChoice.{choice}"));
    }
    match chosen["name"].as_str() {
        Some(name) if !names.contains(name) => {
            model_refuses(format!("Tool '{name}' not found in provided tools"))
        }
        _ => Ok(()),
    }
}

fn claude(family: &Family, body: &Value, fields: &Value) -> Verdict {
    for name in fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
    {
        if !CLAUDE_FIELDS.contains(&&name[..]) {
            return model_refuses(format!("{name}: Extra inputs are not permitted"));
        }
    }
    let inference = &body["inferenceConfig"];
    let (temperature, top_p) = (&inference["temperature"], &inference["topP"]);
    let sampling = [
        ("temperature", temperature),
        ("top_p", top_p),
        ("top_k", &fields["top_k"]),
    ];
    let mut given = sampling.into_iter().filter(|(_, value)| !value.is_null());
    match family.sampling {
        Sampling::Neither => {
            if let Some((name, _)) = given.next() {
                return model_refuses(format!("`{name}` is deprecated for this model."));
            }
        }
        Sampling::OneOfThem if !temperature.is_null() && !top_p.is_null() => {
            return model_refuses(
                "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
            );
        }
        _ => {}
    }
    for stop in items(&inference["stopSequences"]) {
        if stop.as_str().is_some_and(|stop| stop.trim().is_empty()) {
            return model_refuses("stop_sequences: each stop sequence must contain non-whitespace");
        }
    }
    if !fields["tool_choice"].is_null() && body["toolConfig"].is_null() {
        return model_refuses("tool_choice: may only be specified while providing `tools`");
    }
    let efforts = [
        &fields["output_config"]["effort"],
        &body["outputConfig"]["effort"],
    ];
    for effort in efforts.into_iter().filter(|effort| !effort.is_null()) {
        let rank = |name: &str| EFFORTS.iter().position(|effort| *effort == name);
        let wanted = effort.as_str().and_then(rank);
        let Some(highest) = rank(family.effort) else {
            return model_refuses("This model does not support the effort parameter.");
        };
        if wanted.is_none_or(|wanted| wanted > highest) {
            let takes = EFFORTS.get(..=highest).unwrap_or_default().join("', '");
            return model_refuses(format!("output_config.effort: Input should be '{takes}'"));
        }
    }
    let Some(setting) = thinking(body) else {
        return Ok(());
    };
    let kind = setting["type"].as_str().unwrap_or_default();
    let known = match kind {
        "enabled" => matches!(family.thinking, Thinking::Budget | Thinking::Both),
        "adaptive" => !matches!(family.thinking, Thinking::No | Thinking::Budget),
        "disabled" => family.thinking != Thinking::Always,
        _ => {
            return model_refuses(format!(
                "thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
            ));
        }
    };
    if !known {
        let instead = match family.thinking {
            Thinking::Adaptive | Thinking::Always => {
                " Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior."
            }
            _ => "",
        };
        return model_refuses(format!(
            "\"thinking.type.{kind}\" is not supported for this model.{instead}"
        ));
    }
    if kind == "disabled" {
        return Ok(());
    }
    if kind == "enabled" {
        let Some(budget) = setting["budget_tokens"].as_u64() else {
            return model_refuses("thinking.enabled.budget_tokens: Field required");
        };
        if budget < 1024 {
            return model_refuses(
                "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
            );
        }
        if inference["maxTokens"]
            .as_u64()
            .is_some_and(|max| max <= budget)
        {
            return model_refuses("`max_tokens` must be greater than `thinking.budget_tokens`.");
        }
    }
    thinks(body, fields, kind)
}

/// What thinking excludes.
fn thinks(body: &Value, fields: &Value, kind: &str) -> Verdict {
    let inference = &body["inferenceConfig"];
    let number = |value: &Value| value.as_f64();
    if number(&inference["temperature"]).is_some_and(|it| (it - 1.0).abs() > 1e-9) {
        return model_refuses("`temperature` may only be set to 1 when thinking is enabled.");
    }
    if number(&inference["topP"]).is_some_and(|it| it < 0.95) {
        return model_refuses(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.",
        );
    }
    if !fields["top_k"].is_null() {
        return model_refuses("`top_k` must be unset when thinking is enabled.");
    }
    let choice = member(&body["toolConfig"]["toolChoice"]).0;
    let raw = fields["tool_choice"]["type"].as_str();
    if matches!(choice, "any" | "tool") || matches!(raw, Some("any" | "tool")) {
        return model_refuses("Thinking may not be enabled when tool_choice forces tool use.");
    }
    // A call whose results come now was thought about: the thought comes back with it.
    let messages = items(&body["messages"]);
    let last = messages
        .iter()
        .rposition(|message| message["role"] == "assistant");
    let Some((index, last)) = last.and_then(|index| Some((index, messages.get(index)?))) else {
        return Ok(());
    };
    let content = items(&last["content"]);
    let calls = content.iter().any(|block| member(block).0 == "toolUse");
    let first = content.first().map_or("", |block| member(block).0);
    let open = index + 1 == messages.len();
    if kind == "enabled" && (calls || open) && first != "reasoningContent" {
        let found = if first == "toolUse" {
            "tool_use"
        } else {
            "text"
        };
        return model_refuses(format!(
            "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{found}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`."
        ));
    }
    Ok(())
}

fn nova(family: &Family, body: &Value, fields: &Value) -> Verdict {
    let extraneous = |place: &str, key: &str| {
        model_refuses(format!(
            "Malformed input request: {place}: extraneous key [{key}] is not permitted, please reformat your input and try again."
        ))
    };
    for (name, value) in fields.as_object().into_iter().flatten() {
        match &name[..] {
            "inferenceConfig" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    if name != "topK" {
                        return extraneous("#/inferenceConfig", name);
                    }
                    if !value.as_u64().is_some_and(|top| (1..=128).contains(&top)) {
                        return model_refuses(format!(
                            "Malformed input request: #/inferenceConfig/topK: {value} is not between 1 and 128, please reformat your input and try again."
                        ));
                    }
                }
            }
            "reasoningConfig" if family.thinking == Thinking::Nova => {}
            _ => return extraneous("#", name),
        }
    }
    let Some(setting) = thinking(body) else {
        return Ok(());
    };
    let effort = setting["maxReasoningEffort"].as_str().unwrap_or_default();
    match (setting["type"].as_str(), effort) {
        (Some("disabled"), "") | (Some("enabled"), "low" | "medium") => Ok(()),
        (Some("enabled"), "high") => {
            let inference = &body["inferenceConfig"];
            let mut unset = ["maxTokens", "temperature", "topP"].into_iter();
            match unset.find(|name| !inference[name].is_null()) {
                Some(name) => model_refuses(format!(
                    "{name} must be unset when maxReasoningEffort is high."
                )),
                None => Ok(()),
            }
        }
        _ => model_refuses(
            "Malformed input request: #/reasoningConfig: type must be enabled, with a maxReasoningEffort of low, medium or high, or disabled, please reformat your input and try again.",
        ),
    }
}

fn text_format(family: &Family, body: &Value) -> Verdict {
    let Some(schema) = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema") else {
        return Ok(());
    };
    if !family.schema {
        return unsupported("outputConfig.textFormat");
    }
    let schema: Option<Value> = serde_json::from_str(schema.as_str().unwrap_or_default()).ok();
    let Some(schema) = schema.filter(Value::is_object) else {
        return refuse(
            "The value at outputConfig.textFormat.structure.jsonSchema.schema is not a JSON schema. Provide a string that holds a json object and try again.",
        );
    };
    match family.vendor {
        Vendor::Claude => strict::check(&schema, "output_config.format.schema"),
        _ => Ok(()),
    }
}
