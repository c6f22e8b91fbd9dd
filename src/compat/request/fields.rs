//! The parameters of a request, by name.

use super::ignored::Ignored;
use super::json::{self, Node, Object};
use super::path::At;
use crate::reject::Rejection;

macro_rules! parameters {
    ($($field:ident $name:literal,)*) => {
        /// What the request says of each parameter; none if it is absent or null.
        #[derive(Debug, Default)]
        pub(super) struct Parameters<'n> {
            $(pub(super) $field: Option<&'n Node<'n>>,)*
        }

        impl<'n> Parameters<'n> {
            /// Every parameter that is known.
            #[cfg(test)]
            pub(super) const NAMES: &'static [&'static str] = &[$($name,)*];

            pub(super) fn read(
                request: &'n Object<'n>,
                ignored: &mut Ignored,
            ) -> Result<Self, Rejection> {
                if let Some(twice) = json::repeated(request.iter().map(|(key, _)| &**key)) {
                    let text = "the parameter is there twice; send it once.";
                    return Err(At::parameter(twice).invalid(text));
                }
                let mut parameters = Self::default();
                for (key, value) in json::present(request) {
                    match key {
                        $($name => parameters.$field = Some(value),)*
                        _ => ignored.unknown(&At::parameter(key))?,
                    }
                }
                Ok(parameters)
            }
        }
    };
}

parameters! {
    additional_model_request_fields "additionalModelRequestFields",
    additional_model_response_field_paths "additionalModelResponseFieldPaths",
    audio "audio",
    frequency_penalty "frequency_penalty",
    function_call "function_call",
    functions "functions",
    guardrail_config "guardrailConfig",
    logit_bias "logit_bias",
    logprobs "logprobs",
    max_completion_tokens "max_completion_tokens",
    max_tokens "max_tokens",
    messages "messages",
    metadata "metadata",
    modalities "modalities",
    model "model",
    moderation "moderation",
    n "n",
    parallel_tool_calls "parallel_tool_calls",
    performance_config "performanceConfig",
    prediction "prediction",
    presence_penalty "presence_penalty",
    prompt_cache_key "prompt_cache_key",
    prompt_cache_options "prompt_cache_options",
    prompt_cache_retention "prompt_cache_retention",
    reasoning_effort "reasoning_effort",
    request_metadata "requestMetadata",
    response_format "response_format",
    safety_identifier "safety_identifier",
    seed "seed",
    service_tier "service_tier",
    stop "stop",
    store "store",
    stream "stream",
    stream_options "stream_options",
    temperature "temperature",
    thinking "thinking",
    tool_choice "tool_choice",
    tools "tools",
    top_k "top_k",
    top_logprobs "top_logprobs",
    top_p "top_p",
    user "user",
    verbosity "verbosity",
    web_search_options "web_search_options",
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    /// The contract says of every parameter what becomes of it, and of none that is not read.
    #[test]
    fn the_contract_is_complete() {
        let table = include_str!("../contract.md");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
        let cells = rows.filter_map(|row| row.split(" | ").next());
        // Some rows are about a part of a parameter, such as `messages[].content`.
        let cells = cells.filter(|cell| !cell.contains(['.', '[', '\u{2026}']));
        let names = cells.flat_map(|cell| cell.split(", "));
        let mut said: Vec<&str> = names
            .filter_map(|name| name.strip_prefix('`')?.strip_suffix('`'))
            .collect();
        said.sort_unstable();
        let mut known = Parameters::NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(said, known);
    }
}
