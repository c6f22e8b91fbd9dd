"""Converse's request as the service model has it: botocore's validator, and what that leaves out.

botocore checks types, required members, unknown members and the lengths of strings and lists. The
patterns and values that it does not check are in PATTERNS and ENUMS, from the same model.
"""

import base64
import binascii
import json
import re

import botocore.session
from botocore.validate import ParamValidator


# Limits of the documentation, which the model does not have.
MOST_DOCUMENTS = 5
MOST_CACHE_POINTS = 4


class Model:
    """The input shapes of Converse and ConverseStream."""

    def __init__(self):
        session = botocore.session.get_session()
        service = session.get_service_model("bedrock-runtime")
        self.shapes = {
            stream: service.operation_model(name).input_shape
            for stream, name in ((False, "Converse"), (True, "ConverseStream"))
        }

    def problems(self, model, stream, converse):
        """What is wrong with a request; nothing, if it is a list without elements."""
        shape = self.shapes[stream]
        problems = []
        params = {**self._decoded(shape, converse, "", problems), "modelId": model}
        report = ParamValidator().validate(params, shape)
        if report.has_errors():
            problems += report.generate_report().splitlines()
        self._values(shape, params, "", problems)
        if not problems:
            rules(converse, problems)
        return problems

    def _decoded(self, shape, value, path, problems):
        """With base64 decoded where the model has bytes."""
        if is_document(shape):
            return value
        kind = shape.type_name
        if kind == "blob" and isinstance(value, str):
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error as error:
                problems.append(f"{path}: not base64: {error}")
                return b"?"
        if kind == "structure" and isinstance(value, dict):
            return {
                key: self._decoded(shape.members[key], item, f"{path}.{key}", problems)
                if key in shape.members
                else item
                for key, item in value.items()
            }
        if kind == "list" and isinstance(value, list):
            return [self._decoded(shape.member, item, f"{path}[]", problems) for item in value]
        if kind == "map" and isinstance(value, dict):
            return {key: self._decoded(shape.value, item, path, problems) for key, item in value.items()}
        return value

    def _values(self, shape, value, path, problems):
        """Patterns, values, and upper bounds, which botocore leaves to the service."""
        if is_document(shape):
            return
        kind = shape.type_name
        if kind == "structure" and isinstance(value, dict):
            for key, item in value.items():
                if key in shape.members:
                    self._values(shape.members[key], item, f"{path}.{key}", problems)
            return
        if kind == "list" and isinstance(value, list):
            for index, item in enumerate(value):
                self._values(shape.member, item, f"{path}[{index}]", problems)
        elif kind == "map" and isinstance(value, dict):
            for key, item in value.items():
                self._values(shape.key, key, f"{path}.{key}", problems)
                self._values(shape.value, item, f"{path}.{key}", problems)
        elif kind == "string" and isinstance(value, str):
            if shape.enum and value not in shape.enum:
                problems.append(f"{path}: {value!r} is none of {shape.enum}")
            pattern = shape.metadata.get("pattern")
            if pattern and not re.fullmatch(pattern, value):
                problems.append(f"{path}: {value[:80]!r} does not match {pattern[:60]}")
        most = shape.metadata.get("max")
        size = value if isinstance(value, (int, float)) else len(value) if hasattr(value, "__len__") else 0
        if most is not None and not isinstance(value, bool) and size > most:
            problems.append(f"{path}: {size} is more than {most}")
        if kind == "integer" and isinstance(value, int) and not -(2**31) <= value < 2**31:
            problems.append(f"{path}: {value} does not fit 32 bits")


def is_document(shape):
    """Any JSON."""
    return shape.type_name == "structure" and getattr(shape, "is_document_type", False)


def rules(converse, problems):
    """What the service asks beyond the shapes."""
    messages = converse["messages"]
    if not messages:
        problems.append("messages: none")
    for before, after in zip(messages, messages[1:]):
        if before["role"] == after["role"]:
            problems.append(f"messages: two of {before['role']} in a row")
    ids, names, documents, points = set(), set(), [], 0
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        content = message["content"]
        if not content:
            problems.append(f"{at}: empty")
        calls = [block["toolUse"]["toolUseId"] for block in content if "toolUse" in block]
        names |= {block["toolUse"]["name"] for block in content if "toolUse" in block}
        if calls and message["role"] != "assistant":
            problems.append(f"{at}: calls in a turn of {message['role']}")
        for call in calls:
            if call in ids:
                problems.append(f"{at}: the id {call} is there twice")
            ids.add(call)
        answer = messages[index + 1]["content"] if index + 1 < len(messages) else []
        answered = [block["toolResult"]["toolUseId"] for block in answer if "toolResult" in block]
        if sorted(calls) != sorted(answered):
            problems.append(f"{at}: calls {calls}, answers {answered}")
        kinds = [next(iter(block)) for block in content]
        results = [kind == "toolResult" for kind in kinds if kind != "cachePoint"]
        if results != sorted(results, reverse=True):
            problems.append(f"{at}: results are not first")
        if "document" in kinds and "text" not in kinds:
            problems.append(f"{at}: a document without text")
        for block in content + [inner for block in content for inner in block.get("toolResult", {}).get("content", [])]:
            if not block.get("text", "x").strip():
                problems.append(f"{at}: blank text")
            if "document" in block:
                documents.append(block["document"]["name"])
            points += "cachePoint" in block
    points += sum("cachePoint" in block for block in converse.get("system", []))
    if any(not block.get("text", "x").strip() for block in converse.get("system", [])):
        problems.append("system: blank text")
    if len(set(documents)) != len(documents) or len(documents) > MOST_DOCUMENTS:
        problems.append(f"documents: {documents}")
    for name in documents:
        if not re.fullmatch(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*", name):
            problems.append(f"document name {name!r}")
    config = converse.get("toolConfig")
    if names and not config:
        problems.append("calls, but no toolConfig")
    if config:
        specs = [tool["toolSpec"] for tool in config["tools"] if "toolSpec" in tool]
        listed = [spec["name"] for spec in specs]
        points += sum("cachePoint" in tool for tool in config["tools"])
        if len(set(listed)) != len(listed):
            problems.append(f"tools: {listed}")
        for spec in specs:
            schema = spec["inputSchema"]["json"]
            if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf", "$ref"} & set(schema):
                problems.append(f"tool {spec['name']}: root of the schema")
        choice = config.get("toolChoice", {}).get("tool")
        if choice and choice["name"] not in listed:
            problems.append(f"toolChoice: {choice}")
    if points > MOST_CACHE_POINTS:
        problems.append(f"{points} cache points")
    structure = converse.get("outputConfig", {}).get("textFormat", {}).get("structure", {})
    if structure and not isinstance(json.loads(structure["jsonSchema"]["schema"]), dict):
        problems.append("outputConfig: not a schema")


