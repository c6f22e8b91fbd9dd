# curl on the OpenAI-compatible endpoint, with the example of Cloudflare's page.
. ./report.sh

model=us.anthropic.claude-haiku-4-5-20251001-v1:0
url=$GATEWAY/v1/demo/demo/compat
token='cf-aig-authorization: Bearer demo-token'
json='Content-Type: application/json'
question='"messages":[{"role":"user","content":"What is Cloudflare?"}]'
body="{\"model\":\"aws-bedrock/$model\",$question}"
good='[ "$status" = 200 ]'
answer='json "body[\"choices\"][0][\"message\"][\"content\"].startswith(\"You said: \\\"What is Cloudflare?\\\"\") and body[\"choices\"][0][\"finish_reason\"] == \"stop\""'

# json EXPRESSION: evaluates Python over `body`, the JSON of the last answer.
json() { "$PYTHON" -c "import json, sys; body = json.load(open(sys.argv[1])); sys.exit(not ($1))" "$out/body"; }
# error TYPE CODE [PARAM]: whether the last answer is OpenAI's error object.
error() {
    [ -n "$(header x-request-id)" ] && json "set(body) == {'error'} and set(body['error']) >= {'message', 'type', 'param', 'code'}
        and body['error']['message'] and (body['error']['type'], body['error']['code']) == ('$1', '$2')
        and (body['error']['param'] or '') == '${3-}'"
}
# chunks EXPRESSION: evaluates Python over `chunks`, the JSON of the events of the last answer but `[DONE]`, and `raw`.
chunks() {
    "$PYTHON" -c "import json, sys; raw = open(sys.argv[1]).read()
events = [e.removeprefix('data: ') for e in raw.split('\n\n') if e.startswith('data: ')]
chunks = [json.loads(e) for e in events if e != '[DONE]']
sys.exit(not ($1))" "$out/body"
}

# The gateway as it starts without configuration, and the page's command but for host, account, gateway and token.
ask "$DEMO/v1/demo/demo/compat/chat/completions" \
    -H "cf-aig-authorization: Bearer demo-token" \
    -H "Content-Type: application/json" \
    -d '{
    "model": "aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "messages": [
      {
        "role": "user",
        "content": "What is Cloudflare?"
      }
    ]
  }'
expect 'curl compat demo: the command of the page' "$good" "$answer" identified
ask "$DEMO/v1/demo/demo/compat/chat/completions" -H "$token" -H "$json" -d "{\"model\":\"gpt-4o-mini\",$question}"
expect 'curl compat demo: an alias' "$good" "$answer" 'json "body[\"model\"] == \"gpt-4o-mini\""'
ask "$DEMO/v1/demo/demo/compat/models" -H "$token"
expect 'curl compat demo: models' "$good" 'json "{m[\"id\"] for m in body[\"data\"]} >= {\"gpt-4o-mini\", \"gpt-4o\"}"'

forget
ask "$url/chat/completions" -H "$token" -H "$json" -d "$body"
expect 'curl compat' "$good" "$answer" identified '[ "$(header content-type)" = application/json ]' \
    '[ -n "$(header x-request-id)" ]' '[ -z "$(header x-bedrock-dropped-params)" ]' \
    'json "body[\"usage\"][\"total_tokens\"] == 23 and body[\"object\"] == \"chat.completion\""'
expect 'curl compat: what travelled' \
    'upstream "[r[\"path\"] for r in seen] == [\"/model/${model/:/%3A}/converse\"] and seen[0][\"verdict\"] == \"Accepted\""' \
    'upstream "seen[0][\"json\"] == {\"messages\": [{\"role\": \"user\", \"content\": [{\"text\": \"What is Cloudflare?\"}]}]}"' \
    'upstream "not [h for h in seen[0][\"headers\"] if h[0].startswith(\"cf-\") or \"demo-token\" in h[1]]"'
log_id=$(header cf-aig-log-id)
ask "http://$ADMIN/logs/$log_id"
expect 'curl compat: its record' "$good" \
    'json "{k: body[\"result\"][k] for k in (\"model\", \"region\", \"operation\", \"tokens_in\", \"tokens_out\", \"status_code\", \"success\")} == {\"model\": \"$model\", \"region\": \"us-east-1\", \"operation\": \"Converse\", \"tokens_in\": 3, \"tokens_out\": 20, \"status_code\": 200, \"success\": True}"'

# Ways to send it.
ask "$url/chat/completions" -H 'Authorization: Bearer demo-token' -H "$json" -d "$body"
expect 'curl compat: token in Authorization' "$good" "$answer"
ask "$url/chat/completions/" -H "$token" -H "$json" -d "$body"
expect 'curl compat: trailing slash' "$good" "$answer"
ask "$url/chat/completions?api-version=1" -H "$token" -H "$json" -d "$body"
expect 'curl compat: a query' "$good" "$answer"
ask "$url/chat/completions" -H "$token" -H "$json" -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue' -d "$body"
expect 'curl compat: chunked' "$good" "$answer"
ask "$url/chat/completions" --http2-prior-knowledge -H "$token" -H "$json" -d "$body"
expect 'curl compat: h2c' "$good" "$answer" '[ "$version" = 2 ]'
printf %s "$body" | gzip >"$out/gzip"
ask "$url/chat/completions" -H "$token" -H "$json" -H 'Content-Encoding: gzip' --data-binary "@$out/gzip"
expect 'curl compat: gzip' "$good" "$answer"
ask "$url/chat/completions" -H "$token" -H "$json" -H 'Content-Encoding: br' --data-binary "@$out/gzip"
expect 'curl compat: br' '[ "$status" = 415 ]' 'says unsupported_encoding'
head -c 100000000 /dev/zero | gzip >"$out/bomb"
ask "$url/chat/completions" -H "$token" -H "$json" -H 'Content-Encoding: gzip' --data-binary "@$out/bomb"
expect 'curl compat: a gzip bomb' '[ "$status" = 413 ]' 'says body_too_large'

# Streams.
streamed="{\"model\":\"aws-bedrock/$model\",\"stream\":true,\"stream_options\":{\"include_usage\":true},$question}"
whole='chunks "raw.endswith(\"data: [DONE]\\n\\n\") and raw.count(\"[DONE]\") == 1"'
for protocol in http1.1 http2-prior-knowledge; do
    ask -N "$url/chat/completions" --$protocol -H "$token" -H "$json" -d "$streamed"
    expect "curl compat: stream ($protocol)" "$good" "$whole" '[[ $(header content-type) == text/event-stream* ]]' \
        '[ -z "$(header content-length)" ]' \
        'chunks "\"\".join(c[\"choices\"][0][\"delta\"].get(\"content\") or \"\" for c in chunks if c[\"choices\"]).startswith(\"You said:\")"' \
        'chunks "[c for c in chunks if not c[\"choices\"]] == chunks[-1:] and chunks[-1][\"usage\"][\"completion_tokens\"] == 20"'
done
ask -N "$url/chat/completions" -H "$token" -H "$json" -d "${streamed/$model/us.anthropic.curl.fault.exception-mid}"
expect 'curl compat: a stream that fails' "$good" 'chunks "\"[DONE]\" not in raw and set(chunks[-1]) == {\"error\"} and len(chunks) > 3"' \
    'chunks "not [c for c in chunks[:-1] if c.get(\"usage\") or c[\"choices\"] and c[\"choices\"][0][\"finish_reason\"]]"'
# The first words are there long before the last.
began=$("$PYTHON" -c 'import time; print(time.time())')
first=$(curl -sSN --max-time 30 "$url/chat/completions" -H "$token" -H "$json" \
    -d "${streamed/$model/us.anthropic.curl.fault.slow-frames-300}" 2>/dev/null | head -c 300 | wc -c)
expect 'curl compat: a stream flows' '[ "$first" = 300 ]' '"$PYTHON" -c "import time; raise SystemExit(time.time() - $began > 4)"'

# What is refused.
# refused NAME STATUS TYPE CODE PARAM CURL-ARGS…
refused() {
    local name=$1 wanted=$2 kind=$3 code=$4 param=$5
    shift 5
    forget
    ask "$@"
    expect "curl compat refused: $name" "[ '$wanted' = \"\$status\" ]" "error '$kind' '$code' '$param'" identified 'upstream "seen == []"'
}
refused 'no token' 401 invalid_request_error invalid_api_key '' "$url/chat/completions" -H "$json" -d "$body"
refused 'wrong token' 401 invalid_request_error invalid_api_key '' "$url/chat/completions" -H 'Authorization: Bearer wrong' -H "$json" -d "$body"
refused 'no stored key' 400 invalid_request_error no_credentials '' "${url/demo\/demo/demo/bare}/chat/completions" \
    -H 'Authorization: Bearer bare-token' -H "$json" -d "$body"
refused 'unknown gateway' 400 invalid_request_error gateway_not_found '' "${url/demo\/demo/demo/none}/chat/completions" -H "$token" -d "$body"
refused 'GET' 405 invalid_request_error method_not_allowed '' "$url/chat/completions" -H "$token"
expect 'curl compat: Allow of chat/completions' '[ "$(header allow)" = POST ]'
refused 'POST to models' 405 invalid_request_error method_not_allowed '' "$url/models" -H "$token" -d "$body"
expect 'curl compat: Allow of models' '[ "$(header allow)" = GET ]'
refused 'n' 400 invalid_request_error unsupported_value n "$url/chat/completions" -H "$token" -H "$json" -d "${body/\{/\{\"n\":2,}"
refused 'a strict parameter' 400 invalid_request_error unsupported_parameter seed "${url/demo\/demo/demo/strict}/chat/completions" \
    -H 'Authorization: Bearer strict-token' -H "$json" -d "${body/\{/\{\"seed\":2,}"
# What is no JSON, in whatever way, is refused by an error object.
for bad in '' 'nonsense' '{"model":"x"' '[]' '{}' '"x"' "$body x"; do
    forget
    ask "$url/chat/completions" -H "$token" -H "$json" --data-binary "$bad"
    expect "curl compat refused: ${bad:0:12}" '[ "$status" = 400 ]' 'json "body[\"error\"][\"type\"] == \"invalid_request_error\""' 'upstream "seen == []"'
done
ask "$url/chat/completions" -H "$token" -H "$json" -H 'Content-Encoding: br' -d "$body"
expect 'curl compat refused: br' '[ "$status" = 415 ]' 'json "body[\"error\"][\"message\"]"'
ask "$url/chat/completions" -H "$token" -H "$json" -d "${body/\{/\{\"seed\":2,\"presence_penalty\":1,}"
expect 'curl compat: dropped parameters' "$good" "$answer" \
    '[[ ", $(header x-bedrock-dropped-params)," == *" seed,"* && ", $(header x-bedrock-dropped-params)," == *" presence_penalty,"* ]]'

# What the demo prints to try is what works.
if [ -n "${DEMO_OUTPUT-}" ]; then
    command=$(sed -n '/compat\/chat\/completions/,/^$/p' "$DEMO_OUTPUT")
    eval "${command/curl /ask }"
    expect 'curl compat demo: the command that it prints' '[ -n "$command" ]' "$good" "$answer"
fi

[ "$failures" -eq 0 ]
