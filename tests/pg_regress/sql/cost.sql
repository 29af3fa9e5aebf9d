-- What a usage costs: the version of a price that a request gets, and the lines of its bill. Every number is derived beside it.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- A model with tiers, a length, a place, a minimum charge and a meter. Per million: 2 in, 0.5 cached, 10 out.
SELECT tb_set_price('cost-a', 'acme', 2, 10, cache_read_price => 0.5, unit_prices => '{"searches": 0.01, "audits": 0.25, "input_audio": 20}', effective_at => '2020-01-01') > 0 AS standard,
       tb_set_price('cost-a', 'acme', 1, 5, cache_read_price => 0.25, service_tier => 'batch', effective_at => '2020-01-01') > 0 AS batch,
       tb_set_price('cost-a', 'acme', 4, 20, service_tier => 'priority', effective_at => '2020-01-01') > 0 AS priority,
       tb_set_price('cost-a', 'acme', 4, 15, cache_read_price => 1, above_input_tokens => 1000, effective_at => '2020-01-01') > 0 AS long,
       tb_set_price('cost-a', 'acme', 2.2, 11, region => 'us', effective_at => '2020-01-01') > 0 AS place,
       tb_set_price('cost-min', 'acme', 2, 10, minimum_charge => 0.001, effective_at => '2020-01-01') > 0 AS minimum;
SELECT kind, unit_price, per, currency, provider, model, region, service_tier, above_input_tokens FROM tb_price('cost-a');
-- Place before tier before length. Exactly at the threshold the price below it holds.
SELECT p.*, unit_price AS input_price FROM (VALUES (NULL, NULL, 0), (NULL, NULL, 1000), (NULL, NULL, 1001), (NULL, 'batch', 1001), (NULL, 'priority', 10), (NULL, 'flex', 10), (NULL, 'flex', 1001),
    (NULL, 'default', 10), ('us', NULL, 10), ('us', NULL, 5000), ('us', 'batch', 10), ('any', NULL, 10)) AS p (region, tier, tokens),
    LATERAL tb_price('cost-a', region => p.region, service_tier => p.tier, input_tokens => p.tokens) AS price WHERE price.kind = 'input';
SELECT code, message, detail FROM refused($$SELECT tb_price('cost-a', service_tier => 'turbo')$$);
SELECT code, message, detail FROM refused($$SELECT tb_price('cost-a', region => 'mars')$$);
SELECT code, message, detail FROM refused($$SELECT tb_price('cost-a', at => '2019-12-31')$$);
SELECT code, message, detail FROM refused($$SELECT tb_price('cost-aa')$$);
SELECT arguments, code_of('SELECT * FROM tb_price(' || arguments || ')') FROM unnest(ARRAY['NULL', $$''$$, $$'cost-a', currency => NULL$$, $$'cost-a', currency => 'EUR'$$, $$'cost-a', input_tokens => NULL$$, $$'cost-a', input_tokens => -1$$]) AS arguments;

-- OpenAI: 600 plain, 400 cached, 50 out: 600 * 2 + 400 * 0.5 + 50 * 10 = 1200 + 200 + 500 = 1900 millionths.
SELECT item, quantity, unit_price, per, priced_as, cost, provider, model FROM tb_cost('acme/cost-a', '{"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 400}}');
-- One token more is long as a whole: 601 * 4 + 400 * 1 + 50 * 15 = 2404 + 400 + 750 = 3554 millionths.
SELECT sum(cost) FROM tb_cost('cost-a', '{"prompt_tokens": 1001, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 400}}');
-- The tier that the response states wins over the one that the caller names: 10 * 4 + 1 * 20 = 60 millionths, against 10 * 1 + 1 * 5 = 15.
SELECT (SELECT sum(cost) FROM tb_cost('cost-a', '{"service_tier": "priority", "usage": {"prompt_tokens": 10, "completion_tokens": 1}}', service_tier => 'batch')) AS stated,
       (SELECT sum(cost) FROM tb_cost('cost-a', '{"prompt_tokens": 10, "completion_tokens": 1}', service_tier => 'batch')) AS named;
-- Searches and meters: 2 * 0.01 + 3 * 0.25 = 0.77; reasoning and rejected predictions are output: 100 * 10 millionths.
SELECT item, quantity, unit_price, per, priced_as, cost FROM tb_cost('cost-a', '{"input_tokens": 0, "output_tokens": 0, "server_tool_use": {"web_search_requests": 2}, "meters": {"audits": 3}}');
SELECT item, quantity, priced_as, cost FROM tb_cost('cost-a', '{"prompt_tokens": 0, "completion_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 70, "rejected_prediction_tokens": 20}}');
-- Audio has a price of its own and no cached one: cached audio costs what audio costs, 4 * 20 + 6 * 20; the other 90 * 2 millionths.
SELECT item, quantity, priced_as, cost FROM tb_cost('cost-a', '{"usage": {"total_tokens": 100, "input_tokens": 100, "output_tokens": 0, "input_token_details": {"audio_tokens": 10, "text_tokens": 90, "cached_tokens": 4, "cached_tokens_details": {"audio_tokens": 4, "text_tokens": 0}}}}');
-- A minimum charge, and the one rounding: 10 * 2 millionths are less than 0.001.
SELECT item, cost FROM tb_cost('cost-min', '{"prompt_tokens": 10, "completion_tokens": 0}');
SELECT tb_set_price('cost-tiny', 'acme', 0.0005, 0.0001, effective_at => '2020-01-01') > 0;
-- 3 * 0.5 + 1 * 0.1 = 1.6 nano-units are booked as 2.
SELECT item, cost FROM tb_cost('cost-tiny', '{"prompt_tokens": 3, "completion_tokens": 1}');
SELECT sum(cost) FROM tb_cost('cost-tiny', '{"prompt_tokens": 3, "completion_tokens": 1}');
-- Nothing costs nothing; what has no price is refused; so is what cannot be read.
SELECT count(*) FROM tb_cost('cost-a', '{"prompt_tokens": 0, "completion_tokens": 0}');
SELECT usage, code_of(format('SELECT * FROM tb_cost(%L, %L)', 'cost-a', usage)) FROM unnest(ARRAY['{"prompt_tokens": 1, "completion_tokens": 1, "completion_tokens_details": {"audio_tokens": 1}}',
    '{"prompt_tokens": -1, "completion_tokens": 1}', '{}', NULL, '{"prompt_tokens": 1, "completion_tokens": 1, "meters": {"audits": -1}}', '{"prompt_tokens": 9223372036854775807, "completion_tokens": 9223372036854775807}']) AS usage;
SELECT code_of($$SELECT * FROM tb_cost('cost-a', '{"prompt_tokens": 1, "completion_tokens": 1}', provider => 'nobody')$$) AS unknown_dialect;
-- The sum is what a commit books, at the time of the reservation.
SELECT tb_create_account('cost/bot') > 0, tb_create_budget('cost', 'cost', 100) > 0;
SELECT u, booked = shown AS equal, booked FROM (
    SELECT u, (tb_commit((tb_reserve('cost/bot', 'cost-a', input_tokens => 2000, max_output_tokens => 200)).reservation, u)).cost AS booked, (SELECT sum(cost) FROM tb_cost('cost-a', u)) AS shown
    FROM unnest(ARRAY['{"prompt_tokens": 1000, "completion_tokens": 50}', '{"prompt_tokens": 1001, "completion_tokens": 3, "meters": {"audits": 1}}',
        '{"service_tier": "priority", "usage": {"prompt_tokens": 7, "completion_tokens": 7}}', '{"input_tokens": 1, "cache_read_input_tokens": 999, "output_tokens": 1, "server_tool_use": {"web_search_requests": 1}}']::jsonb[]) AS u OFFSET 0) AS t;

-- Names. The only seller is meant; of several sellers the one that is the default, else the name is refused with those meant.
SELECT tb_set_price('cost-both', 'acme', 1, 1, effective_at => '2020-01-01') > 0, tb_set_price('cost-both', 'bravo', 2, 2, effective_at => '2020-01-01') > 0;
SELECT code, message, detail FROM refused($$SELECT tb_price('cost-both')$$);
SELECT unit_price FROM tb_price('bravo/cost-both') WHERE kind = 'input';
SELECT tb_set_model('cost-both', 'bravo', aliases => ARRAY['both'], patterns => '[{"starts_with": "cost-both-v"}, {"and": [{"regex": "^both[0-9]+$"}, {"ends_with": "7"}]}]', is_default_provider => true, encoding => 'cl100k_base', count_basis => 'estimated', max_output_tokens => 77, operation => 'chat');
SELECT name, (SELECT provider || ' ' || unit_price FROM tb_price(name) WHERE kind = 'input') AS means FROM unnest(ARRAY['cost-both', 'BOTH', 'bravo/both', 'acme/cost-both', 'cost-both-v9', 'both17', 'cost-both-2026-01-01']) AS name;
SELECT name, code_of(format('SELECT tb_price(%L)', name)) FROM unnest(ARRAY['both18', 'acme/both', 'acme/cost-both-v9']) AS name;
-- An encoding that stands in for one that is not public: the count is an estimate and says so. The model's own maximum bounds the output.
SELECT input_tokens, max_output_tokens, count_basis FROM tb_reserve('cost/bot', 'both', prompt => 'hello world');
SELECT count_basis FROM tb_reserve('cost/bot', 'both', input_tokens => 5);
SELECT arguments, code_of('SELECT tb_set_model(' || arguments || ')') FROM unnest(ARRAY[$$NULL, 'p'$$, $$'m', ''$$, $$'m', 'p', encoding => 'cl100k_base'$$, $$'m', 'p', count_basis => 'exact'$$, $$'m', 'p', encoding => 'no-such', count_basis => 'exact'$$,
    $$'m', 'p', patterns => '[{"regex": "("}]'$$, $$'m', 'p', patterns => '[1]'$$, $$'m', 'p', patterns => '{}'$$, $$'m', 'p', aliases => ARRAY[NULL]$$, $$'m', 'p', context_tokens => 0$$, $$'m', 'p', encoding => 'gpt-4', count_basis => 'roughly'$$]) AS arguments;
-- Regional names of Bedrock, ARNs and Azure's places: their own price if there is one, else that of the model without the place.
SELECT tb_set_price('anthropic.claude-test-v1:0', 'bedrock', 3, 15, effective_at => '2020-01-01') > 0, tb_set_price('eu.anthropic.claude-test-v1:0', 'bedrock', 3.3, 16.5, effective_at => '2020-01-01') > 0,
       tb_set_price('anthropic.claude-test-v1:0', 'bedrock', 3.6, 18, region => 'us-gov', effective_at => '2020-01-01') > 0, tb_set_price('test-4o', 'azure', 2.5, 10, effective_at => '2020-01-01') > 0;
SELECT name, (SELECT unit_price FROM tb_price(name) WHERE kind = 'input') FROM unnest(ARRAY['bedrock/anthropic.claude-test-v1:0', 'us.anthropic.claude-test-v1:0', 'bedrock/eu.anthropic.claude-test-v1:0', 'bedrock_converse/us.anthropic.claude-test-v1:0', 'us-gov.anthropic.claude-test-v1:0',
    'arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-test-v1:0', 'bedrock/us-east-1/anthropic.claude-test-v1:0', 'azure/test-4o', 'azure/eu/test-4o', 'azure/test-4o-2026-01-01']) AS name;
SELECT name, code_of(format('SELECT tb_price(%L)', name)) FROM unnest(ARRAY['openai/test-4o', 'openrouter/azure/test-4o']) AS name;
SELECT flags FROM tb_commit((tb_reserve('cost/bot', 'bedrock/us.anthropic.claude-test-v1:0', input_tokens => 1, max_output_tokens => 1)).reservation, '{"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}', '{"service_tier": "flex"}');
SELECT provider, request_model, flags, region, service_tier FROM tokbudget.entry WHERE request_model LIKE 'bedrock/%';
-- A version is complete by itself: what the long one does not state has no price there.
SELECT code_of($$SELECT * FROM tb_cost('cost-a', '{"input_tokens": 1001, "output_tokens": 1, "server_tool_use": {"web_search_requests": 1}}')$$) AS search_in_a_long_request;

-- A wrong price: it is superseded and stays in the book. Ends and gaps.
SELECT tb_set_price('cost-fix', 'acme', 1, 1, effective_at => '2026-01-01') AS wrong \gset
SELECT tb_set_price('cost-fix', 'acme', 3, 1, effective_at => '2026-01-01', replace => true) AS right \gset
SELECT price_id = :wrong AS is_wrong, unit_prices, superseded_at IS NOT NULL AS superseded FROM tokbudget.price WHERE model = 'cost-fix' ORDER BY superseded_at NULLS LAST;
SELECT tb_set_price('cost-fix', 'acme', 1, 1, effective_at => '2026-01-01', replace => true) = :wrong AS right_after_all;
SELECT tb_set_price('cost-fix', 'acme', 5, 1, effective_at => '2025-01-01', ends_at => '2025-07-01') > 0, tb_set_price('cost-fix', 'acme', 7, 1, effective_at => '2027-01-01') > 0;
SELECT unit_prices ->> 'input' AS input, effective_at, ends_at FROM tokbudget.price WHERE model = 'cost-fix' AND superseded_at IS NULL ORDER BY effective_at;
SELECT at, (SELECT unit_price FROM tb_price('cost-fix', at) WHERE kind = 'input') FROM unnest(ARRAY['2025-06-30', '2026-06-01', '2027-01-01']::timestamptz[]) AS at;
SELECT code_of($$SELECT tb_price('cost-fix', '2025-08-01')$$) AS in_the_gap;
-- Overlapping validity is impossible, whoever writes the row.
SELECT code_of($$INSERT INTO tokbudget.price (model, provider, effective_at, unit_prices, origin, source) VALUES ('cost-fix', 'acme', '2025-06-01', '{"input": 1}', 'user', 'by hand')$$) AS overlap,
       code_of($$INSERT INTO tokbudget.price (model, provider, effective_at, unit_prices, origin, source) VALUES ('cost-odd', 'acme', '2025-06-01', '{"input": -1}', 'user', 'by hand')$$) AS negative,
       code_of($$INSERT INTO tokbudget.price (model, provider, effective_at, unit_prices, origin, source) VALUES ('cost-odd', 'acme', '2025-06-01', '{"cost": 1}', 'user', 'by hand')$$) AS derived_meter;
-- A session sees a change at once, and forgets it when it is rolled back, by a savepoint too.
BEGIN;
SELECT unit_price FROM tb_price('cost-tiny') WHERE kind = 'output';
SAVEPOINT s;
SELECT tb_set_price('cost-tiny', 'acme', 9, 9) > 0;
SELECT unit_price FROM tb_price('cost-tiny') WHERE kind = 'output';
ROLLBACK TO s;
SELECT unit_price FROM tb_price('cost-tiny') WHERE kind = 'output';
UPDATE tokbudget.price SET ends_at = '2020-06-01' WHERE model = 'cost-tiny';
SELECT code_of($$SELECT tb_price('cost-tiny')$$) AS ended_by_hand;
ROLLBACK;
SELECT unit_price FROM tb_price('cost-tiny') WHERE kind = 'output';
SELECT count(*) FROM tokbudget.unit_price WHERE model = 'cost-a';
-- A cheaper price for long requests: the hold covers a shorter one too. 100000 in and 1000 out below the threshold cost 1.01.
SELECT tb_set_price('cost-volume', 'acme', 10, 10, effective_at => '2020-01-01') > 0, tb_set_price('cost-volume', 'acme', 1, 1, above_input_tokens => 100000, effective_at => '2020-01-01') > 0;
SELECT held -> 'cost' AS held FROM tb_reserve('cost/bot', 'cost-volume', input_tokens => 200000, max_output_tokens => 1000);
-- A minimum charge is none of the meters that the model does not price: 0.001 and 2 * 0.25.
SELECT tb_set_meter_price('cost_calls', 0.25, effective_at => '2020-01-01') > 0;
SELECT reservation AS minimum, held -> 'cost' AS held FROM tb_reserve('cost/bot', 'cost-min', input_tokens => 1, max_output_tokens => 0, meters => '{"cost_calls": 2}') \gset
SELECT :'held' AS held, cost, overrun FROM tb_commit(:'minimum', '{"prompt_tokens": 1, "completion_tokens": 0}');
-- Spellings of providers and tiers are one when they are set, as when they are asked for.
SELECT tb_set_price('cost-spelt', 'Google', 7, 7, service_tier => 'Batch', effective_at => '2020-01-01') > 0, tb_set_price('cost-spelt', 'google', 8, 8, service_tier => 'default', effective_at => '2020-01-01') > 0;
SELECT provider, service_tier, unit_price FROM tb_price('google/cost-spelt', service_tier => 'BATCH') WHERE kind = 'input';
SELECT unit_price FROM tb_price('gemini/cost-spelt') WHERE kind = 'input';
-- The last default wins. A seller's name means the seller and nobody else; what others sell under such a name it does not mean.
SELECT tb_set_model('cost-both', 'acme', is_default_provider => true);
SELECT provider FROM tb_price('cost-both') WHERE kind = 'input';
INSERT INTO tokbudget.price (model, provider, effective_at, unit_prices, origin, source) VALUES ('deepseek/cost-x', 'openrouter', '2020-01-01', '{"input": 1}', 'import', 'by hand'), ('meta-llama/cost-x', 'together_ai', '2020-01-01', '{"input": 1}', 'import', 'by hand');
SELECT name, code_of(format('SELECT tb_price(%L)', name)) FROM unnest(ARRAY['deepseek/cost-x', 'meta-llama/cost-x', 'openrouter/deepseek/cost-x']) AS name;
DELETE FROM tokbudget.price WHERE model LIKE '%/cost-x';
-- Tokens without a model have no price; JSON that is nested too deep is refused, not an internal error.
SELECT code_of($$SELECT * FROM tb_cost(NULL, '{"prompt_tokens": 1, "completion_tokens": 1}')$$) AS no_model, code_of($$SELECT * FROM tb_cost('cost-a', '{"prompt_tokens": 1, "completion_tokens": 1}', currency => 'usd')$$) AS currency;
SELECT what, code_of(format(what, deep)) FROM unnest(ARRAY['SELECT tb_usage(%L)', 'SELECT tb_import_prices(%L, ''x'')', 'SELECT tb_set_price(''m'', ''p'', unit_prices => jsonb_build_object(''input'', %L::jsonb))', 'SELECT tb_reserve(''cost/bot'', attributes => %L)',
    'SELECT tb_set_price(''m'', ''p'', 1, 1, covers => ''{{a,b},{c,d}}'') /* %s */', 'SELECT tb_set_price(''m'', ''meter'', 1, 1) /* %s */']) AS what, (SELECT repeat('[', 200) || repeat(']', 200) AS deep) AS d;
SELECT * FROM tb_verify();
