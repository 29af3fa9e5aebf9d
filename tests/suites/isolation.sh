#!/usr/bin/env bash
# tests/isolation: what concurrent sessions must see, step by step. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

# Whether somebody waits is what is looked at here, so nobody else comes by; and how a small table
# is scanned, which statistics change, decides what SERIALIZABLE takes for a conflict.
scratch_cluster --conf "tokbudget.checkpoint_interval = 1h" --conf "autovacuum = off" "$@"
pg_regress_suite isolation/pg_isolation_regress tests/isolation 'specs/*.spec' --load-extension=tokbudget
