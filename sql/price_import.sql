-- Import of published price files.

CREATE TYPE tokbudget.price_change AS (
    provider text,
    model text,
    change text,
    region text,
    service_tier text,
    above_input_tokens bigint,
    kind text,
    old_price numeric,
    new_price numeric,
    ratio numeric,
    reason text
);
COMMENT ON TYPE tokbudget.price_change IS 'what an import did to a model: one row, or one per price that changed';
COMMENT ON COLUMN tokbudget.price_change.provider IS 'who sells it; NULL for an entry that is no model';
COMMENT ON COLUMN tokbudget.price_change.model IS 'canonical name, or the name in the file for what was skipped';
COMMENT ON COLUMN tokbudget.price_change.change IS 'added, changed, unchanged, withdrawn (a tier or place that the file no longer has), unconfirmed (left as it was, because a price changes by more than a factor of 10), skipped';
COMMENT ON COLUMN tokbudget.price_change.region IS 'place of the price that changed';
COMMENT ON COLUMN tokbudget.price_change.service_tier IS 'tier of the price that changed';
COMMENT ON COLUMN tokbudget.price_change.above_input_tokens IS 'threshold of the price that changed';
COMMENT ON COLUMN tokbudget.price_change.kind IS 'kind of token, counter or meter whose price changed';
COMMENT ON COLUMN tokbudget.price_change.old_price IS 'price before; NULL for none';
COMMENT ON COLUMN tokbudget.price_change.new_price IS 'price in the file; NULL for none';
COMMENT ON COLUMN tokbudget.price_change.ratio IS 'new price over old price';
COMMENT ON COLUMN tokbudget.price_change.reason IS 'why it was skipped, or which parts of the entry could not be taken';

CREATE FUNCTION tokbudget._import_prices(
    document text, source text, effective_at timestamp with time zone, currency text, confirm boolean, origin text
) RETURNS SETOF tokbudget.price_change
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_import_prices_wrapper';
COMMENT ON FUNCTION tokbudget._import_prices(text, text, timestamp with time zone, text, boolean, text) IS
    'internal: tb_import_prices for any origin, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_import_prices(
    document jsonb,
    source text,
    effective_at timestamp with time zone DEFAULT pg_catalog.now(),
    currency text DEFAULT 'USD',
    confirm boolean DEFAULT false
) RETURNS SETOF tokbudget.price_change
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF effective_at IS NULL OR NOT effective_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC' OR currency IS NULL OR currency !~ '^[A-Z]{3}$'
        OR COALESCE(btrim(source), '') = '' OR confirm IS NULL
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid import',
            DETAIL = jsonb_build_object('source', source, 'effective_at', effective_at, 'currency', currency, 'confirm', confirm)::text,
            HINT = 'Say where the file comes from, with an effective_at from 1970 to 9999 and a currency of three letters.';
    END IF;
    LOCK TABLE tokbudget.price IN SHARE ROW EXCLUSIVE MODE;
    RETURN QUERY SELECT * FROM tokbudget._import_prices(document::text, source, effective_at, currency, confirm, 'import');
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_import_prices(jsonb, text, timestamp with time zone, text, boolean) IS
    'takes prices and model facts from the LiteLLM price file or the data file of genai-prices, as it is, and reports what it did to each model. Prices hold from effective_at on, those that the file dates from their date; the same file again changes nothing. What was set with tb_set_price keeps winning. A price that changes by more than a factor of 10 is left as it was until confirm => true. Raises TB008 for a document that is neither';
