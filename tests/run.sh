#!/usr/bin/env bash
# Builds the extension, then runs the suites named, or all, each with its own scratch cluster; the last line is the total.
#
# A suite is tests/suites/NAME.sh. It prints what it does and writes "PASSED FAILED" to the file $TB_RESULT at its end. One
# that ends without that, or counts no test, has failed once more than it says.
set -euo pipefail

suites=(
    lint
    unit
    regress
    regress-preload
    isolation
    isolation-preload
    reference
    readme
    readme-preload
    driver
    driver-preload
    report
    model
    model-preload
    concurrency
    concurrency-preload
    escrow
    dump-restore
    dump-restore-preload
    standby
    standby-preload
    recovery
    recovery-preload
    oracle
    cost-oracle
    focus
    anomaly
    memory
)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
[ $# = 0 ] || suites=("$@")

if ! "$here/../pgrx-config/install-private.sh"; then
    echo "the extension does not build: no suite was run"
    echo "0 passed, ${#suites[@]} failed"
    exit 1
fi
# shellcheck source=pgrx-config/lib.sh
. "$here/../pgrx-config/lib.sh"
cd "$TB_ROOT"

# Names the clusters of this run, so that two runs in one clone do not meet.
export TB_RUN=$$
TB_RESULT=$(mktemp)
export TB_RESULT

# A suite stops its own cluster; this is for one that was killed.
clean_up() {
    trap '' INT TERM HUP
    local cluster
    for cluster in "$TB_CLUSTERS"/*-"$TB_RUN"; do
        [ ! -d "$cluster" ] || pgrx-config/cluster.sh stop "${cluster##*/}"
    done
    rm -f "$TB_RESULT"
}
suite_pid=
interrupted() {
    trap '' INT TERM HUP
    [ -z "$suite_pid" ] || { kill -TERM -- "-$suite_pid"; wait "$suite_pid"; } 2>/dev/null || true
    echo "interrupted"
    exit 130
}
trap clean_up EXIT
trap interrupted INT TERM HUP

# In a process group of its own, so that an interrupt ends all that it started, also where only this script got the signal.
run_suite() {
    local script=$here/suites/$1.sh status=0
    set -m
    "$script" </dev/null &
    suite_pid=$!
    set +m
    wait "$suite_pid" || status=$?
    suite_pid=
    return "$status"
}

total_passed=0 total_failed=0 summary=
for suite in "${suites[@]}"; do
    printf '\n--- %s\n' "$suite"
    : >"$TB_RESULT"
    start=$SECONDS status=0 note=
    run_suite "$suite" || status=$?
    if ! read -r passed failed <"$TB_RESULT" || ! [[ "$passed $failed" =~ ^[0-9]+\ [0-9]+$ ]]; then
        passed=0 failed=1 note="crashed (exit code $status)"
    elif [ $((passed + failed)) = 0 ]; then
        failed=1 note='ran no test'
    elif [ "$failed" = 0 ] && [ "$status" != 0 ]; then
        failed=1 note="exit code $status"
    fi
    total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
    summary+=$(printf '%-20s %6d passed %6d failed %6d s  %s' "$suite" "$passed" "$failed" $((SECONDS - start)) "$note")$'\n'
done

printf '\n%s\n' "$summary"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
