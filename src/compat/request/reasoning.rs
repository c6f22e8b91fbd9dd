//! How much the model is to reason, and what it does not take while it does.

use super::converse::{Additional, Field, Thinking};
use super::extensions::{self, LEAST_BUDGET};
use super::fields::Parameters;
use super::ignored::Ignored;
use super::inference::{Sampler, drop_unless_one};
use super::json;
use super::path::{At, Excerpt};
use crate::compat::family::{Effort, Family, Reasoning};
use crate::reject::Rejection;

/// What is left for the answer if the client has not said how long it may be.
const ROOM: i64 = 4096;

const EFFORT: &str = "reasoning_effort";
const THINKING: &str = "thinking";

/// What bears on reasoning from elsewhere in the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    /// The last assistant turn calls tools and shows no reasoning, which Claude asks for then.
    pub(super) calls_without_reasoning: bool,
    /// A tool has to be forced for the format of the answer.
    pub(super) forced_format: bool,
    /// The last message is the beginning of the answer.
    pub(super) prefill: bool,
}

/// Adds what makes the model reason, and takes away what it does not take then. Tells whether it
/// thinks in Claude's way, so that no tool can be forced.
pub(super) fn apply<'n>(
    parameters: &Parameters<'n>,
    circumstances: Circumstances,
    family: &Family,
    sampler: &mut Sampler<'n>,
    additional: &mut Additional<'n>,
    ignored: &mut Ignored,
) -> Result<bool, Rejection> {
    let effort = effort(parameters)?;
    let thinking = extensions::thinking(parameters.thinking, ignored)?;
    let is_claude = match family.reasoning {
        Reasoning::Budget | Reasoning::Adaptive { .. } => true,
        // Of a model that is not known, the client may know that it is Claude.
        _ => family.key.is_empty() && (thinking.is_some() || given(additional).is_some()),
    };
    if is_claude {
        let thinks = match given(additional) {
            Some(thinks) => {
                // The client speaks to the model itself.
                if effort.is_some() {
                    ignored.add(
                        &At::parameter(EFFORT),
                        "the model's own field is there too.",
                    )?;
                }
                if thinking.is_some() {
                    ignored.add(
                        &At::parameter(THINKING),
                        "the model's own field is there too.",
                    )?;
                }
                thinks
            }
            None => {
                let mut claude = Claude {
                    effort,
                    thinking,
                    circumstances,
                    family,
                };
                claude.think(sampler, additional, ignored)?
            }
        };
        if thinks {
            restrain(sampler, ignored)?;
            if circumstances.forced_format {
                return Err(At::parameter("response_format").unsupported(
                    "this model cannot be held to a schema while it reasons; leave out one of both.",
                ));
            }
        }
        return Ok(thinks);
    }
    if thinking.is_some_and(|thinking| thinking.kind != "disabled") {
        ignored.add(
            &At::parameter(THINKING),
            "this model has no such field; leave it out.",
        )?;
    }
    let Some((word, effort)) = effort else {
        return Ok(false);
    };
    let is_added = match family.reasoning {
        Reasoning::Never => effort == Effort::None,
        Reasoning::Effort => additional.add(EFFORT, Field::Text(word)),
        Reasoning::Object => additional.add("reasoning", Field::Effort { effort: word }),
        Reasoning::Config => match effort {
            Effort::None => false,
            Effort::Minimal | Effort::Low => additional.add("reasoning_config", Field::Text("low")),
            _ => additional.add("reasoning_config", Field::Text("high")),
        },
        Reasoning::Nova => nova(effort, parameters, sampler, additional, ignored)?,
        Reasoning::Budget | Reasoning::Adaptive { .. } => true,
    };
    if !is_added {
        let text = "this model cannot be told how much to reason in that way; leave it out.";
        ignored.add(&At::parameter(EFFORT), text)?;
    }
    Ok(false)
}

fn effort(parameters: &Parameters<'_>) -> Result<Option<(&'static str, Effort)>, Rejection> {
    let at = At::parameter(EFFORT);
    let Some(node) = parameters.reasoning_effort else {
        return Ok(None);
    };
    let word = node.text(&at)?;
    let known = Effort::ALL.into_iter().find(|(known, _)| *known == word);
    known.map(Some).ok_or_else(|| {
        at.invalid(format_args!(
            "'{}'; expected 'none', 'minimal', 'low', 'medium', 'high', 'xhigh' or 'max'.",
            Excerpt(word)
        ))
    })
}

/// Whether the fields for the model itself say that it is to think; none if they say nothing.
fn given(additional: &Additional<'_>) -> Option<bool> {
    let raw = additional
        .given(THINKING)
        .or_else(|| additional.given("reasoning_config"))?;
    let pairs = json::pairs(raw.get()).unwrap_or_default();
    let kind = pairs.iter().find(|(key, _)| key == "type");
    Some(kind.is_some_and(|(_, kind)| kind.get() != r#""disabled""#))
}

/// What Claude does not take while it thinks.
fn restrain(sampler: &mut Sampler<'_>, ignored: &mut Ignored) -> Result<(), Rejection> {
    let inference = &mut sampler.inference;
    let why = "this model does not take it while it reasons.";
    drop_unless_one(&mut inference.temperature, "temperature", why, ignored)?;
    if inference.top_p.take_if(|top_p| *top_p < 0.95).is_some() {
        ignored.add(&At::parameter("top_p"), why)?;
    }
    if sampler.top_k.take().is_some() {
        ignored.add(&At::parameter("top_k"), why)?;
    }
    Ok(())
}

fn nova(
    effort: Effort,
    parameters: &Parameters<'_>,
    sampler: &mut Sampler<'_>,
    additional: &mut Additional<'_>,
    ignored: &mut Ignored,
) -> Result<bool, Rejection> {
    let word = match effort {
        Effort::None => return Ok(true),
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::ExtraHigh | Effort::Max => "high",
    };
    let is_added = additional.add(
        "reasoningConfig",
        Field::Nova {
            kind: "enabled",
            max_reasoning_effort: word,
        },
    );
    if is_added && word == "high" {
        let inference = &mut sampler.inference;
        let why = "this model does not take it while it reasons with high effort.";
        let max_tokens = match parameters.max_completion_tokens {
            Some(_) => "max_completion_tokens",
            None => "max_tokens",
        };
        for (name, was_there) in [
            (max_tokens, inference.max_tokens.take().is_some()),
            ("temperature", inference.temperature.take().is_some()),
            ("top_p", inference.top_p.take().is_some()),
        ] {
            if was_there {
                ignored.add(&At::parameter(name), why)?;
            }
        }
    }
    Ok(is_added)
}

struct Claude<'f, 'n> {
    effort: Option<(&'static str, Effort)>,
    thinking: Option<Thinking<'n>>,
    circumstances: Circumstances,
    family: &'f Family,
}

impl<'n> Claude<'_, 'n> {
    /// Adds `thinking`, if Claude is to think and can, and tells whether it does.
    fn think(
        &mut self,
        sampler: &mut Sampler<'n>,
        additional: &mut Additional<'n>,
        ignored: &mut Ignored,
    ) -> Result<bool, Rejection> {
        let always = matches!(
            self.family.reasoning,
            Reasoning::Adaptive { always: true, .. }
        );
        let Some(mut thinking) = self.wanted() else {
            return Ok(false);
        };
        if thinking.kind == "disabled" {
            if always {
                self.lose("this model always reasons.", ignored)?;
                return Ok(false);
            }
            if self.thinking.is_some() || self.family.reasoning != Reasoning::Budget {
                additional.add(THINKING, Field::Thinking(thinking));
            }
            if self.thinking.is_some() && self.asks_for_effort() {
                ignored.add(&At::parameter(EFFORT), "'thinking' is there too.")?;
            }
            return Ok(false);
        }
        if thinking.kind == "adaptive" && self.family.reasoning == Reasoning::Budget {
            return Err(At::parameter(THINKING).key("type").unsupported(
                "this model reasons by a budget; send 'enabled' with 'budget_tokens', or \
                 'reasoning_effort'.",
            ));
        }
        if self.circumstances.forced_format {
            let why = "this model cannot reason while a schema holds its answer; leave out one of \
                       both.";
            self.lose(why, ignored)?;
            return Ok(false);
        }
        if self.circumstances.prefill && !always {
            let why = "this model cannot reason and go on with an assistant message; leave out one \
                       of both.";
            self.lose(why, ignored)?;
            return Ok(false);
        }
        if self.circumstances.calls_without_reasoning && !always {
            let why = "the last assistant message calls tools without its signed \
                       'thinking_blocks'; send them back, or leave this out.";
            self.lose(why, ignored)?;
            return Ok(false);
        }
        if let ("enabled", Reasoning::Adaptive { budget: false, .. }) =
            (thinking.kind, self.family.reasoning)
        {
            let at = At::parameter(THINKING);
            let why = "this model reasons by its own measure; send 'adaptive'.";
            ignored.add(&at.key("budget_tokens"), why)?;
            thinking.kind = "adaptive";
            thinking.budget_tokens = None;
        }
        if let Some(budget) = thinking.budget_tokens {
            let Some(budget) = self.budget(budget, sampler, ignored)? else {
                return Ok(false);
            };
            thinking.budget_tokens = Some(budget);
        }
        additional.add(THINKING, Field::Thinking(thinking));
        match (self.effort, self.family.reasoning) {
            (Some((_, effort)), Reasoning::Adaptive { ceiling, .. }) if effort != Effort::None => {
                let effort = effort.clamp(Effort::Low, ceiling);
                let word = Effort::ALL.into_iter().find(|(_, known)| *known == effort);
                let effort = word.map_or("high", |(word, _)| word);
                if !additional.add("output_config", Field::Effort { effort }) {
                    ignored.add(
                        &At::parameter(EFFORT),
                        "the model's own field is there too.",
                    )?;
                }
            }
            (Some(_), _) if self.thinking.is_some() => {
                ignored.add(&At::parameter(EFFORT), "'thinking' is there too.")?;
            }
            _ => {}
        }
        Ok(true)
    }

    fn asks_for_effort(&self) -> bool {
        self.effort
            .is_some_and(|(_, effort)| effort != Effort::None)
    }

    /// It does not think, although it is to.
    fn lose(&self, why: &str, ignored: &mut Ignored) -> Result<(), Rejection> {
        if self.thinking.is_some() {
            ignored.add(&At::parameter(THINKING), why)?;
        }
        if self.thinking.is_none() || self.asks_for_effort() {
            ignored.add(&At::parameter(EFFORT), why)?;
        }
        Ok(())
    }

    /// The `thinking` that the client asks for.
    fn wanted(&self) -> Option<Thinking<'n>> {
        if self.thinking.is_some() {
            return self.thinking;
        }
        let (_, effort) = self.effort?;
        let (kind, budget_tokens) = match (self.family.reasoning, effort) {
            (_, Effort::None) => ("disabled", None),
            (Reasoning::Budget, Effort::Minimal | Effort::Low) => ("enabled", Some(1024)),
            (Reasoning::Budget, Effort::Medium) => ("enabled", Some(2048)),
            (Reasoning::Budget, Effort::High) => ("enabled", Some(4096)),
            (Reasoning::Budget, Effort::ExtraHigh) => ("enabled", Some(8192)),
            (Reasoning::Budget, Effort::Max) => ("enabled", Some(16_384)),
            _ => ("adaptive", None),
        };
        Some(Thinking {
            kind,
            budget_tokens,
            display: None,
        })
    }

    /// The budget that fits the length of the answer, of which it is a part; none if none does.
    fn budget(
        &self,
        budget: i64,
        sampler: &mut Sampler<'_>,
        ignored: &mut Ignored,
    ) -> Result<Option<i64>, Rejection> {
        let Some(most) = sampler.inference.max_tokens else {
            sampler.inference.max_tokens = Some((budget + ROOM).min(i32::MAX.into()));
            return Ok(Some(budget));
        };
        if budget < most {
            return Ok(Some(budget));
        }
        if self.thinking.is_some() {
            let at = At::parameter(THINKING);
            return Err(at
                .key("budget_tokens")
                .invalid("it must be less than 'max_tokens', of which it is a part."));
        }
        if most <= LEAST_BUDGET {
            let why = "this model reasons with at least 1024 tokens; allow more than that in \
                       'max_tokens'.";
            ignored.add(&At::parameter(EFFORT), why)?;
            return Ok(None);
        }
        Ok(Some(most - 1))
    }
}
