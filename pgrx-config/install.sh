#!/usr/bin/env bash
# install.sh PG_CONFIG [--sudo]: builds the extension for the server of that pg_config and installs it there.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=pgrx-config/lib.sh
. "$here/lib.sh"

pg_config=$(command -v "${1:?usage: install.sh PG_CONFIG [--sudo]}") || die "there is no $1: say make install PG_CONFIG=/path/to/pg_config"
[ -e "$("$pg_config" --includedir-server)/postgres.h" ] ||
    die "the server's headers are not installed (on Debian: postgresql-server-dev-$("$pg_config" --version | grep -o '[0-9]*' | head -n 1))"
if [ -z "${2:-}" ]; then
    for directory in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)/extension"; do
        [ -w "$directory" ] || die "$directory is not writable for you: add SUDO=1 to copy the files with sudo"
    done
fi

"$here/setup.sh" --build
cd "$TB_ROOT"
# What was built for the private PostgreSQL serves another server of the same version.
[ "$("$PGRX_PG_CONFIG_PATH" --version 2>/dev/null)" = "$("$pg_config" --version)" ] || export PGRX_PG_CONFIG_PATH=$pg_config
cargo pgrx install --release --pg-config "$pg_config" "${@:2}"
