-- Compares two imported price lists, in the currencies LIT (litellm) and GEN (genai-prices), and prints what both say.
-- Variables: day, source, rows_file, differences_file.
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
-- psql replaces no variables within a function's body.
SELECT set_config('price_book.day', :'day', false) \g /dev/null

CREATE TABLE provider AS
SELECT unnest(ARRAY['openai', 'anthropic', 'gemini', 'vertex_ai', 'bedrock', 'azure', 'mistral', 'cohere', 'xai', 'deepseek', 'groq',
    'perplexity', 'together_ai', 'fireworks_ai', 'cerebras', 'moonshot', 'voyage']) AS provider;

-- What litellm lists for these providers today.
CREATE TABLE listed AS
SELECT price.* FROM tokbudget.price JOIN provider USING (provider)
WHERE currency = 'LIT' AND region = 'any' AND ends_at IS NULL AND superseded_at IS NULL
    -- Each answer of these comes with searches that no usage object shows in full.
    AND NOT (provider = 'openai' AND model ~ '-search-|deep-research');

-- The row of genai-prices for the same model, tier and length, if it has one.
CREATE FUNCTION counterpart(listed) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    SELECT price INTO found FROM tb_price($1.provider || '/' || $1.model, at => current_setting('price_book.day')::timestamptz, service_tier => $1.service_tier,
        input_tokens => $1.above_input_tokens + 1, currency => 'GEN') LIMIT 1;
    RETURN (SELECT price_id FROM tokbudget.price WHERE price_id = found AND service_tier = $1.service_tier AND above_input_tokens = $1.above_input_tokens);
EXCEPTION
    WHEN SQLSTATE 'TB007' THEN RETURN NULL;
END;
$$;
CREATE TABLE pair AS
SELECT listed.*, other.price_id AS other_id, other.provider AS other_provider, other.model AS other_model, other.effective_at AS other_from,
    other.unit_prices AS other_prices
FROM listed LEFT JOIN LATERAL counterpart(listed) AS found ON true LEFT JOIN tokbudget.price AS other ON other.price_id = found;

-- Kinds on which the two differ. The first three decide, and on the standard tier those of a cache: a model that differs
-- there is left out, at that tier and length.
CREATE TABLE kind AS
SELECT pair.provider, pair.model, pair.service_tier, pair.above_input_tokens, k.kind, pair.unit_prices -> k.kind AS ours, pair.other_prices -> k.kind AS theirs,
    k.kind IN ('input', 'output', 'reasoning') OR pair.service_tier = 'standard' AND k.kind IN ('cache_read', 'cache_write', 'cache_write_1h') AS decides
FROM pair, LATERAL (SELECT jsonb_object_keys(pair.unit_prices) UNION SELECT jsonb_object_keys(pair.other_prices)) AS k (kind)
WHERE pair.other_id IS NOT NULL;
CREATE TABLE difference AS
SELECT *, CASE
        -- Only litellm prices reasoning apart; where it costs what output costs, the fallback says the same.
        WHEN kind = 'reasoning' AND theirs IS NULL THEN ours IS DISTINCT FROM (
            SELECT unit_prices -> 'output' FROM pair WHERE pair.provider = kind.provider AND pair.model = kind.model
                AND pair.service_tier = kind.service_tier AND pair.above_input_tokens = kind.above_input_tokens)
        -- litellm writes a zero where nothing can be charged.
        WHEN kind = 'output' AND theirs IS NULL THEN ours <> '0'
        -- A cached token without a price of its own costs what an uncached one does, which errs upwards.
        WHEN kind IN ('cache_read', 'cache_write', 'cache_write_1h') THEN ours IS NOT NULL AND theirs IS NOT NULL AND ours <> theirs
        ELSE ours IS DISTINCT FROM theirs
    END AS differs
FROM kind;

CREATE TABLE agreed AS
SELECT pair.*, (
        -- A cache in a tier that one list does not price apart has the standard price there: the dearer one errs upwards.
        SELECT jsonb_object_agg(kind, GREATEST(ours::numeric, theirs::numeric)) FROM difference AS d
        WHERE d.provider = pair.provider AND d.model = pair.model AND d.service_tier = pair.service_tier
            AND d.above_input_tokens = pair.above_input_tokens
            AND (d.ours = d.theirs OR d.service_tier <> 'standard' AND d.kind IN ('cache_read', 'cache_write', 'cache_write_1h'))
    ) AS kept
FROM pair
WHERE other_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM difference AS d
    WHERE d.provider = pair.provider AND d.model = pair.model AND d.service_tier = pair.service_tier
        AND d.above_input_tokens = pair.above_input_tokens AND d.differs AND d.decides);
DELETE FROM agreed WHERE kept IS NULL OR NOT kept ?| ARRAY['input', 'seconds', 'characters', 'pages', 'images', 'searches'];
-- A tier or a length is worth nothing without the price it departs from.
DELETE FROM agreed WHERE NOT EXISTS (
    SELECT FROM agreed AS base WHERE base.provider = agreed.provider AND base.model = agreed.model AND base.service_tier = 'standard' AND base.above_input_tokens = 0);
DELETE FROM agreed WHERE above_input_tokens > 0 AND NOT EXISTS (
    SELECT FROM agreed AS base WHERE base.provider = agreed.provider AND base.model = agreed.model AND base.service_tier = agreed.service_tier AND base.above_input_tokens = 0);

-- A length that only one of them knows, or on whose price they differ, bounds the price below it for as long as it holds.
CREATE TABLE threshold AS
SELECT provider, model, service_tier, above_input_tokens, :'day'::timestamptz AS effective_at, NULL::timestamptz AS ends_at
FROM listed WHERE above_input_tokens > 0
UNION ALL
SELECT agreed.provider, agreed.model, agreed.service_tier, other.above_input_tokens, other.effective_at, other.ends_at
FROM agreed JOIN tokbudget.price AS other ON other.provider = agreed.other_provider AND other.model = agreed.other_model
    AND other.currency = 'GEN' AND other.service_tier = agreed.service_tier AND other.above_input_tokens > 0 AND other.superseded_at IS NULL
WHERE agreed.above_input_tokens = 0;
-- What is not dated holds since ever.
UPDATE threshold SET effective_at = '1970-01-01 UTC' WHERE effective_at = :'day'::timestamptz AND ends_at IS NOT NULL;
DELETE FROM threshold USING agreed
WHERE agreed.provider = threshold.provider AND agreed.model = threshold.model AND agreed.service_tier = threshold.service_tier
    AND agreed.above_input_tokens = threshold.above_input_tokens;

-- Every period that genai-prices dates; what is not dated holds since ever.
CREATE TABLE result AS
SELECT agreed.provider, agreed.model, agreed.service_tier, agreed.above_input_tokens,
    CASE WHEN other.effective_at = :'day'::timestamptz THEN '1970-01-01 UTC' ELSE other.effective_at END AS effective_at, other.ends_at,
    (
        SELECT min(threshold.above_input_tokens) FROM threshold
        WHERE threshold.provider = agreed.provider AND threshold.model = agreed.model AND threshold.service_tier = agreed.service_tier
            AND threshold.above_input_tokens > agreed.above_input_tokens
            AND tstzrange(threshold.effective_at, threshold.ends_at) && tstzrange(other.effective_at, other.ends_at)
    ) AS max_input_tokens,
    CASE WHEN other.price_id = agreed.other_id THEN agreed.kept
        ELSE (SELECT jsonb_object_agg(key, value) FROM jsonb_each(other.unit_prices) WHERE agreed.kept ? key) END AS unit_prices
FROM agreed
JOIN tokbudget.price AS other ON other.provider = agreed.other_provider AND other.model = agreed.other_model AND other.currency = 'GEN'
    AND other.region = 'any' AND other.service_tier = agreed.service_tier AND other.above_input_tokens = agreed.above_input_tokens
    AND other.superseded_at IS NULL AND other.effective_at <= :'day'::timestamptz;
DELETE FROM result WHERE unit_prices IS NULL;
-- What ends after the day of the source ends because the source says so; nothing of the future is taken.
UPDATE result SET ends_at = NULL WHERE ends_at > :'day'::timestamptz;

CREATE FUNCTION undated(model text) RETURNS text LANGUAGE sql AS $$
SELECT substring(model FROM '^(.+?)(?:-\d{4}-\d{2}-\d{2}|[-@]20\d{6}|-latest)$')
$$;
-- The look-up falls back to the undated name, so a dated one that says the same is only weight.
CREATE TABLE said AS
SELECT provider, model, jsonb_agg(to_jsonb(result) - 'model' ORDER BY service_tier, above_input_tokens, effective_at) AS says FROM result GROUP BY 1, 2;
DELETE FROM result USING said AS dated, said AS plain
WHERE result.provider = dated.provider AND result.model = dated.model AND plain.provider = dated.provider AND plain.model = undated(dated.model)
    AND plain.says = dated.says;
-- A dated name in doubt must not fall back to a price that nobody says is its own: without prices it is refused.
INSERT INTO result
SELECT DISTINCT listed.provider, listed.model, 'standard', 0::bigint, '1970-01-01 UTC'::timestamptz, NULL::timestamptz, NULL::bigint, '{}'::jsonb
FROM listed
WHERE EXISTS (SELECT FROM said WHERE said.provider = listed.provider AND said.model = undated(listed.model))
    AND NOT EXISTS (SELECT FROM said WHERE said.provider = listed.provider AND said.model = listed.model);

\o :rows_file
\qecho -- Default prices in US dollars: per 1,000,000 tokens or characters, per 1 of anything else. Written by
\qecho -- pgrx-config/price-book/generate.sh; do not edit. An effective_at in 1970 means that the source names no earlier price.
\qecho
\qecho INSERT INTO tokbudget.price (model, provider, currency, region, service_tier, above_input_tokens, effective_at, ends_at, max_input_tokens, unit_prices, source, source_date) VALUES
SELECT string_agg(format('    (%L, %L, %L, %L, %L, %s, %L, %L, %s, %L, %L, %L)', model, provider, 'USD', 'any', service_tier, above_input_tokens,
    to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' 00:00:00+00', to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ' 00:00:00+00',
    COALESCE(max_input_tokens::text, 'NULL'), unit_prices, :'source', :'day'), E',\n'
    ORDER BY provider COLLATE "C", model COLLATE "C", service_tier COLLATE "C", above_input_tokens, effective_at) || ';'
FROM result;
\qecho
\qecho INSERT INTO tokbudget.model (provider, model, operation, context_tokens, max_output_tokens, deprecated_on, source, source_date) VALUES
SELECT string_agg(format('    (%L, %L, %L, %s, %s, %L, %L, %L)', provider, model, operation, COALESCE(context_tokens::text, 'NULL'),
    COALESCE(max_output_tokens::text, 'NULL'), deprecated_on, :'model_source', :'day'), E',\n' ORDER BY provider COLLATE "C", model COLLATE "C") || ';'
FROM tokbudget.model WHERE origin = 'import' AND (provider, model) IN (SELECT provider, model FROM result);
\qecho
\qecho INSERT INTO tokbudget.model_alias (provider, model, pattern, is_default_provider, source) VALUES
SELECT string_agg(format('    (%L, %L, %L, %s, %L)', provider, model, pattern, is_default_provider::text, :'model_source'), E',\n'
    ORDER BY provider COLLATE "C", model COLLATE "C", pattern)
    || ';'
FROM tokbudget.model_alias
WHERE origin = 'import' AND source = :'model_source' AND (provider, model) IN (SELECT provider, model FROM result)
    -- A name with its own provider before it needs no other name.
    AND pattern <> jsonb_build_object('equals', provider || '/' || model)
    -- The bare name of a model that only one provider sells means that one in any case.
    AND (is_default_provider OR pattern <> jsonb_build_object('equals', model));

\o :differences_file
\qecho 'provider	model	tier	above	outcome	kind	litellm	genai-prices'
SELECT concat_ws(E'\t', provider, model, service_tier, above_input_tokens, 'left out', 'all', 'listed', 'absent') FROM pair
WHERE other_id IS NULL AND provider IN ('openai', 'anthropic', 'gemini')
UNION ALL
SELECT concat_ws(E'\t', provider, model, service_tier, above_input_tokens, CASE WHEN decides THEN 'left out' ELSE 'without this kind' END, kind,
    COALESCE(ours::text, ''), COALESCE(theirs::text, '')) FROM difference
WHERE differs AND (decides OR ours IS NOT NULL)
UNION ALL
SELECT DISTINCT concat_ws(E'\t', provider, model, service_tier, max_input_tokens, 'bound', 'max_input_tokens', '', '') FROM result
WHERE max_input_tokens IS NOT NULL
ORDER BY 1;
\o
SELECT count(*) || ' rows of ' || count(DISTINCT (provider, model)) || ' models of ' || count(DISTINCT provider) || ' providers' FROM result;
SELECT provider || ' ' || count(DISTINCT model) FROM result GROUP BY provider ORDER BY 1;
