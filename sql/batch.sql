-- Many calls in one, decided in one step.

CREATE TYPE tokbudget.booking AS (
    booked boolean,
    code text,
    reason text,
    detail jsonb,
    hint text,
    entry uuid,
    cost numeric,
    currency text,
    tokens bigint,
    overrun boolean,
    released jsonb,
    remaining jsonb,
    internal_cost numeric,
    flags text[]
);
COMMENT ON TYPE tokbudget.booking IS
    'what became of one item of tb_commit_many or tb_charge_many: as tokbudget.commit_result, or the SQLSTATE, message, detail and hint of its refusal';

CREATE FUNCTION tokbudget._reserve_many(requests text, all_or_nothing boolean) RETURNS SETOF tokbudget.decision
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_reserve_many_wrapper';
COMMENT ON FUNCTION tokbudget._reserve_many(text, boolean) IS 'internal: tb_reserve_many, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_reserve_many(requests jsonb, all_or_nothing boolean DEFAULT true) RETURNS SETOF tokbudget.decision
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._reserve_many(requests::text, all_or_nothing);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_reserve_many(jsonb, boolean) IS
    'tb_reserve for an array of objects with its arguments by name, of one tenant, decided in their order in one step; one row each, in the same order. With all_or_nothing the first refusal is raised, with the number of its item in DETAIL, and nothing is held; without it the others are held. Raises what tb_reserve raises, and TB008 for a malformed array';

CREATE FUNCTION tokbudget._commit_many(commits text, all_or_nothing boolean) RETURNS SETOF tokbudget.booking
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_commit_many_wrapper';
COMMENT ON FUNCTION tokbudget._commit_many(text, boolean) IS 'internal: tb_commit_many, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_commit_many(commits jsonb, all_or_nothing boolean DEFAULT true) RETURNS SETOF tokbudget.booking
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._commit_many(commits::text, all_or_nothing);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_commit_many(jsonb, boolean) IS
    'tb_commit for an array of objects with its arguments by name, of one tenant; one row each, in the same order. With all_or_nothing the first refusal is raised, with the number of its item in DETAIL, and nothing is booked; without it the others are. Raises what tb_commit raises, and TB008 for a malformed array or a reservation named twice';

CREATE FUNCTION tokbudget._charge_many(charges text, all_or_nothing boolean, enforce boolean) RETURNS SETOF tokbudget.booking
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_charge_many_wrapper';
COMMENT ON FUNCTION tokbudget._charge_many(text, boolean, boolean) IS 'internal: tb_charge_many, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_charge_many(charges jsonb, all_or_nothing boolean DEFAULT true, enforce boolean DEFAULT false) RETURNS SETOF tokbudget.booking
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._charge_many(charges::text, all_or_nothing, enforce);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_charge_many(jsonb, boolean, boolean) IS
    'tb_charge for an array of objects with its arguments by name, of one tenant, in their order in one step; one row each, in the same order. With all_or_nothing the first refusal is raised, with the number of its item in DETAIL, and nothing is booked; without it the others are. Raises what tb_charge raises, and TB008 for a malformed array';
