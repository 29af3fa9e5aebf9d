-- Invoices beside the ledger: each part of a difference, with numbers derived by hand.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- Per million tokens: rc-a 2 in, 0.2 read from a cache, 10 out; rc-b 1 in, 4 out. So 0.000002, 0.0000002, 0.00001 a token.
SELECT tb_set_price('rc-a', 'reco', 2, 10, cache_read_price => 0.2, effective_at => '2020-01-01') > 0,
       tb_set_price('rc-b', 'reco', 1, 4, effective_at => '2020-01-01') > 0;
SELECT tb_set_model('rc-a', 'reco', aliases => '{rc-a-2026-01-01}');
SELECT tb_create_account('rc/app') > 0, tb_create_account('rc/lab') > 0;
SELECT tb_set_unpriced('rc', 'record');

CREATE FUNCTION spend(at timestamptz, account text, model text, usage jsonb, attributes jsonb DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, model, usage, attributes => attributes)).entry;
END;
$$;
CREATE FUNCTION load(rows text, if_loaded text DEFAULT 'refuse', OUT is_new boolean, OUT lines bigint, OUT costs jsonb, OUT replaced bigint, OUT skipped integer)
LANGUAGE sql AS $$
    SELECT l.is_new, l.lines, l.costs, l.replaced_lines, jsonb_array_length(l.skipped)
    FROM tb_load_invoice('rc', 'date,model,charge,requests,input_tokens,cache_read_input_tokens,output_tokens,cost,currency,api_key' || chr(10) || rows,
        provider => 'reco', if_loaded => if_loaded) AS l
$$;
-- One row of the parts; they must add up to the difference to the last digit, or the row says so.
CREATE FUNCTION parts(since timestamptz, until timestamptz, by text[] DEFAULT '{day,model}')
RETURNS TABLE (day date, model text, key text, invoice numeric, ledger numeric, difference numeric, parts jsonb, reason text, adds_up boolean)
LANGUAGE sql AS $$
    SELECT r.day, CASE WHEN r.is_total THEN 'total' ELSE r.model END, r.key, r.invoice_cost, r.ledger_cost, r.difference,
        (SELECT jsonb_object_agg(p.key, p.value) FROM jsonb_each(to_jsonb(r)) AS p
         WHERE p.key IN ('price_difference', 'not_in_ledger', 'not_invoiced', 'unpriced', 'day_boundary', 'corrections', 'other_charges', 'rounding', 'unexplained')
             AND p.value::text <> '0'),
        r.reason,
        r.price_difference + r.not_in_ledger + r.not_invoiced + r.unpriced + r.day_boundary + r.corrections + r.other_charges + r.rounding = r.explained
            AND r.explained + r.unexplained = r.difference AND r.invoice_cost - r.ledger_cost = r.difference
    FROM tb_reconcile('rc', 'reco', since, until, by) AS r
$$;

-- 1 January, rc-a: 1000 in of which 400 from a cache, 100 out: 600 * 2e-6 + 400 * 0.2e-6 + 100 * 10e-6 = 0.0012 + 0.00008 + 0.001 = 0.00228.
-- The provider has the same quantities at nine tenths: 0.002052, so -0.000228 is a difference of price and the ratio 0.9.
SELECT spend('2026-01-01 10:00+00', 'rc/app', 'rc-a', '{"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}}') IS NOT NULL;
SELECT * FROM load('2026-01-01,rc-a-2026-01-01,,1,1000,400,100,0.002052,USD,k1');
SELECT * FROM parts('2026-01-01', '2026-01-02');
SELECT invoice_requests, ledger_requests, invoice_input_tokens, ledger_input_tokens, invoice_cache_read_input_tokens, ledger_cache_read_input_tokens,
       invoice_output_tokens, ledger_output_tokens, price_ratio FROM tb_reconcile('rc', 'reco', '2026-01-01', '2026-01-02') WHERE NOT is_total;
-- The same document again does nothing.
SELECT * FROM load('2026-01-01,rc-a-2026-01-01,,1,1000,400,100,0.002052,USD,k1');

-- 2 January, rc-b: the ledger has 1000 in, 100 out = 0.001 + 0.0004 = 0.0014; the provider 3000 in, 100 out at the same prices = 0.0034:
-- 2000 in went past the ledger, 0.002. rc-a is in the ledger alone: 500 * 2e-6 = 0.001, not invoiced.
SELECT spend('2026-01-02 10:00+00', 'rc/app', 'rc-b', '{"input_tokens": 1000, "output_tokens": 100}') IS NOT NULL,
       spend('2026-01-02 10:00+00', 'rc/app', 'rc-a', '{"input_tokens": 500, "output_tokens": 0}') IS NOT NULL;
-- rc-c is not in the ledger at all. Tax and what has no model are charges of another kind.
SELECT * FROM load('2026-01-02,rc-b,,3,3000,,100,0.0034,USD,k1
2026-01-02,rc-c,,1,10,,10,0.5,USD,k1
2026-01-02,,tax,,,,,0.19,USD,
2026-01-02,,,,,,,0.01,USD,
2026-01-02,rc-a,credit,,,,,-0.05,USD,');
SELECT * FROM parts('2026-01-02', '2026-01-03');
-- Quantities and price differ both: at the ledger's prices 2000 more in are 0.002; the rest of 0.0044 - 0.0014 is price.
SELECT * FROM load('2026-01-02,rc-b,,3,3000,,100,0.0044,USD,k1', 'replace');
SELECT * FROM parts('2026-01-02', '2026-01-03') WHERE model = 'rc-b';

-- 3 January: a model without a price, 1000 in and 1000 out, recorded without a cost. The provider charges 0.4 for 3000 tokens: two thirds of it,
-- to 12 decimals, are for the 2000 that the ledger has, the rest went past it.
SELECT spend('2026-01-03 10:00+00', 'rc/app', 'rc-new', '{"input_tokens": 1000, "output_tokens": 1000}') IS NOT NULL;
SELECT * FROM load('2026-01-03,rc-new,,2,1500,,1500,0.4,USD,k1');
SELECT * FROM parts('2026-01-03', '2026-01-04');

-- 4 and 5 January: a call that began before midnight and was recorded after it. 1000 in of rc-b = 0.001. The provider has it on the 4th.
SET tokbudget.clock = '2026-01-04 23:59:00+00';
SELECT reservation AS held FROM tb_reserve('rc/app', model => 'rc-b', input_tokens => 1000, max_output_tokens => 0) \gset
SET tokbudget.clock = '2026-01-05 00:01:00+00';
SELECT cost FROM tb_commit(:'held', '{"input_tokens": 1000, "output_tokens": 0}');
SELECT * FROM load('2026-01-04,rc-b,,1,1000,,0,0.001,USD,k1
2026-01-05,,tax,,,,,0.02,USD,');
SELECT * FROM parts('2026-01-04', '2026-01-06');
-- The end of the period is a boundary as well, and within it there is none: only the tax of the 5th is left.
SELECT * FROM parts('2026-01-04', '2026-01-05', '{}');
SELECT * FROM parts('2026-01-05', '2026-01-06', '{}');
SELECT * FROM parts('2026-01-04', '2026-01-06', '{}');

-- 6 January: 1000 in of rc-b = 0.001, adjusted to 0.0004 here; the provider still charges 0.001: a correction of 0.0006 that it does not share.
-- And 1000 in of rc-a = 0.002, adjusted to 0.0015, which the provider charges too: nothing to explain. Both were adjusted a month later.
SELECT spend('2026-01-06 10:00+00', 'rc/app', 'rc-b', '{"input_tokens": 1000, "output_tokens": 0}') AS entry_b,
       spend('2026-01-06 10:00+00', 'rc/app', 'rc-a', '{"input_tokens": 1000, "output_tokens": 0}') AS entry_a \gset
SET tokbudget.clock = '2026-02-06 10:00:00+00';
SELECT tb_adjust(:'entry_b', 0.0004, 'goodwill') IS NOT NULL, tb_adjust(:'entry_a', 0.0015, 'as invoiced') IS NOT NULL;
SELECT * FROM load('2026-01-06,rc-b,,1,1000,,0,0.001,USD,k1
2026-01-06,rc-a,,1,1000,,0,0.0015,USD,k1');
SELECT * FROM parts('2026-01-06', '2026-01-07');

-- 7 January: 1234 in of rc-b = 0.001234, invoiced as 0.00: within half a cent. Without tokens on the invoice what is left is unexplained:
-- 0.25 - 0.002 = 0.248 of rc-a.
SELECT spend('2026-01-07 10:00+00', 'rc/app', 'rc-b', '{"input_tokens": 1234, "output_tokens": 0}') IS NOT NULL,
       spend('2026-01-07 10:00+00', 'rc/app', 'rc-a', '{"input_tokens": 1000, "output_tokens": 0}') IS NOT NULL;
SELECT * FROM load('2026-01-07,rc-b,,1,1234,,0,0.00,USD,k1
2026-01-07,rc-a,,,,,,0.25,USD,k1');
SELECT * FROM parts('2026-01-07', '2026-01-08');

-- 8 January: by key. k1 is known on both sides, k2 went past the ledger; lab's spend is below another account.
SELECT spend('2026-01-08 10:00+00', 'rc/app', 'rc-b', '{"input_tokens": 1000, "output_tokens": 0}', '{"api_key_id": "k1"}') IS NOT NULL,
       spend('2026-01-08 10:00+00', 'rc/lab', 'rc-b', '{"input_tokens": 2000, "output_tokens": 0}', '{"api_key_id": "k3"}') IS NOT NULL;
SELECT * FROM load('2026-01-08,rc-b,,1,1000,,0,0.001,USD,k1
2026-01-08,rc-b,,7,7000,,0,0.007,USD,k2');
SELECT * FROM parts('2026-01-08', '2026-01-09', '{key}');
SELECT key, invoice_cost, ledger_cost, reason FROM tb_reconcile('rc', 'reco', '2026-01-08', '2026-01-09', '{key}', ledger_key => 'account') WHERE NOT is_total;
-- The whole week: the totals are the sums of the days.
SELECT * FROM parts('2026-01-01', '2026-01-09') WHERE model = 'total';
SELECT bool_and(adds_up) FROM parts('2026-01-01', '2026-01-09', '{day,model,key}');
SELECT bool_and(adds_up) FROM parts('2026-01-01', '2026-01-09', '{day}');

-- 9 and 10 January: 1000 in of rc-b on the 9th, and 500 that began on it and were recorded on the 10th, where 200 are its own. With quantities
-- on both sides the 500 are 0.0005 on the one day and -0.0005 on the other.
SELECT spend('2026-01-09 10:00+00', 'rc/app', 'rc-b', '{"input_tokens": 1000, "output_tokens": 0}') IS NOT NULL;
SET tokbudget.clock = '2026-01-09 23:59:00+00';
SELECT reservation AS held FROM tb_reserve('rc/app', model => 'rc-b', input_tokens => 500, max_output_tokens => 0) \gset
SET tokbudget.clock = '2026-01-10 00:01:00+00';
SELECT cost FROM tb_commit(:'held', '{"input_tokens": 500, "output_tokens": 0}');
SELECT spend('2026-01-10 10:00+00', 'rc/app', 'rc-b', '{"input_tokens": 200, "output_tokens": 0}') IS NOT NULL;
SELECT * FROM load('2026-01-09,rc-b,,2,1500,,0,0.0015,USD,k1
2026-01-10,rc-b,,1,200,,0,0.0002,USD,k1');
SELECT * FROM parts('2026-01-09', '2026-01-11');

-- 11 January: 1000 in without a price; priced later at 3 a million, 0.003 as the provider has it. The new rating counts with its entry.
SELECT spend('2026-01-11 10:00+00', 'rc/app', 'rc-late', '{"input_tokens": 1000, "output_tokens": 0}') IS NOT NULL;
SELECT * FROM load('2026-01-11,rc-late,,1,1000,,0,0.003,USD,k1');
SELECT * FROM parts('2026-01-11', '2026-01-12') WHERE model <> 'total';
SET tokbudget.clock = '2026-02-07 10:00:00+00';
SELECT tb_set_price('rc-late', 'reco', 3, 10, effective_at => '2020-01-01') > 0;
SELECT model, new_cost FROM tb_rerate('rc', model => 'rc-late', since => '2026-01-01', until => '2026-02-01');
SELECT * FROM parts('2026-01-11', '2026-01-12') WHERE model <> 'total';

-- An export of usage beside one of costs: its tokens count and not those of the other. OpenAI's page, then its costs.
SELECT tb_create_account('ro') > 0;
SELECT spend('2024-11-01 12:00+00', 'ro', 'openai/gpt-4o-mini', '{"prompt_tokens": 1000, "completion_tokens": 500, "prompt_tokens_details": {"cached_tokens": 800}}') IS NOT NULL;
SELECT is_new, format, feed, lines, starts_at, ends_at, costs, skipped FROM tb_load_invoice('ro', '{"object": "page", "data": [{"object": "bucket", "start_time": 1730419200, "end_time": 1730505600,
    "results": [{"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 500, "input_cached_tokens": 800,
    "num_model_requests": 1, "model": "gpt-4o-mini-2024-07-18", "project_id": null, "api_key_id": "key_abc"}]}], "has_more": true, "next_page": "page_2"}');
-- Usage alone: tokens are compared, costs are not.
SELECT model, invoice_input_tokens, ledger_input_tokens, invoice_cost, ledger_cost, difference, reason FROM tb_reconcile('ro', 'openai', '2024-11-01', '2024-11-02');
SELECT is_new, format, lines, costs FROM tb_load_invoice('ro', '{"object": "page", "data": [{"object": "bucket", "start_time": 1730419200, "end_time": 1730505600, "results": [
    {"object": "organization.costs.result", "amount": {"value": "0.00003", "currency": "usd"}, "line_item": "gpt-4o-mini-2024-07-18, input", "quantity": 200.0, "quantity_unit": "tokens"},
    {"object": "organization.costs.result", "amount": {"value": 6e-05, "currency": "usd"}, "line_item": "gpt-4o-mini-2024-07-18, cached input", "quantity": 0.8, "quantity_unit": "1000_tokens"},
    {"object": "organization.costs.result", "amount": {"value": 0.0003, "currency": "usd"}, "line_item": "gpt-4o-mini-2024-07-18, output", "quantity": 500.0, "quantity_unit": "tokens"},
    {"object": "organization.costs.result", "amount": {"value": 0.01, "currency": "usd"}, "line_item": "web search tool calls"}]}], "has_more": false}');
-- 200 * 0.15e-6 + 800 * 0.075e-6 + 500 * 0.6e-6 = 0.00003 + 0.00006 + 0.0003 = 0.00039, as invoiced.
SELECT model, invoice_input_tokens, invoice_output_tokens, invoice_cost, ledger_cost, difference, other_charges, reason
FROM tb_reconcile('ro', 'openai', '2024-11-01', '2024-11-02');
-- Anthropic: amounts in cents. FOCUS: one row per kind of token.
SELECT format, lines, costs FROM tb_load_invoice('ro', '{"data": [{"starting_at": "2025-08-01T00:00:00Z", "ending_at": "2025-08-02T00:00:00Z", "results": [
    {"amount": "123.78912", "cost_type": "tokens", "currency": "USD", "description": "Claude Sonnet 4 Usage - Input Tokens", "model": "claude-sonnet-4-20250514",
     "token_type": "uncached_input_tokens", "workspace_id": null}]}], "has_more": false, "next_page": null}');
SELECT format, lines, costs FROM tb_load_invoice('ro', '{"data": [{"starting_at": "2025-08-01T00:00:00Z", "ending_at": "2025-08-02T00:00:00Z", "results": [
    {"api_key_id": null, "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500}, "cache_read_input_tokens": 200, "context_window": "0-200k",
     "model": "claude-sonnet-4-20250514", "output_tokens": 500, "server_tool_use": {"web_search_requests": 10}, "service_tier": "standard", "uncached_input_tokens": 1500,
     "workspace_id": null}]}], "has_more": false, "next_page": null}');
SELECT model, invoice_input_tokens, invoice_cache_read_input_tokens, invoice_cache_write_input_tokens, invoice_output_tokens, invoice_cost, not_in_ledger, reason
FROM tb_reconcile('ro', 'anthropic', '2025-08-01', '2025-08-02') WHERE NOT is_total;
SELECT format, lines, costs FROM tb_load_invoice('ro', 'BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ServiceProviderName,ConsumedQuantity,ConsumedUnit,SkuMeter,x_Model
0.015,USD,Usage,2026-01-15T00:00:00Z,2026-01-16T00:00:00Z,Anthropic,1000,Tokens,Output Tokens,claude-sonnet-4-20250514');
SELECT invoice_output_tokens, invoice_cost FROM tb_reconcile('ro', 'anthropic', '2026-01-01', '2026-02-01', '{}') WHERE NOT is_total;

-- A newer export of a part of the period: refused, replaced, taken away again.
SELECT message, detail::jsonb - 'invoices' AS detail FROM refused($$SELECT load('2026-01-01,rc-a,,1,1000,400,100,0.00228,USD,k1')$$);
SELECT * FROM load('2026-01-01,rc-a,,1,1000,400,100,0.00228,USD,k1', 'replace');
SELECT day, invoice, difference, reason FROM parts('2026-01-01', '2026-01-02') WHERE model <> 'total';
SELECT tb_unload_invoice('rc', (SELECT max(invoice) FROM tb_invoices('rc')), 'a mistake');
SELECT day, invoice, difference, reason FROM parts('2026-01-01', '2026-01-02') WHERE model <> 'total';
SELECT * FROM load('2026-01-01,rc-a,,1,1,0,0,0.00001,USD,k9', 'add');
SELECT day, invoice FROM parts('2026-01-01', '2026-01-02') WHERE model <> 'total';
SELECT count(*), sum(lines), bool_and(NOT is_new) FROM tb_invoices('rc');
SELECT object, action, count(*), bool_and(after ? 'lines') FROM tb_changes('rc') WHERE object = 'invoice' GROUP BY 1, 2 ORDER BY 1, 2;

-- What cannot be read, and arguments that cannot be used.
SELECT message, detail FROM refused($$SELECT load('2026-03-01,rc-a,,1,1000,400,100,0.1,USD,k1
2026-03-02,rc-a,,1,10,400,100,0.1,USD,k1')$$);
SELECT message, detail FROM refused($$SELECT tb_load_invoice('rc', '{"data": [{"start_time": 0}]}')$$);
SELECT code_of(format('SELECT tb_load_invoice(%s)', arguments)), arguments FROM unnest(ARRAY[
    $$'rc', NULL$$, $$'rc', ''$$, $$'rc', '{'$$, $$'rc', '[]'$$, $$'nobody', 'x'$$, $$'rc', 'date,cost,currency', provider => ' '$$, $$'rc', 'x', format => 'pdf'$$,
    $$'rc', 'x', if_loaded => 'maybe'$$, $$'rc', 'x', if_loaded => NULL$$, $$'rc', E'date,provider,cost,currency\n2026-03-01,reco,NaN,USD'$$,
    $$'rc', E'date,provider,cost,currency\n2026-03-01,reco,1e400,USD'$$, $$'rc', E'date,provider,cost,currency\ninfinity,reco,1,USD'$$,
    $$'rc', E'date,provider,requests\n2026-03-01,reco,-1'$$, $$'rc', E'date,provider,requests\n2026-03-01,reco,99999999999999999999'$$]) AS arguments;
SELECT code_of(format('SELECT tb_reconcile(%s)', arguments)), arguments FROM unnest(ARRAY[
    $$'rc', 'reco', '2026-01-01', '2026-01-01'$$, $$'rc', 'reco', '2026-01-02', '2026-01-01'$$, $$'rc', 'reco', '2026-01-01 01:00', '2026-01-02'$$,
    $$'rc', 'reco', NULL, '2026-01-01'$$, $$'rc', 'reco', '-infinity', 'infinity'$$, $$'rc', NULL, '2026-01-01', '2026-01-02'$$, $$'rc', '', '2026-01-01', '2026-01-02'$$,
    $$'rc', 'reco', '2026-01-01', '2026-01-02', '{hour}'$$, $$'rc', 'reco', '2026-01-01', '2026-01-02', NULL$$, $$'rc', 'reco', '2026-01-01', '2026-01-02', '{NULL}'$$,
    $$'rc', 'reco', '2026-01-01', '2026-01-02', invoice_key => 'x'$$, $$'rc', 'reco', '2026-01-01', '2026-01-02', ledger_key => ''$$,
    $$'nobody', 'reco', '2026-01-01', '2026-01-02'$$, $$NULL, 'reco', '2026-01-01', '2026-01-02'$$]) AS arguments;
SELECT code_of($$SELECT tb_unload_invoice('rc', 1)$$), code_of($$SELECT tb_unload_invoice('rc', NULL)$$), code_of($$SELECT tb_invoices('nobody')$$);
-- Nothing of a period is nothing.
SELECT count(*) FROM tb_reconcile('rc', 'nobody', '2026-01-01', '2026-01-02');

-- Who may read may reconcile what is below; who administers may load.
CREATE ROLE reconcile_reader;
SELECT tb_grant_access('reconcile_reader', 'rc/app', 'read');
SET ROLE reconcile_reader;
SELECT code_of($$SELECT tb_load_invoice('rc/app', 'x')$$), code_of($$SELECT tb_reconcile('rc', 'reco', '2026-01-01', '2026-01-02')$$), code_of($$SELECT tb_invoices('rc')$$),
       code_of($$SELECT * FROM tokbudget.invoice_line$$);
-- The exports are the root's, so that the account below has none, only its spend.
SELECT sum(ledger_cost) FROM tb_reconcile('rc/app', 'reco', '2026-01-08', '2026-01-09') WHERE NOT is_total;
SELECT count(*) FROM tb_invoices('rc/app');
RESET ROLE;
SELECT tb_revoke_access('reconcile_reader', 'rc/app', 'read');
DROP ROLE reconcile_reader;
RESET tokbudget.clock;
DROP FUNCTION spend, load, parts;
SELECT * FROM tb_verify();
