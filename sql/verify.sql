-- Balance equals ledger, and one query proves it.

CREATE TYPE tokbudget.difference AS (
    tenant_id integer,
    budget bigint,
    window_start timestamp with time zone,
    spent_units_ledger numeric,
    spent_units_balance numeric,
    held_units_ledger numeric,
    held_units_balance numeric
);
COMMENT ON TYPE tokbudget.difference IS 'a balance that is not the fold of the ledger and the open reservations';

CREATE FUNCTION @extschema@.tb_verify() RETURNS SETOF tokbudget.difference
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH folded AS (
        SELECT slot.tenant_id, slot.budget_id, slot.window_start, sum(slot.spent) AS spent, sum(slot.held) AS held
        FROM (
            SELECT entry.tenant_id, s.budget_id, s.window_start, s.units::numeric AS spent, 0::numeric AS held
            FROM tokbudget.entry,
                 LATERAL unnest(entry.budget_ids, entry.window_starts, entry.spent_units) AS s (budget_id, window_start, units)
            UNION ALL
            SELECT reservation.tenant_id, s.budget_id, s.window_start, 0::numeric, s.units::numeric
            FROM tokbudget.reservation,
                 LATERAL unnest(reservation.budget_ids, reservation.window_starts, reservation.held_units) AS s (budget_id, window_start, units)
            WHERE reservation.state = 'held'
            UNION ALL
            SELECT carried.tenant_id, carried.budget_id, carried.window_start, carried.spent_units, 0::numeric
            FROM tokbudget.carried
        ) AS slot
        GROUP BY slot.tenant_id, slot.budget_id, slot.window_start
    )
    SELECT tenant_id, budget_id, window_start,
           COALESCE(folded.spent, 0), COALESCE(balance.spent_units, 0)::numeric,
           COALESCE(folded.held, 0), COALESCE(balance.held_units, 0)::numeric
    FROM folded FULL JOIN tokbudget.balance USING (tenant_id, budget_id, window_start)
    WHERE COALESCE(folded.spent, 0) <> COALESCE(balance.spent_units, 0)
       OR COALESCE(folded.held, 0) <> COALESCE(balance.held_units, 0)
    ORDER BY tenant_id, budget_id, window_start
$$;
COMMENT ON FUNCTION @extschema@.tb_verify() IS
    'folds the ledger, what was carried over from months that have left it, and the open reservations, and returns every balance that differs: no rows, ever';
