#!/usr/bin/env bash
# tests/isolation: what concurrent sessions must see, step by step. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

# Whether somebody waits is what is looked at here, so nobody else comes by.
scratch_cluster --conf "tokbudget.checkpoint_interval = 1h" "$@"
pg_regress_suite isolation/pg_isolation_regress tests/isolation 'specs/*.spec' --load-extension=tokbudget
