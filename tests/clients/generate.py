"""Generated requests of OpenAI's, each translated and checked against Converse's service model.

    python generate.py TRANSLATE [--count N] [--seed N]

TRANSLATE is the built example of that name. Every request is valid at OpenAI. One that uses nothing
but what the contract supports has to be translated; any other is translated too, or refused with
400 and the name of a parameter that it has.
"""

import argparse
import json
import random
import subprocess
import sys

from converse_model import Model

# And whether the model can be held to any schema, by Bedrock or by a tool.
MODELS = [
    ("amazon.nova-micro-v1:0", True),
    ("us.amazon.nova-premier-v1:0", True),
    ("global.amazon.nova-2-lite-v1:0", True),
    ("anthropic.claude-3-haiku-20240307-v1:0", True),
    ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", True),
    ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", True),
    ("us.anthropic.claude-opus-4-1-20250805-v1:0", True),
    ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
    ("global.anthropic.claude-haiku-4-5-20251001-v1:0", True),
    ("us.anthropic.claude-opus-4-6-v1", True),
    ("us.anthropic.claude-opus-4-7", True),
    ("us.anthropic.claude-sonnet-5", True),
    ("us.anthropic.claude-opus-5-5", False),
    ("us.anthropic.claude-fable-5-1", False),
    ("us.meta.llama4-maverick-17b-instruct-v1:0", False),
    ("mistral.pixtral-large-2502-v1:0", False),
    ("mistral.magistral-small-2509", True),
    ("us.writer.palmyra-x4-v1:0", False),
    ("qwen.qwen3-235b-a22b-2507-v1:0", True),
    ("openai.gpt-oss-20b-1:0", True),
    ("global.openai.gpt-6", True),
    ("us.deepseek.r1-v1:0", False),
    ("deepseek.v3-v1:0", True),
    ("google.gemma-3-27b-it", True),
    ("moonshotai.kimi-k2-thinking", True),
    ("ai21.jamba-1-5-large-v1:0", False),
    ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123def456", True),
]
TEXTS = ["Hi", "What's the weather like in Bonn?", "a\n\nb", "\u00e9\U0001f600", '"quoted"\\', "x\u2028y", "{}", "\t tabbed"]
BLANKS = ["", " ", "\n"]
NAMES = ["weather", "get_time", "mcp.server/tool", "mcp_server_tool", "a b", "\u00e9", "t" * 64, "x" * 70, "x" * 71]
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
SCHEMAS = [
    {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "number"}}, "required": ["z"], "additionalProperties": False},
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 10}}},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"anyOf": [{"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}]},
    {"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}},
    {"properties": {"list": {"type": "array", "items": {"type": "object", "properties": {"x": {"enum": [1, "a", None]}}}}}},
    {},
]


class Maker:
    """Makes one request."""

    def __init__(self, dice, supported):
        self.dice = dice
        self.supported = supported
        self.documents = self.points = self.calls = 0
        self.tools = []

    def once_in(self, times):
        return self.dice.randrange(times) == 0

    def request(self):
        dice = self.dice
        model, any_schema = dice.choice(MODELS)
        request = {"model": dice.choice(["aws-bedrock/", ""]) + model}
        if self.once_in(2):
            request["tools"] = self.make_tools()
        request["messages"] = self.messages()
        for name, make in self.parameters().items():
            if self.once_in(6):
                request[name] = make()
        if self.tools:
            self.choose(request)
        kind = dice.choice([None, None, "text", "json_object", "json_schema"])
        if kind == "json_schema" and (any_schema or not self.supported):
            definition = {"name": "answer", "schema": dice.choice(SCHEMAS), "strict": self.once_in(2)}
            if self.once_in(2):
                definition["description"] = dice.choice(["", "The answer."])
            request["response_format"] = {"type": kind, "json_schema": definition}
        elif kind in ("text", "json_object"):
            request["response_format"] = {"type": kind}
        if "stream" in request and self.once_in(2):
            request["stream_options"] = {"include_usage": True}
        if not self.supported:
            request.update(self.refused())
        return request

    def marked(self, block):
        if self.once_in(8) and (self.points < 4 or not self.supported):
            self.points += 1
            key = self.dice.choice(["cache_control", "prompt_cache_breakpoint"])
            block[key] = {"type": "ephemeral"} if key == "cache_control" else {"mode": "explicit"}
        return block

    def text(self):
        return self.dice.choice(TEXTS)

    def part(self):
        kind = self.dice.choice(["text", "text", "image", "file", "audio"])
        if kind == "file" and (self.documents < 5 or not self.supported):
            self.documents += 1
            name = self.dice.choice(["a.pdf", "../b  c.pdf", "\u202e.pdf", "r\u00e9sum\u00e9.pdf", None])
            file = {"file_data": PDF}
            if name is not None:
                file["filename"] = name
            return self.marked({"type": "file", "file": file})
        if kind == "image":
            return self.marked({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}})
        if kind == "audio":
            return self.marked({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}})
        return self.marked({"type": "text", "text": self.text()})

    def content(self):
        if self.once_in(3):
            return self.text()
        parts = [self.part() for _ in range(1 + self.dice.randrange(4))]
        if self.once_in(4):
            parts.append({"type": "text", "text": self.dice.choice(BLANKS)})
        return parts

    def messages(self):
        dice = self.dice
        messages = []
        for _ in range(dice.randrange(3)):
            role = dice.choice(["system", "developer"])
            content = dice.choice([self.text(), [self.marked({"type": "text", "text": self.text()})], ""])
            messages.append({"role": role, "content": content})
        messages.append({"role": "user", "content": self.content()})
        for _ in range(dice.randrange(7)):
            kind = dice.choice(["user", "assistant", "system", "calls", "calls", "function"])
            if kind == "user":
                messages.append({"role": "user", "content": self.content()})
            elif kind == "assistant":
                content = dice.choice([self.text(), [{"type": "text", "text": self.text()}], None, ""])
                messages.append({"role": "assistant", "content": content, "refusal": None})
            elif kind == "system":
                messages.append({"role": "system", "content": self.text()})
            elif kind == "function":
                name = dice.choice(NAMES)
                call = {"name": name, "arguments": "{}"}
                messages.append({"role": "assistant", "content": None, "function_call": call})
                messages.append({"role": "function", "name": name, "content": self.text()})
            else:
                self.exchange(messages)
        return messages

    def exchange(self, messages):
        dice = self.dice
        calls = []
        for _ in range(1 + dice.randrange(3)):
            self.calls += 1
            identifier = dice.choice([f"call_{self.calls}", f"call/{self.calls}", "call", "x" * 99, f"id.{self.calls}:a-b"])
            arguments = dice.choice(["{}", "", "null", ' {"z": 1.50, "a": [null, "\\u00e9"]} '])
            calls.append({"id": identifier, "type": "function", "function": {"name": dice.choice(NAMES), "arguments": arguments}})
        message = {"role": "assistant", "content": dice.choice([None, "", self.text()]), "tool_calls": calls}
        if self.once_in(3):
            message["reasoning_content"] = "Hmm."
            message["thinking_blocks"] = [
                {"type": "thinking", "thinking": "Hmm.", "signature": "c2lnbmF0dXJl"},
                {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
            ]
        messages.append(message)
        for call in calls:
            content = dice.choice([self.text(), "", [self.marked({"type": "text", "text": self.text()})]])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})

    def make_tools(self):
        dice = self.dice
        self.tools = dice.sample(NAMES, 1 + dice.randrange(len(NAMES)))
        tools = []
        for name in self.tools:
            function = {"name": name}
            if self.once_in(2):
                function["parameters"] = dice.choice(SCHEMAS)
            if self.once_in(2):
                function["description"] = dice.choice(["", "Does it."])
            if self.once_in(3):
                function["strict"] = dice.choice([True, False])
            tools.append(self.marked({"type": "function", "function": function}))
        return tools

    def choose(self, request):
        named = [{"type": "function", "function": {"name": name}} for name in self.dice.sample(self.tools, 1)]
        choice = self.dice.choice([
            None, "auto", "none", "required", named[0],
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": named}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": named}},
        ])
        if choice is not None:
            request["tool_choice"] = choice
        if self.once_in(4):
            request["parallel_tool_calls"] = self.dice.choice([True, False])

    def parameters(self):
        dice = self.dice
        return {
            "max_tokens": lambda: dice.choice([1, 16, 1024, 1025, 4096, 100_000]),
            "max_completion_tokens": lambda: dice.choice([1, 2000, 32_000]),
            "temperature": lambda: dice.choice([0, 0.0, 0.7, 1, 1.3, 2]),
            "top_p": lambda: dice.choice([0, 0.5, 0.95, 1]),
            "top_k": lambda: dice.choice([1, 40]),
            "stop": lambda: dice.choice(["END", ["a", "\n"], [], "", None, ["a", "b", "c", "d"]]),
            "reasoning_effort": lambda: dice.choice(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
            "service_tier": lambda: dice.choice(["auto", "default", "flex", "priority", "scale"]),
            "stream": lambda: dice.choice([True, False]),
            "seed": lambda: 7,
            "user": lambda: "ann",
            "n": lambda: dice.choice([1, None]),
            "logprobs": lambda: dice.choice([False, None]),
            "frequency_penalty": lambda: dice.choice([0, 0.5]),
            "presence_penalty": lambda: dice.choice([0, -2]),
            "metadata": lambda: {"a": "b"},
            "store": lambda: dice.choice([True, False]),
            "verbosity": lambda: "low",
            "prediction": lambda: {"type": "content", "content": "x"},
            "modalities": lambda: ["text"],
            "logit_bias": lambda: {},
            "prompt_cache_key": lambda: "k",
            "safety_identifier": lambda: "s",
            "guardrailConfig": lambda: {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled", "streamProcessingMode": "async"},
            "performanceConfig": lambda: {"latency": "optimized"},
            "requestMetadata": lambda: {"team": "a b"},
            "additionalModelRequestFields": lambda: dice.choice([{}, {"anthropic_beta": ["x"]}, {"inferenceConfig": {"topK": 3}}]),
            "additionalModelResponseFieldPaths": lambda: ["/stop_sequence"],
        }

    def refused(self):
        part = lambda part: {"messages": [{"role": "user", "content": [part]}]}
        return self.dice.choice([
            {},
            {"n": 2},
            {"logprobs": True, "top_logprobs": 3},
            {"logit_bias": {"1": 1}},
            {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "mp3"}},
            {"web_search_options": {}},
            {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
            part({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
            part({"type": "file", "file": {"file_id": "file-abc"}}),
        ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("translate")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    dice = random.Random(args.seed)
    cases = [(index % 2 == 0, Maker(dice, index % 2 == 0).request()) for index in range(args.count)]
    lines = "".join(json.dumps(request) + "\n" for _, request in cases)
    output = subprocess.run([args.translate], input=lines, capture_output=True, text=True, check=True)
    # Not `splitlines`: there are other line breaks within the texts.
    answers = output.stdout.rstrip("\n").split("\n")
    if len(answers) != len(cases):
        sys.exit(f"{len(answers)} answers to {len(cases)} requests")
    model = Model()
    translated = refused = failed = 0
    for (supported, request), line in zip(cases, answers):
        answer = json.loads(line)
        error = answer.get("error")
        if error is None:
            translated += 1
            problems = model.problems(answer["model"], answer["stream"], answer["converse"])
            if answer["stream"] != bool(request.get("stream")):
                problems.append(f"stream: {answer['stream']}")
        else:
            refused += 1
            param = (error["param"] or "").split(".")[0].split("[")[0]
            problems = []
            if supported:
                problems.append(f"refused: {error}")
            elif error["status"] != 400 or param not in request:
                problems.append(f"no parameter is named: {error}")
        if problems:
            failed += 1
            if failed <= 10:
                print(json.dumps(request), line, *problems, sep="\n  ")
    print(f"{translated} translated, {refused} refused")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
