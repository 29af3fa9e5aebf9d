-- Burn rate, runway and forecast: every number is a sum of what the loop below charges.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- One per million tokens.
SELECT tb_set_price('bf-m', 'acme', 1, 1, effective_at => '2020-01-01') > 0 AS priced;
SELECT tb_create_account('bf/steady/bot') > 0, tb_create_account('bf/new') > 0, tb_create_account('bf/idle') > 0, tb_create_account('bf/project') > 0, tb_create_account('bf/other') > 0;
SELECT tb_create_budget('bf/steady', 'tokens', 40000000, 'month') > 0 AS tokens, tb_create_budget('bf/steady', 'cost', 80, 'month') > 0 AS cost,
       tb_create_budget('bf/steady/bot', 'requests', 30, 'day', time_zone => 'Asia/Kolkata') > 0 AS requests,
       tb_create_budget('bf/steady', 'tool_calls', 1000) > 0 AS tool_calls,
       tb_create_budget('bf/new', 'tokens', 1000, 'day') > 0 AS new, tb_create_budget('bf/idle', 'tokens', 1000, 'day') > 0 AS idle,
       tb_create_budget('bf/project', 'tokens', 30000, valid_until => '2026-11-11 00:00+00') > 0 AS project;

-- 100,000 tokens, 0.1 and two tool calls at half past every hour from 1 November to half past eleven on the 10th: 228 hours.
DO $$
BEGIN
    FOR hour IN 0..227 LOOP
        PERFORM set_config('tokbudget.clock', (timestamptz '2026-11-01 00:30+00' + hour * interval '1 hour')::text, false);
        PERFORM tb_charge('bf/steady/bot', 'bf-m', '{"input_tokens": 90000, "output_tokens": 10000}', meters => '{"tool_calls": 2}');
    END LOOP;
    -- 1,000 tokens of another account for the project, each of the last 20 hours.
    FOR hour IN 1..20 LOOP
        PERFORM set_config('tokbudget.clock', (timestamptz '2026-11-10 12:00+00' - hour * interval '1 hour')::text, false);
        PERFORM tb_charge('bf/other', NULL, '{"input_tokens": 1000, "output_tokens": 0}', also => '{bf/project}');
    END LOOP;
END $$;
SET tokbudget.clock = '2026-11-10 11:10+00';
SELECT tokens FROM tb_charge('bf/new', NULL, '{"input_tokens": 500, "output_tokens": 0}');

-- Forty minutes into the first hour of use nothing can be said.
SET tokbudget.clock = '2026-11-10 11:40+00';
SELECT look_back, hours, amount, per_hour, reason FROM tb_burn_rate('bf/new', 'tokens');
-- At noon: whole hours. Twice seven days were not observed.
SET tokbudget.clock = '2026-11-10 12:00+00';
SELECT * FROM tb_burn_rate('bf/steady', 'tokens');
SELECT look_back, amount, per_hour, per_day FROM tb_burn_rate('bf/steady');
SELECT look_back, amount, per_hour FROM tb_burn_rate('bf/steady/bot', 'tool_calls');
-- All of the tenant: 24, 20 and 1 in a day; 168, 20 and 1 in a week.
SELECT look_back, amount, per_hour FROM tb_burn_rate('bf', 'requests');
-- The same from roll-ups.
SELECT tb_refresh() IS NOT NULL AS refreshed;
SELECT look_back, amount, per_hour FROM tb_burn_rate('bf', 'requests');
-- Half an hour later nothing has come in: 100,000 in 1.5 hours, a third less than in the hour before; 2,400,000 in 24.5.
SET tokbudget.clock = '2026-11-10 12:30+00';
SELECT * FROM tb_burn_rate('bf/steady', 'tokens');
SET tokbudget.clock = '2026-11-10 12:00+00';
-- Fifty minutes since the first use, but an hour since that of the hour; one that never spent.
SELECT look_back, since, hours, amount, per_hour, reason FROM tb_burn_rate('bf/new', 'tokens');
SELECT look_back, amount, per_hour, trend_percent, reason FROM tb_burn_rate('bf/idle', 'tokens');

-- Tokens: 40,000,000 - 22,800,000 at 100,000 an hour are 172 hours. Cost: 80 - 22.8 at 0.1 are 572, and the month has 492 left.
-- Requests: a day in Kolkata began at half past six in the evening, 18 calls ago; 12 more take 12 hours, and it ends in 6.5.
-- Tool calls: 1000 - 456 at 2 an hour are 272 hours.
SELECT account, meter, spent, remaining, per_hour, look_back, runway_hours, exhausted_at, exhausted_before_reset AS before, verdict
FROM tb_runway('bf/steady/bot') ORDER BY account, meter;
SELECT account, spent, resets_at, per_hour, runway_hours, exhausted_at, reason, verdict FROM tb_runway('bf/new');
SELECT per_hour, runway_hours, verdict FROM tb_runway('bf/new', min_history_hours => 1);
SELECT account, spent, per_hour, runway_hours, exhausted_before_reset AS before, reason, verdict FROM tb_runway('bf/idle');
-- Only others draw on it: 10,000 remain at 1,000 an hour, and the budget ends at midnight.
SELECT account, spent, resets_at, per_hour, runway_hours, exhausted_at, exhausted_before_reset AS before, verdict FROM tb_runway('bf/project');
SELECT count(*) AS tokens_only FROM tb_runway('bf/steady/bot', 'tokens');
-- Nothing left, and twenty minutes later still nothing.
SELECT overrun FROM tb_charge('bf/new', NULL, '{"input_tokens": 600, "output_tokens": 0}');
SELECT remaining, runway_hours, exhausted_at, exhausted_before_reset AS before, reason, verdict FROM tb_runway('bf/new');
-- The higher rate counts: 45 calls in a day are 1.875 an hour, above 189 in a week. A day later nothing came in 24 hours, and 144
-- calls of 100,000 in 168 hours are 85,714.29, which 17,200,000 lasts for 200.67.
SELECT tb_create_budget('bf', 'requests', 1000) > 0 AS made;
SELECT per_hour, look_back, runway_hours FROM tb_runway('bf');
SET tokbudget.clock = '2026-11-11 12:00+00';
SELECT per_hour, look_back, runway_hours FROM tb_runway('bf/steady', 'tokens');
-- A week without use.
SET tokbudget.clock = '2026-11-18 12:00+00';
SELECT meter, runway_hours, reason, verdict FROM tb_runway('bf/steady', 'cost');
SET tokbudget.clock = '2026-11-10 12:00+00';

-- A constant goes on: 22,800,000 and 492 hours of 100,000 until the month ends, ten per cent of the 49,200,000 as a margin.
SELECT account, window_start, window_end, spent, expected, lower, upper, with_margin, amount, exhausted_at, method, history_hours AS hours, drift_per_day AS drift, verdict
FROM tb_forecast('bf/steady', 'tokens');
-- In money: 22.8 and 49.2, against 80; with a margin of a quarter 84.3.
SELECT spent, expected, lower, upper, with_margin, amount, verdict FROM tb_forecast('bf/steady');
SELECT with_margin, verdict FROM tb_forecast('bf/steady', margin_percent => 25) WHERE amount IS NOT NULL;
-- The day of Kolkata: 18 hours of it and 6.5 to come.
SELECT window_start, window_end, spent, expected FROM tb_forecast('bf/steady', 'tokens', every => 'day', time_zone => 'Asia/Kolkata') WHERE amount IS NULL;
-- Until the 12th, which is before any window ends; a budget without windows is forecast for then: 456 and 36 hours of 2.
SELECT account, window_start, window_end, spent, expected, verdict FROM tb_forecast('bf/steady', 'tokens', until => '2026-11-12 00:00+00');
SELECT account, window_end, spent, expected, amount, verdict FROM tb_forecast('bf/steady', 'tool_calls', until => '2026-11-12 00:00+00');
-- Thin.
SELECT expected, upper, method, history_hours AS hours, reason, verdict FROM tb_forecast('bf/idle', 'tokens');
SELECT spent, expected, method, history_hours AS hours, reason, verdict FROM tb_forecast('bf/new', 'tokens', min_history_hours => 2);

-- By the local clock: 10 tokens at nine in Berlin on working days for four weeks, which is eight in UTC since the clocks went
-- back on 25 October. On Friday noon the week has 50; nothing comes at the weekend, 10 at nine on Monday, 40 until Thursday.
SELECT tb_create_account('bf/office') > 0 AS made;
DO $$
BEGIN
    FOR day IN 0..25 LOOP
        CONTINUE WHEN extract(isodow FROM date '2026-10-12' + day) > 5;
        PERFORM set_config('tokbudget.clock', ((date '2026-10-12' + day + time '09:15') AT TIME ZONE 'Europe/Berlin')::text, false);
        PERFORM tb_charge('bf/office', NULL, '{"input_tokens": 10, "output_tokens": 0}');
    END LOOP;
END $$;
SET tokbudget.clock = '2026-11-06 11:00+00';
SELECT until, spent, expected, method FROM (VALUES (timestamptz '2026-11-09 00:00+00'), ('2026-11-09 08:00+00'), ('2026-11-09 09:00+00'), ('2026-11-13 00:00+00')) AS t (until),
    LATERAL tb_forecast('bf/office', 'tokens', t.until, every => 'week', time_zone => 'Europe/Berlin');
RESET tokbudget.clock;

-- What cannot be answered.
SELECT * FROM refused($$SELECT * FROM tb_forecast('bf/nowhere')$$);
SELECT * FROM refused($$SELECT * FROM tb_runway('bf/steady', 'Tokens')$$);
SELECT * FROM refused($$SELECT * FROM tb_forecast('bf/steady', confidence => 'NaN')$$);
SELECT * FROM refused($$SELECT * FROM tb_forecast('bf/steady', every => 'fortnight')$$);
SELECT statement, code_of('SELECT * FROM ' || statement) AS code FROM unnest(ARRAY[
    'tb_burn_rate(NULL)', 'tb_burn_rate(''bf/nowhere'')', 'tb_burn_rate(''bf//x'')', 'tb_burn_rate(''bf/steady'', NULL)', 'tb_burn_rate(''bf/steady'', '''')',
    'tb_runway(NULL)', 'tb_runway(''bf/nowhere'')', 'tb_runway(''bf/steady'', ''a b'')', 'tb_runway(''bf/steady'', min_history_hours => 0)',
    'tb_runway(''bf/steady'', min_history_hours => 1345)', 'tb_runway(''bf/steady'', min_history_hours => NULL)',
    'tb_forecast(NULL)', 'tb_forecast(''bf/steady'', NULL)', 'tb_forecast(''bf/steady'', until => ''-infinity'')', 'tb_forecast(''bf/steady'', until => ''infinity'')',
    'tb_forecast(''bf/steady'', until => ''2020-01-01'')', 'tb_forecast(''bf/steady'', until => ''2300-01-01'')', 'tb_forecast(''bf/steady'', every => NULL)',
    'tb_forecast(''bf/steady'', time_zone => ''Mars'')', 'tb_forecast(''bf/steady'', time_zone => NULL)', 'tb_forecast(''bf/steady'', confidence => 0)',
    'tb_forecast(''bf/steady'', confidence => 1)', 'tb_forecast(''bf/steady'', confidence => NULL)', 'tb_forecast(''bf/steady'', confidence => ''-Infinity'')',
    'tb_forecast(''bf/steady'', margin_percent => -1)', 'tb_forecast(''bf/steady'', margin_percent => ''NaN'')', 'tb_forecast(''bf/steady'', margin_percent => NULL)',
    'tb_forecast(''bf/steady'', min_history_hours => -5)']) AS statement;
-- Who may not read the account sees nothing of it; who may read it, all of this.
CREATE ROLE bf_reader;
SELECT tb_grant_access('bf_reader', 'bf/steady', 'read') AS granted;
SET ROLE bf_reader;
SELECT count(*) FROM tb_burn_rate('bf/steady');
SELECT count(*) > 0 AS runway FROM tb_runway('bf/steady');
SELECT count(*) > 0 AS forecast FROM tb_forecast('bf/steady');
SELECT code_of($$SELECT * FROM tb_burn_rate('bf/new')$$), code_of($$SELECT * FROM tb_runway('bf/new')$$), code_of($$SELECT * FROM tb_forecast('bf')$$);
RESET ROLE;
SELECT tb_revoke_access('bf_reader', 'bf/steady', 'read') AS revoked;
DROP ROLE bf_reader;
