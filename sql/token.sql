-- Token counting. Pure functions of their arguments: IMMUTABLE holds because the map from model names to encodings only
-- ever grows, so that they serve in generated columns, CHECK constraints, indexes and parallel scans.
-- The wrappers carry no SET search_path, which would cost more than counting a short prompt: every name is qualified.

CREATE FUNCTION tokbudget._count_tokens(content text, model text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', '_count_tokens_wrapper';
COMMENT ON FUNCTION tokbudget._count_tokens(text, text) IS 'internal: tb_count_tokens, NULL when refused';

CREATE FUNCTION @extschema@.tb_count_tokens(content text, model text) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
DECLARE
    token_count integer := tokbudget._count_tokens(content, model);
BEGIN
    IF token_count IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN token_count;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_count_tokens(text, text) IS
    'exact number of tokens of content under the encoding of model (a model name or an encoding name); text that looks like a special token counts as plain text. Raises TB007 for an unknown model';

CREATE FUNCTION tokbudget._count_messages(messages jsonb, model text, tools jsonb) RETURNS integer
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', '_count_messages_wrapper';
COMMENT ON FUNCTION tokbudget._count_messages(jsonb, text, jsonb) IS 'internal: tb_count_messages, NULL when refused';

CREATE FUNCTION @extschema@.tb_count_messages(messages jsonb, model text, tools jsonb DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000
    AS $$
DECLARE
    token_count integer;
BEGIN
    -- Not STRICT: tools may be NULL. The other two keep the meaning of STRICT.
    IF messages IS NULL OR model IS NULL THEN
        RETURN NULL;
    END IF;
    token_count := tokbudget._count_messages(messages, model, tools);
    IF token_count IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN token_count;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_count_messages(jsonb, text, jsonb) IS
    'tokens of a chat request: messages and tool definitions with their formatting overhead, after the accounting that OpenAI publishes. Raises TB007 for an unknown model, TB008 for malformed messages or parts that are not text';

CREATE FUNCTION tokbudget._encode(content text, model text) RETURNS integer[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', '_encode_wrapper';
COMMENT ON FUNCTION tokbudget._encode(text, text) IS 'internal: tb_encode, NULL when refused';

CREATE FUNCTION @extschema@.tb_encode(content text, model text) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
DECLARE
    tokens integer[] := tokbudget._encode(content, model);
BEGIN
    IF tokens IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN tokens;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_encode(text, text) IS
    'token ids of content under the encoding of model; text that looks like a special token is encoded as plain text. Raises TB007 for an unknown model';

CREATE FUNCTION tokbudget._decode(tokens integer[], model text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', '_decode_wrapper';
COMMENT ON FUNCTION tokbudget._decode(integer[], text) IS 'internal: tb_decode, NULL when refused';

CREATE FUNCTION @extschema@.tb_decode(tokens integer[], model text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100
    AS $$
DECLARE
    content text := tokbudget._decode(tokens, model);
BEGIN
    IF content IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN content;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_decode(integer[], text) IS
    'text of token ids under the encoding of model. Raises TB008 for an id that the encoding does not have, a NULL id, or ids whose bytes are not valid UTF-8, TB007 for an unknown model';

CREATE FUNCTION tokbudget._truncate(content text, model text, max_tokens integer) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', '_truncate_wrapper';
COMMENT ON FUNCTION tokbudget._truncate(text, text, integer) IS 'internal: tb_truncate, NULL when refused';

CREATE FUNCTION @extschema@.tb_truncate(content text, model text, max_tokens integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
DECLARE
    head text := tokbudget._truncate(content, model, max_tokens);
BEGIN
    IF head IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN head;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_truncate(text, text, integer) IS
    'longest beginning of content that has at most max_tokens tokens, cut between characters; stops reading at the limit. Raises TB007 for an unknown model, TB008 for a negative max_tokens';

CREATE FUNCTION tokbudget._fits(content text, model text, max_tokens integer) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', '_fits_wrapper';
COMMENT ON FUNCTION tokbudget._fits(text, text, integer) IS 'internal: tb_fits, NULL when refused';

CREATE FUNCTION @extschema@.tb_fits(content text, model text, max_tokens integer) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    AS $$
DECLARE
    fits boolean := tokbudget._fits(content, model, max_tokens);
BEGIN
    IF fits IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN fits;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_fits(text, text, integer) IS
    'whether content has at most max_tokens tokens; stops counting at the limit. Raises TB007 for an unknown model, TB008 for a negative max_tokens';

CREATE TYPE tokbudget.token_chunk AS (ordinal integer, content text, token_count integer);
COMMENT ON TYPE tokbudget.token_chunk IS 'one piece of a text cut by tb_split: its place from 1, its text, its own token count';

CREATE FUNCTION tokbudget._split(content text, model text, max_tokens integer, overlap integer)
    RETURNS SETOF tokbudget.token_chunk
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10 AS 'MODULE_PATHNAME', '_split_wrapper';
COMMENT ON FUNCTION tokbudget._split(text, text, integer, integer) IS 'internal: tb_split, no row when refused';

CREATE FUNCTION @extschema@.tb_split(content text, model text, max_tokens integer, overlap integer DEFAULT 0)
    RETURNS SETOF tokbudget.token_chunk
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._split(content, model, max_tokens, overlap);
    -- No row may also mean that the text is empty.
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_split(text, text, integer, integer) IS
    'cuts content into chunks of at most max_tokens tokens, consecutive ones sharing about overlap tokens, always between characters. Raises TB007 for an unknown model, TB008 unless 0 <= overlap < max_tokens';
