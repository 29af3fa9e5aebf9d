-- Anomalies: what is usual for sessions, sessions far above it while they go on, loops, hours with too much spend, and their alerts.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- 2 USD for a million input tokens.
SELECT tb_set_price('an-a', 'acme', 2, 10, effective_at => '2020-01-01') > 0 AS price;
SELECT tb_create_account('an/team/bot') > 0 AS bot, tb_create_account('an/other/bot') > 0 AS other;
CREATE FUNCTION spend(at timestamptz, account text, tokens bigint, attributes jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    PERFORM tb_charge(account, 'an-a', jsonb_build_object('input_tokens', tokens, 'output_tokens', 0), attributes => attributes);
END;
$$;
-- Of workflow wide five sessions with 500, 1000, 2000, 4000 and 8000 tokens: 0.001, 0.002, 0.004, 0.008 and 0.016 USD. Of workflow
-- narrow five with 1000 tokens each, 0.002 USD. Of workflow rare one.
SELECT count(spend('2026-03-01 10:00', 'an/team/bot', (250 * 2 ^ n)::bigint, jsonb_build_object('workflow', 'wide', 'session', 'wide-' || n))) AS wide,
       count(spend('2026-03-01 10:00', 'an/team/bot', 1000, jsonb_build_object('workflow', 'narrow', 'session', 'narrow-' || n))) AS narrow
FROM generate_series(1, 5) AS n;
SELECT spend('2026-03-01 10:00', 'an/team/bot', 1000, '{"workflow": "rare", "session": "rare-1"}');

-- wide, tokens: median 2000. Deviations of ln(1 + x) from ln 2001: ln(2001/501) = 1.384796, ln(2001/1001) = 0.692647, 0,
-- ln(4001/2001) = 0.692897, ln(8001/2001) = 1.385919; the third of them in order is the MAD, 0.692897. A score of 3.5 is
-- 2001 * exp(3.5 * 0.692897 / 0.6745) - 1 = 72,902, so ten times the median, 20,000, comes first. cost: median 0.004 USD, MAD
-- ln(8001/4001) = 0.693022, from 0.04. narrow: no deviation, which counts as 0.1: the score is 3.5 at 1001 * exp(0.518903) - 1
-- = 1680.8, so three times the median, 3000 and 0.006, comes last. max_input_tokens are the tokens, as each session has one call.
-- steps: median 1, six is five more; retries and tool_calls: 0, and five; duration_seconds: 0, and 60.
SET tokbudget.clock = '2026-03-02 12:00';
SELECT * FROM tb_session_baselines('an/team', minimum_sessions => 5) WHERE workflow <> 'rare';
-- Too few.
SELECT * FROM tb_session_baselines('an/team', workflow => 'rare', minimum_sessions => 5) WHERE quantity = 'cost';
SELECT workflow, count(*), count(median), min(reason) FROM tb_session_baselines('an/team') GROUP BY workflow ORDER BY workflow;
-- Another account has no part in it; before the sessions there were none; a session ends half an hour after its last step.
SELECT count(*) FROM tb_session_baselines('an/other', minimum_sessions => 5);
SELECT count(*) FROM tb_session_baselines('an', since => '2026-03-01 10:00', minimum_sessions => 5);
SELECT count(*) FROM tb_session_baselines('an', since => '2026-03-01 10:00:01', minimum_sessions => 5);
SET tokbudget.clock = '2026-03-01 10:29';
SELECT count(*) FROM tb_session_baselines('an', since => '2026-03-01 10:20', minimum_sessions => 5);

-- A session goes on: 1000 tokens are usual, 2999 still are nothing, 3000 are three times the median, 10,000 ten times.
SELECT spend('2026-03-02 12:00', 'an/team/bot', 2999, '{"workflow": "narrow", "session": "going"}');
SELECT count(*) FROM tb_anomalies('an', minimum_sessions => 5);
SELECT spend('2026-03-02 12:01', 'an/team/bot', 1, '{"workflow": "narrow", "session": "going"}');
-- ln(3001/1001) = 1.097945; 0.6745 * 1.097945 / 0.1 = 7.41. Of cost ln(6001/2001) = 1.098279, 7.41. Of seconds, by tens,
-- ln(1 + 60/10) = 1.945910, 13.13.
SELECT account, workflow, session, quantity, value, baseline_median, baseline_log_mad, score, times_baseline, severity, first_seen, last_step_at, reason
FROM tb_anomalies('an/team', minimum_sessions => 5);
SELECT tb_detect_anomalies('an', minimum_sessions => 5) AS written, tb_detect_anomalies('an', minimum_sessions => 5) AS again;
SELECT spend('2026-03-02 12:01', 'an/team/bot', 7000, '{"workflow": "narrow", "session": "going"}');
-- ln(10001/1001) = 2.301686, 15.52; of cost ln(20001/2001) = 2.302135, 15.53; the largest call has 7000: ln(7001/1001) = 1.945053, 13.12.
SELECT quantity, value, score, times_baseline, severity, first_seen FROM tb_anomalies('an', minimum_sessions => 5);
SELECT tb_detect_anomalies('an', minimum_sessions => 5) AS written, tb_detect_anomalies('an/team/bot', minimum_sessions => 5) AS again;
-- What got better is not told of again: 0.01 USD given back leaves five times the median, a warning.
SELECT tb_refund(entry_id, 'gave too much', 0.01) IS NOT NULL AS refunded FROM tokbudget.entry WHERE session = 'going' AND input_tokens = 7000;
SELECT value, times_baseline, severity FROM tb_anomalies('an', minimum_sessions => 5) WHERE quantity = 'cost';
SELECT tb_detect_anomalies('an', minimum_sessions => 5) AS written;
-- Ten times the median of a workflow whose sessions differ that much: 0.6745 * ln(20001/2001) / 0.692897 = 2.24, only for information.
SELECT spend('2026-03-02 12:03', 'an/team/bot', 20000, '{"workflow": "wide", "session": "large"}');
SELECT spend('2026-03-02 12:03', 'an/team/bot', 80000, '{"workflow": "wide", "session": "huge"}');
SELECT session, quantity, value, score, times_baseline, severity FROM tb_anomalies('an', workflow => 'wide', minimum_sessions => 5);
-- Five retries where there are none as a rule: four are nothing. ln(6/1) = 1.791759, 12.09.
SELECT count(spend('2026-03-02 12:04', 'an/team/bot', 1, format('{"workflow": "narrow", "session": "again", "retry_count": %s}', n)::jsonb)) FROM generate_series(1, 4) AS n;
SELECT count(*) FROM tb_anomalies('an', minimum_sessions => 5) WHERE session = 'again';
SELECT spend('2026-03-02 12:05', 'an/team/bot', 1, '{"workflow": "narrow", "session": "again", "retry_count": 5}');
SELECT quantity, value, baseline_median, score, times_baseline, severity, reason FROM tb_anomalies('an', minimum_sessions => 5) WHERE session = 'again';
-- What is over is judged as well, by what was usual before it.
SET tokbudget.clock = '2026-03-04 12:00';
SELECT DISTINCT session FROM tb_anomalies('an', since => '2026-03-02 12:00', minimum_sessions => 5) ORDER BY session;
SELECT count(*) FROM tb_anomalies('an', minimum_sessions => 5);

-- Loops. The same tool nine times in a row is nothing, ten times is; another one in between begins anew.
SELECT count(spend('2026-03-05 10:00'::timestamptz + n * interval '10 minutes', 'an/other/bot', 1, format('{"session": "nine", "tool": "%s"}', CASE WHEN n = 10 THEN 'read' ELSE 'find' END)::jsonb)) FROM generate_series(1, 19) AS n;
SELECT count(*) FROM tb_anomalies('an/other');
SELECT spend('2026-03-05 14:00', 'an/other/bot', 1, '{"session": "nine", "tool": "find"}');
SELECT session, workflow, quantity, value, severity, score, last_step_at, reason FROM tb_anomalies('an/other');
-- In turn with others, but twenty times within ten minutes.
SELECT count(spend('2026-03-06 10:00'::timestamptz + n * interval '10 seconds', 'an/other/bot', 1, format('{"session": "often", "tool": "%s"}', CASE WHEN n % 3 = 0 THEN 'read-' || n ELSE 'find' END)::jsonb)) FROM generate_series(1, 30) AS n;
SELECT quantity, value, severity, reason FROM tb_anomalies('an/other') WHERE session = 'often';
SELECT count(*) FROM tb_anomalies('an/other', repeat_window => '4 minutes') WHERE session = 'often';
-- The same prompt five times in a row, three times as often is critical. Two prompts in turn.
SELECT count(spend('2026-03-07 10:00', 'an/other/bot', 1, '{"session": "prompt", "prompt_hash": "ab12"}')) FROM generate_series(1, 5);
SELECT count(spend('2026-03-07 10:00'::timestamptz + n * interval '1 second', 'an/other/bot', 1, format('{"session": "turn", "prompt_hash": "%s"}', CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END)::jsonb)) FROM generate_series(1, 5) AS n;
SELECT count(spend('2026-03-07 10:00'::timestamptz + n * interval '1 second', 'an/other/bot', 1, format('{"session": "tools", "operation": "execute_tool", "step": "%s"}', CASE n % 2 WHEN 0 THEN 'read' ELSE 'write' END)::jsonb)) FROM generate_series(1, 30) AS n;
SELECT session, quantity, value, severity, reason FROM tb_anomalies('an/other') ORDER BY session, quantity;
SELECT count(*) FROM tb_anomalies('an/team');
SELECT session, quantity FROM tb_anomalies('an/other', tool_repeats => 31, prompt_repeats => 6) ORDER BY session, quantity;

-- An hour: on four Mondays at ten the workflow spends 0.002 USD, on the fifth 0.02, ten times as much. Three are too few.
SELECT tb_create_account('an-hour/team') > 0 AS made;
SELECT count(spend('2026-03-02 10:05'::timestamptz + n * interval '7 days', 'an-hour/team', 1000, '{"workflow": "job"}')) FROM generate_series(0, 2) AS n;
SELECT spend('2026-03-23 10:05', 'an-hour/team', 10000, '{"workflow": "job"}');
SELECT count(*) FROM tb_anomalies('an-hour');
SELECT spend('2026-03-30 10:05', 'an-hour/team', 1000, '{"workflow": "job"}');
SELECT spend('2026-04-06 10:05', 'an-hour/team', 10000, '{"workflow": "job"}');
-- Medians of 0.002, 0.002, 0.002, 0.02 and 0.002: 0.002; no deviation counts as 0.1: 0.6745 * ln(20001/2001) / 0.1 = 15.53.
SELECT account, workflow, session, hour, quantity, value, baseline_median, score, times_baseline, severity, last_step_at, reason FROM tb_anomalies('an-hour');
SELECT account, workflow, hour, value, reason FROM tb_anomalies('an-hour/team');
SELECT tb_refresh() >= 0 AS refreshed;
SELECT hour, value FROM tb_anomalies('an-hour') UNION ALL SELECT hour, value FROM tb_anomalies('an-hour/team');
SELECT tb_detect_anomalies('an-hour') AS written, tb_detect_anomalies('an-hour') AS again;

-- Upkeep looks at every tenant, with a baseline of twenty sessions, and at what is new.
SELECT count(spend('2026-04-07 10:00', 'an/team/bot', 1000, jsonb_build_object('workflow', 'many', 'session', 'many-' || n))) FROM generate_series(1, 20) AS n;
SELECT spend('2026-04-08 10:00', 'an/team/bot', 11000, '{"workflow": "many", "session": "one more"}');
SELECT anomalies_found FROM tb_maintain(0);
SELECT anomalies_found FROM tb_maintain(0);
SELECT session, quantity, severity FROM tokbudget.anomaly WHERE tenant = 'an' AND workflow = 'many' ORDER BY quantity;

-- Who wants to be told of what: the nearest account decides, there the rule of the workflow. Of again there are two, retries and
-- duration_seconds; of huge three, critical; of large three, for information; and five loops of an/other.
SELECT tb_set_anomaly_alerts('an', 'none'), tb_set_anomaly_alerts('an', 'info', workflow => 'wide'), tb_set_anomaly_alerts('an/team', 'warning'), tb_set_anomaly_alerts('an/team', 'none', workflow => 'wide', reason => 'noisy');
SELECT tb_detect_anomalies('an', since => '2026-03-02 12:00', minimum_sessions => 5) AS of_again;
SELECT tb_set_anomaly_alerts('an/team', 'critical', workflow => 'wide');
SELECT tb_detect_anomalies('an', since => '2026-03-02 12:00', minimum_sessions => 5) AS of_huge;
SELECT tb_set_anomaly_alerts('an', 'info'), tb_set_anomaly_alerts('an/team', 'info', workflow => 'wide'), tb_set_anomaly_alerts('an/team', 'info');
SELECT tb_detect_anomalies('an', since => '2026-03-02 12:00', minimum_sessions => 5) AS others;
SELECT account, action, before, after, reason FROM tb_changes('an') WHERE action = 'set_anomaly_alerts' ORDER BY account, after->>'workflow', before NULLS FIRST;
SELECT * FROM refused($$SELECT tb_set_anomaly_alerts('an', 'some')$$);
SELECT code_of($$SELECT tb_set_anomaly_alerts('an', NULL)$$), code_of($$SELECT tb_set_anomaly_alerts('an', 'info', workflow => '')$$), code_of($$SELECT tb_set_anomaly_alerts('an', 'info', workflow => repeat('x', 1001))$$),
       code_of($$SELECT tb_set_anomaly_alerts('an/nobody', 'info')$$);

-- Alerts, with those of budgets.
SELECT created_at, account, budget, meter, kind, percent, spent, amount, window_start, workflow, session, quantity, value, baseline_median, score, severity FROM tb_alerts('an') ORDER BY created_at, session, quantity;
SELECT account, kind, window_start, workflow, quantity FROM tb_alerts('an-hour');
SELECT reason FROM tb_alerts('an-hour');

-- Everybody sees his own.
CREATE ROLE regress_an_reader;
SELECT tb_grant_access('regress_an_reader', 'an/other', 'read');
SET ROLE regress_an_reader;
SELECT count(*) > 0 AS shown FROM tb_anomalies('an/other', since => '2026-03-01');
SELECT code_of($$SELECT tb_anomalies('an')$$), code_of($$SELECT tb_session_baselines('an/team')$$), code_of($$SELECT tb_anomalies('an-hour')$$), code_of($$SELECT tb_detect_anomalies('an/other')$$);
SELECT count(*) FROM tokbudget.anomaly;
RESET ROLE;
SELECT tb_grant_access('regress_an_reader', 'an/team', 'administer');
SET ROLE regress_an_reader;
SELECT DISTINCT account FROM tokbudget.anomaly;
SELECT tb_detect_anomalies('an/team');
SELECT * FROM refused('SELECT tb_detect_anomalies()');
RESET ROLE;
SELECT tb_revoke_access('regress_an_reader', 'an/other', 'read'), tb_revoke_access('regress_an_reader', 'an/team', 'administer');
DROP ROLE regress_an_reader;

-- Names of any length, and of any letters.
SELECT spend('2026-04-08 10:01', 'an/team/bot', 11000, jsonb_build_object('workflow', 'many', 'session', repeat('%s', 5000)));
SELECT tb_detect_anomalies('an') AS written, tb_detect_anomalies('an') AS again;
SELECT reason FROM tb_anomalies('an') WHERE session LIKE '\%s%' AND quantity = 'cost';

-- Refused.
SELECT * FROM refused($$SELECT tb_anomalies('an/nobody')$$);
SELECT * FROM refused($$SELECT tb_anomalies('an', baseline => '59 minutes')$$);
SELECT * FROM refused($$SELECT tb_session_baselines('an', minimum_sessions => 4)$$);
SELECT * FROM refused($$SELECT tb_anomalies('an', tool_repeats => 2)$$);
SELECT * FROM refused($$SELECT tb_detect_anomalies('an', repeat_window => '0')$$);
SELECT code_of($$SELECT tb_anomalies(NULL)$$), code_of($$SELECT tb_anomalies('')$$), code_of($$SELECT tb_anomalies('an', baseline => NULL)$$), code_of($$SELECT tb_anomalies('an', minimum_sessions => NULL)$$),
       code_of($$SELECT tb_anomalies('an', prompt_repeats => NULL)$$), code_of($$SELECT tb_anomalies('an', repeat_window => NULL)$$), code_of($$SELECT tb_anomalies('an', baseline => '401 days')$$), code_of($$SELECT tb_anomalies('an', baseline => '-1 day')$$),
       code_of($$SELECT tb_detect_anomalies('an/nobody')$$), code_of($$SELECT tb_detect_anomalies('an', minimum_sessions => 1000001)$$);
-- Any instant may be asked for.
SELECT count(*) > 0 AS all_time FROM tb_anomalies('an', since => '-infinity');
SELECT count(*) AS never FROM tb_anomalies('an', since => 'infinity');
SELECT count(*) FROM tb_session_baselines('an', since => '-infinity');
RESET tokbudget.clock;
DROP FUNCTION spend;
SELECT * FROM tb_verify();
