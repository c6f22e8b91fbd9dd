# Sourced by the shell clients: how a case asks, checks and reports.

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failures=0

# ask CURL-ARGS…: leaves $status, $version and $seconds, and $out/{head,body,err}.
ask() {
    rm -f "$out/head" "$out/body"
    read -r status version < <(curl -sS -v --max-time 30 -o "$out/body" -D "$out/head" -w '%{http_code} %{http_version}\n' \
        "$@" 2>"$out/err")
    touch "$out/head" "$out/body"
}

# expect NAME CHECK…: reports the case; each CHECK is a shell expression.
expect() {
    local name=$1 check
    shift
    for check in "$@"; do
        if ! eval "$check"; then
            failures=$((failures + 1))
            echo "FAIL $name: not so: $check; status ${status:-none}, body $(head -c 300 "$out/body" | tr -d '\0\n'), curl: $(grep '^curl:' "$out/err")"
            return
        fi
    done
    echo "ok $name"
}

# header NAME: its value in the last answer.
header() { tr -d '\r' <"$out/head" | sed -nE "s/^$1: (.*)\$/\1/Ip" | tail -1; }

# says TEXT: whether the body has it.
says() { grep -qF -- "$1" "$out/body"; }

# identified: whether the answer has the three headers that every answer has.
identified() { [[ $(header cf-aig-log-id) == ????????-????-7???-????-???????????? && -n $(header cf-aig-event-id) && -n $(header cf-aig-step) ]]; }

# upstream EXPRESSION: evaluates Python over `seen`, what arrived at the emulator since `forget`.
upstream() { curl -sS --max-time 10 "$EMULATOR/_requests" | "$PYTHON" -c "import json, sys; seen = json.load(sys.stdin); sys.exit(not ($1))"; }
forget() { curl -sS --max-time 10 -X DELETE -o "$out/forgotten" "$EMULATOR/_requests"; }
