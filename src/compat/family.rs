//! What each family of models takes.
//!
//! The service refuses what a model does not take, and says so per model only; these are the
//! differences that a translation has to know. Sources, as named in the table:
//!
//! - *AWS*: the Bedrock User Guide: "Inference request parameters and response fields for
//!   foundation models", "Supported models and features" of Converse, "Prompt caching for faster
//!   model inference", "Structured outputs", "Extended thinking" and "Adaptive thinking".
//! - *traffic*: recorded answers of the service.
//! - *matrix*: other libraries' tables that were checked against the service.

mod name;

use self::name::name;

/// A family of models, and what is particular about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Family {
    /// What the ids of its models have in common.
    pub(super) key: &'static str,
    pub(super) sampling: Sampling,
    pub(super) top_k: TopK,
    /// Whether it takes stop sequences.
    pub(super) stop: bool,
    /// Whether it takes stop sequences of nothing but white space.
    pub(super) blank_stop: bool,
    pub(super) reasoning: Reasoning,
    /// Which of its reasoning it takes back.
    pub(super) replay: Replay,
    /// Whether it can be made to call a tool.
    pub(super) forced_tool: bool,
    /// Whether it can be held to one call at a time, in Anthropic's way.
    pub(super) one_call: bool,
    /// Which media it takes in a tool result.
    pub(super) in_results: Inside,
    /// What it takes in a turn beside tool results.
    pub(super) beside_results: Beside,
    pub(super) call_ids: CallIds,
    pub(super) cache: Cache,
    pub(super) schemas: Schemas,
    /// Whether tools can be strict.
    pub(super) strict_tools: bool,
    /// Whether it has the tool `nova_grounding`, which searches the web.
    pub(super) grounding: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sampling {
    Free,
    /// `temperature` or `top_p`, not both.
    OneOf,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TopK {
    /// The additional field `top_k`.
    Field,
    /// The additional field `inferenceConfig.topK`.
    Nova,
    Never,
}

/// How it is told how much to reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reasoning {
    /// It is not.
    Never,
    /// `thinking` with a budget of tokens.
    Budget,
    /// `thinking` of its own measure, with an effort up to `ceiling`.
    Adaptive {
        ceiling: Effort,
        always: bool,
        /// It takes a budget as well.
        budget: bool,
    },
    /// `reasoningConfig`.
    Nova,
    /// `reasoning_effort`, as OpenAI has it.
    Effort,
    /// `reasoning.effort`.
    Object,
    /// `reasoning_config`, low or high.
    Config,
}

/// OpenAI's words for how much to reason, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    ExtraHigh,
    Max,
}

impl Effort {
    pub(super) const ALL: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("minimal", Self::Minimal),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("xhigh", Self::ExtraHigh),
        ("max", Self::Max),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Replay {
    Never,
    /// With its signature.
    Signed,
    /// As text.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Beside {
    Anything,
    TextAndImages,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Inside {
    All,
    /// Images, and documents that are text.
    ImagesAndText,
    Documents,
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CallIds {
    /// Any that Bedrock takes.
    Any,
    /// Nine letters and digits.
    Nine,
}

/// Where it takes cache points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cache {
    Nowhere,
    /// In system and messages.
    Text,
    /// And among tools.
    Everywhere,
    /// And for an hour.
    Hour,
}

/// Which schemas it takes for its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Schemas {
    None,
    /// Those in which every object is closed, without bounds on values.
    Closed,
    Any,
}

impl Family {
    /// The family of the model `id`: what its id says, or else one that takes everything.
    pub(super) fn of(id: &str) -> &'static Self {
        // Where the key may begin: at the vendor, or at what is after a dot.
        let mut parts = [""; 4];
        let mut rest = name(id);
        for part in &mut parts {
            *part = rest;
            rest = rest.split_once('.').map_or("", |(_, rest)| rest);
        }
        let known = FAMILIES
            .iter()
            .find(|family| parts.iter().any(|part| family.begins(part)));
        known.unwrap_or(&ANY)
    }
}

impl Family {
    /// Whether `part` of a model's name begins with the key, and is of no other version.
    fn begins(&self, part: &str) -> bool {
        part.strip_prefix(self.key)
            .is_some_and(|rest| self.is_followed_by(rest))
    }

    /// `claude-opus-4-10` is no `claude-opus-4`; a longer number is a date.
    fn is_followed_by(&self, rest: &str) -> bool {
        let is_digit = |char: char| char.is_ascii_digit();
        if !self.key.ends_with(is_digit) {
            return true;
        }
        let minor = rest.strip_prefix('-').unwrap_or_default();
        let digits = minor.len() - minor.trim_start_matches(is_digit).len();
        let is_minor = self.key.starts_with("claude-") && (1..=2).contains(&digits);
        !rest.starts_with(is_digit) && !is_minor
    }
}

/// Of a model that is not known: what Converse has for all, and nothing that a model without it
/// would refuse.
const ANY: Family = Family {
    key: "",
    sampling: Sampling::Free,
    top_k: TopK::Field,
    stop: true,
    blank_stop: true,
    reasoning: Reasoning::Effort, // matrix: a model without it is told by the service
    // A profile may be one of Claude's, and no other model's answers are signed.
    replay: Replay::Signed,
    forced_tool: true,
    one_call: false,
    in_results: Inside::All,
    beside_results: Beside::Anything,
    call_ids: CallIds::Any,
    cache: Cache::Nowhere, // traffic: a model without it answers 403
    schemas: Schemas::None,
    strict_tools: false,
    grounding: false,
};

/// Of a vendor whose models have nothing of their own.
const PLAIN: Family = Family {
    top_k: TopK::Never,
    reasoning: Reasoning::Never,
    replay: Replay::Never,
    ..ANY
};

/// Claude before thinking.
const CLAUDE_3: Family = Family {
    key: "claude",
    top_k: TopK::Field,                    // AWS; traffic
    blank_stop: false,                     // "each stop sequence must contain non-whitespace"
    beside_results: Beside::TextAndImages, // traffic: documents are refused
    ..PLAIN
};

/// Claude that thinks by a budget: 3.7 to 4.5.
const CLAUDE_BUDGET: Family = Family {
    reasoning: Reasoning::Budget, // AWS; traffic
    replay: Replay::Signed,
    one_call: true,
    cache: Cache::Everywhere,
    ..CLAUDE_3
};

/// Claude 4.5, which has structured output.
const CLAUDE_4_5: Family = Family {
    sampling: Sampling::OneOf, // "`temperature` and `top_p` cannot both be specified"
    cache: Cache::Hour,
    schemas: Schemas::Closed, // AWS; traffic
    strict_tools: true,
    ..CLAUDE_BUDGET
};

/// Claude 4.6, which thinks by its own measure.
const CLAUDE_4_6: Family = Family {
    reasoning: Reasoning::Adaptive {
        ceiling: Effort::High,
        always: false,
        budget: true,
    },
    ..CLAUDE_4_5
};

/// Claude since 4.7, which cannot be sampled.
const CLAUDE_4_7: Family = Family {
    reasoning: Reasoning::Adaptive {
        ceiling: Effort::ExtraHigh,
        always: false,
        budget: false,
    },
    sampling: Sampling::Never,
    top_k: TopK::Never,
    schemas: Schemas::None,
    strict_tools: false,
    ..CLAUDE_4_6
};

/// Claude that always thinks, so that no tool can be forced.
const CLAUDE_ALWAYS: Family = Family {
    reasoning: Reasoning::Adaptive {
        ceiling: Effort::ExtraHigh,
        always: true,
        budget: false,
    },
    forced_tool: false,
    ..CLAUDE_4_7
};

const NOVA: Family = Family {
    key: "amazon.nova",
    top_k: TopK::Nova,                 // AWS; traffic
    in_results: Inside::ImagesAndText, // traffic: "extraneous key [toolResult]"
    cache: Cache::Text, // AWS: "fields that accept cache checkpoints: system, messages"
    ..PLAIN
};

/// Models that Bedrock holds to a schema itself.
const STRUCTURED: Family = Family {
    schemas: Schemas::Any,
    strict_tools: true,
    ..PLAIN
};

const MISTRAL: Family = Family {
    key: "mistral",
    forced_tool: false,              // matrix
    in_results: Inside::Nothing,     // matrix
    beside_results: Beside::Nothing, // matrix
    call_ids: CallIds::Nine,         // matrix: "must be a-z, A-Z, 0-9, with a length of 9"
    ..PLAIN
};

const MISTRAL_STRUCTURED: Family = Family {
    schemas: Schemas::Any,
    strict_tools: true,
    ..MISTRAL
};

const QWEN: Family = Family {
    key: "qwen",
    reasoning: Reasoning::Config, // traffic
    forced_tool: false,           // matrix
    in_results: Inside::Nothing,  // matrix
    ..PLAIN
};

/// The first whose key is in a model's name is its family.
#[rustfmt::skip]
const FAMILIES: &[Family] = &[
    // Claude: matrix, with AWS's pages on thinking, structured output and prompt caching.
    Family { key: "claude-opus-5-5", ..CLAUDE_ALWAYS },
    Family { key: "claude-sonnet-5-5", schemas: Schemas::Closed, ..CLAUDE_ALWAYS },
    Family { key: "claude-haiku-5-5", schemas: Schemas::Closed, ..CLAUDE_4_7 },
    Family { key: "claude-fable-5-1", ..CLAUDE_ALWAYS },
    Family { key: "claude-fable", ..CLAUDE_ALWAYS },
    Family { key: "claude-mythos", ..CLAUDE_ALWAYS },
    Family { key: "claude-opus-5", ..CLAUDE_4_7 },
    Family { key: "claude-sonnet-5", schemas: Schemas::Closed, ..CLAUDE_4_7 },
    Family { key: "claude-opus-4-8", schemas: Schemas::Closed, ..CLAUDE_4_7 },
    Family { key: "claude-opus-4-7", ..CLAUDE_4_7 },
    Family { key: "claude-opus-4-6", reasoning: Reasoning::Adaptive { ceiling: Effort::Max, always: false, budget: true }, ..CLAUDE_4_6 },
    Family { key: "claude-sonnet-4-6", ..CLAUDE_4_6 },
    Family { key: "claude-opus-4-5", ..CLAUDE_4_5 },
    Family { key: "claude-sonnet-4-5", ..CLAUDE_4_5 },
    Family { key: "claude-haiku-4-5", ..CLAUDE_4_5 },
    Family { key: "claude-opus-4-1", sampling: Sampling::OneOf, ..CLAUDE_BUDGET },
    Family { key: "claude-opus-4", ..CLAUDE_BUDGET },
    Family { key: "claude-sonnet-4", ..CLAUDE_BUDGET },
    Family { key: "claude-3-7", ..CLAUDE_BUDGET },
    Family { key: "claude-3-5-sonnet-20240620", ..CLAUDE_3 },
    Family { key: "claude-3-5", cache: Cache::Everywhere, ..CLAUDE_3 },
    Family { key: "claude-3-", ..CLAUDE_3 },
    Family { key: "claude-v2", ..CLAUDE_3 },
    Family { key: "claude-instant", ..CLAUDE_3 },
    // One that is newer than this table takes after the newest.
    Family { key: "claude", ..CLAUDE_4_7 },

    // Nova: AWS's Nova User Guides; traffic.
    Family { key: "amazon.nova-2", reasoning: Reasoning::Nova, grounding: true, ..NOVA },
    NOVA,
    Family { key: "amazon.titan", forced_tool: false, beside_results: Beside::Nothing, ..PLAIN },

    // matrix
    Family { key: "llama", forced_tool: false, beside_results: Beside::Nothing, ..PLAIN },
    Family { key: "magistral-small", ..MISTRAL_STRUCTURED },
    Family { key: "ministral-3", ..MISTRAL_STRUCTURED },
    Family { key: "mistral-large-3", ..MISTRAL_STRUCTURED },
    Family { key: "voxtral", ..MISTRAL_STRUCTURED },
    Family { key: "pixtral", in_results: Inside::Documents, ..MISTRAL },
    MISTRAL,
    Family { key: "writer.", forced_tool: false, beside_results: Beside::Nothing, ..PLAIN },
    Family { key: "qwen3", schemas: Schemas::Any, strict_tools: true, ..QWEN },
    QWEN,
    // "This model doesn't support the stopSequences field"
    Family { key: "gpt-oss", reasoning: Reasoning::Effort, stop: false, ..PLAIN },
    Family { key: "openai.gpt", reasoning: Reasoning::Object, stop: false, ..PLAIN },
    Family { key: "grok", stop: false, ..PLAIN },
    Family { key: "zai.", ..STRUCTURED },
    Family { key: "moonshot", in_results: Inside::Nothing, ..STRUCTURED },
    Family { key: "kimi", in_results: Inside::Nothing, ..STRUCTURED },
    Family { key: "google.gemma", ..STRUCTURED },
    Family { key: "minimax", ..STRUCTURED },
    Family { key: "nemotron", ..STRUCTURED },
    // It always reasons, and its reasoning must be sent back.
    Family { key: "deepseek.r1", replay: Replay::Plain, forced_tool: false, ..PLAIN },
    Family { key: "deepseek", reasoning: Reasoning::Effort, replay: Replay::Plain, ..PLAIN },
    Family { key: "cohere.", forced_tool: false, beside_results: Beside::Nothing, ..PLAIN },
    Family { key: "ai21.", forced_tool: false, beside_results: Beside::Nothing, ..PLAIN },
];

#[cfg(test)]
mod tests {
    use super::{FAMILIES, Family, Reasoning};

    #[test]
    fn by_id() {
        for (id, key) in [
            (
                "anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5",
            ),
            ("us.anthropic.claude-opus-4-20250514-v1:0", "claude-opus-4"),
            ("anthropic.claude-opus-5-5", "claude-opus-5-5"),
            ("anthropic.claude-opus-9", "claude"),
            ("us.anthropic.claude-sonnet-4-8-20270101-v1:0", "claude"),
            ("anthropic.claude-opus-4-10", "claude"),
            ("anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"),
            ("anthropic.claude-opus-4", "claude-opus-4"),
            ("anthropic.claude-haiku-4-6", "claude"),
            ("anthropic.claude-sonnet-5-6", "claude"),
            ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5"),
            (
                "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1",
                "",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:prompt-router/grok1llama",
                "",
            ),
            (
                "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-llama",
                "",
            ),
            ("anthropic.claude-3-haiku-20240307-v1:0", "claude-3-"),
            ("us-gov.amazon.nova-pro-v1:0", "amazon.nova"),
            ("global.amazon.nova-2-lite-v1:0", "amazon.nova-2"),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/mistral.mistral-large-3-675b-instruct",
                "mistral-large-3",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.meta.llama3-2-1b-instruct-v1:0",
                "llama",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1/abcdefghijkl",
                "amazon.nova",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
                "",
            ),
            ("openai.gpt-oss-120b-1:0", "gpt-oss"),
            ("us.openai.gpt-6", "openai.gpt"),
            ("deepseek.v3-v1:0", "deepseek"),
            ("someone.new-v1:0", ""),
        ] {
            assert_eq!(Family::of(id).key, key, "{id}");
        }
    }

    #[test]
    fn every_row_can_be_reached() {
        for (at, family) in FAMILIES.iter().enumerate() {
            let above = FAMILIES.iter().take(at);
            let hides = above
                .into_iter()
                .find(|other| family.key.contains(other.key));
            assert_eq!(hides.map(|other| other.key), None, "{}", family.key);
        }
    }

    #[test]
    fn what_always_reasons_cannot_be_forced() {
        for family in FAMILIES {
            if let Reasoning::Adaptive { always: true, .. } = family.reasoning {
                assert!(!family.forced_tool, "{}", family.key);
            }
        }
    }
}
