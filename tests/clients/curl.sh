# curl, with the example of Cloudflare's page and everything that HTTP lets a client do differently.
. ./report.sh

model=us.anthropic.claude-haiku-4-5-20251001-v1:0
arn=arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6
runtime=v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1
url=$GATEWAY/$runtime/model/$model
token='cf-aig-authorization: Bearer demo-token'
json='Content-Type: application/json'
invoke='{
    "messages": [
      {
        "role": "user",
        "content": "What is Cloudflare?"
      }
    ],
    "max_tokens": 256,
    "anthropic_version": "bedrock-2023-05-31"
  }'
converse='{"messages":[{"role":"user","content":[{"text":"What is Cloudflare?"}]}]}'
claude='says \"role\":\"assistant\" && says \"stop_reason\":\"end_turn\" && says \"type\":\"message\" && says What\ is\ Cloudflare?'
good='[ "$status" = 200 ]'

# direct BODY OPERATION: what the emulator itself answers, into $out/direct.
direct() {
    curl -sS --max-time 30 -H 'Authorization: Bearer bedrock-api-key-emulator' -H "$json" -d "$1" \
        -o "$out/direct" "$EMULATOR/model/$model/$2"
}
# Message ids are random.
without_ids() { sed -E 's/msg_bdrk_[0-9A-Za-z]+//' "$1"; }

# The gateway as it starts without configuration, and the page's command but for host, account, gateway and token.
ask "$DEMO/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1/model/us.anthropic.claude-haiku-4-5-20251001-v1:0/invoke" \
    -H "cf-aig-authorization: Bearer demo-token" \
    -H "Content-Type: application/json" \
    -d '{
    "messages": [
      {
        "role": "user",
        "content": "What is Cloudflare?"
      }
    ],
    "max_tokens": 256,
    "anthropic_version": "bedrock-2023-05-31"
  }'
expect 'curl demo: the command of the page' "$good" "$claude" identified
ask "$DEMO/$runtime/model/$model/converse" -H "$token" -H "$json" -d "$converse"
expect 'curl demo: converse' "$good" 'says \"stopReason\":\"end_turn\"' identified
ask "$DEMO/$runtime/model/$model/converse-stream" -H "$token" -H "$json" -d "$converse"
expect 'curl demo: converse-stream' "$good" 'says messageStop' identified

forget
ask "$url/invoke" -H "$token" -H "$json" -d "$invoke"
direct "$invoke" invoke
expect 'curl invoke' "$good" "$claude" identified \
    'cmp <(without_ids "$out/body") <(without_ids "$out/direct")' \
    '[ -n "$(header x-amzn-bedrock-input-token-count)" ]'
expect 'curl invoke: what travelled' \
    'upstream "seen[0][\"path\"] == \"/model/$model/invoke\" and seen[0][\"verdict\"].lower() == \"accepted\" and seen[0][\"body_len\"] == ${#invoke}"' \
    'upstream "not [h for h in seen[0][\"headers\"] if h[0].startswith(\"cf-\") or \"demo-token\" in h[1]]"'
log_id=$(header cf-aig-log-id)
ask "http://$ADMIN/logs/$log_id"
expect 'curl invoke: its record' "$good" "says $log_id" "says $model" 'says \"outcome\":\"complete\"' 'says \"status_code\":200'

ask "$url/converse" -H "$token" -H "$json" -d "$converse"
direct "$converse" converse
expect 'curl converse: bytes' "$good" identified 'cmp "$out/body" "$out/direct"'
ask "$url/converse-stream" -H "$token" -H "$json" -d "$converse"
direct "$converse" converse-stream
expect 'curl converse-stream: bytes' "$good" identified 'cmp "$out/body" "$out/direct"' \
    '[ "$(header content-type)" = application/vnd.amazon.eventstream ]'

# Ways to send it.
for scheme in bearer BEARER bEaReR; do
    ask "$url/invoke" -H "cf-aig-authorization: $scheme demo-token" -H "$json" -d "$invoke"
    expect "curl scheme $scheme" "$good" "$claude" identified
done
ask "$url/invoke" -H 'Authorization: Bearer demo-token' -H "$json" -d "$invoke"
expect 'curl token in Authorization' "$good" "$claude" identified
ask "$url/invoke" -H "$token" -H "$json" -H 'Expect: 100-continue' -d "$invoke"
expect 'curl Expect: 100-continue' "$good" "$claude" 'grep -q "< HTTP/1.1 100 Continue" "$out/err"'
forget
ask "$url/invoke" -H "$token" -H "$json" -H 'Transfer-Encoding: chunked' -d "$invoke"
expect 'curl chunked' "$good" "$claude" 'upstream "seen[0][\"body_len\"] == ${#invoke}"'
ask "$url/invoke" --http1.0 -H "$token" -H "$json" -d "$invoke"
expect 'curl HTTP/1.0' "$good" "$claude" identified
ask "$url/converse-stream" --http1.0 -H "$token" -H "$json" -d "$converse"
expect 'curl HTTP/1.0 stream' "$good" 'cmp "$out/body" "$out/direct"'
ask "$url/invoke" --http2-prior-knowledge -H "$token" -H "$json" -d "$invoke"
expect 'curl h2c' "$good" "$claude" identified '[ "$version" = 2 ]'
ask "$url/converse-stream" --http2-prior-knowledge -H "$token" -H "$json" -d "$converse"
expect 'curl h2c stream' "$good" 'cmp "$out/body" "$out/direct"' identified
for wanted in 1.1 2; do
    ask "$GATEWAY_TLS/$runtime/model/$model/invoke" --cacert "$CA" --http$wanted -H "$token" -H "$json" -d "$invoke"
    expect "curl TLS HTTP/$wanted" "$good" "$claude" identified '[ "$version" = "$wanted" ]'
done

# Ways to write the path: "what is sent" then "what arrives".
while read -r sent arrives; do
    forget
    ask --path-as-is "$GATEWAY/$runtime$sent" -H "$token" -H "$json" -d "$invoke"
    expect "curl path $sent" identified 'upstream "[r[\"path\"] for r in seen] == [\"$arrives\"] and seen[0][\"verdict\"].lower() == \"accepted\""'
done <<PATHS
/model/$model/invoke /model/$model/invoke
/model/${model/:/%3A}/invoke /model/${model/:/%3A}/invoke
/model/${model/:/%3a}/invoke /model/${model/:/%3a}/invoke
/model/${model/:/%253A}/invoke /model/${model/:/%253A}/invoke
//model/$model/invoke /model/$model/invoke
/model/$model/invoke/ /model/$model/invoke/
/model/${arn/\//%2F}/invoke /model/${arn/\//%2F}/invoke
/model/$arn/invoke /model/${arn/\//%2F}/invoke
/model/$model/invoke?a+b=%2b&a=1&a=1&c /model/$model/invoke?a+b=%2b&a=1&a=1&c
PATHS

# The client's own Bedrock API key passes through.
forget
ask "$GATEWAY/${runtime/demo\/demo/demo/bare}/model/$model/converse" -H 'cf-aig-authorization: Bearer bare-token' \
    -H 'Authorization: Bearer bedrock-api-key-emulator' -H "$json" -d "$converse"
expect 'curl API key passes through' "$good" identified \
    'upstream "[\"authorization\", \"Bearer bedrock-api-key-emulator\"] in seen[0][\"headers\"]"'

# refused NAME STATUS CODE ERRORTYPE CURL-ARGS…
refused() {
    local name=$1 wanted=$2 code=$3 kind=$4
    shift 4
    forget
    ask "$@" -H "$json" -d "$invoke"
    expect "curl refused: $name" "[ '$wanted' = \"\$status\" ]" "says '\"internalCode\":$code'" identified \
        "[ '$kind' = \"\$(header x-amzn-errortype)\" ]" 'upstream "seen == []"'
}
refused 'no token' 401 2009 AccessDeniedException "$url/invoke"
refused 'wrong token' 401 2009 AccessDeniedException "$url/invoke" -H 'cf-aig-authorization: Bearer wrong'
refused "another gateway's token" 401 2009 AccessDeniedException "$url/invoke" -H 'cf-aig-authorization: Bearer bare-token'
refused 'a wrong token beside a good one' 401 2009 AccessDeniedException "$url/invoke" \
    -H 'cf-aig-authorization: Bearer wrong' -H 'Authorization: Bearer demo-token'
refused 'unknown gateway' 400 2001 ValidationException "${url/demo\/demo/demo/none}/invoke" -H "$token"
refused 'unknown region' 400 2008 ValidationException "${url/us-east-1\//us-east-1.evil.com/}/invoke" -H "$token"
refused 'unknown path' 404 2008 UnknownOperationException "$GATEWAY/v2/demo/demo" -H "$token"
refused 'unknown alias' 400 2040 ValidationException "$url/invoke" -H "$token" -H 'cf-aig-byok-alias: none'
refused 'no credential' 400 2044 ValidationException "${url/demo\/demo/demo/bare}/invoke" \
    -H 'cf-aig-authorization: Bearer bare-token'

# 40 MB, refused before or while they are read: the answer must be read, whatever carries the body.
head -c 40000000 /dev/zero >"$out/large"
for protocol in http1.1 http2-prior-knowledge; do
    for how in 'Expect:' 'Expect: 100-continue' 'Transfer-Encoding: chunked'; do
        [ "$protocol $how" != 'http2-prior-knowledge Transfer-Encoding: chunked' ] || continue
        name="$protocol, ${how%:}"
        ask "$url/invoke" --$protocol -H "$token" -H "$json" -H "$how" --data-binary "@$out/large"
        expect "curl 413 ($name)" '[ "$status" = 413 ]' "says '\"internalCode\":4013'" identified \
            '! grep -q "^curl:" "$out/err"'
        ask "$url/invoke" --$protocol -H 'cf-aig-authorization: Bearer wrong' -H "$json" -H "$how" --data-binary "@$out/large"
        expect "curl 401 ($name)" '[ "$status" = 401 ]' "says '\"internalCode\":2009'" identified \
            '! grep -q "^curl:" "$out/err"'
    done
done

[ "$failures" -eq 0 ]
