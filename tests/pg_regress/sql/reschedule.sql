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
SELECT * FROM tb_verify();
DROP FUNCTION standing(text);
