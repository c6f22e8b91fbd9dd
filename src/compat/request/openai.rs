//! Parameters of OpenAI's that Bedrock has nothing for: each is checked, and then ignored or
//! refused.

use super::fields::Parameters;
use super::ignored::Ignored;
use super::json::Node;
use super::path::At;
use crate::reject::Rejection;

/// What a parameter's value may be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    Whole,
    /// A penalty.
    Signed,
    Object,
    Any,
}

const NO_COUNTERPART: &str = "Bedrock's Converse has no counterpart for it; leave it out.";

/// Checks and reports those that are ignored.
pub(super) fn ignore(parameters: &Parameters<'_>, ignored: &mut Ignored) -> Result<(), Rejection> {
    for (name, node, kind) in [
        (
            "frequency_penalty",
            parameters.frequency_penalty,
            Kind::Signed,
        ),
        ("metadata", parameters.metadata, Kind::Object),
        ("moderation", parameters.moderation, Kind::Any),
        ("prediction", parameters.prediction, Kind::Object),
        (
            "presence_penalty",
            parameters.presence_penalty,
            Kind::Signed,
        ),
        ("prompt_cache_key", parameters.prompt_cache_key, Kind::Text),
        (
            "prompt_cache_options",
            parameters.prompt_cache_options,
            Kind::Object,
        ),
        (
            "prompt_cache_retention",
            parameters.prompt_cache_retention,
            Kind::Text,
        ),
        (
            "safety_identifier",
            parameters.safety_identifier,
            Kind::Text,
        ),
        ("seed", parameters.seed, Kind::Whole),
        ("store", parameters.store, Kind::Bool),
        ("user", parameters.user, Kind::Text),
        ("verbosity", parameters.verbosity, Kind::Text),
    ] {
        let Some(node) = node else { continue };
        let at = At::parameter(name);
        if says_something(node, kind, &at)? {
            ignored.add(&at, NO_COUNTERPART)?;
        }
    }
    Ok(())
}

/// Whether the value differs from what holds without it.
fn says_something(node: &Node<'_>, kind: Kind, at: &At<'_>) -> Result<bool, Rejection> {
    Ok(match kind {
        Kind::Text => !node.text(at)?.is_empty(),
        Kind::Bool => node.bool(at)?,
        Kind::Whole => {
            node.whole(at)?;
            true
        }
        Kind::Signed => {
            let number = node.number(at)?;
            if !(-2.0..=2.0).contains(&number) {
                return Err(at.invalid("expected a number from -2 to 2."));
            }
            number != 0.0
        }
        Kind::Object => node.object(at)?.next().is_some(),
        Kind::Any => true,
    })
}

/// Refuses what would change the answer's shape, which Bedrock cannot give.
pub(super) fn refuse(parameters: &Parameters<'_>) -> Result<(), Rejection> {
    let at = At::parameter("n");
    match parameters.n.map(|node| node.whole(&at)).transpose()? {
        None | Some(1) => {}
        Some(2..) => {
            return Err(
                at.unsupported("Bedrock gives one answer; send the request again for more.")
            );
        }
        Some(_) => return Err(at.invalid("expected an integer of at least 1.")),
    }

    let at = At::parameter("logprobs");
    if parameters.logprobs.map(|node| node.bool(&at)).transpose()? == Some(true) {
        return Err(at.unsupported_parameter("Bedrock tells no probabilities; leave it out."));
    }
    let at = At::parameter("top_logprobs");
    match parameters
        .top_logprobs
        .map(|node| node.whole(&at))
        .transpose()?
    {
        None | Some(0) => {}
        Some(1..=20) => {
            return Err(at.unsupported_parameter("Bedrock tells no probabilities; leave it out."));
        }
        Some(_) => return Err(at.invalid("expected an integer from 0 to 20.")),
    }

    let at = At::parameter("logit_bias");
    if let Some(node) = parameters.logit_bias
        && node.object(&at)?.next().is_some()
    {
        return Err(at.unsupported_parameter("Bedrock cannot bias tokens; leave it out."));
    }

    let at = At::parameter("modalities");
    if let Some(node) = parameters.modalities {
        for (index, node) in node.list(&at)?.iter().enumerate() {
            let at = at.index(index);
            if node.text(&at)? != "text" {
                return Err(at.unsupported("answers are text; expected [\"text\"]."));
            }
        }
    }
    let at = At::parameter("audio");
    if let Some(node) = parameters.audio {
        drop(node.object(&at)?);
        return Err(at.unsupported_parameter("answers are text; leave it out."));
    }
    Ok(())
}
