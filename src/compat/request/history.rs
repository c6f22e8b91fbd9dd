//! Calls in the history: a function's name, and arguments that are JSON in a string.

use super::check::{Problem, check};
use super::converse::Json;
use super::json::Node;
use super::parts::Desk;
use super::path::{At, Excerpt};
use crate::reject::Rejection;

/// A call with its id.
pub(super) struct ToolCall<'n> {
    pub(super) id: Option<&'n str>,
    pub(super) name: &'n str,
    pub(super) input: Json<'n>,
}

/// An element of `tool_calls`.
pub(super) fn tool_call<'n>(
    node: &'n Node<'n>,
    at: &At<'_>,
    desk: &mut Desk,
) -> Result<ToolCall<'n>, Rejection> {
    let (mut id, mut called) = (None, None);
    for (key, value) in node.object(at)? {
        let at = at.key(key);
        match key {
            "id" => id = Some(value.text(&at)?),
            "type" => match value.text(&at)? {
                "function" => {}
                other => {
                    return Err(at.unsupported(format_args!(
                        "'{}'; Bedrock has calls of type 'function' only.",
                        Excerpt(other)
                    )));
                }
            },
            "function" => called = Some(function(value, &at, desk)?),
            "index" | "provider_specific_fields" => {}
            _ => desk.ignored.unknown(&at)?,
        }
    }
    let (name, input) = called.ok_or_else(|| at.key("function").missing())?;
    Ok(ToolCall { id, name, input })
}

/// The name and the input of a called function.
pub(super) fn function<'n>(
    node: &'n Node<'n>,
    at: &At<'_>,
    desk: &mut Desk,
) -> Result<(&'n str, Json<'n>), Rejection> {
    let (mut name, mut input) = (None, Json::EmptyObject {});
    for (key, value) in node.object(at)? {
        let at = at.key(key);
        match key {
            "name" => name = Some(value.text(&at)?),
            "arguments" => input = arguments(value.text(&at)?, &at)?,
            _ => desk.ignored.unknown(&at)?,
        }
    }
    let at = at.key("name");
    match name.ok_or_else(|| at.missing())? {
        "" => Err(at.invalid("it is empty.")),
        name => Ok((name, input)),
    }
}

/// Arguments are JSON in a string. Word for word, so that numbers stay what they are.
fn arguments<'n>(text: &'n str, at: &At<'_>) -> Result<Json<'n>, Rejection> {
    let bare = text.trim();
    if bare.is_empty() || bare == "null" {
        return Ok(Json::EmptyObject {});
    }
    let not_json = |error: serde_json::Error| {
        let text = format_args!("not JSON in a string: {error}.");
        at.refuse("invalid_json", text)
    };
    check(bare).map_err(|problem| match problem {
        Problem::Grammar(error) => not_json(error),
        Problem::Twice(place) => at.invalid(format_args!(
            "the key '{}' is there twice; send it once.",
            Excerpt(&place)
        )),
    })?;
    let raw = serde_json::from_str(bare).map_err(not_json)?;
    if !bare.starts_with('{') {
        return Err(at.invalid("the JSON in it must be an object."));
    }
    Ok(Json::Given(raw))
}
