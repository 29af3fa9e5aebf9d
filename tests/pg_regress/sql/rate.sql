-- Internal rates, meters with prices, costs that providers report.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_set_price('rate-a', 'acme', 2, 10, effective_at => '2020-01-01') > 0, tb_set_price('rate-b', 'bravo', 1, 1, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('rate/sales/bot') > 0, tb_create_account('rate/lab') > 0, tb_create_budget('rate', 'cost', 1) > 0, tb_create_budget('rate/sales', 'internal_cost', 1) > 0;
-- Sales pay ten per cent more, for bravo half more, for rate-a 3 per million of output on top of list price; the lab pays what it costs.
SELECT tb_set_rate('rate', 1.1, reason => 'overhead', effective_at => '2020-01-01') > 0, tb_set_rate('rate/sales', 1.5, provider => 'bravo', effective_at => '2020-01-01') > 0,
       tb_set_rate('rate/sales', 1, unit_prices => '{"output": 3, "requests": 0.0001}', model => 'rate-a', effective_at => '2020-01-01') > 0, tb_set_rate('rate/lab', 1, effective_at => '2020-01-01') > 0;
-- 100 in and 10 out: rate-a costs 300 millionths, rate-b 110.
-- sales: 300 + 10 * 3 + 100 = 430; 110 * 1.5 = 165. rate itself: 330 and 121. lab: 300 and 110.
SELECT account, model, held -> 'cost' AS held, held -> 'internal_cost' AS held_internal, cost, internal_cost
FROM (VALUES ('rate/sales/bot', 'rate-a'), ('rate/sales/bot', 'rate-b'), ('rate', 'rate-a'), ('rate', 'rate-b'), ('rate/lab', 'rate-a'), ('rate/lab', 'rate-b')) AS t (account, model),
    LATERAL (SELECT reservation, held FROM tb_reserve(account, model, input_tokens => 100, max_output_tokens => 10) OFFSET 0) AS r,
    LATERAL (SELECT cost, internal_cost FROM tb_commit(reservation, '{"prompt_tokens": 100, "completion_tokens": 10}') OFFSET 0) AS c;
SELECT * FROM balances('rate');
SELECT account, model, cost, internal_cost FROM tokbudget.chargeback WHERE tenant = 'rate' ORDER BY account, model;
-- A budget in internal cost refuses: 1 less 0.000595 is left, and 90000 out would cost 0.9 + 0.27 + 0.0001.
SELECT code, message FROM refused($$SELECT tb_reserve('rate/sales', 'rate-a', input_tokens => 0, max_output_tokens => 90000)$$);
-- A rate holds from its instant on; rounding is half to even once: 0.5 nano-units times 3 are 1.5, booked as 2.
SELECT tb_set_price('rate-tiny', 'acme', 0.0005, 0, effective_at => '2020-01-01') > 0, tb_set_rate('rate/lab', 3, model => 'rate-tiny', effective_at => '2020-01-01') > 0;
SELECT cost, internal_cost FROM tb_commit((tb_reserve('rate/lab', 'rate-tiny', input_tokens => 1, max_output_tokens => 0)).reservation, '{"prompt_tokens": 1, "completion_tokens": 0}');
SELECT arguments, code_of('SELECT tb_set_rate(' || arguments || ')') FROM unnest(ARRAY[$$'rate/none', 1$$, $$'rate//x', 1$$, $$'rate', -1$$, $$'rate', 'NaN'$$, $$'rate', 1001$$, $$'rate', 1.0000001$$, $$'rate', NULL$$, $$'rate', 1, '[]'$$, $$'rate', 1, '{"cost": 1}'$$,
    $$'rate', 1, provider => ' '$$, $$'rate', 1, effective_at => NULL$$, $$'rate', 1, effective_at => '2020-01-01'$$]) AS arguments;

-- Meters besides tokens: their own price, the model's price for them, or none, which is said.
SELECT tb_create_account('meter/bot') > 0, tb_create_budget('meter', 'cost', 1) > 0, tb_create_budget('meter', 'rate_calls', 10) > 0;
SELECT tb_set_meter_price('rate_calls', 0.002, effective_at => '2020-01-01') > 0, tb_set_meter_price('rate_seconds', 0.0001, effective_at => '2020-01-01') > 0,
       tb_set_price('meter-a', 'acme', 2, 10, unit_prices => '{"rate_calls": 0.001}', effective_at => '2020-01-01') > 0;
-- Three tool calls and 30 seconds without a model: 0.006 + 0.003; two were made: 0.004 + 0.003.
SELECT reservation AS tool, held FROM tb_reserve('meter/bot', meters => '{"rate_calls": 3, "rate_seconds": 30}') \gset
SELECT :'held' AS held;
SELECT cost, tokens, released, flags FROM tb_commit(:'tool', '{"meters": {"rate_calls": 2}}', '{"operation": "execute_tool"}');
-- With a model that prices tool calls itself: 100 * 2 + 10 * 10 millionths + 0.001 + 0.0005.
SELECT cost, flags FROM tb_commit((tb_reserve('meter/bot', 'meter-a', input_tokens => 100, max_output_tokens => 10, meters => '{"rate_calls": 1, "rate_seconds": 5}')).reservation, '{"prompt_tokens": 100, "completion_tokens": 10}');
SELECT cost, flags FROM tb_commit((tb_reserve('meter/bot', 'meter-a', input_tokens => 100, max_output_tokens => 10, meters => '{"escalations": 1}')).reservation, '{"prompt_tokens": 100, "completion_tokens": 10}');
SELECT operation, meters, cost, usage_details -> 'other_prices' IS NOT NULL AS names_its_prices FROM tokbudget.entry WHERE account_id = (SELECT account_id FROM tokbudget.account WHERE path = 'meter/bot') ORDER BY recorded_at;
SELECT arguments, code_of('SELECT tb_set_meter_price(' || arguments || ')') FROM unnest(ARRAY['NULL, 1', $$'rate_calls', NULL$$, $$'rate_calls', -1$$, $$'tokens', 1$$, $$'Tool', 1$$, $$'input', 1$$, $$'uncached_input', 1$$, $$'requests', 1$$, $$'rate_calls', 1, effective_at => '2020-01-01'$$]) AS arguments;
-- Characters have a price for a million everywhere else; here too it is one of them.
SELECT tb_set_meter_price('characters', 0.00001, effective_at => '2020-01-01') > 0;
SELECT cost FROM tb_commit((tb_reserve('meter/bot', meters => '{"characters": 1000}')).reservation, '{"characters": 500}');
-- Tokens that a call without a model turns out to have used: refused where a budget counts the cost.
SELECT code_of(format('SELECT tb_commit(%L, %L)', reservation, '{"prompt_tokens": 5, "completion_tokens": 5}')) FROM tb_reserve('meter/bot', meters => '{"rate_calls": 1}');
-- A budget in internal cost is shown in currency units.
SELECT meter, amount, spent, remaining FROM tb_remaining('rate/sales') WHERE meter = 'internal_cost';
-- Embeddings keep an operation of their own, from the shape or from the catalogue.
SELECT tb_set_price('meter-e', 'acme', 1, NULL, effective_at => '2020-01-01') > 0;
SELECT tb_set_model('meter-e', 'acme', operation => 'embeddings');
SELECT (tb_commit((tb_reserve('meter/bot', 'meter-e', input_tokens => 100)).reservation, '{"input_tokens": 100, "output_tokens": 0}')).cost;
SELECT operation, requests, input_tokens, cost FROM tokbudget.chargeback WHERE tenant = 'meter' ORDER BY operation, cost;
-- A cost that the provider states stands beside the one computed: 10 * 2 + 5 * 10 millionths against 0.0001.
SELECT cost FROM tb_commit((tb_reserve('meter/bot', 'meter-a', input_tokens => 10, max_output_tokens => 5)).reservation, '{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.0001}');
SELECT tenant, account, model, cost, reported_cost, difference FROM tokbudget.reported_cost;
-- Where counts come from.
SELECT (tb_commit((tb_reserve('meter/bot', 'meter-a', input_tokens => 10, max_output_tokens => 5)).reservation, '{"prompt_tokens": 10, "completion_tokens": 2}', usage_source => 'partial')).tokens;
SELECT usage_source, count(*) FROM tokbudget.entry WHERE request_model = 'meter-a' GROUP BY 1 ORDER BY 1;
SELECT code_of(format('SELECT tb_commit(%L, %L, usage_source => %s)', reservation, '{"prompt_tokens": 1, "completion_tokens": 0}', s)) FROM tb_reserve('meter/bot', 'meter-a', input_tokens => 10, max_output_tokens => 5), unnest(ARRAY[$$'guessed'$$, 'NULL']) AS s;
SELECT * FROM tb_verify();
