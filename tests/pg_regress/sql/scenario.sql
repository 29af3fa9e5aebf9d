-- Scenarios: budgets out of what was spent.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- 1 per million tokens in.
SELECT tb_set_price('sc-m', 'acme', 1, 1, effective_at => '2020-01-01') > 0, tb_create_account('sc/bot') > 0, tb_create_account('sc-new/bot') > 0;
CREATE FUNCTION spend(at timestamptz, account text, cost numeric) RETURNS numeric LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, 'sc-m', jsonb_build_object('input_tokens', (cost * 1000000)::bigint, 'output_tokens', 0))).cost;
END;
$$;
-- Ten days: eight of 1, the 5th without any, and 12 in the evening of the 10th. Mean 20 / 10 = 2; of ten days the 95th
-- percentile is the greatest, 12. The 11th is not over.
SELECT sum(spend(day + interval '12 hours', 'sc/bot', 1)) FROM generate_series(timestamptz '2026-03-01', '2026-03-09', interval '1 day') AS day WHERE day <> '2026-03-05';
SELECT spend('2026-03-10 20:00Z', 'sc/bot', 12), spend('2026-03-11 09:00Z', 'sc/bot', 5);
SELECT sum(spend(day, 'sc-new/bot', 1)) FROM generate_series(timestamptz '2026-03-05', '2026-03-10', interval '1 day') AS day;
SET tokbudget.clock = '2026-03-11 12:00Z';

-- Baseline: 2 * 31 * 1.2 = 74.4; 12 * 1.2 = 14.4; 28.8. Growth: times 1.1^3 = 1.331: 99.0264, 19.1664, 38.3328. Stress: times 3.
SELECT profile, account, meter, monthly_budget, daily_burn_limit, emergency_stop, freeze_at, currency, daily_mean, daily_p95, days FROM tb_scenarios('sc');
SELECT profile, basis, reason FROM tb_scenarios('sc');
-- 5 % for 2 months: 1.1025; no margin: 2 * 31 * 1.1025 = 68.355, 12 * 1.1025 = 13.23, at 150 % 19.845. Stress 1.5: 93, 18, 27.
SELECT profile, monthly_budget, daily_burn_limit, emergency_stop FROM tb_scenarios('sc', growth_percent => 5, horizon_months => 2, margin_percent => 0, stop_percent => 150, stress_factor => 1.5);
-- Tokens: a million for each 1. Requests: 9 in ten days, 0.9 * 31 * 1.2 = 33.48, so 34; 1 * 1.2, so 2.
SELECT profile, monthly_budget, daily_burn_limit, emergency_stop, currency FROM tb_scenarios('sc', 'tokens') WHERE profile = 'baseline';
SELECT profile, monthly_budget, daily_burn_limit, emergency_stop, daily_mean FROM tb_scenarios('sc', 'requests') WHERE profile = 'baseline';
-- In Tokyo the 12 were spent today: 8 in ten days, 0.8 * 31 * 1.2 = 29.76, and 1 * 1.2.
SELECT monthly_budget, daily_burn_limit, daily_mean, days FROM tb_scenarios('sc', time_zone => 'Asia/Tokyo') WHERE profile = 'baseline';
-- The last 7 days are the 4th to the 10th: (1 + 0 + 1 + 1 + 1 + 1 + 12) / 7.
SELECT daily_mean, daily_p95, days FROM tb_scenarios('sc', look_back_days => 7) WHERE profile = 'baseline';
-- Six days are too few, and none is none.
SELECT profile, monthly_budget, daily_burn_limit, emergency_stop, days, basis, reason FROM tb_scenarios('sc-new') WHERE profile = 'baseline';
SELECT tb_create_account('sc-none') > 0;
SELECT profile, monthly_budget, days, basis, reason FROM tb_scenarios('sc-none') WHERE profile = 'stress';

-- Applied: the month refuses, the day stops. Applied again it changes what it made.
SELECT action, meter, every, amount, hard, freeze_at FROM tb_apply_scenario('sc', 'baseline');
SELECT action, meter, every, amount, hard, freeze_at FROM tb_apply_scenario('sc', 'stress', hard => false);
SELECT meter, every, amount, hard, thresholds_percent, freeze_at_percent FROM tokbudget.budget JOIN tokbudget.account USING (tenant_id, account_id) WHERE path = 'sc' ORDER BY every;
SELECT action, amount FROM tb_apply_scenario('sc', 'baseline');
-- 28.8 on one day is twice 14.4: the account is frozen.
SELECT spend('2026-03-11 13:00Z', 'sc/bot', 28.8);
SELECT status, status_reason LIKE 'cost reached 200 % of its budget %' AS is_stop FROM tb_accounts('sc') WHERE account = 'sc';
SELECT reason LIKE 'scenario baseline: cost of 10 days %' AS is_told FROM tb_changes('sc') WHERE object = 'budget' AND action = 'create';

SELECT * FROM refused($$SELECT tb_apply_scenario('sc', 'boom')$$);
SELECT * FROM refused($$SELECT tb_apply_scenario('sc-new', 'growth')$$);
SELECT tb_create_budget('sc', 'cost', 1, every => 'day', hard => false) > 0;
SELECT code, message, detail::jsonb - 'budgets' AS detail FROM refused($$SELECT tb_apply_scenario('sc', 'growth')$$);
SELECT * FROM refused($$SELECT tb_scenarios('sc', 'tool_calls')$$);
SELECT * FROM refused($$SELECT tb_scenarios('sc', stress_factor => 'NaN')$$);
SELECT code_of($$SELECT tb_scenarios('sc', NULL)$$), code_of($$SELECT tb_scenarios('sc', growth_percent => NULL)$$), code_of($$SELECT tb_scenarios('sc', growth_percent => 'Infinity')$$),
       code_of($$SELECT tb_scenarios('sc', growth_percent => -101)$$), code_of($$SELECT tb_scenarios('sc', margin_percent => -1)$$), code_of($$SELECT tb_scenarios('sc', stop_percent => 99)$$),
       code_of($$SELECT tb_scenarios('sc', horizon_months => 121)$$), code_of($$SELECT tb_scenarios('sc', look_back_days => 6)$$), code_of($$SELECT tb_scenarios('sc', time_zone => 'Mars')$$),
       code_of($$SELECT tb_scenarios('sc', time_zone => NULL)$$), code_of($$SELECT tb_scenarios('none')$$), code_of($$SELECT tb_scenarios(NULL)$$),
       code_of($$SELECT tb_apply_scenario('sc', NULL)$$), code_of($$SELECT tb_apply_scenario('sc', 'stress', hard => NULL)$$);
RESET tokbudget.clock;
DROP FUNCTION spend;
SELECT * FROM tb_verify();
