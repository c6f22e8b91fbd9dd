//! Makes requests that are valid at OpenAI out of a list of numbers: shorter lists and smaller
//! numbers make simpler requests, so that a failing one shrinks.

use serde_json::{Value, json};

/// Models of every family, and whether each can be held to any schema.
pub(crate) const MODELS: [(&str, bool); 22] = [
    ("amazon.nova-lite-v1:0", true),
    ("global.amazon.nova-2-lite-v1:0", true),
    ("us.anthropic.claude-3-haiku-20240307-v1:0", true),
    ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", true),
    ("us.anthropic.claude-sonnet-4-20250514-v1:0", true),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", true),
    ("us.anthropic.claude-opus-4-6-v1", true),
    ("us.anthropic.claude-opus-4-7", true),
    ("us.anthropic.claude-opus-5-5", false),
    ("us.anthropic.claude-sonnet-5-5", false),
    ("us.meta.llama3-3-70b-instruct-v1:0", false),
    ("mistral.mistral-large-2407-v1:0", false),
    ("mistral.mistral-large-3-675b-instruct", true),
    ("us.writer.palmyra-x5-v1:0", false),
    ("qwen.qwen3-32b-v1:0", true),
    ("openai.gpt-oss-120b-1:0", true),
    ("us.openai.gpt-5.6", true),
    ("us.deepseek.r1-v1:0", false),
    ("deepseek.v3-v1:0", true),
    ("zai.glm-4.7", true),
    ("cohere.command-r-v1:0", false),
    (
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456",
        true,
    ),
];

const WORDS: [&str; 8] = [
    "Hi",
    "What is this?",
    "a\nb",
    "\u{e9}\u{1f600}",
    "\"quoted\\\"",
    "line\u{2028}line",
    "{}",
    "data: [DONE]",
];
const BLANKS: [&str; 3] = ["", " ", "\n\t"];
const NAMES: [&str; 8] = [
    "weather",
    "get_time",
    "mcp.server/tool",
    "mcp_server_tool",
    "a b",
    "\u{e9}",
    "a-b",
    "x.y.z",
];
const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

/// Draws from the list; from its end on, zeros.
pub(crate) struct Dice<'c> {
    choices: std::slice::Iter<'c, u16>,
}

impl<'c> Dice<'c> {
    pub(crate) fn new(choices: &'c [u16]) -> Self {
        Self {
            choices: choices.iter(),
        }
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.choices.next().copied().unwrap_or_default()) % most
    }

    /// One time in `times`; never once the list is at its end.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    fn pick<'t, T>(&mut self, list: &'t [T]) -> &'t T {
        &list[self.below(list.len())]
    }
}

/// A request in the making.
pub(crate) struct Maker<'c> {
    dice: Dice<'c>,
    /// Nothing that the contract refuses.
    supported: bool,
    documents: usize,
    points: usize,
    calls: usize,
    tools: Vec<String>,
}

pub(crate) fn request(choices: &[u16], supported: bool) -> Value {
    let mut maker = Maker {
        dice: Dice::new(choices),
        supported,
        documents: 0,
        points: 0,
        calls: 0,
        tools: Vec::new(),
    };
    maker.request()
}

impl Maker<'_> {
    fn request(&mut self) -> Value {
        let (model, any_schema) = *self.dice.pick(&MODELS);
        let mut request = json!({ "model": format!("aws-bedrock/{model}") });
        if self.dice.once_in(2) {
            request["tools"] = self.tools();
        }
        request["messages"] = self.messages();
        self.parameters(&mut request);
        if !self.tools.is_empty() {
            self.choice(&mut request);
        }
        let format = match self.dice.below(6) {
            0..3 => Value::Null,
            3 => json!({"type": "text"}),
            4 => json!({"type": "json_object"}),
            _ if self.supported && !any_schema => Value::Null,
            _ => json!({"type": "json_schema", "json_schema": {
                "name": "answer", "strict": self.dice.once_in(2), "schema": self.schema(),
            }}),
        };
        if !format.is_null() {
            request["response_format"] = format;
        }
        if !self.supported {
            self.refused(&mut request);
        }
        request
    }

    fn text(&mut self) -> Value {
        json!(self.dice.pick(&WORDS))
    }

    fn marked(&mut self, mut block: Value) -> Value {
        if self.dice.once_in(6) && (self.points < 4 || !self.supported) {
            self.points += 1;
            block["cache_control"] = match self.dice.once_in(2) {
                true => json!({"type": "ephemeral", "ttl": "1h"}),
                false => json!({"type": "ephemeral"}),
            };
        }
        block
    }

    fn messages(&mut self) -> Value {
        let mut messages = Vec::new();
        if self.dice.once_in(2) {
            let role = *self.dice.pick(&["system", "developer"]);
            let part = json!({"type": "text", "text": self.text()});
            let content = match self.dice.once_in(2) {
                true => json!([self.marked(part)]),
                false => self.text(),
            };
            messages.push(json!({"role": role, "content": content}));
        }
        messages.push(json!({"role": "user", "content": self.text()}));
        for _ in 0..self.dice.below(6) {
            match self.dice.below(5) {
                0 => messages.push(json!({"role": "user", "content": self.content()})),
                1 => {
                    let content = match self.dice.below(4) {
                        0 => self.text(),
                        1 => json!([{"type": "text", "text": self.text()}]),
                        2 => json!(self.dice.pick(&BLANKS)),
                        _ => Value::Null,
                    };
                    messages.push(json!({"role": "assistant", "content": content}));
                }
                2 => messages.push(json!({"role": "system", "content": self.text()})),
                _ => self.exchange(&mut messages),
            }
        }
        json!(messages)
    }

    fn content(&mut self) -> Value {
        if self.dice.once_in(3) {
            return self.text();
        }
        let mut parts = vec![self.part()];
        for _ in 0..self.dice.below(4) {
            let part = match self.dice.once_in(4) {
                true => json!({"type": "text", "text": self.dice.pick(&BLANKS)}),
                false => self.part(),
            };
            parts.push(part);
        }
        json!(parts)
    }

    fn part(&mut self) -> Value {
        let part = match self.dice.below(4) {
            1 => {
                json!({"type": "image_url", "image_url": {"url": PNG, "detail": self.dice.pick(&["auto", "high"])}})
            }
            2 if self.documents < 5 || !self.supported => {
                self.documents += 1;
                let name = self.dice.pick(&["a.pdf", "../b  c.pdf", "\u{202e}.pdf"]);
                json!({"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBERi0="}})
            }
            3 => {
                json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})
            }
            _ => json!({"type": "text", "text": self.text()}),
        };
        self.marked(part)
    }

    /// Calls, and a result of each.
    fn exchange(&mut self, messages: &mut Vec<Value>) {
        let mut calls = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let id = match self.dice.below(4) {
                0 => "call".to_owned(),
                1 => format!("call/{}", self.calls),
                2 => "x".repeat(80),
                _ => format!("call_{}", self.calls),
            };
            self.calls += 1;
            let arguments = self
                .dice
                .pick(&["{}", "", "null", r#"{"z": 1.0, "a": [null]}"#]);
            let name = self.dice.pick(&NAMES);
            calls.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
        }
        let mut message =
            json!({"role": "assistant", "content": Value::Null, "tool_calls": calls.clone()});
        if self.dice.once_in(3) {
            message["content"] = self.text();
        }
        if self.dice.once_in(3) {
            message["reasoning_content"] = json!("Hmm.");
            message["thinking_blocks"] =
                json!([{"type": "thinking", "thinking": "Hmm.", "signature": "c2ln"}]);
        }
        messages.push(message);
        for call in calls {
            let content = match self.dice.below(3) {
                0 => self.text(),
                1 => json!(self.dice.pick(&BLANKS)),
                _ => json!([{"type": "text", "text": self.text()}]),
            };
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": content}));
        }
    }

    fn schema(&mut self) -> Value {
        match self.dice.below(7) {
            0 => {
                json!({"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}, "required": ["z"], "additionalProperties": false})
            }
            1 => json!({"type": "object", "properties": {}}),
            2 => json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}),
            3 => {
                json!({"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {}}, "required": ["b"]}]})
            }
            4 => {
                json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}}})
            }
            5 => json!({"properties": {"a": {"type": "array", "items": {"type": "object"}}}}),
            _ => json!({}),
        }
    }

    fn tools(&mut self) -> Value {
        let count = 1 + self.dice.below(4);
        let mut tools = Vec::new();
        for _ in 0..count {
            let name = (*self.dice.pick(&NAMES)).to_owned();
            if self.tools.contains(&name) {
                continue;
            }
            let mut function = json!({"name": name});
            self.tools.push(name);
            if self.dice.once_in(2) {
                function["parameters"] = self.schema();
            }
            if self.dice.once_in(2) {
                function["description"] = json!(self.dice.pick(&["", "Does it."]));
            }
            if self.dice.once_in(3) {
                function["strict"] = json!(self.dice.once_in(2));
            }
            tools.push(self.marked(json!({"type": "function", "function": function})));
        }
        json!(tools)
    }

    fn choice(&mut self, request: &mut Value) {
        let named = json!({"type": "function", "function": {"name": self.dice.pick(&self.tools)}});
        let choice = match self.dice.below(7) {
            1 => json!("auto"),
            2 => json!("none"),
            3 => json!("required"),
            4 => named,
            5 => {
                json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [named]}})
            }
            6 => {
                json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}})
            }
            _ => return,
        };
        request["tool_choice"] = choice;
        if self.dice.once_in(3) {
            request["parallel_tool_calls"] = json!(self.dice.once_in(2));
        }
    }

    fn parameters(&mut self, request: &mut Value) {
        let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
        for name in [
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
            "top_k",
            "stop",
            "reasoning_effort",
            "service_tier",
            "stream",
            "seed",
            "user",
            "n",
            "logprobs",
            "frequency_penalty",
            "metadata",
            "store",
            "verbosity",
            "mystery",
        ] {
            if !self.dice.once_in(4) {
                continue;
            }
            request[name] = match name {
                "max_tokens" | "max_completion_tokens" => {
                    json!(self.dice.pick(&[1, 100, 1024, 1025, 4096, 100_000]))
                }
                "temperature" => json!(self.dice.pick(&[0.0, 0.7, 1.0, 1.3, 2.0])),
                "top_p" => json!(self.dice.pick(&[0.0, 0.5, 0.95, 1.0])),
                "top_k" => json!(self.dice.pick(&[1, 40])),
                "stop" => self
                    .dice
                    .pick(&[json!("END"), json!(["a", "\n"]), json!([]), json!([""])])
                    .clone(),
                "reasoning_effort" => json!(self.dice.pick(&efforts)),
                "service_tier" => json!(
                    self.dice
                        .pick(&["auto", "default", "flex", "priority", "scale"])
                ),
                "stream" => json!(true),
                "n" => json!(1),
                "logprobs" => json!(false),
                "frequency_penalty" => json!(self.dice.pick(&[0.0, 0.5])),
                "metadata" => json!({"a": "b"}),
                "store" => json!(self.dice.once_in(2)),
                "seed" => json!(7),
                _ => json!("low"),
            };
        }
    }

    /// What the contract refuses, or may.
    fn refused(&mut self, request: &mut Value) {
        let web = json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
        let stored = json!([{"type": "file", "file": {"file_id": "file-abc"}}]);
        match self.dice.below(9) {
            1 => request["n"] = json!(2),
            2 => request["logprobs"] = json!(true),
            3 => request["top_logprobs"] = json!(5),
            4 => request["logit_bias"] = json!({"1": 1}),
            5 => request["modalities"] = json!(["text", "audio"]),
            6 => request["messages"] = json!([{"role": "user", "content": web}]),
            7 => request["messages"] = json!([{"role": "user", "content": stored}]),
            8 => request["tools"] = json!([{"type": "custom", "custom": {"name": "x"}}]),
            _ => {}
        }
        if self.dice.once_in(8) {
            request["web_search_options"] = json!({});
        }
    }
}
