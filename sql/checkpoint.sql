-- Where the escrow engine keeps balances, a balance row is a checkpoint: the sum of the entries that one snapshot sees. What
-- has come since is the tail; what is held is the open reservations. A row of tokbudget.checkpoint says which snapshot.
-- Without one the rows engine keeps balances, and they are exact by themselves.

CREATE TABLE tokbudget.checkpoint (
    is_only boolean NOT NULL DEFAULT true,
    incarnation text NOT NULL,
    covered pg_snapshot NOT NULL,
    taken_by xid8 NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    CONSTRAINT checkpoint_pkey PRIMARY KEY (is_only),
    CONSTRAINT checkpoint_is_only_check CHECK (is_only)
);
COMMENT ON TABLE tokbudget.checkpoint IS 'one row while the escrow engine keeps balances, none while the rows engine does';
COMMENT ON COLUMN tokbudget.checkpoint.is_only IS 'always true, so that there is one row at most';
COMMENT ON COLUMN tokbudget.checkpoint.incarnation IS 'system identifier and oid of the database that it was taken in: in another one, after a restore or an upgrade, transaction ids mean something else and balances are summed anew';
COMMENT ON COLUMN tokbudget.checkpoint.covered IS 'snapshot whose entries the balance rows sum';
COMMENT ON COLUMN tokbudget.checkpoint.taken_by IS 'transaction that took it, whose own entries it leaves out';
COMMENT ON COLUMN tokbudget.checkpoint.taken_at IS 'when it was taken';
CREATE TRIGGER checkpoint_notice AFTER INSERT OR DELETE ON tokbudget.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.checkpoint ENABLE ALWAYS TRIGGER checkpoint_notice;
SELECT pg_catalog.pg_extension_config_dump('tokbudget.checkpoint', '');

CREATE TYPE tokbudget.slot_sum AS (
    tenant_id integer,
    budget_id bigint,
    window_start timestamp with time zone,
    units numeric,
    granted_units numeric
);
COMMENT ON TYPE tokbudget.slot_sum IS 'what rows add to a balance';
COMMENT ON COLUMN tokbudget.slot_sum.tenant_id IS 'tenant of the budget';
COMMENT ON COLUMN tokbudget.slot_sum.budget_id IS 'budget, or grant';
COMMENT ON COLUMN tokbudget.slot_sum.window_start IS 'start of the window; -infinity for a budget without windows and for a grant';
COMMENT ON COLUMN tokbudget.slot_sum.units IS 'sum: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.slot_sum.granted_units IS 'the part of it that grants bear';

CREATE FUNCTION tokbudget._tail(with_own boolean) RETURNS SETOF tokbudget.slot_sum
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    -- Planned anew with guesses that are far too high, and then compiled for longer than it runs.
    SET jit = off
    AS $$
    WITH written AS MATERIALIZED (
        SELECT entry.tenant_id, entry.budget_ids, entry.window_starts, entry.spent_units AS units
        FROM tokbudget.entry, tokbudget.checkpoint
        WHERE entry.written_by >= (SELECT pg_snapshot_xmin(first.covered) FROM tokbudget.checkpoint AS first)
            AND (NOT pg_visible_in_snapshot(entry.written_by, checkpoint.covered) OR entry.written_by = checkpoint.taken_by)
            AND (_tail.with_own OR entry.written_by <> COALESCE(pg_current_xact_id_if_assigned(), '0'::xid8))
    ),
    slot AS (
        SELECT written.tenant_id, s.id, s.window_start, s.units::numeric AS units, 0::numeric AS granted
        FROM written, LATERAL unnest(written.budget_ids, written.window_starts, written.units) AS s (id, window_start, units)
        UNION ALL
        SELECT written.tenant_id, budget_grant.budget_id, own.window_start, 0, s.units::numeric
        FROM written, LATERAL unnest(written.budget_ids, written.units) AS s (id, units)
        JOIN tokbudget.budget_grant ON budget_grant.grant_id = s.id,
        LATERAL unnest(written.budget_ids, written.window_starts) AS own (id, window_start)
        WHERE budget_grant.tenant_id = written.tenant_id AND own.id = budget_grant.budget_id
    )
    SELECT slot.tenant_id, slot.id, slot.window_start, sum(slot.units), sum(slot.granted)
    FROM slot
    GROUP BY slot.tenant_id, slot.id, slot.window_start
$$;
COMMENT ON FUNCTION tokbudget._tail(boolean) IS 'internal: what entries since the checkpoint add to balances, those of this transaction too or not; nothing where there is no checkpoint';

CREATE FUNCTION tokbudget._open_holds() RETURNS SETOF tokbudget.slot_sum
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
    WITH written AS MATERIALIZED (
        SELECT reservation.tenant_id, reservation.budget_ids, reservation.window_starts, reservation.held_units AS units
        FROM tokbudget.reservation
        WHERE reservation.state = 'held'
    ),
    slot AS (
        SELECT written.tenant_id, s.id, s.window_start, s.units::numeric AS units, 0::numeric AS granted
        FROM written, LATERAL unnest(written.budget_ids, written.window_starts, written.units) AS s (id, window_start, units)
        UNION ALL
        SELECT written.tenant_id, budget_grant.budget_id, own.window_start, 0, s.units::numeric
        FROM written, LATERAL unnest(written.budget_ids, written.units) AS s (id, units)
        JOIN tokbudget.budget_grant ON budget_grant.grant_id = s.id,
        LATERAL unnest(written.budget_ids, written.window_starts) AS own (id, window_start)
        WHERE budget_grant.tenant_id = written.tenant_id AND own.id = budget_grant.budget_id
    )
    SELECT slot.tenant_id, slot.id, slot.window_start, sum(slot.units), sum(slot.granted)
    FROM slot
    GROUP BY slot.tenant_id, slot.id, slot.window_start
$$;
COMMENT ON FUNCTION tokbudget._open_holds() IS 'internal: what the open reservations hold of each balance, expired or not';

CREATE FUNCTION tokbudget._fold() RETURNS SETOF tokbudget.slot_sum
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
    WITH slot AS (
        SELECT entry.tenant_id, s.id, s.window_start, s.units::numeric AS units, 0::numeric AS granted
        FROM tokbudget.entry, LATERAL unnest(entry.budget_ids, entry.window_starts, entry.spent_units) AS s (id, window_start, units)
        UNION ALL
        SELECT carried.tenant_id, carried.budget_id, carried.window_start, carried.spent_units, carried.granted_units
        FROM tokbudget.carried
        UNION ALL
        -- What a grant bears counts for the window of its budget in the same row.
        SELECT entry.tenant_id, budget_grant.budget_id, own.window_start, 0, s.units::numeric
        FROM tokbudget.entry, LATERAL unnest(entry.budget_ids, entry.spent_units) AS s (id, units)
        JOIN tokbudget.budget_grant ON budget_grant.grant_id = s.id,
        LATERAL unnest(entry.budget_ids, entry.window_starts) AS own (id, window_start)
        WHERE budget_grant.tenant_id = entry.tenant_id AND own.id = budget_grant.budget_id
    )
    SELECT slot.tenant_id, slot.id, slot.window_start, sum(slot.units), sum(slot.granted)
    FROM slot
    GROUP BY slot.tenant_id, slot.id, slot.window_start
$$;
COMMENT ON FUNCTION tokbudget._fold() IS 'internal: what all entries ever add to balances, those of months that have left the ledger included';

CREATE FUNCTION tokbudget._balances() RETURNS SETOF tokbudget.balance
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM tokbudget.checkpoint) THEN
        RETURN QUERY SELECT balance.* FROM tokbudget.balance;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT tenant_id, budget_id, window_start,
        (COALESCE(balance.spent_units, 0) + COALESCE(tail.units, 0))::bigint, COALESCE(hold.units, 0)::bigint,
        (COALESCE(balance.granted_units, 0) + COALESCE(tail.granted_units, 0) + COALESCE(hold.granted_units, 0))::bigint,
        balance.carried_units, COALESCE(balance.superseded, false)
    FROM tokbudget.balance
    FULL JOIN tokbudget._tail(true) AS tail USING (tenant_id, budget_id, window_start)
    FULL JOIN tokbudget._open_holds() AS hold USING (tenant_id, budget_id, window_start);
END;
$$;
COMMENT ON FUNCTION tokbudget._balances() IS 'internal: all balances as they stand now, whichever engine keeps them';
