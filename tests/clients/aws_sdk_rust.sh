#!/usr/bin/env bash
# The AWS SDK for Rust ($SDK, built from ../sdk): over HTTP/2 to the gateway and to the emulator, over HTTP/1.1 to the
# gateway in axum. Whether each stream was signed as it should be, the emulator says.
. report.sh

base=/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1

# sdk HOW ARGS…: one run, its cases named after HOW.
sdk() {
    local how=$1
    shift
    "$SDK" "$@" | sed -E "/ passed, [0-9]+ failed\$/d; s/^(ok|FAIL) /\1 SDK for Rust, $how, /"
}

# streams EXPRESSION: Python over `streams`, the verdicts on the bidirectional ones, and `versions`.
streams() {
    upstream "(lambda bidi: (lambda streams, versions: $1)([r['verdict'] for r in bidi], {r['version'] for r in bidi}))([r for r in seen if 'bidirectional' in r['path']])"
}

forget
sdk h2 --gateway "$GATEWAY_TLS$base" --ca "$CA"
expect "SDK for Rust: every chain through the gateway verified" \
    'streams "streams.count(\"Chained(50)\") == 6"' \
    'streams "streams.count(\"Chained(100)\") == 3"' \
    'streams "not [v for v in streams if v.startswith(\"Refused\") and \"Validation\" not in v]"' \
    'streams "versions == {\"HTTP/2.0\"}"'
forget
sdk direct --direct "$EMULATOR_TLS" --ca "$CA"
expect "SDK for Rust: its own chains verified" 'streams "streams.count(\"Chained(50)\") == 2"'
sdk axum --gateway "$AXUM/bedrock$base"

exit "$failures"
