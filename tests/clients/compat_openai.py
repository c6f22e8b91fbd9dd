"""openai-python on the OpenAI-compatible endpoint."""

import asyncio
import json
import time

import openai
from pydantic import BaseModel, Field

from common import GATEWAY, case, end, forget, raised, recorded, seen
from compat import (
    ANSWER, CLAUDE, NOVA, QUESTION, TIME, WEATHER, WORDS_IN, WORDS_OUT, compat, in_the_log, prefixed, tool, travelled, user,
)

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def client(token="demo-token", gateway="demo", **more):
    """A client that notes in `sent` what it sends."""
    sent, answers = [], []
    hooks = {"request": [sent.append], "response": [answers.append]}
    http = openai.DefaultHttpx2Client(timeout=30, event_hooks=hooks)
    made = openai.OpenAI(api_key=token, base_url=compat(gateway), http_client=http, **more)
    made.sent, made.answers = sent, answers
    return made


ai = client()
ask = ai.chat.completions.create


def fault(name, family="us.anthropic.python"):
    return prefixed(f"{family}.fault.{name}")


def chat(model, sent_as=None):
    forget()
    raw = ai.chat.completions.with_raw_response.create(model=model, messages=user(QUESTION))
    answer = raw.parse()
    assert answer.id.startswith("chatcmpl-") and answer.object == "chat.completion", answer
    assert abs(answer.created - time.time()) < 60 and answer.model == model, answer
    [choice] = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant"), choice
    assert choice.message.content == ANSWER and choice.message.tool_calls is None, choice
    usage = answer.usage
    tokens = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    assert tokens == (WORDS_IN, WORDS_OUT, WORDS_IN + WORDS_OUT), usage
    assert raw.headers["x-request-id"] and answer._request_id == raw.headers["x-request-id"], raw.headers
    assert raw.headers["content-type"].startswith("application/json"), raw.headers
    assert "x-bedrock-dropped-params" not in raw.headers, raw.headers
    travelled(sent_as)
    in_the_log(raw.headers, sent_as, tokens_in=WORDS_IN, tokens_out=WORDS_OUT, stop_reason="end_turn")


def of_the_page():
    """The example of Cloudflare's page, translated, with key and base URL changed."""
    page = openai.OpenAI(api_key="demo-token", base_url=f"{GATEWAY}/v1/demo/demo/compat")
    response = page.chat.completions.create(
        model="aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
        messages=[{"role": "user", "content": "What is Cloudflare?"}],
    )
    assert response.choices[0].message.content == ANSWER, response


def slash():
    with openai.OpenAI(api_key="demo-token", base_url=f"{compat()}/") as other:
        answer = other.chat.completions.create(model=prefixed(CLAUDE), messages=user(QUESTION))
    assert answer.choices[0].message.content == ANSWER, answer


def stream(model, with_usage):
    forget()
    options = {"stream_options": {"include_usage": True}} if with_usage else {}
    chunks = list(ask(model=prefixed(model), messages=user(QUESTION), stream=True, **options))
    assert {(chunk.id, chunk.model, chunk.created, chunk.object) for chunk in chunks} == {
        (chunks[0].id, prefixed(model), chunks[0].created, "chat.completion.chunk")
    }, chunks
    if with_usage:
        last = chunks.pop()
        assert last.choices == [] and last.usage.completion_tokens == WORDS_OUT, last
        assert last.usage.prompt_tokens == WORDS_IN, last
    assert all(len(chunk.choices) == 1 and chunk.usage is None for chunk in chunks), chunks
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [bool(delta.role) for delta in deltas].count(True) == 1 and deltas[0].role == "assistant", deltas
    assert "".join(delta.content or "" for delta in deltas) == ANSWER, deltas
    assert len([delta for delta in deltas if delta.content]) > 3, deltas
    ends = [chunk.choices[0].finish_reason for chunk in chunks]
    assert ends == [None] * (len(ends) - 1) + ["stop"], ends
    travelled(model, "ConverseStream")
    headers = ai.answers[-1].headers
    assert headers["content-type"].startswith("text/event-stream"), headers
    assert headers["x-request-id"], headers
    in_the_log(headers, model, "ConverseStream", tokens_in=WORDS_IN, tokens_out=WORDS_OUT)


async def asynchronous():
    async with openai.AsyncOpenAI(api_key="demo-token", base_url=compat()) as other:
        one = other.chat.completions.create(model=prefixed(CLAUDE), messages=user(QUESTION))
        two = other.chat.completions.create(model=prefixed(NOVA), messages=user(QUESTION))
        for answer in await asyncio.gather(one, two):
            assert answer.choices[0].message.content == ANSWER, answer
        text = ""
        async for chunk in await other.chat.completions.create(
            model=prefixed(CLAUDE), messages=user(QUESTION), stream=True
        ):
            text += chunk.choices[0].delta.content or ""
        assert text == ANSWER, text


def tools_round_trip(model, streamed):
    """Two calls at once, their results, the answer."""
    forget()
    messages = user("Use get_weather and get_time in Paris")
    question = {"model": prefixed(model), "messages": messages, "tools": [WEATHER, TIME]}
    if streamed:
        with ai.chat.completions.stream(**question) as events:
            for _ in events:
                pass
            answer = events.get_final_completion()
    else:
        answer = ask(**question)
    [choice] = answer.choices
    assert choice.finish_reason == "tool_calls", choice
    assert choice.message.content == "I will use get_weather and get_time.", choice
    calls = choice.message.tool_calls
    made = [(call.type, call.function.name, json.loads(call.function.arguments)) for call in calls]
    wanted = [("function", "get_weather", {"city": "Paris"}), ("function", "get_time", {"zone": "CET"})]
    assert made == wanted, made
    body = travelled(model, "ConverseStream" if streamed else "Converse")
    assert [item["toolSpec"]["name"] for item in body["toolConfig"]["tools"]] == ["get_weather", "get_time"], body

    forget()
    said = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in said["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    results = [
        {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny"},
        {"role": "tool", "tool_call_id": calls[1].id, "content": [{"type": "text", "text": "noon"}]},
    ]
    answer = ask(model=prefixed(model), messages=[*messages, said, *results], tools=[WEATHER, TIME])
    assert answer.choices[0].finish_reason == "stop", answer
    assert answer.choices[0].message.content == "The tools say: sunny; noon", answer
    turns = travelled(model)["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"], turns


def one_call_at_a_time():
    forget()
    answer = ask(
        model=prefixed(CLAUDE),
        messages=user("Use get_weather and get_time in Paris"),
        tools=[WEATHER, TIME],
        parallel_tool_calls=False,
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["get_weather"], answer
    travelled(CLAUDE)


def chosen(choice, called, model=CLAUDE, text="How is it in Paris?"):
    forget()
    answer = ask(model=prefixed(model), messages=user(text), tools=[WEATHER, TIME], tool_choice=choice)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == called, answer
    assert answer.choices[0].finish_reason == ("tool_calls" if called else "stop"), answer
    return travelled(model)


def allowed_tools():
    only = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_time"}}]}
    choice = {"type": "allowed_tools", "allowed_tools": only}
    body = chosen(choice, ["get_time"], text="Use get_weather and get_time in Paris")
    assert [item["toolSpec"]["name"] for item in body["toolConfig"]["tools"]] == ["get_time"], body


def legacy_functions():
    forget()
    answer = ask(
        model=prefixed(CLAUDE), messages=user("Use get_weather in Paris"), functions=[WEATHER["function"]]
    )
    [choice] = answer.choices
    assert choice.finish_reason == "function_call", choice
    assert json.loads(choice.message.function_call.arguments) == {"city": "Paris"}, choice
    travelled(CLAUDE)


class Country(BaseModel):
    code: str


class City(BaseModel):
    """A town."""

    name: str
    country: Country
    population: int
    twins: list[str]


def parse(model, native):
    forget()
    answer = ai.chat.completions.parse(
        model=prefixed(model), messages=user("Which is the largest town in France?"), response_format=City
    )
    message = answer.choices[0].message
    wanted = City(name="France", country=Country(code="France"), population=1, twins=["France"])
    assert message.parsed == wanted, message
    assert (answer.choices[0].finish_reason, message.tool_calls) == ("stop", None), answer
    body = travelled(model)
    assert ("outputConfig" in body) == native and ("toolConfig" in body) != native, body


def parse_streamed(model):
    forget()
    kinds, deltas, done = set(), "", None
    with ai.chat.completions.stream(
        model=prefixed(model), messages=user("Which is the largest town in France?"), response_format=City
    ) as events:
        for event in events:
            kinds.add(event.type)
            if event.type == "content.delta":
                deltas += event.delta
            if event.type == "content.done":
                done = event.parsed
        final = events.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert done == final.choices[0].message.parsed == City.model_validate_json(deltas), (done, deltas)
    assert final.choices[0].finish_reason == "stop" and done.name == "France", final
    travelled(model, "ConverseStream")


def cut_short():
    question = {"model": prefixed(CLAUDE), "messages": user(QUESTION)}
    raised(
        openai.LengthFinishReasonError,
        lambda: ai.chat.completions.parse(**question, response_format=City, max_tokens=3),
    )
    answer = ask(**question, max_completion_tokens=2)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("length", "You said:"), answer
    answer = ask(**question, stop=["Cloudflare"])
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("stop", 'You said: "What is '), answer


class GetWeather(BaseModel):
    """Tells the weather."""

    city: str = Field(description="A town")


def pydantic_tool(model, strict):
    """The helper makes strict tools, which only some models know."""
    forget()
    kinds = {}
    tools = [openai.pydantic_function_tool(GetWeather, name="get_weather")]
    with ai.chat.completions.stream(
        model=prefixed(model), messages=user("Use get_weather in Paris"), tools=tools
    ) as events:
        for event in events:
            kinds[event.type] = event
        final = events.get_final_completion()
    done = kinds["tool_calls.function.arguments.done"]
    assert "tool_calls.function.arguments.delta" in kinds, kinds.keys()
    assert (done.index, done.name, done.parsed_arguments) == (0, "get_weather", GetWeather(city="Paris")), done
    [call] = final.choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Paris"), call
    spec = travelled(model, "ConverseStream")["toolConfig"]["tools"][0]["toolSpec"]
    assert bool(spec.get("strict")) == strict, spec


def reasoning():
    """Signed thoughts come back in the next turn, or Bedrock refuses it."""
    forget()
    messages = user("Use get_weather in Paris")
    question = {"model": prefixed(CLAUDE), "tools": [WEATHER], "reasoning_effort": "low"}
    answer = ask(messages=messages, **question)
    message = answer.choices[0].message
    assert message.reasoning_content and message.tool_calls, message
    body = travelled(CLAUDE)
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] >= 1024, body

    said = message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    answer = ask(messages=[*messages, said, result], **question)
    assert answer.choices[0].message.content == "The tools say: sunny", answer

    chunks = list(ask(model=prefixed(CLAUDE), messages=user(QUESTION), reasoning_effort="low", stream=True))
    thought = "".join(getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert len(thought) > 10 and text == ANSWER, (thought, text)


def image():
    forget()
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}
    ask(model=prefixed(CLAUDE), messages=user([{"type": "text", "text": QUESTION}, url]))
    blocks = travelled(CLAUDE)["messages"][0]["content"]
    assert blocks == [{"text": QUESTION}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}], blocks
    forget()
    url["image_url"]["url"] = "https://example.com/cat.png"
    error = raised(openai.BadRequestError, lambda: ask(model=prefixed(CLAUDE), messages=user([url])))
    assert "data:" in error.body["message"] and error.param and seen() == [], error.body


def file():
    """Names are made such as Bedrock takes, and different; a text goes with them."""
    forget()
    parts = [
        {"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}
        for name in ("../Q3 report  (final).pdf", "../Q3 report  (final).pdf")
    ]
    answer = ask(model=prefixed(CLAUDE), messages=user(parts))
    assert answer.choices[0].finish_reason == "stop", answer
    blocks = travelled(CLAUDE)["messages"][0]["content"]
    files = [block["document"] for block in blocks if "document" in block]
    assert [(file["format"], file["source"]) for file in files] == [("pdf", {"bytes": "JVBERi0xLjQK"})] * 2, blocks
    assert len({file["name"] for file in files}) == 2, blocks


def dropped():
    forget()
    question = {"messages": user(QUESTION), "model": prefixed(CLAUDE)}
    more = {"seed": 7, "frequency_penalty": 0.5, "user": "somebody", "temperature": 2, "store": False}
    raw = ai.chat.completions.with_raw_response.create(**question, **more)
    names = {name.strip() for name in raw.headers["x-bedrock-dropped-params"].split(",")}
    assert {"seed", "frequency_penalty"} <= names and "messages" not in names, names
    assert travelled(CLAUDE)["inferenceConfig"]["temperature"] == 1
    forget()
    with client("strict-token", "strict") as strict:
        error = raised(openai.BadRequestError, lambda: strict.chat.completions.create(**question, seed=7))
    assert (error.param, error.code, seen()) == ("seed", "unsupported_parameter", []), error.body


def cached():
    text = f"{time.time_ns()} is a long text"
    part = {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
    question = {"model": prefixed(CLAUDE), "messages": user([part, {"type": "text", "text": QUESTION}])}
    words = len(text.split())
    for wanted in (0, words):
        raw = ai.chat.completions.with_raw_response.create(**question)
        usage = raw.parse().usage
        assert usage.prompt_tokens == words + WORDS_IN, usage
        assert usage.prompt_tokens_details.cached_tokens == wanted, usage
        in_the_log(raw.headers, CLAUDE, tokens_in=words + WORDS_IN, tokens_cache_read=wanted)


def guardrail():
    config = {"guardrailIdentifier": "abc123", "guardrailVersion": "1"}
    question = {"model": prefixed(CLAUDE), "messages": user("This is blocked-by-guardrail")}
    answer = ask(**question, extra_body={"guardrailConfig": config})
    assert answer.choices[0].finish_reason == "content_filter", answer
    assert (answer.usage.total_tokens, ask(**question).choices[0].finish_reason) == (0, "stop"), answer


def service_tier():
    forget()
    answer = ask(model=prefixed(NOVA), messages=user(QUESTION), service_tier="flex")
    assert answer.service_tier == "flex" and travelled(NOVA)["serviceTier"] == {"type": "flex"}, answer


def models():
    names = [model.id for model in ai.models.list()]
    assert {"gpt-4o-mini", "gpt-4o"} <= set(names), names


def refused(kind, status, code, param=None, times=1, sent=None, token="demo-token", gateway="demo", **question):
    """The right class, with our words in it; so often it is sent (`None`: whatever), and so often it arrives."""
    forget()
    with client(token, gateway) as other:
        request = {"model": prefixed(CLAUDE), "messages": user(QUESTION)} | question
        error = raised(kind, lambda: other.chat.completions.create(**request))
    assert type(error) is kind and error.status_code == status, repr(error)
    assert error.code == code, error.body
    assert error.body["message"] and error.body["message"] in str(error) and error.type, error.body
    if param:
        assert (error.param or "").startswith(param), error.body
    assert error.request_id, error.response.headers
    tries, arrived = len(other.sent), len(seen())
    assert tries == (times or tries), f"sent {tries} times"
    assert arrived == (tries if sent is None else sent), f"{arrived} arrived"
    if "cf-aig-log-id" in error.response.headers:
        record = recorded(error.response.headers["cf-aig-log-id"], status_code=status, success=False)
        assert record["error"], record


def bad_parameter(name, value):
    """It is named, and nothing travels."""
    forget()
    with client() as other:
        question = {"model": prefixed(CLAUDE), "messages": user(QUESTION)} | value
        error = raised(openai.BadRequestError, lambda: other.chat.completions.create(**question))
    assert (error.param or "").startswith(name) and error.type == "invalid_request_error", error.body
    assert len(other.sent) == 1 and seen() == [], (len(other.sent), seen())


def throttled():
    """A client that waits as it is told gets its answer in the end."""
    forget()
    with client() as other:
        answer = other.chat.completions.create(model=fault("throttle-2", "us.anthropic.waits"), messages=user(QUESTION))
    assert answer.choices[0].message.content == ANSWER, answer
    assert len(seen()) == 3, seen()


def broken(name, code=None):
    """Nothing is made up: no end, no usage, an error instead."""
    chunks = []

    def read():
        question = {"model": fault(name), "messages": user(QUESTION), "stream_options": {"include_usage": True}}
        for chunk in ask(**question, stream=True):
            chunks.append(chunk)

    error = raised(openai.APIError, read)
    assert not isinstance(error, openai.APIStatusError), repr(error)
    assert error.body["message"] and error.type, error.body
    if code:
        assert error.code == code, error.body
    assert chunks and not any(chunk.usage for chunk in chunks), chunks
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert ends == [], ends
    recorded(ai.answers[-1].headers["cf-aig-log-id"], status_code=200, success=False, operation="ConverseStream")


for model in (CLAUDE, NOVA):
    case(f"openai-python chat {model}", chat, prefixed(model), model)
    case(f"openai-python stream {model}", stream, model, False)
    case(f"openai-python stream with usage {model}", stream, model, True)
    case(f"openai-python tools {model}", tools_round_trip, model, False)
    case(f"openai-python tools in a stream {model}", tools_round_trip, model, True)
    case(f"openai-python parse {model}", parse, model, model == CLAUDE)
    case(f"openai-python parse a stream {model}", parse_streamed, model)
    case(f"openai-python pydantic_function_tool {model}", pydantic_tool, model, model == CLAUDE)
case("openai-python alias gpt-4o-mini", chat, "gpt-4o-mini", CLAUDE)
case("openai-python alias gpt-4o", chat, "gpt-4o", NOVA)
case("openai-python the example of the page", of_the_page)
case("openai-python base URL with a slash", slash)
case("openai-python asynchronous", asyncio.run, asynchronous())
case("openai-python parallel_tool_calls=False", one_call_at_a_time)
named = {"type": "function", "function": {"name": "get_time"}}
for choice, called in (("auto", []), ("none", []), ("required", ["get_weather"]), (named, ["get_time"])):
    for model in (CLAUDE, NOVA):
        case(f"openai-python tool_choice {choice if isinstance(choice, str) else 'named'} {model}", chosen, choice, called, model)
case("openai-python tool_choice allowed_tools", allowed_tools)
case("openai-python functions", legacy_functions)
case("openai-python cut by max_tokens and stop", cut_short)
case("openai-python reasoning_effort", reasoning)
case("openai-python image", image)
case("openai-python file", file)
case("openai-python dropped parameters", dropped)
case("openai-python cache_control", cached)
case("openai-python guardrail", guardrail)
case("openai-python service_tier", service_tier)
case("openai-python models.list()", models)

def wrong(name, *wanted, **question):
    case(f"openai-python {name}", lambda: refused(*wanted, **question))


bad, api = openai.BadRequestError, openai.InternalServerError
wrong("wrong token", openai.AuthenticationError, 401, "invalid_api_key", sent=0, token="wrong")
wrong("unknown gateway", bad, 400, "gateway_not_found", sent=0, gateway="none")
for name, value in (
    ("n", {"n": 2}),
    ("logprobs", {"logprobs": True}),
    ("max_tokens", {"max_tokens": 0}),
    ("messages", {"messages": []}),
    ("tools", {"tools": [{"type": "custom", "custom": {"name": "x"}}]}),
    ("tool_choice", {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}),
    ("response_format", {"response_format": {"type": "yaml"}}),
    ("modalities", {"modalities": ["text", "audio"]}),
):
    case(f"openai-python refused: {name}", bad_parameter, name, value)
unknown = (openai.NotFoundError, 404, "model_not_found")
wrong("unknown model", *unknown, model=fault("error-404"))
wrong("unknown name", *unknown, sent=0, model="gpt-3.5-turbo")
wrong("Bedrock's ValidationException", openai.NotFoundError, 404, "model_not_found", model=fault("error-400"))
wrong("no access", openai.PermissionDeniedError, 403, "model_access_denied", model=fault("error-403"))
wrong("throttled for good", openai.RateLimitError, 429, "rate_limit_exceeded", times=3, model=fault("throttle-99"))
case("openai-python throttled for a while", throttled)
case("openai-python quota", lambda: raised(openai.RateLimitError, lambda: ask(model=fault("error-quota"), messages=user(QUESTION))))
wrong("model not ready", api, 503, "model_not_ready", times=None, model=fault("error-not-ready"))
wrong("timeout", api, 504, "timeout", times=None, model=fault("error-408"))
wrong("the model's error", api, 502, "model_error", times=None, model=fault("error-424"))
wrong("server error", api, 500, "server_error", times=3, model=fault("error-500"))
wrong("unavailable", api, 503, "service_unavailable", times=3, model=fault("error-503"))
wrong("the gateway's keys are refused", api, 502, "upstream_auth_error", model=fault("expired"))
wrong("unknown operation", *unknown, model=fault("unknown-operation"))
wrong("an exception for an answer", bad, 400, None, model=fault("exception-first"), stream=True)
case("openai-python an exception in the middle", broken, "exception-mid", "model_error")
for name in ("cut", "no-message-stop", "bad-crc", "oversized-frame"):
    case(f"openai-python broken stream: {name}", broken, name)
end()
