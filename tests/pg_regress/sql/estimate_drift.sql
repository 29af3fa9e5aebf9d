-- What was estimated before calls against what the provider counted.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-31 23:30:00+00';
SELECT tb_create_account('drift/team/bot') > 0, tb_create_account('drift/lab') > 0;
SELECT count(tb_set_price(model, 'acme', 1, 1, effective_at => '2020-01-01')) FROM unnest('{drift-a, drift-x}'::text[]) AS model;
SELECT tb_set_model('drift-a', 'acme', encoding => 'cl100k_base', count_basis => 'estimated', max_output_tokens => 10), tb_set_model('drift-x', 'acme', encoding => 'cl100k_base', count_basis => 'exact', max_output_tokens => 10);
CREATE FUNCTION pg_temp.call(account text, model text, counted integer, actual integer) RETURNS bigint
LANGUAGE sql AS $$ SELECT (tb_commit((tb_reserve(account, model, prompt => repeat(' hello', counted))).reservation, jsonb_build_object('prompt_tokens', actual, 'completion_tokens', 0))).tokens $$;
CREATE FUNCTION pg_temp.given(account text, model text, counted integer, actual integer) RETURNS bigint
LANGUAGE sql AS $$ SELECT (tb_commit((tb_reserve(account, model, input_tokens => counted)).reservation, jsonb_build_object('prompt_tokens', actual, 'completion_tokens', 0))).tokens $$;

SELECT * FROM tb_estimate_drift('drift');
-- March: 10 calls of 100 counted tokens use 125, of which 25 come from a cache, and 10 use 200. Counted 2000, used 3250, ratio
-- 1.625; the 10th of 20 is 1.25, the first as well, the 19th is 2. Errors of 25/125 = 20 % and 100/200 = 50 %: 35 % in the mean.
-- 2000/3250 - 1 = -38.46 %. None was enough. 20 are too few to judge.
SELECT count(tb_commit((tb_reserve('drift/team/bot', 'drift-a', prompt => repeat(' hello', 100))).reservation, '{"prompt_tokens": 125, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 25}}')) + count(pg_temp.call('drift/team/bot', 'drift-a', 100, 200)) FROM generate_series(1, 10);
-- April: 30 calls at 1.25, so the median stays. May: 30 calls at 1.375, 10 % more: drift.
SET tokbudget.clock = '2026-04-10 10:00:00+00';
SELECT count(pg_temp.call('drift/team/bot', 'drift-a', 100, 125)) FROM generate_series(1, 30);
SET tokbudget.clock = '2026-05-10 10:00:00+00';
SELECT count(pg_temp.call('drift/lab', 'drift-a', 80, 110)) FROM generate_series(1, 30);
-- June: the factor 1.375 holds 137.5, so 138, for 100; 137 are used: 137/100 against 1.375 is no drift, and 0.73 % is too much.
SELECT tb_set_calibration('drift', 'acme', 'drift-a', 1.375, effective_at => '2026-06-01') > 0;
SET tokbudget.clock = '2026-06-10 10:00:00+00';
SELECT count(pg_temp.call('drift/lab', 'drift-a', 100, 137)) FROM generate_series(1, 30);
-- July: 30 of 40 calls use 137 and 10 use 139, for which 138 are not enough: 75 % covered.
SET tokbudget.clock = '2026-07-10 10:00:00+00';
SELECT count(pg_temp.call('drift/lab', 'drift-a', 100, 137)) FROM generate_series(1, 30);
SELECT count(pg_temp.call('drift/lab', 'drift-a', 100, 139)) FROM generate_series(1, 10);
-- August: 300 are held for 100 that use 137, 118.98 % too much.
SELECT tb_set_calibration('drift', 'acme', 'drift-a', 3, effective_at => '2026-08-01') > 0;
SET tokbudget.clock = '2026-08-10 10:00:00+00';
SELECT count(pg_temp.call('drift/lab', 'drift-a', 100, 137)) FROM generate_series(1, 30);
-- Exact counts: right in July, and off in August by a system prompt that the caller did not pass. Given ones: too low, and too high.
SET tokbudget.clock = '2026-07-11 10:00:00+00';
SELECT count(pg_temp.call('drift/lab', 'drift-x', 100, 101)), count(pg_temp.given('drift/lab', 'drift-a', 90, 120)) FROM generate_series(1, 30);
SET tokbudget.clock = '2026-08-11 10:00:00+00';
SELECT count(pg_temp.call('drift/lab', 'drift-x', 100, 110)), count(pg_temp.given('drift/lab', 'drift-a', 180, 120)) FROM generate_series(1, 30);
-- What does not count: partial and estimated usage, charges, calls without a model, releases, corrections.
SELECT count(*) FROM (
    SELECT tb_commit((tb_reserve('drift/lab', 'drift-a', prompt => repeat(' hello', 100))).reservation, '{"prompt_tokens": 900, "completion_tokens": 0}', usage_source => source)::text FROM unnest('{partial, estimated}'::text[]) AS source
    UNION ALL SELECT tb_commit((tb_reserve('drift/lab', 'drift-a', prompt => repeat(' hello', 100))).reservation, NULL)::text
    UNION ALL SELECT tb_charge('drift/lab', 'drift-a', '{"prompt_tokens": 900, "completion_tokens": 0}')::text
    UNION ALL SELECT tb_commit((tb_reserve('drift/lab', input_tokens => 5)).reservation, '{"input_tokens": 9, "output_tokens": 0}')::text
    UNION ALL SELECT tb_release((tb_reserve('drift/lab', 'drift-a', prompt => ' hello')).reservation)::text) AS t;
SELECT tb_refund(entry_id, 'goodwill', 0.000001) IS NOT NULL FROM tokbudget.entry WHERE request_model = 'drift-x' LIMIT 1;

SET tokbudget.clock = '2026-08-31 00:00:00+00';
\x on
SELECT * FROM tb_estimate_drift('drift', since => '2026-01-01') WHERE count_basis = 'estimated' AND period < '2026-07-01';
\x off
SELECT period::date, count_basis, encoding, calls, calibrated_calls AS calibrated, counted_tokens AS counted, estimated_tokens AS estimated, actual_tokens AS actual, median_ratio, drift_percent AS drift, covered_percent AS covered, verdict
FROM tb_estimate_drift('drift', since => '2026-07-01');
-- The last 90 days; a part of the tree; a month that begins in another zone; weeks begin on Monday.
SELECT period::date, count_basis, calls FROM tb_estimate_drift('drift') ORDER BY period, count_basis;
SELECT period::date, calls FROM tb_estimate_drift('drift/team', since => '2026-01-01');
SELECT period, calls FROM tb_estimate_drift('drift/team', since => '2026-01-01', time_zone => 'Europe/Berlin');
SELECT period, calls FROM tb_estimate_drift('drift/team', since => '2026-01-01', until => '2026-04-01', by => 'week') UNION ALL SELECT period, calls FROM tb_estimate_drift('drift/team', since => '2026-01-01', until => '2026-04-01', by => 'day');

SELECT arguments, code_of('SELECT * FROM tb_estimate_drift(' || arguments || ')') FROM unnest(ARRAY[$$'drift-none'$$, $$NULL$$, $$''$$, $$'drift//x'$$, $$'drift', by => 'hour'$$, $$'drift', by => NULL$$, $$'drift', time_zone => 'Nowhere'$$, $$'drift', time_zone => NULL$$, $$'drift', '-infinity'$$,
    $$'drift', until => 'infinity'$$, $$'drift', '2026-05-01', '2026-05-01'$$, $$'drift', '2026-05-02', '2026-05-01'$$]) AS arguments;
-- A role sees what is below the account that it may read.
CREATE ROLE drift_reader;
SELECT tb_grant_access('drift_reader', 'drift/lab', 'read');
SET ROLE drift_reader;
SELECT sum(calls) FROM tb_estimate_drift('drift/lab', since => '2026-01-01');
SELECT code_of($$SELECT tb_estimate_drift('drift')$$), code_of($$SELECT tb_estimate_drift('drift/team')$$), code_of($$SELECT * FROM tokbudget._estimates(1, 1, '-infinity', 'infinity')$$);
RESET ROLE;
SELECT tb_revoke_access('drift_reader', 'drift/lab', 'read');
DROP ROLE drift_reader;
