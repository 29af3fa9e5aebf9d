-- Adding to the roll-ups what is new in the ledger. Nobody who writes into the ledger waits for it or does anything for it.

CREATE FUNCTION tokbudget._refresh(batch_size bigint, wait boolean, OUT entries bigint, OUT is_pending boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    state record;
    present pg_snapshot;
    until pg_snapshot;
BEGIN
    -- One after the other; under an old snapshot this fails where another one has been here since.
    IF wait THEN
        LOCK TABLE tokbudget.rollup IN SHARE ROW EXCLUSIVE MODE;
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        entries := 0;
        is_pending := true;
        RETURN;
    ELSE
        BEGIN
            LOCK TABLE tokbudget.rollup IN SHARE ROW EXCLUSIVE MODE NOWAIT;
        EXCEPTION WHEN lock_not_available THEN
            entries := 0;
            is_pending := true;
            RETURN;
        END;
    END IF;
    SELECT * INTO state FROM tokbudget._covered();
    present := pg_current_snapshot();
    until := tokbudget._next_covered(state.covered, present, batch_size);
    is_pending := until::text <> present::text;
    entries := tokbudget._refresh_usage(state.covered, state.taken_by, until);
    PERFORM tokbudget._refresh_session_usage(state.covered, state.taken_by, until);
    IF until::text = state.covered::text THEN
        RETURN;
    END IF;
    INSERT INTO tokbudget.rollup AS r (covered, taken_by, refreshed_at)
    VALUES (until, pg_current_xact_id(), tokbudget._now())
    ON CONFLICT (is_only) DO UPDATE SET covered = EXCLUDED.covered, taken_by = EXCLUDED.taken_by, refreshed_at = EXCLUDED.refreshed_at;
END;
$$;
COMMENT ON FUNCTION tokbudget._refresh(bigint, boolean) IS
    'internal: adds about batch_size entries to the roll-ups, the oldest first; pending says that more are waiting, or, where nobody is to be waited for, that another session does the same or the snapshot may be old';

CREATE FUNCTION @extschema@.tb_refresh(rebuild boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    batch record;
    entries bigint := 0;
BEGIN
    IF rebuild IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid option',
            DETAIL = jsonb_build_object('rebuild', rebuild)::text, HINT = 'rebuild is true or false.';
    END IF;
    IF rebuild THEN
        LOCK TABLE tokbudget.rollup IN SHARE ROW EXCLUSIVE MODE;
        PERFORM tokbudget._forget_usage();
        PERFORM tokbudget._forget_session_usage();
        DELETE FROM tokbudget.rollup;
    END IF;
    LOOP
        batch := tokbudget._refresh(250000, true);
        entries := entries + batch.entries;
        EXIT WHEN NOT batch.is_pending;
    END LOOP;
    RETURN entries;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_refresh(boolean) IS
    'adds to the roll-ups of the reports what has come into the ledger since the last time, and returns how many entries that were. Reports are right without it, and slower the longer it is not called; where the library is preloaded, a worker calls it once every tokbudget.upkeep_interval, and so does tb_maintain(). With rebuild the sums of all months that are in the ledger are made anew. Writers do not wait for it. Raises TB008 for a NULL, 40001 in a transaction above READ COMMITTED where another refresh came first';
