"""What the Python clients of the OpenAI-compatible endpoint share."""

import base64
from urllib.parse import quote

import botocore.session
import botocore.validate

from common import GATEWAY, recorded, seen

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
QUESTION = "What is Cloudflare?"
WORDS_IN, WORDS_OUT = 3, 20
ANSWER = f'You said: "{QUESTION}" This is an emulated answer, so that is all there is to say about it.'
_model = botocore.session.get_session().get_service_model("bedrock-runtime")


def compat(gateway="demo"):
    return f"{GATEWAY}/v1/demo/{gateway}/compat"


def prefixed(model):
    return f"aws-bedrock/{model}"


def user(content):
    return [{"role": "user", "content": content}]


def tool(name, **properties):
    """A tool with these properties, all of them required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": f"Tells {name}", "parameters": schema}}


WEATHER = tool("get_weather", city={"type": "string"})
TIME = tool("get_time", zone={"type": "string", "enum": ["CET", "UTC"]})


def _decoded(shape, value):
    """The value as botocore's validator wants it: bytes where the model has bytes."""
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        return {
            name: _decoded(shape.members[name], item) if name in shape.members else item for name, item in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_decoded(shape.member, item) for item in value]
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    return value


def travelled(model, operation="Converse"):
    """The body of the one request that arrived at the emulator; botocore would have sent it too."""
    requests = seen()
    rest = {"Converse": "converse", "ConverseStream": "converse-stream"}[operation]
    path = f"/model/{quote(model, safe='')}/{rest}"
    assert [request["path"] for request in requests] == [path], [request["path"] for request in requests]
    [request] = requests
    assert request["verdict"] == "Accepted", request["verdict"]
    for name, value in request["headers"]:
        assert not name.lower().startswith("cf-") and "-token" not in value, (name, value)
    body = request["json"]
    shape = _model.operation_model(operation).input_shape
    unknown = set(body) - set(shape.members)
    assert not unknown, f"botocore does not know {unknown}"
    report = botocore.validate.ParamValidator().validate(_decoded(shape, {"modelId": model, **body}), shape)
    assert not report.has_errors(), report.generate_report()
    return body


def in_the_log(headers, model, operation="Converse", **more):
    """The record of an answer with these headers."""
    wanted = {"model": model, "region": "us-east-1", "operation": operation, "success": True, "status_code": 200}
    return recorded(headers["cf-aig-log-id"], **wanted | more)
