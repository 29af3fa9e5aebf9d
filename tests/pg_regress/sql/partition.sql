-- The ledger by months, upkeep, retention. In a database of its own: upkeep tidies all tenants.
\set SHOW_CONTEXT never
SELECT current_database() AS here \gset
CREATE DATABASE regress_tokbudget_partition;
\c regress_tokbudget_partition
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
CREATE EXTENSION tokbudget;
CREATE FUNCTION refused(statement text, OUT code text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END;
$$;
CREATE FUNCTION code_of(statement text) RETURNS text
LANGUAGE sql AS $$ SELECT coalesce(code, message) FROM refused(statement) $$;
-- Spends on the account, at the instant.
CREATE FUNCTION spend(account text, instant timestamptz, tokens bigint) RETURNS uuid
LANGUAGE sql AS $$
    SELECT set_config('tokbudget.clock', instant::text, false);
    SELECT (tb_commit((tb_reserve(account, input_tokens => tokens)).reservation, jsonb_build_object('input_tokens', tokens, 'output_tokens', 0))).entry;
$$;
CREATE VIEW months AS SELECT month, partition, starts_at, ends_at, is_closed FROM tokbudget.entry_partition;
CREATE VIEW placed AS SELECT tableoid::regclass AS partition, count(*) AS entries, sum(spent_units[1]) AS spent FROM tokbudget.entry GROUP BY tableoid ORDER BY (tableoid::regclass)::text COLLATE "C";

-- CREATE EXTENSION makes none; the first tenant brings this month and the next twelve, the second none.
SELECT * FROM months;
SET tokbudget.clock = '2011-03-15 12:00:00+00';
SELECT tb_create_account('acme/bot') > 0 AS account, tb_create_budget('acme', 'tokens', 1000) > 0 AS once, tb_create_budget('acme', 'tokens', 500, 'month') > 0 AS monthly,
       tb_create_account('bravo') > 0 AS other, tb_create_budget('bravo', 'tokens', 1000) > 0 AS other_budget;
SELECT * FROM months;
SELECT count(*) AS members FROM pg_depend WHERE deptype = 'e' AND objid IN (SELECT partition FROM months WHERE month IS NOT NULL);
SELECT tgname ~ 'no_truncate$' AS is_truncate, tgenabled, tgtype, count(DISTINCT tgrelid) AS relations FROM pg_trigger
WHERE NOT tgisinternal AND tgfoid = 'tokbudget._refuse_change'::regproc AND (tgrelid = 'tokbudget.entry'::regclass OR tgrelid IN (SELECT partition FROM months)) GROUP BY 1, 2, 3 ORDER BY 1;
SELECT pg_get_indexdef(indexrelid) ~ 'UNIQUE' AS is_unique, regexp_replace(pg_get_indexdef(indexrelid), '^.* USING', 'USING') AS index, count(*) FROM pg_index WHERE indrelid IN (SELECT partition FROM months) GROUP BY 1, 2 ORDER BY 2;
SELECT partition FROM months WHERE obj_description(partition, 'pg_class') IS NULL;
-- Months are cut in UTC, to the microsecond. A year without upkeep is no matter; what comes later goes into the default one.
SELECT spend('acme/bot', '2011-03-31 23:59:59.999999+00', 1) IS NOT NULL AS last_instant, spend('acme/bot', '2011-04-01 00:00:00+00', 2) IS NOT NULL AS first_instant,
       spend('bravo', '2011-03-20 12:00:00+00', 4) IS NOT NULL AS bravo, spend('acme/bot', '2012-03-31 12:00:00+00', 8) IS NOT NULL AS idle_year,
       spend('acme/bot', '2012-04-10 12:00:00+00', 16) IS NOT NULL AS later, spend('bravo', '2012-04-20 12:00:00+00', 32) IS NOT NULL AS later_too,
       spend('acme/bot', '2010-01-05 12:00:00+00', 64) IS NOT NULL AS before;
SELECT * FROM placed;

-- Upkeep makes what is missing and moves what lies in the default one, whole months at a time: with a batch of one entry
-- the first of two months, which has one.
SET tokbudget.clock = '2012-05-10 12:00:00+00';
-- So that entries_rolled_up counts what this test spends.
SELECT tb_refresh() >= 0;
SELECT * FROM tb_maintain(0, 1);
SELECT * FROM placed;
SELECT * FROM tb_maintain(2);
SELECT * FROM tb_maintain(2);
SELECT * FROM placed;
SELECT month, is_closed FROM months WHERE month IN ('2010-01-01', '2012-04-01', '2012-05-01', '2012-07-01', '2012-08-01') ORDER BY month;
SELECT count(*) AS moved_partitions, bool_and(tgenabled = 'A') AS always FROM pg_trigger WHERE tgrelid IN ('tokbudget.entry_2010_01'::regclass, 'tokbudget.entry_2012_04'::regclass, 'tokbudget.entry_default'::regclass);
SELECT code_of(format('%s_maintain(%s)', 'SELECT tb', arguments)) AS code, arguments
FROM unnest(ARRAY['NULL', '-1', '121', '1, NULL', '1, 0', '1, -5', '1, 1000001', '2147483647']) AS arguments;
SELECT * FROM refused('SELECT tb_maintain(-1)');
-- The clock may stand anywhere, the session's zone and date style may be any.
SET tokbudget.clock = 'infinity';
SELECT * FROM tb_maintain();
SET tokbudget.clock = '2012-07-31 23:30:00+00';
SET timezone = 'Asia/Kolkata';
SET datestyle = 'German';
SELECT * FROM tb_maintain(1);
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
SELECT month, starts_at, ends_at FROM months WHERE starts_at > '2012-06-01';
-- A partition that somebody made by hand is taken as it is.
CREATE TABLE by_hand PARTITION OF tokbudget.entry FOR VALUES FROM ('2012-09-10') TO ('2012-11-05');
SET tokbudget.clock = '2012-08-31 23:30:00+00';
SELECT * FROM tb_maintain(4);
SELECT month, starts_at, ends_at FROM months WHERE starts_at > '2012-08-01';
DROP TABLE by_hand;
SELECT partitions_made FROM tb_maintain(4);

-- Upkeep also sweeps, and deletes keys older than a week, in batches.
SET tokbudget.clock = '2012-06-01 12:00:00+00';
SELECT count(tb_reserve('acme/bot', input_tokens => 5, idempotency_key => 'key ' || n)) FROM generate_series(1, 3) AS n;
SET tokbudget.clock = '2012-06-08 11:59:59+00';
SELECT count(tb_reserve('bravo', input_tokens => 5, idempotency_key => 'key ' || n)) FROM generate_series(1, 2) AS n;
SELECT * FROM tb_maintain(1, 2);
SELECT * FROM tb_maintain(1, 2);
SET tokbudget.clock = '2012-06-08 12:00:00+00';
SELECT * FROM tb_maintain(1, 2);
SELECT * FROM tb_maintain(1, 2);
SELECT count(*) AS keys FROM tokbudget.idempotency;
SET tokbudget.clock = '2012-06-15 11:59:59+00';
SELECT * FROM tb_maintain(1, 3);
SELECT * FROM tb_verify();

-- What is no month, is not over, is not there, has no reason or is not settled stays.
SET tokbudget.clock = '2012-06-20 12:00:00+00';
SELECT month, code_of(format('SELECT tb_detach_month(%L, ''why'')', month)) AS detach, code_of(format('SELECT tb_drop_month(%L, ''why'')', month)) AS drop
FROM unnest(ARRAY[NULL, '2011-03-02', 'infinity', '-infinity', '0044-03-01 BC', '5874897-12-01', '9999-12-01', '2012-06-01', '2012-07-01', '2009-01-01']) AS month;
SELECT code_of($$SELECT tb_detach_month('2011-03-01', NULL)$$) AS detach_without_reason, code_of($$SELECT tb_detach_month('2011-03-01', ' ')$$) AS detach_blank,
       code_of($$SELECT tb_drop_month('2011-03-01', NULL)$$) AS drop_without_reason, code_of($$SELECT tb_drop_month('2011-03-01', 'why', NULL)$$) AS null_option;
SELECT code, message, detail FROM unnest(ARRAY['2011-03-02', '2012-06-01', '2009-01-01']) AS month, refused(format('SELECT tb_detach_month(%L, ''why'')', month));
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM refused($$SELECT tb_drop_month('2011-03-01', 'why')$$);
ROLLBACK;
SET tokbudget.clock = '2011-03-20 12:00:00+00';
SELECT (tb_reserve('acme/bot', input_tokens => 100)).held;
SET tokbudget.clock = '2012-06-20 12:00:00+00';
SELECT * FROM refused($$SELECT tb_drop_month('2011-03-01', 'why', true)$$);
SELECT * FROM refused($$SELECT tb_detach_month('2011-03-01', 'why')$$);
SELECT reservations_expired FROM tb_maintain(1);
SELECT * FROM placed;

-- A month that is detached is a plain table that its owner may do anything with. Its sums stay, also with a rollback between.
BEGIN;
SELECT tb_detach_month('2011-03-01', 'why');
ROLLBACK;
SELECT partition, entries, spent FROM placed WHERE partition = 'tokbudget.entry_2011_03'::regclass;
SELECT tb_detach_month('2011-03-01', 'older than a year');
SELECT * FROM placed;
SELECT tenant_id, window_start, month, spent_units, entries, carried_at FROM tokbudget.carried ORDER BY tenant_id, window_start, reserved_from;
SELECT count(*) AS rows, sum(input_tokens) AS tokens FROM tokbudget.entry_2011_03_detached;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'tokbudget.entry_2011_03_detached'::regclass;
SELECT obj_description('tokbudget.entry_2011_03_detached'::regclass, 'pg_class');
SELECT spent, remaining, window_start FROM tb_remaining('bravo');
SELECT count(*) AS listed FROM months WHERE month = '2011-03-01';
SELECT * FROM tb_verify();
-- The windows of a detached month are still what they were, and a balance that is not is found.
SELECT window_start, spent_units FROM tokbudget._balances() JOIN tokbudget.budget USING (tenant_id, budget_id) WHERE every = 'month' AND window_start < '2011-05-01' ORDER BY 1;
BEGIN;
UPDATE tokbudget.balance SET spent_units = spent_units + 1 WHERE window_start = '2011-03-01';
SELECT window_start, spent_units_ledger, spent_units_balance FROM tb_verify();
ROLLBACK;
-- An entry that comes late all the same, from a clock that stood back, finds a place; the month can leave once more.
SELECT spend('acme/bot', '2011-03-25 12:00:00+00', 128) IS NOT NULL AS late;
SET tokbudget.clock = '2012-06-20 12:00:00+00';
SELECT partition, entries, spent FROM placed WHERE spent = 128;
SELECT code, message, detail FROM refused($$SELECT tb_detach_month('2011-03-01', 'again')$$);
SELECT partitions_made, entries_moved FROM tb_maintain(1);
SELECT code, message, detail FROM refused($$SELECT tb_detach_month('2011-03-01', 'again')$$);
SELECT tb_drop_month('2011-03-01', 'exported') AS dropped_the_detached;
SELECT tb_drop_month('2011-03-01', 'exported') AS dropped_the_late;
SELECT * FROM refused($$SELECT tb_drop_month('2011-03-01', 'exported')$$);
SELECT tenant_id, window_start, month, spent_units, entries FROM tokbudget.carried ORDER BY tenant_id, window_start, carried_id, reserved_from;
SELECT * FROM tb_verify();

-- Dropped at once: an empty month, and one with its reservations; those of other months stay.
SELECT tb_drop_month('2011-05-01', 'empty');
SELECT created_at, state FROM tokbudget.reservation WHERE created_at < '2012-01-01' ORDER BY created_at;
SELECT tb_drop_month('2011-04-01', 'older than a year', true);
SELECT created_at, state FROM tokbudget.reservation WHERE created_at < '2012-01-01' ORDER BY created_at;
SELECT * FROM tb_verify();

-- A correction outlives the month of what it corrects; a re-rating no longer sees that month.
SET tokbudget.clock = '2012-05-05 12:00:00+00';
SELECT tb_create_account('charlie') > 0, tb_create_budget('charlie', 'cost', 10) > 0;
SELECT tb_set_unpriced('charlie', 'record', '{"input": 1000, "output": 1000}');
SELECT count(tb_commit((tb_reserve('charlie', 'priced-later', input_tokens => 100, max_output_tokens => 0)).reservation, '{"input_tokens": 100, "output_tokens": 0}')) FROM generate_series(1, 2);
SET tokbudget.clock = '2012-06-20 12:00:00+00';
SELECT tb_set_price('priced-later', 'acme', 2000, 2000, effective_at => '2012-01-01') > 0;
SELECT count(*), sum(new_cost) FROM tb_rerate('charlie', batch_size => 1);
SELECT tb_drop_month('2012-05-01', 'one is corrected, one is not');
SELECT count(*) FROM tb_rerate('charlie');
SELECT period, cost FROM tokbudget.chargeback WHERE account = 'charlie';
SELECT spent FROM tb_remaining('charlie');
SELECT * FROM tb_verify();

-- The law holds in every partition, for the owner and in every mode of replication, before and after upkeep.
SELECT spend('acme/bot', '2020-01-01 00:00:00+00', 256) IS NOT NULL AS into_default;
SELECT relation, set_config('session_replication_role', mode, false) AS mode,
       code_of(format('UPDATE %s SET tenant_id = tenant_id', relation)) AS update, code_of(format('DELETE FROM %s', relation)) AS delete,
       code_of(format('TRUNCATE %s', relation)) AS truncate, code_of(format('TRUNCATE ONLY %s', relation)) AS truncate_only
FROM unnest(ARRAY['origin', 'replica', 'local']) AS mode,
     unnest(ARRAY['tokbudget.entry', 'tokbudget.entry_default', 'tokbudget.entry_2010_01', 'tokbudget.entry_2012_04', 'tokbudget.carried']) AS relation;
RESET session_replication_role;
SELECT * FROM placed;

-- Roles: nothing without a grant; with a grant of the functions, the functions and nothing else.
CREATE ROLE regress_tokbudget_upkeep;
CREATE VIEW calls AS
SELECT unnest(ARRAY['SELECT tb_maintain()', $$SELECT tb_detach_month('2012-04-01', 'x')$$, $$SELECT tb_drop_month('2012-04-01', 'x')$$]) AS call;
CREATE VIEW around AS
SELECT unnest(ARRAY['SELECT tokbudget._add_partition(''2013-01-01'')', 'SELECT tokbudget._make_partitions(now())', 'SELECT tokbudget._detach(''2012-04-01'', ''x'', ''x'')',
    'ALTER TABLE tokbudget.entry_default DISABLE TRIGGER entry_immutable', 'ALTER TABLE tokbudget.entry DETACH PARTITION tokbudget.entry_2012_04',
    'DROP TABLE tokbudget.entry_2012_04', 'DELETE FROM tokbudget.entry_2012_04', 'SELECT * FROM tokbudget.entry_2012_04', 'TABLE tokbudget.carried', 'INSERT INTO tokbudget.carried SELECT',
    'TABLE tokbudget.entry_partition', 'SET session_replication_role = replica']) AS call;
GRANT SELECT ON calls, around TO regress_tokbudget_upkeep;
SET ROLE regress_tokbudget_upkeep;
SELECT call, code_of(call) FROM calls;
RESET ROLE;
GRANT EXECUTE ON FUNCTION tb_maintain(integer, integer), tb_drop_month(date, text, boolean) TO regress_tokbudget_upkeep;
SET tokbudget.clock = '2012-08-20 12:00:00+00';
SET ROLE regress_tokbudget_upkeep;
SELECT call, code_of(call) FROM around;
SELECT partitions_made, entries_moved, pending FROM tb_maintain(2);
SELECT tb_drop_month('2012-04-01', 'by a role of its own');
SELECT call, code_of(call) FROM calls WHERE call ~ 'detach';
RESET ROLE;
-- Whoever made them, the partitions belong to the owner of the ledger, and PUBLIC has nothing.
SELECT count(DISTINCT relowner) AS owners FROM pg_class WHERE oid = 'tokbudget.entry'::regclass OR oid IN (SELECT partition FROM months);
SELECT relname, relacl FROM pg_class WHERE oid IN (SELECT partition FROM months WHERE month IS NOT NULL) AND relacl::text ~ '[{,]=';
DROP OWNED BY regress_tokbudget_upkeep;
DROP ROLE regress_tokbudget_upkeep;
SELECT * FROM tb_verify();

-- With the extension all of it goes but what has left the ledger, which wants to be dropped by name.
SELECT tb_detach_month('2012-03-01', 'kept');
DROP VIEW months, placed;
DROP EXTENSION tokbudget;
\echo :LAST_ERROR_SQLSTATE
DROP TABLE tokbudget.entry_2012_03_detached;
DROP EXTENSION tokbudget;
SELECT count(*) FROM pg_class WHERE relname ~ '^entry_';
CREATE EXTENSION tokbudget;
SELECT partition FROM tokbudget.entry_partition;
SELECT count(*) FROM tokbudget.carried;
\c :here
DROP DATABASE regress_tokbudget_partition;
