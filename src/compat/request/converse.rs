//! Converse's request, as it is written. It borrows from the client's.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::words::Words;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Converse<'n> {
    pub(super) messages: Vec<Turn<'n>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system: Vec<SystemBlock<'n>>,
    #[serde(skip_serializing_if = "Inference::is_empty")]
    pub(super) inference_config: Inference<'n>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_config: Option<ToolConfig<'n>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guardrail_config: Option<Guardrail<'n>>,
    #[serde(skip_serializing_if = "Additional::is_empty")]
    pub(super) additional_model_request_fields: Additional<'n>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) additional_model_response_field_paths: Vec<&'n str>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub(super) request_metadata: Vec<(&'n str, &'n str)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) performance_config: Option<Performance<'n>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<ServiceTier<'n>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<OutputConfig<'n>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Turn<'n> {
    pub(super) role: Role,
    pub(super) content: Vec<Block<'n>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    User,
    Assistant,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'n> {
    Text(Words<'n>),
    Image(Media<'n>),
    Document(Document<'n>),
    Audio(Media<'n>),
    ToolUse(ToolUse<'n>),
    ToolResult(ToolResult<'n>),
    ReasoningContent(ReasoningContent<'n>),
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SystemBlock<'n> {
    Text(Words<'n>),
    CachePoint(CachePoint),
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct CachePoint {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<&'static str>,
}

/// An image, or a piece of audio.
#[derive(Debug, Serialize)]
pub(super) struct Media<'n> {
    pub(super) format: &'static str,
    pub(super) source: Source<'n>,
}

#[derive(Debug, Serialize)]
pub(super) struct Document<'n> {
    pub(super) format: &'static str,
    pub(super) name: String,
    pub(super) source: Source<'n>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) citations: Option<Citations>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Citations {
    pub(super) enabled: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source<'n> {
    /// As base64, in the client's own text where it is fit.
    Bytes(Cow<'n, str>),
    S3Location {
        uri: &'n str,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'n> {
    pub(super) tool_use_id: Cow<'n, str>,
    pub(super) name: Cow<'n, str>,
    pub(super) input: Json<'n>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult<'n> {
    pub(super) tool_use_id: Cow<'n, str>,
    pub(super) content: Vec<ResultBlock<'n>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ResultBlock<'n> {
    Text(Words<'n>),
    Image(Media<'n>),
    Document(Document<'n>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ReasoningContent<'n> {
    ReasoningText {
        text: &'n str,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<&'n str>,
    },
    RedactedContent(Cow<'n, str>),
}

/// JSON that passes through word for word, or a value of ours.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Json<'n> {
    Given(&'n RawValue),
    Made(Box<RawValue>),
    EmptyObject {},
    AnyObject(AnyObject),
}

/// `{"type": "object", "properties": {}}`
#[derive(Debug, Default, Serialize)]
pub(super) struct AnyObject {
    #[serde(rename = "type")]
    kind: ObjectType,
    properties: Empty,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
enum ObjectType {
    #[default]
    Object,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Empty {}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inference<'n> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'n str>,
}

impl Inference<'_> {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'n> {
    pub(super) tools: Vec<Tool<'n>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<ToolChoice<'n>>,
}

#[derive(Debug, Serialize)]
pub(super) enum Tool<'n> {
    #[serde(rename = "toolSpec")]
    Spec(ToolSpec<'n>),
    #[serde(rename = "systemTool")]
    System { name: &'static str },
    #[serde(rename = "cachePoint")]
    CachePoint(CachePoint),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolSpec<'n> {
    pub(super) name: Cow<'n, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Cow<'n, str>>,
    pub(super) input_schema: InputSchema<'n>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}

#[derive(Debug, Serialize)]
pub(super) struct InputSchema<'n> {
    pub(super) json: Json<'n>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ToolChoice<'n> {
    Any {},
    Tool { name: Cow<'n, str> },
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Guardrail<'n> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guardrail_identifier: Option<&'n str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guardrail_version: Option<&'n str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<&'n str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream_processing_mode: Option<&'n str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Performance<'n> {
    pub(super) latency: &'n str,
}

#[derive(Debug, Serialize)]
pub(super) struct ServiceTier<'n> {
    #[serde(rename = "type")]
    pub(super) kind: &'n str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfig<'n> {
    pub(super) text_format: TextFormat<'n>,
}

#[derive(Debug, Serialize)]
pub(super) struct TextFormat<'n> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) structure: Structure<'n>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Structure<'n> {
    JsonSchema {
        /// JSON as a string.
        schema: Cow<'n, str>,
        name: &'n str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'n str>,
    },
}

/// Fields for the model itself, which Converse hands on.
#[derive(Debug, Default)]
pub(super) struct Additional<'n>(Vec<(Cow<'n, str>, Field<'n>)>);

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Field<'n> {
    Given(&'n RawValue),
    Whole(i64),
    Text(&'static str),
    Effort {
        effort: &'static str,
    },
    #[serde(rename_all = "camelCase")]
    TopK {
        top_k: i64,
    },
    Thinking(Thinking<'n>),
    #[serde(rename_all = "camelCase")]
    Nova {
        #[serde(rename = "type")]
        kind: &'static str,
        max_reasoning_effort: &'static str,
    },
    OneCall {
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
        disable_parallel_tool_use: bool,
    },
}

/// Claude's `thinking`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Thinking<'n> {
    #[serde(rename = "type")]
    pub(super) kind: &'n str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<&'n str>,
}

impl<'n> Additional<'n> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a field, unless it is there: what a client wrote for the model itself goes before.
    pub(super) fn add(&mut self, name: impl Into<Cow<'n, str>>, field: Field<'n>) -> bool {
        let name = name.into();
        let is_new = self.0.iter().all(|(known, _)| *known != name);
        if is_new {
            self.0.push((name, field));
        }
        is_new
    }

    pub(super) fn given(&self, name: &str) -> Option<&'n RawValue> {
        self.0.iter().find_map(|(known, field)| match field {
            Field::Given(raw) if known == name => Some(*raw),
            _ => None,
        })
    }
}

impl<'n> FromIterator<(Cow<'n, str>, Field<'n>)> for Additional<'n> {
    fn from_iter<I: IntoIterator<Item = (Cow<'n, str>, Field<'n>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl Serialize for Additional<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        as_map(&self.0, serializer)
    }
}

fn as_map<S: Serializer, K: Serialize, V: Serialize>(
    pairs: &[(K, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        map.serialize_entry(key, value)?;
    }
    map.end()
}
