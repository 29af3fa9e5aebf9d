#!/usr/bin/env bash
# Builds the extension and installs it into the private PostgreSQL. --debug: without optimisation, for a quick build.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

profile=(--release)
case ${1:-} in
    --debug) profile=() ;;
    '') ;;
    *) echo "usage: install-private.sh [--debug]" >&2; exit 2 ;;
esac

"$here/setup.sh"
# shellcheck source=pgrx-config/lib.sh
. "$here/lib.sh"

cd "$TB_ROOT"
marker=$(mktemp)
trap 'rm -f "$marker"' EXIT
cargo pgrx install "${profile[@]}" --pg-config "$PGRX_PG_CONFIG_PATH"
# A script of an older version that is gone from the sources must be gone from the server too.
find "$TB_SHARE/extension" -name 'tokbudget--*.sql' ! -newer "$marker" -delete
