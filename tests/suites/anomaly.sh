#!/usr/bin/env bash
# tests/report: how well anomalies are found in traces of which it is known what has gone wrong. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/python.sh"

# The harness of the driver tests.
export PYTHONPATH=$TB_ROOT/tests/driver
scratch_cluster "$@"
python_test anomaly tests/report/anomaly_test.py
report
