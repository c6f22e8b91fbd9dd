"""Reads usage from the recordings on its own and compares it with the gateway's records.

usage.py EXCHANGES.jsonl REPLAYED-USAGE.jsonl
"""

import base64
import collections
import json
import struct
import sys


def frames(data):
    """Payloads of an event stream, told by the lengths alone."""
    at = 0
    while at < len(data):
        total, headers = struct.unpack_from(">II", data, at)
        yield data[at + 12 : at + 12 + headers], data[at + 12 + headers : at + total - 4]
        at += total


def first(found, *names):
    for name in names:
        if isinstance(found, dict) and found.get(name) is not None:
            return found[name]
    return None


def from_usage(usage):
    """(input, output, cache read, cache write), input without what the cache held."""
    if not isinstance(usage, dict):
        return None
    tokens = [
        first(usage, "inputTokens", "input_tokens", "prompt_tokens"),
        first(usage, "outputTokens", "output_tokens", "completion_tokens"),
        first(usage, "cacheReadInputTokens", "cacheReadInputTokenCount", "cache_read_input_tokens"),
        first(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount", "cache_creation_input_tokens"),
    ]
    details = first(usage, "prompt_tokens_details", "input_tokens_details")
    if details is not None:
        tokens[2] = details.get("cached_tokens")
        tokens[3] = details.get("cache_write_tokens")
        tokens[0] -= (tokens[2] or 0) + (tokens[3] or 0)
    return tokens


def from_metrics(metrics):
    if not isinstance(metrics, dict):
        return None
    names = ["inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"]
    return [metrics.get(name) for name in names]


def from_body(body):
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("usage"), dict):
        return from_usage(body["usage"])
    if "generation_token_count" in body:
        return [body.get("prompt_token_count"), body["generation_token_count"], None, None]
    if "inputTextTokenCount" in body:
        results = body.get("results")
        output = sum(r.get("tokenCount", 0) for r in results) if results else body.get("totalOutputTextTokenCount")
        return [body["inputTextTokenCount"], output, None, None]
    return None


def from_events(text):
    """Server-sent events: the last usage counts."""
    usage = None
    for line in text.splitlines():
        if line.startswith("data:") and line[5:].strip() not in ("", "[DONE]"):
            event = json.loads(line[5:])
            usage = from_usage(event.get("usage") or event.get("response", {}).get("usage")) or usage
    return usage


def from_headers(headers):
    prefix = "x-amzn-bedrock-"
    names = ["input-token-count", "output-token-count", "cache-read-input-token-count", "cache-write-input-token-count"]
    found = {name.lower(): value for name, value in headers}
    return [int(found[prefix + n]) if prefix + n in found else None for n in names]


def merge(best, rest):
    return [b if b is not None else r for b, r in zip(best, rest or [None] * 4)]


def of(exchange):
    response = exchange["response"]
    nothing = [None] * 4
    if not 200 <= response["status"] < 300:
        return nothing
    content_type = dict((name.lower(), value) for name, value in response["headers"]).get("content-type", "")
    if content_type.startswith("text/event-stream"):
        return from_events(response["body"]) or nothing
    if "body_b64" not in response:
        try:
            body = json.loads(response["body"])
        except ValueError:
            body = None
        return merge(from_headers(response["headers"]), from_body(body))
    usage = nothing
    for headers, payload in frames(base64.b64decode(response["body_b64"])):
        event = json.loads(payload or b"{}")
        if b"metadata" in headers:
            usage = merge(from_usage(event.get("usage")) or nothing, usage)
        elif "bytes" in event:
            inner = json.loads(base64.b64decode(event["bytes"]))
            metrics = from_metrics(inner.get("amazon-bedrock-invocationMetrics"))
            if metrics:
                extra = from_usage(first(inner.get("metadata", {}), "usage"))
                usage = merge(merge(metrics, extra), usage)
            elif inner.get("type") == "message_start":
                usage = merge(usage, from_usage(inner["message"].get("usage")))
            else:
                usage = merge(from_body(inner) or nothing, usage)
    return usage


def main(exchanges, replayed):
    records = {line["id"]: line["record"] for line in map(json.loads, open(replayed))}
    table = collections.Counter()
    wrong = 0
    for exchange in map(json.loads, open(exchanges)):
        record = records.pop(exchange["id"], None)
        if record is None:
            print("not replayed:", exchange["id"], exchange["request"]["url"])
            continue
        tokens = of(exchange)
        wanted = {
            "tokens_in": None if tokens[0] is None else sum(t or 0 for t in (tokens[0], tokens[2], tokens[3])),
            "tokens_out": tokens[1],
        }
        # A count of nothing may be said or left out.
        for name, count in (("tokens_cache_read", tokens[2]), ("tokens_cache_write", tokens[3])):
            if count:
                wanted[name] = count
        got = {name: record[name] for name in wanted}
        if got != wanted:
            wrong += 1
            print("differs:", exchange["id"], exchange["op"], exchange["model"], "wanted", wanted, "got", got)
        found = "found" if record["tokens_in"] is not None else "missing"
        table[exchange["op"], exchange["response"]["status"], found] += 1
    for key, count in sorted(table.items(), key=str):
        print(*key, count)
    print(f"{sum(table.values()) - wrong} passed, {wrong} failed")
    return wrong or len(records)


sys.exit(1 if main(*sys.argv[1:]) else 0)
