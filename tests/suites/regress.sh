#!/usr/bin/env bash
# tests/pg_regress: SQL files and the output that psql must give. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"

scratch_cluster "$@"
pg_regress_suite regress/pg_regress tests/pg_regress 'sql/*.sql'
