"""botocore beside our signer: random requests signed by both, compared bit by bit.

sigv4_oracle.py SIGN [COUNT [SEED]], where SIGN is the program `sign` of tests/oracle, built. Ends with 1 if any differ.
"""

import datetime
import json
import random
import string
import subprocess
import sys

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SECRET = string.ascii_letters + string.digits + "+/"
MODELS = [
    "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.nova-lite-v1%3a0",
    "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.m-v1%3A0",
]
# What botocore leaves out is left out here; and it reads a tab as a space, a last `/.` as nothing, and a query as
# canonical already. None of that is sent.
ESSENTIAL = ["content-type", "x-amz-a", "x-amz-b", "x-amz-target", "x-amzn-bedrock-trace", "x-amzn-bedrock-guardrailversion"]
OTHERS = ["accept", "amz-sdk-request", "anthropic-beta", "x-mine"]
UNSIGNED = ["user-agent", "x-amzn-trace-id", "expect", "transfer-encoding"]
SEGMENTS = ["", ".", "..", "a", "%2F", "%3a", ":", "@", "~-._", "!$&'()*+,;=", "%E1%88%B4", "%25", "...", "a%20b"]
PAIRS = ["a=1", "a=2", "a=", "B=%2B", "b=%20c", "maxResults=5", "submitTimeAfter=2026-01-01T00%3A00%3A00Z", "z=~-._"]


class Requests:
    """An endless row of requests, most of which repeat an earlier one with other keys or at another time."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.routes = []
        self.keys = [self.key() for _ in range(4)]
        self.time = 1767323045

    def text(self, alphabet, length):
        return "".join(self.chance.choices(alphabet, k=length))

    def key(self):
        token = self.chance.choice([None, None, 20, 960])
        return {
            "access_key": self.chance.choice(["AKIDEXAMPLE", "ASIAEXAMPLE", "AKIAIOSFODNN7EXAMPLE"]),
            "secret_key": self.text(SECRET, self.chance.choice([40, 40, 40, 1, 60, 61, 100])),
            "token": token and self.text(SECRET, token),
        }

    def value(self):
        words = [self.text(string.ascii_letters + string.digits + ",;=\"'/", self.chance.randrange(1, 30))]
        words += [self.text("abc", self.chance.randrange(5)) for _ in range(self.chance.randrange(3))]
        spaces = " " * self.chance.choice([1, 1, 2, 5])
        return self.chance.choice(["", " "]) + spaces.join(words) + self.chance.choice(["", "", "  "])

    def path(self):
        if self.chance.random() < 0.5:
            return f"/model/{self.chance.choice(MODELS)}/{self.chance.choice(['converse', 'invoke', 'count-tokens'])}"
        path = "/" + "/".join(self.chance.choice(SEGMENTS) for _ in range(self.chance.randrange(8)))
        return path + "end" if path.endswith(("/.", "/..")) else path

    def route(self):
        chance = self.chance
        host = chance.choice(["bedrock-runtime.us-east-1.amazonaws.com", "bedrock-mantle.eu-west-1.api.aws", "LocalHost", "[::1]"])
        port = chance.choice(["", "", "", ":443", ":80", ":8443"])
        query = chance.choice(["", "", "", "?" + "&".join(chance.choices(PAIRS, k=chance.randrange(1, 4)))])
        names = chance.sample(ESSENTIAL + OTHERS + UNSIGNED, chance.randrange(7))
        headers = [[name, self.value()] for name in names for _ in range(chance.choice([1, 1, 1, 2]))]
        return {
            "method": chance.choice(["POST", "POST", "POST", "GET", "PUT", "DELETE"]),
            "url": f"{chance.choice(['https', 'http'])}://{host}{port}{self.path()}{query}",
            "headers": headers,
            "signed": OTHERS,
            "region": chance.choice(["us-east-1", "us-east-1", "eu-central-1", self.text(string.ascii_lowercase, chance.randrange(1, 40))]),
            "service": chance.choice(["bedrock", "bedrock", "bedrock-mantle", self.text(string.ascii_lowercase, chance.randrange(1, 60))]),
        }

    def __iter__(self):
        chance = self.chance
        while True:
            if not self.routes or chance.random() < 0.35:
                self.routes = self.routes[-7:] + [self.route()]
            if chance.random() < 0.05:
                self.keys[chance.randrange(len(self.keys))] = self.key()
            self.time += chance.choice([0, 0, 0, 1, 1, 2, -3, 86400, -86400, chance.randrange(-(10**8), 10**8)])
            self.time = min(max(self.time, 0), 253402300799)
            body = self.text("{}[]\":, abcé\n", chance.choice([0, chance.randrange(300), 5000]))
            yield chance.choice(self.routes) | chance.choice(self.keys) | {"time": self.time, "body": body}


def signed_by_botocore(line):
    """The headers that botocore makes, its clock stopped."""
    now = datetime.datetime.fromtimestamp(line["time"], datetime.timezone.utc).replace(tzinfo=None)
    botocore.auth.get_current_datetime = lambda *_: now
    request = AWSRequest(line["method"], line["url"], data=line["body"].encode())
    for name, value in line["headers"]:
        request.headers[name] = value  # adds one
    credentials = Credentials(line["access_key"], line["secret_key"], line["token"])
    botocore.auth.SigV4Auth(credentials, line["service"], line["region"]).add_auth(request)
    assert request.headers["X-Amz-Date"] == now.strftime("%Y%m%dT%H%M%SZ"), "its clock was not stopped"
    return {name.lower(): value for name, value in request.headers.items()}


def main():
    program = sys.argv[1]
    count, seed = (int(argument) for argument in (sys.argv[2:] + ["3000", "1"][len(sys.argv) - 2 :]))
    lines = [line for line, _ in zip(Requests(seed), range(count))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    answers = subprocess.run([program], input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == count, f"{len(answers)} answers to {count} requests"
    differences = 0
    for number, (line, answer) in enumerate(zip(lines, answers)):
        wanted = signed_by_botocore(line)
        ours = dict(json.loads(answer).get("headers", []))
        names = ["authorization", "x-amz-date", "x-amz-security-token"]
        if any(wanted.get(name) != ours.get(name) for name in names):
            differences += 1
            if differences <= 3:
                print(f"request {number}: {json.dumps(line)}\n  ours: {answer}\n  botocore: {json.dumps(wanted)}")
    print(f"identity with botocore {botocore.__version__}: {count} requests, {differences} differences; seed {seed}")
    sys.exit(differences > 0)


main()
