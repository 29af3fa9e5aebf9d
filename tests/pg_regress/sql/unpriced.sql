-- Usage without a price: refused, or recorded where a tree has opted in, and re-rated when there is a price.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('unp/lab/bot') > 0, tb_create_account('unp/prod') > 0, tb_create_budget('unp/lab', 'tokens', 100000) > 0;
SELECT code, message, detail::jsonb - 'nearest' AS detail FROM refused($$SELECT tb_reserve('unp/lab/bot', 'unp-model', input_tokens => 10, max_output_tokens => 10)$$);
SELECT tb_set_unpriced('unp/lab', 'record');
-- Recorded without a cost; what the account above does holds below. Another tree still refuses.
SELECT reservation AS r1, held FROM tb_reserve('unp/lab/bot', 'unp-model', input_tokens => 1000, max_output_tokens => 100) \gset
SELECT :'held' AS held;
SELECT cost, tokens, flags FROM tb_commit(:'r1', '{"prompt_tokens": 1000, "completion_tokens": 50}');
SELECT code_of($$SELECT tb_reserve('unp/prod', 'unp-model', input_tokens => 10, max_output_tokens => 10)$$) AS other_tree;
SELECT tb_set_unpriced('unp/lab/bot', 'refuse');
SELECT code_of($$SELECT tb_reserve('unp/lab/bot', 'unp-model', input_tokens => 10, max_output_tokens => 10)$$) AS refused_below;
SELECT tb_set_unpriced('unp/lab/bot', NULL);
-- A budget in cost counts it at the fallback, and refuses it without one: never free.
SELECT tb_create_budget('unp/lab', 'cost', 1) > 0;
SELECT code, message, detail::jsonb - 'nearest' AS detail FROM refused($$SELECT tb_reserve('unp/lab/bot', 'unp-model', input_tokens => 10, max_output_tokens => 10)$$);
SELECT tb_set_unpriced('unp/lab', 'record', '{"input": 100, "output": 200}');
-- 1000 * 100 + 100 * 200 millionths are held; 1000 * 100 + 50 * 200 = 0.11 spent.
SELECT reservation AS r2, held -> 'cost' AS held FROM tb_reserve('unp/lab/bot', 'unp-model', input_tokens => 1000, max_output_tokens => 100) \gset
SELECT :'held' AS held, cost, remaining, flags FROM tb_commit(:'r2', '{"prompt_tokens": 1000, "completion_tokens": 50}');
SELECT code_of($$SELECT tb_reserve('unp/lab/bot', 'unp-model', input_tokens => 9000, max_output_tokens => 0)$$) AS over_at_fallback;
-- A model with a price, used in a way that has none.
SELECT tb_set_price('unp-text', 'acme', 2, 10, effective_at => '2020-01-01') > 0;
SELECT cost, flags FROM tb_commit((tb_reserve('unp/lab/bot', 'unp-text', input_tokens => 100, max_output_tokens => 10)).reservation, '{"prompt_tokens": 100, "completion_tokens": 10, "completion_tokens_details": {"audio_tokens": 5}}');
SELECT account, model, entries, input_tokens, is_cost_missing, is_meter_unpriced FROM tokbudget.unpriced WHERE tenant = 'unp' ORDER BY model;
SELECT account, model, requests, cost, unpriced_entries FROM tokbudget.chargeback WHERE tenant = 'unp' ORDER BY model;
SELECT * FROM tb_verify();

-- Without a price there is nothing to re-rate. With one, the first entry had no cost budget yet; the second gives 0.11 - 0.0025 back.
SELECT count(*) FROM tb_rerate('unp');
SELECT tb_set_price('unp-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0;
-- 1000 * 2 + 50 * 10 millionths = 0.0025.
SELECT account, model, old_cost, new_cost, currency, correction IS NULL AS dry FROM tb_rerate('unp', dry_run => true);
SELECT account, model, old_cost, new_cost, currency, correction IS NOT NULL AS corrected FROM tb_rerate('unp');
SELECT count(*) AS again FROM tb_rerate('unp');
SELECT * FROM balances('unp');
SELECT account, model, requests, input_tokens, cost, unpriced_entries FROM tokbudget.chargeback WHERE tenant = 'unp' ORDER BY model;
SELECT account, model, entries FROM tokbudget.unpriced WHERE tenant = 'unp';
SELECT kind, cost, requests, input_tokens, flags, price_id IS NOT NULL AS priced, corrects_entry_id IS NOT NULL AS corrects FROM tokbudget.entry WHERE request_model = 'unp-model' ORDER BY recorded_at;
SELECT * FROM tb_verify();
-- A price that was wrong: superseded, then re-rated, and again after another correction; the budgets follow. 0.005 each, then 0.001.
SELECT tb_set_price('unp-model', 'acme', 4, 20, effective_at => '2020-01-01', replace => true) > 0;
SELECT old_cost, new_cost FROM tb_rerate('unp/lab', model => 'unp-model');
SELECT count(*) AS again FROM tb_rerate('unp');
SELECT tb_set_price('unp-model', 'acme', 1, 0, effective_at => '2020-01-01', replace => true) > 0;
SELECT old_cost, new_cost FROM tb_rerate('unp', batch_size => 1);
SELECT old_cost, new_cost FROM tb_rerate('unp', batch_size => 1);
SELECT count(*) AS again FROM tb_rerate('unp', batch_size => 1);
SELECT model, cost FROM tokbudget.chargeback WHERE tenant = 'unp' ORDER BY model;
SELECT * FROM balances('unp');
SELECT * FROM tb_verify();
-- A meter that gets its price later: 2 * 0.5 more.
SELECT cost, flags FROM tb_commit((tb_reserve('unp/lab/bot', 'unp-text', input_tokens => 0, max_output_tokens => 0, meters => '{"unp_calls": 2}')).reservation, '{"prompt_tokens": 0, "completion_tokens": 0}');
SELECT tb_set_meter_price('unp_calls', 0.05, effective_at => '2020-01-01') > 0;
SELECT old_cost, new_cost FROM tb_rerate('unp');
SELECT account, model, entries FROM tokbudget.unpriced WHERE tenant = 'unp';
-- A meter whose price was wrong, a price that was set late and ends the one that was used, and one that wins by now: 2 * 0.04 in all, and 1000 * 3 millionths.
SELECT tb_set_meter_price('unp_calls', 0.04, effective_at => '2020-01-01', replace => true) > 0;
SELECT old_cost, new_cost FROM tb_rerate('unp');
SELECT tb_set_price('unp-late', 'acme', 2, 2, effective_at => '2020-01-01') > 0;
SELECT cost FROM tb_commit((tb_reserve('unp/lab/bot', 'unp-late', input_tokens => 1000, max_output_tokens => 0)).reservation, '{"prompt_tokens": 1000, "completion_tokens": 0}');
SELECT tb_set_price('unp-late', 'acme', 3, 3, effective_at => '2021-01-01') > 0;
SELECT old_cost, new_cost FROM tb_rerate('unp');
SELECT tb_set_rate('unp', 2, effective_at => '2020-01-01') > 0;
SELECT count(*) AS only_the_rate FROM tb_rerate('unp');
SELECT count(*) > 0 AS all_of_them FROM tb_rerate('unp', include_priced => true);
SELECT count(*) AS again FROM tb_rerate('unp', include_priced => true);
SELECT model, cost, internal_cost FROM tokbudget.chargeback WHERE tenant = 'unp' ORDER BY model;
-- Searches that the usage reports are not free at the fallback: 10 * 100 + 10 * 200 millionths and 2 * 0.05.
SELECT tb_set_unpriced('unp/lab', 'record', '{"input": 100, "output": 200, "searches": 0.05}');
SELECT reservation AS searched, held -> 'cost' AS held FROM tb_reserve('unp/lab/bot', 'unp-searcher', input_tokens => 10, max_output_tokens => 10, meters => '{"searches": 2}') \gset
SELECT :'held' AS held, cost, overrun, released -> 'cost' AS released FROM tb_commit(:'searched', '{"input_tokens": 10, "output_tokens": 10, "server_tool_use": {"web_search_requests": 2}}');
-- Other windows are left alone, and what cannot be.
SELECT count(*) FROM tb_rerate('unp', since => 'infinity');
SELECT arguments, code_of('SELECT tb_rerate(' || arguments || ')') FROM unnest(ARRAY[$$'nobody'$$, 'NULL', $$'unp', batch_size => 0$$, $$'unp', since => NULL$$, $$'unp', dry_run => NULL$$]) AS arguments;
SELECT arguments, code_of('SELECT tb_set_unpriced(' || arguments || ')') FROM unnest(ARRAY[$$'nobody', 'record'$$, $$'unp', 'perhaps'$$, $$'unp', 'refuse', '{"input": 1, "output": 1}'$$, $$'unp', 'record', '{"input": 1}'$$, $$'unp', 'record', '{"input": -1, "output": 1}'$$, $$'unp', 'record', '[]'$$]) AS arguments;
SELECT * FROM tb_verify();
