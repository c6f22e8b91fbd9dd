#!/usr/bin/env bash
# Real clients against the built examples: run.sh BIN_DIR, where BIN_DIR holds the examples `gateway`, `emulator` and `axum`
# (target/release/examples), and the directory above it `sdk`, built from ../sdk. Needs Python >= 3.11, Node >= 20 with npm, openssl and curl; the rest is installed from the
# lock files. CLIENTS_HOME (default .venv beside this file) holds the Python environment.
set -euo pipefail
bin=$(cd "${1:?usage: run.sh BIN_DIR}" && pwd)
cd "$(dirname "$0")"
home=${CLIENTS_HOME:-$PWD/.venv}
work=$(mktemp -d)
pids=()

# Stops what was started here and nothing else.
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for _ in {1..50}; do
        [ -n "$(jobs -rp)" ] || break
        sleep 0.1
    done
    for pid in $(jobs -rp); do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

# installed STAMP FILE: whether what FILE locks was installed already.
installed() { [ "$(cat "$1" 2>/dev/null)" = "$(sha256sum <"$2")" ]; }

install() {
    local missing=()
    command -v curl >/dev/null || missing+=(curl)
    command -v openssl >/dev/null || missing+=(openssl)
    "${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    if [ "${#missing[@]}" -gt 0 ]; then apt-get update && apt-get install -y "${missing[@]}"; fi
    export PROMETHEUS
    if ! PROMETHEUS=$(command -v prometheus); then
        # Unpacked and not installed: that would start a service.
        PROMETHEUS=$home/prometheus/usr/bin/prometheus
        if [ ! -x "$PROMETHEUS" ]; then
            apt-get update
            (cd "$work" && apt-get download prometheus && dpkg-deb -x prometheus_*.deb "$work/prometheus")
            mkdir -p "$home" && cp -r "$work/prometheus" "$home/"
        fi
    fi
    if ! installed "$home/.locked" requirements.txt; then
        "${PYTHON:-python3}" -m venv "$home"
        "$home/bin/pip" install --quiet --require-hashes -r requirements.txt
        sha256sum <requirements.txt >"$home/.locked"
    fi
    if ! installed node_modules/.locked package-lock.json; then
        npm ci --no-audit --no-fund --loglevel=error
        sha256sum <package-lock.json >node_modules/.locked
    fi
}

# start NAME WORD COMMAND…: runs COMMAND in the background, waits for its line `WORD on ADDRESS`, sets $address.
start() {
    local name=$1 word=$2
    shift 2
    : >"$work/$name.out" # there before the first look at it
    "$@" >"$work/$name.out" 2>"$work/$name.err" &
    pids+=($!)
    for _ in {1..200}; do
        address=$(sed -nE "s/^$word on (https?:\S+)\$/\1/p" "$work/$name.out")
        [ -z "$address" ] || return 0
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "FAIL start $name: $(tail -3 "$work/$name.err")"
    echo "0 passed, 1 failed"
    exit 1
}

free_port() {
    "$home/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# key_pair ALIAS: the stored key that the emulator knows.
key_pair() {
    printf '[[gateway.provider_key]]\nalias = "%s"\naccessKeyId = "%s"\nsecretAccessKey = "%s"\nregion = "us-east-1"\n' \
        "$1" AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
}

# gateway NAME: a gateway of account `demo` with the token NAME-token.
gateway() {
    printf '\n[[gateway]]\naccount_id = "demo"\ngateway_id = "%s"\ntokens = ["%s-token"]\n' "$1" "$1"
}

# models: names that the OpenAI-compatible endpoint knows.
models() {
    printf '[[gateway.model]]\nname = "%s"\nid = "%s"\n' \
        gpt-4o-mini us.anthropic.claude-haiku-4-5-20251001-v1:0 gpt-4o us.amazon.nova-lite-v1:0
}

serve() {
    # rustls takes no authority's certificate for a server's.
    local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
    "${new[@]}" -subj /CN=tests -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
    "${new[@]}" -CA "$work/ca.pem" -CAkey "$work/ca.key" -subj /CN=localhost \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    local tls=(--tls-cert "$work/cert.pem" --tls-key "$work/key.pem")
    {
        gateway demo && models && key_pair default
        gateway strict && echo 'strict_parameters = true' && key_pair default
        gateway ignore && echo 'client_credentials = "ignore"' && key_pair default
        gateway bare # stores no key
    } >"$work/gateway.toml"

    # What arrived is asked for on a port of its own, whose address is the last line.
    start emulator control "$bin/emulator" --listen 127.0.0.1:0 "${tls[@]}"
    export CONTROL=$address EMULATOR EMULATOR_TLS
    EMULATOR=$(sed -nE 's/^emulator on (http:\S+)$/\1/p' "$work/emulator.out")
    EMULATOR_TLS=$(sed -nE 's/^tls on (https:\S+)$/\1/p' "$work/emulator.out")
    local common=(--listen 127.0.0.1:0 --config "$work/gateway.toml" --endpoint "$EMULATOR")
    export ADMIN=127.0.0.1:$(free_port)
    start plain listening "$bin/gateway" "${common[@]}" --admin "$ADMIN"
    export GATEWAY=$address
    start tls listening "$bin/gateway" "${common[@]}" --admin "127.0.0.1:$(free_port)" \
        "${tls[@]}"
    export GATEWAY_TLS=https://localhost:${address##*:} CA=$work/ca.pem NODE_EXTRA_CA_CERTS=$work/ca.pem
    export SCRAPED_ADMIN=127.0.0.1:$(free_port) SCRAPED_LOG=$work/records.jsonl
    start scraped listening "$bin/gateway" "${common[@]}" --admin "$SCRAPED_ADMIN" --log-file "$SCRAPED_LOG"
    export SCRAPED=$address
    start demo listening "$bin/gateway" --listen 127.0.0.1:0 --admin "127.0.0.1:$(free_port)"
    export DEMO=$address DEMO_OUTPUT=$work/demo.out
    start axum listening "$bin/axum"
    export AXUM=$address SDK=$bin/../sdk
}

# client COMMAND…: runs one client's cases; one that stops half way is a failure too.
client() {
    local begun=$SECONDS
    echo "== ${*: -1}"
    timeout 900 "$@" 2>&1 | tee -a "$work/report" || echo "FAIL ${*: -1}: ended with an error" | tee -a "$work/report"
    echo "== ${*: -1} took $((SECONDS - begun)) s"
}

install
echo "installed in $SECONDS s"
# The clients must see nothing but what each case gives them.
unset "${!AWS_@}" "${!OPENAI_@}" "${!LANGCHAIN_@}" "${!LANGSMITH_@}" HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
export PYTHON=$home/bin/python PYTHONUNBUFFERED=1
serve
client bash curl.sh
client "$PYTHON" boto3_sdk.py
client "$PYTHON" openai_sdk.py
client bash compat.sh
client "$PYTHON" compat_openai.py
client "$PYTHON" compat_langchain.py
client "$PYTHON" prometheus.py
client node aws4fetch.mjs
client node aws_sdk.mjs
client node bidi.mjs
client node ai_sdk.mjs
client node openai_sdk.mjs
client node compat_openai.mjs
client node compat_ai_sdk.mjs
client bash aws_sdk_rust.sh

passed=$(grep -c '^ok ' "$work/report" || true)
failed=$(grep -c '^FAIL ' "$work/report" || true)
if [ "$failed" -gt 0 ]; then
    grep '^FAIL ' "$work/report"
    tail -n 20 "$work"/*.err
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
