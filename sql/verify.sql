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

CREATE FUNCTION @extschema@.tb_verify() RETURNS SETOF tokbudget.difference
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH written AS (
        SELECT entry.tenant_id, entry.budget_ids, entry.window_starts, entry.spent_units, NULL::bigint[] AS held_units
        FROM tokbudget.entry
        UNION ALL
        SELECT reservation.tenant_id, reservation.budget_ids, reservation.window_starts, NULL, reservation.held_units
        FROM tokbudget.reservation
        WHERE reservation.state = 'held'
    ),
    slot AS (
        SELECT written.tenant_id, s.id, s.window_start, COALESCE(s.spent, 0)::numeric AS spent, COALESCE(s.held, 0)::numeric AS held,
            0::numeric AS granted
        FROM written, LATERAL unnest(written.budget_ids, written.window_starts, written.spent_units, written.held_units) AS s (id, window_start, spent, held)
        UNION ALL
        SELECT carried.tenant_id, carried.budget_id, carried.window_start, carried.spent_units, 0, carried.granted_units
        FROM tokbudget.carried
        UNION ALL
        -- What a grant bears counts for the window of its budget in the same row.
        SELECT written.tenant_id, budget_grant.budget_id, own.window_start, 0, 0, COALESCE(s.spent, s.held)::numeric
        FROM written, LATERAL unnest(written.budget_ids, written.spent_units, written.held_units) AS s (id, spent, held)
        JOIN tokbudget.budget_grant ON budget_grant.grant_id = s.id,
        LATERAL unnest(written.budget_ids, written.window_starts) AS own (id, window_start)
        WHERE budget_grant.tenant_id = written.tenant_id AND own.id = budget_grant.budget_id
    ),
    folded AS (
        SELECT slot.tenant_id, slot.id AS budget_id, slot.window_start, sum(slot.spent) AS spent, sum(slot.held) AS held, sum(slot.granted) AS granted
        FROM slot
        GROUP BY slot.tenant_id, slot.id, slot.window_start
    )
    SELECT tenant_id, budget_id, window_start,
           COALESCE(folded.spent, 0), COALESCE(balance.spent_units, 0)::numeric,
           COALESCE(folded.held, 0), COALESCE(balance.held_units, 0)::numeric,
           COALESCE(folded.granted, 0), COALESCE(balance.granted_units, 0)::numeric
    FROM folded FULL JOIN tokbudget.balance USING (tenant_id, budget_id, window_start)
    WHERE COALESCE(folded.spent, 0) <> COALESCE(balance.spent_units, 0)
       OR COALESCE(folded.held, 0) <> COALESCE(balance.held_units, 0)
       OR COALESCE(folded.granted, 0) <> COALESCE(balance.granted_units, 0)
    ORDER BY tenant_id, budget_id, window_start
$$;
COMMENT ON FUNCTION @extschema@.tb_verify() IS
    'folds the ledger, what was carried over from months that have left it, and the open reservations, and returns every balance that differs: no rows, ever';
