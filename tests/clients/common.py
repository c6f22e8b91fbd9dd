"""What the Python clients share: the addresses, the report, the emulator's memory of what arrived."""

import json
import os
import signal
import sys
import time
import traceback
import urllib.error
import urllib.request

GATEWAY, GATEWAY_TLS, EMULATOR, CONTROL, CA, ADMIN = (
    os.environ[name] for name in ("GATEWAY", "GATEWAY_TLS", "EMULATOR", "CONTROL", "CA", "ADMIN")
)
LARGE = 40_000_000
failures = 0


def runtime(base, gateway="demo"):
    return f"{base}/v1/demo/{gateway}/aws-bedrock/bedrock-runtime/us-east-1"


def case(name, run, *arguments, seconds=60):
    """Runs one case; one that hangs fails."""
    global failures

    def too_long(*_):
        raise TimeoutError(f"no end after {seconds} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        run(*arguments)
    except Exception as error:
        failures += 1
        at = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(f"{type(error).__name__}: {error}".split())[:400]
        print(f"FAIL {name}: {text} ({os.path.basename(at.filename)}:{at.lineno}: {at.line})")
    else:
        print(f"ok {name}")
    finally:
        signal.alarm(0)


def raised(kind, run):
    """The error of this class that `run` raises."""
    try:
        run()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def seen():
    """What arrived at the emulator since `forget`."""
    with urllib.request.urlopen(f"{CONTROL}/_requests", timeout=10) as answer:
        return json.load(answer)


def forget():
    request = urllib.request.Request(f"{CONTROL}/_requests", method="DELETE")
    urllib.request.urlopen(request, timeout=10).close()


def arrived(path):
    """The one request that arrived: at this path, accepted, without a trace of the gateway's token."""
    requests = seen()
    assert [request["path"] for request in requests] == [path], [request["path"] for request in requests]
    [request] = requests
    assert request["verdict"].lower() == "accepted", request["verdict"]
    for name, value in request["headers"]:
        assert not name.startswith("cf-") and "-token" not in value, (name, value)
    return {name.lower(): value for name, value in request["headers"]}


def recorded(log_id, **wanted):
    """The record of one request, which has these fields; it is made when the answer is over."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(f"http://{ADMIN}/logs/{log_id}", timeout=10) as answer:
                record = json.load(answer)["result"]
                break
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            time.sleep(0.1)
    else:
        raise AssertionError(f"no record {log_id}")
    found = {name: record[name] for name in wanted}
    assert found == wanted, f"{found} instead of {wanted}"
    return record


def end():
    sys.exit(failures > 0)
