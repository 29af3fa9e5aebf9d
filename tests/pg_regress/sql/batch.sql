-- Many calls in one: all or nothing, or each by itself; in their order.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT tb_create_account('ba/a') > 0, tb_create_account('ba/b') > 0, tb_create_account('ba-2') > 0;
SELECT tb_create_budget('ba', 'tokens', 100) > 0, tb_create_budget('ba/a', 'tokens', 60) > 0;
CREATE FUNCTION pg_temp.reserved(requests jsonb) RETURNS TABLE (item bigint, allowed boolean, code text, reason text, remaining jsonb)
LANGUAGE sql AS $$ SELECT item, allowed, code, reason, remaining FROM tb_reserve_many(requests, all_or_nothing => false) WITH ORDINALITY AS t (allowed, code, reason, detail, hint, reservation, held, remaining, expires_at, input_tokens, max_output_tokens, count_basis, flags, item) $$;
CREATE FUNCTION pg_temp.booked(charges jsonb) RETURNS TABLE (item bigint, booked boolean, code text, reason text, tokens bigint, overrun boolean, remaining jsonb)
LANGUAGE sql AS $$ SELECT item, booked, code, reason, tokens, overrun, remaining FROM tb_charge_many(charges, all_or_nothing => false) WITH ORDINALITY AS t (booked, code, reason, detail, hint, entry, cost, currency, tokens, overrun, released, remaining, internal_cost, flags, item) $$;

-- All or nothing: a has 60. 40 + 30 are too much for it, so nothing is held, not even for b before it; the third item is named.
SELECT code, message, detail::jsonb - 'budget' AS detail
FROM refused($$SELECT * FROM tb_reserve_many('[{"account": "ba/b", "input_tokens": 10}, {"account": "ba/a", "input_tokens": 40}, {"account": "ba/a", "input_tokens": 30}]')$$);
SELECT account, spent, held FROM balances('ba');
SELECT allowed, held ->> 'tokens' AS held, remaining FROM tb_reserve_many('[{"account": "ba/b", "input_tokens": 10}, {"account": "ba/a", "input_tokens": 40}, {"account": "ba/a", "input_tokens": 20}]');
SELECT account, spent, held FROM balances('ba');
SELECT count(tb_release(reservation_id)) FROM tokbudget.reservation JOIN tokbudget.tenant USING (tenant_id) WHERE tenant.name IN ('ba', 'ba-2', 'ba-3', 'ba-4') AND state = 'held';

-- Each after the one before: 40 fit, 30 do not, the 20 after them do; a is full then, and b gets what the root has left: 40 of 100.
SELECT * FROM pg_temp.reserved('[{"account": "ba/a", "input_tokens": 40}, {"account": "ba/a", "input_tokens": 30}, {"account": "ba/a", "input_tokens": 20}, {"account": "ba/a", "input_tokens": 1},
    {"account": "ba/b", "input_tokens": 41}, {"account": "ba/b", "input_tokens": 40}, {"account": "ba/b"}]');
SELECT account, spent, held FROM balances('ba');

-- Commits: settled in one step. One unknown, one settled twice in one batch, one that cannot be read.
SELECT array_agg(reservation_id ORDER BY (held ->> 'tokens')::bigint, cardinality(held_units) DESC) AS ids FROM tokbudget.reservation JOIN tokbudget.tenant USING (tenant_id) WHERE tenant.name IN ('ba', 'ba-2', 'ba-3', 'ba-4') AND state = 'held' AND (held ->> 'tokens')::bigint > 0 \gset
SELECT code, message, detail::jsonb ->> 'item' AS item FROM refused(format('SELECT * FROM tb_commit_many(%L)', (SELECT jsonb_agg(jsonb_build_object('reservation', id, 'usage', '{"input_tokens": 1, "output_tokens": 0}'::jsonb)) FROM unnest(:'ids'::uuid[] || :'ids'::uuid[]) AS id)));
SELECT code, message, detail::jsonb ->> 'item' AS item FROM refused(format('SELECT * FROM tb_commit_many(%L)', (SELECT jsonb_agg(jsonb_build_object('reservation', id, 'usage', '{"input_tokens": -1, "output_tokens": 0}'::jsonb)) FROM unnest(:'ids'::uuid[]) AS id)));
SELECT account, spent, held FROM balances('ba');
-- Used are 15 of each (45 in all, 30 by a), but for one told twice and one unknown.
SELECT booked, code, reason, tokens, overrun, released -> 'tokens' AS released, remaining
FROM tb_commit_many((SELECT jsonb_agg(jsonb_build_object('reservation', id, 'usage', '{"input_tokens": 15, "output_tokens": 0}'::jsonb)) FROM unnest(:'ids'::uuid[] || (:'ids'::uuid[])[1] || '00000000-0000-4000-8000-000000000000'::uuid) AS id), all_or_nothing => false);
SELECT account, spent, held FROM balances('ba');
-- The same batch again gives the same answers and books nothing.
SELECT booked, tokens FROM tb_commit_many((SELECT jsonb_agg(jsonb_build_object('reservation', id, 'usage', '{"input_tokens": 15, "output_tokens": 0}'::jsonb)) FROM unnest(:'ids'::uuid[]) AS id));
SELECT account, spent, held FROM balances('ba');
-- Without usage, and with the arguments of tb_commit.
SELECT reservation AS late FROM tb_reserve('ba/a', input_tokens => 10, max_output_tokens => 5) \gset
SELECT tokens FROM tb_commit_many(jsonb_build_array(jsonb_build_object('reservation', :'late', 'usage', NULL, 'without_usage', 'input', 'attributes', '{"task": "t"}'::jsonb, 'idempotency_key', 'c')));
SELECT usage_source, task FROM tokbudget.entry WHERE reservation_id = :'late';

-- Charges, in order: a has 60 - 30 - 10 = 20 left, so 10 fit and 11 do not; the one unit is of no budget. b sees what the
-- root has left: 100 - 55 - 10 - 11 - 1 = 23.
SELECT * FROM pg_temp.booked('[{"account": "ba/a", "usage": {"input_tokens": 10, "output_tokens": 0}}, {"account": "ba/a", "usage": {"input_tokens": 11, "output_tokens": 0}}, {"account": "ba/a", "usage": {}, "meters": {"units": 1}},
    {"account": "ba/c", "usage": {}}, {"account": "ba/b", "usage": {"input_tokens": 1, "output_tokens": 0}}]');
SELECT account, spent, held FROM balances('ba');
-- Enforced: 23 of the root are left, and a is above its 60 by 1: only b's go.
SELECT booked, code FROM tb_charge_many('[{"account": "ba/a", "usage": {"input_tokens": 1, "output_tokens": 0}}, {"account": "ba/b", "usage": {"input_tokens": 20, "output_tokens": 0}}, {"account": "ba/b", "usage": {"input_tokens": 4, "output_tokens": 0}},
    {"account": "ba/b", "usage": {"input_tokens": 3, "output_tokens": 0}}]', all_or_nothing => false, enforce => true);
SELECT code, detail::jsonb ->> 'item' AS item FROM refused($$SELECT * FROM tb_charge_many('[{"account": "ba/b", "usage": {}}, {"account": "ba/b", "usage": {"input_tokens": 1, "output_tokens": 0}}]', enforce => true)$$);
SELECT account, spent, held FROM balances('ba');

-- Two tenants in one batch, two uses of a key, two calls that need the same new account.
SELECT code, message, detail::jsonb ->> 'item' AS item FROM refused($$SELECT * FROM tb_reserve_many('[{"account": "ba/b"}, {"account": "ba-2"}]')$$);
SELECT allowed, code, reason FROM tb_reserve_many('[{"account": "ba-2"}, {"account": "ba/b"}]', false);
SELECT booked, code, reason FROM tb_charge_many('[{"account": "ba-2", "usage": {}}, {"account": "ba/b", "usage": {}}]', false);
SELECT allowed, code, reason FROM tb_reserve_many('[{"account": "ba-2", "idempotency_key": "k"}, {"account": "ba-2", "idempotency_key": "k"}]', false);
SELECT tb_set_quota('ba-2', 'user', 'tokens', 10) > 0;
SELECT * FROM pg_temp.reserved('[{"account": "ba-2/u", "input_tokens": 6}, {"account": "ba-2/u", "input_tokens": 5}, {"account": "ba-2/u", "input_tokens": 4}, {"account": "ba-2/v", "input_tokens": 10}]');
SELECT account, held FROM balances('ba-2');

-- 1000 at once: of 750 tokens 750 are given one each, 250 are refused; then 1000 charges, then all commits.
SELECT tb_create_account('ba-3') > 0, tb_create_budget('ba-3', 'tokens', 750) > 0, tb_create_budget('ba-3', 'units', 1000) > 0;
SELECT allowed, code, count(*) FROM tb_reserve_many((SELECT jsonb_agg('{"account": "ba-3", "input_tokens": 1}'::jsonb) FROM generate_series(1, 1000)), false) GROUP BY allowed, code ORDER BY allowed;
SELECT count(*), bool_or(overrun) AS overrun, min((remaining ->> 'units')::bigint) AS left FROM tb_charge_many((SELECT jsonb_agg('{"account": "ba-3", "usage": {}, "meters": {"units": 1}}'::jsonb) FROM generate_series(1, 1000)));
SELECT count(*), sum(tokens) FROM tb_commit_many((SELECT jsonb_agg(jsonb_build_object('reservation', reservation_id, 'usage', '{"input_tokens": 1, "output_tokens": 0}'::jsonb)) FROM tokbudget.reservation r JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path = 'ba-3'));
SELECT meter, spent, held FROM balances('ba-3');
-- Thresholds within a batch: told once, by the item that reaches them.
SELECT tb_create_account('ba-4') > 0 AS made, tb_create_budget('ba-4', 'units', 10, thresholds => '{50, 100}', freeze_at => 80) > 0 AS made_too;
SELECT booked, remaining, flags FROM tb_charge_many('[{"account": "ba-4", "usage": {}, "meters": {"units": 4}}, {"account": "ba-4", "usage": {}, "meters": {"units": 5}}, {"account": "ba-4", "usage": {}, "meters": {"units": 1}}]');
SELECT kind, percent, spent FROM tb_alerts('ba-4') ORDER BY percent;
SELECT status FROM tb_accounts('ba-4');

-- What no balance can count is the answer of its own item: x could count it, the root above it, with what came before, cannot.
SELECT tb_create_account('ba-5/x') > 0 AS made, tb_create_budget('ba-5/x', 'units', 1, hard => false) > 0 AS first, tb_create_budget('ba-5', 'units', 1, hard => false) > 0 AS second;
SELECT item, booked, code, reason, remaining FROM pg_temp.booked('[{"account": "ba-5", "usage": {}, "meters": {"units": 5}}, {"account": "ba-5/x", "usage": {}, "meters": {"units": 9223372036854775807}, "idempotency_key": "big"}, {"account": "ba-5/x", "usage": {}, "meters": {"units": 7}}]');
SELECT account, spent, held FROM balances('ba-5');
SELECT * FROM pg_temp.reserved('[{"account": "ba-5", "meters": {"units": 2}}, {"account": "ba-5/x", "meters": {"units": 9223372036854775806}, "idempotency_key": "big"}, {"account": "ba-5/x", "meters": {"units": 3}}]');
SELECT account, spent, held FROM balances('ba-5');
-- All or nothing refuses all of them. The key of what was refused is free.
SELECT code, message, detail::jsonb FROM refused($$SELECT * FROM tb_charge_many('[{"account": "ba-5", "usage": {}}, {"account": "ba-5/x", "usage": {}, "meters": {"units": 9223372036854775807}}]')$$);
SELECT code, message, detail::jsonb FROM refused($$SELECT * FROM tb_reserve_many('[{"account": "ba-5"}, {"account": "ba-5/x", "meters": {"units": 9223372036854775807}}]')$$);
SELECT item, booked, code FROM pg_temp.booked('[{"account": "ba-5/x", "usage": {}, "meters": {"units": 1}, "idempotency_key": "big"}]');
SELECT item, allowed, code FROM pg_temp.reserved('[{"account": "ba-5/x", "meters": {"units": 1}, "idempotency_key": "big"}]');
SELECT account, spent, held FROM balances('ba-5');
-- So are commits, of the holds of 1, 2 and 3: the first two use 10 each, the third more than the root can count beside that. Its
-- key is free, and its hold stays, until it tells what is true.
SELECT jsonb_agg(jsonb_build_object('reservation', reservation_id, 'usage', jsonb_build_object('meters', jsonb_build_object('units', CASE held ->> 'units' WHEN '3' THEN 9223372036854775807 ELSE 10 END)), 'idempotency_key', 'c' || (held ->> 'units')) ORDER BY held ->> 'units') AS commits
FROM tokbudget.reservation JOIN tokbudget.tenant USING (tenant_id) WHERE tenant.name = 'ba-5' AND state = 'held' \gset
SELECT code, message, detail::jsonb FROM refused(format('SELECT * FROM tb_commit_many(%L)', :'commits'));
SELECT booked, code, reason, overrun FROM tb_commit_many(:'commits', all_or_nothing => false);
SELECT account, spent, held FROM balances('ba-5');
SELECT booked, code, reason, overrun FROM tb_commit_many(jsonb_build_array(jsonb_set(:'commits'::jsonb -> 2, '{usage}', '{"meters": {"units": 3}}')));
SELECT account, spent, held FROM balances('ba-5');

-- Nothing is an answer too.
SELECT (SELECT count(*) FROM tb_reserve_many('[]')) AS reserve, (SELECT count(*) FROM tb_commit_many('[]')) AS commit, (SELECT count(*) FROM tb_charge_many('[]')) AS charge;
-- Malformed arrays and items.
SELECT name, items, code_of(format('SELECT * FROM %s(%L)', name, items)), code_of(format('SELECT * FROM %s(%L, false)', name, items)) AS item_by_item
FROM unnest(ARRAY['tb_reserve_many', 'tb_commit_many', 'tb_charge_many']) AS name, unnest(ARRAY[NULL, 'null', '1', '"x"', '{}', '[1]', '[null]', '[[]]', '[{}]', '[{"acount": "ba"}]']) WITH ORDINALITY AS i (items, n) ORDER BY name, n;
SELECT code_of('SELECT * FROM tb_reserve_many(''[{"account": "ba"}]'', NULL)') AS reserve, code_of('SELECT * FROM tb_commit_many(''[]'', NULL)') AS commit, code_of('SELECT * FROM tb_charge_many(''[]'', NULL)') AS charge, code_of('SELECT * FROM tb_charge_many(''[{"account": "ba", "usage": {}}]'', true, NULL)') AS enforce;
SELECT item, allowed, code, reason FROM unnest(ARRAY['{"account": 1}', '{"account": "ba", "input_tokens": 1.5}', '{"account": "ba", "input_tokens": -1}', '{"account": "ba", "input_tokens": 9223372036854775808}', '{"account": "ba", "input_tokens": "1"}', '{"account": "ba", "max_output_tokens": -1}',
    '{"account": "ba", "meters": {"units": -1}}', '{"account": "ba", "meters": []}', '{"account": "ba", "also": "ba/a"}', '{"account": "ba", "also": [1]}', '{"account": "ba", "also": [null]}', '{"account": "ba", "ttl": "0 seconds"}', '{"account": "ba", "ttl": 5}', '{"account": "ba", "ttl": "soon"}', '{"account": "ba", "ttl": ""}', '{"account": "ba", "ttl": "99999999999999 years"}', '{"account": "ba", "ttl": "1e30 seconds"}', '{"account": "ba", "ttl": "infinity"}', '{"account": "ba", "attributes": []}',
    '{"account": "ba", "idempotency_key": ""}', '{"account": "ba", "idempotency_key": 1}', '{"account": "ba", "model": ""}', '{"account": "ba", "model": "no-such-model", "input_tokens": 1}', '{"account": "ba/nobody"}', '{"account": "nobody"}', '{"account": ""}', '{"account": "ba", "prompt": "x"}', '{"account": "ba", "reservation": null}']) AS item,
    LATERAL tb_reserve_many(jsonb_build_array(item::jsonb), false);
SELECT item, booked, code, reason FROM unnest(ARRAY['{"reservation": 1}', '{"reservation": "x"}', '{"reservation": "00000000-0000-4000-8000-000000000000"}', '{"reservation": null, "usage": {}}']) AS item, LATERAL tb_commit_many(jsonb_build_array(item::jsonb), false);
SELECT item, booked, code, reason FROM unnest(ARRAY['{"account": "ba"}', '{"account": "ba", "usage": null}', '{"account": "ba", "usage": {}, "enforce": true}', '{"account": "ba", "usage": {}, "usage_source": "guess"}', '{"account": "ba", "usage": {"input_tokens": -1, "output_tokens": 0}}']) AS item, LATERAL tb_charge_many(jsonb_build_array(item::jsonb), false);
SELECT account, spent, held FROM balances('ba');
-- What rolls back has held nothing.
SELECT count(*) AS before FROM tokbudget.reservation \gset
BEGIN;
SELECT count(*) FROM tb_reserve_many('[{"account": "ba/b"}, {"account": "ba/b"}]');
ROLLBACK;
SELECT count(*) - :before AS more FROM tokbudget.reservation;
RESET tokbudget.clock;
SELECT * FROM tb_verify();
