#!/usr/bin/env bash
# docs/reference.md is what docs/generate-reference.sh makes of the comments in the database.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

scratch_cluster "$@"
is_current() { diff -u docs/reference.md <(docs/generate-reference.sh); }
check 'docs/reference.md is current; if not, write it with docs/generate-reference.sh' is_current

# The table of SQLSTATEs in the README is complete: every code that the sources can raise, and no other.
codes() { grep -ohE 'TB0[0-9]{2}' "$@" | sort -u; }
are_codes_listed() {
    local raised
    raised=$(codes src/refusal.rs sql/*.sql) && diff <(echo "$raised") <(grep -E '^\| TB0' README.md | codes -)
}
check 'the README lists every SQLSTATE' are_codes_listed
report
