"""Prometheus scrapes the gateway under load; what PromQL adds up is what the records add up to.

SCRAPED, SCRAPED_ADMIN and SCRAPED_LOG are a gateway's URL, admin address and log file; PROMETHEUS is the program.
"""

import collections
import concurrent.futures
import http.client
import json
import math
import os
import random
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

from common import case, end, runtime

URL = urllib.parse.urlsplit(os.environ["SCRAPED"])
ADMIN, LOG = os.environ["SCRAPED_ADMIN"], os.environ["SCRAPED_LOG"]
CLAUDE, NOVA = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "Count up to ten, please"}]}]})
# More models than are told apart.
MODELS = 300
KINDS = [
    *[(CLAUDE, "converse", "demo-token", 200)] * 5,
    *[(CLAUDE, "converse-stream", "demo-token", 200)] * 3,
    *[(NOVA, "converse", "demo-token", 200)] * 3,
    (NOVA, "converse-stream", "demo-token", 200),
    ("amazon.nova-fault.error-429", "converse", "demo-token", 429),
    ("amazon.nova-fault.error-503", "converse-stream", "demo-token", 503),
    ('amazon.nova-"quoted"', "converse", "demo-token", 400),
    (CLAUDE, "converse", "wrong-token", 401),
]


def send(jobs):
    """One connection's share of the load."""
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
    for model, operation, token, status in jobs:
        path = f"{runtime('')}/model/{urllib.parse.quote(model, safe='')}/{operation}"
        headers = {"cf-aig-authorization": f"Bearer {token}", "content-type": "application/json"}
        connection.request("POST", path, BODY, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status, (answer.status, model, operation)
    connection.close()


def load():
    chance = random.Random(8788)
    jobs = [chance.choice(KINDS) for _ in range(2000)]
    jobs += [(f"amazon.nova-{number}", "converse", "demo-token", 200) for number in range(MODELS)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(send, [jobs[share::8] for share in range(8)]))
    return len(jobs)


def records(count):
    """All of them, once they are written."""
    for _ in range(300):
        with open(LOG) as file:
            lines = file.read().splitlines()
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.1)
    raise AssertionError(f"{len(lines)} of {count} records")


class Prometheus:
    """The real one, on a loopback port, with a folder that is thrown away."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w") as file:
            # JSON is YAML.
            targets = [{"job_name": "gateway", "static_configs": [{"targets": [ADMIN]}]}]
            json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": targets}, file)
        self.log = open(os.path.join(folder, "log"), "w+")
        arguments = [f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={self.address}"]
        self.process = subprocess.Popen([os.environ["PROMETHEUS"], *arguments], stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5).close()
                return self
            except OSError:
                assert self.process.poll() is None, self.said()
                time.sleep(0.1)
        raise AssertionError(self.said())

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return f"prometheus is not ready: {self.log.read()[-500:]}"

    def query(self, text):
        """Pairs of labels and value."""
        query = urllib.parse.urlencode({"query": text})
        with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{query}", timeout=20) as answer:
            result = json.load(answer)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def one(self, text):
        [(_, value)] = self.query(text) or [({}, 0.0)]
        return value

    def by(self, label, text):
        return {metric.get(label): value for metric, value in self.query(f"sum by ({label}) ({text})")}

    def wait(self, count):
        for _ in range(300):
            if self.one("sum(tower_bedrock_requests_total)") == count:
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.one('sum(tower_bedrock_requests_total)')} of {count} requests were scraped")


def total(records, field):
    return sum(record[field] or 0 for record in records)


def known(records, field):
    return sum(record[field] is not None for record in records)


def close(found, wanted):
    assert math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-9), (found, wanted)


def totals(prometheus, records):
    assert prometheus.one("up") == 1
    wanted = dict(collections.Counter(record["outcome"] for record in records))
    assert prometheus.by("outcome", "tower_bedrock_requests_total") == wanted, wanted
    usage = "gen_ai_client_token_usage"
    for kind, field in (("input", "tokens_in"), ("output", "tokens_out")):
        labels = f'{{gen_ai_token_type="{kind}"}}'
        assert prometheus.one(f"sum({usage}_sum{labels})") == total(records, field) > 0
        assert prometheus.one(f"sum({usage}_count{labels})") == known(records, field) > 0
    kinds = prometheus.by("kind", "tower_bedrock_tokens_total")
    fields = {"input": "tokens_input", "output": "tokens_out", "cache_read": "tokens_cache_read"}
    for kind, field in fields.items():
        assert kinds.get(kind, 0) == total(records, field), (kind, kinds)
    assert prometheus.one("sum(tower_bedrock_upstream_attempts_total)") == total(records, "attempts")
    duration = "gen_ai_server_request_duration_seconds"
    assert prometheus.one(f"sum({duration}_count)") == len(records)
    # A record's times end at the microsecond.
    found = prometheus.one(f"sum({duration}_sum)") * 1000
    assert abs(found - total(records, "duration")) < len(records) * 0.001 + 0.01, found
    sent = [record for record in records if record["outcome"] != "refused"]
    assert prometheus.one("sum(gen_ai_client_operation_duration_seconds_count)") == len(sent)
    streams = [record for record in records if record["is_stream"]]
    assert prometheus.one("sum(gen_ai_server_time_to_first_token_seconds_count)") == known(streams, "time_to_first_token")
    close(prometheus.one("sum(tower_bedrock_request_cost_usd_sum)"), total(records, "cost"))
    assert prometheus.one("sum(tower_bedrock_request_cost_usd_count)") == known(records, "cost")


def by_model(prometheus, records):
    """Models that are told apart have their own sums; the others, one together."""
    served = [record for record in records if 200 <= record["status_code"] < 300]
    wanted = collections.Counter(record["model"] for record in served)
    found = prometheus.by("gen_ai_request_model", "tower_bedrock_requests_total")
    assert len(found) == 201, len(found)
    assert sum(found.values()) == len(records)
    assert found[NOVA] == wanted[NOVA], (found[NOVA], wanted[NOVA])
    # A request that fails makes no model known.
    for model in ('amazon.nova-"quoted"', "amazon.nova-fault.error-429", "amazon.nova-fault.error-503"):
        assert model not in found, model
    others = sum(count for model, count in wanted.items() if model not in found)
    failed = len(records) - len(served)
    assert others <= found["other"] <= others + failed, (others, found["other"])


def errors(prometheus, records):
    wanted = {"ValidationException": 400, "ThrottlingException": 429, "ServiceUnavailableException": 503, "401": 401}
    found = prometheus.by("error_type", 'tower_bedrock_requests_total{error_type!=""}')
    counts = {name: sum(record["status_code"] == status for record in records) for name, status in wanted.items()}
    assert found == counts, (found, counts)


def buckets(prometheus, records):
    """The histograms are real ones, with OpenTelemetry's buckets."""
    of_64 = sum(record["tokens_out"] is not None and record["tokens_out"] <= 64 for record in records)
    found = prometheus.one('sum(gen_ai_client_token_usage_bucket{gen_ai_token_type="output",le="64"})')
    assert found == of_64 > 0, (found, of_64)
    quantile = prometheus.one("histogram_quantile(0.99, sum by (le) (gen_ai_client_operation_duration_seconds_bucket))")
    assert 0 < quantile <= 81.92, quantile


def scrape(prometheus, kept):
    count = load()
    kept.extend(records(count))
    assert len(kept) == count, (len(kept), count)
    prometheus.wait(count)


def main():
    kept = []
    with tempfile.TemporaryDirectory() as folder, Prometheus(folder) as prometheus:
        for name, check in (
            ("scrapes under load", scrape),
            ("totals of PromQL and of the records", totals),
            ("totals by model, of which 200 are told apart", by_model),
            ("totals by error", errors),
            ("buckets", buckets),
        ):
            case(f"prometheus: {name}", check, prometheus, kept, seconds=120)


main()
end()
