# shellcheck shell=bash
# What the suites share. To be sourced; it expects `set -euo pipefail`, and TB_RUN and TB_RESULT from tests/run.sh.

# shellcheck source=pgrx-config/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../pgrx-config/lib.sh"
cd "$TB_ROOT" || exit

suite=${TB_SUITE:-$(basename "$0" .sh)}
passed=0 failed=0

report() { echo "$passed $failed" >"$TB_RESULT"; }

# check NAME COMMAND...: one test, passed if the command succeeds.
check() {
    echo "> $1"
    if "${@:2}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $1"
    fi
}

# scratch_cluster [OPTION...]: a cluster for this suite, with cluster.sh's options; it is stopped when the suite ends.
scratch_cluster() {
    local cluster=$suite-$TB_RUN
    # shellcheck disable=SC2064  # the name is known now
    trap "trap '' INT TERM HUP; pgrx-config/cluster.sh stop $cluster" EXIT
    trap 'exit 130' INT TERM HUP
    # Tests inject instants, and would find swept by the real clock what has not expired by theirs.
    pgrx-config/cluster.sh start "$cluster" --conf 'tokbudget.upkeep_interval = 0' "$@"
    eval "$(pgrx-config/cluster.sh env "$cluster")"
}

# copy_cluster NAME OPTION...: a base backup of the cluster that the environment points at, as another one that is not started
# yet; options are pg_basebackup's. Whoever makes it stops it.
copy_cluster() {
    local dir=$TB_CLUSTERS/$1 socket
    mkdir -p "$dir"
    socket=$(socket_directory "$dir")
    touch "$dir/log"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$dir" "$dir/log"; fi
    (cd "$dir" && "${TB_AS_SERVER[@]}" "$TB_BIN/pg_basebackup" --pgdata="$dir/data" --checkpoint=fast --no-sync \
        --dbname="host=$PGHOST port=$PGPORT user=postgres" "${@:2}") || return 1
    echo "$socket" >"$dir/socket"
    # The last line of the configuration counts.
    echo "unix_socket_directories = '$socket'" >>"$dir/data/postgresql.conf"
}

# pg_regress_suite PROGRAM DIRECTORY SOURCES OPTION...: the tests DIRECTORY/SOURCES (a pattern), through pg_regress or its
# isolation variant, in a new database; one test per source file, `setup` first. A source without an expected file counts
# as failed (pg_regress would stop at it).
pg_regress_suite() {
    local program=$TB_POSTGRES/lib/postgresql/$TB_PG_MAJOR/lib/pgxs/src/test/$1 directory=$2 output=$TB_TARGET/regress/$suite
    local source name tests=() missing=0 status=0
    for source in "$directory"/$3; do
        [ -e "$source" ] || break
        name=$(basename "${source%.*}")
        if [ ! -e "$directory/expected/$name.out" ]; then
            echo "FAILED: $source has no $directory/expected/$name.out"
            missing=$((missing + 1))
        elif [ "$name" = setup ]; then
            tests=(setup "${tests[@]}")
        else
            tests+=("$name")
        fi
    done
    shift 3

    rm -rf "$output"
    mkdir -p "$output"
    if [ ${#tests[@]} -gt 0 ]; then
        "$program" --bindir="$TB_BIN" --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" --dbname=tokbudget_test \
            --encoding=UTF8 --inputdir="$directory" --outputdir="$output" "$@" "${tests[@]}" | tee "$output/log" || status=$?
        passed=$(grep -c '^test .* \.\.\. ok ' "$output/log") || true
    fi
    # Not only those that it calls failed: a test that it never came to has failed too.
    failed=$((${#tests[@]} - passed + missing))
    [ ! -s "$output/regression.diffs" ] || cat "$output/regression.diffs"
    report
    return "$status"
}
