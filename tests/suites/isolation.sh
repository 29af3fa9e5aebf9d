#!/usr/bin/env bash
# tests/isolation: what concurrent sessions must see, step by step. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

scratch_cluster "$@"
pg_regress_suite isolation/pg_isolation_regress tests/isolation 'specs/*.spec' --load-extension=tokbudget
