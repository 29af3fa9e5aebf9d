-- What is known of a model beside its prices, and the names under which it goes. Like prices, rows have an origin: 'book'
-- ships with the extension, 'import' came with tb_import_prices, 'user' was set here; the later in this list wins.

CREATE FUNCTION tokbudget._canonical_provider(provider text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_canonical_provider_wrapper';
COMMENT ON FUNCTION tokbudget._canonical_provider(text) IS 'internal: the one spelling of a provider under which its prices are filed';

CREATE TABLE tokbudget.model (
    provider text NOT NULL,
    model text NOT NULL,
    origin text NOT NULL DEFAULT 'book',
    operation text,
    encoding text,
    count_basis text,
    context_tokens bigint,
    max_output_tokens bigint,
    deprecated_on date,
    source text NOT NULL,
    source_date date,
    CONSTRAINT model_pkey PRIMARY KEY (provider, model, origin),
    CONSTRAINT model_origin_check CHECK (origin OPERATOR(pg_catalog.=) ANY (ARRAY['book', 'import', 'user'])),
    CONSTRAINT model_count_basis_check CHECK (count_basis OPERATOR(pg_catalog.=) ANY (ARRAY['exact', 'estimated'])),
    CONSTRAINT model_tokens_check CHECK (
        context_tokens OPERATOR(pg_catalog.>) 0::bigint AND max_output_tokens OPERATOR(pg_catalog.>) 0::bigint
    )
);
COMMENT ON TABLE tokbudget.model IS 'catalogue of models: what they do, how their tokens are counted, how much they take';
COMMENT ON COLUMN tokbudget.model.provider IS 'who sells it';
COMMENT ON COLUMN tokbudget.model.model IS 'canonical name, without the provider';
COMMENT ON COLUMN tokbudget.model.origin IS 'book, import or user; the later wins';
COMMENT ON COLUMN tokbudget.model.operation IS 'what it does, in OpenTelemetry''s words: chat, embeddings, rerank, transcription, image_generation and the like';
COMMENT ON COLUMN tokbudget.model.encoding IS 'tokenizer that counts for it: an encoding or a model that tb_count_tokens knows; NULL where the name itself decides';
COMMENT ON COLUMN tokbudget.model.count_basis IS 'exact when encoding is the model''s own tokenizer, estimated when it stands in for one that is not public';
COMMENT ON COLUMN tokbudget.model.context_tokens IS 'most input tokens of a request';
COMMENT ON COLUMN tokbudget.model.max_output_tokens IS 'most output tokens of a request; what tb_reserve holds where the caller names no maximum';
COMMENT ON COLUMN tokbudget.model.deprecated_on IS 'day on which the provider stops serving it';
COMMENT ON COLUMN tokbudget.model.source IS 'where the facts come from';
COMMENT ON COLUMN tokbudget.model.source_date IS 'when the source last confirmed them';

CREATE FUNCTION tokbudget._check_pattern(pattern jsonb) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_pattern_wrapper';
COMMENT ON FUNCTION tokbudget._check_pattern(jsonb) IS 'internal: whether a pattern of a model alias can be used';

CREATE TABLE tokbudget.model_alias (
    provider text NOT NULL,
    model text NOT NULL,
    pattern jsonb NOT NULL,
    origin text NOT NULL DEFAULT 'book',
    precedence integer NOT NULL DEFAULT 0,
    is_default_provider boolean NOT NULL DEFAULT false,
    -- What an index can find; every other pattern is tried one by one, and only for names that nothing else explains.
    name text GENERATED ALWAYS AS (pg_catalog.lower((pattern OPERATOR(pg_catalog.->>) 'equals') COLLATE pg_catalog."C")) STORED,
    source text NOT NULL,
    CONSTRAINT model_alias_pkey PRIMARY KEY (provider, model, pattern, origin),
    CONSTRAINT model_alias_origin_check CHECK (origin OPERATOR(pg_catalog.=) ANY (ARRAY['book', 'import', 'user'])),
    CONSTRAINT model_alias_pattern_check CHECK (tokbudget._check_pattern(pattern))
);
CREATE INDEX model_alias_name_idx ON tokbudget.model_alias (name);
COMMENT ON TABLE tokbudget.model_alias IS 'other names of a model, and patterns of names';
COMMENT ON COLUMN tokbudget.model_alias.provider IS 'provider of the model meant';
COMMENT ON COLUMN tokbudget.model_alias.model IS 'canonical name of the model meant';
COMMENT ON COLUMN tokbudget.model_alias.pattern IS 'one of {"equals": …}, {"starts_with": …}, {"ends_with": …}, {"contains": …}, {"regex": …}, {"or": […]}, {"and": […]}; letter case does not matter';
COMMENT ON COLUMN tokbudget.model_alias.origin IS 'book, import or user; the later wins';
COMMENT ON COLUMN tokbudget.model_alias.precedence IS 'among patterns that match a name, the highest wins';
COMMENT ON COLUMN tokbudget.model_alias.is_default_provider IS 'whether the name without a provider means this one, although others sell the model too';
COMMENT ON COLUMN tokbudget.model_alias.name IS 'the name in lower case, where the pattern is a plain one';
COMMENT ON COLUMN tokbudget.model_alias.source IS 'where the alias comes from';

CREATE TRIGGER model_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.model
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.model ENABLE ALWAYS TRIGGER model_changed;
CREATE TRIGGER model_alias_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.model_alias
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.model_alias ENABLE ALWAYS TRIGGER model_alias_changed;

CREATE FUNCTION @extschema@.tb_set_model(
    model text,
    provider text,
    aliases text[] DEFAULT '{}',
    patterns jsonb DEFAULT '[]',
    encoding text DEFAULT NULL,
    count_basis text DEFAULT NULL,
    operation text DEFAULT NULL,
    context_tokens bigint DEFAULT NULL,
    max_output_tokens bigint DEFAULT NULL,
    deprecated_on date DEFAULT NULL,
    is_default_provider boolean DEFAULT false,
    precedence integer DEFAULT 0,
    source text DEFAULT 'tb_set_model'
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    seller CONSTANT text := tokbudget._canonical_provider(tb_set_model.provider);
    given jsonb;
BEGIN
    IF COALESCE(btrim(tb_set_model.model), '') = '' OR COALESCE(btrim(tb_set_model.provider), '') = ''
        OR tb_set_model.aliases IS NULL OR '' = ANY (tb_set_model.aliases)
        OR array_ndims(tb_set_model.aliases) > 1 OR EXISTS (SELECT FROM unnest(tb_set_model.aliases) AS a WHERE a IS NULL)
        OR tb_set_model.patterns IS NULL OR jsonb_typeof(tb_set_model.patterns) <> 'array'
        OR tb_set_model.context_tokens <= 0 OR tb_set_model.max_output_tokens <= 0
        OR tb_set_model.is_default_provider IS NULL OR tb_set_model.precedence IS NULL OR tb_set_model.source IS NULL
        OR NOT tb_set_model.count_basis = ANY (ARRAY['exact', 'estimated'])
        OR (tb_set_model.encoding IS NULL) <> (tb_set_model.count_basis IS NULL)
        OR (tb_set_model.encoding IS NOT NULL AND NOT tokbudget._check_encoding(tb_set_model.encoding))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid model',
            DETAIL = jsonb_build_object('model', tb_set_model.model, 'provider', tb_set_model.provider, 'aliases', tb_set_model.aliases,
                'encoding', tb_set_model.encoding, 'count_basis', tb_set_model.count_basis)::text,
            HINT = 'Give model and provider; with an encoding that tb_count_tokens knows also whether it is exact or estimated; counts above zero.';
    END IF;
    FOR given IN SELECT p FROM jsonb_array_elements(tb_set_model.patterns) AS p LOOP
        IF NOT tokbudget._check_pattern(given) THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid pattern',
                DETAIL = jsonb_build_object('model', tb_set_model.model, 'pattern', given)::text,
                HINT = 'A pattern is an object such as {"starts_with": "acme-"}; also equals, ends_with, contains, regex, or, and.';
        END IF;
    END LOOP;
    INSERT INTO tokbudget.model (provider, model, origin, operation, encoding, count_basis, context_tokens, max_output_tokens,
        deprecated_on, source, source_date)
    VALUES (seller, tb_set_model.model, 'user', tb_set_model.operation, tb_set_model.encoding, tb_set_model.count_basis,
        tb_set_model.context_tokens, tb_set_model.max_output_tokens, tb_set_model.deprecated_on, tb_set_model.source,
        (now() AT TIME ZONE 'UTC')::date)
    ON CONFLICT (provider, model, origin) DO UPDATE SET operation = excluded.operation, encoding = excluded.encoding,
        count_basis = excluded.count_basis, context_tokens = excluded.context_tokens, max_output_tokens = excluded.max_output_tokens,
        deprecated_on = excluded.deprecated_on, source = excluded.source, source_date = excluded.source_date;
    DELETE FROM tokbudget.model_alias
    WHERE model_alias.provider = seller AND model_alias.model = tb_set_model.model AND model_alias.origin = 'user';
    INSERT INTO tokbudget.model_alias (provider, model, pattern, origin, precedence, is_default_provider, source)
    SELECT DISTINCT ON (p) seller, tb_set_model.model, p, 'user', tb_set_model.precedence,
        tb_set_model.is_default_provider, tb_set_model.source
    FROM (
        SELECT jsonb_build_object('equals', a) FROM unnest(tb_set_model.aliases) AS a
        UNION ALL SELECT e FROM jsonb_array_elements(tb_set_model.patterns) AS e
        UNION ALL SELECT jsonb_build_object('equals', tb_set_model.model) WHERE tb_set_model.is_default_provider
    ) AS given (p)
    ORDER BY p;
    IF tb_set_model.is_default_provider THEN
        -- A name means one provider by default, the last that was said.
        UPDATE tokbudget.model_alias AS other SET is_default_provider = false
        FROM tokbudget.model_alias AS mine
        WHERE mine.provider = seller AND mine.model = tb_set_model.model AND mine.origin = 'user'
            AND other.origin = 'user' AND other.is_default_provider AND (other.provider, other.model) <> (mine.provider, mine.model)
            AND (other.pattern = mine.pattern OR other.name = mine.name);
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_model(text, text, text[], jsonb, text, text, text, bigint, bigint, date, boolean, integer, text) IS
    'describes a model of a provider: its other names (aliases, and patterns such as [{"starts_with": "acme-"}] with their precedence), the encoding that counts for it and whether that is exact or estimated, what it does, how many tokens it takes and gives. Again with the same name it replaces what was set. is_default_provider makes the name without a provider mean this one. Raises TB008 for what cannot be used';
