//! What the translation of an answer has to know of its request.

use std::borrow::Cow;

/// How an answer is to be given.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// The model as the client named it; the answer repeats it.
    pub(super) model: String,
    /// In chunks.
    pub(super) stream: bool,
    /// With a chunk of usage at the end of the stream.
    pub(super) include_usage: bool,
    pub(super) names: ToolNames,
    /// The tool, by its name at Bedrock, that stands in for a `response_format`: its input is the
    /// answer's content.
    pub(super) format_tool: Option<String>,
    /// The tools were given as `functions`, so that a call is given as `function_call`.
    pub(super) legacy_functions: bool,
    /// No call may be given: the client chose `none`, or gave no tools, and tools were sent all the
    /// same since the history has calls of them. `format_tool` is none of these.
    pub(super) no_calls: bool,
    /// The answer is to be JSON: text that is none does not stand beside a call.
    pub(super) holds_text: bool,
    /// Parameters that have no counterpart and were left out.
    pub(super) dropped: Vec<Cow<'static, str>>,
}

/// Tool names that Bedrock does not take, and what it got instead.
#[derive(Debug, Clone, Default)]
pub(super) struct ToolNames {
    /// Pairs: at Bedrock, at the client.
    renamed: Vec<(String, String)>,
}

impl ToolNames {
    /// Notes that the client's `original` goes to Bedrock as `sent`.
    pub(super) fn rename(&mut self, sent: String, original: String) {
        self.renamed.push((sent, original));
    }

    /// The client's name of the tool that Bedrock knows as `sent`.
    pub(super) fn original<'a>(&'a self, sent: &'a str) -> &'a str {
        let pair = self.renamed.iter().find(|(known, _)| known == sent);
        pair.map_or(sent, |(_, original)| original)
    }
}
