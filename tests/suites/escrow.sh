#!/usr/bin/env bash
# tests/escrow: what only the engine in shared memory can get wrong. TB_ESCROW_TESTS names some of them.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/python.sh"

# The harness of the driver tests, the clients of the concurrency tests.
export PYTHONPATH=$TB_ROOT/tests/driver:$TB_ROOT/tests/concurrency TB_ESCROW_CLUSTER=$suite-$TB_RUN
scratch_cluster --preload --conf 'tokbudget.checkpoint_interval = 100ms' "$@"
# Those that restart the server come last: what they set stays.
for test in ${TB_ESCROW_TESTS:-in_flight nobody_waits loading by_hand schedule databases upkeep crash full_memory handover}; do
    python_test "$test" "tests/escrow/${test}_test.py"
done
report
