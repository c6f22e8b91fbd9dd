//! Whether a tool is to be called, and which.

use super::fields::Parameters;
use super::json::Node;
use super::path::{At, Excerpt};
use crate::reject::Rejection;

/// More than OpenAI takes.
const MOST_ALLOWED: usize = 1024;

/// What `tool_choice` says, or `function_call` of old.
#[derive(Debug, Default)]
pub(super) struct Choice<'n> {
    pub(super) kind: Kind<'n>,
    /// It is `function_call` that says so.
    legacy: bool,
}

#[derive(Debug, Default, PartialEq)]
pub(super) enum Kind<'n> {
    /// It is for the model to decide.
    #[default]
    Auto,
    Never,
    Required,
    Tool(&'n str),
    /// One of these; for the model to decide unless `required`.
    Allowed {
        names: Vec<&'n str>,
        required: bool,
    },
}

impl Choice<'_> {
    /// The parameter that says it.
    pub(super) fn param(&self) -> &'static str {
        if self.legacy {
            "function_call"
        } else {
            "tool_choice"
        }
    }

    /// Whether no tool may be called.
    pub(super) fn is_never(&self) -> bool {
        self.kind == Kind::Never
    }

    /// Whether the answer is to be a call.
    pub(super) fn is_forced(&self) -> bool {
        matches!(
            self.kind,
            Kind::Required | Kind::Tool(_) | Kind::Allowed { required: true, .. }
        )
    }

    /// Whether what it asks for is there.
    pub(super) fn check(&self, tools: &[&str]) -> Result<(), Rejection> {
        let at = At::parameter(self.param());
        let unknown = |at: At<'_>| at.invalid("there is no tool of that name in the request.");
        match &self.kind {
            Kind::Required if tools.is_empty() => {
                Err(at.invalid("there are no tools in the request."))
            }
            Kind::Tool(name) if !tools.contains(name) => Err(if self.legacy {
                unknown(at.key("name"))
            } else {
                unknown(at.key("function").key("name"))
            }),
            Kind::Allowed { names, .. } => {
                let at = at.key("allowed_tools");
                let at = at.key("tools");
                match names.iter().position(|name| !tools.contains(name)) {
                    Some(index) => Err(unknown(at.index(index).key("function").key("name"))),
                    None if names.is_empty() => Err(at.invalid("it is empty.")),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// The choice, and a legacy one beside it, which does not count.
pub(super) fn read<'n>(
    parameters: &Parameters<'n>,
) -> Result<(Choice<'n>, Option<Choice<'n>>), Rejection> {
    let choice = parameters.tool_choice.map(|node| of(node, false));
    let legacy = parameters.function_call.map(|node| of(node, true));
    Ok(match (choice.transpose()?, legacy.transpose()?) {
        (Some(choice), beside) => (choice, beside),
        (None, legacy) => (legacy.unwrap_or_default(), None),
    })
}

fn of<'n>(node: &'n Node<'n>, legacy: bool) -> Result<Choice<'n>, Rejection> {
    let param = match legacy {
        true => "function_call",
        false => "tool_choice",
    };
    let at = At::parameter(param);
    let kind = match node {
        Node::Text(text) => match &**text {
            "auto" => Kind::Auto,
            "none" => Kind::Never,
            "required" if !legacy => Kind::Required,
            other => {
                return Err(at.invalid(format_args!(
                    "'{}'; expected 'none', 'auto', 'required' or an object that names a tool.",
                    Excerpt(other)
                )));
            }
        },
        Node::Object(_) if legacy => Kind::Tool(member(node, "name", &at)?.text(&at.key("name"))?),
        Node::Object(_) => object(node, &at)?,
        other => return Err(at.mistyped("a string or an object", other)),
    };
    Ok(Choice { kind, legacy })
}

fn object<'n>(node: &'n Node<'n>, at: &At<'_>) -> Result<Kind<'n>, Rejection> {
    let kind_at = at.key("type");
    match member(node, "type", at)?.text(&kind_at)? {
        "function" => function(node, at).map(Kind::Tool),
        "allowed_tools" => allowed(member(node, "allowed_tools", at)?, &at.key("allowed_tools")),
        other => Err(kind_at.unsupported(format_args!(
            "'{}'; expected 'function' or 'allowed_tools'.",
            Excerpt(other)
        ))),
    }
}

fn allowed<'n>(node: &'n Node<'n>, at: &At<'_>) -> Result<Kind<'n>, Rejection> {
    let mode_at = at.key("mode");
    let required = match member(node, "mode", at)?.text(&mode_at)? {
        "auto" => false,
        "required" => true,
        _ => return Err(mode_at.invalid("expected 'auto' or 'required'.")),
    };
    let list_at = at.key("tools");
    let mut names = Vec::new();
    for (index, node) in member(node, "tools", at)?
        .list(&list_at)?
        .iter()
        .enumerate()
    {
        names.push(function(node, &list_at.index(index))?);
    }
    if names.len() > MOST_ALLOWED {
        return Err(list_at.invalid(format_args!("more than {MOST_ALLOWED} tools.")));
    }
    Ok(Kind::Allowed { names, required })
}

/// The name in `{"type": "function", "function": {"name": …}}`.
fn function<'n>(node: &'n Node<'n>, at: &At<'_>) -> Result<&'n str, Rejection> {
    let function_at = at.key("function");
    let function = member(node, "function", at)?;
    member(function, "name", &function_at)?.text(&function_at.key("name"))
}

fn member<'n>(node: &'n Node<'n>, name: &str, at: &At<'_>) -> Result<&'n Node<'n>, Rejection> {
    let mut object = node.object(at)?;
    let found = object.find(|(key, _)| *key == name);
    found
        .map(|(_, value)| value)
        .ok_or_else(|| at.key(name).missing())
}
