-- Prices by model and the instant from which they hold. A price ends where the next one of its model, currency and origin
-- begins, so two prices can never be valid at once. The shipped book has origin 'book'; what users set has origin 'user',
-- wins over the book, and is what a dump carries.

CREATE TABLE tokbudget.price (
    -- Derived from the natural key, so that an entry's price is the same row again after a restore, which loads the
    -- shipped book anew.
    price_id bigint NOT NULL GENERATED ALWAYS AS ((
        'x' OPERATOR(pg_catalog.||) pg_catalog.substr(pg_catalog.md5(
            model OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            provider OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            currency OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            origin OPERATOR(pg_catalog.||) pg_catalog.chr(10) OPERATOR(pg_catalog.||)
            (pg_catalog.date_part('epoch', pg_catalog.timezone('UTC', effective_at))
                OPERATOR(pg_catalog.*) 1000000::pg_catalog.float8)::pg_catalog.int8::pg_catalog.text
        ), 1, 15)
    )::pg_catalog.bit(60)::pg_catalog.int8) STORED,
    model text NOT NULL,
    provider text NOT NULL,
    currency text NOT NULL DEFAULT 'USD',
    effective_at timestamp with time zone NOT NULL,
    origin text NOT NULL DEFAULT 'book',
    max_input_tokens bigint,
    input_price numeric,
    cache_read_price numeric,
    cache_write_price numeric,
    cache_write_1h_price numeric,
    output_price numeric,
    reasoning_price numeric,
    web_search_price numeric,
    input_audio_price numeric,
    input_image_price numeric,
    output_audio_price numeric,
    output_image_price numeric,
    covers text[] NOT NULL DEFAULT '{}',
    source text NOT NULL,
    source_date date,
    CONSTRAINT price_pkey PRIMARY KEY (price_id),
    CONSTRAINT price_model_key UNIQUE (model, provider, currency, origin, effective_at),
    CONSTRAINT price_origin_check CHECK (origin OPERATOR(pg_catalog.=) ANY (ARRAY['book', 'user'])),
    CONSTRAINT price_max_input_tokens_check CHECK (max_input_tokens OPERATOR(pg_catalog.>) 0::bigint),
    CONSTRAINT price_range_check CHECK (
        input_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND cache_read_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND cache_write_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND cache_write_1h_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND output_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND reasoning_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND web_search_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND input_audio_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND input_image_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND output_audio_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
        AND output_image_price OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000000, '[]')
    )
);
COMMENT ON TABLE tokbudget.price IS 'price book: unit prices per 1,000,000 tokens, in currency units, from effective_at on';
COMMENT ON COLUMN tokbudget.price.price_id IS 'id that entries name, derived from model, provider, currency, origin and effective_at';
COMMENT ON COLUMN tokbudget.price.model IS 'name of the model';
COMMENT ON COLUMN tokbudget.price.provider IS 'who sells it';
COMMENT ON COLUMN tokbudget.price.currency IS 'currency of the prices, ISO 4217';
COMMENT ON COLUMN tokbudget.price.effective_at IS 'first instant at which the prices hold, until the next of the same model';
COMMENT ON COLUMN tokbudget.price.input_price IS 'price of input that was neither read from nor written to a cache';
COMMENT ON COLUMN tokbudget.price.cache_read_price IS 'price of input read from a cache';
COMMENT ON COLUMN tokbudget.price.cache_write_1h_price IS 'price of input written to a cache for an hour';
COMMENT ON COLUMN tokbudget.price.output_price IS 'price of output; NULL for a model that has none';
COMMENT ON COLUMN tokbudget.price.reasoning_price IS 'price of reasoning; NULL where it is billed as output';
COMMENT ON COLUMN tokbudget.price.source_date IS 'when the source last confirmed the price';
COMMENT ON COLUMN tokbudget.price.origin IS 'book for the prices that ship with the extension, user for those set here; user wins';
COMMENT ON COLUMN tokbudget.price.max_input_tokens IS 'the price holds for requests of up to so many input tokens; a longer one is refused as unpriced';
COMMENT ON COLUMN tokbudget.price.cache_write_price IS 'price of cache writes with the provider''s default lifetime (Anthropic: 5 minutes)';
COMMENT ON COLUMN tokbudget.price.web_search_price IS 'price of 1,000,000 web searches that the provider runs for a request';
COMMENT ON COLUMN tokbudget.price.input_audio_price IS 'price of audio input';
COMMENT ON COLUMN tokbudget.price.input_image_price IS 'price of image input; NULL where it is billed as input';
COMMENT ON COLUMN tokbudget.price.output_audio_price IS 'price of audio output';
COMMENT ON COLUMN tokbudget.price.output_image_price IS 'price of image output';
COMMENT ON COLUMN tokbudget.price.covers IS 'surcharges that the prices include, such as service_tier:priority; a response that states any other is refused as unpriced';
COMMENT ON COLUMN tokbudget.price.source IS 'where the price was read';

CREATE FUNCTION @extschema@.tb_set_price(
    model text,
    provider text,
    input_price numeric,
    output_price numeric,
    cache_read_price numeric DEFAULT NULL,
    cache_write_price numeric DEFAULT NULL,
    cache_write_1h_price numeric DEFAULT NULL,
    reasoning_price numeric DEFAULT NULL,
    web_search_price numeric DEFAULT NULL,
    input_audio_price numeric DEFAULT NULL,
    input_image_price numeric DEFAULT NULL,
    output_audio_price numeric DEFAULT NULL,
    output_image_price numeric DEFAULT NULL,
    covers text[] DEFAULT '{}',
    max_input_tokens bigint DEFAULT NULL,
    currency text DEFAULT 'USD',
    effective_at timestamp with time zone DEFAULT pg_catalog.now(),
    source text DEFAULT 'tb_set_price'
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    new_id bigint;
    given numeric;
BEGIN
    FOREACH given IN ARRAY ARRAY[tb_set_price.input_price, tb_set_price.output_price, tb_set_price.cache_read_price,
        tb_set_price.cache_write_price, tb_set_price.cache_write_1h_price, tb_set_price.reasoning_price, tb_set_price.web_search_price,
        tb_set_price.input_audio_price, tb_set_price.input_image_price, tb_set_price.output_audio_price,
        tb_set_price.output_image_price]
    LOOP
        IF given < 0 OR given > 1000000 OR scale(trim_scale(given)) > 12 OR given = 'NaN' THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid price',
                DETAIL = jsonb_build_object('model', tb_set_price.model, 'price', given::text)::text,
                HINT = 'A price is per 1,000,000 tokens, between 0 and 1000000, with at most twelve decimals.';
        END IF;
    END LOOP;
    IF COALESCE(btrim(tb_set_price.model), '') = '' OR COALESCE(btrim(tb_set_price.provider), '') = ''
        OR tb_set_price.effective_at IS NULL OR NOT tb_set_price.effective_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC'
        OR tb_set_price.currency IS NULL OR tb_set_price.currency !~ '^[A-Z]{3}$'
        OR tb_set_price.source IS NULL OR tb_set_price.covers IS NULL OR array_position(tb_set_price.covers, NULL) IS NOT NULL OR tb_set_price.max_input_tokens <= 0
        OR (tb_set_price.input_price IS NULL AND tb_set_price.output_price IS NULL)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'incomplete price',
            DETAIL = jsonb_build_object('model', tb_set_price.model, 'provider', tb_set_price.provider,
                'currency', tb_set_price.currency, 'effective_at', tb_set_price.effective_at)::text,
            HINT = 'Give model, provider, an input or output price, a currency of three letters and an effective_at from 1970 to 9999. A price of 0 is a price; NULL is none.';
    END IF;
    INSERT INTO tokbudget.price (
        model, provider, currency, effective_at, origin, max_input_tokens, input_price, cache_read_price,
        cache_write_price, cache_write_1h_price, output_price, reasoning_price, web_search_price, input_audio_price,
        input_image_price, output_audio_price, output_image_price, covers, source, source_date)
    VALUES (
        tb_set_price.model, tb_set_price.provider, tb_set_price.currency, tb_set_price.effective_at, 'user',
        tb_set_price.max_input_tokens, tb_set_price.input_price, tb_set_price.cache_read_price,
        tb_set_price.cache_write_price, tb_set_price.cache_write_1h_price, tb_set_price.output_price,
        tb_set_price.reasoning_price, tb_set_price.web_search_price, tb_set_price.input_audio_price,
        tb_set_price.input_image_price, tb_set_price.output_audio_price, tb_set_price.output_image_price,
        tb_set_price.covers, tb_set_price.source, (now() AT TIME ZONE 'UTC')::date)
    RETURNING price.price_id INTO new_id;
    RETURN new_id;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'price exists',
            DETAIL = jsonb_build_object('model', tb_set_price.model, 'provider', tb_set_price.provider,
                'currency', tb_set_price.currency, 'effective_at', tb_set_price.effective_at)::text,
            HINT = 'Entries name the price they used, so a price is never changed; set a new one with a later effective_at.';
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_price(text, text, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric, text[], bigint, text, timestamp with time zone, text) IS
    'sets a model''s prices per 1,000,000 tokens from effective_at on; 0 is a price, NULL is none. Raises TB008 for an invalid or repeated price';
