//! `response_format`: what the answer is to look like.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::converse::{InputSchema, Json, OutputConfig, Structure, TextFormat, ToolSpec};
use super::fields::Parameters;
use super::json::Node;
use super::names::Names;
use super::parts::Desk;
use super::path::{At, Excerpt};
use super::schema;
use crate::compat::family::Schemas;
use crate::reject::Rejection;

/// How the answer is held to a format.
#[derive(Debug)]
pub(super) enum Format<'n> {
    /// It is text.
    Free,
    /// By Bedrock.
    Native(OutputConfig<'n>),
    /// By a tool that the model has to call: the input of the call is the answer.
    Tool(FormatTool<'n>),
}

#[derive(Debug)]
pub(super) struct FormatTool<'n> {
    pub(super) name: String,
    description: Cow<'n, str>,
    schema: Json<'n>,
}

impl<'n> FormatTool<'n> {
    pub(super) fn into_spec(self) -> ToolSpec<'n> {
        ToolSpec {
            name: Cow::Owned(self.name),
            description: Some(self.description),
            input_schema: InputSchema { json: self.schema },
            strict: None,
        }
    }
}

/// What a tool that stands in for a format is called and says, unless the schema says more.
const TOOL_NAME: &str = "json_tool_call";
const TOOL_TEXT: &str = "Gives the final answer. Call it with the answer as its input.";

pub(super) fn read<'n>(
    parameters: &Parameters<'n>,
    desk: &mut Desk,
    names: &mut Names<'n>,
) -> Result<Format<'n>, Rejection> {
    let at = At::parameter("response_format");
    let Some(node) = parameters.response_format else {
        return Ok(Format::Free);
    };
    let (mut kind, mut definition) = (None, None);
    for (key, value) in node.object(&at)? {
        match key {
            "type" => kind = Some(value.text(&at.key(key))?),
            "json_schema" => definition = Some(value),
            _ => desk.ignored.unknown(&at.key(key))?,
        }
    }
    let kind_at = at.key("type");
    match kind.ok_or_else(|| kind_at.missing())? {
        "text" => Ok(Format::Free),
        "json_object" => {
            let text = "Bedrock has no such mode; use 'json_schema', or ask for JSON in a message.";
            desk.ignored.add(&at, text)?;
            Ok(Format::Free)
        }
        "json_schema" => {
            let at = at.key("json_schema");
            let definition = Definition::read(definition.ok_or_else(|| at.missing())?, &at, desk)?;
            let Some(schema) = definition.schema else {
                let text = "without a 'schema' there is nothing to hold the answer to.";
                desk.ignored.add(&At::parameter("response_format"), text)?;
                return Ok(Format::Free);
            };
            definition.format(schema, &at, desk, names)
        }
        other => Err(kind_at.invalid(format_args!(
            "'{}'; expected 'text', 'json_object' or 'json_schema'.",
            Excerpt(other)
        ))),
    }
}

/// The `json_schema` of a format.
struct Definition<'n> {
    name: &'n str,
    description: Option<&'n str>,
    schema: Option<&'n Node<'n>>,
}

impl<'n> Definition<'n> {
    fn read(node: &'n Node<'n>, at: &At<'_>, desk: &mut Desk) -> Result<Self, Rejection> {
        let (mut name, mut description, mut schema) = (None, None, None);
        for (key, value) in node.object(at)? {
            let at = at.key(key);
            match key {
                "name" => name = Some(value.text(&at)?),
                "description" => {
                    description = Some(value.text(&at)?).filter(|text| !text.is_empty());
                }
                "schema" => schema = Some(value),
                // A model that takes the schema keeps to it either way.
                "strict" => drop(value.bool(&at)?),
                _ => desk.ignored.unknown(&at)?,
            }
        }
        Ok(Self {
            name: name.ok_or_else(|| at.key("name").missing())?,
            description,
            schema,
        })
    }

    fn format(
        &self,
        node: &'n Node<'n>,
        at: &At<'_>,
        desk: &Desk,
        names: &mut Names<'n>,
    ) -> Result<Format<'n>, Rejection> {
        let schema_at = at.key("schema");
        let raw = node.verbatim(&schema_at)?;
        schema::check_root(raw, &schema_at)?;
        let native = match desk.family.schemas {
            Schemas::None => None,
            Schemas::Closed => schema::closed(raw),
            Schemas::Any => Some(Cow::Borrowed(RawValue::get(raw))),
        };
        if let Some(schema) = native {
            return Ok(Format::Native(OutputConfig {
                text_format: TextFormat {
                    kind: "json_schema",
                    structure: Structure::JsonSchema {
                        schema,
                        name: self.name,
                        description: self.description,
                    },
                },
            }));
        }
        if !desk.family.forced_tool {
            let at = At::parameter("response_format");
            return Err(at.unsupported(if desk.family.schemas == Schemas::None {
                "this model cannot be held to a schema; leave it out, and ask for JSON in a message."
            } else {
                "this model takes schemas only in which 'additionalProperties' is false and values \
                 have no bounds (such as 'minimum' or 'maxLength'); leave these out."
            }));
        }
        Ok(Format::Tool(FormatTool {
            name: names.own(TOOL_NAME),
            description: match self.description {
                Some(text) => Cow::Owned(format!("{TOOL_TEXT} {text}")),
                None => Cow::Borrowed(TOOL_TEXT),
            },
            schema: schema::input(Some(node), &schema_at)?,
        }))
    }
}
