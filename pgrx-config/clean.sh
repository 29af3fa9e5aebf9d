#!/usr/bin/env bash
# Stops this clone's scratch clusters and removes all that was built, with what private-postgres.sh put elsewhere.
set -euo pipefail
# shellcheck source=pgrx-config/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for cluster in "$TB_CLUSTERS"/*/; do
    [ ! -d "$cluster" ] || "$TB_ROOT/pgrx-config/cluster.sh" stop "$(basename "$cluster")"
done
if [ -L "$TB_TARGET/postgres" ]; then
    outside=$(dirname "$TB_POSTGRES")
    rm -rf "$outside"
    rmdir --ignore-fail-on-non-empty "$(dirname "$outside")"
fi
rm -rf "$TB_TARGET"/{postgres,cluster,regress,venv}
cd "$TB_ROOT"
cargo clean
