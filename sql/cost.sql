-- What a usage object says, what a model costs, and what the two make: the same code that a commit runs.

CREATE TYPE tokbudget.usage AS (
    provider text,
    model text,
    operation text,
    input_tokens bigint,
    output_tokens bigint,
    total_tokens bigint,
    buckets jsonb,
    service_tier text,
    region text,
    surcharges text[],
    stated jsonb,
    parts jsonb,
    flags text[],
    unknown_fields text[]
);
COMMENT ON TYPE tokbudget.usage IS 'a provider''s usage object as it is understood';
COMMENT ON COLUMN tokbudget.usage.provider IS 'whose dialect it is';
COMMENT ON COLUMN tokbudget.usage.model IS 'model that answered, where the response says so';
COMMENT ON COLUMN tokbudget.usage.operation IS 'embeddings, rerank, transcription and the like, where the shape tells; NULL for a chat';
COMMENT ON COLUMN tokbudget.usage.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.usage.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.usage.total_tokens IS 'input and output tokens';
COMMENT ON COLUMN tokbudget.usage.buckets IS 'disjoint counts by kind, what is priced; without those that are zero';
COMMENT ON COLUMN tokbudget.usage.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.usage.region IS 'place that the response names, if it may cost more';
COMMENT ON COLUMN tokbudget.usage.surcharges IS 'what the response states that no list price covers';
COMMENT ON COLUMN tokbudget.usage.stated IS 'the provider''s own totals and cost';
COMMENT ON COLUMN tokbudget.usage.parts IS 'what other models used within the request';
COMMENT ON COLUMN tokbudget.usage.flags IS 'what did not add up, for example clamped_input';
COMMENT ON COLUMN tokbudget.usage.unknown_fields IS 'numeric fields that are not zero and not understood';

CREATE FUNCTION tokbudget._usage(usage text, provider text) RETURNS tokbudget.usage
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_usage_wrapper';
COMMENT ON FUNCTION tokbudget._usage(text, text) IS 'internal: tb_usage, NULL when refused';

CREATE FUNCTION @extschema@.tb_usage(usage jsonb, provider text DEFAULT NULL) RETURNS tokbudget.usage
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    result tokbudget.usage := tokbudget._usage(usage::text, provider);
BEGIN
    IF result.total_tokens IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN result;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_usage(jsonb, text) IS
    'reads a provider''s usage object, a whole response, or the events of a stream, into disjoint buckets; recognised by shape, or read as the named provider''s. Raises TB008 for an object that cannot be used, with the path and the reason';

CREATE TYPE tokbudget.listed_price AS (
    kind text,
    unit_price numeric,
    per integer,
    currency text,
    provider text,
    model text,
    region text,
    service_tier text,
    above_input_tokens bigint,
    minimum_charge numeric,
    effective_at timestamp with time zone,
    ends_at timestamp with time zone,
    origin text,
    source text,
    source_date date,
    price bigint
);
COMMENT ON TYPE tokbudget.listed_price IS 'one unit price that a request would get';
COMMENT ON COLUMN tokbudget.listed_price.kind IS 'kind of token, counter or meter';
COMMENT ON COLUMN tokbudget.listed_price.unit_price IS 'price of per units, in currency units';
COMMENT ON COLUMN tokbudget.listed_price.per IS 'how many units the price is for: 1,000,000 tokens or characters, 1 of anything else';
COMMENT ON COLUMN tokbudget.listed_price.currency IS 'currency of the price, ISO 4217';
COMMENT ON COLUMN tokbudget.listed_price.provider IS 'who sells the model that the name means';
COMMENT ON COLUMN tokbudget.listed_price.model IS 'canonical name of the model that the name means';
COMMENT ON COLUMN tokbudget.listed_price.region IS 'place for which the version holds';
COMMENT ON COLUMN tokbudget.listed_price.service_tier IS 'tier for which the version holds';
COMMENT ON COLUMN tokbudget.listed_price.above_input_tokens IS 'threshold above which the version holds';
COMMENT ON COLUMN tokbudget.listed_price.minimum_charge IS 'least that a request costs';
COMMENT ON COLUMN tokbudget.listed_price.effective_at IS 'first instant at which the version holds';
COMMENT ON COLUMN tokbudget.listed_price.ends_at IS 'first instant at which it no longer holds';
COMMENT ON COLUMN tokbudget.listed_price.origin IS 'book, import or user';
COMMENT ON COLUMN tokbudget.listed_price.source IS 'where the price comes from';
COMMENT ON COLUMN tokbudget.listed_price.source_date IS 'when the source last confirmed the price';
COMMENT ON COLUMN tokbudget.listed_price.price IS 'id of the version, as entries name it';

CREATE FUNCTION tokbudget._price(
    model text, at timestamp with time zone, region text, service_tier text, input_tokens bigint, currency text
) RETURNS bigint
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_price_wrapper';
COMMENT ON FUNCTION tokbudget._price(text, timestamp with time zone, text, text, bigint, text) IS
    'internal: the version of a price that a request gets, NULL when refused';

CREATE FUNCTION @extschema@.tb_price(
    model text,
    at timestamp with time zone DEFAULT NULL,
    region text DEFAULT NULL,
    service_tier text DEFAULT NULL,
    input_tokens bigint DEFAULT 0,
    currency text DEFAULT 'USD'
) RETURNS SETOF tokbudget.listed_price
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_id bigint := tokbudget._price(tb_price.model, tb_price.at, tb_price.region, tb_price.service_tier, tb_price.input_tokens,
        tb_price.currency);
BEGIN
    IF found_id IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN QUERY
        SELECT kind.key, kind.value::numeric, tokbudget._per(kind.key), price.currency, price.provider, price.model, price.region,
            price.service_tier, price.above_input_tokens, price.minimum_charge, price.effective_at, price.ends_at, price.origin,
            price.source, price.source_date, price.price_id
        FROM tokbudget.price, jsonb_each_text(price.unit_prices) AS kind
        WHERE price.price_id = found_id
        ORDER BY kind.key;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_price(text, timestamp with time zone, text, text, bigint, text) IS
    'the unit prices that a request to the model would get at an instant (now unless given), in a place, at a service tier, with so many input tokens. Raises TB007 when the model has no such price, naming the nearest known names';

CREATE TYPE tokbudget.cost_item AS (
    item text,
    quantity bigint,
    unit_price numeric,
    per integer,
    priced_as text,
    cost numeric,
    currency text,
    provider text,
    model text,
    price bigint
);
COMMENT ON TYPE tokbudget.cost_item IS 'one line of what a usage costs; the costs add up to what a commit books';
COMMENT ON COLUMN tokbudget.cost_item.item IS 'kind of token, counter or meter; minimum_charge for what that adds; rounding for what the one rounding adds or takes';
COMMENT ON COLUMN tokbudget.cost_item.quantity IS 'how many';
COMMENT ON COLUMN tokbudget.cost_item.unit_price IS 'price of per units, in currency units';
COMMENT ON COLUMN tokbudget.cost_item.per IS 'how many units the price is for: 1,000,000 tokens or characters, 1 of anything else';
COMMENT ON COLUMN tokbudget.cost_item.priced_as IS 'kind whose price it is: another one where a kind has none of its own and is billed as that';
COMMENT ON COLUMN tokbudget.cost_item.cost IS 'quantity times price, not rounded, in currency units';
COMMENT ON COLUMN tokbudget.cost_item.currency IS 'currency of the cost, ISO 4217';
COMMENT ON COLUMN tokbudget.cost_item.provider IS 'who sells it';
COMMENT ON COLUMN tokbudget.cost_item.model IS 'canonical name of the model that used it';
COMMENT ON COLUMN tokbudget.cost_item.price IS 'id of the version of the price';

CREATE FUNCTION tokbudget._cost(
    model text, usage text, at timestamp with time zone, region text, service_tier text, provider text, currency text
) RETURNS SETOF tokbudget.cost_item
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_cost_wrapper';
COMMENT ON FUNCTION tokbudget._cost(text, text, timestamp with time zone, text, text, text, text) IS
    'internal: tb_cost, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_cost(
    model text,
    usage jsonb,
    at timestamp with time zone DEFAULT NULL,
    region text DEFAULT NULL,
    service_tier text DEFAULT NULL,
    provider text DEFAULT NULL,
    currency text DEFAULT 'USD'
) RETURNS SETOF tokbudget.cost_item
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._cost(model, usage::text, at, region, service_tier, provider, currency);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_cost(text, jsonb, timestamp with time zone, text, text, text, text) IS
    'what a usage object costs at an instant (now unless given), line by line; the lines add up to what a commit of it books. usage may also hold "meters". region and service_tier are for what the usage object does not say; provider names its dialect. Raises TB007 without a price, TB008 for an object that cannot be used';
