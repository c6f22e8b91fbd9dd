//! What a family of models takes and refuses.

use super::families::{ANY, FAMILIES};

/// A family, by a part of the model id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) vendor: Vendor,
    pub(super) sampling: Sampling,
    pub(super) thinking: Thinking,
    /// The highest effort that it takes; none at all if empty.
    pub(super) effort: &'static str,
    pub(super) system: bool,
    /// Messages of the role `system`.
    pub(super) system_turns: bool,
    pub(super) tools: bool,
    /// `toolChoice` `any` and `tool`.
    pub(super) forced_tool: bool,
    pub(super) strict_tools: bool,
    /// `outputConfig.textFormat`.
    pub(super) schema: bool,
    pub(super) cache: bool,
    pub(super) stop: bool,
    pub(super) s3: bool,
    /// The conversation may begin with the assistant.
    pub(super) leads: bool,
    /// The conversation may end with the assistant.
    pub(super) prefill: bool,
    /// Two messages of one role in a row are refused, not merged.
    pub(super) alternates: bool,
    pub(super) beside_results: Beside,
    /// `toolResult.status`.
    pub(super) status: bool,
    /// `reasoningContent` in the history.
    pub(super) reasoning: bool,
    /// Media that it takes in messages.
    pub(super) media: &'static [&'static str],
    /// Media that it takes in tool results.
    pub(super) media_in_results: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Claude,
    Nova,
    GptOss,
    Qwen,
    Other,
}

/// `temperature` and `topP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    Free,
    OneOfThem,
    Neither,
}

/// The forms of thinking that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    No,
    /// `enabled` with a budget.
    Budget,
    /// That and `adaptive`.
    Both,
    /// `adaptive` only.
    Adaptive,
    /// The same, and it cannot be disabled.
    Always,
    /// Nova's `reasoningConfig`.
    Nova,
}

/// What may share a turn with tool results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Anything,
    Nothing,
}

impl Family {
    /// That of a model id; one that takes everything if the id does not tell.
    pub(super) fn of(id: &str) -> &'static Self {
        FAMILIES
            .iter()
            .find(|(name, _)| id.contains(name))
            .map_or(&ANY, |(_, family)| family)
    }
}
