#!/usr/bin/env bash
# Reports beside plain SQL over the ledger, on a generated one. Through tests/run.sh report, or by itself.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/python.sh"

# The engine that lets transactions of one account be open side by side.
scratch_cluster --preload "$@"
python_test report_equality tests/report/equality_test.py
report
