#!/usr/bin/env bash
# What counting costs a session in time and memory, with the library preloaded and without; see memory/memory.py.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

results=$(mktemp)
status=0
# Debian's Python, which setup.sh installs. The part adds a line "PASSED FAILED" to the results.
run_part() {
    eval "$(pgrx-config/cluster.sh env "$suite-$TB_RUN")"
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/suites/memory/memory.py "$1" "$results" || status=$?
}

scratch_cluster --preload --conf 'autovacuum = off' --conf 'max_wal_size = 8GB'
psql -X -q -c 'CREATE EXTENSION tokbudget'
run_part preloaded

# The same cluster; the last line of its configuration counts.
pgrx-config/cluster.sh stop "$suite-$TB_RUN" --keep
pgrx-config/cluster.sh start "$suite-$TB_RUN" --conf "shared_preload_libraries = ''"
run_part lazy

# A part that crashed has added no line.
if [ "$(wc -l <"$results")" = 2 ]; then
    read -r passed failed < <(awk '{p += $1; f += $2} END {print p, f}' "$results")
    report
fi
rm -f "$results"
exit "$status"
