//! From OpenAI's request to Converse's.
//!
//! The body is read once, into a tree that borrows from it ([`json`]); whoever reads a part of the
//! tree knows where he is ([`path`]), so that a refusal names its place. What comes out
//! ([`converse`]) borrows in its turn, and is written once.

use bytes::Bytes;

use super::plan::Plan;
use super::translation::Translation;
use crate::context::Policy;
use crate::reject::{Rejection, RejectionKind};

mod cache;
mod calls;
mod check;
mod choice;
mod converse;
mod documents;
mod extensions;
mod fields;
mod flat;
mod format;
mod frames;
mod hash;
mod history;
mod ignored;
mod inference;
mod json;
mod media;
mod message;
mod messages;
pub(super) mod models;
mod names;
mod openai;
mod parts;
mod path;
mod place;
mod reasoning;
mod replay;
mod schema;
mod tools;
mod tree;
mod turns;
mod words;

use self::converse::{Additional, Converse, Field, Tool, ToolConfig};
use self::fields::Parameters;
use self::format::Format;
use self::frames::Frames;
use self::ignored::Ignored;
use self::messages::Conversation;
use self::names::Names;
use self::parts::Desk;
use self::path::At;
use self::reasoning::Circumstances;
use self::tools::Tools;

/// Translates the JSON text of a chat completion request. `whole` is the same, if it may be shared:
/// long pieces of it are not copied then.
pub(super) fn translate(
    request: &[u8],
    whole: Option<&Bytes>,
    policy: &Policy,
) -> Result<Translation, Rejection> {
    let object = json::read(request)?;
    let mut ignored = Ignored::new(policy.strict_parameters());
    let parameters = Parameters::read(&object, &mut ignored)?;
    let at = At::parameter("model");
    let name = parameters.model.ok_or_else(|| at.missing())?.text(&at)?;
    let model = models::resolve(name, policy)?;
    let stream = Stream::read(&parameters, &mut ignored)?;
    openai::refuse(&parameters)?;
    openai::ignore(&parameters, &mut ignored)?;

    let mut names = Names::default();
    let mut desk = Desk::new(model.family, ignored);
    let tools = Tools::read(&parameters, &mut desk, &mut names)?;
    let at = At::parameter("messages");
    let messages = parameters.messages.ok_or_else(|| at.missing())?;
    let mut conversation = Conversation::read(messages, &mut desk, &mut names)?;
    let calls_without_reasoning = conversation.calls_without_reasoning();

    let format = format::read(&parameters, &mut desk, &mut names)?;
    let must_call = tools.must_call(model.family);
    let mut sampler = inference::read(&parameters, model.family, &mut desk.ignored)?;
    let mut additional = extensions::additional(parameters.additional_model_request_fields)?;
    let thinks = reasoning::apply(
        &parameters,
        Circumstances {
            calls_without_reasoning,
            forced_format: matches!(format, Format::Tool(_)) && !must_call,
            prefill: conversation.ends_with_assistant(),
        },
        model.family,
        &mut sampler,
        &mut additional,
        &mut desk.ignored,
    )?;
    // What the model is made to call has no other form; it cannot be made to while it thinks.
    let forced = must_call && !thinks;
    let (output_config, format_tool) = match format {
        _ if forced => (None, None),
        Format::Free => (None, None),
        Format::Native(config) => (Some(config), None),
        Format::Tool(_) if thinks => {
            let why = "this model cannot be held to a schema while it reasons.";
            desk.ignored.add(&At::parameter("response_format"), why)?;
            (None, None)
        }
        Format::Tool(tool) => (None, Some(tool)),
    };
    if !inference::add_top_k(sampler.top_k, model.family, &mut additional) {
        let text = "the model's own field is there too.";
        desk.ignored.add(&At::parameter("top_k"), text)?;
    }

    let mut plan = Plan {
        model: name.to_owned(),
        stream: stream.on,
        include_usage: stream.include_usage,
        format_tool: format_tool.as_ref().map(|tool| tool.name.clone()),
        holds_text: output_config.is_some(),
        legacy_functions: tools.legacy,
        no_calls: tools.none_may_be_called(&conversation.called),
        ..Plan::default()
    };
    let called = std::mem::take(&mut conversation.called);
    let has_tools = tools.has_any();
    let may_search = !tools.choice.is_never();
    let mut tool_config = tools.config(called, format_tool, forced, &mut desk, &mut names)?;
    hold_to_one_call(
        &parameters,
        has_tools,
        &tool_config,
        &mut additional,
        &mut desk,
    )?;
    search(&parameters, may_search, &mut tool_config, &mut desk)?;

    let converse = Converse {
        messages: conversation.turns,
        system: conversation.system,
        inference_config: sampler.inference,
        tool_config,
        guardrail_config: extensions::guardrail(
            parameters.guardrail_config,
            stream.on,
            &mut desk.ignored,
        )?,
        additional_model_request_fields: additional,
        additional_model_response_field_paths: extensions::response_paths(
            parameters.additional_model_response_field_paths,
        )?,
        request_metadata: extensions::metadata(parameters.request_metadata)?,
        performance_config: extensions::performance(parameters.performance_config)?,
        service_tier: extensions::service_tier(&parameters, &mut desk.ignored)?,
        output_config,
    };
    let mut body = Frames::new(request.len(), whole);
    serde_json::to_writer(&mut body, &converse).map_err(|error| {
        Rejection::new(
            RejectionKind::InvalidBody,
            "The request cannot be written for Bedrock.",
        )
        .with_internal(error)
    })?;
    plan.names = names.into_plan();
    plan.dropped = desk.ignored.into_names();
    Ok(Translation {
        model: model.id.into(),
        body: body.into_body(),
        plan,
    })
}

/// Whether the answer comes in chunks.
struct Stream {
    on: bool,
    include_usage: bool,
}

impl Stream {
    fn read(parameters: &Parameters<'_>, ignored: &mut Ignored) -> Result<Self, Rejection> {
        let at = At::parameter("stream");
        let on = parameters.stream.map(|node| node.bool(&at)).transpose()?;
        let on = on.unwrap_or(false);
        let mut include_usage = false;
        let at = At::parameter("stream_options");
        if let Some(node) = parameters.stream_options {
            for (key, value) in node.object(&at)? {
                let at = at.key(key);
                match key {
                    "include_usage" => include_usage = value.bool(&at)?,
                    "include_obfuscation" => {
                        if value.bool(&at)? {
                            ignored.add(&at, "chunks are not padded; leave it out.")?;
                        }
                    }
                    _ => ignored.unknown(&at)?,
                }
            }
            if include_usage && !on {
                let at = at.key("include_usage");
                ignored.add(&at, "it is for streams; set 'stream'.")?;
            }
        }
        Ok(Self {
            on,
            include_usage: on && include_usage,
        })
    }
}

/// `parallel_tool_calls: false`, which Converse has no field for.
fn hold_to_one_call(
    parameters: &Parameters<'_>,
    has_tools: bool,
    config: &Option<ToolConfig<'_>>,
    additional: &mut Additional<'_>,
    desk: &mut Desk,
) -> Result<(), Rejection> {
    let at = At::parameter("parallel_tool_calls");
    let parallel = parameters
        .parallel_tool_calls
        .map(|node| node.bool(&at))
        .transpose()?;
    let Some(config) = config
        .as_ref()
        .filter(|_| has_tools && parallel == Some(false))
    else {
        return Ok(());
    };
    let field = Field::OneCall {
        // Converse adds its own choice to it.
        kind: config.tool_choice.is_none().then_some("auto"),
        disable_parallel_tool_use: true,
    };
    if !desk.family.one_call || !additional.add("tool_choice", field) {
        desk.ignored
            .add(&at, "this model cannot be held to one call at a time.")?;
    }
    Ok(())
}

/// `web_search_options`: a tool of the service's own, where there is one.
fn search<'n>(
    parameters: &Parameters<'n>,
    may_search: bool,
    config: &mut Option<ToolConfig<'n>>,
    desk: &mut Desk,
) -> Result<(), Rejection> {
    let at = At::parameter("web_search_options");
    let Some(node) = parameters.web_search_options else {
        return Ok(());
    };
    let options = node.object(&at)?;
    if !desk.family.grounding {
        return Err(at.unsupported_parameter("this model cannot search the web; leave it out."));
    }
    for (key, _) in options {
        desk.ignored
            .add(&at.key(key), "Bedrock's search has no options.")?;
    }
    if !may_search {
        return Ok(());
    }
    let config = config.get_or_insert_with(|| ToolConfig {
        tools: Vec::new(),
        tool_choice: None,
    });
    config.tools.push(Tool::System {
        name: "nova_grounding",
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::translate;
    use crate::compat::plan::Plan;
    use crate::context::Policy;

    fn plan(parameters: &str) -> Plan {
        let request = format!(
            r#"{{"model": "aws-bedrock/amazon.nova-lite-v1:0", "messages": [{{"role": "user", "content": "Hi"}}], {parameters}}}"#
        );
        translate(request.as_bytes(), None, &Policy::new())
            .unwrap()
            .plan
    }

    #[test]
    fn what_the_answer_has_to_know() {
        let bare = plan(r#""n": 1"#);
        assert_eq!(bare.model, "aws-bedrock/amazon.nova-lite-v1:0");
        assert!(!bare.stream && !bare.include_usage && !bare.legacy_functions);
        assert_eq!(bare.format_tool, None);

        let streamed = plan(r#""stream": true, "stream_options": {"include_usage": true}"#);
        assert!(streamed.stream && streamed.include_usage);
        let whole = plan(r#""stream_options": {"include_usage": true}"#);
        assert!(!whole.stream && !whole.include_usage);

        let renamed = plan(r#""tools": [{"type": "function", "function": {"name": "a.b"}}]"#);
        assert_eq!(renamed.names.original("a_b"), "a.b");
        assert_eq!(renamed.names.original("other"), "other");
        assert!(!renamed.legacy_functions);
        assert!(plan(r#""functions": [{"name": "a"}]"#).legacy_functions);

        let format = r#""response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}"#;
        assert_eq!(plan(format).format_tool.as_deref(), Some("json_tool_call"));
        assert!(!bare.no_calls && !plan(format).no_calls);
        let tools = r#""tools": [{"type": "function", "function": {"name": "a"}}]"#;
        assert!(!plan(tools).no_calls);
        assert!(plan(&format!(r#"{tools}, "tool_choice": "none""#)).no_calls);
        let history = br#"{"model": "aws-bedrock/amazon.nova-lite-v1:0", "messages": [
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "a"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "1"}]}"#;
        assert!(
            translate(history, None, &Policy::new())
                .unwrap()
                .plan
                .no_calls
        );
        let forced = r#""tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "required""#;
        assert_eq!(plan(&format!("{format}, {forced}")).format_tool, None);
    }
}
