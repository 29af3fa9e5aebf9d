#!/usr/bin/env bash
# Builds the extension and shows it at work on a scratch cluster, which is gone afterwards.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

"$here/install-private.sh"

cluster=demo-$$
trap 'trap "" INT TERM HUP; "$here/cluster.sh" stop $cluster' EXIT
trap 'exit 130' INT TERM HUP
"$here/cluster.sh" start $cluster --preload
eval "$("$here/cluster.sh" env $cluster)"

psql -X -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION tokbudget;
\dx tokbudget
SQL
