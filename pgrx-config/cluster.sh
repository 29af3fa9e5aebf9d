#!/usr/bin/env bash
# Scratch clusters of the private PostgreSQL, each a directory target/cluster/NAME.
#
#   cluster.sh start NAME [--preload] [--conf 'LINE']...   make and start one; one that was kept is started again
#   cluster.sh stop NAME [--keep]                          stop it, and remove it unless --keep
#   cluster.sh status NAME                                 exit 0 if it runs
#   cluster.sh env NAME                                    shell commands that point libpq and PATH at it
#
# --preload puts tokbudget into shared_preload_libraries; --conf adds a line to postgresql.conf.
set -euo pipefail
# shellcheck source=pgrx-config/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { sed -n 's/^#   //p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# The server's process, as start noted it: known before there is a postmaster.pid. The command line is compared too, because
# after a reboot the number may be another process's.
server_pid() {
    local pid
    pid=$(cat "$dir/pid" 2>/dev/null) && grep -qzFx -- "$data" "/proc/$pid/cmdline" 2>/dev/null && echo "$pid"
}

# Not `kill -0`: a container's process 1 may leave a dead server unreaped, a zombie, for a while.
alive() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null && [[ ${stat##*) } != [ZX]* ]]
}

# end_process SIGNAL SECONDS PID: sends the signal until the process is gone (a server that is just starting may miss one)
# and fails if it is still there after that time.
end_process() {
    local end=$((SECONDS + $2))
    while alive "$3"; do
        kill "-$1" "$3" 2>/dev/null || true
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# Fast, then immediate, then by force: whatever a test left in a backend, the server goes.
end_server() { end_process INT 30 "$1" || end_process QUIT 10 "$1" || end_process KILL 10 "$1"; }

make_cluster() {
    local socket
    rm -rf "$dir"
    mkdir -p "$dir"
    socket=$(socket_directory "$dir")
    touch "$dir/log"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$dir" "$dir/log"; fi

    (cd "$dir" && "${TB_AS_SERVER[@]}" "$TB_BIN/initdb" --pgdata="$data" --username=postgres --auth=trust --no-sync \
        --locale=C.UTF-8 --encoding=UTF8 >"$dir/initdb.log" 2>&1) || { cat "$dir/initdb.log" >&2; die "initdb failed"; }
    {
        cat "$TB_ROOT/pgrx-config/postgresql.conf"
        printf "unix_socket_directories = '%s'\n" "$socket"
    } >"$data/postgresql.conf"
    # Last, because it says that the cluster is whole.
    echo "$socket" >"$dir/socket"
}

# A server does not start while the process in the lock file exists, be it a zombie.
await_reaped() {
    local old end=$((SECONDS + 20))
    old=$(sed -n 1p "$data/postmaster.pid" 2>/dev/null) || return 0
    while kill -0 "$old" 2>/dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.05; done
}

# The lock file may still be the one of a server that was killed: its first line tells.
ready() {
    local lines
    mapfile -t lines < <(cat "$data/postmaster.pid" 2>/dev/null)
    [ "${lines[0]:-}" = "$1" ] && [[ ${lines[7]:-} = ready* ]]
}

start() {
    local lines=() pid
    while [ $# -gt 0 ]; do
        case $1 in
            --preload) lines+=("shared_preload_libraries = 'tokbudget'") ;;
            --conf) lines+=("${2:?--conf needs a line}"); shift ;;
            *) usage ;;
        esac
        shift
    done
    [ -x "$TB_BIN/postgres" ] || die "there is no private PostgreSQL yet: run pgrx-config/setup.sh"
    ! server_pid >/dev/null || die "cluster $name runs already"
    trap 'exit 130' INT TERM HUP
    if [ -e "$dir/socket" ]; then await_reaped; else make_cluster; fi
    [ ${#lines[@]} = 0 ] || printf '%s\n' "${lines[@]}" >>"$data/postgresql.conf"

    # Its own session, so that Ctrl-C stops the test first and then, by `stop`, the server. It must not keep the caller's
    # descriptors: a pipe would never end, a lock never be released.
    (
        cd "$dir"
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        exec setsid "${TB_AS_SERVER[@]}" "$TB_BIN/postgres" -D "$data" </dev/null >>"$dir/log" 2>&1
    ) &
    pid=$!
    trap 'end_server "$pid"; exit 130' INT TERM HUP
    echo "$pid" >"$dir/pid"
    while ! ready "$pid"; do
        if ! alive "$pid" || [ "$SECONDS" -ge 60 ]; then
            end_server "$pid"
            tail -n 30 "$dir/log" >&2
            die "cluster $name did not start (the end of its log is above)"
        fi
        sleep 0.05
    done
}

stop() {
    local keep=no pid socket segment
    if [ "${1:-}" = --keep ]; then keep=yes; shift; fi
    [ $# = 0 ] || usage
    if pid=$(server_pid); then end_server "$pid"; fi
    # A server that was killed leaves its lock file, and the shared memory that it names.
    read -r _ segment < <(sed -n 7p "$data/postmaster.pid" 2>/dev/null) || true
    [ -z "${segment:-}" ] || ipcrm -m "$segment" 2>/dev/null || true
    [ $keep = no ] || return 0
    socket=$(cat "$dir/socket" 2>/dev/null) || socket=$dir
    rm -rf "$dir" "$socket"
}

print_env() {
    server_pid >/dev/null || die "cluster $name does not run"
    printf 'unset PGSERVICE PGSERVICEFILE PGHOSTADDR PGPASSWORD PGPASSFILE PGOPTIONS PGSSLMODE PGTZ PGDATESTYLE\n'
    # shellcheck disable=SC2016  # the caller's shell expands PATH
    printf 'export PGHOST=%q PGPORT=%q PGUSER=postgres PGDATABASE=postgres PGDATA=%q PATH=%q:"$PATH"\n' \
        "$(sed -n 5p "$data/postmaster.pid")" "$(sed -n 4p "$data/postmaster.pid")" "$data" "$TB_BIN"
}

[ $# -ge 2 ] || usage
command=$1 name=$2
shift 2
[[ $name =~ ^[A-Za-z0-9_-]+$ ]] || die "a cluster's name is letters, digits, - and _"
dir=$TB_CLUSTERS/$name
data=$dir/data
case $command in
    start) start "$@" ;;
    stop) stop "$@" ;;
    status) server_pid >/dev/null ;;
    env) print_env ;;
    *) usage ;;
esac
