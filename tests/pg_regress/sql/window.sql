-- Windows are a pure function of time: nothing resets them, and every one stays readable. The clock is injected.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SELECT tb_create_account('win/day') > 0, tb_create_account('win/berlin') > 0, tb_create_account('win/month') > 0, tb_create_account('win/all') > 0;
SELECT tb_create_budget('win/day', 'tokens', 100, 'day') > 0 AS day, tb_create_budget('win/berlin', 'tokens', 100, 'day', time_zone => 'Europe/Berlin') > 0 AS berlin,
       tb_create_budget('win/month', 'tokens', 100, 'month') > 0 AS month;

-- Every kind of window at one instant, a Wednesday, and its end.
SELECT tb_create_budget('win/all', 'tokens', n, every) > 0 AS made
FROM unnest(ARRAY['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', NULL]) WITH ORDINALITY AS t (every, n);
SET tokbudget.clock = '2024-02-28 13:45:31.5+00';
SELECT amount, window_start, resets_at FROM tb_remaining('win/all') ORDER BY amount;
-- A leap day, the last day of the quarter, the turn of the year (a Sunday in the week that began in December).
SET tokbudget.clock = '2024-02-29 23:59:59.999999+00';
SELECT amount, window_start, resets_at FROM tb_remaining('win/all') WHERE amount IN (3, 5, 6) ORDER BY amount;
SET tokbudget.clock = '2024-03-31 12:00:00+00';
SELECT amount, window_start, resets_at FROM tb_remaining('win/all') WHERE amount IN (4, 5, 6) ORDER BY amount;
SET tokbudget.clock = '2023-01-01 00:00:00+00';
SELECT amount, window_start, resets_at FROM tb_remaining('win/all') WHERE amount IN (3, 4, 5, 6, 7) ORDER BY amount;

-- What is spent until midnight does not count after it.
SET tokbudget.clock = '2026-03-15 23:59:59.999999+00';
SELECT reservation AS late FROM reserve('win/day', 80) \gset
SELECT tokens, remaining FROM tb_commit(:'late', '{"input_tokens": 80, "output_tokens": 0}');
SELECT code, detail::jsonb ->> 'remaining' AS remaining, detail::jsonb ->> 'resets_at' AS resets_at
FROM refused($$SELECT tb_reserve('win/day', input_tokens => 21)$$);
SELECT reservation AS open FROM reserve('win/day', 20) \gset
SET tokbudget.clock = '2026-03-16 00:00:00+00';
SELECT spent, held, remaining, window_start, resets_at FROM tb_remaining('win/day');
SELECT remaining FROM reserve('win/day', 100);
SELECT code_of($$SELECT tb_reserve('win/day', input_tokens => 1)$$) AS full_again;
-- A commit counts in the window of its reservation; the ledger keeps both instants.
SELECT tokens, overrun, remaining FROM tb_commit(:'open', '{"input_tokens": 15, "output_tokens": 0}');
SELECT reserved_at, recorded_at, window_starts, spent_units, late FROM tokbudget.entry WHERE reservation_id = :'open';
-- Windows that are over stay readable.
SELECT account, window_start, spent, held FROM balances('win') WHERE account = 'win/day';
-- Going back in time shows the day before, as it ended.
SET tokbudget.clock = '2026-03-15 12:00:00+00';
SELECT spent, held, remaining, window_start FROM tb_remaining('win/day');

-- The end of a month, in a year of 28 days in February.
SET tokbudget.clock = '2026-02-28 23:59:59+00';
SELECT reservation AS feb FROM reserve('win/month', 100) \gset
SELECT code_of($$SELECT tb_reserve('win/month', input_tokens => 1)$$) AS full;
SET tokbudget.clock = '2026-03-01 00:00:00+00';
SELECT remaining FROM reserve('win/month', 30);
SELECT released, remaining FROM tb_commit(:'feb', '{"input_tokens": 60, "output_tokens": 0}');
SELECT account, window_start, spent, held FROM balances('win') WHERE account = 'win/month';

-- Clocks go forward in Berlin on 29 March 2026: the day has 23 hours, from 23:00 to 22:00 UTC.
SET tokbudget.clock = '2026-03-29 12:00:00+00';
SELECT window_start, resets_at, resets_at - window_start AS length FROM tb_remaining('win/berlin');
SELECT remaining FROM reserve('win/berlin', 100);
SET tokbudget.clock = '2026-03-29 21:59:59.999999+00';
SELECT code_of($$SELECT tb_reserve('win/berlin', input_tokens => 101)$$) AS too_much, window_start FROM tb_remaining('win/berlin');
SET tokbudget.clock = '2026-03-29 22:00:00+00';
SELECT remaining, window_start FROM tb_remaining('win/berlin');
-- They go back on 25 October 2026: the day has 25 hours, and 02:30 happens twice, in one day.
SET tokbudget.clock = '2026-10-25 00:30:00+00';
SELECT window_start, resets_at, resets_at - window_start AS length FROM tb_remaining('win/berlin');
SELECT remaining FROM reserve('win/berlin', 70, ttl => '1 day');
SET tokbudget.clock = '2026-10-25 01:30:00+00';
SELECT remaining, window_start FROM tb_remaining('win/berlin');
SET tokbudget.clock = '2026-10-25 23:00:00+00';
SELECT remaining, window_start FROM tb_remaining('win/berlin');
SELECT account, window_start, spent, held FROM balances('win') WHERE account = 'win/berlin';

-- Only a superuser moves the clock.
RESET tokbudget.clock;
CREATE ROLE regress_tokbudget_clock;
SET ROLE regress_tokbudget_clock;
SET tokbudget.clock = '2026-01-01 00:00:00+00';
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP ROLE regress_tokbudget_clock;
SELECT * FROM tb_verify();
