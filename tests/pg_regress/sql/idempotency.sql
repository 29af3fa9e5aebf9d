-- Idempotency keys: each of the six operations has keys of its own; the same call again is the same answer.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT tb_set_meter_price('ide_pages', 0.01, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('ide') > 0 AS made, tb_create_budget('ide', 'units', 100) AS units \gset
CREATE VIEW pg_temp.keys AS SELECT operation, idempotency_key, answer IS NOT NULL AS answered FROM tokbudget.idempotency WHERE tenant_id = (SELECT tenant_id FROM tokbudget.tenant WHERE name = 'ide') ORDER BY operation, idempotency_key;
-- One key for all six.
SELECT reservation AS r FROM tb_reserve('ide', meters => '{"units": 10}', idempotency_key => 'job-1') \gset
SELECT reservation AS r2 FROM tb_reserve('ide', meters => '{"units": 20}', idempotency_key => 'job-2') \gset
SELECT entry AS c FROM tb_commit(:'r', '{"meters": {"units": 7}}', idempotency_key => 'job-1') \gset
SELECT tb_release(:'r2', 'not needed', 'job-1');
SELECT entry AS ch FROM tb_charge('ide', NULL, '{}', meters => '{"units": 1, "ide_pages": 100}', idempotency_key => 'job-1') \gset
SELECT tb_adjust(:'ch', 0.9, 'ten were blank', 'job-1') AS adj \gset
SELECT tb_refund(:'ch', 'ten more were blank', 0.1, 'job-1') AS ref \gset
SELECT * FROM pg_temp.keys;
SELECT meter, spent, held FROM balances('ide');
-- Again: the same answers, and nothing moves. A release that gave something back says so again.
SELECT (tb_reserve('ide', meters => '{"units": 10}', idempotency_key => 'job-1')).reservation = :'r' AS reserve, (tb_commit(:'r', '{"meters": {"units": 7}}', idempotency_key => 'job-1')).entry = :'c' AS commit,
       tb_release(:'r2', 'not needed', 'job-1') AS release, tb_release(:'r2', 'not needed') AS release_without, (tb_charge('ide', NULL, '{}', meters => '{"units": 1, "ide_pages": 100}', idempotency_key => 'job-1')).entry = :'ch' AS charge,
       tb_adjust(:'ch', 0.9, 'ten were blank', 'job-1') = :'adj' AS adjust, tb_refund(:'ch', 'ten more were blank', 0.1, 'job-1') = :'ref' AS refund;
SELECT meter, spent, held FROM balances('ide');
SELECT count(*) FROM tokbudget.entry WHERE account_id = (SELECT account_id FROM tokbudget.account WHERE path = 'ide');
-- The answer is that of then, to tb_try_reserve too.
SELECT allowed, reservation = :'r' AS same, remaining, expires_at FROM tb_try_reserve('ide', meters => '{"units": 10}', idempotency_key => 'job-1');
-- Another payload: refused each time, argument by argument.
SELECT code, message, detail, count(*) FROM unnest(ARRAY['''ide'', meters => ''{"units": 11}''', '''ide'', meters => ''{"units": 10}'', ttl => ''1 hour''', '''ide'', meters => ''{"units": 10}'', input_tokens => 0', '''ide'', meters => ''{"units": 10}'', max_output_tokens => 1',
    '''ide'', meters => ''{"units": 10}'', attributes => ''{"task": "x"}''', '''ide'', meters => ''{"units": 10}'', also => ARRAY[''ide'']', '''ide''']) AS arguments, LATERAL refused(format('SELECT tb_reserve(%s, idempotency_key => ''job-1'')', arguments)) GROUP BY code, message, detail;
SELECT code_of(format('SELECT tb_commit(%L, ''{"meters": {"units": 8}}'', idempotency_key => ''job-1'')', :'r')) AS commit_usage, code_of(format('SELECT tb_commit(%L, ''{"meters": {"units": 7}}'', idempotency_key => ''job-1'')', :'r2')) AS commit_reservation,
       code_of(format('SELECT tb_release(%L, ''other words'', ''job-1'')', :'r2')) AS release_reason, code_of(format('SELECT tb_release(%L, ''not needed'', ''job-1'')', :'r')) AS release_reservation,
       code_of('SELECT tb_charge(''ide'', NULL, ''{}'', meters => ''{"units": 2}'', idempotency_key => ''job-1'')') AS charge, code_of(format('SELECT tb_adjust(%L, 0.8, ''ten were blank'', ''job-1'')', :'ch')) AS adjust,
       code_of(format('SELECT tb_refund(%L, ''ten more were blank'', 0.2, ''job-1'')', :'ch')) AS refund;
-- A commit with a key of its own after one without: the same answer, and the key has it from then on.
SELECT (tb_commit(:'r', '{"meters": {"units": 7}}', idempotency_key => 'later')).entry = :'c' AS same, (tb_commit(:'r', '{"meters": {"units": 7}}', idempotency_key => 'later')).entry = :'c' AS again;
SELECT meter, spent, held FROM balances('ide');

-- A refused call does not wedge its retry: 92 are left.
SELECT allowed, code FROM tb_try_reserve('ide', meters => '{"units": 93}', idempotency_key => 'big');
SELECT code_of($$SELECT tb_reserve('ide', meters => '{"units": 93}', idempotency_key => 'big')$$);
SELECT code_of($$SELECT tb_charge('ide', NULL, '{}', meters => '{"units": 93}', idempotency_key => 'big', enforce => true)$$);
SELECT idempotency_key FROM pg_temp.keys WHERE idempotency_key = 'big';
SELECT tb_change_budget(:units, amount => 101);
SELECT allowed, remaining FROM tb_try_reserve('ide', meters => '{"units": 93}', idempotency_key => 'big');
SELECT allowed, remaining FROM tb_try_reserve('ide', meters => '{"units": 93}', idempotency_key => 'big');
SELECT code_of($$SELECT tb_reserve('ide', meters => '{"units": 93}', idempotency_key => 'big')$$) AS held_already;
-- Refused for other reasons than the limit: nothing stays behind.
SELECT allowed, code FROM tb_try_reserve('ide', model => 'no-such-model', input_tokens => 1, idempotency_key => 'model');
SELECT tb_freeze('ide', 'review');
SELECT allowed, code FROM tb_try_reserve('ide', idempotency_key => 'frozen');
SELECT tb_thaw('ide', 'reviewed');
-- Beyond the range of what can be counted it is refused too, again and again.
SELECT tb_create_account('ide-soft') > 0, tb_create_budget('ide-soft', 'units', 1, hard => false) > 0;
SELECT allowed, code FROM tb_try_reserve('ide-soft', meters => '{"units": 9223372036854775807}');
SELECT allowed, code FROM tb_try_reserve('ide-soft', meters => '{"units": 1}', idempotency_key => 'range');
SELECT allowed, code FROM tb_try_reserve('ide-soft', meters => '{"units": 1}', idempotency_key => 'range');
SELECT allowed, code FROM tb_reserve_many('[{"account": "ide-soft", "idempotency_key": "r0"}, {"account": "ide-soft", "meters": {"units": 1}, "idempotency_key": "range"}]', false);
SELECT count(*) FROM tokbudget.idempotency WHERE answer IS NULL;
SELECT code_of(format('SELECT tb_commit(%L, ''{"meters": {"units": -1}}'', idempotency_key => ''bad'')', :'r2')) AS commit, code_of(format('SELECT tb_release(%L, NULL, ''bad'')', :'r')) AS release, code_of(format('SELECT tb_adjust(%L, -1, ''x'', ''bad'')', :'ch')) AS adjust, code_of(format('SELECT tb_refund(%L, ''x'', 99, ''bad'')', :'ch')) AS refund;
SELECT * FROM pg_temp.keys;
-- What rolls back has taken no key.
BEGIN;
SELECT tb_release((tb_reserve('ide', idempotency_key => 'undone')).reservation, NULL, 'undone');
ROLLBACK;
SELECT idempotency_key FROM pg_temp.keys WHERE idempotency_key = 'undone';
DO $$ BEGIN PERFORM tb_reserve('ide', idempotency_key => 'undone'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT idempotency_key FROM pg_temp.keys WHERE idempotency_key = 'undone';
-- Another tenant, the same key.
SELECT tb_create_account('ide-2') > 0;
SELECT (tb_reserve('ide-2', meters => '{"units": 10}', idempotency_key => 'job-1')).reservation <> :'r' AS its_own;
-- In batches: an answered item beside new ones, in one step. 111 - 8 - 93 = 10, less 1; then 9 more.
SELECT tb_change_budget(:units, amount => 111);
SELECT reservation = :'r' AS first, remaining FROM tb_reserve_many('[{"account": "ide", "meters": {"units": 1}, "idempotency_key": "many"}, {"account": "ide", "meters": {"units": 10}, "idempotency_key": "job-1"}]');
SELECT allowed, code FROM tb_reserve_many('[{"account": "ide", "meters": {"units": 1}, "idempotency_key": "many"}, {"account": "ide", "meters": {"units": 2}, "idempotency_key": "job-1"}, {"account": "ide", "meters": {"units": 9}, "idempotency_key": "new"}]', false);
SELECT code_of($$SELECT * FROM tb_reserve_many('[{"account": "ide", "idempotency_key": "x1"}, {"account": "ide", "meters": {"units": 2}, "idempotency_key": "job-1"}]')$$) AS all_or_nothing;
SELECT idempotency_key FROM pg_temp.keys WHERE idempotency_key IN ('x1', 'new');
-- The form of a key: 1 to 255 bytes, of any letters.
SELECT code_of(format('SELECT tb_reserve(''ide'', idempotency_key => %L)', key)), octet_length(key) AS bytes FROM unnest(ARRAY['', repeat('k', 255), repeat('k', 256), repeat('ü', 127), repeat('ü', 128), ' ', E'a\nb', 'Job-1', 'job-1 ']) AS key;
SELECT code_of(format('SELECT tb_release(%L, NULL, '''')', :'r2')) AS release, code_of(format('SELECT tb_adjust(%L, 1, ''x'', '''')', :'ch')) AS adjust, code_of(format('SELECT tb_refund(%L, ''x'', 0.1, '''')', :'ch')) AS refund, code_of(format('SELECT tb_commit(%L, NULL, idempotency_key => '''')', :'r')) AS commit;

-- Retention: after it upkeep deletes them, not a moment before, and the key is free for another call.
UPDATE tokbudget.tenant SET idempotency_retention = '1 day' WHERE name = 'ide';
SET tokbudget.clock = '2026-03-11 09:59:59.999999+00';
SELECT (tb_maintain(months_ahead => 0)).idempotency_keys_deleted;
SET tokbudget.clock = '2026-03-11 10:00:00+00';
SELECT count(*) AS kept FROM pg_temp.keys \gset
SELECT (tb_maintain(months_ahead => 0)).idempotency_keys_deleted = :kept AS all_of_them;
SELECT count(*) FROM pg_temp.keys;
SELECT (tb_reserve('ide', meters => '{"units": 3}', idempotency_key => 'job-1')).reservation <> :'r' AS anew;
-- A commit needs no key to be the same.
SELECT (tb_commit(:'r', '{"meters": {"units": 7}}', idempotency_key => 'job-1')).entry = :'c' AS same;
SELECT meter, spent, held FROM balances('ide');
RESET tokbudget.clock;
SELECT * FROM tb_verify();
