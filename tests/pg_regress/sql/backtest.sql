-- Back-test: the calls of the past against other limits, prices and models.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- Per million: big costs 10 in and 20 out, small a tenth of it.
SELECT tb_set_price('bt-big', 'acme', 10, 20, effective_at => '2020-01-01') > 0, tb_set_price('bt-small', 'acme', 1, 2, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('bt/a') > 0, tb_create_account('bt/b') > 0;

CREATE FUNCTION spend(at timestamptz, account text, model text, input bigint, output bigint DEFAULT 0, attributes jsonb DEFAULT '{}', also text[] DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, model, jsonb_build_object('input_tokens', input, 'output_tokens', output), attributes => attributes, also => also)).entry;
END;
$$;
CREATE FUNCTION total(account text, policy jsonb, since timestamptz, until timestamptz)
RETURNS TABLE (calls bigint, allowed bigint, refused bigint, first timestamptz, actual numeric, policy_cost numeric, refused_cost numeric, repriced bigint, unpriced bigint, basis text)
LANGUAGE sql AS $$
    SELECT calls, allowed, refused, first_refusal_at, actual_cost, b.policy_cost, b.refused_cost, repriced_calls, unpriced_calls, b.basis
    FROM tb_backtest(account, policy, since, until) AS b WHERE scope = 'total'
$$;
CREATE FUNCTION windows(account text, policy jsonb, since timestamptz, until timestamptz)
RETURNS TABLE (of text, place integer, meter text, amount numeric, window_start timestamptz, calls bigint, allowed bigint, refused bigint, spent numeric, refused_amount numeric, first timestamptz, basis text)
LANGUAGE sql AS $$
    SELECT b.account, policy_budget, b.meter, b.amount, b.window_start, b.calls, b.allowed, b.refused, b.spent, b.refused_amount, first_refusal_at, b.basis
    FROM tb_backtest(account, policy, since, until) AS b WHERE scope = 'window'
$$;
-- Monday: 100000 * 10e-6 = 1; 50000 * 10e-6 = 0.5; 100000 * 10e-6 + 25000 * 20e-6 = 1.5; 500000 * 1e-6 = 0.5.
-- Tuesday: 200000 * 10e-6 = 2; 30000 * 10e-6 = 0.3. In all 5.8.
SELECT count(spend(at, account, model, input, output, attributes)) FROM (VALUES
    (timestamptz '2026-01-05 09:00Z', 'bt/a', 'bt-big', 100000, 0, jsonb '{}'),
    ('2026-01-05 10:00Z', 'bt/a', 'bt-big', 50000, 0, '{}'),
    ('2026-01-05 11:00Z', 'bt/b', 'bt-big', 100000, 25000, '{"retry_count": 1}'),
    ('2026-01-05 12:00Z', 'bt/a', 'bt-small', 500000, 0, '{}'),
    ('2026-01-06 10:00Z', 'bt/a', 'bt-big', 30000, 0, '{}')) AS call (at, account, model, input, output, attributes);
SELECT spend('2026-01-06 09:00Z', 'bt/b', 'bt-big', 200000) AS big_one \gset
RESET tokbudget.clock;

-- Nothing changed: nothing refused, and the cost is what it was.
SELECT * FROM total('bt', '{}', '2026-01-01', '2026-02-01');
SELECT * FROM total('bt/a', '{}', '2026-01-01', '2026-02-01');
-- 2 a day. Monday: 1, 1.5, the third wants 1.5 of 0.5, then 2. Tuesday: 2, then 0.3 of nothing. 4 of 5.8 are left.
SELECT * FROM total('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
SELECT * FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
SELECT called_at, account, model, actual_cost, policy_cost, meter, requested, remaining, reason, basis
FROM tb_backtest_calls('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
SELECT count(*) FROM tb_backtest_calls('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01', max_calls => 1);
SELECT refused_retries FROM tb_backtest('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01') WHERE scope = 'total';
-- In New York the day begins at 05:00 UTC; a soft budget and a burst of 0.3 refuse less.
SELECT * FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day", "time_zone": "America/New_York", "burst": 0.3}, {"meter": "cost", "amount": 1, "every": "day", "hard": false}]}', '2026-01-01', '2026-02-01');
-- Two budgets: 2 requests a day of bt/a, 300000 tokens a week. 100000, 150000, 275000; then 500000 fits neither, on Tuesday
-- 200000 and 30000 do not fit into 25000.
SELECT * FROM windows('bt', '{"budgets": [{"account": "bt/a", "meter": "requests", "amount": 2, "every": "day"}, {"meter": "tokens", "amount": 300000, "every": "week"}]}', '2026-01-01', '2026-02-01');
SELECT called_at, budget_account, policy_budget, requested, remaining FROM tb_backtest_calls('bt', '{"budgets": [{"account": "bt/a", "meter": "requests", "amount": 2, "every": "day"}, {"meter": "tokens", "amount": 300000, "every": "week"}]}', '2026-01-01', '2026-02-01');
-- From 10:30 on: the day began with 1.5. Without windows it begins then, with nothing: 1.5, 2, then 2 is too much, 0.3 too.
SELECT * FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}, {"meter": "cost", "amount": 2, "hard": false}]}', '2026-01-05 10:30Z', '2026-02-01');
SELECT * FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 2}]}', '2026-01-05 10:30Z', '2026-02-01');
-- Until 10:00 on Tuesday, without the call of that instant.
SELECT calls, actual FROM total('bt', '{}', '2026-01-01', '2026-01-06 10:00Z');
-- The account is frozen when the day reaches 75 % of 2, which the second call does.
SELECT called_at, reason FROM tb_backtest_calls('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day", "hard": false, "freeze_at": 75, "thresholds": [50]}]}', '2026-01-01', '2026-01-06');
-- What a day leaves goes to the next: Monday takes 1.5 of 1.6 and refuses two, so Tuesday has 1.7, too few for 2 and enough for 0.3.
SELECT window_start, amount, spent, refused FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 1.6, "every": "day", "rollover": "all"}]}', '2026-01-05', '2026-02-01');

-- Other models: a tenth of 5.3, and the 0.5 that small cost already.
SELECT * FROM total('bt', '{"models": {"bt-big": "bt-small"}}', '2026-01-01', '2026-02-01');
-- Other prices: half of 5.3 and 0.5; then 20 % off, 4.24 and 0.5; then 20 % off everything, 4.64.
SELECT * FROM total('bt', '{"prices": {"bt-big": {"input": 5, "output": 10}}}', '2026-01-01', '2026-02-01');
SELECT * FROM total('bt', '{"prices": {"bt-big": {"discount_percent": 20}}}', '2026-01-01', '2026-02-01');
SELECT * FROM total('bt', '{"prices": {"*": {"discount_percent": 20}}}', '2026-01-01', '2026-02-01');
-- The model that takes the place, at a price of the policy: 480000 * 2e-6 + 25000 * 4e-6 = 1.06, and 500000 * 2e-6 = 1.
SELECT * FROM total('bt', '{"models": {"bt-big": "bt-small"}, "prices": {"bt-small": {"input": 2, "output": 4}}}', '2026-01-01', '2026-02-01');
-- With 20 % off, 2 a day: 0.8, 1.2, then 1.2 of 0.8, then 1.7; 1.6, 1.84.
SELECT window_start, allowed, refused, spent, refused_amount FROM windows('bt', '{"prices": {"bt-big": {"discount_percent": 20}}, "budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
-- From 10:30 on, at a tenth: Monday began with 0.15, so 0.15 and 0.5 leave it at 0.8; what there was before is not in the total.
SELECT * FROM total('bt', '{"models": {"bt-big": "bt-small"}, "budgets": [{"meter": "cost", "amount": 0.79, "every": "day"}]}', '2026-01-05 10:30Z', '2026-01-06');
SELECT spent, refused_amount FROM windows('bt', '{"models": {"bt-big": "bt-small"}, "budgets": [{"meter": "cost", "amount": 0.8, "every": "day"}]}', '2026-01-05 10:30Z', '2026-01-06');
-- A price without output does not cover the third call, which keeps its 1.5: a tenth of the 3.8 of the others, 1.5, and 0.5.
SELECT * FROM total('bt', '{"prices": {"bt-big": {"input": 1}}}', '2026-01-01', '2026-02-01');

-- A correction at 09:30 halves Tuesday's first call, so the second fits: 1 + 0.3. One at 10:30 would have come too late.
BEGIN;
SET LOCAL tokbudget.clock = '2026-01-06 09:30Z';
SELECT tb_adjust(:'big_one', 1, 'half of it was an error') IS NOT NULL;
SELECT * FROM total('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
-- Priced anew, its correction is about a price that no longer counts: 0.53 + 0.5.
SELECT actual, policy_cost FROM total('bt', '{"models": {"bt-big": "bt-small"}}', '2026-01-01', '2026-02-01');
SELECT actual, policy_cost FROM total('bt', '{"prices": {"*": {"discount_percent": 50}}}', '2026-01-01', '2026-02-01');
ROLLBACK;
BEGIN;
SET LOCAL tokbudget.clock = '2026-01-06 10:30Z';
SELECT tb_adjust(:'big_one', 1, 'half of it was an error') IS NOT NULL;
SELECT * FROM total('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
SELECT window_start, spent, refused FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 2, "every": "day"}]}', '2026-01-01', '2026-02-01');
ROLLBACK;

-- Holds: the budget of 100 a day ran, and so did these calls.
SELECT tb_create_account('bh/bot') > 0;
SET tokbudget.clock = '2026-01-01 00:00Z';
SELECT tb_create_budget('bh', 'tokens', 100, every => 'day') > 0 AS made;
CREATE FUNCTION hold(at timestamptz, tokens bigint) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_try_reserve('bh/bot', input_tokens => tokens)).reservation;
END;
$$;
CREATE FUNCTION book(at timestamptz, held uuid, tokens bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_commit(held, jsonb_build_object('input_tokens', tokens, 'output_tokens', 0))).overrun;
END;
$$;
SELECT hold('2026-01-05 09:00Z', 80) AS h1 \gset
SELECT hold('2026-01-05 09:05Z', 15) AS h2 \gset
SELECT hold('2026-01-05 09:06Z', 6) IS NULL AS refused;
SELECT book('2026-01-05 09:09Z', :'h1', 10) AS overrun;
SELECT hold('2026-01-05 09:12Z', 70) AS h3 \gset
SELECT book('2026-01-05 09:14Z', :'h2', 15) AS overrun, book('2026-01-05 09:20Z', :'h3', 70) AS overrun;
-- On Tuesday 10 are held and 120 used: booked in full, and nothing more fits.
SELECT hold('2026-01-06 09:00Z', 10) AS h4 \gset
SELECT book('2026-01-06 09:01Z', :'h4', 120) AS overrun, hold('2026-01-06 09:02Z', 1) IS NULL AS refused;
RESET tokbudget.clock;
-- The limit under which they ran refuses nothing.
SELECT * FROM total('bh', '{}', '2026-01-01', '2026-02-01');
SELECT of, place, meter, amount, window_start, calls, allowed, refused, spent, basis FROM windows('bh', '{}', '2026-01-01', '2026-02-01');
-- Of 90 a day 80 are held at 09:05, so 15 do not fit; at 09:12 it is 10 and 70. By use 10 and 15 fit, and 70 do not.
SELECT window_start, allowed, refused, spent, refused_amount, first, basis FROM windows('bh', '{"budgets": [{"meter": "tokens", "amount": 90, "every": "day"}]}', '2026-01-01', '2026-01-06');
SELECT window_start, allowed, refused, spent, refused_amount, first, basis FROM windows('bh', '{"budgets": [{"meter": "tokens", "amount": 90, "every": "day"}], "basis": "use"}', '2026-01-01', '2026-01-06');
-- Beside the present one: the third call of Monday is one too many.
SELECT of, place, meter, window_start, allowed, refused, basis FROM windows('bh', '{"budgets": [{"account": "bh/bot", "meter": "requests", "amount": 2, "every": "day"}], "keep_budgets": true}', '2026-01-01', '2026-02-01');
-- From 09:07 on: the 10 and the 15 of the calls that were under way count, and 70 more fit.
SELECT of, amount, window_start, calls, allowed, refused, spent FROM windows('bh', '{}', '2026-01-05 09:07Z', '2026-01-06');
-- A grant that was drawn on, and what carried over, are known too: 100 a day, 150 on Monday with a grant of 60.
SET tokbudget.clock = '2026-01-10 00:00Z';
SELECT tb_create_account('bg/bot') > 0;
SELECT tb_create_budget('bg', 'tokens', 100, every => 'day', rollover => 'capped', rollover_cap => 30) AS budget \gset
SELECT tb_grant(:budget, 60, NULL, 'a launch') > 0;
SELECT spend('2026-01-12 09:00Z', 'bg/bot', NULL, 150) IS NOT NULL, spend('2026-01-13 09:00Z', 'bg/bot', NULL, 100) IS NOT NULL, spend('2026-01-14 09:00Z', 'bg/bot', NULL, 60) IS NOT NULL, spend('2026-01-15 09:00Z', 'bg/bot', NULL, 130) IS NOT NULL;
RESET tokbudget.clock;
SELECT amount, window_start, allowed, refused, spent FROM windows('bg', '{}', '2026-01-10', '2026-02-01');
-- From Thursday on: what it got from Wednesday was fixed then.
SELECT amount, window_start, allowed, refused, spent FROM windows('bg', '{}', '2026-01-15', '2026-02-01');
SELECT amount, window_start, allowed, refused, spent FROM windows('bg', '{}', '2026-01-14 12:00', '2026-02-01');

-- Who draws on an account from elsewhere counts against its budgets, and not in its total.
SELECT tb_create_account('bx/team') > 0, tb_create_account('bx/user') > 0;
SELECT spend('2026-01-05 09:00Z', 'bx/team', NULL, 10, also => '{bx/user}') IS NOT NULL;
RESET tokbudget.clock;
SELECT calls, refused FROM total('bx/user', '{"budgets": [{"meter": "tokens", "amount": 5}]}', '2026-01-01', '2026-02-01');
SELECT calls, refused, refused_amount FROM windows('bx/user', '{"budgets": [{"meter": "tokens", "amount": 5}]}', '2026-01-01', '2026-02-01');
SELECT account, reason FROM tb_backtest_calls('bx/user', '{"budgets": [{"meter": "tokens", "amount": 5}]}', '2026-01-01', '2026-02-01');

-- Other meters: 3 and 3 of 5, and 2 then fit.
SELECT tb_create_account('bm') > 0;
SET tokbudget.clock = '2026-01-05 09:00Z';
SELECT (tb_charge('bm', NULL, '{"meters": {"tool_calls": 3}}')).tokens;
SET tokbudget.clock = '2026-01-05 10:00Z';
SELECT (tb_charge('bm', NULL, '{"meters": {"tool_calls": 3}}')).tokens;
SET tokbudget.clock = '2026-01-05 11:00Z';
SELECT (tb_charge('bm', NULL, '{"meters": {"tool_calls": 2}}')).tokens;
RESET tokbudget.clock;
SELECT calls, allowed, refused, spent, refused_amount FROM windows('bm', '{"budgets": [{"meter": "tool_calls", "amount": 5}]}', '2026-01-05', '2026-01-06');

-- It writes nothing.
BEGIN READ ONLY;
SELECT calls, refused FROM total('bt', '{"models": {"bt-big": "bt-small"}, "budgets": [{"meter": "cost", "amount": 0.3, "every": "day"}]}', '2026-01-01', '2026-02-01');
COMMIT;
-- No history, no windows.
SELECT * FROM total('bt', '{"budgets": [{"meter": "cost", "amount": 2}]}', '2025-01-01', '2025-02-01');
SELECT count(*) FROM windows('bt', '{"budgets": [{"meter": "cost", "amount": 2}]}', '2025-01-01', '2025-02-01');

-- Refusals.
SELECT * FROM refused($$SELECT tb_backtest('bt', '{"budgets": [{"meter": "cost", "amount": "2"}]}', '2026-01-01')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt', '{"budgets": [{"meter": "cost", "amount": 2, "evry": "day"}]}', '2026-01-01')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt', '{"budgets": [{"account": "bt/none", "meter": "cost", "amount": 2}]}', '2026-01-01')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt/a', '{"budgets": [{"account": "bt/b", "meter": "cost", "amount": 2}]}', '2026-01-01')$$);
SELECT code, message, detail::jsonb - 'nearest' AS detail FROM refused($$SELECT tb_backtest('bt', '{"models": {"bt-big": "bt-none"}}', '2026-01-01')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt', '{}', '2026-01-02', '2026-01-02')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt', '{}', '-infinity', '2026-01-02')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt', '{}', '2026-01-02', 'infinity')$$);
SELECT * FROM refused($$SELECT tb_backtest('bt', NULL, '2026-01-02')$$);
SELECT * FROM refused($$SELECT tb_backtest('none', '{}', '2026-01-02')$$);
SELECT code_of($$SELECT tb_backtest(NULL, '{}', '2026-01-02')$$), code_of($$SELECT tb_backtest('bt', '[]', '2026-01-02')$$), code_of($$SELECT tb_backtest('bt', '{}', NULL)$$),
       code_of($$SELECT tb_backtest_calls('bt', '{}', '2026-01-02', max_calls => 0)$$), code_of($$SELECT tb_backtest_calls('bt', '{}', '2026-01-02', max_calls => NULL)$$), code_of($$SELECT tb_backtest_calls('bt', '{}', '2026-01-02', max_calls => 1000001)$$);
-- A role sees what it may read, and nothing beside it.
CREATE ROLE backtest_reader;
SELECT tb_grant_access('backtest_reader', 'bt/a', 'read');
SET ROLE backtest_reader;
SELECT calls, actual_cost FROM tb_backtest('bt/a', '{}', '2026-01-01', '2026-02-01') WHERE scope = 'total';
RESET ROLE;
SELECT code_of($$SET LOCAL ROLE backtest_reader; SELECT tb_backtest('bt', '{}', '2026-01-01')$$);
SELECT tb_revoke_access('backtest_reader', 'bt/a', 'read');
DROP ROLE backtest_reader;
DROP FUNCTION spend, total, windows, hold, book;
SELECT * FROM tb_verify();
