-- Context windows: history, new input and output of each call of a session, by hand.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('cx/a') > 0 AS a, tb_create_account('cx/b') > 0 AS b;
SELECT tb_set_model('cx-m', 'acme', aliases => '{cx-m-latest}', context_tokens => 10000), tb_set_price('cx-m', 'acme', 1, 2, effective_at => '2020-01-01') > 0 AS priced;
CREATE FUNCTION book(at timestamptz, account text, model text, input bigint, output bigint, reasoning bigint, attributes jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, model, jsonb_build_object('prompt_tokens', input, 'completion_tokens', output, 'completion_tokens_details', jsonb_build_object('reasoning_tokens', reasoning)),
        attributes => attributes)).entry IS NOT NULL;
END;
$$;
SELECT book('2026-01-01 10:00+00', 'cx/a', 'cx-m', 1000, 200, 0, '{"session": "c1", "workflow": "chat"}') AS one,
       book('2026-01-01 10:01+00', 'cx/a', 'cx-m-latest', 1500, 300, 100, '{"session": "c1"}') AS two;
SET tokbudget.clock = '2026-01-01 10:02+00';
SELECT cost FROM tb_charge('cx/a', NULL, '{}', attributes => '{"session": "c1", "operation": "execute_tool"}');
SELECT book('2026-01-01 10:03+00', 'cx/a', 'cx-m', 2000, 0, 0, '{"session": "c1"}') AS three, book('2026-02-01 10:04+00', 'cx/a', 'cx-m', 800, 200, 0, '{"session": "c1"}') AS four;
SET tokbudget.clock = '2026-01-01 11:00+00';
SELECT cost FROM tb_charge('cx/b', NULL, '{"input_tokens": 100, "output_tokens": 100}', attributes => '{"session": "c1"}');
-- cx/a           input          history                 new                 output   growth       of 10000  in all
--  1   1000 + 200 = 1200   0                     1000  83.3333 %    200  16.6667 %               10 %    1200
--  2   1500 + 300 = 1800   1000 + 200 = 1200 66.6667 %   300  16.6667 %   300  16.6667 %   500  50 %        15 %    3000
--  3   2000 +   0 = 2000   1500 + 200 = 1700 85 %        300  15 %          0          500  33.3333 %   20 %    5000   (200 of 300 were no reasoning)
--  4    800 + 200 = 1000   800 80 %, cut short             0          200  20 %      -1200 -60 %         8 %    6000
SELECT step_number AS step, account, model, input_tokens AS input, history_tokens AS history, new_input_tokens AS new, output_tokens AS output, history_percent, new_input_percent AS new_percent, output_percent,
    growth_tokens AS growth, growth_percent, context_tokens AS context, context_percent, cumulative_tokens AS in_all
FROM tb_context('cx', 'c1');
SELECT count(*) FROM tb_context('cx/b', 'c1');
SELECT count(*) FROM tb_context('cx', 'c9');
-- chat: first 1000, last 800, growth (500 + 500 - 1200) / 3 = -66.667; 90 in 100 of 4 are all. Input 5300, new 1600, history 3700, output 700,
-- of 6000: 26.6667, 61.6667, 11.6667 %.
SELECT workflow, sessions, steps, mean_steps AS mean, mean_first_input_tokens AS first, mean_last_input_tokens AS last, growth_per_step_tokens AS growth, p90_input_tokens AS p90, max_input_tokens AS max,
    history_percent AS history, new_input_percent AS new, output_percent AS output, max_context_percent AS fullest
FROM tb_context_growth('cx');
-- A session belongs to the period in which it started, with all its calls.
SELECT workflow, steps FROM tb_context_growth('cx', '2026-01-01', '2026-01-01 10:30+00');
SELECT count(*) FROM tb_context_growth('cx', '2026-02-01');

SELECT code, message, detail FROM refused($$SELECT tb_context('cx', '')$$);
SELECT statement, code_of(statement) FROM unnest(ARRAY[
    $$SELECT tb_context('cx/none', 'c1')$$, $$SELECT tb_context('cx', NULL)$$, $$SELECT tb_context(NULL, 'c1')$$, $$SELECT tb_context_growth('cx/none')$$,
    $$SELECT tb_context_growth('cx', NULL)$$, $$SELECT tb_context_growth('cx', '2026-01-02', '2026-01-01')$$]) AS statement;
CREATE ROLE cx_reader;
SELECT tb_grant_access('cx_reader', 'cx/b', 'read');
SET ROLE cx_reader;
SELECT account, step_number FROM tb_context('cx/b', 'c1');
SELECT sessions FROM tb_context_growth('cx/b');
SELECT code_of($$SELECT tb_context('cx', 'c1')$$), code_of($$SELECT tb_context('cx/a', 'c1')$$), code_of($$SELECT tb_context_growth('cx')$$);
RESET ROLE;
SELECT tb_revoke_access('cx_reader', 'cx/b', 'read');
DROP ROLE cx_reader;
DROP FUNCTION book(timestamptz, text, text, bigint, bigint, bigint, jsonb);
RESET tokbudget.clock;
