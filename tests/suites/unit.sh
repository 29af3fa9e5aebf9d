#!/usr/bin/env bash
# The pure modules, without any PostgreSQL.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

status=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM HUP
cargo test --no-default-features --release --lib 2>&1 | tee "$output" || status=$?

# "test result: ok. 12 passed; 0 failed; 1 ignored; ..."
read -r passed failed < <(awk '/^test result: /{p += $4; f += $6} END {print p + 0, f + 0}' "$output")
report
exit "$status"
