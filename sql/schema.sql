-- The schema that holds tables, views, types and internals. A plain CREATE SCHEMA on purpose: a schema of that name made
-- beforehand by somebody else must make the installation fail, never be adopted.
CREATE SCHEMA tokbudget;
COMMENT ON SCHEMA tokbudget IS 'tables, views, types and internals of tokbudget; the public functions are tb_* in the schema of the extension';

-- A refusal on its way from Rust to the client. pgrx can raise only the SQLSTATEs that PostgreSQL itself knows, so Rust
-- puts the refusal aside and returns NULL, and the PL/pgSQL function around it raises what was put aside. (The counting
-- functions have no PL/pgSQL around them, which would cost more than they do; src/api/raise.rs raises for them.)
CREATE TYPE tokbudget.refusal AS (code text, reason text, detail jsonb, hint text);
COMMENT ON TYPE tokbudget.refusal IS 'why a call was refused: SQLSTATE, message, machine-readable detail, advice';

CREATE FUNCTION tokbudget._take_refusal() RETURNS tokbudget.refusal
    LANGUAGE c VOLATILE PARALLEL SAFE
    AS 'MODULE_PATHNAME', '_take_refusal_wrapper';
COMMENT ON FUNCTION tokbudget._take_refusal() IS 'internal: the refusal that the last internal call of this session put aside, once';

CREATE FUNCTION tokbudget._is_refused() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', '_is_refused_wrapper';
COMMENT ON FUNCTION tokbudget._is_refused() IS 'internal: whether the last internal call of this session put a refusal aside';

CREATE FUNCTION tokbudget._raise_refusal() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    refusal tokbudget.refusal := tokbudget._take_refusal();
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = refusal.code,
        MESSAGE = refusal.reason,
        DETAIL = COALESCE(refusal.detail, '{}'::pg_catalog.jsonb)::pg_catalog.text,
        HINT = refusal.hint;
END;
$$;
COMMENT ON FUNCTION tokbudget._raise_refusal() IS 'internal: raises the refusal that the last internal call of this session put aside';
