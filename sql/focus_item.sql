-- What FOCUS, the FinOps Open Cost and Usage Specification, makes of the ledger: one line for each kind of token and each
-- other priced thing, by day. The lines of a group of entries add up to the cost of those entries, to the last nano-unit.

CREATE FUNCTION tokbudget._unit_price(unit_prices jsonb, item text, is_meter boolean, is_stated boolean) RETURNS numeric
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_unit_price_wrapper';
COMMENT ON FUNCTION tokbudget._unit_price(jsonb, text, boolean, boolean) IS
    'internal: what these unit prices ask for an item as a bill has it, a kind of token, a counter or a meter: for 1,000,000 tokens or characters, for 1 of anything else; is_stated leaves out what a kind is billed as where it has no price of its own. NULL for none';

-- Words of the specification for the kinds that entries count, and how many of each a price is for.
CREATE FUNCTION tokbudget._focus_items() RETURNS TABLE (item text, sku_meter text, token_type text, unit text, per integer)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES
        ('uncached_input', 'Input Tokens', 'Input', 'Tokens', 1000000),
        ('cache_read', 'Cache Read Input Tokens', 'CacheRead', 'Tokens', 1000000),
        ('cache_read_audio', 'Cache Read Audio Input Tokens', 'CacheRead', 'Tokens', 1000000),
        ('cache_read_image', 'Cache Read Image Input Tokens', 'CacheRead', 'Tokens', 1000000),
        ('cache_write', 'Cache Write Input Tokens', 'CacheWrite', 'Tokens', 1000000),
        ('cache_write_5m', 'Cache Write Input Tokens, 5 Minutes', 'CacheWrite', 'Tokens', 1000000),
        ('cache_write_1h', 'Cache Write Input Tokens, 1 Hour', 'CacheWrite', 'Tokens', 1000000),
        ('input_audio', 'Audio Input Tokens', 'Input', 'Tokens', 1000000),
        ('input_image', 'Image Input Tokens', 'Input', 'Tokens', 1000000),
        ('input_video', 'Video Input Tokens', 'Input', 'Tokens', 1000000),
        ('tool_prompt', 'Tool Prompt Input Tokens', 'Input', 'Tokens', 1000000),
        ('output_text', 'Output Tokens', 'Output', 'Tokens', 1000000),
        ('reasoning', 'Reasoning Output Tokens', 'Output', 'Tokens', 1000000),
        ('rejected_prediction', 'Rejected Prediction Output Tokens', 'Output', 'Tokens', 1000000),
        ('output_audio', 'Audio Output Tokens', 'Output', 'Tokens', 1000000),
        ('output_image', 'Image Output Tokens', 'Output', 'Tokens', 1000000),
        ('citation', 'Citation Tokens', 'Citation', 'Tokens', 1000000),
        ('requests', 'Requests', NULL, 'Requests', 1),
        ('searches', 'Searches', NULL, 'Searches', 1),
        ('searches_low', 'Searches, Small Context', NULL, 'Searches', 1),
        ('searches_high', 'Searches, Large Context', NULL, 'Searches', 1),
        ('seconds', 'Seconds', NULL, 'Seconds', 1),
        ('pages', 'Pages', NULL, 'Pages', 1),
        ('characters', 'Characters', NULL, 'Characters', 1000000),
        ('images', 'Images', NULL, 'Images', 1)
$$;
COMMENT ON FUNCTION tokbudget._focus_items() IS
    'internal: what FOCUS columns call each kind of token and counter; whatever else an entry counts is a meter, priced by one';

CREATE FUNCTION tokbudget._is_national_currency(currency text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT currency = ANY ('{AED,AFN,ALL,AMD,ANG,AOA,ARS,AUD,AWG,AZN,BAM,BBD,BDT,BGN,BHD,BIF,BMD,BND,BOB,BOV,BRL,BSD,BTN,BWP,BYN,
        BZD,CAD,CDF,CHE,CHF,CHW,CLF,CLP,CNY,COP,COU,CRC,CUC,CUP,CVE,CZK,DJF,DKK,DOP,DZD,EGP,ERN,ETB,EUR,FJD,FKP,GBP,GEL,GHS,GIP,
        GMD,GNF,GTQ,GYD,HKD,HNL,HRK,HTG,HUF,IDR,ILS,INR,IQD,IRR,ISK,JMD,JOD,JPY,KES,KGS,KHR,KMF,KPW,KRW,KWD,KYD,KZT,LAK,LBP,LKR,
        LRD,LSL,LYD,MAD,MDL,MGA,MKD,MMK,MNT,MOP,MRU,MUR,MVR,MWK,MXN,MXV,MYR,MZN,NAD,NGN,NIO,NOK,NPR,NZD,OMR,PAB,PEN,PGK,PHP,PKR,
        PLN,PYG,QAR,RON,RSD,RUB,RWF,SAR,SBD,SCR,SDG,SEK,SGD,SHP,SLE,SLL,SOS,SRD,SSP,STN,SVC,SYP,SZL,THB,TJS,TMT,TND,TOP,TRY,TTD,
        TWD,TZS,UAH,UGX,USD,USN,UYI,UYU,UYW,UZS,VED,VES,VND,VUV,WST,XAF,XCD,XCG,XOF,XPF,YER,ZAR,ZMW,ZWG,ZWL}'::text[])
$$;
COMMENT ON FUNCTION tokbudget._is_national_currency(text) IS
    'internal: whether a currency is money of some country or union, by ISO 4217; anything else is a unit of its own, such as CREDITS';

CREATE TYPE tokbudget.focus_line AS (
    tenant_id integer,
    tenant text,
    account_id bigint,
    account text,
    account_kind text,
    cost_center text,
    billing_period_start timestamp with time zone,
    charge_period_start timestamp with time zone,
    charge_category text,
    charge_class text,
    charge_description text,
    correction_kind text,
    provider text,
    model text,
    item text,
    sku_meter text,
    token_type text,
    service_tier text,
    sku_id text,
    sku_price_id text,
    sku_price_details jsonb,
    consumed_quantity numeric,
    consumed_unit text,
    pricing_quantity numeric,
    pricing_unit text,
    list_unit_price numeric,
    contracted_unit_price numeric,
    list_cost numeric,
    contracted_cost numeric,
    billed_cost numeric,
    internal_cost numeric,
    currency text,
    operation text,
    workflow text,
    agent text,
    tags jsonb,
    entries bigint,
    is_unpriced boolean
);
COMMENT ON TYPE tokbudget.focus_line IS 'one charge as tb_focus shows it: a kind of token or another priced thing, on one day';
COMMENT ON COLUMN tokbudget.focus_line.tenant_id IS 'tenant that spent';
COMMENT ON COLUMN tokbudget.focus_line.tenant IS 'root account';
COMMENT ON COLUMN tokbudget.focus_line.account_id IS 'account that spent';
COMMENT ON COLUMN tokbudget.focus_line.account IS 'present path of the account that spent';
COMMENT ON COLUMN tokbudget.focus_line.account_kind IS 'kind of the account: team, agent and the like; account where it has none';
COMMENT ON COLUMN tokbudget.focus_line.cost_center IS 'where the spend is charged, as it was when it was spent';
COMMENT ON COLUMN tokbudget.focus_line.billing_period_start IS 'first instant of the calendar month, UTC, in which the entries were recorded';
COMMENT ON COLUMN tokbudget.focus_line.charge_period_start IS 'first instant of the day, UTC, in which it was recorded; of a correction the day of what it corrects';
COMMENT ON COLUMN tokbudget.focus_line.charge_category IS 'Usage, or Adjustment for a cost that no quantity goes with';
COMMENT ON COLUMN tokbudget.focus_line.charge_class IS 'Correction for one of an earlier billing period, else NULL';
COMMENT ON COLUMN tokbudget.focus_line.charge_description IS 'what was charged, in words';
COMMENT ON COLUMN tokbudget.focus_line.correction_kind IS 'adjust, refund or correction (a re-rating); NULL for what was spent';
COMMENT ON COLUMN tokbudget.focus_line.provider IS 'who sold it; meter for a meter, which has its price whatever the model; unknown where nobody said';
COMMENT ON COLUMN tokbudget.focus_line.model IS 'canonical name of the model, or the name that was asked for where it had no price; NULL for a meter';
COMMENT ON COLUMN tokbudget.focus_line.item IS 'kind of token, counter or meter, as entries name it; minimum_charge or other for what no kind accounts for; NULL for a correction';
COMMENT ON COLUMN tokbudget.focus_line.sku_meter IS 'the same in words, such as Cache Read Input Tokens';
COMMENT ON COLUMN tokbudget.focus_line.token_type IS 'Input, CacheRead, CacheWrite, Output or Citation; NULL for what is no token';
COMMENT ON COLUMN tokbudget.focus_line.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.focus_line.sku_id IS 'provider, model and item';
COMMENT ON COLUMN tokbudget.focus_line.sku_price_id IS 'version of the price and item; sku_id where there was no price; NULL for a correction';
COMMENT ON COLUMN tokbudget.focus_line.sku_price_details IS 'circumstances of the price: x_ServiceTier, x_Region, x_AboveInputTokens';
COMMENT ON COLUMN tokbudget.focus_line.consumed_quantity IS 'how many; NULL for a cost that no quantity goes with';
COMMENT ON COLUMN tokbudget.focus_line.consumed_unit IS 'Tokens, Requests and the like';
COMMENT ON COLUMN tokbudget.focus_line.pricing_quantity IS 'consumed_quantity in pricing_unit';
COMMENT ON COLUMN tokbudget.focus_line.pricing_unit IS 'what a unit price is for: 1000000 Tokens, Requests and the like';
COMMENT ON COLUMN tokbudget.focus_line.list_unit_price IS 'public price of one pricing_unit, in currency units: of the shipped or imported price book where the tenant''s own price was charged, else the price charged; 0 without a price';
COMMENT ON COLUMN tokbudget.focus_line.contracted_unit_price IS 'price of one pricing_unit that was charged, in currency units; 0 without a price';
COMMENT ON COLUMN tokbudget.focus_line.list_cost IS 'list_unit_price times pricing_quantity, not rounded, in currency units';
COMMENT ON COLUMN tokbudget.focus_line.contracted_cost IS 'contracted_unit_price times pricing_quantity, not rounded, in currency units';
COMMENT ON COLUMN tokbudget.focus_line.billed_cost IS 'part of what the entries cost, in currency units; the lines of the same entries add up to their cost';
COMMENT ON COLUMN tokbudget.focus_line.internal_cost IS 'part of what the account is charged internally, in currency units; adds up likewise';
COMMENT ON COLUMN tokbudget.focus_line.currency IS 'currency of all prices and costs: ISO 4217 or a unit of the tenant''s own';
COMMENT ON COLUMN tokbudget.focus_line.operation IS 'attribute operation';
COMMENT ON COLUMN tokbudget.focus_line.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.focus_line.agent IS 'attribute agent';
COMMENT ON COLUMN tokbudget.focus_line.tags IS 'labels of the account, with cost_center, operation, workflow and agent; one flat object';
COMMENT ON COLUMN tokbudget.focus_line.entries IS 'entries of the ledger that have a part in it';
COMMENT ON COLUMN tokbudget.focus_line.is_unpriced IS 'it had no price when it was booked and costs nothing here; what a later re-rating adds is a correction of its own';
