#!/usr/bin/env bash
# The public API beside names.txt, and beside the crates that it may name. `check.sh --write` writes names.txt anew.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
RUSTDOC="$here/rustdoc.sh" cargo rustdoc --quiet --lib --all-features -- -Z unstable-options --output-format json
python3 "$here/check.py" "${CARGO_TARGET_DIR:-target}/doc/tower_bedrock.json" "$@"
