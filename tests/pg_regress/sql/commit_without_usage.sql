-- Commits of calls that broke off: nothing told, a part told, an estimate; after the expiry.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
-- 2 in and 10 out per million tokens, a page is 0.001. 1000 in, 500 out and 2 pages may cost 0.002 + 0.005 + 0.002 = 0.009.
SELECT tb_set_price('cwu-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0, tb_set_meter_price('cwu_pages', 0.001, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('cwu') > 0, tb_create_budget('cwu', 'cost', 1) > 0, tb_create_budget('cwu', 'tokens', 100000) > 0;
CREATE FUNCTION pg_temp.held() RETURNS uuid LANGUAGE sql AS $$
    SELECT reservation FROM tb_reserve('cwu', model => 'cwu-model', input_tokens => 1000, max_output_tokens => 500, meters => '{"cwu_pages": 2}')
$$;
CREATE FUNCTION pg_temp.booked(id uuid) RETURNS TABLE (usage_source text, input_tokens bigint, output_tokens bigint, requests bigint, meters jsonb, cost numeric, overrun boolean, late boolean, flags text[])
LANGUAGE sql AS $$ SELECT usage_source, input_tokens, output_tokens, requests, meters, cost, overrun, late, flags FROM tokbudget.entry WHERE reservation_id = id $$;

-- Nothing told: all that was held, as it was held; or the input alone, 0.002 with the pages' 0.002.
SELECT pg_temp.held() AS held, pg_temp.held() AS input \gset
SELECT cost, tokens, overrun, released FROM tb_commit(:'held', NULL);
SELECT * FROM pg_temp.booked(:'held');
SELECT cost, tokens, overrun, released FROM tb_commit(:'input', NULL, without_usage => 'input');
SELECT * FROM pg_temp.booked(:'input');
SELECT meter, spent, held FROM balances('cwu');
-- The same again is the same; the other way, or with what the provider told after all, is another commit.
SELECT cost FROM tb_commit(:'held', NULL);
SELECT code_of(format('SELECT tb_commit(%L, NULL, without_usage => ''input'')', :'held')) AS input, code_of(format('SELECT tb_commit(%L, ''{"input_tokens": 1000, "output_tokens": 500}'')', :'held')) AS told;
-- With usage, without_usage means nothing.
SELECT pg_temp.held() AS told \gset
SELECT cost FROM tb_commit(:'told', '{"input_tokens": 1000, "output_tokens": 1}', without_usage => 'input');
SELECT cost FROM tb_commit(:'told', '{"input_tokens": 1000, "output_tokens": 1}', without_usage => 'held');
-- A part of a stream, and the client's own count. The pages are those that were held.
SELECT pg_temp.held() AS part, pg_temp.held() AS guess \gset
SELECT cost, tokens FROM tb_commit(:'part', '{"input_tokens": 1000, "output_tokens": 100}', usage_source => 'partial');
SELECT cost, tokens FROM tb_commit(:'guess', '{"input_tokens": 900, "output_tokens": 200}', usage_source => 'estimated');
SELECT * FROM pg_temp.booked(:'part');
SELECT * FROM pg_temp.booked(:'guess');
-- The source is a part of what makes a commit the same.
SELECT code_of(format('SELECT tb_commit(%L, ''{"input_tokens": 900, "output_tokens": 200}'')', :'guess')) AS other_source;
-- Nothing told counts as estimated, whatever was said of the source.
SELECT pg_temp.held() AS src \gset
SELECT cost FROM tb_commit(:'src', NULL, usage_source => 'provider');
SELECT usage_source FROM pg_temp.booked(:'src');
-- Without a model: what was held of meters.
SELECT reservation AS tool FROM tb_reserve('cwu', meters => '{"cwu_pages": 3}') \gset
SELECT cost, tokens FROM tb_commit(:'tool', NULL);
SELECT * FROM pg_temp.booked(:'tool');
-- After tb_extend it is what is held then: 600 out are 0.006 and with the rest 0.01.
SELECT pg_temp.held() AS ext \gset
SELECT max_output_tokens FROM tb_extend(:'ext', 100);
SELECT cost, overrun, released FROM tb_commit(:'ext', NULL);

-- The hold expires at 10:10. In the five minutes of grace it is booked as if in time, and says so; after that it is late.
SELECT pg_temp.held() AS in_time, pg_temp.held() AS grace, pg_temp.held() AS grace_end, pg_temp.held() AS late, pg_temp.held() AS swept \gset
SET tokbudget.clock = '2026-03-10 10:09:59.999999+00';
SELECT flags FROM tb_commit(:'in_time', NULL);
SET tokbudget.clock = '2026-03-10 10:10:00+00';
SELECT flags, overrun, released FROM tb_commit(:'grace', '{"input_tokens": 1000, "output_tokens": 400}');
SET tokbudget.clock = '2026-03-10 10:14:59.999999+00';
SELECT flags FROM tb_commit(:'grace_end', NULL);
SET tokbudget.clock = '2026-03-10 10:15:00+00';
SELECT flags FROM tb_commit(:'late', NULL);
SELECT tb_expire();
SELECT flags, overrun FROM tb_commit(:'swept', NULL);
SELECT late, flags FROM unnest(ARRAY[:'in_time', :'grace', :'grace_end', :'late']::uuid[]) AS id, LATERAL pg_temp.booked(id);
SELECT kind, late, cost FROM tokbudget.entry WHERE reservation_id = :'swept' ORDER BY kind;
-- A grace of nothing.
UPDATE tokbudget.tenant SET commit_grace = '0' WHERE name = 'cwu';
SELECT pg_temp.held() AS no_grace \gset
SET tokbudget.clock = '2026-03-10 10:25:00+00';
SELECT flags FROM tb_commit(:'no_grace', NULL);
-- What was held is free from the expiry on, so a late commit may go beyond the limit: it is booked all the same.
SELECT tb_create_account('cwu2') > 0, tb_create_budget('cwu2', 'tokens', 100) > 0;
SELECT reservation AS one FROM reserve('cwu2', 100, ttl => '1 minute') \gset
SET tokbudget.clock = '2026-03-10 10:26:00+00';
SELECT remaining FROM reserve('cwu2', 100);
SELECT overrun, remaining, flags FROM tb_commit(:'one', NULL);
SELECT spent, held FROM balances('cwu2');
SELECT code_of($$SELECT tb_reserve('cwu2', input_tokens => 1)$$) AS full;
-- A release after the expiry gives nothing back, and does not keep what was used from being told.
SELECT reservation AS two FROM tb_reserve('cwu', meters => '{"cwu_pages": 1}', ttl => '1 minute') \gset
SET tokbudget.clock = '2026-03-10 10:27:00+00';
SELECT tb_release(:'two') AS unswept, tb_release(:'two') AS again;
SELECT overrun, flags FROM tb_commit(:'two', NULL);

-- Arguments; nothing of this settles it.
SELECT pg_temp.held() AS open \gset
SELECT arguments, code_of(format('SELECT tb_commit(%L, %s)', :'open', arguments))
FROM unnest(ARRAY['NULL, without_usage => NULL', 'NULL, without_usage => ''all''', 'NULL, without_usage => ''''', 'NULL, usage_source => NULL', 'NULL, usage_source => ''guess''', 'NULL, ''[]''', '''null''', '''{}''', '''[]''', '''""''', '''{"input_tokens": -1, "output_tokens": 0}''',
    '''{"input_tokens": "NaN", "output_tokens": 0}''', '''{"input_tokens": 0.5, "output_tokens": 0}''', '''{"input_tokens": 9223372036854775807, "output_tokens": 9223372036854775807}''', 'NULL, idempotency_key => ''''', '''{"input_tokens": 1, "output_tokens": 0}'', provider => ''nobody''']) AS arguments;
SELECT code_of('SELECT tb_commit(NULL, NULL)') AS nothing, code_of('SELECT tb_commit(''00000000-0000-4000-8000-000000000000'', NULL)') AS unknown;
SELECT state FROM tokbudget.reservation WHERE reservation_id = :'open';
RESET tokbudget.clock;
SELECT * FROM tb_verify();
