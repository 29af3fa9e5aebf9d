#!/usr/bin/env bash
# What survives: a dump and its restore, in three forms, and crashes of a backend and of the whole server. Through
# tests/run.sh dump-restore, or by itself.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

# A crash must not lose what was acknowledged, so this cluster is as durable as a real one.
scratch_cluster --conf 'fsync = on' --conf 'full_page_writes = on' "$@"
cluster=$suite-$TB_RUN
work=$TB_CLUSTERS/$cluster

query() { psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"; }

# Spends as clients do: two tenants, a window that is over, open and expired holds, prices of the book and of the user,
# an overrun, a release, idempotency keys; months with a partition, one without, one that was detached, one dropped.
fill() {
    psql -Xq -v ON_ERROR_STOP=1 -d "$1" -o /dev/null <<'SQL'
CREATE EXTENSION tokbudget;
DO $$ BEGIN IF to_regrole('dump_spender') IS NULL THEN CREATE ROLE dump_spender; END IF; END $$;
SELECT tb_set_price('own-model', 'acme', 2, 10, effective_at => '2020-01-01');
SELECT tb_set_meter_price('tool_calls', 0.01, effective_at => '2020-01-01'), tb_set_model('own-model', 'acme', aliases => ARRAY['mine'], encoding => 'cl100k_base', count_basis => 'estimated');
SELECT count(*) FROM tb_import_prices('{"file-model": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}, "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 9e-06, "output_cost_per_token": 9e-06}}', 'a file', '2026-02-01');
SELECT tb_create_account('acme/search/bot', kind => 'agent', cost_center => 'S1', labels => '{"env": "prod"}'), tb_create_account('acme/ads'), tb_create_account('bravo/lab');
SELECT tb_create_budget('acme', 'cost', 10), tb_create_budget('acme/search', 'tokens', 10000, 'month', time_zone => 'Europe/Berlin'), tb_create_budget('bravo', 'tokens', 1000);
SELECT tb_grant_access('dump_spender', 'bravo', 'spend', 'a reason');
SELECT tb_set_calibration('acme', 'acme', 'own-model', 1.5, reason => 'a reason');
SELECT tb_freeze('acme/ads', 'a reason'), tb_set_rate('acme/search', 1.5, effective_at => '2020-01-01');
SELECT tb_create_account('charlie'), tb_set_unpriced('charlie', 'record');
SELECT tb_commit((tb_reserve('charlie', 'no-price-yet', input_tokens => 5, max_output_tokens => 5)).reservation, '{"prompt_tokens": 5, "completion_tokens": 1}');
SELECT tb_create_account('hotel/users'), tb_set_quota('hotel/users', 'user', 'tokens', 100, 'day', thresholds => '{50}', freeze_at => 500);
SELECT tb_grant(tb_create_budget('hotel', 'tokens', 100, burst => 20, thresholds => '{80,100}', rollover => 'capped', rollover_cap => 10, every => 'week'), 60, 'infinity', 'top-up', approver => 'Ada');
SELECT tb_charge('hotel/users/ada', NULL, '{"input_tokens": 90, "output_tokens": 0}', enforce => true), tb_reserve('hotel/users/bob', input_tokens => 80, ttl => '7 days');
SELECT tb_change_budget(budget, amount => 90, every => 'month', reason => 'a reason') FROM tb_budgets('hotel') WHERE account = 'hotel';
SELECT tb_refund(entry_id, 'a reason', 0.000001) FROM (SELECT (tb_charge('acme/search/bot', 'own-model', '{"input_tokens": 1000, "output_tokens": 0}')).entry) AS c (entry_id);
SET tokbudget.clock = '2025-06-10 12:00:00+00';
SELECT tb_commit((tb_reserve('acme/search/bot', model => 'gpt-4o', input_tokens => 100, max_output_tokens => 50)).reservation, '{"prompt_tokens": 10, "completion_tokens": 5}');
SET tokbudget.clock = '2025-11-10 12:00:00+00';
SELECT tb_commit((tb_reserve('acme/search/bot', model => 'gpt-4o', input_tokens => 100, max_output_tokens => 50)).reservation, '{"prompt_tokens": 70, "completion_tokens": 30}') FROM generate_series(1, 3);
SET tokbudget.clock = '2025-12-10 12:00:00+00';
SELECT tb_commit((tb_reserve('acme/search/bot', model => 'gpt-4o', input_tokens => 100, max_output_tokens => 50)).reservation, '{"prompt_tokens": 80, "completion_tokens": 20}') FROM generate_series(1, 2);
SET tokbudget.clock = '2026-01-10 12:00:00+00';
SELECT tb_maintain(1);
SELECT tb_detach_month('2025-11-01', 'to be archived'), tb_drop_month('2025-06-01', 'no longer needed');
SET tokbudget.clock = '2025-08-10 12:00:00+00';
SELECT tb_commit((tb_reserve('acme/search/bot', model => 'gpt-4o', input_tokens => 100, max_output_tokens => 50)).reservation, '{"prompt_tokens": 10, "completion_tokens": 5}');
SET tokbudget.clock = '2026-01-31 12:00:00+00';
SELECT tb_commit((tb_reserve('acme/search/bot', model => 'gpt-4o', input_tokens => 100, max_output_tokens => 50)).reservation, '{"prompt_tokens": 90, "completion_tokens": 50}') FROM generate_series(1, 20);
SELECT tb_reserve('bravo/lab', input_tokens => 100, ttl => '1 minute');
RESET tokbudget.clock;
SELECT tb_commit((tb_reserve('acme/search/bot', model => 'own-model', input_tokens => 100, max_output_tokens => 50)).reservation, '{"input_tokens": 100, "output_tokens": 500}', '{"workflow": "w", "team": "blue"}') FROM generate_series(1, 5);
SELECT tb_release((tb_reserve('bravo/lab', input_tokens => 7)).reservation, 'not needed');
SELECT tb_charge('acme/search/bot', 'own-model', '{"input_tokens": 1, "output_tokens": 0}', attributes => '{"session": "s", "tool": "t"}') FROM generate_series(1, 10);
SELECT tb_set_anomaly_alerts('acme/search', 'critical', workflow => 'w'), tb_detect_anomalies('acme');
CREATE TABLE kept AS
SELECT (tb_reserve('acme/search/bot', model => 'own-model', input_tokens => 300, max_output_tokens => 0, idempotency_key => 'job-1', ttl => '1 day')).reservation AS open,
       (tb_reserve('bravo/lab', input_tokens => 60, idempotency_key => 'job-2', ttl => '1 day')).reservation AS settled, NULL::uuid AS entry;
CREATE SCHEMA "Its own";
CREATE TABLE "Its own".calls (account text, usage jsonb) PARTITION BY LIST (account);
CREATE TABLE "Its own".calls_rest PARTITION OF "Its own".calls DEFAULT;
SELECT tb_create_account('delta/lab'), tb_create_budget('delta', 'tokens', 100), tb_guard('"Its own".calls', 'account', usage_column => 'usage', under => 'delta');
INSERT INTO "Its own".calls VALUES ('delta/lab', '{"input_tokens": 20, "output_tokens": 0}'), ('delta', '{"input_tokens": 30, "output_tokens": 0}');
INSERT INTO "Its own".calls_rest VALUES ('delta/lab', '{"input_tokens": 10, "output_tokens": 0}');
UPDATE kept SET entry = (tb_commit(settled, '{"input_tokens": 50, "output_tokens": 0}')).entry;
SQL
}

# Everything that the tables hold, one line per table.
contents() {
    local table
    for table in tenant access change account budget budget_grant quota first_use alert guard reservation idempotency entry carried entry_2025_11_detached rate calibration price model model_alias anomaly_rule; do
        # Which transaction wrote an entry is another one after a restore.
        query "$1" "SELECT '$table', count(*), md5(string_agg(t::text, E'\n' ORDER BY t::text)) FROM (SELECT to_jsonb(t) - 'written_by' FROM tokbudget.$table AS t) AS t"
    done
    # What is kept in the rows and what is added to them differs from engine to engine.
    query "$1" "SELECT tenant_id, budget_id, window_start, spent_units, held_units, granted_units, COALESCE(carried_units, 0), superseded FROM tokbudget._balances()
        WHERE spent_units <> 0 OR held_units <> 0 OR granted_units <> 0 OR carried_units <> 0 ORDER BY 1, 2, 3"
    query "$1" "SELECT * FROM tokbudget.chargeback ORDER BY chargeback::text"
}

# Where the ledger's rows are, in which months, under which triggers.
partitions() {
    query "$1" "SELECT tableoid::regclass, count(*) FROM tokbudget.entry GROUP BY tableoid ORDER BY tableoid::regclass::text"
    query "$1" "SELECT month, partition, starts_at, ends_at, is_closed FROM tokbudget.entry_partition"
    query "$1" "SELECT partition, tgname, tgenabled, tgtype FROM tokbudget.entry_partition JOIN pg_trigger ON tgrelid = partition ORDER BY starts_at, tgname"
    query "$1" "SELECT pg_get_indexdef(indexrelid) FROM tokbudget.entry_partition JOIN pg_index ON indrelid = partition ORDER BY 1"
    query "$1" "SELECT count(*) FROM tokbudget.entry_partition JOIN pg_depend ON objid = partition AND deptype = 'e' WHERE month IS NOT NULL"
}

is() { [ "$1" = "$2" ] || { printf 'expected: %s\nfound:    %s\n' "$2" "$1"; return 1; }; }

same_contents() { diff <(contents origin) <(contents "$1"); }
same_partitions() { diff <(partitions origin) <(partitions "$1"); }
no_difference() { is "$(query "$1" 'SELECT count(*) FROM tb_verify()')" 0; }
# A key and a commit that come again after the restore.
same_answers() {
    is "$(query "$1" "SELECT (tb_reserve('acme/search/bot', model => 'own-model', input_tokens => 300, max_output_tokens => 0, idempotency_key => 'job-1', ttl => '1 day')).reservation = open FROM kept")" t &&
        is "$(query "$1" "SELECT (tb_commit(settled, '{\"input_tokens\": 50, \"output_tokens\": 0}')).entry = entry FROM kept")" t &&
        no_difference "$1"
}
prices_resolve() {
    is "$(query "$1" "SELECT string_agg(DISTINCT price.model || ' ' || price.origin, ', ') || ', unresolved: ' || count(*) FILTER (WHERE price.price_id IS NULL)
        FROM tokbudget.entry LEFT JOIN tokbudget.price USING (price_id) WHERE entry.price_id IS NOT NULL")" 'gpt-4o book, own-model user, unresolved: 0'
}
# "hello world" has two tokens.
calibrations_hold() { is "$(query "$1" "SELECT input_tokens, count_basis FROM tb_reserve('acme/search/bot', 'own-model', prompt => 'hello world', max_output_tokens => 1)")" '3|calibrated'; }
# refused DATABASE CODE STATEMENT
refused() {
    local said
    said=$(psql -Xq -v VERBOSITY=verbose -d "$1" -c "$3" 2>&1) && { echo "was accepted: $3"; return 1; }
    [[ $said = *"ERROR:  $2:"* ]] || { echo "$said"; return 1; }
}
ledger_immutable() {
    refused "$1" TB010 "SET session_replication_role = replica; UPDATE tokbudget.entry SET cost = 0" &&
        refused "$1" TB010 "SET session_replication_role = replica; DELETE FROM tokbudget.entry_default" &&
        refused "$1" TB010 "SET session_replication_role = replica; TRUNCATE tokbudget.entry" &&
        refused "$1" TB010 "SET session_replication_role = replica; UPDATE tokbudget.carried SET spent_units = 0" &&
        refused "$1" TB010 "SET session_replication_role = replica; TRUNCATE tokbudget.carried"
}
months_immutable() {
    refused "$1" TB010 "SET session_replication_role = replica; UPDATE tokbudget.entry_2026_01 SET cost = 0" &&
        refused "$1" TB010 "SET session_replication_role = replica; DELETE FROM tokbudget.entry_2026_01" &&
        refused "$1" TB010 "SET session_replication_role = replica; TRUNCATE tokbudget.entry_2026_01"
}
# bravo has 1000, 50 of them spent, and 100 expired without a sweep: 950 fit, and nothing more. The open hold still settles.
goes_on() {
    query "$1" "SELECT tb_reserve('bravo/lab', input_tokens => 950)" >/dev/null &&
        refused "$1" TB001 "SELECT tb_reserve('bravo/lab', input_tokens => 1)" &&
        refused "$1" TB009 "SELECT tb_reserve('acme/ads', input_tokens => 1)" &&
        is "$(query "$1" "SELECT tokens FROM kept, LATERAL tb_commit(open, '{\"input_tokens\": 250, \"output_tokens\": 0}')")" 250 &&
        is "$(query "$1" 'SELECT tb_expire()')" 1 &&
        no_difference "$1"
}

# 60 of 100 are spent, once; what is written into the table or its partition from now on is charged.
guard_spent() { is "$(query "$1" "SELECT spent FROM tb_remaining('delta')")" "$2"; }
guard_goes_on() {
    guard_spent "$1" 60 &&
        refused "$1" TB001 "INSERT INTO \"Its own\".calls VALUES ('delta/lab', '{\"input_tokens\": 41, \"output_tokens\": 0}')" &&
        refused "$1" 42501 "INSERT INTO \"Its own\".calls VALUES ('bravo/lab', '{\"input_tokens\": 1, \"output_tokens\": 0}')" &&
        query "$1" "INSERT INTO \"Its own\".calls VALUES ('delta/lab', '{\"input_tokens\": 15, \"output_tokens\": 0}')" &&
        query "$1" "INSERT INTO \"Its own\".calls_rest VALUES ('delta/lab', '{\"input_tokens\": 5, \"output_tokens\": 0}')" &&
        guard_spent "$1" 80 && no_difference "$1"
}

access_granted() {
    is "$(query "$1" "SET ROLE dump_spender; SELECT bool_and(spent >= 0) FROM tb_remaining('bravo/lab')")" t &&
        refused "$1" 42501 "SET ROLE dump_spender; SELECT tb_reserve('acme', input_tokens => 1)" &&
        refused "$1" 42501 "SET ROLE dump_spender; TABLE tokbudget.access"
}

# restored NAME: all that must hold in the database NAME.
restored() {
    check "$1: the same rows" same_contents "$1"
    check "$1: balance = ledger" no_difference "$1"
    check "$1: retries get their first answers" same_answers "$1"
    check "$1: every price is found" prices_resolve "$1"
    check "$1: calibrations hold" calibrations_hold "$1"
    check "$1: the ledger is immutable" ledger_immutable "$1"
    check "$1: who could spend still can" access_granted "$1"
    check "$1: spending goes on" goes_on "$1"
}

createdb origin
fill origin

dump_plain() { createdb plain && pg_dump origin >"$work/plain.sql" && psql -XqAt -v ON_ERROR_STOP=1 -d plain -f "$work/plain.sql" >/dev/null; }
dump_custom() { createdb custom && pg_dump -Fc -f "$work/custom.dump" origin && pg_restore --exit-on-error -j2 -d custom "$work/custom.dump"; }
# Into a database where the extension, and the user's own tables, are already, and no month has a partition. EXECUTE on the
# functions is not data.
dump_data() {
    createdb data_only && query data_only 'CREATE EXTENSION tokbudget; CREATE TABLE kept (open uuid, settled uuid, entry uuid); CREATE SCHEMA "Its own"; CREATE TABLE "Its own".calls (account text, usage jsonb) PARTITION BY LIST (account); CREATE TABLE "Its own".calls_rest PARTITION OF "Its own".calls DEFAULT; CREATE TABLE tokbudget.entry_2025_11_detached (LIKE tokbudget.entry)' &&
        pg_dump --data-only --load-via-partition-root origin >"$work/data.sql" && psql -XqAt -v ON_ERROR_STOP=1 -d data_only -f "$work/data.sql" >/dev/null &&
        query data_only "SELECT tb_grant_access('dump_spender', 'bravo', 'spend')" >/dev/null
}
# Nothing is left in entry_default, and upkeep goes on from there: detaching, dropping what was detached, new months.
upkeep_goes_on() {
    query "$1" 'SELECT tb_maintain()' >/dev/null &&
        is "$(query "$1" "SELECT count(*) FROM ONLY tokbudget.entry_default")" 0 &&
        is "$(query "$1" "SELECT partitions_made, entries_moved, pending FROM tb_maintain()")" '0|0|{}' &&
        is "$(query "$1" "SELECT tb_drop_month('2025-11-01', 'archived'), tb_drop_month('2025-12-01', 'archived')")" '3|2' &&
        refused "$1" TB008 "SELECT tb_drop_month('2025-11-01', 'archived')" &&
        no_difference "$1"
}
# Where the table has no guard, it gets one after its data; then data is restored in the role of a replica, or is charged again.
guard_again() {
    query "$1" "SELECT tb_guard('\"Its own\".calls', 'account', usage_column => 'usage', under => 'delta')" >/dev/null &&
        is "$(query "$1" 'SELECT count(*) FROM tokbudget.guard')" 1 && guard_spent "$1" 60 &&
        pg_dump --data-only --table '"Its own".*' origin | PGOPTIONS='-c session_replication_role=replica' psql -XqAt -v ON_ERROR_STOP=1 -d "$1" >/dev/null &&
        guard_goes_on "$1"
}
check 'plain dump and restore' dump_plain
check 'plain: the same partitions' same_partitions plain
restored plain
check 'plain: the guard goes on' guard_goes_on plain
check 'plain: months are immutable' months_immutable plain
check 'custom dump, parallel restore' dump_custom
check 'custom: the same partitions' same_partitions custom
restored custom
check 'custom: the guard goes on' guard_goes_on custom
check 'custom: months are immutable' months_immutable custom
check 'custom: upkeep goes on' upkeep_goes_on custom
check 'dump of the data alone' dump_data
restored data_only
check 'data_only: upkeep goes on' upkeep_goes_on data_only
check 'data_only: the guard is set up again' guard_again data_only
check 'data_only: months are immutable' months_immutable data_only
# A dump of what was restored is the whole again.
dump_again() { createdb again && pg_dump plain | psql -XqAt -v ON_ERROR_STOP=1 -d again >/dev/null && diff <(contents plain) <(contents again); }
check 'dump of a restored database' dump_again
begin_again() {
    query again 'SET client_min_messages = error; DROP EXTENSION tokbudget CASCADE' &&
        is "$(query again "SELECT count(*) FROM pg_class WHERE relname ~ '^entry_'")" 0 &&
        query again 'CREATE EXTENSION tokbudget' &&
        is "$(query again 'SELECT partition FROM tokbudget.entry_partition')" tokbudget.entry_default &&
        query again "SELECT tb_create_account('acme/search/bot'), tb_create_budget('acme', 'tokens', 10)" >/dev/null &&
        query again "SELECT tb_commit((tb_reserve('acme/search/bot', input_tokens => 10)).reservation, '{\"input_tokens\": 10, \"output_tokens\": 0}')" >/dev/null &&
        is "$(query again 'SELECT count(*) FROM tokbudget.entry_partition')|$(query again 'SELECT count(*) FROM ONLY tokbudget.entry_default')" '14|0' &&
        no_difference again
}
check 'dropped with CASCADE and made again: a new beginning' begin_again

# An upgrade of the extension brings a newer book. What users set and imported stays, and keeps winning; entries still find
# the versions that they were priced with.
upgrade_script=$TB_SHARE/extension/tokbudget--0.1.0--0.1.0.next.sql
own_prices() { query "$1" "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (SELECT price::text AS t FROM tokbudget.price WHERE origin <> 'book' UNION ALL SELECT model::text FROM tokbudget.model WHERE origin <> 'book' UNION ALL SELECT rate::text FROM tokbudget.rate) AS t"; }
upgrade() {
    createdb -T origin upgraded
    cat >"$upgrade_script" <<'SQL'
UPDATE tokbudget.price SET ends_at = '2026-06-01 UTC' WHERE origin = 'book' AND model = 'gpt-4o' AND provider = 'openai' AND service_tier = 'standard' AND ends_at IS NULL;
INSERT INTO tokbudget.price (model, provider, effective_at, unit_prices, source)
VALUES ('gpt-4o', 'openai', '2026-06-01 UTC', '{"input": 1, "output": 4}', 'next book'), ('own-model', 'acme', '2020-01-01 UTC', '{"input": 999, "output": 999}', 'next book'),
    ('next-model', 'openai', '1970-01-01 UTC', '{"input": 3, "output": 4}', 'next book');
SQL
    local status=0
    query upgraded "ALTER EXTENSION tokbudget UPDATE TO '0.1.0.next'" || status=$?
    rm -f "$upgrade_script"
    return "$status"
}
input_price() { query "$1" "SELECT origin || ' ' || unit_price FROM tb_price('$2', '$3') WHERE kind = 'input'"; }
new_book() { is "$(input_price upgraded next-model 2026-07-01)" 'book 3'; }
own_prices_stay() { is "$(own_prices upgraded)" "$(own_prices origin)"; }
own_prices_win() { is "$(input_price upgraded own-model 2026-07-01) $(input_price upgraded gpt-4o 2026-07-01)" 'user 2 import 9'; }
check 'upgrade' upgrade
check 'upgraded: the new book is there' new_book
check 'upgraded: own prices stay' own_prices_stay
check 'upgraded: own prices win' own_prices_win
check 'upgraded: every price is found' prices_resolve upgraded
check 'upgraded: balance = ledger' no_difference upgraded

# Crashes. Writers note each id that the server has acknowledged; one transaction is open when the end comes.
createdb crash
query crash "CREATE EXTENSION tokbudget; SELECT tb_create_account('crash/bot'), tb_create_budget('crash', 'tokens', 1000000000), tb_create_budget('crash/bot', 'tokens', 1000000000, 'day'),
    tb_create_account('open/bot'), tb_create_budget('open', 'tokens', 1000)" >/dev/null

writer() {
    local i
    for ((i = 0; i < 20000; i++)); do
        echo "SELECT 'reservation', (tb_reserve('crash/bot', input_tokens => 5)).reservation;"
        echo "SELECT 'entry', (tb_commit((tb_reserve('crash/bot', input_tokens => 5)).reservation, '{\"input_tokens\": 3, \"output_tokens\": 0}')).entry;"
    done | psql -XAtq -F ' ' -d crash >>"$work/acknowledged" 2>/dev/null
}
# Prints the id of the backend whose transaction is open. It is another tenant's, or the writers would wait for it.
open_transaction() {
    psql -Xq -d crash >/dev/null 2>&1 <<<"BEGIN; SELECT tb_reserve('open/bot', input_tokens => 777); SELECT pg_sleep(600);" &
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        query crash "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND wait_event = 'PgSleep'" | grep . && return
        sleep 0.05
    done
    return 1
}
server_up() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        psql -Xqd crash -c 'SELECT 1' >/dev/null 2>&1 && return
        sleep 0.1
    done
    return 1
}
server_gone() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        pgrx-config/cluster.sh status "$cluster" || return 0
        sleep 0.1
    done
    return 1
}
# The ends, each with the way back.
end_backend() { kill -9 "$1" && sleep 0.5 && server_up; }
end_server() { kill "-$1" "$(cat "$work/pid")" && server_gone && pgrx-config/cluster.sh start "$cluster" && server_up; }
end_server_at_once() { end_server QUIT; }
end_server_by_force() { end_server KILL; }

crash() {
    local backend writers=() before after
    before=$(wc -l <"$work/acknowledged")
    writer & writers+=($!)
    writer & writers+=($!)
    backend=$(open_transaction) || { echo 'no open transaction'; return 1; }
    sleep 1
    "$1" "$backend" || return 1
    wait "${writers[@]}" || true
    # Their last line may be cut short.
    after=$(grep -cE '^(reservation|entry) [-0-9a-f]{36}$' "$work/acknowledged")
    echo "acknowledged: $after"
    [ "$after" -gt "$before" ]
}
acknowledged_present() {
    grep -E '^(reservation|entry) [-0-9a-f]{36}$' "$work/acknowledged" >"$work/ids"
    is "$(psql -XAtq -v ON_ERROR_STOP=1 -d crash <<SQL
CREATE TEMP TABLE acknowledged (kind text, id uuid);
\copy acknowledged FROM '$work/ids' WITH (DELIMITER ' ')
SELECT count(*) FROM acknowledged WHERE id NOT IN (SELECT reservation_id FROM tokbudget.reservation UNION ALL SELECT entry_id FROM tokbudget.entry);
SQL
    )" 0
}
uncommitted_absent() { is "$(query crash 'SELECT count(*) FROM tokbudget.reservation WHERE input_tokens = 777')" 0; }

: >"$work/acknowledged"
for end in end_backend end_server_at_once end_server_by_force; do
    check "$end: the server comes back" crash "$end"
    check "$end: what was acknowledged is there" acknowledged_present
    check "$end: what was not committed is not" uncommitted_absent
    check "$end: balance = ledger" no_difference crash
done
report
