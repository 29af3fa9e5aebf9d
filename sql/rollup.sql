-- Roll-ups: sums over the ledger that reports read instead of it. The ledger only ever grows, so a roll-up is a sum to which
-- whatever is new is added. It covers exactly what one snapshot saw, whatever the order in which transactions end, and a
-- report adds what that snapshot did not see: so it is always current, and always exact.

CREATE TABLE tokbudget.rollup (
    is_only boolean NOT NULL DEFAULT true,
    covered pg_snapshot NOT NULL,
    taken_by xid8 NOT NULL,
    refreshed_at timestamp with time zone NOT NULL,
    CONSTRAINT rollup_pkey PRIMARY KEY (is_only),
    CONSTRAINT rollup_is_only_check CHECK (is_only)
);
COMMENT ON TABLE tokbudget.rollup IS 'one row that says what the roll-ups cover, none before the first refresh; not dumped, so that a restored database sums anew';
COMMENT ON COLUMN tokbudget.rollup.is_only IS 'always true, so that there is one row at most';
COMMENT ON COLUMN tokbudget.rollup.covered IS 'snapshot whose entries the roll-ups sum';
COMMENT ON COLUMN tokbudget.rollup.taken_by IS 'transaction that refreshed them, whose own entries they leave out';
COMMENT ON COLUMN tokbudget.rollup.refreshed_at IS 'when entries were last added';

CREATE TABLE tokbudget.departed_month (
    month date NOT NULL,
    departed_at timestamp with time zone NOT NULL,
    CONSTRAINT departed_month_pkey PRIMARY KEY (month)
);
COMMENT ON TABLE tokbudget.departed_month IS 'months that have left the ledger, of which only roll-ups tell';
COMMENT ON COLUMN tokbudget.departed_month.month IS 'first day of the month, UTC';
COMMENT ON COLUMN tokbudget.departed_month.departed_at IS 'when it left';

CREATE FUNCTION tokbudget._covered(OUT covered pg_snapshot, OUT taken_by xid8)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    -- No transaction has a number below 3.
    AS $$
    SELECT COALESCE(rollup.covered, '1:1:'), COALESCE(rollup.taken_by, '0')
    FROM (SELECT) AS always LEFT JOIN tokbudget.rollup ON true
$$;
COMMENT ON FUNCTION tokbudget._covered() IS 'internal: what the roll-ups cover; nothing before the first refresh';

-- Without SET, so that it becomes part of the statement that calls it. What a snapshot does not see are the transactions from
-- its xmax on and those that it lists, and both are looked up: the oldest one still open may be an hour old.
CREATE FUNCTION tokbudget._entries_since(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.entry
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT entry.* FROM tokbudget.entry
    WHERE entry.written_by OPERATOR(pg_catalog.>=) pg_catalog.pg_snapshot_xmax(after)
        AND (until IS NULL OR pg_catalog.pg_visible_in_snapshot(entry.written_by, until)
            AND entry.written_by OPERATOR(pg_catalog.<>) COALESCE(pg_catalog.pg_current_xact_id_if_assigned(), '0'::pg_catalog.xid8))
    UNION ALL
    SELECT entry.* FROM tokbudget.entry
    WHERE entry.written_by OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT pg_catalog.pg_snapshot_xip(after)) OPERATOR(pg_catalog.||) after_own)
        AND entry.written_by OPERATOR(pg_catalog.<) pg_catalog.pg_snapshot_xmax(after)
        AND (until IS NULL OR pg_catalog.pg_visible_in_snapshot(entry.written_by, until)
            AND entry.written_by OPERATOR(pg_catalog.<>) COALESCE(pg_catalog.pg_current_xact_id_if_assigned(), '0'::pg_catalog.xid8))
$$;
COMMENT ON FUNCTION tokbudget._entries_since(pg_snapshot, xid8, pg_snapshot) IS
    'internal: entries that the snapshot after does not see, those of the transaction after_own too, and that until sees, without those of this transaction; all visible ones where until is NULL';

-- The snapshot that covers at most so many entries more. A snapshot is a set of transactions, and any smaller set that leaves
-- out all later ones is one as well.
CREATE FUNCTION tokbudget._next_covered(after pg_snapshot, present pg_snapshot, batch_size bigint) RETURNS pg_snapshot
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    AS $$
DECLARE
    first_xid xid8;
    bound xid8;
BEGIN
    SELECT entry.written_by INTO bound FROM tokbudget.entry
    WHERE entry.written_by >= pg_snapshot_xmax(after) AND pg_visible_in_snapshot(entry.written_by, present)
    ORDER BY entry.written_by OFFSET batch_size LIMIT 1;
    IF bound IS NULL THEN
        RETURN present;
    END IF;
    SELECT entry.written_by INTO first_xid FROM tokbudget.entry
    WHERE entry.written_by >= pg_snapshot_xmax(after) AND pg_visible_in_snapshot(entry.written_by, present)
    ORDER BY entry.written_by LIMIT 1;
    -- What one transaction wrote is covered as a whole.
    IF bound = first_xid THEN
        bound := (bound::text::numeric + 1)::text::xid8;
    END IF;
    RETURN format('%s:%s:%s', LEAST(pg_snapshot_xmin(present), bound), bound,
        (SELECT string_agg(xid::text, ',' ORDER BY xid) FROM pg_snapshot_xip(present) AS xid WHERE xid < bound))::pg_snapshot;
END;
$$;
COMMENT ON FUNCTION tokbudget._next_covered(pg_snapshot, pg_snapshot, bigint) IS
    'internal: the snapshot present, or the one of an earlier transaction that sees about batch_size entries more than after';
