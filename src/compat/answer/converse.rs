//! What Converse and ConverseStream answer, as far as it is translated.
//!
//! Everything unknown is passed over; strings are borrowed as they are written.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::text::Quoted;

/// A longer name is nobody's.
const MAX_TIER: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) output: Option<Output<'a>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<ServiceTier<'a>>,
    #[serde(borrow)]
    pub(super) additional_model_response_fields: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) metrics: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) trace: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) performance_config: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Output<'a> {
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Vec<Block<'a>>>,
}

/// One of its fields is there; none, if it is a block of another kind.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Reasoning<'a>>,
    #[serde(borrow)]
    pub(super) citations_content: Option<CitationsContent<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'a> {
    #[serde(borrow)]
    pub(super) tool_use_id: Quoted<'a>,
    #[serde(borrow)]
    pub(super) name: Quoted<'a>,
    /// Not in a stream, where it follows in pieces.
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<Quoted<'a>>,
}

impl ToolUse<'_> {
    /// The service has run it itself.
    pub(super) fn is_of_server(&self) -> bool {
        self.kind
            .is_some_and(|kind| kind.decoded() == "server_tool_use")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reasoning<'a> {
    #[serde(borrow)]
    pub(super) reasoning_text: Option<ReasoningText<'a>>,
    #[serde(borrow)]
    pub(super) redacted_content: Option<Quoted<'a>>,
}

#[derive(Deserialize, Clone, Copy)]
pub(super) struct ReasoningText<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Quoted<'a>>,
}

#[derive(Deserialize)]
pub(super) struct CitationsContent<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Vec<CitedText<'a>>>,
    #[serde(borrow)]
    pub(super) citations: Option<Vec<Citation<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct CitedText<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Quoted<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Citation<'a> {
    #[serde(borrow)]
    title: Option<Quoted<'a>>,
    #[serde(borrow)]
    location: Option<Location<'a>>,
}

#[derive(Deserialize)]
struct Location<'a> {
    #[serde(borrow)]
    web: Option<Web<'a>>,
}

#[derive(Deserialize)]
struct Web<'a> {
    #[serde(borrow)]
    url: Option<Quoted<'a>>,
}

impl<'a> Citation<'a> {
    /// The address and the title, if it is of a page of the web.
    pub(super) fn page(&self) -> Option<(Quoted<'a>, Quoted<'a>)> {
        let url = self.location.as_ref()?.web.as_ref()?.url?;
        Some((url, self.title.unwrap_or(url)))
    }
}

#[derive(Deserialize)]
pub(super) struct ServiceTier<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Quoted<'a>>,
}

impl ServiceTier<'_> {
    /// Its name at OpenAI, if there is such a one.
    pub(super) fn name(&self) -> Option<&'static str> {
        let known = ["default", "flex", "priority"];
        let kind = self.kind?.decoded();
        known.into_iter().find(|name| *name == kind)
    }

    /// Bedrock's own word, for the record.
    pub(super) fn said(&self) -> Option<String> {
        let kind = self.kind?.decoded();
        (1..=MAX_TIER)
            .contains(&kind.len())
            .then(|| kind.into_owned())
    }
}

/// The payload of `contentBlockStart`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStart<'a> {
    pub(super) content_block_index: Option<u64>,
    #[serde(borrow)]
    pub(super) start: Option<Block<'a>>,
}

/// The payload of `contentBlockDelta`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockDelta<'a> {
    pub(super) content_block_index: Option<u64>,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
}

/// One of its fields is there; none, if it is of another kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delta<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUseDelta<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<ReasoningDelta<'a>>,
    #[serde(borrow)]
    pub(super) citation: Option<Citation<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ToolUseDelta<'a> {
    #[serde(borrow)]
    pub(super) input: Option<Quoted<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReasoningDelta<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) redacted_content: Option<Quoted<'a>>,
}

/// The payload of `contentBlockStop`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStop {
    pub(super) content_block_index: Option<u64>,
}

/// The payload of `messageStop`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageStop<'a> {
    #[serde(borrow)]
    pub(super) stop_reason: Option<Quoted<'a>>,
    #[serde(borrow)]
    pub(super) additional_model_response_fields: Option<&'a RawValue>,
}

/// The payload of `metadata`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) service_tier: Option<ServiceTier<'a>>,
    #[serde(borrow)]
    pub(super) metrics: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) trace: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) performance_config: Option<&'a RawValue>,
}
