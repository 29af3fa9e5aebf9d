#!/usr/bin/env bash
# Makes target/postgres: a PostgreSQL of this clone's own, so that tests and demo install the extension there and not in
# the system's directories. PostgreSQL finds its files relative to its executable, following links; so the executables are
# copies, and all the rest are links to the system's.
set -euo pipefail
# shellcheck source=pgrx-config/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

system_lib=/usr/lib/postgresql/$TB_PG_MAJOR
system_share=/usr/share/postgresql/$TB_PG_MAJOR

# A clone in a directory that the server's user cannot enter (/root, say) keeps the private PostgreSQL and the clusters
# outside, reached by two links.
server_can_enter() { "${TB_AS_SERVER[@]}" test -x "$1"; }

move_outside() {
    local outside name
    outside=/var/cache/tokbudget/$(printf '%s' "$TB_TARGET" | cksum | cut -d' ' -f1)
    say "user postgres cannot enter $TB_TARGET: its PostgreSQL and scratch clusters go to $outside"
    mkdir -p /var/cache/tokbudget
    install -d -m 0750 -o root -g postgres "$outside"
    for name in postgres cluster; do
        rm -rf "${TB_TARGET:?}/$name"
        mkdir -p "$outside/$name"
        ln -s "$outside/$name" "$TB_TARGET/$name"
    done
    TB_POSTGRES=$outside/postgres
}

# True if the tree was made from the server that is installed now: a minor update replaces the libraries behind the links
# and must not leave older executables, and other extensions may have been installed since.
up_to_date() {
    cmp -s "$system_lib/bin/postgres" "$TB_POSTGRES/lib/postgresql/$TB_PG_MAJOR/bin/postgres" || return 1
    [ -e "$TB_POSTGRES/complete" ] || return 1
    ! [ "$system_lib/lib" -nt "$TB_POSTGRES/complete" ] && ! [ "$system_share/extension" -nt "$TB_POSTGRES/complete" ]
}

# link_entries FROM TO NAME: links to all that is in FROM, except this extension's own files (if the system has it, an
# install into the private tree would write through the links) and except NAME.
link_entries() {
    mkdir -p "$2"
    find "$1" -mindepth 1 -maxdepth 1 ! -name 'tokbudget*' ! -name "$3" -exec ln -st "$2" {} +
}

make_tree() {
    local lib=$TB_POSTGRES/lib/postgresql/$TB_PG_MAJOR share=$TB_POSTGRES/share/postgresql/$TB_PG_MAJOR
    find "$TB_POSTGRES" -mindepth 1 -delete
    mkdir -p "$lib" "$TB_POSTGRES/include"
    cp -r --reflink=auto "$system_lib/bin" "$lib/bin"
    link_entries "$system_lib/lib" "$lib/lib" ''
    link_entries "$system_share" "$share" extension
    link_entries "$system_share/extension" "$share/extension" ''
    ln -s /usr/include/postgresql "$TB_POSTGRES/include/postgresql"
    ln -s /usr/share/locale "$TB_POSTGRES/share/locale"
    ln -s "$("$system_lib/bin/pg_config" --libdir)" "$TB_POSTGRES/lib/"
    touch "$TB_POSTGRES/complete"
}

mkdir -p "$TB_TARGET"
exec 9>"$TB_TARGET/postgres.lock"
flock 9
if ! server_can_enter "$TB_TARGET" && [ ! -L "$TB_TARGET/postgres" ]; then move_outside; fi
mkdir -p "$TB_POSTGRES"
up_to_date || make_tree
