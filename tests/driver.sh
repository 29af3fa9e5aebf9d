#!/usr/bin/env bash
# What real drivers see. Through tests/run.sh driver, or by itself. Options go to the scratch cluster.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/suites/python.sh"

scratch_cluster "$@"
for test in tests/driver/*_test.py; do
    python_test "$(basename "$test" _test.py)" "$test"
done
report
