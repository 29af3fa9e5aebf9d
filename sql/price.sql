-- The price book. A row is one version of a model's prices under fixed circumstances: provider, currency, place, tier, length.
-- Versions of the same circumstances (a series) never overlap in time. A version's prices never change: a new price ends the
-- one before it, a correction supersedes it, so that an entry's price_id always names what was really used.
--
-- Three origins, whole models at a time: what a user sets ('user') wins over what was imported ('import'), and that over what
-- ships with the extension ('book'). Only the first two are in a dump; CREATE EXTENSION loads the book.

CREATE FUNCTION tokbudget._check_unit_prices(unit_prices jsonb) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_unit_prices_wrapper';
COMMENT ON FUNCTION tokbudget._check_unit_prices(jsonb) IS 'internal: whether the object can be used as unit prices';

CREATE TABLE tokbudget.price (
    -- Derived from what the row says, so that an entry's price is the same row again after a restore, which loads the
    -- shipped book anew.
    price_id bigint NOT NULL GENERATED ALWAYS AS ((
        'x' OPERATOR(pg_catalog.||) pg_catalog.substr(pg_catalog.md5(
            model OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            provider OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            currency OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            origin OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            region OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            service_tier OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            above_input_tokens::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            (pg_catalog.date_part('epoch', pg_catalog.timezone('UTC', effective_at))
                OPERATOR(pg_catalog.*) 1000000::pg_catalog.float8)::pg_catalog.int8::pg_catalog.text
                OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            unit_prices::pg_catalog.text OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            COALESCE(minimum_charge::pg_catalog.text, '') OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            COALESCE(max_input_tokens::pg_catalog.text, '')
        ), 1, 15)
    )::pg_catalog.bit(60)::pg_catalog.int8) STORED,
    model text NOT NULL,
    provider text NOT NULL,
    currency text NOT NULL DEFAULT 'USD',
    region text NOT NULL DEFAULT 'any',
    service_tier text NOT NULL DEFAULT 'standard',
    above_input_tokens bigint NOT NULL DEFAULT 0,
    effective_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone,
    unit_prices jsonb NOT NULL,
    minimum_charge numeric,
    max_input_tokens bigint,
    covers text[] NOT NULL DEFAULT '{}',
    origin text NOT NULL DEFAULT 'book',
    source text NOT NULL,
    source_date date,
    superseded_at timestamp with time zone,
    series_id bigint NOT NULL GENERATED ALWAYS AS ((
        'x' OPERATOR(pg_catalog.||) pg_catalog.substr(pg_catalog.md5(
            model OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            provider OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            currency OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            origin OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            region OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            service_tier OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            above_input_tokens::pg_catalog.text
        ), 1, 15)
    )::pg_catalog.bit(60)::pg_catalog.int8) STORED,
    CONSTRAINT price_pkey PRIMARY KEY (price_id),
    CONSTRAINT price_origin_check CHECK (origin OPERATOR(pg_catalog.=) ANY (ARRAY['book', 'import', 'user'])),
    CONSTRAINT price_tokens_check CHECK (
        above_input_tokens OPERATOR(pg_catalog.>=) 0::bigint AND max_input_tokens OPERATOR(pg_catalog.>) above_input_tokens
    ),
    CONSTRAINT price_period_check CHECK (ends_at OPERATOR(pg_catalog.>) effective_at),
    CONSTRAINT price_unit_prices_check CHECK (tokbudget._check_unit_prices(unit_prices)),
    CONSTRAINT price_minimum_charge_check CHECK (minimum_charge OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')),
    -- Core PostgreSQL has no GiST class for text, and an extension that needs btree_gist could not be created by itself. So a
    -- series is compared by a hash, as a range of one number: two series that share one of the 2^60 would refuse each
    -- other's prices, never mix them.
    CONSTRAINT price_no_overlap EXCLUDE USING gist (
        pg_catalog.int8range(series_id, series_id, '[]') WITH OPERATOR(pg_catalog.&&),
        pg_catalog.tstzrange(effective_at, ends_at, '[)') WITH OPERATOR(pg_catalog.&&)
    ) WHERE (superseded_at IS NULL)
);
CREATE INDEX price_model_idx ON tokbudget.price (model, provider) WHERE superseded_at IS NULL;
COMMENT ON TABLE tokbudget.price IS 'price book: versions of a model''s unit prices, in currency units, with the time in which they hold';
COMMENT ON COLUMN tokbudget.price.price_id IS 'id that entries name, derived from what the row says';
COMMENT ON COLUMN tokbudget.price.model IS 'canonical name of the model; for provider meter the name of a meter';
COMMENT ON COLUMN tokbudget.price.provider IS 'who sells it; meter for what a meter costs whatever the model';
COMMENT ON COLUMN tokbudget.price.currency IS 'currency of the prices, ISO 4217';
COMMENT ON COLUMN tokbudget.price.region IS 'place for which it holds; any for every place that has no price of its own';
COMMENT ON COLUMN tokbudget.price.service_tier IS 'tier for which it holds: standard, batch, flex, priority, fast and whatever else a provider has';
COMMENT ON COLUMN tokbudget.price.above_input_tokens IS 'holds for requests of more input tokens than this, every token of them';
COMMENT ON COLUMN tokbudget.price.effective_at IS 'first instant at which it holds';
COMMENT ON COLUMN tokbudget.price.ends_at IS 'first instant at which it no longer holds; NULL for no end in sight';
COMMENT ON COLUMN tokbudget.price.unit_prices IS 'object from kind to price: per 1,000,000 tokens or characters, per 1 of anything else; a name that is no kind of token is a meter';
COMMENT ON COLUMN tokbudget.price.minimum_charge IS 'least that a request costs';
COMMENT ON COLUMN tokbudget.price.max_input_tokens IS 'the price holds for requests of up to so many input tokens; a longer one is refused as unpriced';
COMMENT ON COLUMN tokbudget.price.covers IS 'surcharges that a response may state and that the price includes already, such as region:us';
COMMENT ON COLUMN tokbudget.price.origin IS 'book for what ships with the extension, import for tb_import_prices, user for tb_set_price; the later wins';
COMMENT ON COLUMN tokbudget.price.source IS 'where the price comes from';
COMMENT ON COLUMN tokbudget.price.source_date IS 'when the source last confirmed the price';
COMMENT ON COLUMN tokbudget.price.series_id IS 'number of the circumstances; versions of one series never overlap in time';
COMMENT ON COLUMN tokbudget.price.superseded_at IS 'when it turned out to be wrong and was replaced; kept because entries name it';

CREATE TRIGGER price_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.price
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.price ENABLE ALWAYS TRIGGER price_changed;

CREATE FUNCTION tokbudget._normal_unit_prices(unit_prices text) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_normal_unit_prices_wrapper';
COMMENT ON FUNCTION tokbudget._normal_unit_prices(text) IS 'internal: the same prices without nulls and trailing zeros; NULL and a refusal put aside for what cannot be used';

CREATE FUNCTION tokbudget._canonical_tier(service_tier text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_canonical_tier_wrapper';
COMMENT ON FUNCTION tokbudget._canonical_tier(text) IS 'internal: the one spelling of a service tier under which its prices are filed';

CREATE FUNCTION tokbudget._check_meter(meter text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_meter_wrapper';
COMMENT ON FUNCTION tokbudget._check_meter(text) IS 'internal: whether a price may be set for the meter by itself';

CREATE FUNCTION tokbudget._set_price(
    model text,
    provider text,
    input_price numeric,
    output_price numeric,
    cache_read_price numeric,
    cache_write_price numeric,
    cache_write_1h_price numeric,
    unit_prices jsonb,
    region text,
    service_tier text,
    above_input_tokens bigint,
    minimum_charge numeric,
    max_input_tokens bigint,
    covers text[],
    currency text,
    effective_at timestamp with time zone,
    ends_at timestamp with time zone,
    source text,
    replace boolean
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    prices jsonb;
    following_at timestamptz;
    present tokbudget.price;
    new_id bigint;
BEGIN
    IF _set_price.unit_prices IS NULL OR jsonb_typeof(_set_price.unit_prices) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid price',
            DETAIL = jsonb_build_object('model', _set_price.model, 'unit_prices', _set_price.unit_prices)::text,
            HINT = 'unit_prices is an object such as {"input_audio": 40, "searches": 0.01}.';
    END IF;
    prices := tokbudget._normal_unit_prices((_set_price.unit_prices || jsonb_strip_nulls(jsonb_build_object(
        'input', _set_price.input_price, 'output', _set_price.output_price,
        'cache_read', _set_price.cache_read_price, 'cache_write', _set_price.cache_write_price,
        'cache_write_1h', _set_price.cache_write_1h_price)))::text);
    IF prices IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    IF COALESCE(btrim(_set_price.model), '') = '' OR COALESCE(btrim(_set_price.provider), '') = ''
        OR COALESCE(btrim(_set_price.region), '') = '' OR COALESCE(btrim(_set_price.service_tier), '') = ''
        OR _set_price.effective_at IS NULL OR NOT _set_price.effective_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC'
        OR _set_price.ends_at <= _set_price.effective_at OR _set_price.ends_at > '9999-12-31 UTC'
        OR _set_price.currency IS NULL OR _set_price.currency !~ '^[A-Z]{3}$'
        OR _set_price.source IS NULL OR _set_price.covers IS NULL
        OR array_ndims(_set_price.covers) > 1 OR EXISTS (SELECT FROM unnest(_set_price.covers) AS c WHERE c IS NULL)
        OR _set_price.above_input_tokens IS NULL OR _set_price.above_input_tokens < 0
        OR _set_price.max_input_tokens <= _set_price.above_input_tokens OR _set_price.replace IS NULL
        OR _set_price.minimum_charge < 0 OR _set_price.minimum_charge > 1000000 OR scale(trim_scale(_set_price.minimum_charge)) > 9
        OR prices = '{}'
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'incomplete price',
            DETAIL = jsonb_build_object('model', _set_price.model, 'provider', _set_price.provider,
                'currency', _set_price.currency, 'effective_at', _set_price.effective_at, 'ends_at', _set_price.ends_at)::text,
            HINT = 'Give model, provider, at least one price, a currency of three letters and an effective_at from 1970 to 9999. A price of 0 is a price; NULL is none.';
    END IF;

    -- Whoever changes prices waits for whoever does so already; readers are not held up.
    LOCK TABLE tokbudget.price IN SHARE ROW EXCLUSIVE MODE;
    SELECT price.* INTO present FROM tokbudget.price
    WHERE price.origin = 'user' AND price.model = _set_price.model AND price.provider = _set_price.provider
        AND price.currency = _set_price.currency AND price.region = _set_price.region
        AND price.service_tier = _set_price.service_tier AND price.above_input_tokens = _set_price.above_input_tokens
        AND price.superseded_at IS NULL AND price.effective_at <= _set_price.effective_at
        AND (price.ends_at IS NULL OR price.ends_at > _set_price.effective_at);
    SELECT min(price.effective_at) INTO following_at FROM tokbudget.price
    WHERE price.origin = 'user' AND price.model = _set_price.model AND price.provider = _set_price.provider
        AND price.currency = _set_price.currency AND price.region = _set_price.region
        AND price.service_tier = _set_price.service_tier AND price.above_input_tokens = _set_price.above_input_tokens
        AND price.superseded_at IS NULL AND price.effective_at > _set_price.effective_at;
    IF present.effective_at = _set_price.effective_at THEN
        IF NOT _set_price.replace THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'price exists',
                DETAIL = jsonb_build_object('model', _set_price.model, 'provider', _set_price.provider,
                    'currency', _set_price.currency, 'effective_at', _set_price.effective_at, 'price', present.price_id)::text,
                HINT = 'Set a new price with a later effective_at; if this one was wrong, say replace => true and re-rate with tb_rerate().';
        END IF;
        UPDATE tokbudget.price SET superseded_at = clock_timestamp() WHERE price.price_id = present.price_id;
    ELSIF present.price_id IS NOT NULL THEN
        UPDATE tokbudget.price SET ends_at = _set_price.effective_at WHERE price.price_id = present.price_id;
    END IF;
    INSERT INTO tokbudget.price (model, provider, currency, region, service_tier, above_input_tokens, effective_at, ends_at,
        unit_prices, minimum_charge, max_input_tokens, covers, origin, source, source_date)
    VALUES (_set_price.model, _set_price.provider, _set_price.currency, _set_price.region, _set_price.service_tier,
        _set_price.above_input_tokens, _set_price.effective_at, LEAST(following_at, _set_price.ends_at), prices,
        trim_scale(_set_price.minimum_charge), _set_price.max_input_tokens, _set_price.covers, 'user', _set_price.source,
        (now() AT TIME ZONE 'UTC')::date)
    -- A price that was superseded and turns out to be right after all is that same version again.
    ON CONFLICT (price_id) DO UPDATE SET superseded_at = NULL, ends_at = excluded.ends_at, covers = excluded.covers,
        source = excluded.source, source_date = excluded.source_date
    RETURNING price.price_id INTO new_id;
    RETURN new_id;
END;
$$;
COMMENT ON FUNCTION tokbudget._set_price(text, text, numeric, numeric, numeric, numeric, numeric, jsonb, text, text, bigint, numeric, bigint, text[], text, timestamp with time zone, timestamp with time zone, text, boolean) IS 'internal: shared body of tb_set_price and tb_set_meter_price';

CREATE FUNCTION @extschema@.tb_set_price(
    model text,
    provider text,
    input_price numeric DEFAULT NULL,
    output_price numeric DEFAULT NULL,
    cache_read_price numeric DEFAULT NULL,
    cache_write_price numeric DEFAULT NULL,
    cache_write_1h_price numeric DEFAULT NULL,
    unit_prices jsonb DEFAULT '{}',
    region text DEFAULT 'any',
    service_tier text DEFAULT 'standard',
    above_input_tokens bigint DEFAULT 0,
    minimum_charge numeric DEFAULT NULL,
    max_input_tokens bigint DEFAULT NULL,
    covers text[] DEFAULT '{}',
    currency text DEFAULT 'USD',
    effective_at timestamp with time zone DEFAULT pg_catalog.now(),
    ends_at timestamp with time zone DEFAULT NULL,
    source text DEFAULT 'tb_set_price',
    replace boolean DEFAULT false
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tokbudget._canonical_provider(provider) = 'meter' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'incomplete price',
            DETAIL = jsonb_build_object('model', model, 'provider', provider)::text,
            HINT = 'No provider is called meter; set the price of a meter with tb_set_meter_price().';
    END IF;
    RETURN tokbudget._set_price(model, tokbudget._canonical_provider(provider), input_price, output_price, cache_read_price, cache_write_price, cache_write_1h_price,
        unit_prices, region, tokbudget._canonical_tier(service_tier), above_input_tokens, minimum_charge, max_input_tokens, covers, currency, effective_at,
        ends_at, source, replace);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_price(text, text, numeric, numeric, numeric, numeric, numeric, jsonb, text, text, bigint, numeric, bigint, text[], text, timestamp with time zone, timestamp with time zone, text, boolean) IS
    'sets a model''s prices from effective_at until the next price or ends_at, and returns the id of this version: per 1,000,000 tokens or characters, per 1 of anything else (unit_prices names any other kind or meter); 0 is a price, NULL is none. region, service_tier and above_input_tokens say under which circumstances it holds. replace => true supersedes a wrong price that began at the same instant. Raises TB008 for an invalid or repeated price';

CREATE FUNCTION @extschema@.tb_set_meter_price(
    meter text,
    unit_price numeric,
    currency text DEFAULT 'USD',
    effective_at timestamp with time zone DEFAULT pg_catalog.now(),
    source text DEFAULT 'tb_set_meter_price',
    replace boolean DEFAULT false
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF meter IS NULL OR unit_price IS NULL OR NOT tokbudget._check_meter(meter) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'incomplete price',
            DETAIL = jsonb_build_object('meter', meter, 'unit_price', unit_price::text)::text,
            HINT = 'Give the meter and the price of one unit of it; 0 is a price. Kinds of token are priced with their model, by tb_set_price().';
    END IF;
    RETURN tokbudget._set_price(meter, 'meter', NULL, NULL, NULL, NULL, NULL, jsonb_build_object(meter, unit_price * tokbudget._per(meter)), 'any', 'standard',
        0, NULL, NULL, '{}', currency, effective_at, NULL, source, replace);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_meter_price(text, numeric, text, timestamp with time zone, text, boolean) IS
    'sets what one unit of a meter (tool_calls, retrievals, compute_seconds, any declared one) costs whatever the model, from effective_at on. A model''s own price for the meter wins. Raises TB008 for an invalid or repeated price';

CREATE FUNCTION tokbudget._per(kind text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_per_wrapper';
COMMENT ON FUNCTION tokbudget._per(text) IS 'internal: how many of a kind its unit price is for';

CREATE VIEW tokbudget.unit_price AS
SELECT
    price.provider,
    price.model,
    kind.key AS kind,
    kind.value::pg_catalog.numeric AS unit_price,
    tokbudget._per(kind.key) AS per,
    price.currency,
    price.region,
    price.service_tier,
    price.above_input_tokens,
    price.effective_at,
    price.ends_at,
    price.origin,
    price.source,
    price.source_date,
    price.price_id
FROM tokbudget.price
CROSS JOIN LATERAL pg_catalog.jsonb_each_text(price.unit_prices) AS kind (key, value)
WHERE price.superseded_at IS NULL;
COMMENT ON VIEW tokbudget.unit_price IS 'price book with one row per version and kind';
COMMENT ON COLUMN tokbudget.unit_price.provider IS 'who sells it';
COMMENT ON COLUMN tokbudget.unit_price.model IS 'canonical name of the model';
COMMENT ON COLUMN tokbudget.unit_price.kind IS 'kind of token, counter or meter';
COMMENT ON COLUMN tokbudget.unit_price.unit_price IS 'price of per units, in currency units';
COMMENT ON COLUMN tokbudget.unit_price.per IS 'how many units the price is for: 1,000,000 tokens or characters, 1 of anything else';
COMMENT ON COLUMN tokbudget.unit_price.currency IS 'currency of the price, ISO 4217';
COMMENT ON COLUMN tokbudget.unit_price.region IS 'place for which it holds; any for every place that has no price of its own';
COMMENT ON COLUMN tokbudget.unit_price.service_tier IS 'tier for which it holds';
COMMENT ON COLUMN tokbudget.unit_price.above_input_tokens IS 'holds for requests of more input tokens than this';
COMMENT ON COLUMN tokbudget.unit_price.effective_at IS 'first instant at which it holds';
COMMENT ON COLUMN tokbudget.unit_price.ends_at IS 'first instant at which it no longer holds; NULL for no end in sight';
COMMENT ON COLUMN tokbudget.unit_price.origin IS 'book, import or user; the later wins';
COMMENT ON COLUMN tokbudget.unit_price.source IS 'where the price comes from';
COMMENT ON COLUMN tokbudget.unit_price.source_date IS 'when the source last confirmed the price';
COMMENT ON COLUMN tokbudget.unit_price.price_id IS 'version of the price, as entries name it';
