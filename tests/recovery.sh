#!/usr/bin/env bash
# A server that goes back to a point in time before some holds, and one that pg_upgrade has made: balances are those of the
# ledger that is there. Through tests/run.sh recovery, or by itself. Options go to the scratch clusters.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

primary=$suite-$TB_RUN recovered=$suite-copy-$TB_RUN upgraded=$suite-new-$TB_RUN archive=$TB_CLUSTERS/$suite-archive-$TB_RUN
scratch_cluster --conf 'wal_level = replica' --conf 'max_wal_senders = 4' --conf 'archive_mode = on' \
    --conf "archive_command = 'cp %p $archive/%f'" "$@"
# shellcheck disable=SC2064  # the names are known now
trap "trap '' INT TERM HUP; pgrx-config/cluster.sh stop $upgraded; pgrx-config/cluster.sh stop $recovered; pgrx-config/cluster.sh stop $primary; rm -rf '$archive'" EXIT
mkdir "$archive"
if [ "$(id -u)" = 0 ]; then chown postgres: "$archive"; fi

# on CLUSTER SQL: what it answers.
on() { (eval "$(pgrx-config/cluster.sh env "$1")"; psql -XAtq -v ON_ERROR_STOP=1 -c "$2"); }
is() { [ "$1" = "$2" ] || { printf 'expected: %s\nfound:    %s\n' "$2" "$1"; return 1; }; }
hold() { on "$1" "SELECT reservation FROM tb_reserve('acme/bot', input_tokens => $2, ttl => '1 day')" >/dev/null; }
charge() { on "$1" "SELECT entry FROM tb_charge('acme/bot', NULL, '{\"input_tokens\": $2, \"output_tokens\": 0}')" >/dev/null; }
take_checkpoint() { on "$1" 'SELECT tokbudget._take_checkpoint()' >/dev/null; }
# standing CLUSTER SPENT HELD: of the 1000, exactly the rest can be held; nothing differs from the ledger.
standing() {
    is "$(on "$1" "SELECT spent, held, remaining FROM tb_remaining('acme/bot')")" "$2|$3|$((1000 - $2 - $3))" &&
        is "$(on "$1" "SELECT allowed FROM tb_try_reserve('acme/bot', input_tokens => $((1000 - $2 - $3 + 1)))")" f &&
        is "$(on "$1" "BEGIN; SELECT allowed FROM tb_try_reserve('acme/bot', input_tokens => $((1000 - $2 - $3))); ROLLBACK")" t &&
        is "$(on "$1" 'SELECT count(*) FROM tb_verify()')" 0
}

on "$primary" "CREATE EXTENSION tokbudget;
    SELECT tb_create_account('acme/bot'), tb_create_budget('acme', 'tokens', 1000)" >/dev/null
charge "$primary" 100
hold "$primary" 50
take_checkpoint "$primary"
charge "$primary" 10

back_up() { (eval "$(pgrx-config/cluster.sh env "$primary")"; copy_cluster "$recovered"); }
check 'a base backup' back_up

# Before the point: 130 spent, 80 held. After it as much again, in a checkpoint of the engine and outside of it.
charge "$primary" 20
hold "$primary" 30
on "$primary" "SELECT pg_create_restore_point('before')" >/dev/null
hold "$primary" 200
charge "$primary" 300
take_checkpoint "$primary"
hold "$primary" 7
check 'the server that went on' standing "$primary" 430 287
on "$primary" 'SELECT pg_switch_wal()' >/dev/null
recover() {
    local tries
    touch "$TB_CLUSTERS/$recovered/data/recovery.signal"
    if [ "$(id -u)" = 0 ]; then chown postgres: "$TB_CLUSTERS/$recovered/data/recovery.signal"; fi
    pgrx-config/cluster.sh start "$recovered" --conf 'archive_mode = off' --conf "restore_command = 'cp $archive/%f %p'" \
        --conf "recovery_target_name = 'before'" --conf "recovery_target_action = 'promote'"
    for ((tries = 0; tries < 300; tries++)); do
        [ "$(on "$recovered" 'SELECT pg_is_in_recovery()')" = f ] && return
        sleep 0.1
    done
    return 1
}
check 'recovery to before some holds' recover
check 'what had not been held then is free' standing "$recovered" 130 80
# The transactions that come now have the numbers of those that are gone.
goes_on() {
    local each
    for each in 1 2 3 4 5 6 7 8; do charge "$recovered" "$each"; done
    hold "$recovered" 4
    standing "$recovered" 166 84 && take_checkpoint "$recovered" && charge "$recovered" 1 && standing "$recovered" 167 84 &&
        pgrx-config/cluster.sh stop "$recovered" --keep && pgrx-config/cluster.sh start "$recovered" && standing "$recovered" 167 84
}
check 'it goes on from there, and after a restart' goes_on

upgrade() {
    local new=$TB_CLUSTERS/$upgraded socket status=0
    pgrx-config/cluster.sh start "$upgraded" --conf 'tokbudget.upkeep_interval = 0' "$@" &&
        pgrx-config/cluster.sh stop "$upgraded" --keep && pgrx-config/cluster.sh stop "$primary" --keep || return 1
    socket=$(socket_directory "$new")
    (cd "$new" && "${TB_AS_SERVER[@]}" "$TB_BIN/pg_upgrade" --old-bindir="$TB_BIN" --new-bindir="$TB_BIN" --username=postgres \
        --old-datadir="$TB_CLUSTERS/$primary/data" --new-datadir="$new/data" --socketdir="$socket" >"$new/upgrade.log" 2>&1) || status=1
    [ "$socket" = "$new" ] || rm -rf "$socket"
    [ "$status" = 0 ] || { tail -n 40 "$new/upgrade.log" "$new"/data/pg_upgrade_output.d/*/log/*; return 1; }
    pgrx-config/cluster.sh start "$upgraded"
}
check 'pg_upgrade' upgrade "$@"
check 'the new server has what the old one had' standing "$upgraded" 430 287
settles() {
    on "$upgraded" "SELECT count(tb_commit(reservation_id, '{\"input_tokens\": 5, \"output_tokens\": 0}')) FROM tokbudget.reservation WHERE state = 'held'" >/dev/null &&
        standing "$upgraded" 450 0 && take_checkpoint "$upgraded" && charge "$upgraded" 1 && standing "$upgraded" 451 0 &&
        pgrx-config/cluster.sh stop "$upgraded" --keep && pgrx-config/cluster.sh start "$upgraded" && standing "$upgraded" 451 0
}
check 'and settles it, and after a restart' settles
report
