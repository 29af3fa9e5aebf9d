-- The engine that keeps the balances, as its operator sees it.

CREATE FUNCTION @extschema@.tb_engine() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'tb_engine_wrapper';
COMMENT ON FUNCTION @extschema@.tb_engine() IS
    'which engine keeps the balances of this server: escrow (in shared memory, no row is locked; where the library is preloaded and tokbudget.engine is auto) or rows (balance rows are locked)';

CREATE TYPE tokbudget.engine_statistics AS (
    engine text,
    balances_max bigint,
    balances bigint,
    balances_in_flight bigint,
    memory_bytes bigint,
    hits bigint,
    loads bigint,
    evictions bigint,
    refusals bigint,
    fallbacks bigint,
    checkpoints bigint,
    checkpoint_at timestamp with time zone
);
COMMENT ON TYPE tokbudget.engine_statistics IS 'what the engine counts since the server started, of all databases';

CREATE FUNCTION tokbudget._engine_statistics() RETURNS tokbudget.engine_statistics
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '_engine_statistics_wrapper';
COMMENT ON FUNCTION tokbudget._engine_statistics() IS 'internal: counters of the engine in shared memory';

CREATE VIEW tokbudget.tb_stat AS
SELECT counted.engine, counted.balances_max, counted.balances, counted.balances_in_flight, counted.memory_bytes, counted.hits,
    counted.loads, counted.evictions, counted.refusals, counted.fallbacks, counted.checkpoints,
    (SELECT checkpoint.taken_at FROM tokbudget.checkpoint) AS checkpoint_at
FROM tokbudget._engine_statistics() AS counted;
COMMENT ON VIEW tokbudget.tb_stat IS 'what the engine counts since the server started, of all databases; of the rows engine nothing';
COMMENT ON COLUMN tokbudget.tb_stat.engine IS 'escrow or rows';
COMMENT ON COLUMN tokbudget.tb_stat.balances_max IS 'how many balances shared memory has room for: tokbudget.balances_max, rounded up';
COMMENT ON COLUMN tokbudget.tb_stat.balances IS 'how many are in memory now';
COMMENT ON COLUMN tokbudget.tb_stat.balances_in_flight IS 'on how many of them a running transaction has something in flight';
COMMENT ON COLUMN tokbudget.tb_stat.memory_bytes IS 'shared memory that the engine has taken, bytes';
COMMENT ON COLUMN tokbudget.tb_stat.hits IS 'calls that found all their balances in memory';
COMMENT ON COLUMN tokbudget.tb_stat.loads IS 'balances read from the tables into memory';
COMMENT ON COLUMN tokbudget.tb_stat.evictions IS 'balances that made room for others: many of them ask for a larger tokbudget.balances_max';
COMMENT ON COLUMN tokbudget.tb_stat.refusals IS 'calls that did not fit';
COMMENT ON COLUMN tokbudget.tb_stat.fallbacks IS 'balances that found no room, because everything around was in flight, and were decided from the tables under a lock';
COMMENT ON COLUMN tokbudget.tb_stat.checkpoints IS 'checkpoints written';
COMMENT ON COLUMN tokbudget.tb_stat.checkpoint_at IS 'when the last one of this database was written';

CREATE TYPE tokbudget.balance_in_memory AS (
    tenant_id integer,
    budget_id bigint,
    window_start timestamp with time zone,
    spent_units bigint,
    held_units bigint,
    granted_units bigint,
    carried_units bigint,
    in_flight bigint,
    is_committed boolean,
    is_open boolean
);
COMMENT ON TYPE tokbudget.balance_in_memory IS 'a balance as shared memory has it: what has been committed, and on behalf of how many transactions something is in flight; carried_units is NULL where it is not known yet, is_committed says whether any of it is newer than what was read, and is_open whether carried_units is for good or may still be rolled back';

CREATE FUNCTION tokbudget._balances_in_memory() RETURNS SETOF tokbudget.balance_in_memory
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '_balances_in_memory_wrapper';
COMMENT ON FUNCTION tokbudget._balances_in_memory() IS 'internal: the balances of this database in shared memory';

CREATE TYPE tokbudget.window_in_memory AS (
    window_start timestamp with time zone,
    carried_units bigint
);
COMMENT ON TYPE tokbudget.window_in_memory IS 'a window of a budget as shared memory has it';
COMMENT ON COLUMN tokbudget.window_in_memory.window_start IS 'start of the window; -infinity for a budget without windows';
COMMENT ON COLUMN tokbudget.window_in_memory.carried_units IS 'what it got from the one before; NULL where nobody has opened it, or where only the tables know';

CREATE FUNCTION tokbudget._windows_in_memory(tenant_id integer, budget_id bigint) RETURNS SETOF tokbudget.window_in_memory
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '_windows_in_memory_wrapper';
COMMENT ON FUNCTION tokbudget._windows_in_memory(integer, bigint) IS 'internal: the windows of a budget that shared memory knows were used';

CREATE FUNCTION tokbudget._balances() RETURNS SETOF tokbudget.balance
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM tokbudget.checkpoint) THEN
        RETURN QUERY SELECT balance.* FROM tokbudget.balance;
        RETURN;
    END IF;
    IF tokbudget._is_restored() THEN
        RETURN QUERY
        SELECT tenant_id, budget_id, window_start, COALESCE(folded.units, 0)::bigint, COALESCE(hold.units, 0)::bigint,
            (COALESCE(folded.granted_units, 0) + COALESCE(hold.granted_units, 0))::bigint, balance.carried_units, COALESCE(balance.superseded, false)
        FROM tokbudget._fold() AS folded
        FULL JOIN tokbudget._open_holds() AS hold USING (tenant_id, budget_id, window_start)
        FULL JOIN tokbudget.balance USING (tenant_id, budget_id, window_start);
        RETURN;
    END IF;
    RETURN QUERY
    SELECT tenant_id, budget_id, window_start,
        (COALESCE(balance.spent_units, 0) + COALESCE(tail.units, 0))::bigint, COALESCE(hold.units, 0)::bigint,
        (COALESCE(balance.granted_units, 0) + COALESCE(tail.granted_units, 0) + COALESCE(hold.granted_units, 0))::bigint,
        COALESCE(balance.carried_units, memory.carried_units), COALESCE(balance.superseded, false)
    FROM tokbudget.balance
    FULL JOIN tokbudget._tail(true) AS tail USING (tenant_id, budget_id, window_start)
    FULL JOIN tokbudget._open_holds() AS hold USING (tenant_id, budget_id, window_start)
    -- A window that was used, and of which nothing is left.
    FULL JOIN tokbudget._balances_in_memory() AS memory USING (tenant_id, budget_id, window_start)
    WHERE memory.is_committed OR memory.is_open OR balance.spent_units IS NOT NULL OR tail.units IS NOT NULL OR hold.units IS NOT NULL;
END;
$$;
COMMENT ON FUNCTION tokbudget._balances() IS 'internal: all balances as they stand now, whichever engine keeps them';

CREATE FUNCTION tokbudget._windows(tenant_id integer, budget_id bigint, until timestamp with time zone, windows_max bigint) RETURNS SETOF tokbudget.window_in_memory
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH summed AS (
        SELECT balance.window_start, balance.carried_units FROM tokbudget.balance
        WHERE balance.tenant_id = _windows.tenant_id AND balance.budget_id = _windows.budget_id AND balance.window_start <= _windows.until
        ORDER BY balance.window_start DESC LIMIT _windows.windows_max
    ),
    written AS MATERIALIZED (
        SELECT entry.budget_ids, entry.window_starts FROM tokbudget.entry
        WHERE entry.tenant_id = _windows.tenant_id AND entry.budget_ids @> ARRAY[_windows.budget_id]
            AND entry.written_by >= (SELECT CASE WHEN tokbudget._is_restored() THEN '0'::xid8 ELSE pg_snapshot_xmin(checkpoint.covered) END FROM tokbudget.checkpoint)
        UNION ALL
        SELECT reservation.budget_ids, reservation.window_starts FROM tokbudget.reservation
        WHERE reservation.tenant_id = _windows.tenant_id AND reservation.state = 'held' AND reservation.budget_ids @> ARRAY[_windows.budget_id]
    ),
    known AS (
        SELECT summed.window_start, summed.carried_units FROM summed
        UNION ALL
        SELECT slot.window_start, NULL FROM written, LATERAL unnest(written.budget_ids, written.window_starts) AS slot (id, window_start)
        WHERE slot.id = _windows.budget_id
        UNION ALL
        SELECT memory.window_start, memory.carried_units FROM tokbudget._windows_in_memory(_windows.tenant_id, _windows.budget_id) AS memory
    )
    SELECT known.window_start, max(known.carried_units)
    FROM known
    WHERE known.window_start <= _windows.until
    GROUP BY known.window_start
    HAVING known.window_start < _windows.until OR max(known.carried_units) IS NOT NULL
    ORDER BY known.window_start DESC
    LIMIT _windows.windows_max;
END;
$$;
COMMENT ON FUNCTION tokbudget._windows(integer, bigint, timestamp with time zone, bigint) IS
    'internal: the last windows of a budget that were used, up to the one that begins then, latest first; that one only where it is open';

CREATE FUNCTION tokbudget._count_checkpoint() RETURNS void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', '_count_checkpoint_wrapper';
COMMENT ON FUNCTION tokbudget._count_checkpoint() IS 'internal: counts a checkpoint in tb_stat';

CREATE FUNCTION tokbudget._take_checkpoint() RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- One after the other; under an old snapshot this fails where another one has been taken since.
    PERFORM FROM tokbudget.checkpoint FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- One statement, one snapshot: the entries that it adds are those that its snapshot sees.
    WITH tail AS MATERIALIZED (
        SELECT * FROM tokbudget._tail(false)
    ),
    carried AS MATERIALIZED (
        SELECT memory.tenant_id, memory.budget_id, memory.window_start, memory.carried_units
        FROM tokbudget._balances_in_memory() AS memory
        WHERE memory.is_open
    ),
    added AS (
        INSERT INTO tokbudget.balance AS b (tenant_id, budget_id, window_start, spent_units, granted_units, carried_units)
        SELECT tenant_id, budget_id, window_start, COALESCE(tail.units, 0)::bigint, COALESCE(tail.granted_units, 0)::bigint,
            carried.carried_units
        FROM tail FULL JOIN carried USING (tenant_id, budget_id, window_start)
        LEFT JOIN tokbudget.balance AS old USING (tenant_id, budget_id, window_start)
        WHERE tail.units <> 0 OR tail.granted_units <> 0
            OR carried.carried_units IS NOT NULL AND old.carried_units IS NULL AND (old.tenant_id IS NOT NULL OR carried.carried_units <> 0)
        ORDER BY tenant_id, budget_id, window_start
        ON CONFLICT (tenant_id, budget_id, window_start) DO UPDATE SET
            spent_units = b.spent_units + EXCLUDED.spent_units,
            granted_units = b.granted_units + EXCLUDED.granted_units,
            carried_units = COALESCE(b.carried_units, EXCLUDED.carried_units)
    )
    UPDATE tokbudget.checkpoint SET covered = pg_current_snapshot(), taken_by = pg_current_xact_id(), taken_at = clock_timestamp()
    WHERE EXISTS (SELECT FROM tail);
    IF FOUND THEN
        PERFORM tokbudget._count_checkpoint();
    END IF;
    RETURN true;
END;
$$;
COMMENT ON FUNCTION tokbudget._take_checkpoint() IS
    'internal: adds to the balance rows what has come since the last checkpoint, so that whoever reads a balance into memory has little to read; false where the rows engine keeps balances';

CREATE FUNCTION tokbudget._close_windows(tenant_id integer, budget_id bigint) RETURNS SETOF tokbudget.window_in_memory
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_close_windows_wrapper';
COMMENT ON FUNCTION tokbudget._close_windows(integer, bigint) IS
    'internal: lets nobody else hold or spend of the budget until the transaction ends, and waits for those that do; returns its windows in memory, none where the rows engine keeps balances';

CREATE FUNCTION tokbudget._add_spend(tenant_id integer, budget_id bigint, window_start timestamp with time zone, spent_units bigint) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_add_spend_wrapper';
COMMENT ON FUNCTION tokbudget._add_spend(integer, bigint, timestamp with time zone, bigint) IS
    'internal: what an entry that SQL writes adds to a balance; NULL with a refusal put aside';

CREATE FUNCTION tokbudget._reload() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_reload_wrapper';
COMMENT ON FUNCTION tokbudget._reload() IS 'internal: sums all balances anew';

CREATE FUNCTION @extschema@.tb_reload() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'isolation level is not supported here',
            DETAIL = jsonb_build_object('transaction_isolation', current_setting('transaction_isolation'))::text,
            HINT = 'Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
    RETURN tokbudget._reload();
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_reload() IS
    'sums all balances anew from the ledger and the open reservations, and has those in shared memory read anew: to be called by whoever has changed the tables of tokbudget by hand. Returns on how many balances something is in flight, which are read anew once it has ended. Only for the owner of the extension; raises TB011 under another isolation level than READ COMMITTED';
