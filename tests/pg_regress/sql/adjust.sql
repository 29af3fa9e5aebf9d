-- Corrections by hand: what an entry should have cost, and what is given back of it.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
-- 2 in and 10 out per million tokens, and the account is charged a quarter more: 1000 in and 200 out cost 0.004 and 0.005.
SELECT tb_set_price('adj-model', 'acme', 2, 10, effective_at => '2020-01-01') > 0, tb_set_meter_price('adj_pages', 0.01, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('adj/bot') > 0, tb_set_rate('adj', 1.25, effective_at => '2020-01-01') > 0, tb_create_budget('adj', 'cost', 1, every => 'day') > 0, tb_create_budget('adj/bot', 'internal_cost', 1) > 0, tb_create_budget('adj/bot', 'tokens', 5000) > 0;
CREATE VIEW pg_temp.ledger AS SELECT kind, cost, internal_cost, requests, input_tokens, reason, recorded_at - reserved_at AS after FROM tokbudget.entry WHERE tenant_id = (SELECT tenant_id FROM tokbudget.tenant WHERE name = 'adj') ORDER BY recorded_at, kind DESC, cost;
SELECT entry AS e, cost, internal_cost FROM tb_charge('adj/bot', 'adj-model', '{"input_tokens": 1000, "output_tokens": 200}') \gset
SELECT :cost AS cost, :internal_cost AS internal_cost;
-- It should have been 0.006: 0.002 more, 0.0025 more internally; in the day of the call, though it is noticed the day after.
SET tokbudget.clock = '2026-03-11 10:00:00+00';
SELECT tb_adjust(:'e', 0.006, 'the invoice says so') AS a \gset
SELECT account, meter, window_start, spent, held FROM balances('adj');
SELECT corrects_entry_id = :'e' AS names_it, kind, cost, internal_cost, flags, price_id FROM tokbudget.entry WHERE entry_id = :'a';
-- Less: 0.001, so 0.005 and 0.00625 back.
SET tokbudget.clock = '2026-03-11 10:01:00+00';
SELECT tb_adjust(:'e', 0.001, 'the second invoice says so') IS NOT NULL;
SELECT account, meter, spent FROM balances('adj');
-- The same again changes nothing, and is written down.
SET tokbudget.clock = '2026-03-11 10:02:00+00';
SELECT tb_adjust(:'e', 0.001, 'the third one too') IS NOT NULL;
-- Half of it back, then more than is left, then a nano-unit, then the rest, then nothing is left.
SET tokbudget.clock = '2026-03-11 10:03:00+00';
SELECT tb_refund(:'e', 'half', 0.0005) IS NOT NULL;
SELECT code, message, detail FROM refused(format('SELECT tb_refund(%L, ''too much'', 0.000500001)', :'e'));
SET tokbudget.clock = '2026-03-11 10:04:00+00';
-- A nano-unit of 0.0005 leaves 0.000499999, which is 0.00062499875 internally: half to even gives 0.000624999.
SELECT tb_refund(:'e', 'a nano-unit', 0.000000001) IS NOT NULL;
SELECT account, meter, spent FROM balances('adj');
SET tokbudget.clock = '2026-03-11 10:05:00+00';
SELECT tb_refund(:'e', 'the rest') IS NOT NULL;
SELECT account, meter, spent FROM balances('adj');
SELECT code_of(format('SELECT tb_refund(%L, ''again'')', :'e')) AS nothing_left, code_of(format('SELECT tb_refund(%L, ''again'', 0.000000001)', :'e')) AS not_even_this;
-- What was all given back and then costs 0.008 after all has the proportion of the call: 0.01 internally.
SET tokbudget.clock = '2026-03-11 10:06:00+00';
SELECT tb_adjust(:'e', 0.008, 'after all') IS NOT NULL;
SELECT account, meter, spent FROM balances('adj');
SELECT * FROM pg_temp.ledger;

-- A commit, with a hold that is still open beside it; a budget that another call has overrun gets room again.
SELECT reservation AS r FROM tb_reserve('adj/bot', meters => '{"adj_pages": 50}') \gset
SELECT entry AS c, cost, internal_cost FROM tb_commit(:'r', '{"meters": {"adj_pages": 120}}') \gset
SELECT :cost AS cost, :internal_cost AS internal_cost;
SELECT code_of($$SELECT tb_reserve('adj/bot', meters => '{"adj_pages": 1}')$$) AS overrun;
SELECT tb_refund(:'c', 'a hundred were blank', 1.0) IS NOT NULL;
-- 0.8 are left of the day in cost; internally 0.01 + 0.25 are spent, so 0.74, which are 59 pages at 0.0125.
SELECT account, meter, remaining FROM tb_remaining('adj/bot') ORDER BY account, meter;
SELECT code_of($$SELECT tb_reserve('adj/bot', meters => '{"adj_pages": 60}')$$) AS too_many, code_of($$SELECT tb_reserve('adj/bot', meters => '{"adj_pages": 59}')$$) AS fits;

-- What had no price: recorded as NULL, it costs what it is said to cost.
SELECT tb_create_account('adj2') > 0, tb_create_budget('adj2', 'cost', 1) > 0;
SELECT entry AS u, cost FROM tb_charge('adj2', NULL, '{}', meters => '{"adj_gadgets": 3}') \gset
SELECT code_of(format('SELECT tb_refund(%L, ''x'')', :'u')) AS nothing_to_refund;
SELECT tb_adjust(:'u', 0.3, 'found the price') IS NOT NULL;
SELECT meter, spent FROM balances('adj2');
SELECT tb_refund(:'u', 'x', 0.1) IS NOT NULL;
SELECT meter, spent FROM balances('adj2');

-- Keys: once. Another payload is refused; adjust and refund have keys of their own; a refusal leaves the key free.
SELECT tb_refund(:'u', 'once', 0.05, idempotency_key => 'k') AS k \gset
SELECT tb_refund(:'u', 'once', 0.05, idempotency_key => 'k') = :'k' AS same;
SELECT meter, spent FROM balances('adj2');
SELECT code_of(format('SELECT tb_refund(%L, ''once'', 0.06, ''k'')', :'u')) AS other_cost, code_of(format('SELECT tb_refund(%L, ''twice'', 0.05, ''k'')', :'u')) AS other_reason, code_of(format('SELECT tb_refund(%L, ''once'', 0.05, ''k'')', :'c')) AS of_another_tenant,
       code_of(format('SELECT tb_refund(%L, ''once'', NULL, ''k'')', :'u')) AS all_of_it;
SELECT tb_adjust(:'u', 0.2, 'same key', idempotency_key => 'k') <> :'k' AS of_its_own;
SELECT code_of(format('SELECT tb_refund(%L, ''much'', 9, ''k2'')', :'u')) AS refused, code_of(format('SELECT tb_refund(%L, ''much'', 0.1, ''k2'')', :'u')) AS then_less;
SELECT meter, spent FROM balances('adj2');
-- What rolls back has given nothing back.
BEGIN;
SELECT tb_refund(:'u', 'undone', 0.1, 'k3') IS NOT NULL;
ROLLBACK;
SELECT meter, spent FROM balances('adj2');
SELECT tb_refund(:'u', 'other words', 0.01, 'k3') IS NOT NULL;
SELECT meter, spent FROM balances('adj2');

-- A correction cannot be corrected, nor an expiry; a transfer neither.
SELECT code, message, detail::jsonb ->> 'kind' AS kind FROM refused(format('SELECT tb_adjust(%L, 1, ''x'')', :'a'));
SELECT code, message, detail::jsonb ->> 'kind' AS kind FROM refused(format('SELECT tb_refund(%L, ''x'', 1)', :'k'));
SELECT reservation AS gone FROM tb_reserve('adj2', meters => '{"adj_gadgets": 1}', ttl => '1 second') \gset
SET tokbudget.clock = '2026-03-11 11:00:00+00';
SELECT tb_expire() > 0;
SELECT code, message, detail::jsonb ->> 'kind' AS kind FROM tokbudget.entry e, LATERAL refused(format('SELECT tb_refund(%L, ''x'')', e.entry_id)) WHERE e.reservation_id = :'gone';

-- Unknown, and not at all.
SELECT code_of(format('SELECT tb_adjust(%L, 1, ''x'')', id)) AS adjust, code_of(format('SELECT tb_refund(%L, ''x'')', id)) AS refund
FROM unnest(ARRAY['00000000-0000-4000-8000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', :'r']) AS id;
SELECT arguments, code_of(format('SELECT tb_adjust(%L, %s)', :'c', arguments))
FROM unnest(ARRAY['NULL, ''x''', '-1, ''x''', '''NaN'', ''x''', '''Infinity'', ''x''', '''-Infinity'', ''x''', '0.0000000001, ''x''', '9223372036.854775808, ''x''', '1e400, ''x''', '1, NULL', '1, ''''', '1, ''  ''', '1, ''x'', ''''', '1, ''x'', repeat(''k'', 256)']) AS arguments;
SELECT arguments, code_of(format('SELECT tb_refund(%L, %s)', :'c', arguments))
FROM unnest(ARRAY['NULL', '''''', '''x'', 0', '''x'', -1', '''x'', ''NaN''', '''x'', ''Infinity''', '''x'', ''-Infinity''', '''x'', 0.0000000001', '''x'', 9223372036.854775807', '''x'', 1e400', '''x'', 0.1, ''''', '''x'', 0.1, repeat(''k'', 256)']) AS arguments;
SELECT code_of('SELECT tb_adjust(NULL, 1, ''x'')') AS adjust_nothing, code_of('SELECT tb_refund(NULL, ''x'')') AS refund_nothing;
-- The most there is; with the rate it leaves the range internally, also where no budget counts that.
SELECT code_of(format('SELECT tb_adjust(%L, 9223372036.854775807, ''most'')', :'u')) AS most;
SELECT meter, spent, remaining FROM tb_remaining('adj2');
SELECT tb_set_rate('adj2', 2, effective_at => '2020-01-01') > 0;
SELECT entry AS v, cost, internal_cost FROM tb_charge('adj2', NULL, '{}', meters => '{"adj_pages": 0, "adj_gadgets": 1}') \gset
SELECT code_of(format('SELECT tb_adjust(%L, 0.000000001, ''beyond what the budget can count'')', :'v')) AS beyond;
SELECT tb_refund(:'u', 'most of it', 9000000000) IS NOT NULL;
SELECT meter, spent, remaining FROM tb_remaining('adj2');
SELECT entry AS w FROM tb_charge('adj2', 'adj-model', '{"input_tokens": 1000, "output_tokens": 0}') \gset
SELECT code, detail::jsonb ->> 'why' AS why FROM refused(format('SELECT tb_adjust(%L, 8000000000, ''twice that internally'')', :'w'));
SELECT code, detail::jsonb ->> 'why' AS why FROM refused(format('SELECT tb_adjust(%L, 9223372036.854775807, ''most'')', :'c'));
SELECT account, meter, spent FROM balances('adj');
RESET tokbudget.clock;
SELECT * FROM tb_verify();
