-- Prices: which are taken, and which one a call gets.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('price') > 0, tb_create_budget('price', 'cost', 1000) > 0;

-- Prices that are none.
SELECT arguments, code_of('SELECT tb_set_price(' || arguments || ')') FROM unnest(ARRAY[
    $$'m', 'p', -1, 1$$, $$'m', 'p', 'NaN', 1$$, $$'m', 'p', 'Infinity', 1$$, $$'m', 'p', 1000001, 1$$, $$'m', 'p', 1, 0.0000000000001$$,
    $$'m', 'p', 1, 1, cache_read_price => -1$$, $$'m', 'p', 1, 1, unit_prices => '{"reasoning": "NaN"}'$$, $$'m', 'p', 1, 1, unit_prices => '{"input_audio": -1}'$$,
    $$'m', 'p', NULL, NULL$$, $$NULL, 'p', 1, 1$$, $$' ', 'p', 1, 1$$, $$'m', NULL, 1, 1$$, $$'m', '', 1, 1$$, $$'m', 'p', 1, 1, currency => 'usd'$$,
    $$'m', 'p', 1, 1, currency => NULL$$, $$'m', 'p', 1, 1, effective_at => NULL$$, $$'m', 'p', 1, 1, effective_at => 'infinity'$$,
    $$'m', 'p', 1, 1, effective_at => '-infinity'$$, $$'m', 'p', 1, 1, max_input_tokens => 0$$, $$'m', 'p', 1, 1, source => NULL$$,
    $$'m', 'p', 1, 1, covers => NULL$$, $$'m', 'p', 1, 1, covers => ARRAY[NULL]$$]) WITH ORDINALITY AS t (arguments, n) ORDER BY n;
SELECT count(*) FROM tokbudget.price WHERE model = 'm';

-- The cost of 1,000,000 tokens in is the price in; a function of the instant, per million.
CREATE FUNCTION cost_of(model text, at timestamptz, tokens bigint DEFAULT 1000000) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    cost numeric;
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, true);
    SELECT trim_scale((held ->> 'cost')::numeric) INTO cost FROM tb_reserve('price', model => model, input_tokens => tokens, max_output_tokens => 0);
    RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = cost::text;
EXCEPTION
    WHEN raise_exception THEN RETURN SQLERRM;
    WHEN OTHERS THEN RETURN SQLSTATE;
END;
$$;
-- A price begins at its instant and ends where the next begins; before the first there is none.
SELECT tb_set_price('price-a', 'acme', 3, 1, effective_at => '2026-02-01') > 0, tb_set_price('price-a', 'acme', 2, 1, effective_at => '2026-01-01') > 0;
SELECT at, cost_of('price-a', at) FROM unnest(ARRAY['2025-12-31 23:59:59.999999+00', '2026-01-01 00:00:00+00', '2026-01-31 23:59:59.999999+00', '2026-02-01 00:00:00+00', '2099-01-01 00:00:00+00']::timestamptz[]) AS at ORDER BY at;
-- A price of zero is a price; one in another currency than the tenant's is none.
SELECT tb_set_price('price-free', 'acme', 0, 0, effective_at => '2020-01-01') > 0, tb_set_price('price-eur', 'acme', 1, 1, currency => 'EUR', effective_at => '2020-01-01') > 0;
SELECT cost_of('price-free', '2026-01-01') AS free, cost_of('price-eur', '2026-01-01') AS euro;
-- Longer requests than the price is for are not priced.
SELECT tb_set_price('price-short', 'acme', 1, 1, max_input_tokens => 1000, effective_at => '2020-01-01') > 0;
SELECT cost_of('price-short', '2026-01-01', 1000) AS longest, cost_of('price-short', '2026-01-01', 1001) AS one_more;
-- Names: a date or -latest behind it is the same model; another spelling, a provider that is not its own, and a fine-tuned one are not.
SELECT name, cost_of(name, '2026-03-01') FROM unnest(ARRAY['price-a', 'acme/price-a', 'openai/price-a', 'price-a-2026-01-15', 'price-a-20260115', 'price-a-latest', 'PRICE-A', 'price-a-mini', 'ft:price-a:acme::x'])
    WITH ORDINALITY AS t (name, n) ORDER BY n;
-- What is set here wins over the book, from its instant on.
SELECT count(*) > 0 AS in_the_book FROM tokbudget.price WHERE model = 'gpt-4-turbo' AND origin = 'book';
SELECT tb_set_price('gpt-4-turbo', 'openai', 77, 1, effective_at => '2026-03-01') > 0;
SELECT cost_of('gpt-4-turbo', '2026-02-28') = trim_scale(max(unit_prices ->> 'input')::numeric)::text AS before_the_book, cost_of('gpt-4-turbo', '2026-03-01') AS after, cost_of('openai/gpt-4-turbo', '2026-03-01') AS with_provider, cost_of('azure/gpt-4-turbo', '2026-03-01') AS other_provider
FROM (SELECT unit_prices FROM tokbudget.price WHERE model = 'gpt-4-turbo' AND provider = 'openai' AND service_tier = 'standard' AND origin = 'book' AND effective_at <= '2026-02-28' ORDER BY effective_at DESC LIMIT 1) AS b;
-- The id follows from what the row says, so that a restored entry finds its price; the book's rows too.
SELECT count(*) = count(DISTINCT price_id) AS unique_ids, count(*) > 50 AS a_book FROM tokbudget.price WHERE origin = 'book';
-- Two instants within one second are two prices.
SELECT code_of($$SELECT tb_set_price('price-b', 'acme', 1, 1, effective_at => '2020-01-01 00:00:00.1')$$) AS first, code_of($$SELECT tb_set_price('price-b', 'acme', 2, 1, effective_at => '2020-01-01 00:00:00.2')$$) AS second,
       code_of($$SELECT tb_set_price('price-b', 'acme', 3, 1, effective_at => '2020-01-01 00:00:00.2')$$) AS same_instant;
DROP FUNCTION cost_of;
SELECT * FROM tb_verify();
