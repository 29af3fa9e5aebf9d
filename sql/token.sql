-- Token counting. Pure functions of their arguments: IMMUTABLE holds because the map from model names to encodings only
-- ever grows, so that they serve in generated columns, CHECK constraints, indexes and parallel scans. Their COST is what
-- a text of about two kilobytes takes.

CREATE FUNCTION @extschema@.tb_count_tokens(content text, model text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4000 AS 'MODULE_PATHNAME', 'tb_count_tokens';
COMMENT ON FUNCTION @extschema@.tb_count_tokens(text, text) IS
    'exact number of tokens of content under the encoding of model (a model name or an encoding name); text that looks like a special token counts as plain text. Raises TB007 for an unknown model';

CREATE FUNCTION @extschema@.tb_count_messages(messages jsonb, model text, tools jsonb DEFAULT NULL) RETURNS integer
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 4000 AS 'MODULE_PATHNAME', 'tb_count_messages';
COMMENT ON FUNCTION @extschema@.tb_count_messages(jsonb, text, jsonb) IS
    'tokens of a chat request: messages and tool definitions with their formatting overhead, after the accounting that OpenAI publishes; NULL if messages or model is. Raises TB007 for an unknown model, TB008 for malformed messages or parts that are not text';

CREATE FUNCTION @extschema@.tb_encode(content text, model text) RETURNS integer[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4000 AS 'MODULE_PATHNAME', 'tb_encode';
COMMENT ON FUNCTION @extschema@.tb_encode(text, text) IS
    'token ids of content under the encoding of model; text that looks like a special token is encoded as plain text. Raises TB007 for an unknown model';

CREATE FUNCTION @extschema@.tb_decode(tokens integer[], model text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 400 AS 'MODULE_PATHNAME', 'tb_decode';
COMMENT ON FUNCTION @extschema@.tb_decode(integer[], text) IS
    'text of token ids under the encoding of model. Raises TB008 for an id that the encoding does not have, a NULL id, or ids whose bytes are not valid UTF-8, TB007 for an unknown model';

CREATE FUNCTION @extschema@.tb_truncate(content text, model text, max_tokens integer) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4000 AS 'MODULE_PATHNAME', 'tb_truncate';
COMMENT ON FUNCTION @extschema@.tb_truncate(text, text, integer) IS
    'longest beginning of content that has at most max_tokens tokens, cut between characters; stops reading at the limit. Raises TB007 for an unknown model, TB008 for a negative max_tokens';

CREATE FUNCTION @extschema@.tb_fits(content text, model text, max_tokens integer) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4000 AS 'MODULE_PATHNAME', 'tb_fits';
COMMENT ON FUNCTION @extschema@.tb_fits(text, text, integer) IS
    'whether content has at most max_tokens tokens; stops counting at the limit. Raises TB007 for an unknown model, TB008 for a negative max_tokens';

CREATE TYPE tokbudget.token_chunk AS (ordinal integer, content text, token_count integer);
COMMENT ON TYPE tokbudget.token_chunk IS 'one piece of a text cut by tb_split: its place from 1, its text, its own token count';

CREATE FUNCTION @extschema@.tb_split(content text, model text, max_tokens integer, overlap integer DEFAULT 0)
    RETURNS SETOF tokbudget.token_chunk
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 4000 ROWS 10 AS 'MODULE_PATHNAME', 'tb_split';
COMMENT ON FUNCTION @extschema@.tb_split(text, text, integer, integer) IS
    'cuts content into chunks of at most max_tokens tokens, consecutive ones sharing about overlap tokens, always between characters. Raises TB007 for an unknown model, TB008 unless 0 <= overlap < max_tokens';

CREATE FUNCTION tokbudget._check_encoding(name text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_encoding_wrapper';
COMMENT ON FUNCTION tokbudget._check_encoding(text) IS 'internal: whether tokens can be counted under the name';
