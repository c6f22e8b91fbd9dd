//! How tokens are chosen, and how many.

use super::converse::{Additional, Field, Inference};
use super::fields::Parameters;
use super::ignored::Ignored;
use super::json::Node;
use super::path::At;
use super::words::is_blank;
use crate::compat::family::{Family, Sampling, TopK};
use crate::reject::Rejection;

/// Bedrock's limit.
const MOST_STOPS: usize = 2500;

/// What the request asks for, before the model's reasoning has its say.
#[derive(Debug, Default)]
pub(super) struct Sampler<'n> {
    pub(super) inference: Inference<'n>,
    pub(super) top_k: Option<i64>,
}

pub(super) fn read<'n>(
    parameters: &Parameters<'n>,
    family: &Family,
    ignored: &mut Ignored,
) -> Result<Sampler<'n>, Rejection> {
    let max_tokens = tokens("max_tokens", parameters.max_tokens)?;
    let max_tokens =
        tokens("max_completion_tokens", parameters.max_completion_tokens)?.or(max_tokens);
    let mut temperature = within("temperature", parameters.temperature, 2.0)?;
    let mut top_p = within("top_p", parameters.top_p, 1.0)?;
    let mut top_k = tokens("top_k", parameters.top_k)?;

    let never = "this model has no sampling parameters; leave it out.";
    match family.sampling {
        Sampling::Free => {}
        // 1 is what holds without it, so leaving it out loses nothing.
        Sampling::OneOf if temperature.is_some() && top_p == Some(1.0) => top_p = None,
        Sampling::OneOf if top_p.is_some() && temperature == Some(1.0) => temperature = None,
        Sampling::OneOf => {
            if temperature.is_some() && top_p.take().is_some() {
                let text = "this model takes 'temperature' or 'top_p', not both.";
                ignored.add(&At::parameter("top_p"), text)?;
            }
        }
        Sampling::Never => {
            drop_unless_one(&mut temperature, "temperature", never, ignored)?;
            drop_unless_one(&mut top_p, "top_p", never, ignored)?;
        }
    }
    if family.top_k == TopK::Never && top_k.take().is_some() {
        ignored.add(
            &At::parameter("top_k"),
            "this model has no 'top_k'; leave it out.",
        )?;
    }
    Ok(Sampler {
        inference: Inference {
            max_tokens,
            // OpenAI's scale ends at 2, Bedrock's at 1.
            temperature: temperature.map(|temperature| temperature.min(1.0)),
            top_p,
            stop_sequences: stop(parameters.stop, family, ignored)?,
        },
        top_k,
    })
}

/// Adds `top_k`, for which Converse has no field of its own.
pub(super) fn add_top_k(
    top_k: Option<i64>,
    family: &Family,
    additional: &mut Additional<'_>,
) -> bool {
    let Some(top_k) = top_k else { return true };
    match family.top_k {
        TopK::Field => additional.add("top_k", Field::Whole(top_k)),
        TopK::Nova => additional.add("inferenceConfig", Field::TopK { top_k }),
        TopK::Never => true,
    }
}

/// Leaves out a parameter of which only 1 says nothing.
pub(super) fn drop_unless_one(
    value: &mut Option<f64>,
    name: &str,
    why: &str,
    ignored: &mut Ignored,
) -> Result<(), Rejection> {
    match value.take() {
        Some(value) if value != 1.0 => ignored.add(&At::parameter(name), why),
        _ => Ok(()),
    }
}

fn tokens(name: &str, node: Option<&Node<'_>>) -> Result<Option<i64>, Rejection> {
    let at = At::parameter(name);
    let Some(node) = node else { return Ok(None) };
    let count = node.whole(&at)?;
    if !(1..=i64::from(i32::MAX)).contains(&count) {
        return Err(at.invalid(format_args!("expected an integer from 1 to {}.", i32::MAX)));
    }
    Ok(Some(count))
}

fn within(name: &str, node: Option<&Node<'_>>, most: f64) -> Result<Option<f64>, Rejection> {
    let at = At::parameter(name);
    let Some(node) = node else { return Ok(None) };
    let number = node.number(&at)?;
    if !(0.0..=most).contains(&number) {
        return Err(at.invalid(format_args!("expected a number from 0 to {most}.")));
    }
    // Not -0.
    Ok(Some(number + 0.0))
}

/// One stop sequence, or a list of them.
fn stop<'n>(
    node: Option<&'n Node<'n>>,
    family: &Family,
    ignored: &mut Ignored,
) -> Result<Vec<&'n str>, Rejection> {
    let at = At::parameter("stop");
    let mut sequences = Vec::new();
    match node {
        None => {}
        Some(Node::Text(text)) => sequences.push(&**text),
        Some(Node::List(list)) => {
            for (index, node) in list.iter().enumerate() {
                sequences.push(node.text(&at.index(index))?);
            }
        }
        Some(other) => return Err(at.mistyped("a string or an array of strings", other)),
    }
    sequences.retain(|sequence| !sequence.is_empty());
    if !family.stop && !sequences.is_empty() {
        ignored.add(&at, "this model takes no stop sequences; leave it out.")?;
        sequences.clear();
    }
    if !family.blank_stop && sequences.iter().any(|sequence| is_blank(sequence)) {
        ignored.add(&at, "this model takes no stop sequences of white space.")?;
        sequences.retain(|sequence| !is_blank(sequence));
    }
    if sequences.len() > MOST_STOPS {
        return Err(at.invalid(format_args!("more than {MOST_STOPS} stop sequences.")));
    }
    Ok(sequences)
}
