//! The operations of the Bedrock runtime, as far as a path tells them.

use std::fmt;

use super::check::decode;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a request asks of Bedrock, told by its path.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* $variant,)*
        }

        impl Operation {
            /// The operation's name in AWS's service model, such as `ConverseStream`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The operation with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

operations! {
    /// `POST /model/{id}/converse`
    Converse = "Converse",
    /// `POST /model/{id}/converse-stream`
    ConverseStream = "ConverseStream",
    /// `POST /model/{id}/invoke`
    InvokeModel = "InvokeModel",
    /// `POST /model/{id}/invoke-with-response-stream`
    InvokeModelWithResponseStream = "InvokeModelWithResponseStream",
    /// `POST /model/{id}/invoke-with-bidirectional-stream`
    InvokeModelWithBidirectionalStream = "InvokeModelWithBidirectionalStream",
    /// `POST /model/{id}/count-tokens`
    CountTokens = "CountTokens",
    /// `POST /guardrail/{id}/version/{version}/apply`
    ApplyGuardrail = "ApplyGuardrail",
    /// `POST /guardrail-checks/invoke`
    InvokeGuardrailChecks = "InvokeGuardrailChecks",
    /// `/async-invoke` and `/async-invoke/{arn}`
    AsyncInvoke = "AsyncInvoke",
    /// `…/chat/completions`, the OpenAI API that Bedrock itself offers
    ChatCompletions = "ChatCompletions",
    /// `…/responses`, the OpenAI API that Bedrock itself offers
    Responses = "Responses",
    /// `…/messages`, the Anthropic API of `bedrock-mantle`
    Messages = "Messages",
    /// Any other path.
    Other = "Other",
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Operation {
    /// The operation of the path `rest` (without its leading slash) and the part of it that holds
    /// the model id, still encoded. A trailing slash does not matter.
    ///
    /// The model id is what lies between the first and the last segment, so that an ARN whose
    /// slashes were left raw is found too.
    pub(crate) fn parse(rest: &str) -> (Self, Option<&str>) {
        let rest = rest.trim_end_matches('/');
        if let Some(after) = rest.strip_prefix("model/") {
            // A slash is no part of another character.
            let slash = after.bytes().rposition(|byte| byte == b'/');
            let split = slash.and_then(|slash| after.split_at_checked(slash));
            let Some((model, action)) = split else {
                return (Self::Other, None);
            };
            let action = action.get(1..).unwrap_or_default();
            let operation = match &*decode(action) {
                "converse" => Self::Converse,
                "converse-stream" => Self::ConverseStream,
                "invoke" => Self::InvokeModel,
                "invoke-with-response-stream" => Self::InvokeModelWithResponseStream,
                "invoke-with-bidirectional-stream" => Self::InvokeModelWithBidirectionalStream,
                "count-tokens" => Self::CountTokens,
                _ => return (Self::Other, None),
            };
            return (operation, Some(model).filter(|model| !model.is_empty()));
        }
        let operation = if rest.starts_with("guardrail/") && rest.ends_with("/apply") {
            Self::ApplyGuardrail
        } else if rest == "guardrail-checks/invoke" {
            Self::InvokeGuardrailChecks
        } else if rest == "async-invoke" || rest.starts_with("async-invoke/") {
            Self::AsyncInvoke
        } else if rest.ends_with("v1/chat/completions") {
            Self::ChatCompletions
        } else if rest.ends_with("v1/responses") {
            Self::Responses
        } else if rest.ends_with("v1/messages") {
            Self::Messages
        } else {
            Self::Other
        };
        (operation, None)
    }

    /// Whether a path leads to `InvokeModelWithBidirectionalStream`, written as everybody does.
    pub(crate) fn is_bidirectional(path: &str) -> bool {
        path.ends_with("/invoke-with-bidirectional-stream")
    }

    /// Whether a request of this operation names no model at all.
    pub(crate) fn is_without_model(self) -> bool {
        matches!(self, Self::ApplyGuardrail | Self::InvokeGuardrailChecks)
    }
}

#[cfg(test)]
mod tests {
    use super::Operation::{self, *};

    #[test]
    fn path_tells_operation_and_model() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
        for (rest, operation, model) in [
            ("model/m/converse", Converse, Some("m")),
            ("model/m/converse-stream", ConverseStream, Some("m")),
            ("model/m%3A0/invoke/", InvokeModel, Some("m%3A0")),
            (&format!("model/{arn}/invoke"), InvokeModel, Some(arn)),
            ("model/converse", Other, None),
            ("model//converse", Converse, None),
            ("model/m/else", Other, None),
            ("model/m/%63onverse//", Converse, Some("m")),
            ("guardrail/g/version/1/apply", ApplyGuardrail, None),
            ("async-invoke", AsyncInvoke, None),
            ("openai/v1/chat/completions", ChatCompletions, None),
            ("v1/responses", Responses, None),
            ("anthropic/v1/messages", Messages, None),
            ("foundation-models", Other, None),
        ] {
            assert_eq!(Operation::parse(rest), (operation, model), "{rest}");
        }
        assert_eq!(Operation::from_name("CountTokens"), Some(CountTokens));
        assert_eq!(Operation::from_name("converse"), None);
    }
}
