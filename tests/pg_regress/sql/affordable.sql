-- What a caller can afford: as much output as the next reservation would be given.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
-- 2 in and 10 out per million tokens.
SELECT tb_set_price('aff-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0, tb_set_price('aff-free', 'acme', 0, 0, effective_at => '2020-01-01') > 0;
-- Bounded by nobody: neither a budget nor what is known of the model.
SELECT tb_create_account('aff/bot') > 0;
SELECT tb_affordable('aff/bot', 'aff-model', 100) IS NULL AS unbounded;
-- By money: (0.01 - 100 * 0.000002) / 0.00001 = 980. The reservation of 980 is given and that of 981 is not.
SELECT tb_create_budget('aff', 'cost', 0.01) AS cost \gset
SELECT tb_affordable('aff/bot', 'aff-model', 100), tb_affordable('aff/bot', 'aff-model') AS no_input, tb_affordable('aff/bot', 'aff-model', 5000) AS all_for_the_input, tb_affordable('aff/bot', 'aff-model', 5001) AS not_even_the_input;
SELECT code_of($$SELECT tb_reserve('aff/bot', model => 'aff-model', input_tokens => 100, max_output_tokens => 981)$$) AS one_more;
SELECT code_of($$SELECT tb_release((tb_reserve('aff/bot', model => 'aff-model', input_tokens => 100, max_output_tokens => 980)).reservation)$$) AS exactly;
SELECT tb_affordable('aff/bot', 'aff-free', 100) IS NULL AS free_is_unbounded;
-- By tokens: 500 - 100; by output tokens; by requests: all or nothing; the tightest of them.
SELECT tb_create_budget('aff/bot', 'tokens', 500) > 0;
SELECT tb_affordable('aff/bot', 'aff-model', 100) AS bot, tb_affordable('aff', 'aff-model', 100) AS aff, tb_affordable('aff/bot', 'aff-free', 500) AS nothing_left;
SELECT tb_create_budget('aff/bot', 'output_tokens', 300) > 0;
SELECT tb_affordable('aff/bot', 'aff-model', 100), tb_affordable('aff/bot', 'aff-model', 201);
SELECT tb_create_account('aff/user') > 0, tb_create_budget('aff/user', 'requests', 1) > 0;
SELECT tb_affordable('aff/bot', 'aff-model', 100, also => ARRAY['aff/user']) AS before;
SELECT reservation AS r FROM reserve('aff/user', 0) \gset
SELECT tb_affordable('aff/bot', 'aff-model', 100, also => ARRAY['aff/user']) AS no_request_left;
SELECT tb_release(:'r');
-- What is held counts, and from its expiry on no more.
SELECT reservation IS NOT NULL FROM tb_reserve('aff/bot', model => 'aff-model', input_tokens => 100, max_output_tokens => 250, ttl => '1 minute');
SELECT tb_affordable('aff/bot', 'aff-model', 100);
SET tokbudget.clock = '2026-03-10 10:01:00+00';
SELECT tb_affordable('aff/bot', 'aff-model', 100);
-- A soft budget bounds nothing, a burst is not offered, a grant is.
SELECT tb_create_account('aff2') > 0 AS made, tb_create_budget('aff2', 'tokens', 10, hard => false) > 0 AS made_too, tb_create_budget('aff2', 'output_tokens', 100, burst => 50) AS burst \gset
SELECT tb_affordable('aff2', 'aff-model', 10);
SELECT tb_grant(:burst, 20, NULL, 'more') > 0;
SELECT tb_affordable('aff2', 'aff-model', 10);
-- In the burst already: nothing.
SELECT remaining FROM tb_reserve('aff2', max_output_tokens => 125);
SELECT tb_affordable('aff2', 'aff-model', 10);
-- A quota that the first call will be given bounds it; looking gives it to nobody.
SELECT tb_create_account('aff3/user-1', kind => 'user') > 0, tb_set_quota('aff3', 'user', 'tokens', 70) > 0;
SELECT tb_affordable('aff3/user-1', 'aff-model', 20);
SELECT count(*) FROM tokbudget.budget b JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path LIKE 'aff3%';
-- A model whose greatest output is known offers no more than that.
SELECT name, tb_affordable('aff3', name, 10) FROM unnest(ARRAY['gpt-4o']) AS name;
-- Frozen, unknown, nothing.
SELECT tb_freeze('aff2', 'review');
SELECT code_of($$SELECT tb_affordable('aff2', 'aff-model')$$) AS frozen;
SELECT arguments, code_of('SELECT tb_affordable(' || arguments || ')')
FROM unnest(ARRAY['NULL, ''aff-model''', ''''', ''aff-model''', '''aff/nobody'', ''aff-model''', '''nobody'', ''aff-model''', '''aff'', NULL', '''aff'', ''''', '''aff'', ''no-such-model''', '''aff'', ''aff-model'', NULL', '''aff'', ''aff-model'', -1',
    '''aff'', ''aff-model'', 9223372036854775807', '''aff'', ''aff-model'', 1, NULL', '''aff'', ''aff-model'', 1, ARRAY[NULL]', '''aff'', ''aff-model'', 1, ARRAY[''aff2'']', '''aff'', ''aff-model'', 1, ARRAY[''aff/nobody'']']) AS arguments;
RESET tokbudget.clock;
SELECT * FROM tb_verify();
