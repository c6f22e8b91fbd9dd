"""openai-python: refusals on OpenAI-compatible paths, small and against a 40 MB upload."""

import openai

from common import GATEWAY, LARGE, case, end, forget, raised, seen

# Bedrock's own OpenAI-compatible API.
MANTLE = "aws-bedrock/bedrock-mantle/us-east-1/v1"
SMALL, LONG = "What is Cloudflare?", "x" * LARGE


def refused(kind, status, path, token, text, http2):
    forget()
    sent = []
    http = openai.DefaultHttpx2Client(
        http1=not http2, http2=http2, timeout=30, event_hooks={"request": [lambda request: sent.append(request)]}
    )
    with openai.OpenAI(api_key=token, base_url=f"{GATEWAY}/v1/demo/demo/{path}", http_client=http) as client:
        messages = [{"role": "user", "content": text}]
        model = "aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0"
        error = raised(kind, lambda: client.chat.completions.create(model=model, messages=messages))
    assert error.status_code == status, error
    if path == "compat":
        assert (error.type, error.code) == ("invalid_request_error", "invalid_api_key"), error.body
        assert error.body["message"] and error.body["message"] in str(error), error
    else:
        assert "4013" in error.response.text, error.response.text
    assert error.response.http_version == ("HTTP/2" if http2 else "HTTP/1.1"), error.response.http_version
    assert error.response.headers["cf-aig-log-id"], error.response.headers
    assert len(sent) == 1 and seen() == [], (len(sent), seen())


# HTTP/2 in pure Python takes half a minute for 40 MB.
for version, http2, seconds in (("HTTP/1.1", False, 60), ("h2c", True, 120)):
    wrong = (openai.AuthenticationError, 401, "compat", "wrong")
    case(f"openai-python {version}: wrong token", refused, *wrong, SMALL, http2)
    case(f"openai-python {version}: 401 on 40 MB", refused, *wrong, LONG, http2, seconds=seconds)
    over = (openai.APIStatusError, 413, MANTLE, "demo-token")
    case(f"openai-python {version}: 413 on 40 MB", refused, *over, LONG, http2, seconds=seconds)
end()
