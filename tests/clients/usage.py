"""Reads usage from the recordings on its own and compares it with the gateway's records.

usage.py EXCHANGES.jsonl REPLAYED-USAGE.jsonl

Event streams are taken apart by botocore's own parser, which checks every checksum.
"""

import base64
import collections
import json
import re
import sys

from botocore.eventstream import EventStreamBuffer

COUNTS = ["input", "output", "cache_read", "cache_write", "reasoning"]
FIELDS = COUNTS + ["stop_reason", "latency", "guardrail", "tier"]

NAMES = {
    "input": ["inputTokens", "inputTokenCount", "input_tokens", "prompt_tokens"],
    "output": ["outputTokens", "outputTokenCount", "output_tokens", "completion_tokens"],
    "cache_read": ["cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens"],
    "cache_write": ["cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens"],
    "latency": ["invocationLatency"],
}


def at(found, *path):
    """The value at the end of a path; of lists the first element that has one."""
    for index, key in enumerate(path):
        if isinstance(found, list):
            return next((v for v in (at(e, *path[index:]) for e in found) if v is not None), None)
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return found


def first(*values):
    return next((value for value in values if value is not None), None)


def of_counts(counts):
    """A usage object; the input without what the cache held."""
    if not isinstance(counts, dict):
        return {}
    found = {key: first(*(counts.get(name) for name in names)) for key, names in NAMES.items()}
    details = first(counts.get("prompt_tokens_details"), counts.get("input_tokens_details"))
    if details is not None:
        found["cache_read"] = details.get("cached_tokens")
        found["cache_write"] = details.get("cache_write_tokens")
        found["input"] -= (found["cache_read"] or 0) + (found["cache_write"] or 0)
    details = first(counts.get("completion_tokens_details"), counts.get("output_tokens_details"))
    found["reasoning"] = first(at(details, "reasoning_tokens"), at(details, "thinking_tokens"))
    found["tier"] = counts.get("service_tier")
    return found


def of_object(body):
    """An answer, or one event of a model's own stream."""
    if not isinstance(body, dict):
        return {}
    found = of_counts(first(at(body, "usage"), at(body, "message", "usage"), at(body, "metadata", "usage"), at(body, "response", "usage")))
    if "inputTextTokenCount" in body or "prompt_token_count" in body:
        found["input"] = first(body.get("inputTextTokenCount"), body.get("prompt_token_count"))
    parts = [r["tokenCount"] for r in body.get("results") or [] if isinstance(r, dict) and "tokenCount" in r]
    output = first(sum(parts) if parts else None, body.get("totalOutputTextTokenCount"), body.get("generation_token_count"))
    found["output"] = first(output, found.get("output"))
    found["stop_reason"] = first(
        *(at(body, key) for key in ("stopReason", "stop_reason", "finish_reason", "completionReason")),
        at(body, "delta", "stop_reason"),
        at(body, "messageStop", "stopReason"),
        at(body, "response", "finish_reason"),
        at(body, "choices", "finish_reason"),
        at(body, "choices", "stop_reason"),
        at(body, "outputs", "stop_reason"),
        at(body, "results", "completionReason"),
        at(body, "generations", "finish_reason"),
        at(body, "completions", "finishReason", "reason"),
    )
    found["latency"] = at(body, "metrics", "latencyMs")
    found["guardrail"] = body.get("amazon-bedrock-guardrailAction")
    found["tier"] = first(at(body, "serviceTier", "type"), body.get("service_tier"), at(body, "response", "service_tier"), found.get("tier"))
    # What Bedrock measured is what is billed.
    measured = of_counts(body.get("amazon-bedrock-invocationMetrics"))
    return merge(measured, found)


def of_headers(headers):
    found = {name.lower(): value for name, value in headers}
    number = lambda name: int(found[name]) if name in found else None
    prefix = "x-amzn-bedrock-"
    names = ["input-token-count", "output-token-count", "cache-read-input-token-count", "cache-write-input-token-count"]
    counts = {key: number(prefix + name) for key, name in zip(COUNTS, names)}
    counts["latency"] = number(prefix + "invocation-latency")
    counts["tier"] = found.get(prefix + "service-tier")
    return counts


def merge(best, rest):
    return {key: first(best.get(key), rest.get(key)) for key in FIELDS}


def of_frames(data):
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    found, measured = {}, {}
    for event in buffer:
        payload = json.loads(event.payload or b"{}")
        if "bytes" in payload:
            payload = json.loads(base64.b64decode(payload["bytes"]))
            counts = of_counts(payload.get("amazon-bedrock-invocationMetrics"))
            measured = merge(counts, measured)
        found = merge(of_object(payload), found)
    return merge(measured, found)


def of_events(text):
    """Server-sent events: the last that says something counts."""
    found = {}
    for line in text.splitlines():
        if line.startswith("data:") and line[5:].strip() not in ("", "[DONE]"):
            found = merge(of_object(json.loads(line[5:])), found)
    return found


def of(exchange):
    response = exchange["response"]
    if not 200 <= response["status"] < 300:
        return {}
    headers = response["headers"]
    content_type = {name.lower(): value for name, value in headers}.get("content-type", "")
    if "body_b64" in response:
        found = of_frames(base64.b64decode(response["body_b64"]))
    elif content_type.startswith("text/event-stream"):
        found = of_events(response["body"])
    else:
        try:
            found = of_object(json.loads(response["body"]))
        except ValueError:
            found = {}
    found = merge(of_headers(headers), found)
    if found["stop_reason"] == "guardrail_intervened":
        found["guardrail"] = first(found["guardrail"], "INTERVENED")
    return found


def as_recorded(found):
    """The same under the names of a record."""
    counts = [found.get(key) for key in ("input", "cache_read", "cache_write")]
    return {
        "tokens_in": None if counts[0] is None else sum(count or 0 for count in counts),
        "tokens_input": found.get("input"),
        "tokens_cache_read": found.get("cache_read"),
        "tokens_cache_write": found.get("cache_write"),
        "tokens_out": found.get("output"),
        "tokens_reasoning": found.get("reasoning"),
        "stop_reason": found.get("stop_reason"),
        "bedrock_latency": found.get("latency"),
        "guardrail_action": found.get("guardrail"),
        "service_tier": found.get("tier"),
    }


def vendor(model):
    """Whose model it is; the vendor of an ARN is not known from it."""
    model = (model or "-").split("/")[-1]
    parts = model.split(".")
    place = re.compile(r"us|eu|apac|jp|au|ca|global|us-gov")
    return parts[1] if len(parts) > 2 and place.fullmatch(parts[0]) else parts[0]


def main(exchanges, replayed):
    records = {line["id"]: line["record"] for line in map(json.loads, open(replayed))}
    table = collections.defaultdict(collections.Counter)
    wrong = missing = compared = 0
    for exchange in map(json.loads, open(exchanges)):
        record = records.pop(exchange["id"], None)
        if record is None:
            print("not replayed:", exchange["id"], exchange["request"]["url"])
            continue
        wanted = as_recorded(of(exchange))
        got = {name: record[name] for name in wanted}
        compared += sum(value is not None for value in wanted.values())
        lacking = [name for name in wanted if got[name] is None and wanted[name] is not None]
        missing += bool(lacking)
        if got != wanted:
            wrong += 1
            differing = {name: (wanted[name], got[name]) for name in wanted if got[name] != wanted[name]}
            print("differs:", exchange["id"], exchange["op"], exchange["model"], "(wanted, got)", differing)
        status = exchange["response"]["status"]
        row = table[exchange["op"], status, vendor(exchange["model"])]
        row["found" if record["tokens_in"] is not None else "none to find" if not lacking else "missing"] += 1
        row["stop"] += record["stop_reason"] is not None
    print(f"{'operation':<28} {'status':<6} {'vendor':<16} {'found':>5} {'missing':>7} {'none to find':>12} {'stop reason':>11}")
    for (op, status, who), row in sorted(table.items()):
        print(f"{op:<28} {status:<6} {who:<16} {row['found']:>5} {row['missing']:>7} {row['none to find']:>12} {row['stop']:>11}")
    exchanges_seen = sum(row["found"] + row["missing"] + row["none to find"] for row in table.values())
    print(f"{exchanges_seen - wrong} passed, {wrong} failed, {missing} with something missing; {compared} values compared")
    return wrong or missing or len(records)


sys.exit(1 if main(*sys.argv[1:]) else 0)
