#!/usr/bin/env bash
# Formatters and linters; each is one test, and a tool that cannot be had is a failed one.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

pgspot_version=0.9.4
venv=$TB_TARGET/venv/pgspot-$pgspot_version

run_shellcheck() {
    # SC2119, SC2120: scratch_cluster may be called without options.
    find . -path ./target -prune -o \( -name '*.sh' -o -path ./.ci/run \) -print0 |
        xargs -0 shellcheck -x --source-path=SCRIPTDIR --source-path=. --exclude=SC2119,SC2120
}

# On what CREATE EXTENSION runs: the script that pgrx generates, and upgrade scripts.
run_pgspot() {
    if [ ! -x "$venv/bin/pgspot" ]; then
        # Debian's Python, which setup.sh gives the venv module.
        /usr/bin/python3 -m venv --clear "$venv" && "$venv/bin/pip" install --quiet "pgspot==$pgspot_version" || return 1
    fi
    # PS005: that a function has no search_path is looked at in tests/pg_regress/sql/catalog.sql, by name.
    "$venv/bin/pgspot" --ignore PS005 "$TB_SHARE"/extension/tokbudget--*.sql
}

# --release: then the build that is installed has compiled most of what clippy needs.
check 'cargo fmt' cargo fmt --check
check 'cargo clippy' cargo clippy --release --all-targets -- -D warnings
check 'cargo clippy, without PostgreSQL' cargo clippy --release --all-targets --no-default-features -- -D warnings
check 'shellcheck' run_shellcheck
check 'pgspot' run_pgspot
report
