-- Sessions and tasks: the roll-up with the live tail is what one aggregate over the ledger gives, however it was filled.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- 1 per 1,000 input tokens, 2 per 1,000 output tokens.
SELECT tb_set_price('su-m', 'acme', 1000, 2000, effective_at => '2010-01-01') > 0 AS priced;
SELECT tb_create_account('su/a/bot') > 0 AS a, tb_create_account('su/b') > 0 AS b;

CREATE FUNCTION book(started timestamptz, ended timestamptz, account text, input bigint, output bigint, attributes jsonb) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    held uuid;
BEGIN
    PERFORM set_config('tokbudget.clock', started::text, false);
    held := (tb_reserve(account, 'su-m', input_tokens => input, max_output_tokens => output, ttl => '1 day')).reservation;
    PERFORM set_config('tokbudget.clock', ended::text, false);
    RETURN (tb_commit(held, jsonb_build_object('input_tokens', input, 'output_tokens', output), attributes)).entry;
END;
$$;
-- What the roll-up should say, written anew: one aggregate over the ledger.
CREATE VIEW plain AS
SELECT e.account_id, u.unit, u.name, e.account_ids[1:array_position(e.account_ids, e.account_id)] AS account_ids,
    min(e.reserved_at) AS started_at, max(e.recorded_at) FILTER (WHERE c) AS last_at, count(*) FILTER (WHERE c) AS steps,
    count(*) FILTER (WHERE c AND e.retry_count > 0) AS retries, max(e.input_tokens) AS max_input_tokens,
    sum(e.requests) AS requests, sum(e.input_tokens) AS input_tokens, sum(e.output_tokens) AS output_tokens,
    sum(e.cost) AS cost, sum(e.internal_cost) AS internal_cost,
    sum((e.labels->>'useful_output_tokens')::numeric) FILTER (WHERE c AND e.labels->>'useful_output_tokens' IN ('15')) AS useful_output_tokens,
    coalesce(sum(coalesce((e.meters->>'tool_calls')::numeric, (e.operation = 'execute_tool')::int)) FILTER (WHERE c), 0) AS tool_calls,
    (SELECT l.outcome FROM tokbudget.entry l
     WHERE l.tenant_id = e.tenant_id AND l.account_id = e.account_id AND l.outcome IS NOT NULL AND l.kind IN ('commit', 'charge')
         AND CASE u.unit WHEN 'session' THEN l.session ELSE l.task END = u.name ORDER BY l.recorded_at DESC LIMIT 1) AS outcome,
    (SELECT l.workflow FROM tokbudget.entry l
     WHERE l.tenant_id = e.tenant_id AND l.account_id = e.account_id AND l.workflow IS NOT NULL
         AND CASE u.unit WHEN 'session' THEN l.session ELSE l.task END = u.name ORDER BY l.reserved_at LIMIT 1) AS workflow
FROM tokbudget.entry e, LATERAL (VALUES ('session', e.session), ('task', e.task)) u (unit, name),
    LATERAL (SELECT e.kind IN ('commit', 'charge') AS c) k
WHERE e.tenant_id = (SELECT tenant_id FROM tokbudget.tenant WHERE name = 'su') AND u.name <> '' AND e.kind NOT IN ('expire', 'transfer')
GROUP BY e.tenant_id, e.account_id, u.unit, u.name, e.account_ids[1:array_position(e.account_ids, e.account_id)];
-- What readers get.
CREATE VIEW live AS
SELECT r.* FROM tokbudget.account a, LATERAL (VALUES ('session'), ('task')) u (unit),
    LATERAL tokbudget._unit_usage(a.tenant_id, a.account_id, u.unit, '-infinity', 'infinity', '-infinity') r
WHERE a.path = 'su';
CREATE FUNCTION differences() RETURNS TABLE (side text, unit text, name text) LANGUAGE sql AS $$
    WITH l AS (
        SELECT account_id, unit, name, account_ids, started_at, last_at, steps, retries, max_input_tokens, requests, input_tokens, output_tokens,
            cost, internal_cost, useful_output_tokens, tool_calls, outcome, workflow FROM live),
    p AS (TABLE plain)
    SELECT 'live', x.unit, x.name FROM (TABLE l EXCEPT TABLE p) x UNION ALL SELECT 'plain', y.unit, y.name FROM (TABLE p EXCEPT TABLE l) y
    ORDER BY 1, 2, 3
$$;

-- Says that the roll-ups cover a snapshot.
CREATE FUNCTION cover(snapshot pg_snapshot, own xid8 DEFAULT '0') RETURNS void LANGUAGE sql AS $$
    INSERT INTO tokbudget.rollup (covered, taken_by, refreshed_at) VALUES (snapshot, own, now())
    ON CONFLICT (is_only) DO UPDATE SET covered = EXCLUDED.covered, taken_by = EXCLUDED.taken_by
$$;

-- Session s1: three steps, 10:00:00 to 10:00:09, the second a retry, the third with the outcome. 100+200+300 input, 10+20+30 output;
-- cost 0.1+0.02, 0.2+0.04, 0.3+0.06 = 0.72. Its workflow is the one named first, by the earlier reservation.
SELECT book('2026-01-05 10:00:00+00', '2026-01-05 10:00:02+00', 'su/a/bot', 100, 10, '{"session": "s1", "task": "t1", "workflow": "triage", "agent": "bot"}') IS NOT NULL AS first;
SELECT book('2026-01-05 10:00:03+00', '2026-01-05 10:00:05+00', 'su/a/bot', 200, 20, '{"session": "s1", "task": "t1", "workflow": "answer", "retry_count": 1, "useful_output_tokens": 15}') IS NOT NULL AS second;
SELECT book('2026-01-05 10:00:06+00', '2026-01-05 10:00:09+00', 'su/a/bot', 300, 30, '{"session": "s1", "task": "t2", "outcome": "open", "useful_output_tokens": "many"}') AS third \gset
-- A tool call that failed, two calls of one entry that did not, and what a broken label says.
SET tokbudget.clock = '2026-01-05 10:00:09.5+00';
SELECT cost FROM tb_charge('su/a/bot', NULL, '{}', attributes => '{"session": "s2", "task": "t1", "operation": "execute_tool", "tool_status": "Timeout", "workflow": "triage"}');
SELECT cost FROM tb_charge('su/a/bot', NULL, '{}', meters => '{"tool_calls": 2}', attributes => '{"session": "s2", "tool_status": "ok", "useful_output_tokens": -5}');
-- The same name in another account is another session; an empty name is none.
SELECT book('2026-01-06 10:00:00+00', '2026-01-06 10:00:01+00', 'su/b', 1000, 100, '{"session": "s1", "outcome": "success"}') IS NOT NULL AS booked,
       book('2026-01-06 10:00:00+00', '2026-01-06 10:00:01+00', 'su/b', 1000, 100, '{"session": "", "task": ""}') IS NOT NULL AS nameless;
SELECT unit, name, workflow, agent, task, outcome, started_at::time, last_at::time, steps, retries, max_input_tokens AS max, input_tokens AS input, output_tokens AS output,
    useful_output_tokens AS useful, tool_calls AS tools, failed_tool_calls AS failed, cost
FROM live ORDER BY unit, name, started_at;
SELECT * FROM differences();

-- Filled in portions, in an order that has nothing to do with time. A snapshot may leave out what was open when it was taken:
-- here the transactions that wrote s1's second step and t2, as if they were still running. Each step is undone.
BEGIN;
TRUNCATE tokbudget.session_usage;
SELECT cover('1:1:');
SELECT count(*) AS kept, (SELECT count(*) FROM differences()) AS differences FROM tokbudget.session_usage;
SELECT min(written_by) FILTER (WHERE session = 's1' AND retry_count = 1) AS late, min(written_by) FILTER (WHERE task = 't2') AS later,
    min(written_by) AS first, max(written_by::text::bigint) + 1 AS next
FROM tokbudget.entry WHERE tenant_id = (SELECT tenant_id FROM tokbudget.tenant WHERE name = 'su') \gset
SELECT :'first' || ':' || :'next' || ':' || :'late' || ',' || :'later' AS middle, :'late' || ':' || :'next' || ':' || :'late' AS after \gset
SELECT tokbudget._refresh_session_usage('1:1:', '0', :'middle');
SELECT cover(:'middle');
-- s1 lacks two of three steps in the roll-up: 100 input tokens.
SELECT name, steps, input_tokens, last_at::time FROM tokbudget.session_usage WHERE unit = 'session' AND name = 's1' ORDER BY started_at;
SELECT * FROM differences();
SELECT tokbudget._refresh_session_usage(:'middle', '0', :'after');
SELECT cover(:'after');
SELECT name, steps, input_tokens, outcome FROM tokbudget.session_usage WHERE unit = 'session' AND name = 's1' ORDER BY started_at;
SELECT * FROM differences();
SELECT tokbudget._refresh_session_usage(:'after', '0', pg_current_snapshot());
SELECT cover(pg_current_snapshot(), pg_current_xact_id());
SELECT * FROM differences();
-- Months later the third step is corrected to 0.1 (it was 0.36): only costs change, and neither the outcome nor the end do.
SET tokbudget.clock = '2026-04-01 00:00:00+00';
SELECT tb_adjust(:'third', 0.1, 'contract price') IS NOT NULL AS adjusted;
SELECT name, outcome, steps, last_at, cost FROM live WHERE unit = 'session' AND name = 's1' ORDER BY started_at;
SELECT * FROM differences();
ROLLBACK;

-- An account that was moved amid a session: what it spent on either path is kept apart, and each subtree has its own.
SET tokbudget.clock = '2026-01-07 09:00:00+00';
SELECT tb_create_account('su/c') > 0 AS made;
SELECT book('2026-01-07 10:00:00+00', '2026-01-07 10:00:01+00', 'su/a/bot', 5, 0, '{"session": "moved"}') IS NOT NULL AS booked;
SELECT tb_move_account('su/a/bot', 'su/c', 'reorganised');
SELECT book('2026-01-07 11:00:00+00', '2026-01-07 11:00:01+00', 'su/c/bot', 7, 0, '{"session": "moved"}') IS NOT NULL AS booked;
SELECT a.path, s.session, s.input_tokens, s.currency
FROM tokbudget.account a, LATERAL tokbudget._sessions(a.tenant_id, a.account_id, '2026-01-07') s WHERE a.path IN ('su', 'su/a', 'su/b', 'su/c') ORDER BY 1, 3;
SELECT * FROM differences();
-- A name of any length does not stop the roll-up.
SELECT book('2026-01-08 10:00:00+00', '2026-01-08 10:00:01+00', 'su/b', 1, 0, jsonb_build_object('session', repeat('é', 5000))) IS NOT NULL AS booked;
SELECT length(session), left(session, 3) AS begins FROM tokbudget.account a, LATERAL tokbudget._sessions(a.tenant_id, a.account_id, '2026-01-08') s WHERE a.path = 'su/b';
BEGIN;
TRUNCATE tokbudget.session_usage;
SELECT tokbudget._refresh_session_usage('1:1:', '0', pg_current_snapshot());
SELECT cover(pg_current_snapshot(), pg_current_xact_id());
SELECT length(name) AS length FROM tokbudget.session_usage WHERE started_at = '2026-01-08 10:00:00+00';
ROLLBACK;

-- What tb_refresh keeps, also anew, is what the ledger says; and what a month that left it said stays. Session old has 10 input tokens
-- in May 2019 and 20 in June, gone has 40 in May.
SELECT book('2019-05-31 10:00:00+00', '2019-05-31 10:00:01+00', 'su/b', 10, 1, '{"session": "old", "useful_output_tokens": 15}') IS NOT NULL AS may,
       book('2019-05-30 10:00:00+00', '2019-05-30 10:00:01+00', 'su/b', 40, 0, '{"session": "gone", "outcome": "success"}') IS NOT NULL AS gone;
SELECT book('2019-06-01 10:00:00+00', '2019-06-01 10:00:01+00', 'su/b', 20, 2, '{"session": "old", "retry_count": 1}') AS june \gset
SELECT tb_refresh() > 0 AS refreshed;
SELECT side, unit, left(name, 3) AS name FROM differences() WHERE name NOT LIKE 'é%';
SELECT tb_refresh(rebuild => true) > 0 AS rebuilt;
SELECT side, unit, left(name, 3) AS name FROM differences() WHERE name NOT LIKE 'é%';
RESET tokbudget.clock;
SELECT entries_moved > 0 AS moved FROM tb_maintain();
SELECT tb_detach_month('2019-05-01', 'old') IS NOT NULL AS detached;
SET tokbudget.clock = '2026-04-01 00:00:00+00';
-- 0.024 becomes 0.02: with 0.012 of May it is 0.032.
SELECT tb_adjust(:'june', 0.02, 'test') IS NOT NULL AS adjusted;
SELECT name, steps, retries, input_tokens, output_tokens, useful_output_tokens AS useful, cost, outcome, started_at, last_at FROM live WHERE name IN ('old', 'gone') ORDER BY name;
CREATE TABLE before AS SELECT * FROM live;
SELECT tb_refresh() > 0 AS refreshed;
(SELECT * FROM live EXCEPT SELECT * FROM before) UNION ALL (SELECT * FROM before EXCEPT SELECT * FROM live);
SELECT tb_refresh(rebuild => true) > 0 AS rebuilt;
(SELECT * FROM live EXCEPT SELECT * FROM before) UNION ALL (SELECT * FROM before EXCEPT SELECT * FROM live);
SELECT count(*) = (SELECT count(*) FROM before) AS all_kept FROM tokbudget.session_usage WHERE tenant_id = (SELECT tenant_id FROM tokbudget.tenant WHERE name = 'su');
DROP TABLE before;
DROP TABLE tokbudget.entry_2019_05_detached;
DROP FUNCTION cover(pg_snapshot, xid8), differences();
DROP VIEW live, plain;
DROP FUNCTION book(timestamptz, timestamptz, text, bigint, bigint, jsonb);
RESET tokbudget.clock;
