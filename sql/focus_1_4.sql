-- The same in the columns of FOCUS 1.4, which has other words for who sold and who ran a service (1.3 has both).

CREATE VIEW tokbudget.focus_1_4 WITH (security_barrier) AS
SELECT
    line.billed_cost::pg_catalog.numeric(38, 9) AS "BilledCost",
    pg_catalog.format('tenant/%s', line.tenant_id) AS "BillingAccountId",
    tenant.name AS "BillingAccountName",
    CASE WHEN tokbudget._is_national_currency(line.currency) THEN line.currency ELSE 'XXX' END AS "BillingCurrency",
    month.ends_text AS "BillingPeriodEnd",
    month.starts_text AS "BillingPeriodStart",
    line.charge_category AS "ChargeCategory",
    line.charge_class AS "ChargeClass",
    line.charge_description AS "ChargeDescription",
    CASE line.charge_category WHEN 'Usage' THEN 'Usage-Based' ELSE 'One-Time' END AS "ChargeFrequency",
    tokbudget._focus_time(line.charge_period_start OPERATOR(pg_catalog.+) '1 day'::pg_catalog.interval) AS "ChargePeriodEnd",
    tokbudget._focus_time(line.charge_period_start) AS "ChargePeriodStart",
    line.consumed_quantity::pg_catalog.numeric(38, 1) AS "ConsumedQuantity",
    line.consumed_unit AS "ConsumedUnit",
    line.contracted_cost::pg_catalog.numeric(38, 18) AS "ContractedCost",
    line.contracted_unit_price::pg_catalog.numeric(38, 12) AS "ContractedUnitPrice",
    line.billed_cost::pg_catalog.numeric(38, 9) AS "EffectiveCost",
    CASE line.provider WHEN 'meter' THEN 'Not Applicable' ELSE line.provider END AS "HostProviderName",
    line.provider AS "InvoiceIssuerName",
    line.list_cost::pg_catalog.numeric(38, 18) AS "ListCost",
    line.list_unit_price::pg_catalog.numeric(38, 12) AS "ListUnitPrice",
    CASE WHEN line.pricing_unit IS NULL THEN NULL WHEN line.is_unpriced THEN 'Other' ELSE 'Standard' END AS "PricingCategory",
    line.currency AS "PricingCurrency",
    line.contracted_unit_price::pg_catalog.numeric(38, 12) AS "PricingCurrencyContractedUnitPrice",
    line.billed_cost::pg_catalog.numeric(38, 9) AS "PricingCurrencyEffectiveCost",
    line.list_unit_price::pg_catalog.numeric(38, 12) AS "PricingCurrencyListUnitPrice",
    line.pricing_quantity::pg_catalog.numeric(38, 6) AS "PricingQuantity",
    line.pricing_unit AS "PricingUnit",
    'AI and Machine Learning' AS "ServiceCategory",
    CASE line.provider WHEN 'meter' THEN 'Metered resources' ELSE line.provider OPERATOR(pg_catalog.||) ' API' END AS "ServiceName",
    line.provider AS "ServiceProviderName",
    CASE line.provider WHEN 'meter' THEN 'Other (AI and Machine Learning)' ELSE 'Generative AI' END AS "ServiceSubcategory",
    line.sku_id AS "SkuId",
    line.sku_meter AS "SkuMeter",
    line.sku_price_details AS "SkuPriceDetails",
    line.sku_price_id AS "SkuPriceId",
    pg_catalog.format('tenant/%s/account/%s', line.tenant_id, line.account_id) AS "SubAccountId",
    COALESCE(line.account, line.account_id::pg_catalog.text) AS "SubAccountName",
    line.account_kind AS "SubAccountType",
    line.tags AS "Tags",
    line.agent AS "x_Agent",
    line.correction_kind AS "x_CorrectionKind",
    line.cost_center AS "x_CostCenter",
    line.entries AS "x_Entries",
    line.internal_cost::pg_catalog.numeric(38, 9) AS "x_InternalCost",
    line.model AS "x_ModelId",
    line.operation AS "x_Operation",
    line.service_tier AS "x_ServiceTier",
    line.token_type AS "x_TokenType",
    line.is_unpriced AS "x_Unpriced",
    line.workflow AS "x_Workflow"
FROM tokbudget.tenant
CROSS JOIN LATERAL tokbudget._focus_months(tenant.tenant_id) AS month
CROSS JOIN LATERAL tokbudget._focus_month(tenant.tenant_id, month.starts_at) AS line;
COMMENT ON VIEW tokbudget.focus_1_4 IS 'charges as Cost and Usage of FOCUS 1.4, the FinOps Open Cost and Usage Specification: one row per account, price, kind of token and day, dated by when the entries were recorded; BilledCost adds up to the cost of the entries. Give BillingPeriodStart, and BillingAccountName where there are many tenants: only that part of the ledger is read then. As in chargeback, everyone sees what they may read';
COMMENT ON COLUMN tokbudget.focus_1_4."BilledCost" IS 'what the charge is invoiced at, discounts included: its part of what the entries cost, in BillingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."BillingAccountId" IS 'who is billed: the tenant, by its id';
COMMENT ON COLUMN tokbudget.focus_1_4."BillingAccountName" IS 'who is billed, by name: the root account';
COMMENT ON COLUMN tokbudget.focus_1_4."BillingCurrency" IS 'currency of all costs and unit prices without PricingCurrency in their name, ISO 4217; XXX, no currency, where the tenant counts in a unit of its own';
COMMENT ON COLUMN tokbudget.focus_1_4."BillingPeriodEnd" IS 'first instant after the billing period, ISO 8601, UTC';
COMMENT ON COLUMN tokbudget.focus_1_4."BillingPeriodStart" IS 'first instant of the billing period, ISO 8601, UTC: the calendar month in which the entries were recorded';
COMMENT ON COLUMN tokbudget.focus_1_4."ChargeCategory" IS 'nature of the charge: Usage, or Adjustment for a cost that no quantity goes with';
COMMENT ON COLUMN tokbudget.focus_1_4."ChargeClass" IS 'Correction for the correction of a charge of an earlier billing period, else NULL';
COMMENT ON COLUMN tokbudget.focus_1_4."ChargeDescription" IS 'what was charged, in words';
COMMENT ON COLUMN tokbudget.focus_1_4."ChargeFrequency" IS 'how often it is charged: Usage-Based, or One-Time for an adjustment';
COMMENT ON COLUMN tokbudget.focus_1_4."ChargePeriodEnd" IS 'first instant after the charge period, ISO 8601, UTC';
COMMENT ON COLUMN tokbudget.focus_1_4."ChargePeriodStart" IS 'first instant of the charge period, ISO 8601, UTC: the day on which the entries were recorded; of a correction the day of what it corrects';
COMMENT ON COLUMN tokbudget.focus_1_4."ConsumedQuantity" IS 'how much was used, in ConsumedUnit; NULL for what no quantity goes with';
COMMENT ON COLUMN tokbudget.focus_1_4."ConsumedUnit" IS 'what ConsumedQuantity counts: Tokens, Requests and the like';
COMMENT ON COLUMN tokbudget.focus_1_4."ContractedCost" IS 'ContractedUnitPrice times PricingQuantity, not rounded, in BillingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."ContractedUnitPrice" IS 'price of one PricingUnit that was agreed upon and charged, in BillingCurrency; 0 without a price';
COMMENT ON COLUMN tokbudget.focus_1_4."EffectiveCost" IS 'what the charge costs with prepayments spread over what they pay for, in BillingCurrency: there are none, so it is BilledCost';
COMMENT ON COLUMN tokbudget.focus_1_4."HostProviderName" IS 'on whose infrastructure it ran, as far as it is known: the service provider; Not Applicable for a meter';
COMMENT ON COLUMN tokbudget.focus_1_4."InvoiceIssuerName" IS 'who invoices it: the service provider';
COMMENT ON COLUMN tokbudget.focus_1_4."ListCost" IS 'ListUnitPrice times PricingQuantity, not rounded, in BillingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."ListUnitPrice" IS 'public price of one PricingUnit, in BillingCurrency: of the price book where the tenant''s own price was charged, else the price charged; 0 without a price';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingCategory" IS 'how it was priced: Standard, or Other for what had no price';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingCurrency" IS 'currency of the prices: ISO 4217, or the unit that the tenant counts in, such as CREDITS';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingCurrencyContractedUnitPrice" IS 'ContractedUnitPrice in PricingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingCurrencyEffectiveCost" IS 'EffectiveCost in PricingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingCurrencyListUnitPrice" IS 'ListUnitPrice in PricingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingQuantity" IS 'ConsumedQuantity in PricingUnit: 8,400,000 tokens are 8.4';
COMMENT ON COLUMN tokbudget.focus_1_4."PricingUnit" IS 'what a unit price is for: 1000000 Tokens, Requests and the like';
COMMENT ON COLUMN tokbudget.focus_1_4."ServiceCategory" IS 'kind of service';
COMMENT ON COLUMN tokbudget.focus_1_4."ServiceName" IS 'service that was used: the API of the provider, or metered resources';
COMMENT ON COLUMN tokbudget.focus_1_4."ServiceProviderName" IS 'who sold it; meter for a meter, which has its price whatever the model; unknown where nobody said';
COMMENT ON COLUMN tokbudget.focus_1_4."ServiceSubcategory" IS 'kind of service within its category';
COMMENT ON COLUMN tokbudget.focus_1_4."SkuId" IS 'what was bought: provider, model and kind of token, counter or meter';
COMMENT ON COLUMN tokbudget.focus_1_4."SkuMeter" IS 'what is measured, in words: Input Tokens, Cache Read Input Tokens, Tool Calls';
COMMENT ON COLUMN tokbudget.focus_1_4."SkuPriceDetails" IS 'circumstances under which the price holds, a flat JSON object: x_ServiceTier, x_Region, x_AboveInputTokens';
COMMENT ON COLUMN tokbudget.focus_1_4."SkuPriceId" IS 'price that was charged: version in the price book and kind; SkuId without a price';
COMMENT ON COLUMN tokbudget.focus_1_4."SubAccountId" IS 'who spent it: the account, by its id, which outlives a new path';
COMMENT ON COLUMN tokbudget.focus_1_4."SubAccountName" IS 'who spent it: the present path of the account';
COMMENT ON COLUMN tokbudget.focus_1_4."SubAccountType" IS 'kind of the account: team, agent and the like; account where it has none';
COMMENT ON COLUMN tokbudget.focus_1_4."Tags" IS 'labels of the account, with cost_center, operation, workflow and agent of the entries, a flat JSON object';
COMMENT ON COLUMN tokbudget.focus_1_4."x_Agent" IS 'attribute agent';
COMMENT ON COLUMN tokbudget.focus_1_4."x_CorrectionKind" IS 'adjust, refund or correction (a re-rating), whatever the billing period; NULL for what was spent';
COMMENT ON COLUMN tokbudget.focus_1_4."x_CostCenter" IS 'where the spend is charged, as it was when it was spent';
COMMENT ON COLUMN tokbudget.focus_1_4."x_Entries" IS 'entries of the ledger that have a part in the charge';
COMMENT ON COLUMN tokbudget.focus_1_4."x_InternalCost" IS 'part of what the account is charged internally, in PricingCurrency';
COMMENT ON COLUMN tokbudget.focus_1_4."x_ModelId" IS 'canonical name of the model, or the name that was asked for where it had no price; NULL for a meter';
COMMENT ON COLUMN tokbudget.focus_1_4."x_Operation" IS 'attribute operation: chat, embeddings and the like';
COMMENT ON COLUMN tokbudget.focus_1_4."x_ServiceTier" IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.focus_1_4."x_TokenType" IS 'Input, CacheRead, CacheWrite, Output or Citation; NULL for what is no token';
COMMENT ON COLUMN tokbudget.focus_1_4."x_Unpriced" IS 'it had no price when it was booked and costs nothing here; what a later re-rating adds is a correction of its own';
COMMENT ON COLUMN tokbudget.focus_1_4."x_Workflow" IS 'attribute workflow';
