#!/usr/bin/env bash
# tests/concurrency: many connections against known limits. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/python.sh"

# The harness of the driver tests.
export PYTHONPATH=$TB_ROOT/tests/driver
scratch_cluster "$@"
for test in tests/concurrency/*_test.py; do
    python_test "$(basename "$test" _test.py)" "$test"
done
report
