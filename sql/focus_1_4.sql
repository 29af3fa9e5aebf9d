-- The same in the columns of FOCUS 1.4, which has other words for who sold and who ran a service (1.3 has both).

CREATE VIEW tokbudget.focus_1_4 WITH (security_barrier) AS
SELECT
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", CASE WHEN "ProviderName"
    OPERATOR(pg_catalog.=) 'meter' THEN 'Not Applicable' ELSE "ProviderName" END AS "HostProviderName", "InvoiceIssuerName",
    "ListCost", "ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ServiceCategory",
    "ServiceName", "ProviderName" AS "ServiceProviderName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails",
    "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags", "x_Agent", "x_CorrectionKind", "x_CostCenter",
    "x_Entries", "x_InternalCost", "x_ModelId", "x_Operation", "x_ServiceTier", "x_TokenType", "x_Unpriced", "x_Workflow"
FROM tokbudget.focus_1_2;
COMMENT ON VIEW tokbudget.focus_1_4 IS 'charges as Cost and Usage of FOCUS 1.4, the FinOps Open Cost and Usage Specification: one row per account, price, kind of token and day, dated by when the entries were recorded; BilledCost adds up to the cost of the entries. Give BillingPeriodStart, and BillingAccountName where there are many tenants: only that part of the ledger is read then. As in chargeback, everyone sees what they may read';
COMMENT ON COLUMN tokbudget.focus_1_4."HostProviderName" IS 'on whose infrastructure it ran, as far as it is known: the service provider; Not Applicable for a meter';
COMMENT ON COLUMN tokbudget.focus_1_4."ServiceProviderName" IS 'who sold it; meter for a meter, which has its price whatever the model; unknown where nobody said';
-- What the two have in common means the same.
DO $$
DECLARE
    shared record;
BEGIN
    FOR shared IN
        SELECT own.attname AS name, pg_catalog.col_description('tokbudget.focus_1_2'::pg_catalog.regclass, other.attnum) AS description
        FROM pg_catalog.pg_attribute AS own
        JOIN pg_catalog.pg_attribute AS other
            ON other.attrelid OPERATOR(pg_catalog.=) 'tokbudget.focus_1_2'::pg_catalog.regclass AND other.attname OPERATOR(pg_catalog.=) own.attname
        WHERE own.attrelid OPERATOR(pg_catalog.=) 'tokbudget.focus_1_4'::pg_catalog.regclass AND own.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN tokbudget.focus_1_4.%I IS %L', shared.name, shared.description);
    END LOOP;
END;
$$;
