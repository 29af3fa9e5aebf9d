-- Rules of FOCUS for Cost and Usage, as queries over a view: one line for each, its name and how many charges break it. A rule that
-- has no charge to look at breaks too, so that a ledger without such charges cannot pass. psql variables: view, and mandatory,
-- an array of the columns that must never be null.
\set ON_ERROR_STOP 1
\pset tuples_only on
\pset format unaligned
CREATE TEMP TABLE charge AS SELECT * FROM :view;
CREATE TEMP TABLE fields AS SELECT row_number() OVER () AS charge, to_jsonb(charge) AS field FROM charge;

-- Columns that are missing are null here.
SELECT format('%s is never null', name), count(*) FILTER (WHERE field ->> name IS NULL) + (count(*) = 0)::int
FROM fields RIGHT JOIN unnest(:'mandatory'::text[]) AS name ON true GROUP BY name ORDER BY name;

SELECT format('%s has an allowed value', name), count(*) FILTER (WHERE NOT field ->> name = ANY (allowed)) + (count(field ->> name) = 0)::int
FROM fields, (VALUES
    ('ChargeCategory', '{Usage,Purchase,Tax,Credit,Adjustment}'::text[]),
    ('ChargeClass', '{Correction}'),
    ('ChargeFrequency', '{One-Time,Recurring,Usage-Based}'),
    ('PricingCategory', '{Standard,Committed,Dynamic,Other}'),
    ('ServiceCategory', '{AI and Machine Learning}'),
    ('ServiceSubcategory', '{AI Platforms,Bots,Generative AI,Machine Learning,Natural Language Processing,Other (AI and Machine Learning)}')
) AS rule (name, allowed)
GROUP BY name ORDER BY name;

SELECT format('%s is an instant in UTC', name), count(*) FILTER (WHERE field ->> name !~ '^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ$')
FROM fields, unnest('{BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd}'::text[]) AS name GROUP BY name ORDER BY name;

SELECT format('%s is a decimal', name), count(*) FILTER (WHERE (field ->> name) !~ '^-?\d+\.\d+$') + (count(field ->> name) = 0)::int
FROM fields, unnest('{BilledCost,EffectiveCost,ListCost,ContractedCost,ConsumedQuantity,PricingQuantity,ListUnitPrice,ContractedUnitPrice}'::text[]) AS name
GROUP BY name ORDER BY name;

-- Usage that is not corrected has quantities, prices and SKUs.
SELECT format('%s of usage is not null', name), count(*) FILTER (WHERE field ->> name IS NULL) + (count(*) = 0)::int
FROM fields, unnest('{ConsumedQuantity,ConsumedUnit,PricingQuantity,PricingUnit,ListUnitPrice,ContractedUnitPrice,PricingCategory,SkuId,SkuPriceId,SkuMeter}'::text[]) AS name
WHERE field ->> 'ChargeCategory' = 'Usage' AND field ->> 'ChargeClass' IS NULL
GROUP BY name ORDER BY name;
SELECT format('%s of an adjustment is null', name), count(*) FILTER (WHERE field ->> name IS NOT NULL) + (count(*) = 0)::int
FROM fields, unnest('{ConsumedQuantity,ConsumedUnit}'::text[]) AS name
WHERE field ->> 'ChargeCategory' <> 'Usage'
GROUP BY name ORDER BY name;

SELECT 'a billing period is a calendar month', count(*) FROM charge
WHERE "BillingPeriodEnd"::timestamptz AT TIME ZONE 'UTC' <> "BillingPeriodStart"::timestamptz AT TIME ZONE 'UTC' + interval '1 month'
    OR extract(day FROM "BillingPeriodStart"::timestamptz AT TIME ZONE 'UTC') <> 1;
SELECT 'a charge period ends after it starts', count(*) FROM charge WHERE "ChargePeriodEnd" <= "ChargePeriodStart";
SELECT 'a charge is billed with the period in which it falls, unless it corrects an earlier one', count(*) FROM charge
WHERE CASE WHEN "ChargeClass" IS NULL THEN "ChargePeriodStart" < "BillingPeriodStart" OR "ChargePeriodEnd" > "BillingPeriodEnd"
    ELSE "ChargePeriodStart" >= "BillingPeriodStart" END;
SELECT 'there are corrections of both kinds of period', (count(DISTINCT "ChargeClass" IS NULL) <> 2)::int FROM charge WHERE "x_CorrectionKind" IS NOT NULL;
SELECT 'what is corrected earlier is of class Correction', count(*) FROM charge WHERE ("ChargeClass" IS NOT NULL) <> ("ChargePeriodStart" < "BillingPeriodStart");
SELECT 'ListUnitPrice times PricingQuantity is ListCost', count(*) FROM charge WHERE "ListUnitPrice" * "PricingQuantity" <> "ListCost";
SELECT 'ContractedUnitPrice times PricingQuantity is ContractedCost', count(*) FROM charge WHERE "ContractedUnitPrice" * "PricingQuantity" <> "ContractedCost";
-- Each entry is rounded once, to the nano-unit.
SELECT 'BilledCost is ContractedCost but for rounding', count(*) FROM charge WHERE abs("BilledCost" - "ContractedCost") > 0.0000000005 * "x_Entries" + 0.0000000005;
SELECT 'BilledCost is not negative but for corrections', count(*) FROM charge WHERE "BilledCost" < 0 AND "x_CorrectionKind" IS NULL;
SELECT 'some list prices are above what was agreed', (count(*) = 0)::int FROM charge WHERE "ListCost" > "ContractedCost";
SELECT 'PricingQuantity is ConsumedQuantity in PricingUnit', count(*) FROM charge
WHERE "PricingQuantity" <> "ConsumedQuantity" / CASE WHEN "PricingUnit" LIKE '1000000 %' THEN 1000000 ELSE 1 END;
SELECT 'BillingCurrency is a code of ISO 4217', count(*) FROM charge WHERE "BillingCurrency" !~ '^[A-Z]{3}$';
SELECT 'PricingCurrency differs where the tenant counts in a unit of its own', count(*) FILTER (WHERE "BillingCurrency" = 'XXX' AND "PricingCurrency" = 'XXX'
    OR "BillingCurrency" <> 'XXX' AND "PricingCurrency" <> "BillingCurrency") + (count(*) FILTER (WHERE "BillingCurrency" = 'XXX') = 0)::int FROM charge;
SELECT 'a SkuPriceId has one SkuId and one price', count(*) FROM (
    SELECT FROM charge GROUP BY "SkuPriceId" HAVING count(DISTINCT "SkuId") > 1 OR count(DISTINCT "ContractedUnitPrice") > 1 AND "SkuPriceId" IS NOT NULL) AS x;
SELECT 'a BillingAccountId has one name', count(*) FROM (SELECT FROM charge GROUP BY "BillingAccountId" HAVING count(DISTINCT "BillingAccountName") > 1) AS x;
SELECT 'a SubAccountId has one name', count(*) FROM (SELECT FROM charge GROUP BY "SubAccountId" HAVING count(DISTINCT "SubAccountName") > 1) AS x;
SELECT format('%s is a flat object whose own keys begin with x_', name), count(*) FROM fields, unnest('{SkuPriceDetails}'::text[]) AS name,
    jsonb_each(CASE WHEN jsonb_typeof(field -> name) = 'object' THEN field -> name ELSE '{}' END) AS pair
WHERE jsonb_typeof(pair.value) IN ('object', 'array') OR pair.key NOT LIKE 'x\_%' GROUP BY name
UNION ALL SELECT 'SkuPriceDetails is given', (count("SkuPriceDetails") = 0)::int FROM charge;
SELECT 'Tags is a flat object', count(*) FROM charge, jsonb_each("Tags") AS tag WHERE jsonb_typeof(tag.value) IN ('object', 'array');
SELECT 'what is no column of FOCUS begins with x_ and comes last', (count(*) FILTER (WHERE name LIKE 'x\_%') = 0
    OR max(attnum) FILTER (WHERE name NOT LIKE 'x\_%') > min(attnum) FILTER (WHERE name LIKE 'x\_%'))::int
FROM (SELECT attname::text AS name, attnum FROM pg_attribute WHERE attrelid = :'view'::regclass AND attnum > 0) AS x;

-- The ledger has the last word.
SELECT 'BilledCost adds up to the cost of the entries', (SELECT sum("BilledCost") FROM charge) IS DISTINCT FROM (SELECT sum(cost) FROM tokbudget.entry);
SELECT 'x_InternalCost adds up to the internal cost of the entries', (SELECT sum("x_InternalCost") FROM charge) IS DISTINCT FROM (SELECT sum(internal_cost) FROM tokbudget.entry);
SELECT 'tokens add up to those of the entries', (SELECT sum("ConsumedQuantity") FROM charge WHERE "ConsumedUnit" = 'Tokens')
    IS DISTINCT FROM (SELECT sum(input_tokens + output_tokens) FROM tokbudget.entry);
SELECT 'what had no price is shown', (SELECT sum("ConsumedQuantity") FROM charge WHERE "x_Unpriced" AND "ConsumedUnit" = 'Tokens')
    IS DISTINCT FROM (SELECT sum(input_tokens + output_tokens) FROM tokbudget.entry WHERE cost IS NULL);
