-- Waste by kind, and before and after a change; every number by hand.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
-- An input token costs 0.001, read from a cache 0.0001, an output token 0.002.
SELECT tb_set_price('wa-m', 'acme', 1000, 2000, cache_read_price => 100, effective_at => '2020-01-01') > 0 AS priced;
SELECT tb_create_account('wa/a') > 0 AS a, tb_create_account('wa/b') > 0 AS b, tb_create_budget('wa/b', 'tokens', 1000000) > 0 AS budget;
CREATE FUNCTION book(at timestamptz, account text, input bigint, output bigint, attributes jsonb, cached bigint DEFAULT 0) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, 'wa-m', jsonb_build_object('prompt_tokens', input, 'completion_tokens', output, 'prompt_tokens_details', jsonb_build_object('cached_tokens', cached)),
        attributes => attributes)).entry;
END;
$$;
-- Cost of each call, of all 16.9:
-- a plain one 0.1; a retry 0.2 + 0.1 = 0.3 with 250 tokens;
SELECT book('2026-01-01 10:00+00', 'wa/a', 100, 0, '{"session": "s1"}') IS NOT NULL AS plain,
       book('2026-01-01 10:10+00', 'wa/a', 200, 50, '{"session": "s1", "retry_count": 2}') IS NOT NULL AS retry;
-- an entry of three tool calls that failed, without cost, and a failed one of a chat, 0.1; one that did not fail;
SET tokbudget.clock = '2026-01-01 10:20+00';
SELECT cost FROM tb_charge('wa/a', NULL, '{}', meters => '{"tool_calls": 3}', attributes => '{"session": "s1", "tool_status": "error"}');
SELECT cost FROM tb_charge('wa/a', NULL, '{}', attributes => '{"session": "s1", "operation": "execute_tool", "tool_status": "ok"}');
SELECT book('2026-01-01 10:30+00', 'wa/a', 100, 0, '{"session": "s1", "tool_status": "FAILED"}') IS NOT NULL AS failed;
-- the same look-up three times in a session, of which two are too many, and once in another: 0.1 each, one corrected to 0.05;
SELECT book('2026-01-01 11:00+00', 'wa/a', 100, 0, '{"session": "s2", "query_hash": "q1"}') IS NOT NULL AS first,
       book('2026-01-01 11:01+00', 'wa/a', 100, 0, '{"session": "s2", "query_hash": "q1"}') IS NOT NULL AS second,
       book('2026-01-01 11:02+00', 'wa/a', 100, 0, '{"session": "s3", "query_hash": "q1"}') IS NOT NULL AS elsewhere;
SELECT book('2026-01-01 11:03+00', 'wa/a', 100, 0, '{"session": "s2", "query_hash": "q1"}') AS third \gset
SET tokbudget.clock = '2026-01-02';
SELECT tb_adjust(:'third', 0.05, 'test') IS NOT NULL AS adjusted;
-- workflow w: abandoned 0.5, no outcome for days 0.3, done 0.1; workflow v, which never has an outcome, 0.1;
SELECT book('2026-01-01 12:00+00', 'wa/b', 500, 0, '{"session": "s4", "workflow": "w", "outcome": "abandoned"}') IS NOT NULL AS abandoned,
       book('2026-01-01 12:00+00', 'wa/b', 300, 0, '{"session": "s5", "workflow": "w"}') IS NOT NULL AS idle,
       book('2026-01-01 12:00+00', 'wa/b', 100, 0, '{"session": "s6", "workflow": "w", "outcome": "done"}') IS NOT NULL AS done,
       book('2026-01-01 12:00+00', 'wa/b', 100, 0, '{"session": "s7", "workflow": "v"}') IS NOT NULL AS silent;
-- a prompt of 2,000 tokens: 2; again after 4 minutes without a cache: 2, where 2000 * (0.001 - 0.0001) = 1.8 could have been saved; again
-- with 1,500 from a cache: 0.5 + 0.15 = 0.65; again when no cache would have it any more: 2;
SELECT book('2026-01-01 13:00+00', 'wa/b', 2000, 0, '{"prompt_hash": "p1"}') IS NOT NULL AS first, book('2026-01-01 13:04+00', 'wa/b', 2000, 0, '{"prompt_hash": "p1"}') IS NOT NULL AS missed,
       book('2026-01-01 13:08+00', 'wa/b', 2000, 0, '{"prompt_hash": "p1"}', 1500) IS NOT NULL AS hit, book('2026-01-01 13:20+00', 'wa/b', 2000, 0, '{"prompt_hash": "p1"}') IS NOT NULL AS late;
-- a session: 3 + 0.2 = 3.2; then 3.5, of which 3000 + 100 tokens had been sent or said, 3100 * 0.0009 = 2.79 could have been saved; then
-- with a cache: 1 + 0.3 = 1.3;
SELECT book('2026-01-01 14:00+00', 'wa/b', 3000, 100, '{"session": "s8"}') IS NOT NULL AS one, book('2026-01-01 14:01+00', 'wa/b', 3500, 0, '{"session": "s8"}') IS NOT NULL AS two,
       book('2026-01-01 14:03+00', 'wa/b', 4000, 0, '{"session": "s8"}', 3000) IS NOT NULL AS three;
-- 200 tokens held for 0.1 + 0.2 = 0.3, 250 used for 0.4: 50 and 0.1 beyond;
SET tokbudget.clock = '2026-01-01 15:00+00';
SELECT overrun, cost FROM tb_commit((SELECT reservation FROM tb_reserve('wa/b', 'wa-m', input_tokens => 100, max_output_tokens => 100)), '{"prompt_tokens": 100, "completion_tokens": 150}');
-- and a hold of 1,500 tokens, 1 + 1 = 2, that nobody settles.
SELECT held->'tokens' AS tokens, held->'cost' AS cost FROM tb_reserve('wa/a', 'wa-m', input_tokens => 1000, max_output_tokens => 500, ttl => '1 minute');
SET tokbudget.clock = '2026-01-02 00:00+00';
SELECT tb_expire() > 0 AS swept;
-- After a change: a retry 0.05 + 0.05 = 0.1 with 75 tokens, and a plain call 0.4.
SELECT book('2026-01-10 10:00+00', 'wa/a', 50, 25, '{"retry_count": 1}') IS NOT NULL AS retry, book('2026-01-10 11:00+00', 'wa/a', 400, 0, '{}') IS NOT NULL AS plain;

SET tokbudget.clock = '2026-01-12 00:00+00';
SELECT sum(cost) AS all_cost FROM tokbudget.chargeback WHERE tenant = 'wa';
-- The first week. Shares of 16.9: 0.3 = 1.7751, 0.1 = 0.5917, 0.15 = 0.8876, 0.8 = 4.7337, 1.8 = 10.6509, 2.79 = 16.5089.
SELECT kind, count, tokens, cost, currency, share_percent, held_tokens, held_cost FROM tb_waste('wa', '2026-01-01', '2026-01-08');
-- A part of the tree; everything; another idea of idle and of caches: within 30 minutes the late prompt missed one too.
SELECT kind, count, cost, share_percent FROM tb_waste('wa/a', '2026-01-01', '2026-01-08') WHERE count > 0;
SELECT kind, count, cost FROM tb_waste('wa') WHERE kind IN ('retry', 'overrun');
SELECT kind, count, tokens FROM tb_waste('wa', idle => '30 days', cache_lifetime => '30 minutes') WHERE kind IN ('abandoned_session', 'missed_cache');
SELECT count(*), sum(count) AS found, max(share_percent) AS share FROM tb_waste('wa', '2030-01-01');
SELECT kind, hint FROM tb_waste('wa');
-- Before and after January 8: retries went from 0.3 to 0.1, -0.2 or -66.6667 %, though their share went up to 0.1 / 0.5 = 20 %.
SELECT kind, count_before AS before, count_after AS after, tokens_before, tokens_after, cost_before, cost_after, cost_change AS change, cost_change_percent AS percent,
    share_before_percent AS share_before, share_after_percent AS share_after, is_after_complete AS complete
FROM tb_waste_trend('wa', '2026-01-08');
SET tokbudget.clock = '2026-01-15 00:00+00';
SELECT DISTINCT is_after_complete FROM tb_waste_trend('wa', '2026-01-08');

SELECT code, message, detail FROM refused($$SELECT tb_waste_trend('wa', NULL)$$);
SELECT code, message, detail FROM refused($$SELECT tb_waste('wa', idle => '-1 day')$$);
SELECT statement, code_of(statement) FROM unnest(ARRAY[
    $$SELECT tb_waste('wa/none')$$, $$SELECT tb_waste('wa', NULL)$$, $$SELECT tb_waste('wa', '2026-01-02', '2026-01-01')$$, $$SELECT tb_waste('wa', idle => NULL)$$,
    $$SELECT tb_waste('wa', cache_lifetime => NULL)$$, $$SELECT tb_waste('wa', cache_lifetime => '200 years')$$, $$SELECT tb_waste_trend('wa/none', '2026-01-01')$$,
    $$SELECT tb_waste_trend('wa', 'infinity')$$, $$SELECT tb_waste_trend('wa', '2026-01-01', '0')$$, $$SELECT tb_waste_trend('wa', '2026-01-01', NULL)$$,
    $$SELECT tb_waste_trend('wa', '2026-01-01', idle => NULL)$$]) AS statement;

CREATE ROLE wa_reader;
SELECT tb_grant_access('wa_reader', 'wa/a', 'read');
SET ROLE wa_reader;
SELECT kind, count FROM tb_waste('wa/a', '2026-01-01', '2026-01-08') WHERE count > 0;
SELECT code_of($$SELECT tb_waste('wa')$$), code_of($$SELECT tb_waste('wa/b')$$), code_of($$SELECT tb_waste_trend('wa', '2026-01-08')$$);
RESET ROLE;
SELECT tb_revoke_access('wa_reader', 'wa/a', 'read');
DROP ROLE wa_reader;
DROP FUNCTION book(timestamptz, text, bigint, bigint, jsonb, bigint);
RESET tokbudget.clock;
