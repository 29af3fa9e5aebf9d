-- FOCUS: one charge for each kind of token and day, which add up to the cost of the entries.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- Per million: fx-a costs 2 in, 10 out, 0.2 cached, 2.5 written; half of that in a batch; 4 and 15 above 1000 tokens of input.
SELECT tb_set_price('fx-a', 'acme', 2, 10, 0.2, 2.5, effective_at => '2020-01-01') > 0, tb_set_price('fx-a', 'acme', 1, 5, service_tier => 'batch', effective_at => '2020-01-01') > 0,
       tb_set_price('fx-a', 'acme', 4, 15, 0.4, 5, above_input_tokens => 1000, effective_at => '2020-01-01') > 0;
-- bravo lists fx-b at 3 and 12; this organisation pays 2.4 and 9.6. fx-min costs a thousandth at least, fx-dust 0.3 nano-units a token.
INSERT INTO tokbudget.price (model, provider, effective_at, unit_prices, origin, source) VALUES ('fx-b', 'bravo', '2020-01-01', '{"input": 3, "output": 12}', 'import', 'list');
SELECT tb_set_price('fx-b', 'bravo', 2.4, 9.6, effective_at => '2020-01-01') > 0, tb_set_price('fx-min', 'acme', 1, 1, minimum_charge => 0.001, effective_at => '2020-01-01') > 0,
       tb_set_price('fx-dust', 'acme', 0.0003, 0.0003, effective_at => '2020-01-01') > 0, tb_set_price('fx-fee', 'acme', 1, 1, unit_prices => '{"requests": 0.005, "searches": 0.01}', effective_at => '2020-01-01') > 0,
       tb_set_meter_price('fx_calls', 0.002, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('fx/search/bot', kind => 'agent', cost_center => 'S1', labels => '{"team": "search", "levels": [1, 2]}') > 0, tb_create_account('fx/ads') > 0;
-- ads pay half more, and a ten-thousandth for each request.
SELECT tb_set_rate('fx/ads', 1.5, unit_prices => '{"requests": 0.0001}', effective_at => '2020-01-01') > 0;
SELECT tb_set_unpriced('fx', 'record');

CREATE FUNCTION fx_charge(at timestamptz, account text, model text, usage jsonb, meters jsonb DEFAULT '{}', attributes jsonb DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    RETURN (tb_charge(account, model, usage, meters => meters, attributes => attributes)).entry;
END;
$$;
-- Two calls on the same day: 300 and 100 in, 500 cached, 100 and 50 out; one on the next day, three hours before a new month elsewhere.
SELECT fx_charge('2026-01-30 00:00+00', 'fx/search/bot', 'fx-a', '{"prompt_tokens": 800, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 500}}', attributes => '{"workflow": "find", "operation": "chat"}') AS first \gset
SELECT fx_charge('2026-01-30 23:59:59.999999+00', 'fx/search/bot', 'fx-a', '{"prompt_tokens": 100, "completion_tokens": 50}', attributes => '{"workflow": "find", "operation": "chat"}') IS NULL;
SELECT fx_charge('2026-01-31 21:00+00', 'fx/search/bot', 'fx-a', '{"prompt_tokens": 10, "completion_tokens": 0}', attributes => '{"workflow": "find", "operation": "chat"}') IS NULL;
-- A batch, and a long request.
SELECT fx_charge('2026-01-30 12:00+00', 'fx/search/bot', 'fx-a', '{"prompt_tokens": 100, "completion_tokens": 0, "service_tier": "batch"}') IS NULL;
SELECT fx_charge('2026-01-30 12:00+00', 'fx/search/bot', 'fx-a', '{"prompt_tokens": 2000, "completion_tokens": 0}') IS NULL;
-- Below the list price; a tool call beside it, one without a price, and one by itself.
SELECT fx_charge('2026-01-30 12:00+00', 'fx/ads', 'fx-b', '{"prompt_tokens": 1000, "completion_tokens": 100}', '{"fx_calls": 2, "fx_free": 3}') AS second \gset
SELECT fx_charge('2026-01-30 12:00+00', 'fx/ads', NULL, '{}', '{"fx_calls": 1}') IS NULL;
SET tokbudget.clock = '2026-01-31 12:00+00';
SELECT (tb_refund(:'second', 'broken answer', 0.001)) IS NOT NULL;
SET tokbudget.clock = '2026-02-03 12:00+00';
-- All that is left: 0.00736 less 0.001 given back.
SELECT (tb_refund(:'second', 'broken answer')) IS NOT NULL, (tb_adjust(:'first', 0.001, 'agreed')) IS NOT NULL;

-- January: search 300 + 100 in at 2, 500 at 0.2, 100 + 50 out at 10 (0.0008 + 0.0001 + 0.0015); batch 100 at 1; long 2000 at 4.
-- ads: 1000 at 2.4 and 100 at 9.6 where the list says 3 and 12; tool calls at 0.002. Internally half more, and 0.0001 for the request.
SELECT account, cost_center AS cc, charge_period_start::date AS day, charge_category, charge_class, charge_description, consumed_quantity AS used, consumed_unit, pricing_quantity AS priced, pricing_unit,
       list_unit_price AS list, contracted_unit_price AS unit, trim_scale(list_cost) AS list_cost, trim_scale(contracted_cost) AS contracted, trim_scale(billed_cost) AS billed, trim_scale(internal_cost) AS internal, entries, is_unpriced
FROM tb_focus('fx', until => '2026-02-01') ORDER BY account, day, charge_description, used;
SELECT DISTINCT provider, model, item, token_type, service_tier AS tier, sku_id, sku_price_details, currency, operation, workflow, tags FROM tb_focus('fx', until => '2026-02-01') ORDER BY sku_id, tier;
-- February corrects January: charged for the day of what was corrected, billed with February. The first call cost 300 * 2 + 500 * 0.2 + 100 * 10
-- millionths, 0.0007 more than was agreed. Internally the second was 0.00736 * 1.5 + 0.0001 = 0.01114, of which 636/736 were left.
SELECT account, charge_period_start::date AS day, billing_period_start::date AS month, charge_category, charge_class, correction_kind, charge_description, sku_id, consumed_quantity AS used, trim_scale(list_cost) AS list_cost, trim_scale(billed_cost) AS billed, trim_scale(internal_cost) AS internal
FROM tb_focus('fx', '2026-02-01') ORDER BY account, correction_kind;
SELECT fx_charge('2026-03-02 12:00+00', 'fx/ads', 'fx-min', '{"prompt_tokens": 100, "completion_tokens": 10}') IS NULL, fx_charge('2026-03-03 12:00+00', 'fx/ads', 'fx-fee', '{"input_tokens": 100, "output_tokens": 10, "server_tool_use": {"web_search_requests": 2}}') IS NULL,
       fx_charge('2026-03-04 12:00+00', 'fx/ads', 'fx-secret', '{"prompt_tokens": 100, "completion_tokens": 10}') IS NULL;
-- 2 tokens are 0.6 nano-units, booked as 1: three calls are 3 nano-units, where 6 tokens at 0.3 are 1.8.
SELECT fx_charge('2026-03-05 12:00+00', 'fx/search', 'fx-dust', '{"prompt_tokens": 2, "completion_tokens": 0}') IS NULL FROM generate_series(1, 3) AS n;
-- The minimum charge adds 0.001 - 0.00011; internally 1.5 times that, and the ten-thousandth for the request.
SELECT charge_period_start::date AS day, charge_category, charge_description, item, sku_id, consumed_quantity AS used, contracted_unit_price AS unit, trim_scale(contracted_cost) AS contracted, trim_scale(billed_cost) AS billed, trim_scale(internal_cost) AS internal, entries, is_unpriced
FROM tb_focus('fx', '2026-03-01') ORDER BY day, charge_description;
-- Other models within a request have lines of their own: 1000 * 2 + 100 * 10, 50 * 2.4 + 20 * 9.6, 10 + 5, in all 3327 millionths.
SELECT fx_charge('2026-03-06 12:00+00', 'fx/search', 'fx-a', '{"input_tokens": 1000, "output_tokens": 100, "iterations": [{"type": "message", "input_tokens": 1000, "output_tokens": 100},
    {"type": "advisor_message", "model": "fx-b", "input_tokens": 50, "output_tokens": 20}, {"type": "advisor_message", "model": "fx-fee", "input_tokens": 10, "output_tokens": 5}]}') IS NULL;
SELECT charge_description, provider, model, consumed_quantity AS used, contracted_unit_price AS unit, list_unit_price AS list, trim_scale(billed_cost) AS billed FROM tb_focus('fx', '2026-03-06', '2026-03-07') ORDER BY charge_description;
-- Re-rating brings the cost as a correction of its own.
SET tokbudget.clock = '2026-03-10 12:00+00';
SELECT tb_set_price('fx-secret', 'acme', 1, 1, effective_at => '2020-01-01') > 0;
SELECT trim_scale(new_cost) FROM tb_rerate('fx');
SELECT charge_period_start::date AS day, charge_category, charge_class, correction_kind, charge_description, trim_scale(billed_cost) AS billed, is_unpriced FROM tb_focus('fx', '2026-03-10') ORDER BY day;

-- A tenant that counts in credits.
SELECT tb_create_account('fxc/bot') > 0;
SELECT tb_set_tenant('fxc', currency => 'CRD');
SELECT tb_set_price('fx-a', 'acme', 5, 20, currency => 'CRD', effective_at => '2020-01-01') > 0;
SELECT fx_charge('2026-03-02 12:00+00', 'fxc/bot', 'fx-a', '{"prompt_tokens": 1000, "completion_tokens": 100}') IS NULL;
RESET tokbudget.clock;
SELECT "BilledCost", "BillingAccountName", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd", "ConsumedQuantity", "PricingQuantity", "PricingUnit", "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"
FROM tokbudget.focus_1_2 WHERE "BillingAccountName" = 'fxc' ORDER BY "SkuMeter";
SELECT "ProviderName", "PublisherName", "InvoiceIssuerName", "ServiceName", "ServiceSubcategory", "PricingCategory", count(*) FROM tokbudget.focus_1_2 WHERE "BillingAccountName" = 'fx' GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 6;
SELECT "ServiceProviderName", "HostProviderName", count(*) FROM tokbudget.focus_1_4 WHERE "BillingAccountName" = 'fx' GROUP BY 1, 2 ORDER BY 1;
-- The two differ in those columns alone.
WITH columns AS (
    SELECT attrelid::regclass::text AS view, attname::text AS name FROM pg_attribute WHERE attrelid IN ('tokbudget.focus_1_2'::regclass, 'tokbudget.focus_1_4'::regclass) AND attnum > 0
)
SELECT name, min(view) AS only_in FROM columns GROUP BY name HAVING count(*) = 1 ORDER BY name COLLATE "C";

-- To the nano-unit: by month and account what chargeback says, of all tenants of this database.
CREATE VIEW fx_focus AS
SELECT billing_period_start::date AS period, tenant, account, sum(billed_cost) AS cost, sum(internal_cost) AS internal_cost
FROM (SELECT DISTINCT name FROM tokbudget.tenant) AS root, tb_focus(root.name)
WHERE billing_period_start::date NOT IN (SELECT month FROM tokbudget.departed_month) GROUP BY 1, 2, 3;
CREATE VIEW fx_chargeback AS
SELECT period, tenant, account, sum(COALESCE(cost, 0)) AS cost, sum(COALESCE(internal_cost, 0)) AS internal_cost FROM tokbudget.chargeback
-- Chargeback keeps what has left the ledger.
WHERE period NOT IN (SELECT month FROM tokbudget.departed_month) GROUP BY 1, 2, 3;
SELECT count(*) AS differences FROM ((TABLE fx_focus EXCEPT TABLE fx_chargeback) UNION ALL (TABLE fx_chargeback EXCEPT TABLE fx_focus)) AS x;
SELECT count(*) > 3 AS is_something_compared FROM fx_focus;
DROP VIEW fx_focus, fx_chargeback;
SELECT (SELECT sum("BilledCost") FROM tokbudget.focus_1_2) = (SELECT sum(cost) FROM tokbudget.entry) AS is_same_cost, (SELECT sum("BilledCost") FROM tokbudget.focus_1_4) = (SELECT sum(cost) FROM tokbudget.entry) AS is_same_cost_1_4,
       (SELECT sum("x_InternalCost") FROM tokbudget.focus_1_2) = (SELECT sum(internal_cost) FROM tokbudget.entry) AS is_same_internal_cost,
       (SELECT count(*) FROM tokbudget.focus_1_2) = (SELECT count(*) FROM tokbudget.tenant, tb_focus(tenant.name)) AS is_same_rows;
-- A month is read alone: the filter is on the months, before their lines are made.
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM tokbudget.focus_1_2 WHERE "BillingPeriodStart" = '2026-01-01T00:00:00Z' AND "BillingAccountName" = 'fx';

RESET enable_seqscan;
-- Who may read a part sees that part.
CREATE ROLE fx_reader;
CREATE ROLE fx_nobody;
SELECT tb_grant_access('fx_reader', 'fx/search', 'read');
SELECT tenant_id AS other FROM tokbudget.tenant WHERE name = 'fxc' \gset
SELECT tenant_id AS own FROM tokbudget.tenant WHERE name = 'fx' \gset
SET ROLE fx_reader;
SELECT "SubAccountName", count(*), sum("BilledCost") FROM tokbudget.focus_1_2 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM tb_focus('fx/search');
SELECT code_of($$SELECT tb_focus('fx')$$), code_of($$SELECT tb_focus('fx/ads')$$), code_of('SELECT tokbudget._focus_lines(1, NULL, now(), now())');
-- What the views call tells no more than they do.
SELECT (SELECT count(*) FROM tokbudget._focus_months(:own)) AS own_months, (SELECT count(*) FROM tokbudget._focus_months(:other)) AS other_months,
       (SELECT count(DISTINCT account) FROM tokbudget._focus_month(:own, '2026-03-01')) AS own_accounts, (SELECT count(*) FROM tokbudget._focus_month(:other, '2026-03-01')) AS other_lines;
RESET ROLE;
SET ROLE fx_nobody;
SELECT code_of('SELECT * FROM tokbudget.focus_1_2'), code_of($$SELECT tb_focus('fx/search')$$);
RESET ROLE;
SELECT tb_revoke_access('fx_reader', 'fx/search', 'read');
DROP ROLE fx_reader, fx_nobody;

SELECT arguments, code_of('SELECT tb_focus(' || arguments || ')') FROM unnest(ARRAY['NULL', $$''$$, $$'fx//x'$$, $$'fx/none'$$, $$'fx', NULL$$, $$'fx', until => NULL$$, $$'fx', '2026-02-01', '2026-01-01'$$, $$'fx', '-infinity', 'infinity'$$, $$'fx', 'infinity', 'infinity'$$, $$'fx', '2026-02-01', '2026-02-01'$$]) AS arguments;
DROP FUNCTION fx_charge;
SELECT * FROM tb_verify();
