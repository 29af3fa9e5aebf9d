-- Chargeback and showback: who spent what on what, by any attribute and in any zone, to the last nano-unit.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- Per million: a costs 2 in and 10 out, b costs 1 in and 4 out.
SELECT tb_set_price('rep-a', 'acme', 2, 10, effective_at => '2020-01-01') > 0, tb_set_price('rep-b', 'bravo', 1, 4, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('rep/search/bot', cost_center => 'S1') > 0, tb_create_account('rep/search/web', cost_center => 'S2') > 0,
       tb_create_account('rep/ads') > 0, tb_create_account('rep/idle', owner => 'ann') > 0, tb_create_account('rep/silent') > 0;
SELECT tb_create_budget('rep/idle', 'cost', 5, every => 'month') > 0, tb_create_budget('rep', 'cost', 1, every => 'month', time_zone => 'Asia/Kolkata') > 0,
       tb_create_budget('rep/search', 'tokens', 10000) > 0;

CREATE FUNCTION spend(at timestamptz, account text, model text, input bigint, output bigint, attributes jsonb DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, model, jsonb_build_object('input_tokens', input, 'output_tokens', output), attributes => attributes)).entry;
END;
$$;
-- Kolkata is 5 h 30 min ahead, New York 5 h behind in January and 4 h in July: the first two fall into other days, and the
-- first into another month, than in UTC.
--   bot  2026-01-31 18:29:59  a  1000 in 100 out  0.002 + 0.001   = 0.003    (Kolkata: 23:59:59 on 31 January)
--   bot  2026-01-31 18:30:00  a  1000 in 100 out                  = 0.003    (Kolkata: 00:00:00 on 1 February)
--   web  2026-01-31 23:59:59  b  2000 in 500 out  0.002 + 0.002   = 0.004
--   ads  2026-02-01 00:00:00  b   100 in   0 out  0.0001          = 0.0001
--   rep  2026-02-01 04:59:59  b   100 in   0 out                  = 0.0001   (New York: 23:59:59 on 31 January)
--   web  2026-02-01 05:00:00  a    10 in   1 out  0.00002+0.00001 = 0.00003
SELECT count(*) FROM (VALUES
    (spend('2026-01-31 18:29:59+00', 'rep/search/bot', 'rep-a', 1000, 100, '{"workflow": "triage", "step": "plan", "end_user": "u1", "outcome": "solved"}')),
    (spend('2026-01-31 18:30:00+00', 'rep/search/bot', 'rep-a', 1000, 100, '{"workflow": "triage", "step": "act", "end_user": "u2"}')),
    (spend('2026-01-31 23:59:59+00', 'rep/search/web', 'rep-b', 2000, 500, '{"workflow": "answer", "end_user": "u1", "operation": "chat", "retry_count": 2}')),
    (spend('2026-02-01 00:00:00+00', 'rep/ads', 'rep-b', 100, 0)),
    (spend('2026-02-01 04:59:59+00', 'rep', 'rep-b', 100, 0)),
    (spend('2026-02-01 05:00:00+00', 'rep/search/web', 'rep-a', 10, 1, '{"service_tier": "flex", "agent": "x"}'))
) AS entries;
SET tokbudget.clock = '2026-02-10 00:00:00+00';

-- The same answers from the ledger, from the roll-ups, and from both.
CREATE FUNCTION answers() RETURNS TABLE (question text, line text) LANGUAGE sql AS $$
    SELECT 'january by account', format('%s %s %s %s%%', account, requests, cost, share_percent)
    FROM tb_chargeback('rep', since => '2026-01-01', until => '2026-02-01')
    UNION ALL SELECT 'everything', format('%s %s %s', requests, input_tokens, cost) FROM tb_chargeback('rep', '{}', '-infinity', 'infinity')
    UNION ALL SELECT 'february by child', format('%s %s %s', account, requests, cost) FROM tb_chargeback('rep', depth => 1)
    UNION ALL SELECT 'search', format('%s %s %s', account, requests, cost) FROM tb_chargeback('rep/search', since => '2026-01-01', until => '2026-03-01', depth => 0)
    UNION ALL SELECT 'by cost center', format('%s %s unallocated %s', cost_center, cost, is_unallocated) FROM tb_chargeback('rep', '{cost_center}', '2026-01-01', '2026-03-01')
    UNION ALL SELECT 'by model', format('%s %s tier %s %s', provider, model, service_tier, cost) FROM tb_chargeback('rep', '{provider,model,service_tier}', '2026-01-01', '2026-03-01')
    UNION ALL SELECT 'by step', format('%s %s %s %s retried %s', workflow, step, outcome, cost, retried_entries) FROM tb_chargeback('rep', '{workflow,step,outcome}', '2026-01-01', '2026-03-01')
    UNION ALL SELECT 'by user', format('%s %s', end_user, cost) FROM tb_chargeback('rep', '{end_user}', '2026-01-01', '2026-03-01')
    -- No roll-up has these two together.
    UNION ALL SELECT 'by user and model', format('%s %s %s', end_user, model, cost) FROM tb_chargeback('rep', '{end_user,model}', '2026-01-01', '2026-03-01')
    UNION ALL SELECT 'months in Kolkata', format('%s %s %s before %s', period_start, requests, cost, previous_cost)
        FROM tb_chargeback('rep', '{}', '2026-01-01 00:00+05:30', '2026-03-01 00:00+05:30', every => 'month', time_zone => 'Asia/Kolkata', compare => true)
    UNION ALL SELECT 'days in New York', format('%s %s %s %s', period_start, model, requests, cost)
        FROM tb_chargeback('rep', '{model}', '2026-01-31 00:00-05', '2026-02-02 00:00-05', every => 'day', time_zone => 'America/New_York')
    UNION ALL SELECT 'hours', format('%s %s', period_start, cost) FROM tb_chargeback('rep/search', '{}', '2026-01-31 18:00+00', '2026-01-31 20:00+00', every => 'hour')
    UNION ALL SELECT 'one second', format('%s %s', requests, cost) FROM tb_chargeback('rep', '{}', '2026-01-31 18:29:59+00', '2026-01-31 18:30:00+00')
    UNION ALL SELECT 'showback', format('%s own %s subtree %s of it %s%% before %s budgets %s', account, own_cost, subtree_cost, share_percent, previous_cost, budgets)
        FROM tb_showback('rep', '2026-02-01', '2026-03-01')
    UNION ALL SELECT 'a minute of showback', format('%s %s', account, subtree_cost) FROM tb_showback('rep', '2026-01-31 18:29:59.5+00', '2026-01-31 18:31+00', levels => 1)
$$;
SELECT * FROM answers();
CREATE TABLE from_ledger AS SELECT * FROM answers();
SELECT tb_refresh() > 0 AS refreshed;
SELECT tb_refresh() AS again;
(TABLE from_ledger EXCEPT ALL SELECT * FROM answers()) UNION ALL (SELECT * FROM answers() EXCEPT ALL TABLE from_ledger);
-- The roll-ups are what is read.
SELECT facet, grain, count(*), sum(entries) AS entries FROM tokbudget.facet_usage JOIN tokbudget.tenant USING (tenant_id) WHERE name = 'rep' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT path, grain, sum(entries) AS entries, sum(cost) AS cost FROM tokbudget.subtree_usage JOIN tokbudget.account USING (tenant_id, account_id) WHERE path LIKE 'rep%' GROUP BY 1, 2 ORDER BY 1, 2;

-- What comes after a refresh is there at once: a call, a correction of one that was summed (adjusted by 0.003 - 0.0015 in
-- February, in the account and the workflow of the call), a refund.
SELECT entry_id AS adjusted FROM tokbudget.entry WHERE step = 'plan' AND workflow = 'triage' AND account_id = (SELECT account_id FROM tokbudget.account WHERE path = 'rep/search/bot') \gset
SELECT tb_adjust(:'adjusted', 0.0015, 'agreed') IS NOT NULL AS adjusted;
SELECT period_start, account, workflow, step, cost, corrections FROM tb_chargeback('rep', '{account,workflow,step}', '2026-02-01', '2026-03-01') WHERE corrections > 0;
SELECT cost FROM tb_chargeback('rep', '{}', '-infinity', 'infinity');
SELECT tb_refresh() AS one;
SELECT cost FROM tb_chargeback('rep', '{}', '-infinity', 'infinity');
-- So it is below the root, and where nobody ever spent.
SELECT sum(cost) AS by_model, (SELECT cost FROM tb_chargeback('rep/search', '{}', '-infinity', 'infinity')) AS at_once FROM tb_chargeback('rep/search', '{model}', '-infinity', 'infinity');
SELECT count(*) AS lines FROM tb_chargeback('rep/silent', '{model}', '-infinity', 'infinity');
SELECT period, account, model, cost FROM tokbudget.chargeback WHERE tenant = 'rep' ORDER BY period, account, model;

-- Usage without a price counts as unpriced until a correction, in the month in which it was used, whichever of the two a refresh
-- saw first.
SELECT tb_set_unpriced('rep', 'record', '{"input": 1, "output": 1}');
SELECT spend('2026-02-11 00:00:00+00', 'rep/ads', 'rep-none', 100, 10) IS NOT NULL AS used, spend('2026-02-11 00:00:00+00', 'rep/ads', 'rep-none', 200, 10) IS NOT NULL AS used;
SET tokbudget.clock = '2026-03-02 00:00:00+00';
SELECT unpriced_entries, cost FROM tb_chargeback('rep', '{model}', '2026-02-01', '2026-03-01') WHERE model = 'rep-none';
SELECT tb_refresh() AS two;
SELECT tb_set_price('rep-none', 'none', 1, 1, effective_at => '2020-01-01') > 0;
SELECT count(*) AS rerated FROM tb_rerate('rep');
SELECT period_start, unpriced_entries, cost, corrections FROM tb_chargeback('rep', '{model}', '2026-02-01', '2026-04-01', every => 'month') WHERE model = 'rep-none';
SELECT tb_refresh() AS two;
SELECT period_start, unpriced_entries, cost, corrections FROM tb_chargeback('rep', '{model}', '2026-02-01', '2026-04-01', every => 'month') WHERE model = 'rep-none';
SELECT period, model, unpriced_entries, cost FROM tokbudget.chargeback WHERE tenant = 'rep' AND model = 'rep-none' ORDER BY period;

-- Made anew, the roll-ups are the same.
CREATE TABLE kept AS SELECT * FROM tokbudget.facet_usage;
CREATE TABLE kept_subtree AS SELECT * FROM tokbudget.subtree_usage;
SELECT tb_refresh(rebuild => true) > 0 AS rebuilt;
SELECT count(*) AS different FROM ((TABLE kept EXCEPT ALL TABLE tokbudget.facet_usage) UNION ALL (TABLE tokbudget.facet_usage EXCEPT ALL TABLE kept)) AS d;
SELECT count(*) AS different FROM ((TABLE kept_subtree EXCEPT ALL TABLE tokbudget.subtree_usage) UNION ALL (TABLE tokbudget.subtree_usage EXCEPT ALL TABLE kept_subtree)) AS d;
DROP TABLE kept, kept_subtree, from_ledger;

-- What this transaction wrote is there too, before a refresh in it and after, and gone when it is rolled back.
BEGIN;
SELECT spend('2026-03-03 00:00:00+00', 'rep/ads', 'rep-b', 1000, 0) IS NOT NULL AS used;
SELECT cost FROM tb_chargeback('rep/ads', '{}', '2026-03-03', '2026-03-04');
SELECT tb_refresh() AS none_yet;
SELECT cost FROM tb_chargeback('rep/ads', '{}', '2026-03-03', '2026-03-04');
SAVEPOINT a;
SELECT spend('2026-03-03 00:00:00+00', 'rep/ads', 'rep-b', 1000, 0) IS NOT NULL AS used;
SELECT cost FROM tb_chargeback('rep/ads', '{}', '2026-03-03', '2026-03-04');
ROLLBACK TO a;
COMMIT;
SELECT cost FROM tb_chargeback('rep/ads', '{}', '2026-03-03', '2026-03-04');
SELECT tb_refresh() AS one;
SELECT cost FROM tb_chargeback('rep/ads', '{}', '2026-03-03', '2026-03-04');
-- In small batches, each up to the end of a transaction.
SELECT count(spend('2026-03-04 00:00:00+00', 'rep/ads', 'rep-b', 1000, 0)) FROM generate_series(1, 5);
SELECT spend('2026-03-04 00:00:00+00', 'rep/ads', 'rep-b', 1000, 0) IS NOT NULL AS used;
SELECT spend('2026-03-04 00:00:00+00', 'rep/ads', 'rep-b', 1000, 0) IS NOT NULL AS used;
SELECT * FROM tokbudget._refresh(2, true);
SELECT requests FROM tb_chargeback('rep/ads', '{}', '2026-03-04', '2026-03-05');
SELECT * FROM tokbudget._refresh(1, true);
SELECT * FROM tokbudget._refresh(1, true);
SELECT requests FROM tb_chargeback('rep/ads', '{}', '2026-03-04', '2026-03-05');

-- A month that leaves the ledger stays in the reports, also when they are made anew.
SELECT spend('2020-09-05 00:00:00+00', 'rep/ads', 'rep-b', 1000, 0) IS NOT NULL AS used;
SELECT partitions_made > 0 AS made FROM tb_maintain(0);
SET tokbudget.clock = '2026-03-05 00:00:00+00';
SELECT tb_drop_month('2020-09-01', 'no longer needed');
SELECT period_start, requests, cost FROM tb_chargeback('rep', '{}', '2020-09-01', '2020-10-01');
SELECT tb_refresh(rebuild => true) > 0 AS rebuilt;
SELECT period_start, requests, cost FROM tb_chargeback('rep', '{}', '2020-09-01', '2020-10-01');

-- Budgets beside what was spent: February has 28 days; 1 day 12 hours of it is 5.36 %.
SET tokbudget.clock = '2026-02-02 12:00:00+00';
SELECT account, meter, every, window_start, amount, spent, remaining, used_percent, elapsed_percent, expected, state FROM tb_budget_report('rep');
SELECT account, window_start, spent, state FROM tb_budget_report('rep/idle', '2025-12-31 23:59+00');

-- Who may read a part sees that part.
CREATE ROLE regress_rep_reader;
SELECT tb_grant_access('regress_rep_reader', 'rep/search', 'read');
SET ROLE regress_rep_reader;
SELECT account, requests FROM tb_chargeback('rep/search', since => '2026-01-01', until => '2026-03-01');
SELECT account, period, requests FROM tokbudget.chargeback ORDER BY account, period;
SELECT code_of($$SELECT tb_chargeback('rep')$$) AS chargeback, code_of($$SELECT tb_showback('rep')$$) AS showback, code_of($$SELECT tb_budget_report('rep')$$) AS budgets,
       code_of($$SELECT tb_refresh()$$) AS refresh, code_of($$TABLE tokbudget.facet_usage$$) AS table, code_of($$SELECT tokbudget._usage_tail(NULL)$$) AS tail;
RESET ROLE;
SELECT tb_revoke_access('regress_rep_reader', 'rep/search', 'read');
DROP ROLE regress_rep_reader;

-- An account that moves takes nothing along that it spent elsewhere.
RESET tokbudget.clock;
SELECT tb_move_account('rep/search/web', 'rep/ads', 'reorganisation');
SELECT account, requests FROM tb_chargeback('rep/search', since => '2026-01-01', until => '2026-02-02');
SELECT account, level, own_cost, subtree_cost FROM tb_showback('rep/search', '2026-01-01', '2026-02-02');

-- What is wrong is said.
SELECT * FROM refused($$SELECT tb_chargeback('rep', '{account,colour}')$$);
SELECT * FROM refused($$SELECT tb_chargeback('rep', since => '2026-01-01', until => '2026-01-01')$$);
SELECT code_of($$SELECT tb_chargeback('rep/none')$$) AS unknown, code_of($$SELECT tb_chargeback(NULL)$$) AS null_account, code_of($$SELECT tb_chargeback('rep//x')$$) AS malformed,
       code_of($$SELECT tb_chargeback('rep', NULL)$$) AS null_by, code_of($$SELECT tb_chargeback('rep', ARRAY[NULL]::text[])$$) AS null_attribute,
       code_of($$SELECT tb_chargeback('rep', every => 'fortnight')$$) AS calendar, code_of($$SELECT tb_chargeback('rep', time_zone => 'Mars')$$) AS zone,
       code_of($$SELECT tb_chargeback('rep', depth => -1)$$) AS depth, code_of($$SELECT tb_chargeback('rep', compare => NULL)$$) AS compare,
       code_of($$SELECT tb_chargeback('rep', every => 'minute', since => '2026-01-01', until => '2026-02-01')$$) AS too_many,
       code_of($$SELECT tb_chargeback('rep', every => 'day', since => '-infinity')$$) AS endless, code_of($$SELECT tb_refresh(NULL)$$) AS refresh,
       code_of($$SELECT tb_showback('rep', levels => -1)$$) AS levels, code_of($$SELECT tb_showback('rep', until => '-infinity')$$) AS empty, code_of($$SELECT tb_budget_report('rep', 'infinity')$$) AS instant;
DROP FUNCTION spend, answers;
SELECT * FROM tb_verify();
