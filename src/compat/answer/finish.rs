//! Why the model stopped, in OpenAI's words.

use bytes::BufMut;

use super::text::write_string;

/// What the model called, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Called {
    Nothing,
    Tools,
    /// A function of the API before tools.
    Function,
}

/// OpenAI's `finish_reason` for Converse's `stopReason`.
fn finish_reason(reason: &str, called: Called) -> &'static str {
    match (reason, called) {
        ("tool_use", Called::Tools) => "tool_calls",
        ("tool_use", Called::Function) => "function_call",
        ("max_tokens" | "model_context_window_exceeded", _) => "length",
        ("guardrail_intervened" | "content_filtered", _) => "content_filter",
        _ => "stop",
    }
}

/// Appends the field `finish_reason`, and with it Converse's own word, where OpenAI's is not the
/// usual counterpart.
pub(super) fn write(reason: &str, called: Called, out: &mut impl BufMut) {
    let finish = finish_reason(reason, called);
    out.put_slice(b"\"finish_reason\":\"");
    out.put_slice(finish.as_bytes());
    out.put_slice(b"\"");
    let is_usual = matches!(
        (reason, finish),
        ("", _)
            | ("end_turn", _)
            | ("tool_use", "tool_calls" | "function_call")
            | ("max_tokens", _)
    );
    if !is_usual {
        out.put_slice(b",\"native_finish_reason\":");
        write_string(reason, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason() {
        let table = [
            ("end_turn", Called::Nothing, "stop", false),
            ("end_turn", Called::Tools, "stop", false),
            ("stop_sequence", Called::Nothing, "stop", true),
            ("tool_use", Called::Tools, "tool_calls", false),
            ("tool_use", Called::Function, "function_call", false),
            ("tool_use", Called::Nothing, "stop", true),
            ("max_tokens", Called::Nothing, "length", false),
            ("max_tokens", Called::Tools, "length", false),
            (
                "model_context_window_exceeded",
                Called::Nothing,
                "length",
                true,
            ),
            (
                "guardrail_intervened",
                Called::Nothing,
                "content_filter",
                true,
            ),
            ("content_filtered", Called::Tools, "content_filter", true),
            ("malformed_model_output", Called::Nothing, "stop", true),
            ("malformed_tool_use", Called::Tools, "stop", true),
            ("of \"tomorrow\"", Called::Tools, "stop", true),
            ("", Called::Nothing, "stop", false),
        ];
        for (reason, called, finish, is_told) in table {
            let mut out = b"{".to_vec();
            write(reason, called, &mut out);
            out.push(b'}');
            let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(json["finish_reason"], finish, "{reason}");
            let native = is_told.then_some(reason);
            assert_eq!(json["native_finish_reason"].as_str(), native);
        }
    }
}
