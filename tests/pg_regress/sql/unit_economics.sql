-- Unit economics: what a session, a task and a call cost, per success and against their value; every number by hand.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- An input token costs 0.001, an output token 0.002.
SELECT tb_set_price('ue-m', 'acme', 1000, 2000, effective_at => '2020-01-01') > 0 AS priced;
SELECT tb_create_account('ue/a') > 0 AS a, tb_create_account('ue/b') > 0 AS b;
CREATE FUNCTION book(at timestamptz, account text, input bigint, output bigint, attributes jsonb) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, 'ue-m', jsonb_build_object('input_tokens', input, 'output_tokens', output), attributes => attributes)).entry;
END;
$$;
-- Workflow triage:          tokens  cost
--   a1  100 in  50 out        150   0.1 + 0.1 = 0.2   resolved, 25 tokens of its output useful
--   a2  200 in 100 out        300   0.2 + 0.2 = 0.4   resolved
--   a3  300 in 150 out        450   0.3 + 0.3 = 0.6   escalated
--   a4  400 in 200 out, then  750   0.8 + 0.2 = 1.0   no outcome
--       100 in  50 out
SELECT book('2026-01-01 10:00+00', 'ue/a', 100, 50, '{"session": "a1", "task": "t1", "workflow": "triage", "outcome": "resolved", "useful_output_tokens": 25, "agent": "x", "step": "ask"}') AS a1 \gset
SELECT book('2026-01-02 10:00+00', 'ue/a', 200, 100, '{"session": "a2", "task": "t1", "workflow": "triage", "outcome": "resolved", "agent": "x", "step": "ask"}') IS NOT NULL AS a2;
SELECT book('2026-01-03 10:00+00', 'ue/a', 300, 150, '{"session": "a3", "workflow": "triage", "outcome": "escalated", "agent": "y"}') AS a3 \gset
SELECT book('2026-01-04 10:00+00', 'ue/a', 400, 200, '{"session": "a4", "workflow": "triage", "agent": "y", "step": "ask"}') IS NOT NULL AS a4,
       book('2026-02-04 10:00+00', 'ue/a', 100, 50, '{"session": "a4", "workflow": "triage", "agent": "y"}') IS NOT NULL AS a4_again;
-- Workflow draft: b1 1000 in, cost 1, success; b2 10 in 10 out without a price.
SELECT book('2026-01-05 10:00+00', 'ue/b', 1000, 0, '{"session": "b1", "workflow": "draft", "outcome": "success"}') IS NOT NULL AS b1;
SELECT tb_set_unpriced('ue/b', 'record');
SELECT flags FROM tb_charge('ue/b', 'no-such-model', '{"input_tokens": 10, "output_tokens": 10}', attributes => '{"session": "b2", "workflow": "draft"}');

-- triage: cost 0.2 + 0.4 + 0.6 + 1 = 2.2, mean 0.55; ranks of 4: p50 the 2nd, p90 and p99 the 4th. Tokens 1650, mean 412.5.
-- No value yet, and no declared success: resolved is a word as any other; success is one by itself.
-- draft: 1 of 2 has a cost, which is mean and every rank; tokens 1020, mean 510, p50 the 1st of 2.
SELECT name, unit, units, unpriced_units AS unpriced, cost, mean_cost AS mean, p50_cost AS p50, p90_cost AS p90, p99_cost AS p99, worst_cost AS worst, worst_unit, worst_account
FROM tb_unit_economics('ue', 'workflow');
SELECT name, tokens, mean_tokens AS mean, p50_tokens AS p50, p90_tokens AS p90, p99_tokens AS p99, worst_tokens AS worst, outcomes, successes, cost_per_success, value, margin
FROM tb_unit_economics('ue', 'workflow');

-- Declared: resolved is worth 2 in triage, 1 elsewhere; escalated costs another 0.5 and is none; success is worth 3 at ue, 7 below ue/b.
SELECT tb_set_outcome_value('ue', NULL, 'resolved', 1), tb_set_outcome_value('ue', 'triage', 'resolved', 2, currency => 'USD', reason => 'survey'),
       tb_set_outcome_value('ue', 'triage', 'escalated', -0.5, is_success => false), tb_set_outcome_value('ue', 'draft', 'success', 3), tb_set_outcome_value('ue', 'draft', 'resolved', 100),
       tb_set_outcome_value('ue/b', NULL, 'success', 7);
-- triage: value 2 + 2 - 0.5 = 3.5, margin 3.5 - 2.2 = 1.3, 1.3 / 3.5 = 37.1429 %; 2 of 3 outcomes = 66.6667 %, 2.2 / 2 = 1.1 each.
-- Output 50 + 100 + 150 + 250 = 550 of 1650 = 33.3333 %; useful 25 of the 150 of a1 = 16.6667 %.
-- draft: value 7 (the deeper account), margin 6 = 85.7143 %; output 10 of 1020 = 0.9804 %.
SELECT name, outcomes, successes, success_percent AS percent, cost_per_success AS each, value, margin, margin_percent, output_percent AS output, useful_percent AS useful
FROM tb_unit_economics('ue', 'workflow');
-- By outcome: a3 0.6; a4 and b2 named none, 1 and nothing; resolved 0.6; success 1.
SELECT name, units, cost, value, margin, worst_unit FROM tb_unit_economics('ue', 'outcome');
-- By agent and by account; and all in one: 3.2 over 5 priced sessions = 0.64, p50 the 3rd of 0.2 0.4 0.6 1 1, worst the earlier of two.
SELECT name, units, cost, worst_unit FROM tb_unit_economics('ue', 'agent');
SELECT name, units, cost FROM tb_unit_economics('ue', 'account');
SELECT name, unit, units, cost, mean_cost AS mean, p50_cost AS p50, worst_unit, value, margin FROM tb_unit_economics('ue');
-- Tasks: t1 is a1 and a2 together, 0.6, and its outcome the last of both; unit => 'task' groups tasks.
SELECT name, unit, units, cost, tokens, successes FROM tb_unit_economics('ue', 'task');
SELECT name, unit, units, cost FROM tb_unit_economics('ue', 'workflow', unit => 'task');
-- Calls: ask 0.2 + 0.4 + 0.8 = 1.4; the others 0.6 + 0.2 + 1 and the one without a price.
SELECT name, unit, units, unpriced_units AS unpriced, cost, worst_cost FROM tb_unit_economics('ue', 'step');
SELECT name, unit, units, cost, mean_cost, worst_unit = :'a3' AS is_a3 FROM tb_unit_economics('ue', 'outcome', unit => 'step') WHERE name = 'escalated';
-- Sessions that started in January 3 and 4: a3 0.6 and a4, with its call of February, 1. Calls of these days: 0.6 and 0.8.
SELECT units, cost FROM tb_unit_economics('ue', 'session', '2026-01-03', '2026-01-05');
SELECT sum(units) AS units, sum(cost) AS cost FROM tb_unit_economics('ue', 'step', '2026-01-03', '2026-01-05');
SELECT count(*) FROM tb_unit_economics('ue', 'session', '2027-01-01');
-- Given back later, it was cheaper all along: 0.6 - 0.1 = 0.5.
SET tokbudget.clock = '2026-03-01';
SELECT tb_refund(:'a3', 'late', cost => 0.1) IS NOT NULL AS refunded, tb_adjust(:'a1', 0.2, 'no change') IS NOT NULL AS adjusted;
SELECT units, cost FROM tb_unit_economics('ue', 'session', '2026-01-03', '2026-01-04') UNION ALL SELECT units, cost FROM tb_unit_economics('ue', 'step', '2026-01-03', '2026-01-04');

-- A new value holds for what starts from then on; one said to hold since January 2 replaces what was said for then: a1 2, a2 10.
SELECT tb_set_outcome_value('ue', 'triage', 'resolved', 4);
SELECT tb_set_outcome_value('ue', 'triage', 'resolved', 10, effective_at => '2026-01-02');
SELECT account, workflow, outcome, value, currency, is_success, valid_from, valid_until FROM tb_outcome_values('ue');
SELECT value FROM tb_unit_economics('ue/a', 'outcome') WHERE name = 'resolved';
-- Ended: the general declaration holds again, 1 for a1 and a2 each.
SELECT tb_set_outcome_value('ue', 'triage', 'resolved', is_success => NULL, effective_at => '-infinity');
SELECT value FROM tb_unit_economics('ue/a', 'outcome') WHERE name = 'resolved';
SELECT action, before, after, reason FROM tb_changes('ue') WHERE action = 'set_outcome_value' AND after->>'outcome' = 'resolved' ORDER BY changed_at, after->>'value';

-- Token efficiency, by model. 100 + 200 + 300 + 400 + 100 + 1000 = 2100 in, 550 out: 550 / 2650 = 20.7547 %; cost 3.2 - 0.1 = 3.1,
-- 3.1 / 6 = 0.516666667 a call, 3.1 / 0.55 = 5.636363636 for 1000 of output. Useful 25 of 150, for 0.2: 8 for 1000 of them.
SELECT name, provider, requests, input_tokens AS input, output_tokens AS output, useful_output_tokens AS useful, output_percent, useful_percent, tokens_per_request AS per_request,
    cost, cost_per_request, cost_per_1000_output_tokens AS per_output, cost_per_1000_useful_tokens AS per_useful
FROM tb_token_efficiency('ue');
SELECT name, provider, requests, cost FROM tb_token_efficiency('ue', by => 'workflow');
SELECT count(*) FROM tb_token_efficiency('ue', '2030-01-01');

-- What cannot be.
SELECT code, message, detail FROM refused($$SELECT * FROM tb_unit_economics('ue', 'weekday')$$);
SELECT code, message, detail FROM refused($$SELECT * FROM tb_unit_economics('ue', 'session', '2026-02-01', '2026-01-01')$$);
SELECT statement, code_of(statement) FROM unnest(ARRAY[
    $$SELECT * FROM tb_unit_economics('ue/none')$$, $$SELECT * FROM tb_unit_economics(NULL)$$, $$SELECT * FROM tb_unit_economics('ue', NULL)$$,
    $$SELECT * FROM tb_unit_economics('ue', 'task', unit => 'session')$$, $$SELECT * FROM tb_unit_economics('ue', 'workflow', unit => 'day')$$,
    $$SELECT * FROM tb_unit_economics('ue', since => NULL)$$, $$SELECT * FROM tb_unit_economics('ue', until => '-infinity')$$,
    $$SELECT * FROM tb_token_efficiency('ue', by => 'mood')$$, $$SELECT * FROM tb_token_efficiency('ue', until => NULL)$$,
    $$SELECT tb_set_outcome_value('ue', NULL, ' ', 1)$$, $$SELECT tb_set_outcome_value('ue', NULL, NULL, 1)$$, $$SELECT tb_set_outcome_value('ue', NULL, 'x', 'NaN')$$,
    $$SELECT tb_set_outcome_value('ue', NULL, 'x', 'infinity')$$, $$SELECT tb_set_outcome_value('ue', NULL, 'x', 1e10)$$, $$SELECT tb_set_outcome_value('ue', NULL, 'x', 0.0000000001)$$,
    $$SELECT tb_set_outcome_value('ue', NULL, 'x', 1, is_success => NULL)$$, $$SELECT tb_set_outcome_value('ue', NULL, 'x', 1, currency => 'EUR')$$,
    $$SELECT tb_set_outcome_value('ue', NULL, 'x', 1, effective_at => 'infinity')$$, $$SELECT tb_set_outcome_value('ue/none', NULL, 'x', 1)$$,
    $$SELECT tb_outcome_values('ue/none')$$]) AS statement;

-- A role that may read ue/b sees that part, and nothing above or beside it.
CREATE ROLE ue_reader;
SELECT tb_grant_access('ue_reader', 'ue/b', 'read');
SET ROLE ue_reader;
SELECT name, units, cost, value FROM tb_unit_economics('ue/b', 'workflow');
SELECT name, cost FROM tb_token_efficiency('ue/b');
SELECT account, outcome, value FROM tb_outcome_values('ue/b');
SELECT statement, code_of(statement) FROM unnest(ARRAY[
    $$SELECT * FROM tb_unit_economics('ue')$$, $$SELECT * FROM tb_unit_economics('ue/a')$$, $$SELECT * FROM tb_token_efficiency('ue')$$,
    $$SELECT * FROM tb_outcome_values('ue')$$, $$SELECT tb_set_outcome_value('ue/b', NULL, 'x', 1)$$, $$SELECT FROM tokbudget.session_usage$$,
    $$SELECT FROM tokbudget.outcome_value$$, $$SELECT tokbudget._sessions(1, 1, '-infinity')$$]) AS statement;
RESET ROLE;
SELECT tb_revoke_access('ue_reader', 'ue/b', 'read');
DROP ROLE ue_reader;
DROP FUNCTION book(timestamptz, text, bigint, bigint, jsonb);
RESET tokbudget.clock;
SELECT * FROM tb_verify();
