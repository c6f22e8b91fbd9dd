//! Fields of Converse's own, which pass through under their own names.

use super::converse::{Additional, Field, Guardrail, Performance, ServiceTier, Thinking};
use super::fields::Parameters;
use super::ignored::Ignored;
use super::json::{self, Node};
use super::path::{At, Excerpt};
use crate::reject::Rejection;

/// `additionalModelRequestFields`: an object for the model itself, word for word.
pub(super) fn additional<'n>(node: Option<&'n Node<'n>>) -> Result<Additional<'n>, Rejection> {
    let at = At::parameter("additionalModelRequestFields");
    let Some(node) = node else {
        return Ok(Additional::default());
    };
    let raw = node.verbatim(&at)?;
    let pairs = json::pairs(raw.get()).map_err(|error| at.refuse("invalid_json", error))?;
    let pairs = pairs.into_iter();
    Ok(pairs
        .map(|(key, value)| (key, Field::Given(value)))
        .collect())
}

pub(super) fn guardrail<'n>(
    node: Option<&'n Node<'n>>,
    stream: bool,
    ignored: &mut Ignored,
) -> Result<Option<Guardrail<'n>>, Rejection> {
    let at = At::parameter("guardrailConfig");
    let Some(node) = node else { return Ok(None) };
    let mut guardrail = Guardrail::default();
    for (key, value) in node.object(&at)? {
        let at = at.key(key);
        let value = value.text(&at)?;
        match key {
            "guardrailIdentifier" if is_guardrail(value) => {
                guardrail.guardrail_identifier = Some(value);
            }
            "guardrailIdentifier" => {
                return Err(at.invalid("expected the id or the ARN of a guardrail."));
            }
            "guardrailVersion" if is_guardrail_version(value) => {
                guardrail.guardrail_version = Some(value);
            }
            "guardrailVersion" => return Err(at.invalid("expected a number or 'DRAFT'.")),
            "trace" if ["enabled", "disabled", "enabled_full"].contains(&value) => {
                guardrail.trace = Some(value);
            }
            "trace" => {
                return Err(at.invalid("expected 'enabled', 'disabled' or 'enabled_full'."));
            }
            "streamProcessingMode" if !["sync", "async"].contains(&value) => {
                return Err(at.invalid("expected 'sync' or 'async'."));
            }
            "streamProcessingMode" if stream => guardrail.stream_processing_mode = Some(value),
            "streamProcessingMode" => ignored.add(&at, "it is for streams; set 'stream'.")?,
            _ => return Err(at.refuse("unknown_parameter", "Converse has no such field.")),
        }
    }
    Ok(Some(guardrail))
}

/// `(|([a-z0-9]+)|(arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+))`
fn is_guardrail(text: &str) -> bool {
    let is_id = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [id] => id.len() <= 2048 && is_id(id),
        ["arn", partition, "bedrock", region, account, resource] => {
            let is_region =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            let id = resource.strip_prefix("guardrail/");
            text.len() <= 2048
                && (partition == "aws" || partition.len() > 4 && partition.starts_with("aws-"))
                && (1..=20).contains(&region.len())
                && region.bytes().all(is_region)
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && id.is_some_and(|id| !id.is_empty() && is_id(id))
        }
        _ => false,
    }
}

/// `(|([1-9][0-9]{0,7})|(DRAFT))`
fn is_guardrail_version(text: &str) -> bool {
    let is_number =
        text.len() <= 8 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || text == "DRAFT"
}

pub(super) fn performance<'n>(
    node: Option<&'n Node<'n>>,
) -> Result<Option<Performance<'n>>, Rejection> {
    let at = At::parameter("performanceConfig");
    let Some(node) = node else { return Ok(None) };
    let mut performance = None;
    for (key, value) in node.object(&at)? {
        let at = at.key(key);
        match (key, value.text(&at)?) {
            ("latency", latency @ ("standard" | "optimized")) => {
                performance = Some(Performance { latency });
            }
            ("latency", _) => return Err(at.invalid("expected 'standard' or 'optimized'.")),
            _ => return Err(at.refuse("unknown_parameter", "Converse has no such field.")),
        }
    }
    Ok(performance)
}

/// `requestMetadata`: 1 to 16 pairs, each of at most 256 of some characters.
pub(super) fn metadata<'n>(
    node: Option<&'n Node<'n>>,
) -> Result<Vec<(&'n str, &'n str)>, Rejection> {
    let at = At::parameter("requestMetadata");
    let mut pairs = Vec::new();
    let Some(node) = node else { return Ok(pairs) };
    for (key, value) in node.object(&at)? {
        let at = at.key(key);
        let value = value.text(&at)?;
        if key.is_empty() || ![key, value].into_iter().all(is_metadata) {
            return Err(at.invalid(
                "keys and values are at most 256 letters, digits, spaces and _ : @ $ # = / + , - .",
            ));
        }
        pairs.push((key, value));
    }
    if pairs.len() > 16 {
        return Err(at.invalid("Bedrock takes 16 pairs at most."));
    }
    Ok(pairs)
}

fn is_metadata(text: &str) -> bool {
    let is_known = |char: char| {
        char.is_ascii_alphanumeric() || char.is_ascii_whitespace() || "_:@$#=/+,-.".contains(char)
    };
    text.len() <= 256 && text.chars().all(is_known)
}

pub(super) fn response_paths<'n>(node: Option<&'n Node<'n>>) -> Result<Vec<&'n str>, Rejection> {
    let at = At::parameter("additionalModelResponseFieldPaths");
    let mut paths = Vec::new();
    let Some(node) = node else { return Ok(paths) };
    for (index, node) in node.list(&at)?.iter().enumerate() {
        let at = at.index(index);
        let path = node.text(&at)?;
        if !path.starts_with('/') || path.chars().nth(256).is_some() {
            return Err(at.invalid("expected a JSON pointer, such as \"/stop_sequence\"."));
        }
        paths.push(path);
    }
    if paths.len() > 10 {
        return Err(at.invalid("Bedrock takes 10 paths at most."));
    }
    Ok(paths)
}

/// OpenAI's `service_tier`, or one of Bedrock's own.
pub(super) fn service_tier<'n>(
    parameters: &Parameters<'n>,
    ignored: &mut Ignored,
) -> Result<Option<ServiceTier<'n>>, Rejection> {
    let at = At::parameter("service_tier");
    let Some(node) = parameters.service_tier else {
        return Ok(None);
    };
    match node.text(&at)? {
        "auto" => Ok(None),
        kind @ ("default" | "flex" | "priority" | "reserved") => Ok(Some(ServiceTier { kind })),
        "scale" | "fast" => {
            ignored.add(
                &at,
                "Bedrock's tiers are 'default', 'flex', 'priority' and 'reserved'.",
            )?;
            Ok(None)
        }
        other => Err(at.invalid(format_args!(
            "'{}'; expected 'auto', 'default', 'flex', 'priority' or 'reserved'.",
            Excerpt(other)
        ))),
    }
}

/// Anthropic's least budget.
pub(super) const LEAST_BUDGET: i64 = 1024;

/// Anthropic's `thinking`.
pub(super) fn thinking<'n>(
    node: Option<&'n Node<'n>>,
    ignored: &mut Ignored,
) -> Result<Option<Thinking<'n>>, Rejection> {
    let at = At::parameter("thinking");
    let Some(node) = node else { return Ok(None) };
    let (mut kind, mut budget_tokens, mut display) = (None, None, None);
    for (key, value) in node.object(&at)? {
        let at = at.key(key);
        match key {
            "type" => match value.text(&at)? {
                known @ ("enabled" | "adaptive" | "disabled") => kind = Some(known),
                _ => return Err(at.invalid("expected 'enabled', 'adaptive' or 'disabled'.")),
            },
            "budget_tokens" => match value.whole(&at)? {
                budget if (LEAST_BUDGET..i64::from(i32::MAX)).contains(&budget) => {
                    budget_tokens = Some(budget);
                }
                _ => {
                    return Err(at.invalid(format_args!(
                        "expected an integer from {LEAST_BUDGET} to {}.",
                        i32::MAX - 1
                    )));
                }
            },
            "display" => display = Some(value.text(&at)?),
            _ => ignored.unknown(&at)?,
        }
    }
    let kind = kind.ok_or_else(|| at.key("type").missing())?;
    if kind == "enabled" && budget_tokens.is_none() {
        return Err(at.key("budget_tokens").missing());
    }
    Ok(Some(Thinking {
        kind,
        budget_tokens: budget_tokens.filter(|_| kind == "enabled"),
        display,
    }))
}
