-- Holds: what is checked, in which order, and what a refusal says.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SELECT tb_create_account('res/team/bot') > 0, tb_create_account('res/team/bot-2') > 0, tb_create_account('res/other') > 0, tb_create_account('res-2') > 0;
SELECT tb_create_budget('res', 'tokens', 1000) > 0, tb_create_budget('res/team', 'tokens', 500) > 0, tb_create_budget('res/team/bot', 'tokens', 100) > 0;

-- What tb_reserve answers.
SELECT state, input_tokens, max_output_tokens, held, remaining, expires_at > now() AS lives
FROM tb_reserve('res/team/bot', input_tokens => 60, max_output_tokens => 30);
SELECT * FROM balances('res');
-- The last unit fits and one more does not; nothing wanted always fits.
SELECT code_of($$SELECT tb_reserve('res/team/bot', input_tokens => 11)$$) AS one_more, code_of($$SELECT tb_reserve('res/team/bot', input_tokens => 10)$$) AS last_unit,
       code_of($$SELECT tb_reserve('res/team/bot', input_tokens => 0)$$) AS nothing;
-- The leaf is full, the level above it is not.
SELECT * FROM refused($$SELECT tb_reserve('res/team/bot', input_tokens => 1)$$);
SELECT remaining FROM reserve('res/team/bot-2', 400);
-- The middle refuses although the leaf has no budget of its own, and the root although team is not concerned.
SELECT * FROM refused($$SELECT tb_reserve('res/team/bot-2', input_tokens => 1)$$);
SELECT message, detail::jsonb ->> 'remaining' AS remaining FROM refused($$SELECT tb_reserve('res/other', input_tokens => 501)$$);
SELECT remaining FROM reserve('res/other', 500);
SELECT message FROM refused($$SELECT tb_reserve('res', input_tokens => 1)$$);
-- Several lack room: the tightest leads, and all are listed.
SELECT message, detail::jsonb ->> 'account' AS leads, jsonb_path_query_array(detail::jsonb, '$.violated[*].account') AS violated
FROM refused($$SELECT tb_reserve('res/team/bot', input_tokens => 7)$$);
SELECT allowed, code, reason, detail - 'budget' AS detail, hint, reservation, held, remaining, expires_at
FROM tb_try_reserve('res/other', input_tokens => 3);
SELECT * FROM balances('res');

-- `also`: accounts that share ancestors count them once.
SELECT tb_create_account('also/users/eve') > 0, tb_create_account('also/projects/p') > 0;
SELECT tb_create_budget('also', 'tokens', 100) > 0, tb_create_budget('also/users/eve', 'tokens', 60) > 0, tb_create_budget('also/projects/p', 'tokens', 50) > 0;
SELECT remaining FROM reserve('also/users/eve', 40, also => ARRAY['also/projects/p', 'also/projects/p', 'also']);
SELECT account, held FROM balances('also');
SELECT message, detail::jsonb -> 'remaining' AS remaining FROM refused($$SELECT tb_reserve('also/users/eve', input_tokens => 11, also => ARRAY['also/projects/p'])$$);
SELECT remaining FROM reserve('also/users/eve', 20);
SELECT account, held FROM balances('also');
-- The refused one took nothing, not even where there was room.
SELECT code_of($$SELECT tb_reserve('also/projects/p', input_tokens => 10)$$) AS fits;
SELECT account, held FROM balances('also');

-- The one with the least share of what is wanted leads, not the oldest.
SELECT message, jsonb_path_query_array(detail::jsonb, '$.violated[*].account') AS violated, jsonb_path_query_array(detail::jsonb, '$.violated[*].remaining') AS remaining
FROM refused($$SELECT tb_reserve('also/projects/p', input_tokens => 31)$$);

-- A soft budget counts and never refuses.
SELECT tb_create_account('soft') > 0, tb_create_budget('soft', 'tokens', 10, hard => false) > 0, tb_create_budget('soft', 'requests', 2) > 0;
SELECT remaining FROM reserve('soft', 50);
SELECT meter, amount, held, remaining, hard FROM tb_remaining('soft') ORDER BY meter;
SELECT remaining FROM reserve('soft', 50);
SELECT message FROM refused($$SELECT tb_reserve('soft', input_tokens => 0)$$);

-- Every meter. The price is 2 per million input tokens and 10 per million output tokens, so 1000 in and 500 out may cost
-- 1000 * 2e-6 + 500 * 10e-6 = 0.007.
SELECT tb_set_price('res-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0 AS priced;
SELECT tb_create_account('met') > 0;
SELECT tb_create_budget('met', meter, amount) > 0 FROM (VALUES ('tokens', 4000), ('input_tokens', 2500), ('output_tokens', 1500), ('requests', 10),
    ('cost', 0.0175), ('tool_calls', 5), ('pages', 9)) AS t (meter, amount);
SELECT held, remaining FROM tb_reserve('met', model => 'res-model', input_tokens => 1000, max_output_tokens => 500, meters => '{"tool_calls": 3, "unlimited_thing": 7}');
SELECT meter, spent, held, remaining FROM tb_remaining('met') ORDER BY meter;
SELECT what, message, detail::jsonb -> 'remaining' AS remaining, detail::jsonb -> 'requested' AS requested
FROM (VALUES ('input_tokens', '1501, max_output_tokens => 0'), ('output_tokens', '0, max_output_tokens => 1001'),
      ('cost', '1000, max_output_tokens => 1000'), ('tool_calls', $$1, max_output_tokens => 0, meters => '{"tool_calls": 3}'$$),
      ('pages', $$1, max_output_tokens => 0, meters => '{"pages": 10}'$$)) AS t (what, arguments),
     LATERAL refused(format('SELECT tb_reserve(%L, model => %L, input_tokens => %s)', 'met', 'res-model', arguments)) AS r
ORDER BY what;
-- The last nano-unit: 0.0105 is left, and 250 in and 1000 out cost it exactly.
SELECT held -> 'cost' AS held, remaining -> 'cost' AS remaining FROM tb_reserve('met', model => 'res-model', input_tokens => 250, max_output_tokens => 1000);
SELECT code, message FROM refused($$SELECT tb_reserve('met', model => 'res-model', input_tokens => 1, max_output_tokens => 0)$$);
-- Tokens without a model cannot be priced, so a budget in cost refuses them; a tool call needs no price.
SELECT * FROM refused($$SELECT tb_reserve('met', input_tokens => 1)$$);
SELECT code_of($$SELECT tb_reserve('met', max_output_tokens => 1)$$) AS output, code_of($$SELECT tb_reserve('met', meters => '{"tool_calls": 1}')$$) AS tool_call;
-- A dearer cache write is held for, an hour's is not: 4 is the dearest of 2 and 4, so 1000 in and 0 out may cost 0.004.
SELECT tb_set_price('res-cache', 'acme', 2, 10, cache_read_price => 0.2, cache_write_price => 4, cache_write_1h_price => 8, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('cache') > 0, tb_create_budget('cache', 'cost', 1) > 0;
SELECT held FROM tb_reserve('cache', model => 'res-cache', input_tokens => 1000, max_output_tokens => 0);

-- Input is counted in the same statement: "hello world" is two tokens, one message of it is nine (3 for the reply, 3 for the
-- message, 1 for the role).
SELECT tb_set_price('gpt-4o', 'acme', 2, 10, effective_at => '2020-01-01') > 0;
SELECT input_tokens, max_output_tokens, held FROM tb_reserve('cache', model => 'gpt-4o', prompt => 'hello world', max_output_tokens => 5);
SELECT input_tokens FROM tb_reserve('cache', model => 'gpt-4o', messages => '[{"role": "user", "content": "hello world"}]', max_output_tokens => 5);
SELECT input_tokens FROM tb_reserve('cache', model => 'openai/gpt-4o-2024-08-06', input_tokens => 3, max_output_tokens => 5);
SELECT code, message FROM refused($$SELECT tb_reserve('cache', model => 'res-model', prompt => 'x', max_output_tokens => 5)$$);
SELECT code, message FROM refused($$SELECT tb_reserve('cache', model => 'unheard-of', input_tokens => 1, max_output_tokens => 5)$$);
-- An embedding has no output to bound.
SELECT tb_set_price('res-embedding', 'acme', 1, NULL, effective_at => '2020-01-01') > 0;
SELECT max_output_tokens, held FROM tb_reserve('cache', model => 'res-embedding', input_tokens => 10);
SELECT code_of($$SELECT tb_reserve('cache', model => 'res-embedding', input_tokens => 10, max_output_tokens => 1)$$) AS output_has_no_price;

-- Expired holds are free without a sweep; a sweep then closes them. The first sweep is for what other tests have left.
SELECT tb_create_account('exp') > 0, tb_create_budget('exp', 'tokens', 100) > 0;
SET tokbudget.clock = '2026-05-01 10:00:00+00';
SELECT tb_expire() >= 0 AS swept;
SELECT reservation AS e1, remaining FROM reserve('exp', 100, ttl => '1 second') \gset
SELECT reservation AS e2 FROM tb_reserve('exp', input_tokens => 0) \gset
SET tokbudget.clock = '2026-05-01 10:00:00.999999+00';
SELECT code_of($$SELECT tb_reserve('exp', input_tokens => 1)$$) AS before;
SET tokbudget.clock = '2026-05-01 10:00:01+00';
SELECT held, remaining FROM tb_remaining('exp');
SELECT remaining FROM reserve('exp', 70);
SELECT code, detail::jsonb -> 'held' AS held, detail::jsonb -> 'remaining' AS remaining FROM refused($$SELECT tb_reserve('exp', input_tokens => 31)$$);
SELECT account, spent, held FROM balances('exp');
SELECT tb_expire() AS swept;
SELECT account, spent, held FROM balances('exp');
SELECT reservation_id = :'e1' AS is_e1, state, settled_at FROM tokbudget.reservation WHERE reservation_id IN (:'e1', :'e2') ORDER BY state;
SELECT tb_expire() AS swept_again;
-- What a hold and a commit say remains may count expired holds that nobody has swept, so it is never too much; tb_remaining is
-- exact. Of 100, 70 have expired here and 10 are spent.
SET tokbudget.clock = '2026-05-01 11:00:00+00';
SELECT reservation AS e3, remaining AS after_reserve FROM reserve('exp', 10) \gset
SELECT remaining AS after_commit FROM tb_commit(:'e3', '{"input_tokens": 10, "output_tokens": 0}') \gset
SELECT :'after_reserve' AS after_reserve, :'after_commit' AS after_commit, remaining FROM tb_remaining('exp');
SELECT tb_expire() AS swept;

-- The longest and the shortest life, and none.
SELECT ttl, code_of(format('SELECT tb_reserve(%L, input_tokens => 1, ttl => %L)', 'exp', ttl))
FROM unnest(ARRAY['0.999999 seconds', '1 second', '7 days', '7 days 0.000001 seconds', '0', '-1 minute', '1 month', '1000000 years', NULL])
    WITH ORDINALITY AS t (ttl, n) ORDER BY n;
SELECT tb_expire() AS none_is_due;
RESET tokbudget.clock;

-- Arguments that are none; none of them takes anything.
SELECT arguments, code_of('SELECT tb_reserve(' || arguments || ')') FROM unnest(ARRAY[
    $$NULL, input_tokens => 1$$, $$'', input_tokens => 1$$, $$'arg//x', input_tokens => 1$$,
    $$'res-2', input_tokens => -1$$, $$'res-2', max_output_tokens => -1$$, $$'res-2', input_tokens => -9223372036854775808$$,
    $$'res-2', 'gpt-4o', input_tokens => 1, prompt => 'x', max_output_tokens => 1$$,
    $$'res-2', 'gpt-4o', input_tokens => 1, messages => '[]', max_output_tokens => 1$$,
    $$'res-2', 'gpt-4o', prompt => 'x', messages => '[]', max_output_tokens => 1$$,
    $$'res-2', 'gpt-4o', max_output_tokens => 1$$, $$'res-2', 'gpt-4o', input_tokens => 1$$,
    $$'res-2', prompt => 'x', max_output_tokens => 1$$, $$'res-2', messages => '[]', max_output_tokens => 1$$,
    $$'res-2', '', input_tokens => 1, max_output_tokens => 1$$, $$'res-2', '  ', input_tokens => 1, max_output_tokens => 1$$,
    $$'res-2', 'gpt-4o', messages => '{}', max_output_tokens => 1$$,
    $$'res-2', 'gpt-4o', messages => '[{"role": "user", "content": [{"type": "image_url"}]}]', max_output_tokens => 1$$,
    $$'res-2', input_tokens => 9223372036854775807, max_output_tokens => 1$$,
    $$'res-2', meters => '[]'$$, $$'res-2', meters => '"x"'$$, $$'res-2', meters => 'null'$$, $$'res-2', meters => '{"Tool": 1}'$$,
    $$'res-2', meters => '{"tokens": 1}'$$, $$'res-2', meters => '{"cost": 1}'$$, $$'res-2', meters => '{"pages": -1}'$$,
    $$'res-2', meters => '{"pages": 1.5}'$$, $$'res-2', meters => '{"pages": "1"}'$$, $$'res-2', meters => '{"pages": 1e30}'$$,
    $$'res-2', also => NULL$$, $$'res-2', also => ARRAY[NULL]$$, $$'res-2', also => ARRAY['']$$, $$'res-2', also => ARRAY['res']$$,
    $$'res-2', also => ARRAY['no-tenant/x']$$, $$'res-2', ttl => NULL$$,
    $$'res-2', idempotency_key => ''$$, $$'res-2', idempotency_key => repeat('k', 256)$$,
    $$'res-2', attributes => '[]'$$, $$'res-2', attributes => '"x"'$$, $$'res-2', attributes => 'null'$$, $$'res-2', attributes => '{"workflow": ["x"]}'$$,
    $$'res-2', attributes => '{"session": {"id": 1}}'$$]) WITH ORDINALITY AS t (arguments, n) ORDER BY n;
SELECT * FROM refused($$SELECT tb_reserve('res-2', also => ARRAY['res'])$$);
-- Accounts that are not there, wherever they are named.
SELECT code_of($$SELECT tb_reserve('no-tenant')$$) AS tenant, code_of($$SELECT tb_reserve('res/none')$$) AS account,
       code_of($$SELECT tb_reserve('res-2', also => ARRAY['res-2/none'])$$) AS also;
SELECT count(*) FROM tokbudget.reservation JOIN tokbudget.account USING (tenant_id, account_id) WHERE path = 'res-2';
-- Two arguments may be NULL and mean nothing.
SELECT held FROM tb_reserve('res-2', meters => NULL, attributes => NULL);

-- The edges of bigint.
SELECT tb_create_account('edge') > 0, tb_create_budget('edge', 'tokens', 9223372036854775807) > 0, tb_create_budget('edge', 'pages', 5, hard => false) > 0;
SELECT reservation AS all_of_it, remaining FROM reserve('edge', 9223372036854775807) \gset
SELECT code_of($$SELECT tb_reserve('edge', input_tokens => 1)$$) AS one_more;
SELECT code_of($$SELECT tb_reserve('edge', meters => '{"pages": 9223372036854775807}')$$) AS soft, code_of($$SELECT tb_reserve('edge', meters => '{"pages": 1}')$$) AS soft_overflow;
SELECT * FROM balances('edge');
SELECT meter, remaining FROM tb_remaining('edge') ORDER BY meter;
SELECT tb_release(:'all_of_it');
SELECT code_of($$SELECT tb_reserve('edge', model => 'res-model', input_tokens => 9223372036854775807, max_output_tokens => 0)$$) AS cost_overflow;

-- Idempotency keys: the same call is the same answer, and holds once.
SELECT tb_create_account('idem') > 0, tb_create_budget('idem', 'tokens', 100) > 0;
SELECT reservation AS k1, remaining, expires_at AS expires FROM tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1') \gset
SELECT reservation = :'k1' AS same, expires_at = :'expires' AS same_expiry, input_tokens, held, remaining
FROM tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1');
SELECT allowed, reservation = :'k1' AS same FROM tb_try_reserve('idem', input_tokens => 60, idempotency_key => 'job-1');
SELECT account, held FROM balances('idem');
-- Another payload under the key is refused, whatever differs.
SELECT * FROM refused($$SELECT tb_reserve('idem', input_tokens => 61, idempotency_key => 'job-1')$$);
SELECT code_of($$SELECT tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1', ttl => '11 minutes')$$) AS ttl,
       code_of($$SELECT tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1', attributes => '{"x": 1}')$$) AS attributes,
       code_of($$SELECT tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1', also => ARRAY['idem'])$$) AS also;
-- The answer outlives the reservation.
SELECT tb_release(:'k1');
SELECT reservation = :'k1' AS same FROM tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1');
SELECT account, held FROM balances('idem');
-- A refused call does not wedge its retry, which may even ask for something else.
SELECT code_of($$SELECT tb_reserve('idem', input_tokens => 101, idempotency_key => 'job-2')$$) AS refused;
SELECT allowed, code FROM tb_try_reserve('idem', input_tokens => 101, idempotency_key => 'job-2');
SELECT remaining FROM tb_reserve('idem', input_tokens => 100, idempotency_key => 'job-2');
-- The key is the tenant's: another tenant's job-1 is another job.
SELECT reservation <> :'k1' AS other FROM tb_reserve('res-2', input_tokens => 60, idempotency_key => 'job-1');
-- A frozen account is refused before the key is looked at.
SELECT tb_freeze('idem', 'test');
SELECT code_of($$SELECT tb_reserve('idem', input_tokens => 60, idempotency_key => 'job-1')$$) AS frozen;
SELECT tb_thaw('idem', 'test');

-- A rollback takes its holds and keys along.
BEGIN;
SELECT remaining FROM tb_reserve('res-2', input_tokens => 5, idempotency_key => 'rolled-back');
ROLLBACK;
SELECT count(*) FROM tokbudget.idempotency WHERE idempotency_key = 'rolled-back';
SELECT * FROM tb_verify();
