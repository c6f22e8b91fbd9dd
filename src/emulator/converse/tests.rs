use serde_json::{Value, json};

use super::super::prompt;
use super::super::refusal::Refusal;
use super::{Memory, accept};

const HAIKU: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
const SONNET_4: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const SONNET_4_6: &str = "us.anthropic.claude-sonnet-4-6";
const OPUS_4_7: &str = "us.anthropic.claude-opus-4-7";
const OPUS_5_5: &str = "us.anthropic.claude-opus-5-5";
const NOVA: &str = "us.amazon.nova-lite-v1:0";
const NOVA_2: &str = "us.amazon.nova-2-lite-v1:0";
const LLAMA: &str = "us.meta.llama4-maverick-17b-instruct-v1:0";
const WRITER: &str = "us.writer.palmyra-x4-v1:0";
const UNKNOWN: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";

/// A request with these members, which asks something unless they do.
fn request(more: Value) -> Value {
    let mut body = json!({ "messages": [said("hi there")] });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

fn said(text: &str) -> Value {
    user(json!([{ "text": text }]))
}

fn user(content: Value) -> Value {
    json!({ "role": "user", "content": content })
}

fn assistant(content: Value) -> Value {
    json!({ "role": "assistant", "content": content })
}

fn tool(name: &str, properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    json!({ "toolSpec": {
        "name": name,
        "description": "does something",
        "inputSchema": { "json": { "type": "object", "properties": properties, "required": required } },
    } })
}

fn weather() -> Value {
    tool("get_weather", json!({ "city": { "type": "string" } }))
}

fn call(id: &str) -> Value {
    json!({ "toolUse": { "toolUseId": id, "name": "get_weather", "input": { "city": "Paris" } } })
}

fn result(id: &str, text: &str) -> Value {
    json!({ "toolResult": { "toolUseId": id, "content": [{ "text": text }] } })
}

/// A conversation in which this comes after a call of the tool.
fn after_a_call(content: Value) -> Value {
    request(json!({
        "messages": [said("weather?"), assistant(json!([call("t1")])), user(content)],
        "toolConfig": { "tools": [weather()] },
    }))
}

#[track_caller]
fn refusal(model: &str, body: &Value) -> Refusal {
    let stream = accept(model, body, true, &Memory::new()).err();
    let whole = accept(model, body, false, &Memory::new()).err();
    let whole = whole.unwrap_or_else(|| panic!("{model} takes {body:#}"));
    // Only the guardrail's mode is of the stream alone.
    assert!(stream.is_none() || stream.as_ref() == Some(&whole));
    whole
}

/// `body` must be refused with a text that begins like this.
#[track_caller]
fn refused(model: &str, body: Value, message: &str) {
    let refusal = refusal(model, &body);
    assert_eq!((refusal.status, refusal.name), (400, "ValidationException"));
    let said = refusal.body["message"].as_str().unwrap();
    assert!(said.starts_with(message), "{said}\n{message}\n{body:#}");
}

#[track_caller]
fn taken(model: &str, body: Value) -> Value {
    let memory = Memory::new();
    match accept(model, &body, false, &memory) {
        Ok(request) => request.message(None),
        Err(refusal) => panic!("{model} refuses {body:#}: {}", refusal.body),
    }
}

fn stream(model: &str, body: &Value) -> Vec<(&'static str, Value)> {
    let memory = Memory::new();
    accept(model, body, true, &memory).unwrap().events(None)
}

fn content(message: &Value) -> &Vec<Value> {
    message["output"]["message"]["content"].as_array().unwrap()
}

const MODEL: &str = "The model returned the following errors: ";

#[test]
fn shapes() {
    for (more, message) in [
        (
            json!({ "max_tokens": 1 }),
            "Malformed input request: #: extraneous key [max_tokens] is not permitted, please reformat your input and try again.",
        ),
        (
            json!({ "modelId": "x" }),
            "Malformed input request: #: extraneous key [modelId]",
        ),
        (
            json!({ "messages": {} }),
            "Malformed input request: #/messages: expected type: JSONArray, found: JSONObject",
        ),
        (
            json!({ "messages": ["hi"] }),
            "Malformed input request: #/messages/0: expected type: JSONObject, found: String",
        ),
        (
            json!({ "messages": [{ "role": "user" }] }),
            "Malformed input request: #/messages/0: required key [content] not found",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": null }] }),
            "Malformed input request: #/messages/0: required key [content] not found",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "hi" }] }),
            "Malformed input request: #/messages/0/content: expected type: JSONArray, found: String",
        ),
        (
            json!({ "messages": [{ "role": "tool", "content": [{ "text": "x" }] }] }),
            "1 validation error detected: Value 'tool' at 'messages.1.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant, system]",
        ),
        (
            json!({ "messages": [user(json!([{ "type": "text", "text": "x" }]))] }),
            "Malformed input request: #/messages/0/content/0: extraneous key [type] is not permitted",
        ),
        (
            json!({ "messages": [user(json!([{}]))] }),
            "ContentBlock object at messages.0.content.0 must set one of the following keys: text, image, document",
        ),
        (
            json!({ "messages": [user(json!([{ "text": "x", "cachePoint": { "type": "default" } }]))] }),
            "ContentBlock object at messages.0.content.0 must set only one of the following keys: text",
        ),
        (
            json!({ "system": "be brief" }),
            "Malformed input request: #/system: expected type: JSONArray, found: String",
        ),
        (
            json!({ "system": [{ "text": "" }] }),
            "1 validation error detected: Value '' at 'system.1.member.text' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!({ "inferenceConfig": { "maxTokens": 0 } }),
            "1 validation error detected: Value '0' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            json!({ "inferenceConfig": { "maxTokens": 1.5 } }),
            "Malformed input request: #/inferenceConfig/maxTokens: expected type: Integer, found: Double",
        ),
        (
            json!({ "inferenceConfig": { "maxTokens": 3_000_000_000_u64 } }),
            "1 validation error detected: Value '3000000000' at 'inferenceConfig.maxTokens'",
        ),
        (
            json!({ "inferenceConfig": { "temperature": 1.5 } }),
            "1 validation error detected: Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1",
        ),
        (
            json!({ "inferenceConfig": { "topP": -0.1 } }),
            "1 validation error detected: Value '-0.1' at 'inferenceConfig.topP'",
        ),
        (
            json!({ "inferenceConfig": { "topK": 1 } }),
            "Malformed input request: #/inferenceConfig: extraneous key [topK]",
        ),
        (
            json!({ "inferenceConfig": { "stopSequences": [""] } }),
            "1 validation error detected: Value '' at 'inferenceConfig.stopSequences.1.member'",
        ),
        (
            json!({ "inferenceConfig": { "stopSequences": vec!["x"; 2501] } }),
            "1 validation error detected: Value '[",
        ),
        (
            json!({ "toolConfig": { "tools": [] } }),
            "1 validation error detected: Value '[]' at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!({ "toolConfig": { "tools": [tool("a b", json!({}))] } }),
            "1 validation error detected: Value 'a b' at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
        ),
        (
            json!({ "toolConfig": { "tools": [tool(&"a".repeat(65), json!({}))] } }),
            "1 validation error detected: Value 'aaaa",
        ),
        (
            json!({ "toolConfig": { "tools": [weather()], "toolChoice": { "none": {} } } }),
            "Malformed input request: #/toolConfig/toolChoice: extraneous key [none]",
        ),
        (
            json!({ "toolConfig": { "tools": [weather()], "toolChoice": {} } }),
            "ToolChoice object at toolConfig.toolChoice must set one of",
        ),
        (
            json!({ "guardrailConfig": { "guardrailIdentifier": "A!" } }),
            "1 validation error detected: Value 'A!' at 'guardrailConfig.guardrailIdentifier'",
        ),
        (
            json!({ "guardrailConfig": { "guardrailIdentifier": "a", "guardrailVersion": "0" } }),
            "1 validation error detected: Value '0' at 'guardrailConfig.guardrailVersion'",
        ),
        (
            json!({ "guardrailConfig": { "streamProcessingMode": "sync" } }),
            "Malformed input request: #/guardrailConfig: extraneous key [streamProcessingMode]",
        ),
        (
            json!({ "requestMetadata": {} }),
            "1 validation error detected: Value '{}' at 'requestMetadata'",
        ),
        (
            json!({ "requestMetadata": { "k": 1 } }),
            "Malformed input request: #/requestMetadata/k: expected type: String, found: Integer",
        ),
        (
            json!({ "requestMetadata": { "k": "{}" } }),
            "1 validation error detected: Value '{}' at 'requestMetadata.k' failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
        (
            json!({ "requestMetadata": { "k": "x".repeat(257) } }),
            "1 validation error detected: Value 'xxx",
        ),
        (
            json!({ "requestMetadata": (0..17).map(|n| (n.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>() }),
            "1 validation error detected: Value '{",
        ),
        (
            json!({ "serviceTier": { "type": "scale" } }),
            "1 validation error detected: Value 'scale' at 'serviceTier.type'",
        ),
        (
            json!({ "performanceConfig": { "latency": "fast" } }),
            "1 validation error detected: Value 'fast' at 'performanceConfig.latency'",
        ),
        (
            json!({ "additionalModelRequestFields": [] }),
            "The format of the value at additionalModelRequestFields is invalid.",
        ),
        (
            json!({ "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": {} } } } } }),
            "Malformed input request: #/outputConfig/textFormat/structure/jsonSchema/schema: expected type: String, found: JSONObject",
        ),
        (
            json!({ "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": "[]" } } } } }),
            "The value at outputConfig.textFormat.structure.jsonSchema.schema is not a JSON schema.",
        ),
        (
            json!({ "messages": [] }),
            "A conversation must start with a user message.",
        ),
        (
            json!({ "messages": [user(json!([]))] }),
            "The content field in the Message object at messages.0 is empty.",
        ),
    ] {
        refused(HAIKU, request(more), message);
    }
    taken(
        HAIKU,
        request(json!({
            "system": [], "inferenceConfig": { "maxTokens": 1, "temperature": 1, "stopSequences": [] },
            "guardrailConfig": { "guardrailIdentifier": "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc1", "guardrailVersion": "12", "trace": "enabled_full" },
            "requestMetadata": { "a b": "" }, "serviceTier": { "type": "flex" }, "toolConfig": null,
        })),
    );
}

#[test]
fn blocks() {
    let text = json!({ "text": "look" });
    let image = |format: &str, bytes: &str| json!({ "image": { "format": format, "source": { "bytes": bytes } } });
    let file = |name: &str| json!({ "document": { "format": "pdf", "name": name, "source": { "bytes": "aGk=" } } });
    let stored = json!({ "image": { "format": "png", "source": { "s3Location": { "uri": "s3://bucket/key" } } } });
    let stored_file = json!({ "document": { "format": "pdf", "name": "a", "source": { "s3Location": { "uri": "s3://bucket/key" } } } });
    let video = json!({ "video": { "format": "mp4", "source": { "bytes": "aGk=" } } });
    let audio = json!({ "audio": { "format": "wav", "source": { "bytes": "aGk=" } } });
    for (model, blocks, message) in [
        (
            HAIKU,
            json!([{ "text": "" }]),
            "The text field in the ContentBlock object at messages.0.content.0 is blank. Add text to the text field, and try again.",
        ),
        (
            HAIKU,
            json!([{ "text": " \n" }]),
            "The text field in the ContentBlock object at messages.0.content.0 is blank.",
        ),
        (
            NOVA,
            json!([text, { "text": "\n" }]),
            "The text field in the ContentBlock object at messages.0.content.1 is blank.",
        ),
        (
            HAIKU,
            json!([image("svg+xml", "aGk=")]),
            "1 validation error detected: Value 'svg+xml' at 'messages.1.member.content.1.member.image.format'",
        ),
        (
            HAIKU,
            json!([image("png", "a*b=")]),
            "Malformed input request: #/messages/0/content/0/image/source/bytes: expected base64",
        ),
        (
            HAIKU,
            json!([image("png", "")]),
            "1 validation error detected: Value '' at 'messages.1.member.content.1.member.image.source.bytes'",
        ),
        (
            HAIKU,
            json!([stored]),
            "This model doesn't support the s3Uri field. Remove s3Uri and try again.",
        ),
        (
            HAIKU,
            json!([text, video]),
            "This model doesn't support the video content block that you provided.",
        ),
        (
            NOVA,
            json!([text, audio]),
            "This model doesn't support the audio content block that you provided.",
        ),
        (
            "amazon.nova-micro-v1:0",
            json!([image("png", "aGk=")]),
            "This model doesn't support the image content block",
        ),
        (
            HAIKU,
            json!([text, stored_file]),
            "The model returned the following errors: messages.0.content.1.document.source.type: Field required",
        ),
        (
            HAIKU,
            json!([text, file("a.pdf")]),
            "The document file name can only contain alphanumeric characters",
        ),
        (
            HAIKU,
            json!([text, file("a  b")]),
            "The document file name can only contain alphanumeric characters",
        ),
        (
            HAIKU,
            json!([text, file("a"), file("a")]),
            "Messages can't contain duplicate document names.",
        ),
        (
            HAIKU,
            json!([file("a")]),
            "A text block must be included when using documents.",
        ),
        (
            HAIKU,
            json!([
                text,
                file("a"),
                file("b"),
                file("c"),
                file("d"),
                file("e"),
                file("f")
            ]),
            "You can't include more than 5 documents in a request.",
        ),
        (
            HAIKU,
            json!([{ "toolUse": { "toolUseId": "t", "name": "x", "input": {} } }]),
            "The model returned the following errors: messages.0: `tool_use` blocks can only be in `assistant` messages",
        ),
        (
            HAIKU,
            json!([{ "reasoningContent": { "reasoningText": { "text": "x" } } }]),
            "The model returned the following errors: messages.0: `thinking` blocks can only be in",
        ),
    ] {
        refused(
            model,
            request(json!({ "messages": [user(blocks)] })),
            message,
        );
    }
    for (model, blocks) in [
        (HAIKU, json!([text, { "text": "\n" }])),
        (
            HAIKU,
            json!([image("png", "aGk="), text, file("My (new) file - 2 [a]")]),
        ),
        (NOVA, json!([stored, text, video])),
        (UNKNOWN, json!([audio])),
    ] {
        taken(model, request(json!({ "messages": [user(blocks)] })));
    }
}

#[test]
fn names_no_model() {
    for id in ["gpt-4o-mini", "x"] {
        refused(
            id,
            request(json!({})),
            "The provided model identifier is invalid.",
        );
    }
}

#[test]
fn order() {
    let (ask, reply) = (said("hi"), assistant(json!([{ "text": "yes" }])));
    let start = "A conversation must start with a user message.";
    for (model, messages, message) in [
        (NOVA, json!([reply, ask]), start),
        (LLAMA, json!([reply, ask]), start),
        (
            NOVA,
            json!([ask, ask]),
            "A conversation must alternate between user and assistant roles.",
        ),
        (
            NOVA,
            json!([ask, reply]),
            "A conversation must end with a user message.",
        ),
        (
            SONNET_4_6,
            json!([ask, reply]),
            "The model returned the following errors: This model does not support assistant message prefill.",
        ),
        (
            SONNET_4,
            json!([ask, assistant(json!([{ "text": "yes " }]))]),
            "The model returned the following errors: messages: final assistant content cannot end with trailing whitespace",
        ),
    ] {
        refused(model, request(json!({ "messages": messages })), message);
    }
    let brief = json!({ "role": "system", "content": [{ "text": "be brief" }] });
    for model in [HAIKU, NOVA, LLAMA] {
        let unexpected =
            "The model returned the following errors: messages: Unexpected role \"system\".";
        refused(
            model,
            request(json!({ "messages": [ask, brief] })),
            unexpected,
        );
    }
    for (model, messages) in [
        ("us.anthropic.claude-sonnet-5", json!([ask, brief])),
        (HAIKU, json!([reply, ask])),
        (HAIKU, json!([ask, ask, reply, reply, ask])),
        (SONNET_4, json!([ask, reply])),
        (NOVA, json!([ask, reply, ask])),
    ] {
        taken(model, request(json!({ "messages": messages })));
    }
    let system = json!({ "system": [{ "text": "be brief" }] });
    let message = "This model doesn't support system messages.";
    refused(
        "amazon.titan-text-express-v1",
        request(system.clone()),
        message,
    );
    taken(NOVA, request(system));
}

#[test]
fn tool_results() {
    let pdf =
        json!({ "document": { "format": "pdf", "name": "a", "source": { "bytes": "aGk=" } } });
    let image = json!({ "image": { "format": "png", "source": { "bytes": "aGk=" } } });
    let answered =
        |content: Value| json!({ "toolResult": { "toolUseId": "t1", "content": content } });
    let together = "messages.2.content: Conversation blocks and tool result blocks cannot be provided in the same turn.";
    for (model, content, message) in [
        (
            HAIKU,
            json!([{ "text": "well?" }]),
            "Expected toolResult blocks at messages.2.content for the following Ids: t1",
        ),
        (
            HAIKU,
            json!([result("t2", "sunny")]),
            "Expected toolResult blocks at messages.2.content for the following Ids: t1",
        ),
        (
            HAIKU,
            json!([result("t1", "sunny"), result("t2", "rain")]),
            "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn.",
        ),
        (
            HAIKU,
            json!([result("t 1", "sunny")]),
            "1 validation error detected: Value 't 1' at 'messages.3.member.content.1.member.toolResult.toolUseId'",
        ),
        (
            HAIKU,
            json!([result("t1", " ")]),
            "The text field in the ToolResultContentBlock object at messages.2.content.0.toolResult.content.0 is blank.",
        ),
        (
            HAIKU,
            json!([answered(json!([{ "json": [1] }]))]),
            "The format of the value at messages.2.content.0.toolResult.content.0.json is invalid.",
        ),
        (
            HAIKU,
            json!([{ "toolResult": { "toolUseId": "t1", "content": [], "status": "error" } }]),
            "The content field at messages.2.content.0.toolResult cannot be empty when status value is error.",
        ),
        (
            LLAMA,
            json!([result("t1", "sunny"), { "text": "and?" }]),
            together,
        ),
        (
            WRITER,
            json!([{ "toolResult": { "toolUseId": "t1", "content": [{ "text": "sunny" }], "status": "success" } }]),
            "This model doesn't support the status field. Remove status and try again.",
        ),
        (
            NOVA,
            json!([answered(json!([pdf]))]),
            "The model returned the following errors: Malformed input request: #/messages/2/content/0: extraneous key [toolResult] is not permitted, please reformat your input and try again.",
        ),
        (
            "qwen.qwen3-32b-v1:0",
            json!([answered(json!([image]))]),
            "This model doesn't support the image content block",
        ),
    ] {
        refused(model, after_a_call(content), message);
    }
    for (model, content) in [
        (
            HAIKU,
            json!([result("t1", "sunny"), { "text": "and?" }, image]),
        ),
        (
            HAIKU,
            json!([answered(json!([image, { "json": { "a": 1 } }]))]),
        ),
        (HAIKU, json!([answered(json!([]))])),
        (
            HAIKU,
            json!([result("t1", "sunny"), { "text": "and" }, pdf]),
        ),
        (
            NOVA,
            json!([result("t1", "sunny"), pdf, { "text": "and?" }]),
        ),
        (LLAMA, json!([result("t1", "sunny")])),
    ] {
        taken(model, after_a_call(content));
    }

    // Messages of one role in a row are one turn.
    let mut split = after_a_call(json!([result("t1", "sunny")]));
    split["messages"] = json!([
        said("weather?"),
        assistant(json!([call("t1"), call("t2")])),
        user(json!([result("t1", "sunny")])),
        user(json!([result("t2", "rain")]))
    ]);
    taken(HAIKU, split.clone());
    split["messages"][1] = assistant(json!([call("t1"), call("t1")]));
    let twice =
        "The model returned the following errors: messages.1: `tool_use` ids must be unique";
    refused(HAIKU, split.clone(), twice);
    split["messages"] = json!([said("weather?"), assistant(json!([call("t1")]))]);
    refused(
        HAIKU,
        split.clone(),
        "Expected toolResult blocks at messages.2.content for the following Ids: t1",
    );
    split["messages"] = json!([
        said("weather?"),
        assistant(json!([{ "toolUse": { "toolUseId": "t1", "name": "x", "input": "{}" } }])),
        user(json!([result("t1", "x")]))
    ]);
    refused(
        HAIKU,
        split,
        "The format of the value at messages.1.content.0.toolUse.input is invalid. Provide a json object for the field and try again.",
    );

    let mut without = after_a_call(json!([result("t1", "sunny")]));
    without.as_object_mut().unwrap().remove("toolConfig");
    refused(
        HAIKU,
        without,
        "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
    );
    let alone = request(
        json!({ "messages": [user(json!([result("t1", "sunny")]))], "toolConfig": { "tools": [weather()] } }),
    );
    refused(
        HAIKU,
        alone,
        "The number of toolResult blocks at messages.0.content exceeds",
    );
}

#[test]
fn tool_configurations() {
    let with = |schema: Value| json!({ "tools": [{ "toolSpec": { "name": "x", "inputSchema": { "json": schema } } }] });
    let object = json!({ "type": "object" });
    let strict = |schema: Value| json!({ "tools": [{ "toolSpec": { "name": "x", "strict": true, "inputSchema": { "json": schema } } }] });
    let closed = json!({ "type": "object", "additionalProperties": false });
    let mut bounded = closed.clone();
    bounded["properties"] = json!({ "n": { "type": "integer", "minimum": 1 } });
    let mut open = closed.clone();
    open["properties"] = json!({ "list": { "type": "array", "items": object } });
    let choice = |choice: Value| json!({ "tools": [weather()], "toolChoice": choice });
    let type_text = "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be one of the following: object.";
    let additional = "The model returned the following errors: tools.0.custom: For 'object' type, 'additionalProperties' must be explicitly set to false";
    for (model, config, message) in [
        (HAIKU, with(json!({})), type_text),
        (NOVA, with(json!({ "type": "string" })), type_text),
        (
            NOVA,
            with(json!("object")),
            "The format of the value at toolConfig.tools.0.toolSpec.inputSchema.json is invalid.",
        ),
        (
            HAIKU,
            with(json!({ "type": "object", "anyOf": [] })),
            "The model returned the following errors: tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
        ),
        (
            HAIKU,
            json!({ "tools": [weather(), weather()] }),
            "The model returned the following errors: tools: Tool names must be unique.",
        ),
        (
            HAIKU,
            choice(json!({ "tool": { "name": "other" } })),
            "The model returned the following errors: Tool 'other' not found in provided tools",
        ),
        (
            LLAMA,
            choice(json!({ "any": {} })),
            "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
        ),
        (
            OPUS_5_5,
            choice(json!({ "tool": { "name": "get_weather" } })),
            "This model doesn't support the toolConfig.toolChoice.tool field.",
        ),
        (
            NOVA,
            strict(closed.clone()),
            "This model doesn't support the strict field.",
        ),
        (
            OPUS_4_7,
            strict(closed.clone()),
            "This model doesn't support the strict field.",
        ),
        (HAIKU, strict(object.clone()), additional),
        (HAIKU, strict(open), additional),
        (
            HAIKU,
            strict(bounded),
            "The model returned the following errors: tools.0.custom: For 'integer' type, property 'minimum' is not supported",
        ),
        (
            "us.deepseek.r1-v1:0",
            choice(json!({ "auto": {} })),
            "This model doesn't support tool use.",
        ),
    ] {
        refused(model, request(json!({ "toolConfig": config })), message);
    }
    for (model, config) in [
        (HAIKU, strict(closed)),
        (LLAMA, choice(json!({ "auto": {} }))),
        (NOVA, choice(json!({ "any": {} }))),
    ] {
        taken(model, request(json!({ "toolConfig": config })));
    }
}

#[test]
fn sampling_and_thinking() {
    let thinks = |budget: u64, inference: Value| {
        json!({
            "additionalModelRequestFields": { "thinking": { "type": "enabled", "budget_tokens": budget } },
            "inferenceConfig": inference,
        })
    };
    let fields = |fields: Value| json!({ "additionalModelRequestFields": fields });
    let adaptive = || json!({ "type": "adaptive" });
    for (model, more, message) in [
        (
            HAIKU,
            json!({ "inferenceConfig": { "temperature": 0.5, "topP": 0.9 } }),
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        ),
        (
            OPUS_4_7,
            json!({ "inferenceConfig": { "temperature": 1 } }),
            "`temperature` is deprecated for this model.",
        ),
        (
            OPUS_4_7,
            fields(json!({ "top_k": 3 })),
            "`top_k` is deprecated for this model.",
        ),
        (
            HAIKU,
            json!({ "inferenceConfig": { "stopSequences": ["\n"] } }),
            "stop_sequences: each stop sequence must contain non-whitespace",
        ),
        (
            HAIKU,
            fields(json!({ "reasoning_effort": "low" })),
            "reasoning_effort: Extra inputs are not permitted",
        ),
        (
            HAIKU,
            fields(json!({ "tool_choice": { "type": "auto" } })),
            "tool_choice: may only be specified while providing `tools`",
        ),
        (
            HAIKU,
            thinks(1023, json!({})),
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            HAIKU,
            thinks(2000, json!({ "maxTokens": 2000 })),
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
        (
            HAIKU,
            thinks(2000, json!({ "temperature": 0.5 })),
            "`temperature` may only be set to 1 when thinking is enabled.",
        ),
        (
            HAIKU,
            thinks(2000, json!({ "topP": 0.5 })),
            "`top_p` must be greater than or equal to 0.95",
        ),
        (
            HAIKU,
            fields(json!({ "thinking": { "type": "enabled" } })),
            "thinking.enabled.budget_tokens: Field required",
        ),
        (
            HAIKU,
            fields(json!({ "thinking": { "type": "on" } })),
            "thinking: Input tag 'on' found using 'type'",
        ),
        (
            HAIKU,
            fields(json!({ "thinking": { "type": "adaptive" } })),
            "\"thinking.type.adaptive\" is not supported for this model.",
        ),
        (
            OPUS_4_7,
            thinks(2000, json!({})),
            "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\"",
        ),
        (
            OPUS_5_5,
            fields(json!({ "thinking": { "type": "disabled" } })),
            "\"thinking.type.disabled\" is not supported for this model.",
        ),
        (
            HAIKU,
            fields(json!({ "output_config": { "effort": "low" } })),
            "This model does not support the effort parameter.",
        ),
        (
            "us.anthropic.claude-opus-4-5-20251101-v1:0",
            fields(json!({ "output_config": { "effort": "max" } })),
            "output_config.effort: Input should be 'low', 'medium', 'high'",
        ),
        (
            SONNET_4_6,
            json!({ "outputConfig": { "effort": "minimal" } }),
            "output_config.effort: Input should be 'low'",
        ),
        (
            NOVA,
            fields(json!({ "top_k": 3 })),
            "Malformed input request: #: extraneous key [top_k] is not permitted",
        ),
        (
            NOVA,
            fields(json!({ "inferenceConfig": { "top_k": 3 } })),
            "Malformed input request: #/inferenceConfig: extraneous key [top_k]",
        ),
        (
            NOVA,
            fields(json!({ "reasoningConfig": { "type": "disabled" } })),
            "Malformed input request: #: extraneous key [reasoningConfig]",
        ),
        (
            NOVA_2,
            fields(
                json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "max" } }),
            ),
            "Malformed input request: #/reasoningConfig",
        ),
        (
            NOVA_2,
            json!({ "additionalModelRequestFields": { "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "high" } }, "inferenceConfig": { "maxTokens": 9 } }),
            "maxTokens must be unset when maxReasoningEffort is high.",
        ),
    ] {
        refused(model, request(more), &format!("{MODEL}{message}"));
    }
    let mut forced = thinks(2000, json!({}));
    forced["toolConfig"] = json!({ "tools": [weather()], "toolChoice": { "any": {} } });
    refused(
        HAIKU,
        request(forced.clone()),
        "The model returned the following errors: Thinking may not be enabled when tool_choice forces tool use.",
    );
    forced["toolConfig"]["toolChoice"] = json!({ "auto": {} });
    taken(HAIKU, request(forced));
    refused(
        "openai.gpt-6",
        request(json!({ "inferenceConfig": { "stopSequences": ["x"] } })),
        "This model doesn't support the stopSequences field.",
    );
    for (model, more) in [
        (
            SONNET_4,
            json!({ "inferenceConfig": { "temperature": 0.5, "topP": 0.9 } }),
        ),
        (
            HAIKU,
            thinks(1024, json!({ "maxTokens": 1025, "temperature": 1.0 })),
        ),
        (
            SONNET_4_6,
            fields(json!({ "thinking": adaptive(), "output_config": { "effort": "max" } })),
        ),
        (OPUS_5_5, fields(json!({ "thinking": adaptive() }))),
        (NOVA, fields(json!({ "inferenceConfig": { "topK": 20 } }))),
        (
            NOVA_2,
            fields(
                json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "low" } }),
            ),
        ),
        (UNKNOWN, fields(json!({ "anything": 1 }))),
    ] {
        taken(model, request(more));
    }
}

#[test]
fn calls_tools() {
    let nested = tool(
        "book",
        json!({
            "city": { "type": "string" }, "nights": { "type": "integer" }, "class": { "enum": ["first", "second"] },
            "guests": { "type": "array", "items": { "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] } },
        }),
    );
    let config = json!({ "tools": [weather(), nested, tool("now", json!({}))] });
    let ask = |text: &str, choice: Value| {
        let mut config = config.clone();
        config["toolChoice"] = choice;
        request(json!({ "messages": [said(text)], "toolConfig": config }))
    };
    let calls = |message: &Value| -> Vec<(String, Value)> {
        let blocks = content(message).iter().map(|block| &block["toolUse"]);
        let uses = blocks.filter(|block| block.is_object());
        uses.map(|block| {
            assert!(
                block["toolUseId"].as_str().unwrap().starts_with("tooluse_"),
                "{block}"
            );
            (
                block["name"].as_str().unwrap().to_owned(),
                block["input"].clone(),
            )
        })
        .collect()
    };
    let paris = |name: &str| (name.to_owned(), json!({ "city": "Paris" }));

    let message = taken(
        HAIKU,
        ask("What is the weather in Paris?", json!({ "any": {} })),
    );
    assert_eq!(calls(&message), [paris("get_weather")]);
    assert_eq!(
        (content(&message).len(), &message["stopReason"]),
        (1, &json!("tool_use"))
    );
    let message = taken(
        HAIKU,
        ask("Paris, please", json!({ "tool": { "name": "book" } })),
    );
    let booked = json!({ "city": "please", "nights": 1, "class": "first", "guests": [{ "name": "please" }] });
    assert_eq!(calls(&message), [("book".to_owned(), booked)]);
    let message = taken(NOVA, ask("Use now and get_weather in Paris.", Value::Null));
    assert_eq!(
        calls(&message),
        [paris("get_weather"), ("now".to_owned(), json!({}))]
    );
    assert_eq!(
        content(&message)[0]["text"],
        "I will use get_weather and now."
    );
    let message = taken(HAIKU, ask("get_weather", json!({ "auto": {} })));
    assert_eq!(
        calls(&message),
        [("get_weather".to_owned(), json!({ "city": "text" }))]
    );
    assert_eq!(content(&message).len(), 1);
    let mut one = ask("now, get_weather in Paris", Value::Null);
    one["additionalModelRequestFields"] =
        json!({ "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } });
    assert_eq!(calls(&taken(HAIKU, one)), [paris("get_weather")]);
    for text in ["What is the weather?", "get_weathers", "nowhere"] {
        let message = taken(HAIKU, ask(text, Value::Null));
        assert!(calls(&message).is_empty(), "{message}");
        assert_eq!(message["stopReason"], "end_turn");
    }

    let message = taken(
        HAIKU,
        after_a_call(json!([result("t1", "sunny, 21 degrees"), { "text": "get_weather said?" }])),
    );
    assert_eq!(
        content(&message),
        &[json!({ "text": "The tools say: sunny, 21 degrees" })]
    );
    assert_eq!(message["stopReason"], "end_turn");
}

/// The concatenated input of each streamed call, and in how many deltas it came.
fn streamed(events: &[(&'static str, Value)]) -> Vec<(String, String, usize)> {
    let starts = events
        .iter()
        .filter(|(name, _)| *name == "contentBlockStart");
    starts
        .map(|(_, start)| {
            let index = &start["contentBlockIndex"];
            let of_block = |event: &&(&str, Value)| {
                event.0 == "contentBlockDelta" && event.1["contentBlockIndex"] == *index
            };
            let deltas: Vec<&str> = events
                .iter()
                .filter(of_block)
                .map(|(_, event)| event["delta"]["toolUse"]["input"].as_str().unwrap())
                .collect();
            let name = start["start"]["toolUse"]["name"].as_str().unwrap();
            (name.to_owned(), deltas.concat(), deltas.len())
        })
        .collect()
}

#[test]
fn streams_tools() {
    let ask = request(json!({
        "messages": [said("Please get_weather in Paris and now")],
        "toolConfig": { "tools": [weather(), tool("now", json!({}))] },
    }));
    let events = stream(HAIKU, &ask);
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(names[0], "messageStart");
    assert_eq!(
        names[names.len() - 3..],
        ["contentBlockStop", "messageStop", "metadata"]
    );
    assert!(
        events
            .iter()
            .any(|(_, event)| event["delta"]["text"].is_string())
    );
    let calls = streamed(&events);
    assert!(calls[0].2 > 2, "{calls:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&calls[0].1).unwrap(),
        json!({ "city": "Paris" })
    );
    assert_eq!(calls[1], ("now".to_owned(), String::new(), 1));
    let calls = streamed(&stream(NOVA, &ask));
    assert_eq!(
        calls[0],
        (
            "get_weather".to_owned(),
            "{\"city\":\"Paris\"}".to_owned(),
            1
        )
    );
    assert_eq!(calls[1], ("now".to_owned(), "{}".to_owned(), 1));
    let calls = streamed(&stream(LLAMA, &ask));
    assert_eq!(calls[1], ("now".to_owned(), String::new(), 0));
    let stop = events.iter().find(|(name, _)| *name == "messageStop");
    assert_eq!(stop.unwrap().1["stopReason"], "tool_use");
}

fn format(schema: &Value) -> Value {
    json!({ "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "name": "it", "schema": schema.to_string() } } } })
}

#[test]
fn structured_output() {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["city", "country"],
        "properties": { "city": { "type": "string" }, "country": { "$ref": "#/$defs/country" } },
        "$defs": { "country": { "type": "object", "additionalProperties": false, "required": ["code"], "properties": { "code": { "enum": ["FR", "DE"] } } } },
    });
    let ask = request(
        json!({ "messages": [said("Which is the largest town in Paris?")], "outputConfig": format(&schema) }),
    );
    let wanted = json!({ "city": "Paris", "country": { "code": "FR" } });
    for model in [
        HAIKU,
        SONNET_4_6,
        UNKNOWN,
        "us.anthropic.claude-sonnet-5",
        "google.gemma-3-27b-it",
        "mistral.mistral-large-3-675b-instruct",
    ] {
        let message = taken(model, ask.clone());
        let text = content(&message)[0]["text"].as_str().unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(text).unwrap(),
            wanted,
            "{model}"
        );
        assert_eq!(message["stopReason"], "end_turn");
    }
    let text: String = stream(HAIKU, &ask)
        .iter()
        .filter_map(|(_, event)| event["delta"]["text"].as_str())
        .collect();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), wanted);
    for model in [
        NOVA,
        NOVA_2,
        LLAMA,
        SONNET_4,
        OPUS_4_7,
        "us.anthropic.claude-opus-5",
    ] {
        refused(
            model,
            ask.clone(),
            "This model doesn't support the outputConfig.textFormat field. Remove outputConfig.textFormat and try again.",
        );
    }
    let open = request(json!({ "outputConfig": format(&json!({ "type": "object" })) }));
    refused(
        HAIKU,
        open.clone(),
        "The model returned the following errors: output_config.format.schema: For 'object' type, 'additionalProperties' must be",
    );
    taken("google.gemma-3-27b-it", open);
    let mut short = ask;
    short["inferenceConfig"] = json!({ "maxTokens": 3 });
    let message = taken(HAIKU, short);
    assert_eq!(
        (&content(&message)[0]["text"], &message["stopReason"]),
        (&json!("{ \"city\": \"Paris\","), &json!("max_tokens"))
    );
}

#[test]
fn reasoning() {
    let memory = Memory::new();
    let fields = json!({ "thinking": { "type": "enabled", "budget_tokens": 1024 } });
    let config = json!({ "tools": [weather()] });
    let first = request(
        json!({ "messages": [said("get_weather in Paris")], "additionalModelRequestFields": fields, "toolConfig": config }),
    );
    let message = accept(HAIKU, &first, false, &memory).unwrap().message(None);
    let blocks = content(&message);
    let thought = &blocks[0]["reasoningContent"]["reasoningText"];
    assert!(
        thought["text"].as_str().unwrap().len() > 10
            && thought["signature"].as_str().unwrap().len() > 40,
        "{message}"
    );
    let id = blocks.last().unwrap()["toolUse"]["toolUseId"]
        .as_str()
        .unwrap();
    let replay = |blocks: &[Value]| {
        request(json!({
            "messages": [said("get_weather in Paris"), assistant(json!(blocks)), user(json!([result(id, "sunny")]))],
            "additionalModelRequestFields": fields, "toolConfig": config,
        }))
    };
    let says = |blocks: &[Value]| match accept(HAIKU, &replay(blocks), false, &memory) {
        Ok(_) => String::new(),
        Err(refusal) => refusal.body["message"].as_str().unwrap().to_owned(),
    };
    assert_eq!(says(blocks), "");
    let mut changed = blocks.clone();
    changed[0]["reasoningContent"]["reasoningText"]["text"] = json!("something else");
    assert_eq!(
        says(&changed),
        "The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block"
    );
    changed[0]["reasoningContent"]["reasoningText"]
        .as_object_mut()
        .unwrap()
        .remove("signature");
    assert_eq!(
        says(&changed),
        "The model returned the following errors: messages.1.content.0.thinking.signature: Field required"
    );
    assert!(says(&blocks[1..]).contains(
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`"
    ));
    assert!(says(&blocks[2..]).contains("but found `tool_use`"));
    assert!(accept(HAIKU, &replay(blocks), false, &Memory::new()).is_err());

    let events = stream(HAIKU, &first);
    let deltas: Vec<&Value> = events
        .iter()
        .map(|(_, event)| &event["delta"]["reasoningContent"])
        .filter(|delta| delta.is_object())
        .collect();
    assert!(
        deltas.len() > 2
            && deltas[..deltas.len() - 1]
                .iter()
                .all(|delta| delta["text"].is_string())
    );
    assert!(deltas.last().unwrap()["signature"].is_string());
    assert!(
        !events
            .iter()
            .any(|(name, event)| *name == "contentBlockStart" && event["contentBlockIndex"] == 0)
    );

    let hidden = request(
        json!({ "messages": [said("redacted-thinking")], "additionalModelRequestFields": fields }),
    );
    let message = accept(HAIKU, &hidden, false, &memory)
        .unwrap()
        .message(None);
    assert!(
        content(&message)[0]["reasoningContent"]["redactedContent"].is_string(),
        "{message}"
    );
    let again = |blocks: &Value| {
        let body = request(
            json!({ "messages": [said("x"), assistant(json!([blocks, { "text": "y" }])), said("z")] }),
        );
        accept(HAIKU, &body, false, &memory).is_ok()
    };
    assert!(again(&content(&message)[0]));
    assert!(!again(
        &json!({ "reasoningContent": { "redactedContent": "aGk=" } })
    ));

    let nova = request(
        json!({ "additionalModelRequestFields": { "reasoningConfig": { "type": "enabled", "maxReasoningEffort": "low" } } }),
    );
    let message = taken(NOVA_2, nova);
    assert_eq!(
        content(&message)[0],
        json!({ "reasoningContent": { "reasoningText": { "text": "[REDACTED]" } } })
    );
    let history = |model| {
        request(
            json!({ "messages": [said("x"), assistant(json!([content(&message)[0], { "text": "y" }])), said(model)] }),
        )
    };
    refused(
        NOVA,
        history(NOVA),
        "This model doesn't support the reasoningContent field.",
    );
    taken(NOVA_2, history(NOVA_2));
    let oss = request(json!({ "additionalModelRequestFields": { "reasoning_effort": "low" } }));
    let events = stream("openai.gpt-oss-120b-1:0", &oss);
    assert_eq!(events[1].1["delta"], json!({ "text": "" }));
    assert!(events[3].1["delta"]["reasoningContent"]["text"].is_string());
}

/// Whoever hides a Claude behind a profile still gets its thoughts.
#[test]
fn reasoning_of_an_unknown_model() {
    let fields = json!({ "thinking": { "type": "adaptive" } });
    let message = taken(
        UNKNOWN,
        request(json!({ "additionalModelRequestFields": fields })),
    );
    let thought = &content(&message)[0]["reasoningContent"]["reasoningText"];
    assert!(thought["signature"].is_string(), "{message}");
}

#[test]
fn guardrails() {
    let config =
        json!({ "guardrailIdentifier": "abc", "guardrailVersion": "1", "trace": "enabled" });
    let bad = request(
        json!({ "messages": [said("this is blocked-by-guardrail")], "guardrailConfig": config }),
    );
    let message = taken(HAIKU, bad.clone());
    assert_eq!(message["stopReason"], "guardrail_intervened");
    assert_eq!(
        message["usage"],
        json!({ "inputTokens": 0, "outputTokens": 0, "totalTokens": 0 })
    );
    assert_eq!(
        content(&message)[0]["text"],
        "Sorry, the model cannot answer this question."
    );
    assert!(
        message["trace"]["guardrail"]["inputAssessment"]["abc"].is_object(),
        "{message}"
    );
    let events = stream(HAIKU, &bad);
    assert_eq!(
        events[events.len() - 2].1["stopReason"],
        "guardrail_intervened"
    );
    assert_eq!(events.last().unwrap().1["usage"]["totalTokens"], 0);
    let mut free = bad;
    free.as_object_mut().unwrap().remove("guardrailConfig");
    assert_eq!(taken(HAIKU, free)["stopReason"], "end_turn");
    let mode = json!({ "guardrailIdentifier": "abc", "streamProcessingMode": "async" });
    assert!(
        accept(
            HAIKU,
            &request(json!({ "guardrailConfig": mode })),
            true,
            &Memory::new()
        )
        .is_ok()
    );
}

#[test]
fn usage() {
    let memory = Memory::new();
    let point = json!({ "cachePoint": { "type": "default" } });
    let ask = |text: &str| {
        request(json!({
            "system": [{ "text": "one two three four" }, point],
            "messages": [user(json!([{ "text": "five six" }, point, { "text": text }]))],
        }))
    };
    let usage =
        |body: &Value| accept(HAIKU, body, false, &memory).unwrap().message(None)["usage"].clone();
    let first = usage(&ask("seven"));
    assert_eq!(first["cacheWriteInputTokens"], 6);
    assert_eq!(
        first["cacheDetails"],
        json!([{ "ttl": "5m", "inputTokens": 6 }])
    );
    let sum = |usage: &Value| {
        let keys = [
            "inputTokens",
            "outputTokens",
            "cacheReadInputTokens",
            "cacheWriteInputTokens",
        ];
        keys.iter()
            .map(|key| usage[key].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(
        (first["inputTokens"].as_u64(), first["totalTokens"].as_u64()),
        (Some(1), Some(sum(&first)))
    );
    let second = usage(&ask("eight nine"));
    assert_eq!(
        (
            &second["cacheReadInputTokens"],
            &second["cacheWriteInputTokens"],
            &second["inputTokens"]
        ),
        (&json!(6), &json!(0), &json!(2))
    );
    assert!(second["cacheDetails"].is_null());
    // The system's prefix is known, the message's is not.
    let mut third = ask("x");
    third["messages"][0]["content"][0]["text"] = json!("other words here");
    let third = usage(&third);
    assert_eq!(
        (
            &third["cacheReadInputTokens"],
            &third["cacheWriteInputTokens"]
        ),
        (&json!(4), &json!(3))
    );
    assert!(usage(&request(json!({})))["cacheReadInputTokens"].is_null());
    // Another model caches for itself.
    let nova = accept(NOVA, &ask("x"), false, &memory)
        .unwrap()
        .message(None);
    assert_eq!(nova["usage"]["cacheReadInputTokens"], 0);
    // Whatever is asked, the memory is bounded: the first prefix is forgotten in the end.
    for number in 0..5000 {
        usage(&request(
            json!({ "system": [{ "text": number.to_string() }, point] }),
        ));
    }
    assert_eq!(usage(&ask("x"))["cacheReadInputTokens"], 0);

    let five = request(json!({ "system": [{ "text": "x" }, point, point, point, point, point] }));
    refused(
        HAIKU,
        five,
        "The model returned the following errors: A maximum of 4 blocks with cache_control may be provided. Found 5.",
    );
    let unsupported = refusal(
        LLAMA,
        &request(json!({ "system": [{ "text": "x" }, point] })),
    );
    assert_eq!(
        (unsupported.status, unsupported.name),
        (403, "AccessDeniedException")
    );
    let tier = request(
        json!({ "serviceTier": { "type": "flex" }, "performanceConfig": { "latency": "optimized" } }),
    );
    let message = taken(HAIKU, tier.clone());
    assert_eq!(
        (&message["serviceTier"], &message["performanceConfig"]),
        (&tier["serviceTier"], &tier["performanceConfig"])
    );
    assert_eq!(
        stream(HAIKU, &tier).last().unwrap().1["serviceTier"],
        tier["serviceTier"]
    );
}

#[test]
fn limits_and_stops() {
    let stopped = request(
        json!({ "messages": [said("one STOP two")], "inferenceConfig": { "stopSequences": ["STOP"] } }),
    );
    let message = taken(HAIKU, stopped);
    assert_eq!(
        (&content(&message)[0]["text"], &message["stopReason"]),
        (&json!("You said: \"one "), &json!("stop_sequence"))
    );
    let short = request(json!({ "inferenceConfig": { "maxTokens": 2 } }));
    let message = taken(NOVA, short);
    assert_eq!(
        (&message["usage"]["outputTokens"], &message["stopReason"]),
        (&json!(2), &json!("max_tokens"))
    );
    let memory = Memory::new();
    let body = request(json!({}));
    let large = accept(HAIKU, &body, false, &memory)
        .unwrap()
        .message(Some(1000));
    let text = content(&large)[0]["text"].as_str().unwrap();
    assert_eq!(
        (text.len(), large["usage"]["outputTokens"].as_u64()),
        (1000, Some(prompt::tokens(text)))
    );
}
