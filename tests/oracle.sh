#!/usr/bin/env bash
# Compares the tokenizer with OpenAI's own package. The crate's tests write the cases, tiktoken checks each. Through
# tests/run.sh oracle, or by itself.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

version=0.14.0
venv=$TB_TARGET/venv/oracle-$version
if [ ! -e "$venv/complete" ]; then
    # Debian's Python, which setup.sh gives the venv module.
    /usr/bin/python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "tiktoken==$version"
    touch "$venv/complete"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
TOKBUDGET_ORACLE_FILE=$work/cases.jsonl cargo test --quiet --no-default-features --release --lib oracle_file

status=0
"$venv/bin/python" tests/oracle/tiktoken_oracle.py "$work/cases.jsonl" | tee "$work/said" || status=$?
# "12 passed, 0 failed"
read -r passed failed < <(awk '/ passed, .* failed$/ {print $1, $3}' "$work/said") || { passed=0; failed=1; }
report
exit "$status"
