-- Balance equals ledger, and one query proves it.

CREATE TYPE tokbudget.difference AS (
    tenant_id integer,
    budget bigint,
    window_start timestamp with time zone,
    spent_units_ledger numeric,
    spent_units_balance numeric,
    held_units_ledger numeric,
    held_units_balance numeric,
    granted_units_ledger numeric,
    granted_units_balance numeric
);
COMMENT ON TYPE tokbudget.difference IS 'a balance that is not the fold of the ledger and the open reservations';

CREATE FUNCTION tokbudget._verify_tables() RETURNS SETOF tokbudget.difference
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
    SELECT tenant_id, budget_id, window_start,
           COALESCE(folded.units, 0), COALESCE(balance.spent_units, 0)::numeric,
           COALESCE(hold.units, 0), COALESCE(balance.held_units, 0)::numeric,
           COALESCE(folded.granted_units, 0) + COALESCE(hold.granted_units, 0), COALESCE(balance.granted_units, 0)::numeric
    FROM tokbudget._fold() AS folded
    FULL JOIN tokbudget._open_holds() AS hold USING (tenant_id, budget_id, window_start)
    FULL JOIN tokbudget._balances() AS balance USING (tenant_id, budget_id, window_start)
    WHERE COALESCE(folded.units, 0) <> COALESCE(balance.spent_units, 0)
       OR COALESCE(hold.units, 0) <> COALESCE(balance.held_units, 0)
       OR COALESCE(folded.granted_units, 0) + COALESCE(hold.granted_units, 0) <> COALESCE(balance.granted_units, 0)
    ORDER BY tenant_id, budget_id, window_start
$$;
COMMENT ON FUNCTION tokbudget._verify_tables() IS 'internal: balances that are not the fold of the ledger and the open reservations';

CREATE FUNCTION tokbudget._verify_memory() RETURNS SETOF tokbudget.difference
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
DECLARE
    before CONSTANT tokbudget.balance_in_memory[] := ARRAY(SELECT memory FROM tokbudget._balances_in_memory() AS memory WHERE memory.in_flight = 0);
    differences tokbudget.difference[];
BEGIN
    -- Memory is the present, which an older snapshot does not see.
    IF cardinality(before) = 0 OR current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN;
    END IF;
    differences := ARRAY(
        SELECT ROW(tenant_id, budget_id, window_start, COALESCE(balance.spent_units, 0), memory.spent_units,
            COALESCE(balance.held_units, 0), memory.held_units, COALESCE(balance.granted_units, 0), memory.granted_units)::tokbudget.difference
        FROM unnest(before) AS memory
        LEFT JOIN tokbudget._balances() AS balance USING (tenant_id, budget_id, window_start)
        WHERE COALESCE(balance.spent_units, 0) <> memory.spent_units OR COALESCE(balance.held_units, 0) <> memory.held_units
            OR COALESCE(balance.granted_units, 0) <> memory.granted_units);
    -- One that somebody changed meanwhile proves nothing.
    RETURN QUERY
    SELECT found.* FROM unnest(differences) AS found
    JOIN tokbudget._balances_in_memory() AS memory ON memory.tenant_id = found.tenant_id AND memory.budget_id = found.budget
        AND memory.window_start = found.window_start
    WHERE memory.in_flight = 0 AND memory.spent_units = found.spent_units_balance AND memory.held_units = found.held_units_balance
        AND memory.granted_units = found.granted_units_balance
    ORDER BY found.tenant_id, found.budget, found.window_start;
END;
$$;
COMMENT ON FUNCTION tokbudget._verify_memory() IS
    'internal: balances in shared memory, with nothing in flight, that are not what the tables say; none under another isolation level than READ COMMITTED';

CREATE FUNCTION @extschema@.tb_verify() RETURNS SETOF tokbudget.difference
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._verify_tables();
    -- What the tables themselves contradict was told above.
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM tokbudget._verify_memory();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_verify() IS
    'folds the ledger, what was carried over from months that have left it, and the open reservations, and returns every balance that differs, in the table and in shared memory: no rows, ever';
