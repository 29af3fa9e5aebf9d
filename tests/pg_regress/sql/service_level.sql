-- Service levels: attainment and error budget of each period, by hand.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('sl/a/bot') > 0 AS a, tb_create_account('sl/b') > 0 AS b;
-- A session with this many tokens that takes so long.
CREATE FUNCTION session(started timestamptz, account text, name text, tokens bigint, lasts interval, workflow text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held uuid;
BEGIN
    PERFORM set_config('tokbudget.clock', started::text, false);
    held := (tb_reserve(account, input_tokens => tokens, max_output_tokens => 0, ttl => '1 hour',
        attributes => jsonb_build_object('session', name, 'workflow', workflow))).reservation;
    PERFORM set_config('tokbudget.clock', (started + lasts)::text, false);
    PERFORM tb_commit(held, jsonb_build_object('input_tokens', tokens, 'output_tokens', 0));
END;
$$;
SET tokbudget.clock = '2026-01-01';
-- 95 % of the sessions of workflow triage within 2,000 tokens and 10 s, by the month of Berlin.
SELECT tb_slo('sl/a', 'triage', 95, max_tokens => 2000, max_duration => '10 seconds', time_zone => 'Europe/Berlin', reason => 'agreed') > 0 AS set;
SELECT count(*) FROM tb_slo_attainment('sl');
-- January: 20 sessions, 19 exactly at the limits, one a second too long: 19 of 20 = 95 %, and 5 % of 20 = 1 may miss: all used up.
SELECT count(session('2026-01-10 10:00+00'::timestamptz + i * interval '1 hour', 'sl/a/bot', 'jan-' || i, 2000, CASE i WHEN 7 THEN interval '11 seconds' ELSE interval '10 seconds' END, 'triage'))
FROM generate_series(1, 20) i;
-- February: 10 sessions, of them 8 within. One has a token too many, one that and 12 s. The first began at 23:30 UTC of January 31.
-- 80 %; 0.5 may miss, 2 did: 1.5 too many, burnt 4 times as fast as it may.
SELECT count(session('2026-01-31 23:30+00'::timestamptz + i * interval '1 hour', 'sl/a/bot', 'feb-' || i, CASE WHEN i IN (3, 4) THEN 2001 ELSE 10 END, CASE i WHEN 4 THEN interval '12 seconds' ELSE interval '1 second' END, 'triage'))
FROM generate_series(0, 9) i;
-- Neither another workflow nor another account counts.
SELECT session('2026-02-02 10:00+00', 'sl/a/bot', 'other', 9999, '1 second', 'draft'), session('2026-02-02 10:00+00', 'sl/b', 'beside', 9999, '1 second', 'triage');
SELECT account, name, workflow, period_start, period_end, sessions, within, attainment_percent AS percent, target_percent AS target, is_met, error_budget AS budget, consumed, remaining, burn_rate AS burn,
    over_tokens, over_cost, over_duration
FROM tb_slo_attainment('sl');
-- A period is shown whole, whatever part of it is asked for.
SELECT period_start, sessions FROM tb_slo_attainment('sl/a', '2026-02-05 12:00+00', '2026-02-06');
SELECT period_start, sessions FROM tb_slo_attainment('sl/a', '2026-01-31 22:59:59+00', '2026-01-31 23:00:00+00');
-- A session that goes on counts as it is by now: 10 tokens and 1990 more stay within, but 10 s have passed by far.
SELECT session('2026-02-03 23:30+00', 'sl/a/bot', 'feb-0', 1990, '1 second', 'triage');
SELECT sessions, within, over_duration FROM tb_slo_attainment('sl/a', '2026-02-05', '2026-02-06');

-- Without a workflow it is about every session; a cost that is not known is not within a limit of cost. No miss is allowed at 100 %.
SELECT tb_slo('sl/a', NULL, 100, max_cost => 1, every => 'year') > 0 AS set;
SELECT name, sessions, within, attainment_percent AS percent, error_budget AS budget, remaining, burn_rate AS burn, over_cost FROM tb_slo_attainment('sl') WHERE name = 'all sessions';
-- Set again it is changed, for past periods too.
SELECT tb_slo('sl/a', 'triage', 75, max_tokens => 2000, every => 'quarter') > 0 AS set;
-- By the quarter, UTC: 20 + 10 sessions, 28 within 2,000 tokens: 93.3333 %; 7.5 may miss, 2 did, 5.5 are left, 2 / 7.5 = 0.2667.
SELECT name, period_start, sessions, within, attainment_percent AS percent, is_met, error_budget AS budget, consumed, remaining, burn_rate AS burn FROM tb_slo_attainment('sl') WHERE name = 'triage';
SELECT DISTINCT slo FROM tb_slo_attainment('sl') WHERE name = 'triage' \gset
SELECT tb_remove_slo(:slo, 'no longer agreed');
SELECT name FROM tb_slo_attainment('sl');
SELECT action, before->>'target_percent' AS before, after->>'target_percent' AS after, reason FROM tb_changes('sl') WHERE action LIKE '%slo' ORDER BY changed_at, action DESC, before NULLS FIRST;

SELECT code, message, detail FROM refused($$SELECT tb_slo('sl', 'triage', 100.5, max_tokens => 1)$$);
SELECT code, message, detail FROM refused($$SELECT tb_slo('sl', 'triage', 95)$$);
SELECT code, message, detail FROM refused($$SELECT tb_slo('sl', 'triage', 95, max_tokens => 1, every => 'fortnight')$$);
SELECT code, message, detail FROM refused($$SELECT tb_remove_slo(1)$$);
SELECT statement, code_of(statement) FROM unnest(ARRAY[
    $$SELECT tb_slo('sl', 'x', 0, max_tokens => 1)$$, $$SELECT tb_slo('sl', 'x', NULL, max_tokens => 1)$$, $$SELECT tb_slo('sl', 'x', 'NaN', max_tokens => 1)$$,
    $$SELECT tb_slo('sl', 'x', 95, max_tokens => -1)$$, $$SELECT tb_slo('sl', 'x', 95, max_cost => 'NaN')$$, $$SELECT tb_slo('sl', 'x', 95, max_cost => 'infinity')$$,
    $$SELECT tb_slo('sl', 'x', 95, max_duration => '-1 second')$$, $$SELECT tb_slo('sl', 'x', 95, max_tokens => 1, every => NULL)$$,
    $$SELECT tb_slo('sl', 'x', 95, max_tokens => 1, time_zone => 'Mars')$$, $$SELECT tb_slo('sl', 'x', 95, max_tokens => 1, time_zone => NULL)$$,
    $$SELECT tb_slo('sl', repeat('x', 1001), 95, max_tokens => 1)$$, $$SELECT tb_slo('sl/none', 'x', 95, max_tokens => 1)$$, $$SELECT tb_remove_slo(NULL)$$,
    $$SELECT tb_slo_attainment('sl/none')$$, $$SELECT tb_slo_attainment('sl', NULL)$$, $$SELECT tb_slo_attainment('sl', 'infinity')$$]) AS statement;

-- A role sees the service levels of its part, and sets none.
CREATE ROLE sl_reader;
SELECT tb_grant_access('sl_reader', 'sl/a', 'read');
SET ROLE sl_reader;
SELECT account, name FROM tb_slo_attainment('sl/a');
SELECT statement, code_of(statement) FROM unnest(ARRAY[
    $$SELECT tb_slo_attainment('sl')$$, $$SELECT tb_slo_attainment('sl/b')$$, $$SELECT tb_slo('sl/a', 'x', 95, max_tokens => 1)$$, $$SELECT FROM tokbudget.slo$$]) AS statement;
RESET ROLE;
SELECT tb_revoke_access('sl_reader', 'sl/a', 'read');
DROP ROLE sl_reader;
DROP FUNCTION session(timestamptz, text, text, bigint, interval, text);
RESET tokbudget.clock;
