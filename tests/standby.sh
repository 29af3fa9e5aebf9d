#!/usr/bin/env bash
# What works on a physical standby: reading what remains and what it is enough for, with what the primary has changed, and
# spending after a promotion. Through tests/run.sh standby, or by itself.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

primary=$suite-$TB_RUN standby=$suite-copy-$TB_RUN
scratch_cluster --conf 'wal_level = replica' --conf 'max_wal_senders = 4' --conf 'hot_standby = on' "$@"
# shellcheck disable=SC2064  # the names are known now
trap "trap '' INT TERM HUP; pgrx-config/cluster.sh stop $standby; pgrx-config/cluster.sh stop $primary" EXIT
primary_env=$(pgrx-config/cluster.sh env "$primary")

on_primary() { (eval "$primary_env"; psql -XAtq -v ON_ERROR_STOP=1 -c "$1"); }
on_standby() { (eval "$standby_env"; psql -XAtq -v ON_ERROR_STOP=1 -c "$1"); }
is() { [ "$1" = "$2" ] || { printf 'expected: %s\nfound:    %s\n' "$2" "$1"; return 1; }; }

make_standby() {
    (eval "$primary_env"; copy_cluster "$standby" --write-recovery-conf) && pgrx-config/cluster.sh start "$standby" || return 1
    standby_env=$(pgrx-config/cluster.sh env "$standby")
}
# Waits until the standby shows what the primary has now.
caught_up() {
    local lsn tries
    lsn=$(on_primary 'SELECT pg_current_wal_lsn()')
    for ((tries = 0; tries < 300; tries++)); do
        [ "$(on_standby "SELECT pg_last_wal_replay_lsn() >= '$lsn'")" = t ] && return
        sleep 0.1
    done
    return 1
}

on_primary "CREATE EXTENSION tokbudget;
    SELECT tb_create_account('acme/bot'), tb_create_budget('acme', 'tokens', 1000, 'day'), tb_create_budget('acme/bot', 'cost', 0.01);
    SELECT tb_set_quota('acme', 'session', 'tokens', 50);
    SELECT tb_set_price('small', 'acme', 2, 10, effective_at => '2020-01-01');
    SELECT tb_reserve('acme/bot', 'small', input_tokens => 100, max_output_tokens => 200)" >/dev/null

check 'a standby starts' make_standby
check 'it catches up' caught_up
# 100 * 2e-6 (cache writes are not priced apart) + 200 * 10e-6 = 0.0022 are held of 0.01.
remaining() {
    is "$(on_standby "SELECT account, meter, held, remaining FROM tb_remaining('acme/bot') ORDER BY account")" \
        $'acme|tokens|300|700\nacme/bot|cost|0.0022|0.0078'
}
# The rest is 0.0078, of which 100 input tokens take 0.0002: 760 output tokens at 0.00001; but 700 tokens remain: 600.
affordable() { is "$(on_standby "SELECT tb_affordable('acme/bot', 'small', 100), tb_affordable('acme/bot', 'small', 0)")" '600|700'; }
quota_to_come() { on_primary "SELECT tb_create_account('acme/s-1', 'session')" >/dev/null && caught_up &&
    is "$(on_standby "SELECT budget IS NULL, account, remaining FROM tb_remaining('acme/s-1') WHERE account = 'acme/s-1'")" 't|acme/s-1|50'; }
refuses_to_write() { ! on_standby "SELECT tb_reserve('acme/bot', input_tokens => 1)" 2>/dev/null; }
verify() { is "$(on_standby 'SELECT count(*) FROM tb_verify()')" 0; }
check 'what remains' remaining
check 'what it is enough for' affordable
check 'a quota that the first call will be given' quota_to_come
check 'balance = ledger' verify
check 'a hold is refused' refuses_to_write
# Where the library is preloaded, the worker starts with the promotion.
has_workers() { is "$(on_standby "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'tokbudget launcher'")" "$1"; }
check 'no worker is there' has_workers 0

# A session that has kept a price must learn of a change on the primary.
keeps_no_old_price() {
    local before after status=0
    coproc SESSION { eval "$standby_env"; exec psql -XAtq; }
    # shellcheck disable=SC2153  # the shell sets it
    local pid=$SESSION_PID
    echo "SELECT tb_affordable('acme/bot', 'small', 100);" >&"${SESSION[1]}"
    read -r -t 60 before <&"${SESSION[0]}" || status=1
    on_primary "SELECT tb_set_price('small', 'acme', 2, 100, effective_at => '2020-01-02')" >/dev/null && caught_up || status=1
    echo "SELECT tb_affordable('acme/bot', 'small', 100);" >&"${SESSION[1]}"
    read -r -t 60 after <&"${SESSION[0]}" || status=1
    echo '\q' >&"${SESSION[1]}"
    wait "$pid" || true
    # 0.0076 at 0.0001 an output token.
    [ "$status" = 0 ] && is "$before $after" '600 76'
}
check 'a running session learns of a new price' keeps_no_old_price

promote() {
    (eval "$primary_env"; "${TB_AS_SERVER[@]}" "$TB_BIN/pg_ctl" stop --pgdata="$PGDATA" --mode=fast >/dev/null) || true
    is "$(on_standby 'SELECT pg_promote()')" t &&
        is "$(on_standby "SELECT remaining ->> 'tokens' FROM tb_reserve('acme/bot', 'small', input_tokens => 10, max_output_tokens => 0)")" 690 && verify
}
check 'promoted, it goes on where the primary was' promote
worker_starts() {
    local tries
    [ "$(on_standby "SELECT tb_engine()")" = escrow ] || return 0
    for ((tries = 0; tries < 100; tries++)); do
        has_workers 1 >/dev/null && return
        sleep 0.1
    done
    has_workers 1
}
check 'promoted, it has a worker' worker_starts
report
