-- Changes of budgets: what is spent stays spent.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-09 10:00:00+00';
CREATE FUNCTION pg_temp.used(account text, tokens bigint) RETURNS jsonb
LANGUAGE sql AS $$ SELECT remaining FROM tb_charge(account, NULL, jsonb_build_object('input_tokens', tokens, 'output_tokens', 0)) $$;
CREATE FUNCTION pg_temp.stand(name text) RETURNS TABLE (amount numeric, spent numeric, held numeric, remaining numeric, window_start timestamptz)
LANGUAGE sql AS $$ SELECT amount, spent, held, remaining, window_start FROM tb_remaining(name) $$;
CREATE FUNCTION pg_temp.transfers(name text) RETURNS TABLE (spent numeric, window_start timestamptz, cost numeric, internal_cost numeric, requests bigint, reason text)
LANGUAGE sql AS $$
    SELECT e.spent_units[1], e.window_starts[1], e.cost, e.internal_cost, e.requests, e.reason
    FROM tokbudget.entry e JOIN tokbudget.account a ON a.tenant_id = e.tenant_id AND a.account_id = e.account_id
    WHERE e.kind = 'transfer' AND a.path = name ORDER BY e.window_starts[1], e.reason
$$;

-- The amount, with a hold of 60 open: less than is held refuses everything and takes nothing back; more gives at once.
SELECT tb_create_account('ch/a') > 0 AS made, tb_create_budget('ch/a', 'tokens', 100, every => 'day') AS a \gset
SELECT reservation AS open_1, remaining FROM reserve('ch/a', 60) \gset
SELECT tb_change_budget(:a, amount => 50, reason => 'cut');
SELECT * FROM pg_temp.stand('ch/a');
SELECT code_of($$SELECT tb_reserve('ch/a', input_tokens => 1)$$) AS over, code_of($$SELECT tb_reserve('ch/a', input_tokens => 0)$$) AS nothing;
SELECT overrun, released, remaining FROM tb_commit(:'open_1', '{"input_tokens": 30, "output_tokens": 0}');
SELECT tb_change_budget(:a, amount => 100);
SELECT * FROM pg_temp.stand('ch/a');

-- Day to month: 30 on the 9th and 20 on the 10th are 50 in March. The 10 that are held settle in their day.
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT pg_temp.used('ch/a', 20);
SELECT reservation AS open_2 FROM reserve('ch/a', 10) \gset
SELECT tb_change_budget(:a, every => 'month', reason => 'monthly now');
SELECT * FROM pg_temp.stand('ch/a');
SELECT * FROM pg_temp.transfers('ch/a');
SELECT released FROM tb_commit(:'open_2', '{"input_tokens": 10, "output_tokens": 0}');
SELECT * FROM pg_temp.stand('ch/a');
SELECT amount, every, window_start, spent, held FROM balances('ch') WHERE account = 'ch/a';
-- Month to day: the 10th has its 20 + 10 already.
SELECT tb_change_budget(:a, every => 'day');
SELECT * FROM pg_temp.stand('ch/a');
SELECT code_of($$SELECT tb_reserve('ch/a', input_tokens => 71)$$) AS too_much, code_of($$SELECT tb_release((tb_reserve('ch/a', input_tokens => 70)).reservation)$$) AS fits;
-- And back: 30 + 20 + 10 are 60, of which March has 50.
SELECT tb_change_budget(:a, every => 'month', reason => 'after all');
SELECT * FROM pg_temp.stand('ch/a');
-- Once: all that was ever spent; and from there to a quarter, in which it all was.
SELECT tb_change_budget(:a, every => 'once', reason => 'once');
SELECT * FROM pg_temp.stand('ch/a');
SELECT pg_temp.used('ch/a', 1);
SELECT tb_change_budget(:a, every => 'quarter', reason => 'by quarter');
SELECT * FROM pg_temp.stand('ch/a');
SELECT * FROM pg_temp.transfers('ch/a');
-- To the same: nothing to transfer, nothing twice.
SELECT tb_change_budget(:a, every => 'quarter', time_zone => 'UTC', week_start => 'monday', reason => 'no change');
SELECT * FROM pg_temp.stand('ch/a');
SELECT count(*) FROM pg_temp.transfers('ch/a');

-- The time zone. On 1 April at 02:00 UTC it is 22:00 of 31 March in New York, whose March began at 05:00 UTC: 5 and 7 count in it.
SET tokbudget.clock = '2026-03-31 23:30:00+00';
SELECT tb_create_account('ch/zone') > 0 AS made, tb_create_budget('ch/zone', 'tokens', 100, every => 'month') AS zone \gset
SELECT pg_temp.used('ch/zone', 5);
SET tokbudget.clock = '2026-04-01 01:00:00+00';
SELECT pg_temp.used('ch/zone', 7);
SET tokbudget.clock = '2026-04-01 02:00:00+00';
SELECT tb_change_budget(:zone, time_zone => 'America/New_York', reason => 'moved');
SELECT * FROM pg_temp.stand('ch/zone');
SELECT code_of($$SELECT tb_reserve('ch/zone', input_tokens => 89)$$) AS too_much;
SET tokbudget.clock = '2026-04-01 04:00:00+00';
SELECT * FROM pg_temp.stand('ch/zone');
SELECT * FROM pg_temp.transfers('ch/zone');

-- What grants bore stays theirs: 120 are 100 of the day and 20 of the grant; March counts 100, and 30 of the grant are left.
SELECT tb_create_account('ch/grant') > 0 AS made, tb_create_budget('ch/grant', 'tokens', 100, every => 'day') AS granted \gset
SELECT tb_grant(:granted, 50, NULL, 'more') > 0;
SELECT pg_temp.used('ch/grant', 120);
SELECT tb_change_budget(:granted, every => 'month');
SELECT * FROM pg_temp.stand('ch/grant');
SELECT spent, remaining FROM tb_grants('ch/grant');

-- A refund goes to the day of the call. Going back and forth makes the month agree: -0.2.
SET tokbudget.clock = '2026-04-02 10:00:00+00';
SELECT tb_set_meter_price('ch_pages', 0.01, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('ch/money') > 0 AS made, tb_create_budget('ch/money', 'cost', 1, every => 'day') AS money \gset
SELECT entry AS pages FROM tb_charge('ch/money', NULL, '{}', meters => '{"ch_pages": 50}') \gset
SELECT tb_change_budget(:money, every => 'month');
SELECT tb_refund(:'pages', 'blank', 0.2) IS NOT NULL;
SELECT * FROM pg_temp.stand('ch/money');
SELECT tb_change_budget(:money, every => 'day');
SELECT * FROM pg_temp.stand('ch/money');
SELECT tb_change_budget(:money, every => 'month');
SELECT * FROM pg_temp.stand('ch/money');
SELECT spent / 1e9 AS spent, window_start FROM pg_temp.transfers('ch/money');
-- Smaller than a cent of a cent: nothing is rounded.
SELECT tb_change_budget(:money, amount => 0.300000001);
SELECT remaining FROM pg_temp.stand('ch/money');

-- A month that has left the ledger is still counted: 40 in January and 10 in March are 50 this year.
SET tokbudget.clock = '2026-01-15 10:00:00+00';
SELECT tb_create_account('ch/year') > 0 AS made, tb_create_budget('ch/year', 'tokens', 100, every => 'year') AS year \gset
SELECT pg_temp.used('ch/year', 40);
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT pg_temp.used('ch/year', 10);
SELECT pending FROM tb_maintain(months_ahead => 0);
SELECT tb_drop_month('2026-01-01', 'old');
SELECT * FROM pg_temp.stand('ch/year');
SELECT tb_change_budget(:year, week_start => 'sunday');
SELECT * FROM pg_temp.stand('ch/year');
SELECT tb_change_budget(:year, every => 'once');
SELECT * FROM pg_temp.stand('ch/year');

-- Rollover: the days before the change had no budget of their own, so the first day carries nothing, the second what that left.
SELECT tb_create_account('ch/roll') > 0 AS made, tb_create_budget('ch/roll', 'tokens', 100, every => 'month', rollover => 'all') AS roll \gset
SET tokbudget.clock = '2026-04-20 10:00:00+00';
SELECT tb_change_budget(:roll, every => 'day', amount => 10);
SELECT * FROM pg_temp.stand('ch/roll');
SELECT pg_temp.used('ch/roll', 4);
SET tokbudget.clock = '2026-04-21 10:00:00+00';
SELECT * FROM pg_temp.stand('ch/roll');

-- Options: what is not given stays; 0 and {} for none. A new every forgets the anchor.
SELECT tb_create_account('ch/opt') > 0 AS made, tb_create_budget('ch/opt', 'tokens', 100, every => '5 hours', anchor => '2026-03-10 01:00:00+00', burst => 5, thresholds => '{50}', freeze_at => 90, rollover => 'capped', rollover_cap => 7) AS opt \gset
CREATE VIEW pg_temp.options AS SELECT amount, every, time_zone, week_start, anchor, hard, burst, thresholds_percent, freeze_at_percent, rollover, rollover_cap, valid_until FROM tokbudget.budget WHERE budget_id = :opt;
SELECT tb_change_budget(:opt, hard => false, burst => 0, thresholds => '{}', freeze_at => 0, rollover => 'none');
SELECT * FROM pg_temp.options;
SELECT tb_change_budget(:opt, rollover => 'capped', rollover_cap => 9, valid_until => '2030-01-01');
SELECT tb_change_budget(:opt, every => '6 hours');
SELECT * FROM pg_temp.options;

-- The log: before and after, why, one row a change.
SELECT action, reason, before ->> 'amount' AS before, after ->> 'amount' AS after, before ->> 'every' AS every_before, after ->> 'every' AS every_after
FROM tb_changes('ch/a') WHERE object = 'budget' ORDER BY changed_at, after ->> 'every', reason;

-- What is refused leaves all as it was.
SELECT arguments, code_of(format('SELECT tb_change_budget(%s, %s)', :a, arguments))
FROM unnest(ARRAY['amount => -1', 'amount => ''NaN''', 'amount => ''Infinity''', 'amount => 1.5', 'amount => 9223372036854775808', 'every => ''''', 'every => ''fortnight''', 'time_zone => ''Mars/Olympus''', 'time_zone => ''''',
    'week_start => ''''', 'anchor => ''infinity''', 'burst => -1', 'burst => ''NaN''', 'thresholds => ''{0}''', 'thresholds => ''{NULL}''', 'freeze_at => -1', 'freeze_at => 1001', 'rollover => ''some''', 'rollover => ''capped''',
    'rollover_cap => 1', 'rollover => ''capped'', rollover_cap => ''NaN''']) AS arguments;
SELECT code_of('SELECT tb_change_budget(NULL)') AS nothing, code_of('SELECT tb_change_budget(0, amount => 1)') AS unknown, code_of('SELECT tb_close_budget(NULL)') AS close_nothing, code_of('SELECT tb_close_budget(-1)') AS close_unknown;
SELECT * FROM pg_temp.stand('ch/a');
SELECT tb_close_budget(:a, 'done');
SELECT tb_close_budget(:a, 'done again');
SELECT code_of(format('SELECT tb_change_budget(%s, amount => 1)', :a)) AS closed;
SELECT count(*) FROM tb_changes('ch/a') WHERE object = 'budget' AND action = 'close';
SELECT count(*) FROM pg_temp.stand('ch/a');
RESET tokbudget.clock;
SELECT * FROM tb_verify();
