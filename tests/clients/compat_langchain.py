"""LangChain's ChatOpenAI on the OpenAI-compatible endpoint."""

import asyncio

import openai
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from common import case, end, forget, raised, seen
from compat import ANSWER, CLAUDE, NOVA, QUESTION, WORDS_IN, WORDS_OUT, compat, in_the_log, prefixed, travelled


def chat(model=CLAUDE, token="demo-token", name=None, **more):
    return ChatOpenAI(
        model=name or prefixed(model), base_url=compat(), api_key=token, timeout=30, use_responses_api=False, **more
    )


@tool
def get_weather(city: str) -> str:
    """Tells the weather of a town."""
    return f"sunny in {city}"


@tool
def get_time(zone: str) -> str:
    """Tells the time of a zone."""
    return f"noon in {zone}"


class City(BaseModel):
    """A town."""

    name: str
    population: int
    twins: list[str]


def invoke(model, name=None):
    forget()
    answer = chat(model, name=name, include_response_headers=True).invoke(QUESTION)
    assert answer.content == ANSWER and answer.response_metadata["finish_reason"] == "stop", answer
    usage = answer.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"]) == (WORDS_IN, WORDS_OUT), usage
    travelled(model)
    in_the_log(answer.response_metadata["headers"], model, tokens_in=WORDS_IN, tokens_out=WORDS_OUT)


def system():
    forget()
    chat().invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)])
    body = travelled(CLAUDE)
    assert body["system"] == [{"text": "Be brief."}] and len(body["messages"]) == 1, body


def stream(model):
    forget()
    whole, parts = AIMessageChunk(""), 0
    for chunk in chat(model, stream_usage=True).stream(QUESTION):
        whole, parts = whole + chunk, parts + bool(chunk.content)
    assert whole.content == ANSWER and parts > 3, (parts, whole)
    assert whole.usage_metadata["output_tokens"] == WORDS_OUT, whole
    travelled(model, "ConverseStream")


async def asynchronous():
    assert (await chat().ainvoke(QUESTION)).content == ANSWER
    parts = [chunk.content async for chunk in chat(NOVA).astream(QUESTION)]
    assert "".join(parts) == ANSWER and len(parts) > 3, parts


def tools(model, streamed):
    """Two calls, what they say, the answer."""
    forget()
    bound = chat(model).bind_tools([get_weather, get_time])
    messages = [HumanMessage("Use get_weather and get_time in Paris")]
    if streamed:
        answer = AIMessageChunk("")
        for chunk in bound.stream(messages):
            answer += chunk
    else:
        answer = bound.invoke(messages)
    made = [(call["name"], call["args"]) for call in answer.tool_calls]
    assert made == [("get_weather", {"city": "Paris"}), ("get_time", {"zone": "Paris"})], answer
    messages.append(answer)
    for call, function in zip(answer.tool_calls, (get_weather, get_time)):
        messages.append(function.invoke(call))
    assert all(isinstance(message, ToolMessage) for message in messages[2:]), messages
    assert bound.invoke(messages).content == "The tools say: sunny in Paris; noon in Paris"
    assert len(seen()) == 2, seen()


def forced():
    forget()
    answer = chat().bind_tools([get_weather, get_time], tool_choice="get_time").invoke("How is Paris?")
    assert [call["name"] for call in answer.tool_calls] == ["get_time"], answer
    assert travelled(CLAUDE)["toolConfig"]["toolChoice"] == {"tool": {"name": "get_time"}}


def structured(model, method):
    forget()
    answer = chat(model).with_structured_output(City, method=method).invoke("Which is the largest town in France?")
    assert answer == City(name="France", population=1, twins=["France"]), answer
    body = travelled(model)
    native = method == "json_schema" and model == CLAUDE
    assert ("outputConfig" in body) == native and ("toolConfig" in body) != native, body


def refused(kind, code, **more):
    error = raised(kind, lambda: chat(max_retries=0, **more).invoke(QUESTION))
    assert error.code == code and error.body["message"] in str(error), error.body


def broken():
    """The text so far, then the error; never an end."""
    chunks = []

    def read():
        for chunk in chat(name=prefixed("us.anthropic.langchain.fault.exception-mid")).stream(QUESTION):
            chunks.append(chunk)

    error = raised(openai.APIError, read)
    assert error.code == "model_error" and chunks, error.body
    assert not any(chunk.response_metadata.get("finish_reason") for chunk in chunks), chunks


for model in (CLAUDE, NOVA):
    case(f"langchain invoke {model}", invoke, model)
    case(f"langchain stream {model}", stream, model)
    case(f"langchain bind_tools {model}", tools, model, False)
    case(f"langchain bind_tools in a stream {model}", tools, model, True)
    for method in ("json_schema", "function_calling"):
        case(f"langchain with_structured_output {method} {model}", structured, model, method)
case("langchain alias gpt-4o-mini", invoke, CLAUDE, "gpt-4o-mini")
case("langchain system", system)
case("langchain asynchronous", lambda: asyncio.run(asynchronous()))
case("langchain tool_choice", forced)
case("langchain wrong token", lambda: refused(openai.AuthenticationError, "invalid_api_key", token="wrong"))
case("langchain unknown model", lambda: refused(openai.NotFoundError, "model_not_found", name="gpt-3.5-turbo"))
case("langchain an exception in the middle", broken)
end()
