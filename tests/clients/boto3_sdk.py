"""boto3: every operation in each of the ways in which it can carry a gateway token."""

import base64
import io
import json
import os
import re
from urllib.parse import quote

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError
from urllib3.exceptions import ProtocolError

from common import CA, EMULATOR, GATEWAY, GATEWAY_TLS, LARGE, arrived, case, end, forget, raised, runtime, seen

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
NOVA = "us.amazon.nova-lite-v1:0"
QUESTION = "What is Cloudflare?"
CONVERSATION = [{"role": "user", "content": [{"text": QUESTION}]}]
SEED_KEYS = {
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
DUMMY_KEYS = {"aws_access_key_id": "AKIADUMMY", "aws_secret_access_key": "dummy"}
ID = re.compile(rb"msg_bdrk_\w+")


def client(endpoint, token=None, signature=None, keys=None, **more):
    config = Config(signature_version=signature, read_timeout=30, connect_timeout=10)
    made = boto3.client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=endpoint, config=config, **(keys or {}), **more
    )
    made.sent, made.bodies = [], []
    events = made.meta.events
    if token:
        events.register(
            "before-send.bedrock-runtime",
            lambda request, **_: request.headers.__setitem__("cf-aig-authorization", f"Bearer {token}"),
        )
    events.register("before-send.bedrock-runtime", lambda request, **_: made.sent.append(request.url))
    events.register("before-parse.bedrock-runtime", lambda response_dict, **_: made.bodies.append(response_dict["body"]))
    return made


def bearer(token, gateway="demo"):
    """The environment variable and nothing else; botocore sends it over TLS only."""
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = token
    try:
        return client(runtime(GATEWAY_TLS, gateway), verify=CA)
    finally:
        del os.environ["AWS_BEARER_TOKEN_BEDROCK"]


def unsigned(token, gateway="demo"):
    return client(runtime(GATEWAY, gateway), token, UNSIGNED)


class Tee:
    """Keeps the bytes of a stream that botocore reads."""

    def __init__(self, raw):
        self.raw, self.bytes = raw, b""

    def stream(self, *arguments):
        for chunk in self.raw.stream(*arguments):
            self.bytes += chunk
            yield chunk

    def close(self):
        self.raw.close()


def streamed(stream):
    """The events of a stream, the bytes that carried them, and the error that ended it."""
    tee = stream._raw_stream = Tee(stream._raw_stream)
    events, error = [], None
    try:
        for event in stream:
            events.append(event)
    except Exception as caught:
        error = caught
    return events, tee.bytes, error


def invocation(model):
    if model == NOVA:
        return json.dumps({"messages": CONVERSATION})
    messages = [{"role": "user", "content": QUESTION}]
    return json.dumps({"messages": messages, "max_tokens": 256, "anthropic_version": "bedrock-2023-05-31"})


def converse(client, model):
    answer = client.converse(modelId=model, messages=CONVERSATION)
    return answer, client.bodies[-1], answer["output"]["message"]["content"][0]["text"]


def converse_stream(client, model):
    answer = client.converse_stream(modelId=model, messages=CONVERSATION)
    events, raw, error = streamed(answer["stream"])
    assert error is None, repr(error)
    assert "messageStop" in events[-2] and "metadata" in events[-1], events[-2:]
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    return answer, raw, "".join(deltas)


def invoke_model(client, model):
    answer = client.invoke_model(modelId=model, body=invocation(model), contentType="application/json")
    raw = answer["body"].read()
    return answer, raw, raw.decode()


def invoke_model_with_response_stream(client, model):
    answer = client.invoke_model_with_response_stream(modelId=model, body=invocation(model))
    events, raw, error = streamed(answer["body"])
    assert error is None, repr(error)
    assert b"invocationMetrics" in events[-1]["chunk"]["bytes"], events[-1]
    texts = re.findall(rb'"text":"((?:[^"\\]|\\.)*)"', b"".join(event["chunk"]["bytes"] for event in events))
    return answer, raw, b"".join(texts).decode()


OPERATIONS = {
    "converse": converse,
    "converse-stream": converse_stream,
    "invoke": invoke_model,
    "invoke-with-response-stream": invoke_model_with_response_stream,
}


def without_ids(raw):
    """Message ids are random, and in an invoke stream the checksum depends on them: frame by frame without both."""
    buffer = EventStreamBuffer()
    if raw[:1] == b"{":
        return ID.sub(b"", raw)
    buffer.add_data(raw)
    frames = []
    for frame in buffer:
        payload = json.loads(frame.payload)
        inner = base64.b64decode(payload.pop("bytes", ""))
        frames.append((frame.headers, payload, ID.sub(b"", inner), len(inner)))
    return frames


def operation(name, client, model):
    forget()
    answer, raw, text = OPERATIONS[name](client, model)
    assert QUESTION in text, text
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert all(headers.get(f"cf-aig-{key}") for key in ("log-id", "event-id", "step")), headers
    arrived(f"/model/{quote(model, safe='')}/{name}")
    _, wanted, _ = OPERATIONS[name](client.direct, model)
    assert len(raw) == len(wanted), f"{len(raw)} bytes instead of {len(wanted)}"
    assert raw == wanted or without_ids(raw) == without_ids(wanted), (raw[:300], wanted[:300])


def count_tokens(client):
    for request in ({"converse": {"messages": CONVERSATION}}, {"invokeModel": {"body": invocation(CLAUDE)}}):
        answer = client.count_tokens(modelId=CLAUDE, input=request)
        assert answer["inputTokens"] == len(QUESTION.split()), answer


def refused(client, name, status, text=""):
    """The right class, the gateway's text, one attempt, nothing upstream."""
    forget()
    error = raised(
        getattr(client.exceptions, name), lambda: client.converse(modelId=CLAUDE, messages=CONVERSATION)
    )
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
    assert error.response["Error"]["Message"] and text in str(error), error
    assert len(client.sent) == 1, client.sent
    assert seen() == []


def fault(client, model, name, sent=None):
    """An exception of the service comes through with its class; what is to be retried was."""
    forget()
    client.sent.clear()
    error = raised(getattr(client.exceptions, name), lambda: client.converse(modelId=model, messages=CONVERSATION))
    assert error.response["Error"]["Message"], error.response
    assert len(seen()) == len(client.sent), (len(seen()), client.sent)
    assert len(client.sent) == sent if sent else len(client.sent) > 1, client.sent


def throttled(client, model):
    forget()
    client.sent.clear()
    answer = client.converse(modelId=model, messages=CONVERSATION)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1, answer["ResponseMetadata"]
    assert len(client.sent) == 2 and len(seen()) == 2, (client.sent, len(seen()))


def broken(client, model, check):
    """A stream that does not end well: the same bytes, the same error as without the gateway."""
    ends = []
    for each in (client, client.direct):
        answer = each.converse_stream(modelId=model, messages=CONVERSATION)
        ends.append(streamed(answer["stream"]))
    (events, raw, error), (_, wanted, _) = ends
    assert raw == wanted, f"{len(raw)} bytes instead of {len(wanted)}"
    assert check(error), repr(error)
    assert not any("messageStop" in event for event in events), events


def event_stream_error(code):
    return lambda error: isinstance(error, EventStreamError) and error.response["Error"]["Code"] == code


def foreign_signature():
    """Signed with keys that AWS does not know, and passed through: AWS's own answer, untouched."""
    error = raised(ClientError, lambda: converse(client(runtime(GATEWAY), "demo-token", keys=DUMMY_KEYS), CLAUDE))
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error.response
    assert error.response["Error"]["Code"] in ("UnrecognizedClientException", "InvalidSignatureException"), error
    assert [request["verdict"].lower() == "accepted" for request in seen()] == [False], seen()


def large(client, name, status, body):
    """40 MB against a limit of 32 MiB, or with a wrong token."""
    error = raised(getattr(client.exceptions, name), lambda: client.invoke_model(modelId=CLAUDE, body=body))
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
    assert len(client.sent) == 1, client.sent


direct = client(EMULATOR, keys=SEED_KEYS)
ways = {
    "bearer over TLS": bearer("demo-token"),
    "unsigned": unsigned("demo-token"),
    "dummy keys": client(runtime(GATEWAY, "ignore"), "ignore-token", keys=DUMMY_KEYS),
}
for way, made in ways.items():
    made.direct = direct
    for model in (CLAUDE, PROFILE, NOVA):
        for name in OPERATIONS:
            case(f"boto3 {way}: {name} {model.split('/')[0]}", operation, name, made, model)
    case(f"boto3 {way}: count_tokens", count_tokens, made)
    kind = way.split()[0]
    case(f"boto3 {way}: throttled once", throttled, made, f"{kind}.fault.throttle-1")

gateway = ways["unsigned"]
case("boto3 wrong bearer token", refused, bearer("wrong"), "AccessDeniedException", 401)
case("boto3 wrong token", refused, unsigned("wrong"), "AccessDeniedException", 401)
case("boto3 no credential", refused, unsigned("bare-token", "bare"), "ValidationException", 400)
case("boto3 unknown gateway", refused, unsigned("demo-token", "none"), "ValidationException", 400, "none")
case("boto3 error 400", fault, gateway, "fault.error-400", "ValidationException", 1)
case("boto3 error 403", fault, gateway, "fault.error-403", "AccessDeniedException", 1)
case("boto3 error 404", fault, gateway, "fault.error-404", "ResourceNotFoundException", 1)
case("boto3 error 424", fault, gateway, "fault.error-424", "ModelErrorException", 1)
case("boto3 error 429", fault, gateway, "fault.error-429", "ThrottlingException")
case("boto3 error 500", fault, gateway, "fault.error-500", "InternalServerException")
case("boto3 error 503", fault, gateway, "fault.error-503", "ServiceUnavailableException")
case("boto3 exception first", broken, gateway, "fault.exception-first", event_stream_error("validationException"))
case("boto3 exception mid", broken, gateway, "fault.exception-mid", event_stream_error("modelStreamErrorException"))
case("boto3 cut", broken, gateway, "fault.cut", lambda error: isinstance(error, ProtocolError))
# boto3 itself does not mind a stream that ends before its messageStop.
case("boto3 no messageStop", broken, gateway, "fault.no-message-stop", lambda error: True)
case("boto3 foreign signature", lambda: (forget(), foreign_signature()))

zeros = bytes(LARGE)
case("boto3 413 on 40 MB", large, unsigned("demo-token"), "ValidationException", 413, zeros)
case("boto3 401 on 40 MB", large, unsigned("wrong"), "AccessDeniedException", 401, zeros)
case("boto3 413 on 40 MB over TLS", large, bearer("demo-token"), "ValidationException", 413, zeros)
case("boto3 401 on 40 MB over TLS", large, bearer("wrong"), "AccessDeniedException", 401, zeros)
case("boto3 413 on a 40 MB file", large, unsigned("demo-token"), "ValidationException", 413, io.BytesIO(zeros))
end()
