//! Tools, and which of them may be called.

use std::borrow::Cow;

use super::choice::{self, Choice, Kind};
use super::converse::{
    AnyObject, CachePoint, InputSchema, Json, Tool, ToolChoice, ToolConfig, ToolSpec,
};
use super::fields::Parameters;
use super::format::FormatTool;
use super::json::{self, Node};
use super::names::Names;
use super::parts::Desk;
use super::path::{At, Excerpt};
use super::schema;
use crate::compat::family::{Family, Schemas};
use crate::reject::Rejection;

/// Where some clients put the marker of a cache point.
const IN_FUNCTION: &str = "function.cache_control";

/// Anthropic's limit for strict tools.
const MOST_STRICT: usize = 20;

/// The client's tools.
#[derive(Debug, Default)]
pub(super) struct Tools<'n> {
    list: Vec<Given<'n>>,
    pub(super) choice: Choice<'n>,
    /// They came as `functions`.
    pub(super) legacy: bool,
    /// The answer is to be a call.
    is_forced: bool,
}

#[derive(Debug)]
struct Given<'n> {
    /// As the client calls it.
    name: &'n str,
    spec: ToolSpec<'n>,
    cache: Option<CachePoint>,
}

/// A tool as it is read, before its name is settled.
#[derive(Debug, Default)]
struct Function<'n> {
    name: Option<&'n str>,
    description: Option<&'n str>,
    parameters: Option<&'n Node<'n>>,
    strict: bool,
    cache: Option<(&'n str, &'n Node<'n>)>,
}

impl<'n> Tools<'n> {
    pub(super) fn read(
        parameters: &Parameters<'n>,
        desk: &mut Desk,
        names: &mut Names<'n>,
    ) -> Result<Self, Rejection> {
        let legacy = parameters.functions.is_some() && parameters.tools.is_none();
        let (param, node) = match legacy {
            true => ("functions", parameters.functions),
            false => ("tools", parameters.tools),
        };
        if let Some(functions) = parameters.functions.filter(|_| !legacy) {
            functions.list(&At::parameter("functions"))?;
            let text = "'tools' is there too; leave 'functions' out.";
            desk.ignored.add(&At::parameter("functions"), text)?;
        }
        let at = At::parameter(param);
        let nodes = node.map_or(Ok(&[][..]), |node| node.list(&at))?;
        let mut functions = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let at = at.index(index);
            functions.push(match legacy {
                true => function(node, &at, desk)?,
                false => tool(node, &at, desk)?,
            });
        }
        let given = || functions.iter().filter_map(|function| function.name);
        if let Some(twice) = json::repeated(given()) {
            let index = given().collect::<Vec<_>>();
            let index = index
                .iter()
                .rposition(|name| *name == twice)
                .unwrap_or_default();
            let at = at.index(index);
            let function = at.key("function");
            let at = if legacy { &at } else { &function };
            return Err(at.key("name").invalid("another tool has that name."));
        }
        given().for_each(|name| names.declare(name));
        let mut list = Vec::with_capacity(functions.len());
        let mut strict = 0;
        for (index, function) in functions.into_iter().enumerate() {
            let at = at.index(index);
            list.push(settle(function, &at, legacy, &mut strict, desk, names)?);
        }
        let (choice, beside) = choice::read(parameters)?;
        let known: Vec<&str> = list.iter().map(|given: &Given<'_>| given.name).collect();
        choice.check(&known)?;
        if let Some(beside) = beside {
            beside.check(&known)?;
            let text = "'tool_choice' is there too; leave 'function_call' out.";
            desk.ignored.add(&At::parameter(beside.param()), text)?;
        }
        Ok(Self {
            list,
            is_forced: choice.is_forced(),
            choice,
            legacy,
        })
    }

    pub(super) fn has_any(&self) -> bool {
        !self.list.is_empty()
    }

    /// Whether `family` is to be made to call a tool, and can be, unless it thinks.
    pub(super) fn must_call(&self, family: &Family) -> bool {
        self.is_forced && family.forced_tool
    }

    /// Whether a call would not be the client's: it forbids them, or gave no tools, so that the
    /// model knows of those only that the history calls.
    pub(super) fn none_may_be_called(&self, called: &[Cow<'n, str>]) -> bool {
        self.choice.is_never() || self.list.is_empty() && !called.is_empty()
    }

    /// What Converse is told of tools: these, those that the history calls, and `format`, which
    /// stands in for a format of the answer. `forced`: the model is made to call a tool.
    pub(super) fn config(
        mut self,
        called: Vec<Cow<'n, str>>,
        format: Option<FormatTool<'n>>,
        forced: bool,
        desk: &mut Desk,
        names: &mut Names<'n>,
    ) -> Result<Option<ToolConfig<'n>>, Rejection> {
        let choice_at = At::parameter(self.choice.param());
        if let Kind::Allowed { names, .. } = &self.choice.kind {
            self.list.retain(|given| names.contains(&given.name));
        }
        if self.choice.is_never() {
            if format.is_some() || called.is_empty() {
                self.list.clear();
            } else {
                // Without tools the service refuses the history.
                let text = "the history calls tools, and Bedrock cannot be told to call none then.";
                desk.ignored.add(&choice_at, text)?;
            }
        }
        let own = !self.list.is_empty();
        if self.is_forced && !forced {
            let text = match desk.family.forced_tool {
                true => "no tool can be forced while the model reasons.",
                false => "this model cannot be made to call a tool.",
            };
            desk.ignored.add(&choice_at, text)?;
        }
        let mut tool_choice = forced.then(|| match self.choice.kind {
            Kind::Tool(name) => ToolChoice::Tool {
                name: names.send(name),
            },
            _ => ToolChoice::Any {},
        });
        let mut tools = Vec::with_capacity(self.list.len() + 1);
        for Given { spec, cache, .. } in self.list {
            tools.push(Tool::Spec(spec));
            tools.extend(cache.map(Tool::CachePoint));
        }
        if let Some(format) = format {
            tool_choice = Some(match own {
                true => ToolChoice::Any {},
                false => ToolChoice::Tool {
                    name: Cow::Owned(format.name.clone()),
                },
            });
            tools.push(Tool::Spec(format.into_spec()));
        }
        if tools.is_empty() {
            // What the history calls has to be known.
            tools.extend(called.into_iter().map(placeholder));
        }
        Ok((!tools.is_empty()).then_some(ToolConfig { tools, tool_choice }))
    }
}

fn placeholder(name: Cow<'_, str>) -> Tool<'_> {
    Tool::Spec(ToolSpec {
        name,
        description: None,
        input_schema: InputSchema {
            json: Json::AnyObject(AnyObject::default()),
        },
        strict: None,
    })
}

/// An element of `tools`.
fn tool<'n>(node: &'n Node<'n>, at: &At<'_>, desk: &mut Desk) -> Result<Function<'n>, Rejection> {
    let object = node.object(at)?;
    let kind_at = at.key("type");
    let kind = object.clone().find(|(key, _)| *key == "type");
    let (_, kind) = kind.ok_or_else(|| kind_at.missing())?;
    let kind = kind.text(&kind_at)?;
    if kind != "function" {
        return Err(kind_at.unsupported(format_args!(
            "'{}'; Bedrock has tools of type 'function' only.",
            Excerpt(kind)
        )));
    }
    let (mut given, mut cache) = (None, None);
    for (key, value) in object {
        let at = at.key(key);
        match key {
            "type" => {}
            "function" => given = Some(function(value, &at, desk)?),
            "cache_control" | "prompt_cache_breakpoint" => cache = Some((key, value)),
            _ => desk.ignored.unknown(&at)?,
        }
    }
    let mut given = given.ok_or_else(|| at.key("function").missing())?;
    given.cache = cache.or(given.cache.map(|(_, node)| (IN_FUNCTION, node)));
    Ok(given)
}

fn function<'n>(
    node: &'n Node<'n>,
    at: &At<'_>,
    desk: &mut Desk,
) -> Result<Function<'n>, Rejection> {
    let mut function = Function::default();
    for (key, value) in node.object(at)? {
        let at = at.key(key);
        match key {
            "name" => match value.text(&at)? {
                "" => return Err(at.invalid("it is empty.")),
                name => function.name = Some(name),
            },
            "description" => {
                function.description = Some(value.text(&at)?).filter(|text| !text.is_empty());
            }
            "parameters" => function.parameters = Some(value),
            "strict" => function.strict = value.bool(&at)?,
            "cache_control" => function.cache = Some((key, value)),
            _ => desk.ignored.unknown(&at)?,
        }
    }
    if function.name.is_none() {
        return Err(at.key("name").missing());
    }
    Ok(function)
}

fn settle<'n>(
    function: Function<'n>,
    at: &At<'_>,
    legacy: bool,
    strict: &mut usize,
    desk: &mut Desk,
    names: &mut Names<'n>,
) -> Result<Given<'n>, Rejection> {
    let inner = at.key("function");
    let inner = if legacy { at } else { &inner };
    let name = function.name.unwrap_or_default();
    let mut json = schema::input(function.parameters, &inner.key("parameters"))?;
    let mut is_strict = None;
    if function.strict {
        let closed = desk.family.strict_tools && *strict < MOST_STRICT && close(&mut json, desk);
        if closed {
            *strict += 1;
            is_strict = Some(true);
        } else {
            let text = "this model does not hold itself to this schema; leave it out.";
            desk.ignored.add(&inner.key("strict"), text)?;
        }
    }
    let marker = function.cache.map(|(key, node)| (at.key(key), node));
    let marker = marker.as_ref().map(|(at, node)| (at, *node));
    let cache = desk
        .cache
        .tool_point(marker, desk.family, &mut desk.ignored)?;
    Ok(Given {
        name,
        spec: ToolSpec {
            name: names.send(name),
            description: function.description.map(Cow::Borrowed),
            input_schema: InputSchema { json },
            strict: is_strict,
        },
        cache,
    })
}

/// Makes the schema of a strict tool one that the model takes, if there is such a one.
fn close(json: &mut Json<'_>, desk: &Desk) -> bool {
    if desk.family.schemas != Schemas::Closed {
        return true;
    }
    let closed = match &*json {
        Json::Given(raw) => schema::closed(raw),
        Json::Made(raw) => schema::closed(raw),
        Json::EmptyObject {} | Json::AnyObject(_) => None,
    };
    let Some(closed) = closed else { return false };
    if let Cow::Owned(text) = closed {
        let Ok(made) = serde_json::value::RawValue::from_string(text) else {
            return false;
        };
        *json = Json::Made(made);
    }
    true
}
