-- A budget whose schedule changes: nothing is counted twice or forgotten, and windows of another length leave nothing.
SET tokbudget.clock = '2026-05-01 12:00:00+00';
CREATE FUNCTION standing(account text, OUT amount numeric, OUT spent numeric, OUT granted numeric, OUT remaining numeric)
LANGUAGE sql AS $$ SELECT r.amount, r.spent, r.granted, r.remaining FROM tb_remaining(standing.account) AS r $$;

-- There and back again: the grant still bears 20 of the 120.
SELECT tb_create_account('back') IS NOT NULL AS made;
SELECT tb_create_budget('back', 'tokens', 100, 'day') AS budget \gset
SELECT tb_grant(:budget, 50, NULL, 'a test') IS NOT NULL AS granted;
SELECT overrun FROM tb_charge('back', NULL, '{"input_tokens": 120, "output_tokens": 0}');
SELECT * FROM standing('back');
SELECT tb_change_budget(:budget, every => 'hour');
SELECT * FROM standing('back');
SELECT tb_change_budget(:budget, every => 'day');
SELECT * FROM standing('back');

-- One window without end leaves nothing to the first day.
SELECT tb_create_account('ended') IS NOT NULL AS made;
SELECT tb_create_budget('ended', 'tokens', 100) AS budget \gset
SELECT overrun FROM tb_charge('ended', NULL, '{"input_tokens": 10, "output_tokens": 0}');
SET tokbudget.clock = '2026-05-03 12:00:00+00';
SELECT tb_change_budget(:budget, every => 'day', rollover => 'all');
SELECT * FROM standing('ended');
SET tokbudget.clock = '2026-05-04 12:00:00+00';
SELECT * FROM standing('ended');

-- A month leaves what it left, not what one of the days did that the budget had before.
SET tokbudget.clock = '2026-05-01 12:00:00+00';
SELECT tb_create_account('longer') IS NOT NULL AS made;
SELECT tb_create_budget('longer', 'tokens', 100, 'day', rollover => 'all') AS budget \gset
SELECT overrun FROM tb_charge('longer', NULL, '{"input_tokens": 90, "output_tokens": 0}');
SET tokbudget.clock = '2026-05-02 12:00:00+00';
SELECT overrun FROM tb_charge('longer', NULL, '{"input_tokens": 5, "output_tokens": 0}');
SELECT tb_change_budget(:budget, every => 'month');
SELECT * FROM standing('longer');
SET tokbudget.clock = '2026-06-02 12:00:00+00';
SELECT * FROM standing('longer');
-- What a change moved into a month that has left the ledger since is counted once, where it was spent: 30 + 20 on two days,
-- then 10 of the month, make 60 of the quarter, whatever the schedule was in between.
SET tokbudget.clock = '2013-04-01 12:00:00+00';
SELECT tb_create_account('moved') IS NOT NULL AS made;
SELECT tb_create_budget('moved', 'tokens', 100, 'day') AS budget \gset
SELECT overrun FROM tb_charge('moved', NULL, '{"input_tokens": 30, "output_tokens": 0}');
SET tokbudget.clock = '2013-04-02 12:00:00+00';
SELECT overrun FROM tb_charge('moved', NULL, '{"input_tokens": 20, "output_tokens": 0}');
SELECT tb_change_budget(:budget, every => 'month');
SELECT * FROM standing('moved');
SELECT overrun FROM tb_charge('moved', NULL, '{"input_tokens": 10, "output_tokens": 0}');
SET tokbudget.clock = '2013-05-01 12:00:00+00';
SELECT tb_detach_month('2013-04-01', 'a test');
SELECT window_start, spent_units, granted_units, transferred_units, entries FROM tokbudget.carried WHERE budget_id = :budget ORDER BY window_start, spent_units, transferred_units;
SELECT * FROM standing('moved');
SELECT tb_change_budget(:budget, every => 'quarter');
SELECT * FROM standing('moved');
-- Back to months: this one has seen nothing yet. Then 5 are spent in it, and the quarter has seen 65.
SELECT tb_change_budget(:budget, every => 'month');
SELECT * FROM standing('moved');
SELECT overrun FROM tb_charge('moved', NULL, '{"input_tokens": 5, "output_tokens": 0}');
SELECT tb_change_budget(:budget, every => 'quarter');
SELECT * FROM standing('moved');
-- The month of those changes leaves too.
SET tokbudget.clock = '2013-06-01 12:00:00+00';
SELECT tb_detach_month('2013-05-01', 'a test');
SELECT window_start, spent_units, transferred_units, entries FROM tokbudget.carried WHERE budget_id = :budget AND month = '2013-05-01' ORDER BY window_start, spent_units, transferred_units;
SELECT tb_change_budget(:budget, every => 'once');
SELECT * FROM standing('moved');
SELECT tb_change_budget(:budget, every => 'day');
SELECT * FROM standing('moved');
SELECT tb_change_budget(:budget, every => 'quarter');
SELECT * FROM standing('moved');
SELECT allowed, code FROM tb_try_reserve('moved', input_tokens => 36);
SELECT allowed, code FROM tb_try_reserve('moved', input_tokens => 35);
-- What was spent in a longer window belongs to the shorter ones of its day, in the zone of the budget: 50 late on 30 June in
-- Tokyo, 7 on 1 July there, which is 30 June in UTC, 4 on 10 July. The quarter from July on has seen 11, August nothing.
SET tokbudget.clock = '2014-06-30 14:00:00+00';
SELECT tb_create_account('narrowed') IS NOT NULL AS made;
SELECT tb_create_budget('narrowed', 'tokens', 100, 'year', time_zone => 'Asia/Tokyo') AS budget \gset
SELECT overrun FROM tb_charge('narrowed', NULL, '{"input_tokens": 50, "output_tokens": 0}');
SET tokbudget.clock = '2014-06-30 16:00:00+00';
SELECT overrun FROM tb_charge('narrowed', NULL, '{"input_tokens": 7, "output_tokens": 0}');
SET tokbudget.clock = '2014-07-10 12:00:00+00';
SELECT overrun FROM tb_charge('narrowed', NULL, '{"input_tokens": 4, "output_tokens": 0}');
SET tokbudget.clock = '2014-08-01 12:00:00+00';
SELECT tb_detach_month(month, 'a test') FROM unnest('{2014-06-01,2014-07-01}'::date[]) AS month;
SELECT month, reserved_from, spent_units FROM tokbudget.carried WHERE budget_id = :budget ORDER BY reserved_from;
SELECT tb_change_budget(:budget, every => 'quarter');
SELECT * FROM standing('narrowed');
SELECT tb_change_budget(:budget, every => 'month');
SELECT * FROM standing('narrowed');
SELECT tb_change_budget(:budget, every => 'year');
SELECT * FROM standing('narrowed');
-- A window that begins where that of the schedule before began, and that is open, keeps what it got then: Monday 15 September
-- has the 70 that the week before left of its 100, and 10 are spent.
SET tokbudget.clock = '2014-09-08 12:00:00+00';
SELECT tb_create_account('monday') IS NOT NULL AS made;
SELECT tb_create_budget('monday', 'tokens', 100, 'week', rollover => 'all') AS budget \gset
SELECT overrun FROM tb_charge('monday', NULL, '{"input_tokens": 30, "output_tokens": 0}');
SET tokbudget.clock = '2014-09-15 12:00:00+00';
SELECT overrun FROM tb_charge('monday', NULL, '{"input_tokens": 10, "output_tokens": 0}');
SELECT * FROM standing('monday');
SELECT tb_change_budget(:budget, every => 'day');
SELECT * FROM standing('monday');
-- The detached tables are in nobody's way.
SELECT tb_drop_month(month, 'a test') FROM unnest('{2013-04-01,2013-05-01,2014-06-01,2014-07-01}'::date[]) AS month;
SELECT * FROM tb_verify();
DROP FUNCTION standing(text);
