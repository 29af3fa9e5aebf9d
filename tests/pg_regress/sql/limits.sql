-- Burst, thresholds, freeze, rollover, schedules, validity. Each amount is derived by hand.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
CREATE FUNCTION pg_temp.hold(account text, units bigint) RETURNS TABLE (allowed boolean, code text, remaining jsonb, flags text[])
LANGUAGE sql AS $$ SELECT allowed, code, remaining, flags FROM tb_try_reserve(account, meters => jsonb_build_object('units', units)) $$;
CREATE FUNCTION pg_temp.used(account text, units bigint) RETURNS TABLE (overrun boolean, remaining jsonb, flags text[])
LANGUAGE sql AS $$ SELECT overrun, remaining, flags FROM tb_charge(account, NULL, '{}', meters => jsonb_build_object('units', units)) $$;

-- Burst: 100 and 20 more. The first that goes beyond 100 writes the alert of the day.
SELECT tb_create_account('lim/burst') > 0, tb_create_budget('lim/burst', 'units', 100, every => 'day', burst => 20) > 0;
BEGIN;
SELECT * FROM pg_temp.hold('lim/burst', 110);
SELECT kind, percent, spent, amount FROM tb_alerts('lim/burst');
ROLLBACK;
SELECT kind FROM tb_alerts('lim/burst');
SELECT * FROM pg_temp.hold('lim/burst', 100);
SELECT * FROM pg_temp.hold('lim/burst', 1);
SELECT * FROM pg_temp.hold('lim/burst', 20);
SELECT * FROM pg_temp.hold('lim/burst', 19);
SELECT * FROM pg_temp.hold('lim/burst', 1);
SELECT * FROM pg_temp.hold('lim/burst', 0);
SELECT amount, held, remaining, burst FROM tb_remaining('lim/burst');
SELECT kind, percent, spent, amount, window_start FROM tb_alerts('lim/burst');
-- The flag goes from the hold to the entry. 10 of 19 used: 100 + 1 + 10 = 111 are left held or spent.
SELECT c.flags, c.overrun, c.remaining FROM tokbudget.reservation r, LATERAL tb_commit(r.reservation_id, '{"meters": {"units": 10}}') c WHERE r.held ->> 'units' = '19';
-- The next day has a burst and an alert of its own; a charge that has happened goes beyond both: 130 > 120.
SET tokbudget.clock = '2026-03-11 10:00:00+00';
SELECT * FROM pg_temp.used('lim/burst', 130);
SELECT kind, spent, amount, window_start FROM tb_alerts('lim/burst');

-- Thresholds: of 200, 50 % is 100, 80 % is 160 and 100 % is 200.
SELECT tb_create_account('lim/mark') > 0 AS made, tb_create_budget('lim/mark', 'units', 200, every => 'day', thresholds => '{100, 50, 80, 50}') AS mark \gset
SELECT remaining FROM pg_temp.used('lim/mark', 99);
SELECT percent, spent FROM tb_alerts('lim/mark');
-- What rolls back has told nobody: neither a transaction nor a block of PL/pgSQL nor a savepoint.
BEGIN;
SELECT remaining FROM pg_temp.used('lim/mark', 101);
SELECT percent, spent FROM tb_alerts('lim/mark') ORDER BY percent;
ROLLBACK;
DO $$ BEGIN PERFORM tb_charge('lim/mark', NULL, '{}', meters => '{"units": 101}'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
BEGIN; SAVEPOINT s; SELECT remaining FROM pg_temp.used('lim/mark', 101); ROLLBACK TO s; COMMIT;
SELECT percent, spent FROM tb_alerts('lim/mark');
-- A hold reaches no mark; only what is spent does.
SELECT * FROM pg_temp.hold('lim/mark', 101);
SELECT percent, spent FROM tb_alerts('lim/mark');
SELECT remaining FROM pg_temp.used('lim/mark', 1);
SELECT percent, spent FROM tb_alerts('lim/mark');
-- One step over two marks: 100 + 150 = 250.
SELECT * FROM pg_temp.used('lim/mark', 150);
SELECT percent, spent, amount, window_start FROM tb_alerts('lim/mark') ORDER BY percent;
-- With a limit of 1000 the spend of 250 stands at 25 %, which is told of at once. The 50 % are reached anew, at 500 of
-- 250 + 350 = 600, but they have been told of in this window; 40 % have not.
SELECT tb_change_budget(:mark, amount => 1000, thresholds => '{25, 40, 50}');
SELECT remaining FROM pg_temp.used('lim/mark', 350);
SELECT percent, spent, amount FROM tb_alerts('lim/mark') ORDER BY percent;
-- The next day: all that is reached is told of.
SET tokbudget.clock = '2026-03-12 00:00:00+00';
SELECT remaining FROM pg_temp.used('lim/mark', 500);
SELECT percent, spent, amount FROM tb_alerts('lim/mark', since => '2026-03-12 00:00:00+00') ORDER BY percent;
-- Two budgets, two alerts; a limit of zero is reached by the first unit.
SELECT tb_create_account('lim/two') > 0, tb_create_budget('lim/two', 'units', 0, hard => false, thresholds => '{100}') > 0, tb_create_budget('lim/two', 'units', 10, thresholds => '{100}') > 0;
SELECT remaining FROM pg_temp.used('lim/two', 10);
SELECT percent, spent, amount, window_start FROM tb_alerts('lim/two') ORDER BY amount;

-- Freeze: at 90 % of 100 the account of the budget is frozen, not the one that spends.
SELECT tb_create_account('lim/ice/bot') > 0, tb_create_budget('lim/ice', 'units', 100, every => 'day', freeze_at => 90) > 0;
SELECT remaining FROM pg_temp.used('lim/ice/bot', 89);
SELECT account, status FROM tb_accounts('lim/ice');
BEGIN;
SELECT remaining FROM pg_temp.used('lim/ice/bot', 1);
SELECT account, status FROM tb_accounts('lim/ice');
ROLLBACK;
SELECT account, status FROM tb_accounts('lim/ice');
SELECT remaining FROM pg_temp.used('lim/ice/bot', 1);
SELECT account, status, regexp_replace(status_reason, 'budget \d+', 'budget ?') AS why FROM tb_accounts('lim/ice');
SELECT allowed, code FROM pg_temp.hold('lim/ice/bot', 1);
-- A call that has happened is booked all the same, and says so.
SELECT * FROM pg_temp.used('lim/ice/bot', 1);
-- After a review it goes on to the end of the window: 91 + 5 reaches nothing new.
SELECT tb_thaw('lim/ice', 'reviewed');
SELECT * FROM pg_temp.used('lim/ice/bot', 5);
SELECT allowed, code, remaining FROM pg_temp.hold('lim/ice/bot', 4);
SET tokbudget.clock = '2026-03-13 00:00:00+00';
SELECT * FROM pg_temp.used('lim/ice/bot', 90);
SELECT account, status FROM tb_accounts('lim/ice');
SELECT kind, percent, spent, window_start FROM tb_alerts('lim/ice');
SELECT action FROM tb_changes('lim/ice') WHERE action IN ('freeze', 'thaw') ORDER BY changed_at, action;
SELECT tb_thaw('lim/ice', 'reviewed again');

-- Rollover. From 10 March on, 100 a day.
SET tokbudget.clock = '2026-03-10 12:00:00+00';
SELECT tb_create_account('lim/' || name) > 0 FROM unnest(ARRAY['none', 'all', 'capped', 'idle']) AS name;
SELECT tb_create_budget('lim/none', 'units', 100, every => 'day') > 0, tb_create_budget('lim/all', 'units', 100, every => 'day', rollover => 'all') > 0,
       tb_create_budget('lim/capped', 'units', 100, every => 'day', rollover => 'capped', rollover_cap => 50) > 0, tb_create_budget('lim/idle', 'units', 100, every => 'day', rollover => 'all') > 0;
SELECT account, remaining FROM unnest(ARRAY['lim/none', 'lim/all', 'lim/capped']) AS account, LATERAL pg_temp.used(account, 30);
-- The 11th: 70 were left; all 70, or 50 of them. Looking says the same before and after the window is opened.
SET tokbudget.clock = '2026-03-11 12:00:00+00';
SELECT account, r.amount, r.remaining FROM unnest(ARRAY['lim/none', 'lim/all', 'lim/capped']) AS a (account), LATERAL tb_remaining(a.account) AS r (b, c, d, amount, e, f, remaining) ORDER BY account;
SELECT account, remaining FROM unnest(ARRAY['lim/none', 'lim/all', 'lim/capped']) AS account, LATERAL pg_temp.used(account, 20);
SELECT account, r.amount, r.remaining FROM unnest(ARRAY['lim/none', 'lim/all', 'lim/capped']) AS a (account), LATERAL tb_remaining(a.account) AS r (b, c, d, amount, e, f, remaining) ORDER BY account;
-- The 14th: all has 150 left on the 11th, so 250 on the 12th, 350 on the 13th and 450 now; capped has 100 + 50. Idle was
-- never used: 100, 200, 300, 400, and now 500.
SET tokbudget.clock = '2026-03-14 12:00:00+00';
SELECT account, r.amount, r.remaining FROM unnest(ARRAY['lim/none', 'lim/all', 'lim/capped', 'lim/idle']) AS a (account), LATERAL tb_remaining(a.account) AS r (b, c, d, amount, e, f, remaining) ORDER BY account;
SELECT allowed, code FROM pg_temp.hold('lim/all', 451);
SELECT allowed, remaining FROM pg_temp.hold('lim/all', 450);
SELECT allowed, remaining FROM pg_temp.hold('lim/capped', 150);
-- An overrun leaves nothing, and takes nothing away from the next day.
SELECT * FROM pg_temp.used('lim/idle', 600);
SET tokbudget.clock = '2026-03-15 00:00:00+00';
SELECT amount, remaining FROM tb_remaining('lim/idle');
-- The 450 were held until 12:10 and nobody has swept them: they are free, so all 450 come along.
SELECT amount, remaining FROM tb_remaining('lim/all');
-- Here 60 of 100 are held over midnight, so 40 come along; what is given back later does not.
SET tokbudget.clock = '2026-03-15 23:55:00+00';
SELECT tb_create_account('lim/night') > 0, tb_create_budget('lim/night', 'units', 100, every => 'day', rollover => 'all') > 0;
SELECT reservation AS night FROM tb_reserve('lim/night', meters => '{"units": 60}', ttl => '10 minutes') \gset
SET tokbudget.clock = '2026-03-16 00:01:00+00';
SELECT amount, remaining FROM tb_remaining('lim/night');
SELECT * FROM pg_temp.used('lim/night', 1);
SELECT tb_release(:'night');
SELECT amount, remaining FROM tb_remaining('lim/night');
-- Thresholds are of the limit with what was carried over: 50 % of 140 is 70.
SELECT tb_change_budget(budget, thresholds => '{50}') FROM tb_remaining('lim/night');
SELECT * FROM pg_temp.used('lim/night', 68);
SELECT percent, spent, amount FROM tb_alerts('lim/night');
SELECT * FROM pg_temp.used('lim/night', 1);
SELECT percent, spent, amount FROM tb_alerts('lim/night');

-- Schedules: 2026-03-10 is a Tuesday.
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT tb_create_account('lim/time') > 0;
SELECT tb_create_budget('lim/time', 'anchored', 10, every => '5 hours', anchor => '2026-03-10 03:00:00+00') > 0, tb_create_budget('lim/time', 'sunday', 10, every => 'week', week_start => 'sunday') > 0,
       tb_create_budget('lim/time', 'monday', 10, every => 'week') > 0, tb_create_budget('lim/time', 'wednesday', 10, every => 'week', week_start => 'wednesday') > 0,
       tb_create_budget('lim/time', 'kolkata', 10, every => 'month', time_zone => 'Asia/Kolkata') > 0, tb_create_budget('lim/time', 'york', 10, every => 'day', time_zone => 'America/New_York') > 0,
       tb_create_budget('lim/time', 'once', 10) > 0;
SELECT meter, window_start, resets_at FROM tb_remaining('lim/time') ORDER BY meter;
-- 03:00 UTC is 23:00 of the 9th in New York (EDT since 8 March). The interval begins at its anchor, which is the first instant of it.
SET tokbudget.clock = '2026-03-10 03:00:00+00';
SELECT meter, window_start, resets_at FROM tb_remaining('lim/time') WHERE meter IN ('anchored', 'york') ORDER BY meter;
-- Before the anchor too. On 31 March at 20:00 UTC it is April in Kolkata (+05:30).
SET tokbudget.clock = '2026-03-10 02:59:59.999999+00';
SELECT window_start, resets_at FROM tb_remaining('lim/time') WHERE meter = 'anchored';
SET tokbudget.clock = '2026-03-31 20:00:00+00';
SELECT window_start, resets_at FROM tb_remaining('lim/time') WHERE meter = 'kolkata';

-- Validity: from the first instant of it up to, and without, the last.
SET tokbudget.clock = '2026-03-31 23:59:59.999999+00';
SELECT tb_create_account('lim/once') > 0, tb_create_budget('lim/once', 'units', 10, valid_from => '2026-04-01', valid_until => '2026-05-01') > 0;
SELECT allowed, remaining FROM pg_temp.hold('lim/once', 11);
SET tokbudget.clock = '2026-04-01 00:00:00+00';
SELECT allowed, code FROM pg_temp.hold('lim/once', 11);
SELECT allowed, remaining FROM pg_temp.hold('lim/once', 7);
SET tokbudget.clock = '2026-04-30 23:59:59.999999+00';
-- The 7 have expired: 10 again.
SELECT allowed, code FROM pg_temp.hold('lim/once', 11);
SELECT reservation AS late FROM tb_reserve('lim/once', meters => '{"units": 10}') \gset
SET tokbudget.clock = '2026-05-01 00:00:00+00';
SELECT allowed, code FROM pg_temp.hold('lim/once', 11);
SELECT count(*) FROM tb_remaining('lim/once');
-- What was held for before still counts where it was held.
SELECT overrun, released FROM tb_commit(:'late', '{"meters": {"units": 12}}');
SELECT meter, amount, spent, held FROM balances('lim') WHERE account = 'lim/once';

-- What no budget can be.
SELECT arguments, code_of('SELECT tb_create_budget(''lim'', ' || arguments || ')')
FROM unnest(ARRAY['NULL, 1', '''units'', NULL', '''units'', -1', '''units'', ''NaN''', '''units'', ''Infinity''', '''units'', ''-Infinity''', '''units'', 1.5', '''units'', 9223372036854775808',
    '''cost'', 0.0000000001', '''cost'', 9223372036.854775808', '''cost'', 1e400', ''''', 1', '''Units'', 1', '''units'', 1, burst => NULL', '''units'', 1, burst => -1', '''units'', 1, burst => ''NaN''',
    '''units'', 1, hard => NULL', '''units'', 1, thresholds => NULL', '''units'', 1, thresholds => ''{NULL}''', '''units'', 1, thresholds => ''{0}''', '''units'', 1, thresholds => ''{1001}''',
    '''units'', 1, freeze_at => 0', '''units'', 1, freeze_at => 1001', '''units'', 1, rollover => NULL', '''units'', 1, rollover => ''some''', '''units'', 1, rollover => ''capped''',
    '''units'', 1, rollover => ''all'', rollover_cap => 1', '''units'', 1, rollover => ''capped'', rollover_cap => -1', '''units'', 1, rollover => ''capped'', rollover_cap => ''NaN''', '''units'', 1, every => ''''',
    '''units'', 1, every => ''fortnight''', '''units'', 1, every => ''0 hours''', '''units'', 1, every => ''-1 hours''', '''units'', 1, time_zone => NULL', '''units'', 1, time_zone => ''Mars/Olympus''',
    '''units'', 1, week_start => NULL', '''units'', 1, week_start => ''someday''', '''units'', 1, every => ''5 hours'', anchor => ''infinity''', '''units'', 1, valid_from => ''2026-01-01'', valid_until => ''2026-01-01''']) AS arguments;
SELECT code_of('SELECT tb_create_budget(NULL, ''units'', 1)') AS no_account, code_of('SELECT tb_create_budget('''', ''units'', 1)') AS empty, code_of('SELECT tb_create_budget(''lim/nobody'', ''units'', 1)') AS unknown;
-- The greatest there is: with its burst and what it carries it leaves the range, and nothing breaks.
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT tb_create_account('lim/huge') > 0, tb_create_budget('lim/huge', 'units', 9223372036854775807, every => 'day', burst => 9223372036854775807, rollover => 'all', thresholds => '{1, 100, 1000}') > 0;
SELECT * FROM pg_temp.hold('lim/huge', 9223372036854775807);
SELECT * FROM pg_temp.hold('lim/huge', 1);
SET tokbudget.clock = '2026-03-12 10:00:00+00';
SELECT amount, remaining FROM tb_remaining('lim/huge');
SELECT * FROM pg_temp.used('lim/huge', 9223372036854775807);
SELECT code_of($$SELECT tb_charge('lim/huge', NULL, '{}', meters => '{"units": 1}')$$) AS beyond;
SELECT percent, amount FROM tb_alerts('lim/huge') ORDER BY percent;

SELECT code_of('SELECT tb_alerts(NULL)') AS no_account, code_of('SELECT tb_alerts('''')') AS empty, code_of('SELECT tb_alerts(''lim/nobody'')') AS unknown, code_of('SELECT tb_alerts(''nobody'')') AS no_tenant;
SELECT code_of('SELECT tb_alerts(''lim'', since => NULL)') AS no_since;
RESET tokbudget.clock;
SELECT * FROM tb_verify();
