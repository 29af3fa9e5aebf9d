-- Commits: what a provider says was used is booked, priced with the price that held when the reservation was made.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- Per million tokens: 2 in, 10 out, 0.5 cache read, 2.5 cache write, 4 cache write for an hour. A web search is 0.01.
SELECT tb_set_price('com-model', 'acme', 2, 10, cache_read_price => 0.5, cache_write_price => 2.5, cache_write_1h_price => 4,
    unit_prices => '{"searches": 0.01}', effective_at => '2020-01-01') AS price \gset
SELECT tb_create_account('com/bot', cost_center => 'C1') > 0, tb_create_budget('com', 'cost', 1) > 0, tb_create_budget('com', 'tokens', 10000) > 0;

-- OpenAI chat: 600 uncached, 400 cached, 500 out (200 of it reasoning):
-- 600 * 2e-6 + 400 * 0.5e-6 + 500 * 10e-6 = 0.0012 + 0.0002 + 0.005 = 0.0064.
-- Held were 1000 * 2.5e-6 + 600 * 10e-6 = 0.0085 (the dearest input is a cache write) and 1600 tokens.
SELECT reservation AS chat, held FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 1000, max_output_tokens => 600) \gset
SELECT :'held' AS held;
SELECT cost, currency, tokens, overrun, released, remaining FROM tb_commit(:'chat', '{"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 400, "audio_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 200}}');
SELECT * FROM balances('com');

-- The same commit again is the same answer and books nothing; its answer is that of the time.
SELECT entry AS chat_entry FROM tokbudget.entry, LATERAL (SELECT entry_id AS entry) AS e WHERE reservation_id = :'chat' \gset
SELECT entry = :'chat_entry' AS same_entry, cost, tokens, overrun, released, remaining FROM tb_commit(:'chat', '{"total_tokens": 1500, "completion_tokens": 500, "prompt_tokens": 1000,
    "completion_tokens_details": {"reasoning_tokens": 200}, "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 400}}');
SELECT count(*) FROM tokbudget.entry WHERE reservation_id = :'chat';
-- Another one is refused, and so is a release.
SELECT code, message, detail::jsonb - 'reservation' - 'settled_at' AS detail, detail::jsonb ->> 'reservation' = :'chat' AS names_it
FROM refused(format('SELECT tb_commit(%L, %L)', :'chat', '{"prompt_tokens": 1000, "completion_tokens": 501}'));
SELECT code_of(format('SELECT tb_commit(%L, %L, %L)', :'chat', '{"prompt_tokens": 1000, "completion_tokens": 500}', '{"outcome": "ok"}')) AS other_attributes,
       code_of(format('SELECT tb_release(%L)', :'chat')) AS release;
SELECT * FROM balances('com');

-- OpenAI responses: 900 uncached, 100 cached, 50 out: 900 * 2e-6 + 100 * 0.5e-6 + 50 * 10e-6 = 0.0018 + 0.00005 + 0.0005 = 0.00235.
SELECT reservation AS responses FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 1000, max_output_tokens => 50) \gset
SELECT cost, tokens, overrun, released FROM tb_commit(:'responses', '{"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 100},
    "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 1050}');

-- Anthropic: 100 uncached + 1000 read + 200 written for 5 minutes + 100 for an hour = 1400 in, 50 out:
-- (100 * 2 + 1000 * 0.5 + 200 * 2.5 + 100 * 4 + 50 * 10) * 1e-6 = (200 + 500 + 500 + 400 + 500) * 1e-6 = 0.0021.
SELECT reservation AS anthropic FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 1400, max_output_tokens => 50) \gset
SELECT cost, tokens, overrun, released FROM tb_commit(:'anthropic', '{"model": "com-model-20260101", "type": "message", "usage": {"input_tokens": 100, "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 300, "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100}, "output_tokens": 50}}');
-- Without the split by lifetime the write has the default lifetime: (100 * 2 + 300 * 2.5 + 50 * 10) * 1e-6 = 0.00145. Two searches add 0.02.
SELECT reservation AS anthropic_2 FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 400, max_output_tokens => 50) \gset
SELECT cost, tokens FROM tb_commit(:'anthropic_2', '{"input_tokens": 100, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 300, "output_tokens": 50, "server_tool_use": {"web_search_requests": 2}}');
SELECT provider, request_model, response_model, requests, input_tokens AS input, cache_read_input_tokens AS read, cache_write_input_tokens AS written,
       output_tokens AS output, reasoning_output_tokens AS reasoning, buckets, cost, currency, price_id = :price AS priced, flags, cost_center, actor = session_user AS actor
FROM tokbudget.entry WHERE reservation_id IN (:'chat', :'responses', :'anthropic', :'anthropic_2') ORDER BY recorded_at;

-- Plain counts, and numbers as JSON may write them.
SELECT reservation AS plain FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 10, max_output_tokens => 10) \gset
SELECT cost, tokens FROM tb_commit(:'plain', '{"input_tokens": 1e1, "output_tokens": 5.0}');
-- Parts that are more than their whole: booked, flagged.
SELECT reservation AS odd FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 100, max_output_tokens => 10) \gset
SELECT cost, tokens FROM tb_commit(:'odd', '{"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 50, "prompt_tokens_details": {"cached_tokens": 20}}');
SELECT flags, input_tokens, buckets FROM tokbudget.entry WHERE reservation_id = :'odd';

-- Rounding: half to even, once. 0.0005 per million is half a nano-unit per token; 1, 2, 3, 5 tokens are 0.5, 1, 1.5, 2.5 nano-units.
SELECT tb_set_price('com-cheap', 'acme', 0.0005, 0, effective_at => '2020-01-01') > 0;
SELECT tokens, (tb_commit(reservation, jsonb_build_object('input_tokens', tokens, 'output_tokens', 0))).cost
FROM (SELECT tokens, (tb_reserve('com/bot', model => 'com-cheap', input_tokens => tokens, max_output_tokens => 0)).reservation FROM unnest(ARRAY[0, 1, 2, 3, 5]) AS tokens OFFSET 0) AS t;
-- The price is that of the reservation's time: here a price that began after it.
SELECT reservation AS old_price FROM tb_reserve('com/bot', model => 'com-model', input_tokens => 100, max_output_tokens => 0) \gset
SELECT tb_set_price('com-model', 'acme', 200, 1000, effective_at => clock_timestamp()) <> :price AS other_price;
SELECT cost FROM tb_commit(:'old_price', '{"input_tokens": 100, "output_tokens": 0}');
SELECT code_of($$SELECT tb_set_price('com-model', 'acme', 2, 10, effective_at => '2020-01-01')$$) AS same_instant;

-- More than was held is booked in full, flagged, and blocks until it is covered.
SELECT tb_create_account('over') > 0, tb_create_budget('over', 'tokens', 100) > 0;
SELECT reservation AS over FROM reserve('over', 50) \gset
SELECT tokens, overrun, released, remaining FROM tb_commit(:'over', '{"input_tokens": 130, "output_tokens": 0}');
SELECT overrun, late, spent_units FROM tokbudget.entry WHERE reservation_id = :'over';
SELECT spent, held, remaining FROM tb_remaining('over');
SELECT message, detail::jsonb -> 'remaining' AS remaining FROM refused($$SELECT tb_reserve('over', input_tokens => 1)$$);
SELECT code_of($$SELECT tb_reserve('over', input_tokens => 0)$$) AS nothing_wanted;
-- Less than was held: the rest is free again.
SELECT tb_create_account('less') > 0, tb_create_budget('less', 'tokens', 100) > 0;
SELECT reservation AS less FROM reserve('less', 100) \gset
SELECT released, remaining FROM tb_commit(:'less', '{"input_tokens": 30, "output_tokens": 0}');
SELECT remaining FROM reserve('less', 70);

-- Other meters: as held unless the usage says otherwise; a tool call has no tokens at all.
SELECT tb_create_account('tool') > 0, tb_create_budget('tool', 'tool_calls', 10) > 0, tb_create_budget('tool', 'pages', 10) > 0;
SELECT reservation AS tool FROM tb_reserve('tool', meters => '{"tool_calls": 3, "pages": 2}') \gset
SELECT tokens, cost, overrun, released, remaining FROM tb_commit(:'tool', '{"meters": {"pages": 5}}');
SELECT meters, flags, cost IS NULL AS unpriced FROM tokbudget.entry WHERE reservation_id = :'tool';
SELECT reservation AS tool_2 FROM tb_reserve('tool', meters => '{"tool_calls": 1}') \gset
SELECT code_of(format('SELECT tb_commit(%L, %L)', :'tool_2', m)) FROM unnest(ARRAY['{"meters": []}', '{"meters": {"pages": -1}}', '{"meters": {"cost": 1}}', '{"meters": {"pages": 0.5}}']) AS m;
SELECT tokens FROM tb_commit(:'tool_2', '{}');
-- Tokens without a model have no cost; the entry says so.
SELECT reservation AS unpriced FROM reserve('tool', 5) \gset
SELECT cost, tokens FROM tb_commit(:'unpriced', '{"input_tokens": 5, "output_tokens": 0}');
SELECT flags FROM tokbudget.entry WHERE reservation_id = :'unpriced';

-- Usage that is none; none of it settles the reservation.
SELECT reservation AS bad FROM tb_reserve('com/bot', model => 'com-cheap', input_tokens => 10, max_output_tokens => 10) \gset
SELECT u, code_of(format('SELECT tb_commit(%L, %L)', :'bad', u)) FROM unnest(ARRAY[
    'null', '[]', '1', '"x"', '{}', '{"tokens": 5}', '{"usage": null}', '{"usage": []}', '{"prompt_tokens": 5}',
    '{"prompt_tokens": -1, "completion_tokens": 1}', '{"prompt_tokens": 1.5, "completion_tokens": 1}', '{"prompt_tokens": "1", "completion_tokens": 1}',
    '{"prompt_tokens": null, "completion_tokens": 1}', '{"prompt_tokens": 9223372036854775808, "completion_tokens": 1}', '{"prompt_tokens": 1e30, "completion_tokens": 1}',
    '{"input_tokens": -5, "output_tokens": 1}', '{"input_tokens": 1, "output_tokens": 0.1}', '{"input_tokens": 9223372036854775807, "output_tokens": 1}',
    '{"prompt_tokens": 1, "completion_tokens": 1, "input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 4}',
    '{"input_tokens": 1, "cache_read_input_tokens": -4, "output_tokens": 1}']) WITH ORDINALITY AS t (u, n) ORDER BY n;
SELECT * FROM refused(format('SELECT tb_commit(%L, %L)', :'bad', '{"prompt_tokens": -1, "completion_tokens": 1}'));
SELECT code_of(format('SELECT tb_commit(%L, %L, %L)', :'bad', '{"input_tokens": 1, "output_tokens": 1}', a)) FROM unnest(ARRAY['[]', 'null', '{"task": {}}']) AS a;
SELECT state FROM tokbudget.reservation WHERE reservation_id = :'bad';
-- What the price does not cover is not free: a tier that costs more, a search without a price.
SELECT code_of(format('SELECT tb_commit(%L, %L)', :'bad', '{"service_tier": "priority", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}')) AS dearer_tier,
       code_of(format('SELECT tb_commit(%L, %L)', :'bad', '{"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 1}}')) AS search;
-- With a price that covers them they are booked. Per million: 4 in, 20 out at the dear tier; 40 for audio in, 80 for audio out:
-- (10 * 4 + 5 * 20) * 1e-6 = 0.00014, and (6 * 4 + 4 * 40 + 2 * 20 + 3 * 80) * 1e-6 = (24 + 160 + 40 + 240) * 1e-6 = 0.000464.
SELECT tb_set_price('com-dear', 'acme', 4, 20, unit_prices => '{"input_audio": 40, "output_audio": 80}', covers => ARRAY['service_tier:priority'], effective_at => '2020-01-01') > 0;
SELECT (tb_commit((tb_reserve('com/bot', model => 'com-dear', input_tokens => 10, max_output_tokens => 5)).reservation,
           '{"service_tier": "priority", "usage": {"prompt_tokens": 10, "completion_tokens": 5}}')).cost AS dear_tier,
       (tb_commit((tb_reserve('com/bot', model => 'com-dear', input_tokens => 10, max_output_tokens => 5)).reservation,
           '{"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"audio_tokens": 4}, "completion_tokens_details": {"audio_tokens": 3}}')).cost AS audio;
SELECT held -> 'cost' AS held_for_all_audio FROM tb_reserve('com/bot', model => 'com-dear', input_tokens => 10, max_output_tokens => 5);
SELECT tb_release(:'bad');
SELECT code_of(format('SELECT tb_commit(%L, %L)', :'bad', '{"input_tokens": 1, "output_tokens": 1}')) AS after_release;

-- Reservations that are none: a random one, one of a tenant that is not there, one of a tenant that is, NULL.
SELECT u, code_of(format('SELECT tb_commit(%L, %L)', u, '{"input_tokens": 1, "output_tokens": 1}')) AS commit, code_of(format('SELECT tb_release(%L)', u)) AS release
FROM unnest(ARRAY['3f2a1b0c-9d8e-4f7a-8b6c-5d4e3f2a1b0c', '00000000-0000-0000-0000-000000000000', '063f0000-0000-8000-bfff-ffff80000001', '063f0000-0000-8000-8000-000080000001', NULL]) WITH ORDINALITY AS t (u, n) ORDER BY n;
SELECT * FROM refused($$SELECT tb_commit('3f2a1b0c-9d8e-4f7a-8b6c-5d4e3f2a1b0c', '{}')$$);

-- Too late: after the expiry, and after a sweep, what was used is still booked, in its own window.
SELECT tb_create_account('late') > 0, tb_create_budget('late', 'tokens', 100, 'day') > 0;
SET tokbudget.clock = '2026-06-01 10:00:00+00';
SELECT tb_expire() >= 0 AS swept;
SELECT reservation AS late_1 FROM reserve('late', 60, ttl => '1 minute') \gset
SELECT reservation AS late_2 FROM reserve('late', 40, ttl => '1 minute') \gset
SET tokbudget.clock = '2026-06-01 10:01:00+00';
SELECT remaining FROM reserve('late', 100);
SELECT tokens, overrun FROM tb_commit(:'late_1', '{"input_tokens": 60, "output_tokens": 0}');
SELECT tb_expire() AS swept;
SET tokbudget.clock = '2026-06-02 10:00:00+00';
SELECT tokens, overrun FROM tb_commit(:'late_2', '{"input_tokens": 30, "output_tokens": 0}');
SELECT tokens, overrun FROM tb_commit(:'late_2', '{"input_tokens": 30, "output_tokens": 0}');
SELECT reserved_at, recorded_at, late, overrun, spent_units FROM tokbudget.entry WHERE reservation_id IN (:'late_1', :'late_2') ORDER BY recorded_at;
SELECT account, window_start, spent, held FROM balances('late');
SELECT code_of($$SELECT tb_reserve('late', input_tokens => 100)$$) AS the_next_day;
RESET tokbudget.clock;

-- Attributes: those of the commit win over those of the reservation; known ones are columns, the rest labels.
SELECT reservation AS attributed FROM tb_reserve('less', input_tokens => 0, attributes => '{"workflow": "triage", "step": 2, "session": "s-1", "task": null, "team": "blue", "outcome": "open"}') \gset
SELECT tokens FROM tb_commit(:'attributed', '{"input_tokens": 0, "output_tokens": 0}',
    '{"outcome": "ok", "agent": "bot", "end_user": "eve", "trace_id": "4bf9", "operation": "chat", "nested": {"a": [1]}}');
SELECT workflow, step, session, task, end_user, agent, outcome, trace_id, operation, labels FROM tokbudget.entry WHERE reservation_id = :'attributed';

-- A savepoint and an exception block that roll back leave nothing.
SELECT tb_create_account('roll') > 0, tb_create_budget('roll', 'tokens', 100) > 0;
SELECT reservation AS roll FROM reserve('roll', 40) \gset
BEGIN;
SAVEPOINT a;
SELECT tokens FROM tb_commit(:'roll', '{"input_tokens": 40, "output_tokens": 0}');
SELECT remaining FROM reserve('roll', 60);
ROLLBACK TO a;
SELECT * FROM balances('roll');
SELECT remaining FROM reserve('roll', 10);
COMMIT;
DO $$
BEGIN
    PERFORM tb_reserve('roll', input_tokens => 50);
    RAISE EXCEPTION 'undo';
EXCEPTION WHEN raise_exception THEN NULL;
END;
$$;
SELECT * FROM balances('roll');
SELECT state FROM tokbudget.reservation WHERE reservation_id = :'roll';
SELECT tokens, remaining FROM tb_commit(:'roll', '{"input_tokens": 35, "output_tokens": 0}');
-- A reservation that was rolled back cannot be committed.
BEGIN;
SELECT reservation AS gone FROM reserve('roll', 5) \gset
ROLLBACK;
SELECT code_of(format('SELECT tb_commit(%L, %L)', :'gone', '{"input_tokens": 5, "output_tokens": 0}')) AS gone;
-- Reserve, commit, release inside one transaction.
BEGIN;
SELECT reservation AS one FROM reserve('roll', 5) \gset
SELECT tokens FROM tb_commit(:'one', '{"input_tokens": 5, "output_tokens": 0}');
SELECT reservation AS two FROM reserve('roll', 5) \gset
SELECT tb_release(:'two');
COMMIT;
SELECT * FROM balances('roll');
SELECT * FROM tb_verify();
