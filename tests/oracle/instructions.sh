#!/usr/bin/env bash
# Counts the instructions that signing a request takes outside of SHA-256, and fails if they are
# too many. Inside of it they say nothing: valgrind has none of the CPU's instructions for it.
#
#   tests/oracle/instructions.sh COUNT_BINARY
#
# The binary is `count`, of this package. Needs valgrind.
set -euo pipefail
shopt -s inherit_errexit

binary=${1:?usage: $0 COUNT_BINARY}
few=2000 many=4000 wanted=2500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Instructions of a whole run, but for those of the `sha2` crate and of what is inlined there.
run() {
    if ! valgrind --tool=callgrind --callgrind-out-file="$work/out" "$binary" "$1" "$2" &>"$work/log"; then
        cat "$work/log" >&2
        return 1
    fi
    # Each line of the table: instructions, then file:function.
    callgrind_annotate --threshold=100 --show-percs=no --auto=no "$work/out" |
        awk '
            $1 ~ /^[0-9,]+$/ && $2 != "PROGRAM" {
                count = $1
                gsub(",", "", count)
                if (/\/sha2-[0-9]/ || /:sha2::/) sha += count
                else rest += count
            }
            END {
                # Without its line tables or symbols the binary would show no SHA-256.
                if (!sha) { print "no sha2 in this binary" >"/dev/stderr"; exit 1 }
                printf "%d\n", rest
            }'
}

# Of one request: the difference of two runs, so that the start is not in it.
each() {
    local long short
    long=$(run "$1" "$many")
    short=$(run "$1" "$few")
    echo $(((long - short) / (many - few)))
}

prepared=$(each nothing)
without=$(each sign)
with=$(each token)
signed=$((without - prepared))
echo "instructions outside SHA-256 per signed request, session token: $((with - prepared))"
echo "instructions outside SHA-256 per signed request: $signed (wanted <= $wanted)"
[ "$signed" -le "$wanted" ]
