-- Extend: more output, or more time, for a call that is under way.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
-- Per million tokens: 2 in, 10 out. 100 in and 100 out may cost 0.0002 + 0.001 = 0.0012.
SELECT tb_set_price('ext-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('ex/bot') > 0, tb_create_budget('ex', 'cost', 0.01) > 0, tb_create_budget('ex/bot', 'tokens', 2000) > 0, tb_create_budget('ex/bot', 'requests', 1) > 0;
SELECT reservation AS r, held FROM tb_reserve('ex/bot', model => 'ext-model', input_tokens => 100, max_output_tokens => 100, ttl => '10 minutes') \gset
SELECT :'held' AS held;
-- 500 out cost 0.0052; still one request.
SELECT state, input_tokens, max_output_tokens, held, remaining, expires_at FROM tb_extend(:'r', 400);
SELECT account, meter, held FROM balances('ex');
-- 981 out would cost 0.01001, 980 cost 0.01: refused, and all stays as it was; then the last nano-unit.
SELECT code, message, detail::jsonb - 'budget' - 'violated' AS detail FROM refused(format('SELECT tb_extend(%L, 481)', :'r'));
SELECT account, meter, held FROM balances('ex');
SELECT max_output_tokens, held, remaining FROM tb_extend(:'r', 480);
SELECT code_of(format('SELECT tb_extend(%L, 1)', :'r')) AS one_more;
-- More time only: from now on. Nothing at all is asked for: nothing changes.
SET tokbudget.clock = '2026-03-10 10:09:59+00';
SELECT held ->> 'tokens' AS tokens, expires_at FROM tb_extend(:'r', ttl => '1 hour');
SELECT held ->> 'tokens' AS tokens, expires_at FROM tb_extend(:'r');
-- A shorter life is a life too.
SELECT expires_at FROM tb_extend(:'r', ttl => '1 second');
SELECT expires_at FROM tb_extend(:'r', ttl => '10 minutes');
-- A price that changes meanwhile is not that of the call: 900 out cost 0.009 + 0.0002, of 0.01 held.
SELECT tb_set_price('ext-model', 'acme', 200, 1000, effective_at => '2026-03-10 10:05:00+00') > 0;
SELECT held -> 'cost' AS held FROM tb_extend(:'r', 0);
SELECT cost, overrun, released FROM tb_commit(:'r', '{"input_tokens": 100, "output_tokens": 900}');
SELECT account, meter, spent, held FROM balances('ex');
-- Settled, unknown, expired, swept.
SELECT code_of(format('SELECT tb_extend(%L, 1)', :'r')) AS committed, code_of(format('SELECT tb_extend(%L, ttl => ''1 hour'')', :'r')) AS committed_ttl;
SELECT code_of('SELECT tb_extend(''00000000-0000-4000-8000-000000000000'', 1)') AS foreign_id, code_of(format('SELECT tb_extend(%L, 1)', overlay(:'r' placing '0' from 36))) IN ('TB003', 'TB005') AS unknown;
SELECT tb_create_account('ex2') > 0 AS made, tb_create_budget('ex2', 'tokens', 100, every => 'day') AS ex2 \gset
SELECT reservation AS released FROM reserve('ex2', 10) \gset
SELECT tb_release(:'released');
SELECT code_of(format('SELECT tb_extend(%L, 1)', :'released')) AS released;
SELECT reservation AS late FROM tb_reserve('ex2', input_tokens => 10, ttl => '1 minute') \gset
SET tokbudget.clock = '2026-03-10 10:10:58.999999+00';
SELECT expires_at FROM tb_extend(:'late', 1);
SET tokbudget.clock = '2026-03-10 10:10:59+00';
SELECT code, message, detail::jsonb ->> 'expires_at' AS expires_at FROM refused(format('SELECT tb_extend(%L, ttl => ''1 hour'')', :'late'));
SELECT tb_expire();
SELECT code_of(format('SELECT tb_extend(%L, 1)', :'late')) AS swept;

-- Frozen: more time is given, more tokens are not.
SELECT reservation AS f FROM reserve('ex2', 10) \gset
SELECT tb_freeze('ex2', 'review');
SELECT code_of(format('SELECT tb_extend(%L, 1)', :'f')) AS more, code_of(format('SELECT tb_extend(%L, 0, ''1 hour'')', :'f')) AS time;
SELECT tb_thaw('ex2', 'reviewed');
-- Over midnight it counts where the hold counts: the 10th has 10 + 50, the 11th nothing.
SET tokbudget.clock = '2026-03-10 23:59:00+00';
SELECT reservation AS night FROM tb_reserve('ex2', input_tokens => 10, ttl => '1 hour') \gset
SET tokbudget.clock = '2026-03-11 00:01:00+00';
SELECT held ->> 'tokens' AS tokens, remaining FROM tb_extend(:'night', 50);
SELECT window_start, spent, held FROM balances('ex2');
-- 10 of the other one have expired: 40 are left on the 10th.
SELECT code_of(format('SELECT tb_extend(%L, 41)', :'night')) AS too_much;
SELECT remaining FROM tb_extend(:'night', 40);
-- A budget that has been closed since counts the hold and refuses nothing.
SELECT tb_close_budget(:ex2);
SELECT held ->> 'tokens' AS tokens, remaining FROM tb_extend(:'night', 1000);
SELECT window_start, spent, held FROM balances('ex2');
SELECT overrun, released FROM tb_commit(:'night', '{"input_tokens": 10, "output_tokens": 1090}');
SELECT window_start, spent, held FROM balances('ex2');
-- So does one whose validity is over.
SELECT tb_create_account('ex3') > 0 AS made, tb_create_budget('ex3', 'tokens', 10, valid_until => '2026-03-11 01:00:00+00') > 0 AS made_too;
SELECT reservation AS over FROM tb_reserve('ex3', input_tokens => 10, ttl => '2 hours') \gset
SELECT code_of(format('SELECT tb_extend(%L, 1)', :'over')) AS while_valid;
SET tokbudget.clock = '2026-03-11 01:00:00+00';
SELECT held ->> 'tokens' AS tokens FROM tb_extend(:'over', 1);

-- What rolls back has extended nothing.
BEGIN;
SELECT held ->> 'tokens' AS tokens FROM tb_extend(:'over', 5);
ROLLBACK;
SELECT held ->> 'tokens' AS tokens FROM tb_extend(:'over', 0);
-- Arguments.
SELECT arguments, code_of(format('SELECT tb_extend(%L, %s)', :'over', arguments))
FROM unnest(ARRAY['NULL', '-1', '9223372036854775807', '0, ttl => ''0 seconds''', '0, ttl => ''-1 hour''', '0, ttl => ''0.5 seconds''', '0, ttl => ''7 days 1 second''', '0, ttl => ''100000 years''', '1, ttl => ''7 days''']) AS arguments;
SELECT code_of('SELECT tb_extend(NULL)') AS nothing;
SELECT held_units FROM tokbudget.reservation WHERE reservation_id = :'over';
RESET tokbudget.clock;
SELECT * FROM tb_verify();
