//! Answers written by hand, one for each thing that an answer can hold.

use serde_json::{Value, json};

use super::Event;
use super::expected::items;

pub(super) struct Fixture {
    pub(super) name: &'static str,
    /// Converse's blocks.
    content: &'static str,
    stop_reason: &'static str,
    /// The one choice of the completion.
    pub(super) choice: Value,
}

impl Fixture {
    /// The answer of Converse.
    pub(super) fn answer(&self) -> String {
        let (content, stop_reason) = (self.content, self.stop_reason);
        format!(
            r#"{{"metrics": {{"latencyMs": 9}}, "output": {{"message": {{"content": {content}, "role": "assistant"}}}},
                "stopReason": "{stop_reason}", "usage": {{"inputTokens": 3, "outputTokens": 5, "totalTokens": 8, "serverToolUsage": {{}}}}}}"#
        )
    }

    /// The events of ConverseStream that amount to it.
    pub(super) fn events(&self) -> Vec<Event> {
        let answer: Value = serde_json::from_str(&self.answer()).unwrap();
        events(&answer)
    }
}

fn fixture(
    name: &'static str,
    content: &'static str,
    stop_reason: &'static str,
    message: Value,
    finish_reason: &str,
) -> Fixture {
    let mut whole = json!({"role": "assistant", "content": null, "refusal": null});
    for (field, value) in message.as_object().unwrap() {
        whole[field] = value.clone();
    }
    let choice =
        json!({"index": 0, "message": whole, "logprobs": null, "finish_reason": finish_reason});
    Fixture {
        name,
        content,
        stop_reason,
        choice,
    }
}

impl Fixture {
    fn told_natively(mut self) -> Self {
        self.choice["native_finish_reason"] = Value::from(self.stop_reason);
        self
    }
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn citation(start: u64, end: u64, url: &str, title: &str) -> Value {
    json!({"type": "url_citation", "url_citation": {"start_index": start, "end_index": end, "url": url, "title": title}})
}

pub(super) fn all() -> Vec<Fixture> {
    let hello = || json!({"content": "Hello"});
    let mut all = vec![
        fixture("text", r#"[{"text": "Hello"}]"#, "end_turn", hello(), "stop"),
        fixture(
            "several texts are one, with nothing between",
            r#"[{"text": "It is"}, {"text": ""}, {"text": " 5 °C"}, {"text": ".\n"}]"#,
            "end_turn",
            json!({"content": "It is 5 °C.\n"}),
            "stop",
        ),
        fixture(
            "text that looks like the framing",
            "[{\"text\": \"data: [DONE]\\n\\ndata: {\\\"id\\\":1}\\r\\n\u{2028}\u{2029}\u{85}\\u2028\\u0000\\u000b\\b \\\"\\\\ \\/ \\ud83e\\udd80 🦀\"}]",
            "end_turn",
            json!({"content": "data: [DONE]\n\ndata: {\"id\":1}\r\n\u{2028}\u{2029}\u{85}\u{2028}\u{0}\u{b}\u{8} \"\\ / 🦀 🦀"}),
            "stop",
        ),
        fixture("nothing", "[]", "end_turn", json!({"content": ""}), "stop"),
        fixture("an empty text", r#"[{"text": ""}]"#, "end_turn", json!({"content": ""}), "stop"),
        fixture(
            "a call alone",
            r#"[{"toolUse": {"toolUseId": "tooluse_a-1.b:c", "name": "get_weather", "input": { "unit" : "C", "city": "Z\u00fcrich \"x\" \\ 🦀\n", "at": [ 1.0, -0, 1e3, 12345678901234567890 ] }}}]"#,
            "tool_use",
            json!({"tool_calls": [call("tooluse_a-1.b:c", "get_weather",
                r#"{"unit":"C","city":"Z\u00fcrich \"x\" \\ 🦀\n","at":[1.0,-0,1e3,12345678901234567890]}"#)]}),
            "tool_calls",
        ),
        fixture(
            "text and two calls after reasoning: the calls are 0 and 1",
            r#"[{"reasoningContent": {"reasoningText": {"text": "Two cities.", "signature": "c2ln"}}}, {"text": "I look."},
                {"toolUse": {"toolUseId": "a", "name": "w", "input": {"n": 1}}}, {"toolUse": {"toolUseId": "b", "name": "w", "input": {"n": 2}, "type": "tool_use"}}]"#,
            "tool_use",
            json!({"content": "I look.", "tool_calls": [call("a", "w", r#"{"n":1}"#), call("b", "w", r#"{"n":2}"#)],
                "reasoning_content": "Two cities.", "thinking_blocks": [{"type": "thinking", "thinking": "Two cities.", "signature": "c2ln"}]}),
            "tool_calls",
        ),
        fixture(
            "a call without input",
            r#"[{"toolUse": {"toolUseId": "a", "name": "now", "input": {}}}, {"toolUse": {"toolUseId": "b", "name": "now"}},
                {"toolUse": {"toolUseId": "c", "name": "now", "input": null}}, {"toolUse": {"toolUseId": "d", "name": "now", "input": ""}}]"#,
            "tool_use",
            json!({"tool_calls": [call("a", "now", "{}"), call("b", "now", "{}"), call("c", "now", "{}"), call("d", "now", "{}")]}),
            "tool_calls",
        ),
        fixture(
            "tools that the service runs are not the client's",
            r#"[{"toolUse": {"toolUseId": "s", "name": "nova_code_interpreter", "input": {"snippet": "1+1"}, "type": "server_tool_use"}},
                {"toolResult": {"toolUseId": "s", "status": "success", "type": "nova_code_interpreter_result", "content": [{"json": {"stdOut": "2"}}]}},
                {"text": "It is 2."}]"#,
            "end_turn",
            json!({"content": "It is 2."}),
            "stop",
        ),
        fixture(
            "a server's tool beside a client's: the client's is the first",
            r#"[{"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
                {"toolResult": {"toolUseId": "s", "content": [{"text": "found"}]}}, {"toolUse": {"toolUseId": "a", "name": "w", "input": {}}}]"#,
            "tool_use",
            json!({"tool_calls": [call("a", "w", "{}")]}),
            "tool_calls",
        ),
        fixture(
            "only a server's tool",
            r#"[{"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {"q": "x"}, "type": "server_tool_use"}}]"#,
            "tool_use",
            json!({"content": ""}),
            "stop",
        )
        .told_natively(),
        fixture(
            "reasoning alone",
            r#"[{"text": ""}, {"reasoningContent": {"reasoningText": {"text": "Hm.\n\"So\""}}}]"#,
            "max_tokens",
            json!({"content": "", "reasoning_content": "Hm.\n\"So\"", "thinking_blocks": [{"type": "thinking", "thinking": "Hm.\n\"So\""}]}),
            "length",
        ),
        fixture(
            "reasoning in several blocks, redacted and signed without text",
            r#"[{"reasoningContent": {"redactedContent": "AAECAw=="}}, {"reasoningContent": {"reasoningText": {"text": "One. ", "signature": "czE="}}},
                {"reasoningContent": {"redactedContent": "BAUG"}}, {"reasoningContent": {"reasoningText": {"text": "", "signature": "czI="}}},
                {"reasoningContent": {"reasoningText": {"text": "Two.", "signature": "czM="}}}, {"text": "Done"}]"#,
            "end_turn",
            json!({"content": "Done", "reasoning_content": "One. Two.", "thinking_blocks": [
                {"type": "redacted_thinking", "data": "AAECAw=="}, {"type": "thinking", "thinking": "One. ", "signature": "czE="},
                {"type": "redacted_thinking", "data": "BAUG"}, {"type": "thinking", "thinking": "", "signature": "czI="},
                {"type": "thinking", "thinking": "Two.", "signature": "czM="}]}),
            "stop",
        ),
        fixture(
            "redacted reasoning alone",
            r#"[{"reasoningContent": {"redactedContent": "AAEC"}}, {"text": "Hello"}]"#,
            "end_turn",
            json!({"content": "Hello", "thinking_blocks": [{"type": "redacted_thinking", "data": "AAEC"}]}),
            "stop",
        ),
        fixture(
            "pages of the web are annotations",
            r#"[{"text": "é🦀\n"}, {"citationsContent": {"content": [{"text": "Warm"}, {"text": "."}], "citations": [
                    {"title": "Weather \"now\"", "location": {"web": {"url": "https://example.com/?a=1", "domain": "example.com"}}},
                    {"location": {"web": {"url": "https://example.org/"}}, "sourceContent": [{"text": "warm"}]}]}},
                {"text": " And "}, {"citationsContent": {"content": [{"text": "dry"}], "citations": [
                    {"title": "Book", "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}},
                    {"title": "No address", "location": {"web": {"domain": "example.net"}}},
                    {"title": "Rain", "location": {"web": {"url": "https://example.net/"}}}]}}]"#,
            "end_turn",
            json!({"content": "é🦀\nWarm. And dry", "annotations": [
                citation(3, 8, "https://example.com/?a=1", "Weather \"now\""), citation(3, 8, "https://example.org/", "https://example.org/"),
                citation(13, 16, "https://example.net/", "Rain")]}),
            "stop",
        ),
        fixture(
            "citations of documents are left out",
            r#"[{"citationsContent": {"content": [{"text": "Hello"}], "citations": [{"title": "T", "source": "S", "location": {"documentChar": {"documentIndex": 0, "start": 0, "end": 9}}}]}}]"#,
            "end_turn",
            hello(),
            "stop",
        ),
        fixture(
            "images, and blocks and fields of the future's",
            r#"[{"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}, {"hologram": {"depth": 3}}, {"text": "Hello", "mood": ["fine"]}]"#,
            "end_turn",
            hello(),
            "stop",
        ),
        fixture(
            "a guardrail has stepped in",
            r#"[{"text": "Sorry, the model cannot answer this question."}]"#,
            "guardrail_intervened",
            json!({"content": "Sorry, the model cannot answer this question."}),
            "content_filter",
        )
        .told_natively(),
        fixture(
            "a call that was cut short",
            r#"[{"toolUse": {"toolUseId": "a", "name": "w", "input": {"city": "Zü"}}}]"#,
            "max_tokens",
            json!({"tool_calls": [call("a", "w", r#"{"city":"Zü"}"#)]}),
            "length",
        ),
    ];
    for (stop_reason, finish_reason, told_natively) in [
        ("stop_sequence", "stop", true),
        ("tool_use", "stop", true),
        ("max_tokens", "length", false),
        ("model_context_window_exceeded", "length", true),
        ("content_filtered", "content_filter", true),
        ("malformed_model_output", "stop", true),
        ("malformed_tool_use", "stop", true),
        ("a_new_reason", "stop", true),
    ] {
        let fixture = fixture(
            stop_reason,
            r#"[{"text": "Hello"}]"#,
            stop_reason,
            hello(),
            finish_reason,
        );
        all.push(if told_natively {
            fixture.told_natively()
        } else {
            fixture
        });
    }
    all
}

/// The stream that amounts to an answer, with padding as the real one has it.
pub(super) fn events(answer: &Value) -> Vec<Event> {
    let mut events = vec![(
        "messageStart",
        json!({"role": "assistant", "p": "abcdefghij"}),
    )];
    let blocks = items(&answer["output"]["message"]["content"]);
    for (index, block) in blocks.enumerate() {
        let delta = |delta: Value| {
            (
                "contentBlockDelta",
                json!({"contentBlockIndex": index, "delta": delta, "p": "abcd"}),
            )
        };
        let start = |start: Value| {
            (
                "contentBlockStart",
                json!({"contentBlockIndex": index, "start": start, "p": "abcdefgh"}),
            )
        };
        let (kind, value) = block.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "mood" | "text" => {
                for piece in pieces(block["text"].as_str().unwrap()) {
                    events.push(delta(json!({ "text": piece })));
                }
            }
            "toolUse" => {
                let mut head = value.clone();
                head.as_object_mut().unwrap().remove("input");
                events.push(start(json!({ "toolUse": head })));
                let input = match &value["input"] {
                    Value::Object(input) if !input.is_empty() => value["input"].to_string(),
                    Value::Object(_) => "{}".to_owned(),
                    _ => String::new(),
                };
                for piece in pieces(&input) {
                    events.push(delta(json!({"toolUse": {"input": piece}})));
                }
            }
            "toolResult" => {
                let mut head = value.clone();
                head.as_object_mut().unwrap().remove("content");
                events.push(start(json!({ "toolResult": head })));
                events.push(delta(json!({"toolResult": value["content"]})));
            }
            "image" => {
                events.push(start(json!({"image": {"format": value["format"]}})));
                events.push(delta(json!({"image": {"source": value["source"]}})));
            }
            "reasoningContent" => {
                let text = &value["reasoningText"];
                for piece in text["text"].as_str().into_iter().flat_map(pieces) {
                    events.push(delta(json!({"reasoningContent": {"text": piece}})));
                }
                if let Some(signature) = text.get("signature") {
                    events.push(delta(json!({"reasoningContent": {"signature": signature}})));
                }
                if value.get("redactedContent").is_some() {
                    events.push(delta(json!({ "reasoningContent": value })));
                }
            }
            "citationsContent" => {
                for citation in items(&value["citations"]) {
                    events.push(delta(json!({ "citation": citation })));
                }
                for part in items(&value["content"]) {
                    for piece in pieces(part["text"].as_str().unwrap()) {
                        events.push(delta(json!({ "text": piece })));
                    }
                }
            }
            _ => {
                events.push(start(block.clone()));
                events.push(delta(block.clone()));
            }
        }
        events.push((
            "contentBlockStop",
            json!({"contentBlockIndex": index, "p": "a"}),
        ));
    }
    let mut stop = json!({"stopReason": answer["stopReason"], "p": "abc"});
    if let Some(fields) = answer.get("additionalModelResponseFields") {
        stop["additionalModelResponseFields"] = fields.clone();
    }
    events.push(("messageStop", stop));
    let mut metadata = json!({"usage": answer["usage"], "metrics": {"latencyMs": 9}, "p": ""});
    for field in ["serviceTier", "trace", "performanceConfig"] {
        if let Some(value) = answer.get(field) {
            metadata[field] = value.clone();
        }
    }
    events.push(("metadata", metadata));
    events
}

/// Three characters at a time, and first none.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let pieces = chars.chunks(3).map(|piece| piece.iter().collect());
    std::iter::once(String::new()).chain(pieces).collect()
}
