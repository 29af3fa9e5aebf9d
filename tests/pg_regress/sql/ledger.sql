-- The ledger is append-only, for everybody and in every mode of replication.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('led') > 0, tb_create_budget('led', 'tokens', 1000) > 0;
SET tokbudget.clock = '1990-08-01 10:00:00+00';
SELECT reservation AS one FROM reserve('led', 10) \gset
SELECT tokens FROM tb_commit(:'one', '{"input_tokens": 10, "output_tokens": 0}');
RESET tokbudget.clock;
SELECT tableoid::regclass AS partition, kind, reserved_at, recorded_at, spent_units FROM tokbudget.entry WHERE reservation_id = :'one';

\set SHOW_CONTEXT never
UPDATE tokbudget.entry SET input_tokens = 0 WHERE reservation_id = :'one';
\echo :LAST_ERROR_SQLSTATE
SELECT relation, code_of(format('UPDATE %s SET cost = 0', relation)) AS update, code_of(format('DELETE FROM %s', relation)) AS delete, code_of(format('TRUNCATE %s', relation)) AS truncate,
       code_of('INSERT INTO tokbudget.entry_default SELECT * FROM ONLY tokbudget.entry_default ON CONFLICT (tenant_id, recorded_at, entry_id) DO UPDATE SET cost = 0') AS upsert,
       code_of(format('MERGE INTO %s AS t USING tokbudget.entry AS s ON t.entry_id = s.entry_id WHEN MATCHED THEN DELETE', relation)) AS merge
FROM (VALUES ('tokbudget.entry')) AS t (relation);
SELECT code_of('UPDATE tokbudget.entry_default SET cost = 0') AS update, code_of('DELETE FROM tokbudget.entry_default') AS delete,
       code_of('TRUNCATE tokbudget.entry_default') AS truncate, code_of('TRUNCATE ONLY tokbudget.entry_default') AS truncate_only;
SET session_replication_role = replica;
SELECT mode, code_of(format('UPDATE %s SET cost = 0', relation)) AS update, code_of(format('DELETE FROM %s', relation)) AS delete, code_of(format('TRUNCATE %s', relation)) AS truncate
FROM (VALUES ('replica')) AS m (mode), unnest(ARRAY['tokbudget.entry', 'tokbudget.entry_default']) AS relation;
RESET session_replication_role;
-- The rows of a partition that is added later are under the same law.
CREATE TABLE entry_2001_01 PARTITION OF tokbudget.entry FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');
SET tokbudget.clock = '2001-01-10 10:00:00+00';
SELECT reservation AS two FROM reserve('led', 10) \gset
SELECT tokens FROM tb_commit(:'two', '{"input_tokens": 10, "output_tokens": 0}');
RESET tokbudget.clock;
SELECT tableoid::regclass AS partition FROM tokbudget.entry WHERE reservation_id = :'two';
SELECT code_of('UPDATE entry_2001_01 SET cost = 0') AS update, code_of('DELETE FROM entry_2001_01') AS delete;
SET session_replication_role = replica;
SELECT code_of('UPDATE entry_2001_01 SET cost = 0') AS update, code_of('DELETE FROM entry_2001_01') AS delete;
RESET session_replication_role;
SELECT count(*) FROM entry_2001_01;
SELECT tgrelid::regclass AS relation, tgname, tgenabled FROM pg_trigger
WHERE tgrelid IN ('tokbudget.entry'::regclass, 'tokbudget.entry_default'::regclass) ORDER BY 1, 2;
-- Nothing of all that changed anything.
SELECT sum(spent_units[1]) FROM tokbudget.entry JOIN tokbudget.account USING (tenant_id, account_id) WHERE path = 'led';
SELECT * FROM balances('led');

-- tb_verify finds what does not fit, in each direction: a balance that was touched, and one that is gone.
BEGIN;
SELECT tokbudget._take_checkpoint() IS NOT NULL AS rows_are_there;
UPDATE tokbudget.balance SET spent_units = spent_units + 1
FROM tokbudget.budget JOIN tokbudget.account USING (tenant_id, account_id) WHERE balance.budget_id = budget.budget_id AND path = 'led';
SELECT window_start, spent_units_ledger, spent_units_balance, held_units_ledger, held_units_balance FROM tb_verify();
DELETE FROM tokbudget.balance USING tokbudget.budget JOIN tokbudget.account USING (tenant_id, account_id) WHERE balance.budget_id = budget.budget_id AND path = 'led';
SELECT window_start, spent_units_ledger, spent_units_balance, held_units_ledger, held_units_balance FROM tb_verify();
ROLLBACK;
SELECT * FROM tb_verify();
