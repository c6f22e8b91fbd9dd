#!/usr/bin/env bash
# What the crate weighs for those who depend on it: the crates of each feature, and with `--build` the time of a build
# from nothing beside that of `aws-sdk-bedrockruntime`, each with its default features. Fails where a goal
# is missed, or where the documentation of the crate tells other numbers.
#
#   tests/weight.sh [--build [ROUNDS]]
#
# A build takes minutes of every core: on a machine that does something else too, the figures say nothing.
set -euo pipefail
shopt -s inherit_errexit
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
most_crates=90 most_time=0.333
missed=0

# goal NAME MEASURED WANTED
goal() {
    local met=ok
    awk "BEGIN { exit !($2 <= $3) }" || met=MISSED missed=1
    echo "goal: $1 | measured $2 | wanted <= $3 | $met"
}

# crates CARGO-ARGS…: how many crates are built besides this one.
crates() {
    cargo tree --edges normal --prefix none --format '{p}' "$@" | sed 's, (\*)$,,; /^tower-bedrock /d' | sort -u | wc -l
}

# told CRATES PATTERN: whether the crate's documentation says so.
told() {
    grep -qE "^//! .*$2" src/lib.rs && return
    echo "src/lib.rs does not say that it is $1: nothing there is like $2"
    missed=1
}

count() {
    local feature number
    for feature in $(sed -n '/^\[features\]/,/^$/s/^\([a-z]\+\) = .*/\1/p' Cargo.toml); do
        [ "$feature" != default ] || continue
        number=$(crates --no-default-features --features "$feature")
        printf '%-9s %3d crates\n' "$feature" "$number"
        told "$number" "\`$feature\`.* \\| $number \\|\$"
    done
    number=$(crates --no-default-features)
    printf '%-9s %3d crates\n' "(none)" "$number"
    told "$number" "$number are always there"
    number=$(crates)
    told "$number" "$number crates in all"
    goal "crates of the default features" "$number" "$most_crates"
}

# consumer NAME DEPENDENCY: a crate that depends on this and nothing else, its dependencies fetched.
consumer() {
    mkdir -p "$work/$1/src"
    printf '[package]\nname = "consumer"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n%s\n\n[workspace]\n' \
        "$2" >"$work/$1/Cargo.toml"
    touch "$work/$1/src/lib.rs"
    # The versions that this repository is tested with, as far as it has them.
    cp "$3" "$work/$1/Cargo.lock"
    (cd "$work/$1" && cargo fetch --quiet)
}

# cold NAME: seconds of a build from nothing, and those of all cores together.
cold() {
    local target=$work/$1/target TIMEFORMAT='%R %U %S'
    local build=(cargo build --quiet --manifest-path "$work/$1/Cargo.toml" --target-dir "$target")
    if ! { time "${build[@]}" &>"$work/log"; } 2>"$work/time"; then
        cat "$work/log" >&2
        return 1
    fi
    rm -rf "$target"
    awk '{ printf "%.1f %.1f\n", $1, $2 + $3 }' "$work/time"
}

build() {
    local rounds=$1 round spent ours ours_cpu theirs theirs_cpu ours_all=0 theirs_all=0 ours_cpu_all=0 theirs_cpu_all=0
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    export CARGO_INCREMENTAL=0
    unset CARGO_TARGET_DIR
    consumer ours "tower-bedrock = { path = \"$root\" }" Cargo.lock
    consumer theirs "$(grep '^aws-sdk-bedrockruntime' tests/sdk/Cargo.toml |
        sed 's/{ version = \("[^"]*"\).*/\1/')" tests/sdk/Cargo.lock
    for ((round = 1; round <= rounds; round++)); do
        spent=$(cold ours)
        read -r ours ours_cpu <<<"$spent"
        spent=$(cold theirs)
        read -r theirs theirs_cpu <<<"$spent"
        echo "round $round: tower-bedrock $ours s ($ours_cpu s of CPU), aws-sdk-bedrockruntime $theirs s ($theirs_cpu s of CPU)"
        ours_all+=" + $ours" theirs_all+=" + $theirs"
        ours_cpu_all+=" + $ours_cpu" theirs_cpu_all+=" + $theirs_cpu"
    done
    awk "BEGIN { printf \"by CPU time, which others on the machine disturb less: %.3f\n\", ($ours_cpu_all) / ($theirs_cpu_all) }"
    goal "cold build / that of aws-sdk-bedrockruntime" \
        "$(awk "BEGIN { printf \"%.3f\", ($ours_all) / ($theirs_all) }")" "$most_time"
}

count
case ${1:-} in
"") ;;
--build) build "${2:-2}" ;;
*)
    echo "usage: $0 [--build [ROUNDS]]" >&2
    exit 2
    ;;
esac
exit "$missed"
