# shellcheck shell=bash
# shellcheck disable=SC2034  # most of this is for the scripts that source it
# Names and helpers that every script here shares. To be sourced; it expects `set -euo pipefail`.

TB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TB_TARGET=$(readlink -m "${CARGO_TARGET_DIR:-$TB_ROOT/target}")
TB_PG_MAJOR=15
TB_CARGO_PGRX_VERSION=0.18.1

# The private PostgreSQL and the scratch clusters. The real paths: where the server's user cannot enter the clone, the two
# are links to a place that it can enter, and it could not even follow the links. setup.sh makes these links, so a script
# that runs setup.sh sources this file afterwards.
TB_POSTGRES=$(readlink -m "$TB_TARGET/postgres")
TB_CLUSTERS=$(readlink -m "$TB_TARGET/cluster")
TB_BIN=$TB_POSTGRES/lib/postgresql/$TB_PG_MAJOR/bin
TB_SHARE=$TB_POSTGRES/share/postgresql/$TB_PG_MAJOR

# pgrx's build script runs again whenever this differs, so every cargo command must see the same value. With it cargo-pgrx
# needs no `cargo pgrx init` and no ~/.pgrx.
export PGRX_PG_CONFIG_PATH=$TB_BIN/pg_config

# The option that cargo-pgrx sets itself, so that the schema in the library survives the linker; set for every cargo
# command, they share what is compiled.
[[ ${RUSTFLAGS:-} = *--no-gc-sections* ]] || export RUSTFLAGS="${RUSTFLAGS:-} -C link-arg=-Wl,--no-gc-sections"

# What the user's shell says must not change what the tools print or what the server sorts.
export LC_ALL=C.UTF-8
# pgrx puts a backtrace into the DETAIL of errors if the server's environment asks for one.
unset RUST_BACKTRACE RUST_LIB_BACKTRACE
# Files made for the server's user to read must be readable.
umask 022
# cargo would look for make's job server, which recipes do not get.
unset MAKEFLAGS MFLAGS MAKELEVEL

# Rustup's own place, for shells that did not read its profile; then the cargo-pgrx that setup.sh installs.
command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
TB_CARGO_PGRX_ROOT=${XDG_CACHE_HOME:-$HOME/.cache}/tokbudget/cargo-pgrx-$TB_CARGO_PGRX_VERSION
export PATH=$TB_CARGO_PGRX_ROOT/bin:$PATH

# PostgreSQL refuses to run as root; the Debian package brings a user for it.
TB_AS_SERVER=()
if [ "$(id -u)" = 0 ]; then
    TB_AS_SERVER=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

# socket_directory DIRECTORY: where a server in it has its socket: there, or in a directory under /tmp where the path would not
# fit. A socket's path has room for 107 bytes, and the setting is a quoted list. Whoever asks removes it.
TB_SOCKET_NAME=.s.PGSQL.5432
socket_directory() {
    local directory=$1
    if [ $((${#directory} + ${#TB_SOCKET_NAME})) -gt 106 ] || [[ $directory = *[\',]* ]]; then
        directory=$(mktemp -d /tmp/tokbudget-XXXXXX)
        if [ "$(id -u)" = 0 ]; then chown postgres: "$directory"; fi
    fi
    echo "$directory"
}

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }
