"""Checks translated answers with OpenAI's own package: its models, and what its client makes of a stream.

completions.py COMPLETIONS.jsonl
"""

import collections
import json
import sys

import httpx2
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

# What OpenAI's models do not know, by the model that has it.
ONLY_CONVERSE = {"additionalModelResponseFields", "performanceConfig", "trace"}
EXTENSIONS = {
    "ChatCompletion": ONLY_CONVERSE,
    "ChatCompletionChunk": ONLY_CONVERSE,
    "ChatCompletionMessage": {"reasoning_content", "thinking_blocks"},
    "ChoiceDelta": {"reasoning_content", "thinking_blocks", "annotations"},
    "Choice": {"native_finish_reason"},
}
# What OpenAI's API always sends, though it may be null and so is optional to the models.
ALWAYS = {
    "ChatCompletionMessage": {"content", "refusal"},
    "Choice": {"finish_reason", "logprobs"},
}
SCHEMAS = {kind: kind.model_json_schema() for kind in (ChatCompletion, ChatCompletionChunk)}
QUESTION = {"model": "aws-bedrock/any", "messages": [{"role": "user", "content": "?"}]}


def client(body, kind, status=200):
    """OpenAI's client, in front of one answer whose body comes in pieces of seven bytes."""

    def pieces():
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    def answer(_):
        return httpx2.Response(status, headers={"content-type": kind}, content=pieces())

    return openai.OpenAI(
        api_key="none",
        base_url="http://gateway.invalid",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


def check(model, kind):
    """No field that OpenAI does not have, none missing that it always has, none of another type."""
    validated = kind.model_validate_json(json.dumps(model), strict=True)
    required(model, SCHEMAS[kind], SCHEMAS[kind])
    walk(validated)
    return validated


def required(value, schema, root):
    """Whether all that the generated schema requires is there."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        failures = []
        for option in options:
            try:
                return required(value, option, root)
            except AssertionError as error:
                failures.append(str(error))
        raise AssertionError(failures)
    types = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
    wanted = types.get(schema.get("type"))
    assert wanted is None or isinstance(value, wanted), (value, schema.get("type"))
    if "const" in schema:
        assert value == schema["const"], (value, schema["const"])
    if "enum" in schema:
        assert value in schema["enum"], (value, schema["enum"])
    if isinstance(value, dict):
        missing = set(schema.get("required", ())) - set(value)
        assert not missing, missing
        for name, field in schema.get("properties", {}).items():
            if name in value:
                required(value[name], field, root)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            required(item, schema["items"], root)


def walk(model):
    """Whether each field is known, and what OpenAI always sends is sent."""
    name = type(model).__name__
    extra = set(model.model_extra or ()) - EXTENSIONS.get(name, set())
    assert not extra, (name, extra)
    missing = ALWAYS.get(name, set()) - model.model_fields_set
    assert not missing, (name, missing)
    for field in type(model).model_fields:
        value = getattr(model, field)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, openai.BaseModel):
                walk(item)


def said(completion):
    """What is compared, of a completion as OpenAI's package has it."""
    [choice] = completion.choices
    message = choice.message
    extra = message.model_extra or {}
    usage = completion.usage
    details = usage and usage.prompt_tokens_details
    return {
        "text": message.content or "",
        "reasoning": extra.get("reasoning_content") or "",
        "calls": [
            [call.id, call.function.name, json.loads(call.function.arguments)]
            for call in message.tool_calls or ()
        ],
        "finish_reason": choice.finish_reason,
        "usage": usage
        and [
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
            details and details.cached_tokens,
            details and details.cache_write_tokens,
        ],
    }


def kept(completion):
    """What OpenAI's package passes on without knowing it, and annotations."""
    message = completion.choices[0].message
    extra = message.model_extra or {}
    annotations = message.annotations or ()
    return {
        "thinking_blocks": extra.get("thinking_blocks"),
        "annotations": [entry if isinstance(entry, dict) else entry.to_dict() for entry in annotations],
    }


def same(got, wanted):
    assert got == wanted, f"got {json.dumps(got)[:300]}, wanted {json.dumps(wanted)[:300]}"


def whole(line):
    check(line["json"], ChatCompletion)
    body = json.dumps(line["json"]).encode()
    completion = client(body, "application/json").chat.completions.create(**QUESTION)
    same(said(completion), line["expected"])
    return completion


def stream(line):
    events = line["sse"].split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""], events[-2:]
    for event in events[:-2]:
        check(json.loads(event.removeprefix("data: ")), ChatCompletionChunk)
    body = line["sse"].encode()
    options = {"stream_options": {"include_usage": True}, **QUESTION}
    with client(body, "text/event-stream").chat.completions.stream(**options) as events:
        for _ in events:
            pass
        accumulated = events.current_completion_snapshot
        if accumulated.choices[0].finish_reason not in ("length", "content_filter"):
            accumulated = events.get_final_completion()
    same(said(accumulated), line["expected"])
    once = whole(line)
    same(said(accumulated), said(once))
    same(kept(accumulated), kept(once))


def broken(line):
    """A stream with an error in it: raised, with its words, after what came before."""
    chunks = client(line["sse"].encode(), "text/event-stream").chat.completions.create(stream=True, **QUESTION)
    text = ""
    try:
        for chunk in chunks:
            text += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        same([error.message, error.type, error.code], line["expected"]["error"])
        same(text, line["expected"]["text"])
    else:
        raise AssertionError("no error was raised")


def refused(line):
    """An error in place of an answer: the class that belongs to its status is raised."""
    body = json.dumps(line["json"]).encode()
    try:
        client(body, "application/json", line["status"]).chat.completions.create(**QUESTION)
    except openai.APIStatusError as error:
        classes = {
            400: openai.BadRequestError,
            401: openai.AuthenticationError,
            403: openai.PermissionDeniedError,
            404: openai.NotFoundError,
            429: openai.RateLimitError,
        }
        same(type(error).__name__, classes.get(line["status"], openai.InternalServerError).__name__)
        same([error.body["message"], error.type, error.code], line["expected"]["error"])
    else:
        raise AssertionError("no error was raised")


def main(path):
    checks = {"whole": whole, "stream": stream, "broken": broken, "refused": refused}
    table = collections.defaultdict(collections.Counter)
    for line in map(json.loads, open(path, encoding="utf-8")):
        try:
            checks[line["request"]](line)
        except Exception as error:
            table[line["kind"]]["failed"] += 1
            print("FAIL", line["kind"], line["id"] + ":", type(error).__name__, " ".join(str(error).split())[:600])
        else:
            table[line["kind"]]["passed"] += 1
    for kind, counts in sorted(table.items()):
        print(f"{kind}: {counts['passed']} passed, {counts['failed']} failed")
    passed, failed = (sum(counts[name] for counts in table.values()) for name in ("passed", "failed"))
    print(f"{passed} passed, {failed} failed")
    # A file with nothing in it is no success.
    return failed or not passed


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
