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
CREATE FUNCTION tokbudget._notice_restore() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.incarnation := 'restored';
    -- The worker may have been here before the data.
    UPDATE tokbudget.checkpoint SET incarnation = NEW.incarnation;
    RETURN CASE WHEN FOUND THEN NULL ELSE NEW END;
END;
$$;
COMMENT ON FUNCTION tokbudget._notice_restore() IS
    'internal: trigger that has balances summed anew after a restore, whose entries are written by other transactions than the checkpoint says, also in the database that was dumped';
CREATE TRIGGER checkpoint_restore BEFORE INSERT ON tokbudget.checkpoint
    FOR EACH ROW WHEN (NEW.taken_by OPERATOR(pg_catalog.<>) pg_catalog.pg_current_xact_id())
    EXECUTE FUNCTION tokbudget._notice_restore();
ALTER TABLE tokbudget.checkpoint ENABLE ALWAYS TRIGGER checkpoint_restore;
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
    -- The planner cannot know how few entries are newer than the checkpoint: it would read the whole ledger, and compile that.
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    AS $$
    WITH written AS MATERIALIZED (
        SELECT entry.tenant_id, entry.budget_ids, entry.window_starts, entry.spent_units AS units
        FROM tokbudget.entry
        WHERE entry.written_by >= (SELECT pg_snapshot_xmin(checkpoint.covered) FROM tokbudget.checkpoint)
            AND (NOT pg_visible_in_snapshot(entry.written_by, (SELECT checkpoint.covered FROM tokbudget.checkpoint))
                OR entry.written_by = (SELECT checkpoint.taken_by FROM tokbudget.checkpoint))
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

CREATE FUNCTION tokbudget._incarnation() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_incarnation_wrapper';
COMMENT ON FUNCTION tokbudget._incarnation() IS 'internal: this database in this cluster, as tokbudget.checkpoint names it';

CREATE FUNCTION tokbudget._is_restored() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (SELECT FROM tokbudget.checkpoint WHERE checkpoint.incarnation <> tokbudget._incarnation())
$$;
COMMENT ON FUNCTION tokbudget._is_restored() IS
    'internal: whether the checkpoint was taken in another database or cluster, whose transactions mean nothing here, and has not been replaced yet';

CREATE TYPE tokbudget.loaded_balance AS (
    budget_id bigint,
    window_start timestamp with time zone,
    spent_units numeric,
    held_units numeric,
    granted_units numeric,
    carried_units bigint,
    superseded boolean
);
COMMENT ON TYPE tokbudget.loaded_balance IS 'a balance as it is read into memory; carried_units is NULL where it is not known';

CREATE FUNCTION tokbudget._load(tenant_id integer, budget_ids bigint[], window_starts timestamp with time zone[], with_own boolean) RETURNS SETOF tokbudget.loaded_balance
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    AS $$
#variable_conflict use_column
BEGIN
    IF tokbudget._is_restored() THEN
        RETURN QUERY
        SELECT wanted.budget_id, wanted.window_start, COALESCE(balance.spent_units, 0)::numeric, COALESCE(balance.held_units, 0)::numeric,
            COALESCE(balance.granted_units, 0)::numeric, balance.carried_units, COALESCE(balance.superseded, false)
        FROM unnest(_load.budget_ids, _load.window_starts) AS wanted (budget_id, window_start)
        LEFT JOIN tokbudget._balances() AS balance ON balance.tenant_id = _load.tenant_id AND balance.budget_id = wanted.budget_id
            AND balance.window_start = wanted.window_start;
        RETURN;
    END IF;
    RETURN QUERY
    WITH written AS MATERIALIZED (
        SELECT entry.budget_ids, entry.window_starts, entry.spent_units, NULL::bigint[] AS held_units
        FROM tokbudget.entry
        WHERE entry.tenant_id = _load.tenant_id AND entry.budget_ids && _load.budget_ids
            AND entry.written_by >= (SELECT pg_snapshot_xmin(checkpoint.covered) FROM tokbudget.checkpoint)
            AND (NOT pg_visible_in_snapshot(entry.written_by, (SELECT checkpoint.covered FROM tokbudget.checkpoint))
                OR entry.written_by = (SELECT checkpoint.taken_by FROM tokbudget.checkpoint))
            AND (_load.with_own OR entry.written_by <> COALESCE(pg_current_xact_id_if_assigned(), '0'::xid8))
        UNION ALL
        SELECT reservation.budget_ids, reservation.window_starts, NULL, reservation.held_units
        FROM tokbudget.reservation
        WHERE reservation.tenant_id = _load.tenant_id AND reservation.state = 'held' AND reservation.budget_ids && _load.budget_ids
    ),
    slot AS (
        SELECT s.id, s.window_start, s.spent::numeric AS spent, s.held::numeric AS held, 0::numeric AS granted
        FROM written, LATERAL unnest(written.budget_ids, written.window_starts, written.spent_units, written.held_units) AS s (id, window_start, spent, held)
        WHERE s.id = ANY (_load.budget_ids)
        UNION ALL
        SELECT own.id, own.window_start, 0, 0, COALESCE(s.spent, s.held)::numeric
        FROM written, LATERAL unnest(written.budget_ids, written.spent_units, written.held_units) AS s (id, spent, held)
        JOIN tokbudget.budget_grant ON budget_grant.tenant_id = _load.tenant_id AND budget_grant.grant_id = s.id,
        LATERAL unnest(written.budget_ids, written.window_starts) AS own (id, window_start)
        WHERE own.id = budget_grant.budget_id AND own.id = ANY (_load.budget_ids)
    ),
    folded AS (
        SELECT slot.id, slot.window_start, sum(slot.spent) AS spent, sum(slot.held) AS held, sum(slot.granted) AS granted
        FROM slot GROUP BY slot.id, slot.window_start
    )
    SELECT wanted.budget_id, wanted.window_start, COALESCE(balance.spent_units, 0) + COALESCE(folded.spent, 0), COALESCE(folded.held, 0),
        COALESCE(balance.granted_units, 0) + COALESCE(folded.granted, 0), balance.carried_units, COALESCE(balance.superseded, false)
    FROM unnest(_load.budget_ids, _load.window_starts) AS wanted (budget_id, window_start)
    LEFT JOIN tokbudget.balance ON balance.tenant_id = _load.tenant_id AND balance.budget_id = wanted.budget_id
        AND balance.window_start = wanted.window_start
    LEFT JOIN folded ON folded.id = wanted.budget_id AND folded.window_start = wanted.window_start;
END;
$$;
COMMENT ON FUNCTION tokbudget._load(integer, bigint[], timestamp with time zone[], boolean) IS
    'internal: these balances as the checkpoint, the entries since and the open reservations have them, with what this transaction has written or without';

CREATE FUNCTION tokbudget._expired_holds(tenant_id integer, budget_ids bigint[], at timestamp with time zone) RETURNS SETOF tokbudget.slot_sum
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH written AS MATERIALIZED (
        SELECT reservation.budget_ids, reservation.window_starts, reservation.held_units AS units
        FROM tokbudget.reservation
        WHERE reservation.tenant_id = _expired_holds.tenant_id AND reservation.state = 'held'
            AND reservation.expires_at <= _expired_holds.at AND reservation.budget_ids && _expired_holds.budget_ids
    ),
    slot AS (
        SELECT s.id, s.window_start, s.units::numeric AS units, 0::numeric AS granted
        FROM written, LATERAL unnest(written.budget_ids, written.window_starts, written.units) AS s (id, window_start, units)
        WHERE s.id = ANY (_expired_holds.budget_ids)
        UNION ALL
        SELECT own.id, own.window_start, 0, s.units::numeric
        FROM written, LATERAL unnest(written.budget_ids, written.units) AS s (id, units)
        JOIN tokbudget.budget_grant ON budget_grant.tenant_id = _expired_holds.tenant_id AND budget_grant.grant_id = s.id,
        LATERAL unnest(written.budget_ids, written.window_starts) AS own (id, window_start)
        WHERE own.id = budget_grant.budget_id AND own.id = ANY (_expired_holds.budget_ids)
    )
    SELECT _expired_holds.tenant_id, slot.id, slot.window_start, sum(slot.units), sum(slot.granted)
    FROM slot
    GROUP BY slot.id, slot.window_start;
END;
$$;
COMMENT ON FUNCTION tokbudget._expired_holds(integer, bigint[], timestamp with time zone) IS
    'internal: what holds that have expired at the instant, and that nobody has closed yet, hold of these budgets';
