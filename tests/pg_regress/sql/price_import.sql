-- Import of price files: what each run does to each model, and that nothing is changed by accident.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
\set one '{"sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of", "max_tokens": "text"}, "imp-a": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06, "input_cost_per_token_batches": 1.25e-06, "output_cost_per_token_batches": 5e-06, "max_input_tokens": 128000, "max_output_tokens": 16384, "deprecation_date": "2027-01-31"}, "azure/imp-a": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 2.75e-06, "output_cost_per_token": 1.1e-05}, "imp-text": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": "0.1", "output_cost_per_token": 1e-06}, "imp-empty": {"litellm_provider": "openai", "mode": "chat"}, "imp-e": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08, "output_cost_per_token": 0.0}}'
SELECT provider, model, change, kind, reason FROM tb_import_prices(:'one', 'file one', '2026-01-01') ORDER BY model COLLATE "C", provider;
SELECT provider, model, service_tier, unit_prices, effective_at, ends_at, origin, source, source_date FROM tokbudget.price WHERE model LIKE 'imp-%' ORDER BY model, provider, service_tier;
SELECT provider, model, operation, context_tokens, max_output_tokens, deprecated_on, origin FROM tokbudget.model WHERE model LIKE 'imp-%' ORDER BY model, provider;
-- The bare name means the provider that the file lists it under without one.
SELECT provider, unit_price FROM tb_price('imp-a', '2026-06-01') WHERE kind = 'input';
-- The same file again changes nothing, also later.
CREATE VIEW import_state AS SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (SELECT price::text AS t FROM tokbudget.price UNION ALL SELECT model::text FROM tokbudget.model UNION ALL SELECT model_alias::text FROM tokbudget.model_alias) AS t;
SELECT md5 AS before FROM import_state \gset
SELECT change, count(*) FROM tb_import_prices(:'one', 'file one', '2026-01-01') GROUP BY change ORDER BY change;
SELECT change, count(*) FROM tb_import_prices(:'one', 'file one', '2026-03-01') GROUP BY change ORDER BY change;
SELECT md5 = :'before' AS nothing_changed FROM import_state;
-- Prices change: 20 per cent more, ten times, more than ten times (left alone until confirmed, as a whole), to zero; the batch tier is gone.
\set two '{"imp-a": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 1e-04, "cache_read_input_token_cost": 1.25e-06}, "azure/imp-a": {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 2.75e-06, "output_cost_per_token": 1.2e-04}, "imp-e": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0}}'
SELECT provider, model, change, service_tier, kind, old_price, new_price, ratio, reason FROM tb_import_prices(:'two', 'file two', '2026-05-01') ORDER BY model, provider, service_tier, kind;
SELECT model, provider, service_tier, unit_prices ->> 'input' AS input, unit_prices ->> 'output' AS output, effective_at, ends_at FROM tokbudget.price WHERE model LIKE 'imp-%' AND superseded_at IS NULL ORDER BY model, provider, service_tier, effective_at;
SELECT provider, model, change, kind, old_price, new_price FROM tb_import_prices(:'two', 'file two', '2026-05-01', confirm => true) ORDER BY model, provider, kind;
-- Back in time: what it would replace later on is compared too.
SELECT change, kind, old_price, new_price FROM tb_import_prices('{"imp-back": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}, "imp-meter": {"litellm_provider": "meter", "mode": "chat", "input_cost_per_token": 1e-6}}', 'back', '2026-06-01') ORDER BY 1;
SELECT change, kind, old_price, new_price FROM tb_import_prices('{"imp-back": {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-3, "output_cost_per_token": 1e-6}}', 'back', '2026-03-01');
SELECT unit_price FROM tb_price('acme/imp-back', '2026-07-01') WHERE kind = 'input';
-- A user's price wins over the import, on its whole model; the import goes on beneath it.
SELECT tb_set_price('imp-a', 'openai', 0.5, 1, effective_at => '2026-06-01') > 0;
SELECT at, (SELECT origin || ' ' || unit_price FROM tb_price('imp-a', at) WHERE kind = 'input') FROM unnest(ARRAY['2026-04-30', '2026-05-31', '2026-06-01']::timestamptz[]) AS at;
SELECT change, count(*) FROM tb_import_prices(:'one', 'file one', '2026-07-01', confirm => true) GROUP BY change ORDER BY change;
SELECT origin, unit_price FROM tb_price('imp-a', '2026-08-01') WHERE kind = 'input';
-- genai-prices: dated prices, a threshold, a tier, patterns of names.
\set genai '[{"id": "x-imp", "name": "X", "api_pattern": "x", "model_match": {"starts_with": "imp-g"}, "models": [{"id": "imp-g", "match": {"or": [{"equals": "imp-g"}, {"starts_with": "imp-g-"}]}, "context_window": 1000, "prices": [{"prices": {"input_mtok": 1, "output_mtok": 4}}, {"constraint": {"start_date": "2026-02-01"}, "prices": {"input_mtok": {"base": 2, "tiers": [{"start": 100, "price": 3}]}, "output_mtok": 8}}], "price_variants": [{"when": {"processing": "batch"}, "prices": {"input_mtok": 0.5}, "constraint": {"start_date": "2026-03-01"}}]}]}]'
SELECT provider, model, change FROM tb_import_prices(:'genai', 'genai', '2026-04-01');
SELECT service_tier, above_input_tokens AS above, effective_at, ends_at, unit_prices ->> 'input' AS input, unit_prices ->> 'output' AS output FROM tokbudget.price WHERE model = 'imp-g' ORDER BY 1, 2, 3;
SELECT name, (SELECT unit_price FROM tb_price(name, '2026-05-01') WHERE kind = 'input') FROM unnest(ARRAY['imp-g', 'IMP-G-2026', 'x_imp/imp-g-mini']) AS name;
SELECT change FROM tb_import_prices(:'genai', 'genai', '2026-04-01');
-- What is no price file.
SELECT document, code_of(format('SELECT tb_import_prices(%L, %L)', document, 'x')) FROM unnest(ARRAY[NULL, 'null', '[]', '{}', '1', '"x"', '{"a": 1}', '[{"id": "x"}]']) AS document;
SELECT arguments, code_of(format('SELECT tb_import_prices(%L, %s)', :'one', arguments)) FROM unnest(ARRAY['NULL', $$''$$, $$'x', NULL$$, $$'x', 'infinity'$$, $$'x', currency => 'usd'$$, $$'x', confirm => NULL$$]) AS arguments;
DROP VIEW import_state;
