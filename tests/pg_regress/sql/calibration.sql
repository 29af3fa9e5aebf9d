-- Factors for models whose tokenizer is not public: computed from the ledger or set by hand, used by reserve for estimates only.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-05-10 10:00:00+00';
SELECT tb_create_account('cal/team/bot') > 0, tb_create_account('cal-other') > 0, tb_create_budget('cal', 'tokens', 1000000) > 0;
SELECT count(tb_set_price(model, 'acme', 1, 1, effective_at => '2020-01-01')) FROM unnest('{cal-a, cal-b, cal-c, cal-few, cal-exact}'::text[]) AS model;
SELECT tb_set_model('cal-a', 'acme', aliases => '{cal-alias}', encoding => 'gpt-4', count_basis => 'estimated', max_output_tokens => 10);
SELECT count(*) FROM (SELECT tb_set_model(model, 'acme', encoding => 'cl100k_base', count_basis => 'estimated', max_output_tokens => 10) FROM unnest('{cal-b, cal-c, cal-few}'::text[]) AS model OFFSET 0) AS t;
SELECT tb_set_model('cal-exact', 'acme', encoding => 'cl100k_base', count_basis => 'exact', max_output_tokens => 10);
-- In cl100k_base ' hello' is one token.
SELECT tb_count_tokens(repeat(' hello', 100), 'cl100k_base');
-- A call whose prompt counts so many tokens and for which the provider counts so many.
CREATE FUNCTION pg_temp.call(model text, counted integer, actual integer, usage_source text DEFAULT 'provider') RETURNS bigint
LANGUAGE sql AS $$ SELECT (tb_commit((tb_reserve('cal/team/bot', model, prompt => repeat(' hello', counted))).reservation, jsonb_build_object('prompt_tokens', actual, 'completion_tokens', 0), usage_source => usage_source)).tokens $$;
CREATE FUNCTION pg_temp.hold(model text, counted integer, OUT input_tokens bigint, OUT count_basis text, OUT held jsonb)
LANGUAGE sql AS $$ SELECT input_tokens, count_basis, held -> 'input_tokens' FROM tb_reserve('cal/team/bot', model, prompt => repeat(' hello', counted)) $$;

-- 39 calls of 100 counted tokens, half of them under another name, used 101 to 139.
SELECT count(pg_temp.call(CASE i % 2 WHEN 0 THEN 'cal-a' ELSE 'cal-alias' END, 100, 100 + i)) FROM generate_series(1, 39) AS i;
SELECT DISTINCT count_basis, count_encoding, counted_tokens, input_tokens FROM tokbudget.reservation WHERE model LIKE 'cal-a%';
-- None of these counts: a partial one, an estimate, a prompt of less than 20 tokens, a given number, an exact count.
SELECT pg_temp.call('cal-a', 100, 900, 'partial'), pg_temp.call('cal-a', 100, 900, 'estimated'), pg_temp.call('cal-a', 19, 900), pg_temp.call('cal-exact', 100, 900),
    (tb_commit((tb_reserve('cal/team/bot', 'cal-a', input_tokens => 100)).reservation, '{"prompt_tokens": 900, "completion_tokens": 0}')).tokens,
    (tb_commit((tb_reserve('cal/team/bot', 'cal-a', prompt => repeat(' hello', 100))).reservation, '{"prompt_tokens": 800, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 900}}')).flags,
    (tb_commit((tb_reserve('cal/team/bot', 'cal-a', prompt => repeat(' hello', 100))).reservation, NULL)).tokens;
SELECT tb_release((tb_reserve('cal/team/bot', 'cal-a', prompt => repeat(' hello', 100))).reservation);
-- Those of another tenant do not count either.
SELECT count(tb_commit((tb_reserve('cal-other', 'cal-a', prompt => repeat(' hello', 100))).reservation, '{"prompt_tokens": 250, "completion_tokens": 0}')) FROM generate_series(1, 50);
-- Other samples: 5 tokens for one, which is out of bounds; a fifth of a token; 29 calls, which are too few.
SELECT count(pg_temp.call('cal-b', 100, 500)) + count(pg_temp.call('cal-c', 100, 20)) FROM generate_series(1, 30);
SELECT count(pg_temp.call('cal-few', 100, 120)) FROM generate_series(1, 29);

-- Rank ceil(40 * 0.9) = 36 of 39 is 136: factor 1.36 is enough for 36 of 39 calls, 92.31 %. The median is the 20th, 120. What
-- was counted was enough for none of them before, but for cal-c.
SET tokbudget.clock = '2026-05-10 12:00:00+00';
SELECT * FROM tb_calibrate('cal', apply => false);
SELECT count(*) FROM tokbudget.calibration;
SELECT provider, model, change, new_factor FROM tb_calibrate('cal', 'ACME', 'cal-a', reason => 'first');
-- 100 * 1.36 = 136, 3 * 1.36 = 4.08.
SELECT * FROM pg_temp.hold('cal-a', 100);
SELECT * FROM pg_temp.hold('acme/cal-alias', 3);
SELECT * FROM pg_temp.hold('cal-a', 0);
SELECT count_basis, count_encoding, counted_tokens, input_tokens FROM tokbudget.reservation WHERE created_at = '2026-05-10 12:00:00+00' ORDER BY input_tokens;
-- 100 + 3 tokens of a message, its role, and 3 for the answer are 107: 145.52.
SELECT tb_count_messages(jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat(' hello', 100))), 'gpt-4');
SELECT input_tokens, count_basis FROM tb_reserve('cal/team/bot', 'cal-a', messages => jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat(' hello', 100))));
SELECT allowed, input_tokens, count_basis FROM tb_try_reserve('cal/team/bot', 'cal-a', prompt => repeat(' hello', 100));
SELECT input_tokens, count_basis FROM tb_reserve_many(jsonb_build_array(
    jsonb_build_object('account', 'cal/team/bot', 'model', 'cal-a', 'prompt', repeat(' hello', 100)), jsonb_build_object('account', 'cal/team/bot', 'model', 'cal-exact', 'prompt', repeat(' hello', 100)),
    jsonb_build_object('account', 'cal/team/bot', 'model', 'cal-a', 'input_tokens', 100), jsonb_build_object('account', 'cal/team/bot', 'model', 'cal-b', 'prompt', repeat(' hello', 100))));
-- A given number, an exact count, another tenant: as they were. tb_count_tokens and tb_affordable know of no factor.
SELECT input_tokens, count_basis FROM tb_reserve('cal/team/bot', 'cal-a', input_tokens => 100);
SELECT * FROM pg_temp.hold('cal-exact', 100);
SELECT input_tokens, count_basis FROM tb_reserve('cal-other', 'cal-a', prompt => repeat(' hello', 100));
-- To extend a hold does not calibrate it again; nor does its key give anything but the first answer.
SELECT reservation AS extended FROM tb_reserve('cal/team/bot', 'cal-a', prompt => repeat(' hello', 100), idempotency_key => 'cal-1') \gset
SELECT input_tokens, max_output_tokens FROM tb_extend(:'extended', 5);
SELECT tb_set_calibration('cal', 'acme', 'cal-a', 2, effective_at => '2026-05-10 12:30:00+00') > 0;
SET tokbudget.clock = '2026-05-10 12:30:00+00';
SELECT reservation = :'extended' AS same, input_tokens, count_basis FROM tb_reserve('cal/team/bot', 'cal-a', prompt => repeat(' hello', 100), idempotency_key => 'cal-1');
SELECT * FROM pg_temp.hold('cal-a', 100);
-- NULL ends it, by its instant.
SELECT tb_set_calibration('cal', 'acme', 'cal-a', NULL, effective_at => '2026-05-10 13:00:00+00', reason => 'look at it again') > 0;
SELECT * FROM pg_temp.hold('cal-a', 100);
SET tokbudget.clock = '2026-05-10 13:00:00+00';
SELECT * FROM pg_temp.hold('cal-a', 100);

-- What was counted before the factor is what the next one comes from: holds at 1.36 and 2 of 100 tokens that use 150 make it 1.5.
SELECT tb_set_calibration('cal', 'acme', 'cal-a', 1.36, effective_at => '2026-05-11 00:00:00+00') > 0;
SET tokbudget.clock = '2026-05-11 10:00:00+00';
SELECT count(pg_temp.call('cal-a', 100, 150)) FROM generate_series(1, 40);
SET tokbudget.clock = '2026-05-11 11:00:00+00';
SELECT model, change, calls, median_ratio, old_factor, new_factor, covered_before_percent, covered_after_percent, why FROM tb_calibrate('cal', model => 'cal-a', since => '2026-05-11');
-- Again it finds nothing to do. One odd call of a hundred times as many tokens moves nothing.
SET tokbudget.clock = '2026-05-11 12:00:00+00';
SELECT pg_temp.call('cal-a', 100, 15000);
SET tokbudget.clock = '2026-05-11 13:00:00+00';
SELECT model, change, calls, old_factor, new_factor FROM tb_calibrate('cal', model => 'cal-a', since => '2026-05-11');
-- Half of 39 + 41 calls: rank ceil(81 * 0.5) = 41 is 1.5, because 39 are below. 0.99 is too much for 41: rank ceil(42 * 0.99) = 42.
SELECT model, change, new_factor, why FROM tb_calibrate('cal', model => 'cal-a', since => '2026-05-10', quantile => 0.5, apply => false);
SELECT model, change, new_factor, why FROM tb_calibrate('cal', model => 'cal-a', since => '2026-05-11', quantile => 0.99);
SELECT provider, model, encoding, effective_at, ends_at, factor, method, quantile, calls, median_ratio, sampled_since, sampled_until, reason, created_at FROM tb_calibrations('cal');
SELECT changed_at, account, object, action, before - 'calibration' AS before, after, reason FROM tb_changes('cal') WHERE object = 'calibration' ORDER BY after ->> 'effective_at';

-- Under another encoding the factor means nothing; declared exact, the model is not calibrated at all.
SELECT * FROM pg_temp.hold('cal-a', 100);
SELECT tb_set_model('cal-a', 'acme', encoding => 'o200k_base', count_basis => 'estimated', max_output_tokens => 10);
SELECT * FROM pg_temp.hold('cal-a', 100);
SELECT count(*) FROM tb_calibrate('cal', model => 'cal-a');
SELECT tb_set_model('cal-a', 'acme', encoding => 'cl100k_base', count_basis => 'exact', max_output_tokens => 10);
SELECT * FROM pg_temp.hold('cal-a', 100);
SELECT code, message, detail FROM refused($$SELECT tb_set_calibration('cal', 'acme', 'cal-a', 2)$$);
SELECT tb_set_model('cal-a', 'acme', encoding => 'cl100k_base', count_basis => 'estimated', max_output_tokens => 10);
SELECT * FROM pg_temp.hold('cal-a', 100);

-- A session sees its own change at once, and forgets it with a rollback.
BEGIN;
SAVEPOINT s;
SELECT tb_set_calibration('cal', 'acme', 'cal-b', 1.5) > 0;
SELECT * FROM pg_temp.hold('cal-b', 100);
ROLLBACK TO s;
SELECT * FROM pg_temp.hold('cal-b', 100);
COMMIT;
-- So much that no number says it is refused, and nothing is held.
SELECT code_of($$SELECT tb_reserve('cal/team/bot', 'cal-b', input_tokens => 9223372036854775807)$$);

SELECT arguments, code_of('SELECT tb_set_calibration(' || arguments || ')') FROM unnest(ARRAY[$$'cal', 'acme', 'cal-b', 0$$, $$'cal', 'acme', 'cal-b', -1$$, $$'cal', 'acme', 'cal-b', 10.1$$, $$'cal', 'acme', 'cal-b', 'NaN'$$, $$'cal', 'acme', 'cal-b', 'Infinity'$$, $$'cal', 'acme', 'cal-b', 1.0000001$$,
    $$'cal', 'acme', 'cal-b', 1, 'infinity'$$, $$'cal', 'acme', 'cal-b', 1, '-infinity'$$, $$'cal', 'acme', 'none', 1$$, $$'cal', 'acme', NULL, 1$$, $$'cal', NULL, 'cal-b', 1$$, $$'cal/team', 'acme', 'cal-b', 1$$, $$'cal-none', 'acme', 'cal-b', 1$$, $$NULL, 'acme', 'cal-b', 1$$,
    $$'cal', 'acme', 'cal-a', 1.1, '2026-05-11 00:00:00+00'$$]) AS arguments;
SELECT arguments, code_of('SELECT * FROM tb_calibrate(' || arguments || ')') FROM unnest(ARRAY[$$'cal-none'$$, $$'cal/team'$$, $$NULL$$, $$'cal', ' '$$, $$'cal', model => ''$$, $$'cal', since => 'infinity'$$, $$'cal', since => '-infinity'$$, $$'cal', until => 'infinity'$$, $$'cal', since => '2026-05-02', until => '2026-05-01'$$,
    $$'cal', quantile => 0.4$$, $$'cal', quantile => 1$$, $$'cal', quantile => NULL$$, $$'cal', quantile => 'NaN'$$, $$'cal', min_calls => 9$$, $$'cal', min_calls => NULL$$, $$'cal', min_tokens => 0$$, $$'cal', min_tokens => NULL$$, $$'cal', apply => NULL$$, $$'cal', model => 'none'$$]) AS arguments;
SELECT arguments, code_of('SELECT * FROM tb_calibrations(' || arguments || ')') FROM unnest(ARRAY[$$'cal-none'$$, $$'cal/team'$$, $$NULL$$, $$''$$]) AS arguments;
-- Who does not administer the tenant changes nothing; who may read it sees the factors.
CREATE ROLE cal_reader;
SELECT tb_grant_access('cal_reader', 'cal', 'read'), tb_grant_access('cal_reader', 'cal/team', 'administer');
SET ROLE cal_reader;
SELECT count(*) FROM tb_calibrations('cal');
SELECT code_of($$SELECT tb_calibrate('cal')$$), code_of($$SELECT tb_set_calibration('cal', 'acme', 'cal-b', 1)$$), code_of($$SELECT tb_calibrations('cal-other')$$), code_of($$TABLE tokbudget.calibration$$);
RESET ROLE;
SELECT tb_revoke_access('cal_reader', 'cal', 'read'), tb_revoke_access('cal_reader', 'cal/team', 'administer');
DROP ROLE cal_reader;
SELECT * FROM tb_verify();
