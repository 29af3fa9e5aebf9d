-- The ledger by calendar month, UTC. Monthly partitions are made by functions and never by CREATE EXTENSION: as they are no
-- members of the extension, a dump carries their definition and their rows, and a restore meets none that is there already.

-- Bounds are read as pg_get_expr prints them, which depends on both settings.
CREATE FUNCTION tokbudget._entry_partitions() RETURNS TABLE (
    partition regclass,
    month date,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone
)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, YMD'
    SET timezone = 'UTC'
    AS $$
    SELECT child.oid::regclass,
           CASE WHEN bound.starts_at = date_trunc('month', bound.starts_at) AND bound.ends_at = bound.starts_at + interval '1 month'
               THEN bound.starts_at::date
           END,
           bound.starts_at, bound.ends_at
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
    CROSS JOIN LATERAL (
        SELECT regexp_match(pg_get_expr(child.relpartbound, child.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$')
    ) AS printed (bounds)
    CROSS JOIN LATERAL (
        SELECT CASE printed.bounds[1] WHEN 'MINVALUE' THEN '-infinity' ELSE btrim(printed.bounds[1], '''')::timestamp with time zone END,
               CASE printed.bounds[2] WHEN 'MAXVALUE' THEN 'infinity' ELSE btrim(printed.bounds[2], '''')::timestamp with time zone END
    ) AS bound (starts_at, ends_at)
    WHERE pg_inherits.inhparent = 'tokbudget.entry'::regclass
$$;
COMMENT ON FUNCTION tokbudget._entry_partitions() IS 'internal: the partitions of the ledger and their bounds, NULL for the default one; month is the first day of one that is a calendar month';

CREATE VIEW tokbudget.entry_partition AS
SELECT
    part.month,
    part.partition,
    part.starts_at,
    part.ends_at,
    part.ends_at OPERATOR(pg_catalog.<=) tokbudget._now() AS is_closed,
    CASE WHEN relation.reltuples OPERATOR(pg_catalog.>=) 0::pg_catalog.float4 THEN relation.reltuples::pg_catalog.int8 END AS rows_estimate,
    pg_catalog.pg_total_relation_size(relation.oid) AS bytes
FROM tokbudget._entry_partitions() AS part
JOIN pg_catalog.pg_class AS relation ON relation.oid OPERATOR(pg_catalog.=) part.partition::pg_catalog.oid
ORDER BY part.starts_at;
COMMENT ON VIEW tokbudget.entry_partition IS
    'partitions of the ledger, oldest month first; the last is entry_default, whose rows tb_maintain moves into their months';
COMMENT ON COLUMN tokbudget.entry_partition.month IS 'first day of the calendar month, UTC; NULL for entry_default, and for a partition made by hand that is no month';
COMMENT ON COLUMN tokbudget.entry_partition.partition IS 'table with the entries recorded in the month';
COMMENT ON COLUMN tokbudget.entry_partition.starts_at IS 'first instant of the month';
COMMENT ON COLUMN tokbudget.entry_partition.ends_at IS 'first instant after the month';
COMMENT ON COLUMN tokbudget.entry_partition.is_closed IS 'the month is over: it may be detached or dropped';
COMMENT ON COLUMN tokbudget.entry_partition.rows_estimate IS 'entries as the last ANALYZE or VACUUM counted them; NULL before the first';
COMMENT ON COLUMN tokbudget.entry_partition.bytes IS 'size on disk with indexes, bytes';

CREATE FUNCTION tokbudget._missing_months(until timestamp with time zone, include_default boolean) RETURNS SETOF date
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    present CONSTANT timestamp with time zone := tokbudget._now();
    months date[] := '{}';
BEGIN
    IF present >= '0001-01-01 UTC' AND until < '9999-12-01 UTC' THEN
        months := ARRAY(SELECT generate_series(date_trunc('month', timezone('UTC', present)), timezone('UTC', until), '1 month'));
    END IF;
    -- Looked into only where it has to be: whoever moves its rows has locked it.
    IF include_default THEN
        months := months || ARRAY(
            SELECT DISTINCT date_trunc('month', timezone('UTC', entry_default.recorded_at))::date
            FROM ONLY tokbudget.entry_default
            WHERE entry_default.recorded_at >= '0001-01-01 UTC' AND entry_default.recorded_at < '9999-12-01 UTC');
    END IF;
    RETURN QUERY
    SELECT DISTINCT wanted.month FROM unnest(months) AS wanted (month)
    WHERE NOT EXISTS (
        SELECT FROM tokbudget._entry_partitions() AS part
        WHERE part.starts_at < timezone('UTC', wanted.month + interval '1 month')
            AND part.ends_at > timezone('UTC', wanted.month::timestamp)
    )
    ORDER BY wanted.month;
END;
$$;
COMMENT ON FUNCTION tokbudget._missing_months(timestamp with time zone, boolean) IS
    'internal: months from the present one to that of until, and those of the rows in entry_default, that no partition takes';

-- Only inside a transaction that has locked entry_default, and the whole ledger where rows move: nobody else meets the
-- table while its trigger is off, and nobody but the owner can switch it off.
CREATE FUNCTION tokbudget._add_partition(month date) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    partition_name CONSTANT name := 'entry_' || to_char(month, 'YYYY_MM');
    starts_at CONSTANT timestamp with time zone := timezone('UTC', month::timestamp);
    ends_at CONSTANT timestamp with time zone := timezone('UTC', month + interval '1 month');
    columns text;
    added bigint;
    removed bigint := 0;
BEGIN
    EXECUTE format('CREATE TABLE tokbudget.%I (LIKE tokbudget.entry_default INCLUDING ALL EXCLUDING COMMENTS)', partition_name);
    EXECUTE format('REVOKE ALL ON TABLE tokbudget.%I FROM PUBLIC', partition_name);
    EXECUTE format('COMMENT ON TABLE tokbudget.%I IS %L', partition_name, 'entries recorded in ' || to_char(month, 'YYYY-MM') || ', UTC');

    -- By name: the order of the columns may differ after a restore.
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute WHERE attrelid = 'tokbudget.entry'::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('INSERT INTO tokbudget.%I (%s) SELECT %2$s FROM ONLY tokbudget.entry_default
        WHERE entry_default.recorded_at >= $1 AND entry_default.recorded_at < $2', partition_name, columns) USING starts_at, ends_at;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added > 0 THEN
        ALTER TABLE tokbudget.entry_default DISABLE TRIGGER entry_immutable;
        DELETE FROM ONLY tokbudget.entry_default
        WHERE entry_default.recorded_at >= starts_at AND entry_default.recorded_at < ends_at;
        GET DIAGNOSTICS removed = ROW_COUNT;
        ALTER TABLE tokbudget.entry_default ENABLE ALWAYS TRIGGER entry_immutable;
    END IF;
    IF added <> removed THEN
        RAISE EXCEPTION USING MESSAGE = 'entries would be lost',
            DETAIL = jsonb_build_object('month', month, 'added', added, 'removed', removed)::text;
    END IF;

    EXECUTE format('ALTER TABLE tokbudget.entry ATTACH PARTITION tokbudget.%I FOR VALUES FROM (%L) TO (%L)', partition_name,
        to_char(month, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
    -- Row triggers come from the parent, those for TRUNCATE do not.
    EXECUTE format('ALTER TABLE tokbudget.%I ENABLE ALWAYS TRIGGER entry_immutable', partition_name);
    EXECUTE format('ALTER TABLE tokbudget.%I ENABLE ALWAYS TRIGGER entry_written_by', partition_name);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON tokbudget.%I FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._refuse_change()',
        partition_name || '_no_truncate', partition_name);
    EXECUTE format('ALTER TABLE tokbudget.%I ENABLE ALWAYS TRIGGER %I', partition_name, partition_name || '_no_truncate');
    RETURN added;
END;
$$;
COMMENT ON FUNCTION tokbudget._add_partition(date) IS
    'internal: makes the partition of a month and moves the month''s rows out of entry_default; returns how many';

CREATE FUNCTION tokbudget._make_partitions(
    until timestamp with time zone,
    move_max bigint DEFAULT 0,
    OUT made integer,
    OUT moved bigint,
    OUT is_pending boolean
)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    -- Long enough for whoever is about to finish, too short for anybody to notice who queues behind.
    SET lock_timeout = '200ms'
    AS $$
DECLARE
    include_default CONSTANT boolean := move_max > 0;
    months date[];
    is_exclusive boolean;
    month date;
BEGIN
    made := 0;
    moved := 0;
    is_pending := false;
    -- Nobody writes into a month to come, so what ATTACH takes anyway is enough, taken first so that makers wait for each
    -- other here: writers wait for nobody. A month that may be written to now, or whose rows move, needs all to itself: a
    -- writer on his way into entry_default would fail there, and a reader who had planned without the new partition would
    -- miss what moved. Either way entry_default is locked, and who reads the ledger is waited for; but not for long.
    BEGIN
        months := ARRAY(SELECT * FROM tokbudget._missing_months(until, include_default));
        IF cardinality(months) = 0 THEN
            RETURN;
        END IF;
        is_exclusive := timezone('UTC', months[1]::timestamp) <= tokbudget._now() + interval '1 day'
            OR include_default AND EXISTS (SELECT FROM ONLY tokbudget.entry_default);
        IF is_exclusive THEN
            LOCK TABLE ONLY tokbudget.entry IN ACCESS EXCLUSIVE MODE;
        ELSE
            LOCK TABLE ONLY tokbudget.entry IN SHARE UPDATE EXCLUSIVE MODE;
        END IF;
        LOCK TABLE ONLY tokbudget.entry_default IN ACCESS EXCLUSIVE MODE;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        is_pending := true;
        RETURN;
    END;
    -- Another session may have made them meanwhile. An array, because an open cursor would be in the way of ALTER TABLE.
    months := ARRAY(SELECT * FROM tokbudget._missing_months(until, include_default));
    FOREACH month IN ARRAY months LOOP
        IF (moved >= move_max OR NOT is_exclusive) AND EXISTS (
            SELECT FROM ONLY tokbudget.entry_default
            WHERE entry_default.recorded_at >= timezone('UTC', month::timestamp)
                AND entry_default.recorded_at < timezone('UTC', month + interval '1 month')
        ) THEN
            is_pending := true;
            CONTINUE;
        END IF;
        -- Under an old snapshot (REPEATABLE READ) another session's partition or rows are met only here.
        BEGIN
            moved := moved + tokbudget._add_partition(month);
            made := made + 1;
        EXCEPTION WHEN duplicate_table OR invalid_object_definition OR check_violation THEN
            is_pending := true;
        END;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._make_partitions(timestamp with time zone, bigint) IS
    'internal: makes the partitions of the months from the present one to that of until; with move_max also of those whose rows are in entry_default, which it moves a month at a time until it has moved so many. Pending says that something is left, because a lock was not to be had or move_max was reached';

CREATE FUNCTION tokbudget._make_first_partitions() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Where upkeep runs, the next month is there, and a new tenant costs this look.
    IF EXISTS (SELECT FROM tokbudget._missing_months(tokbudget._now() + interval '1 month', false)) THEN
        PERFORM tokbudget._make_partitions(tokbudget._now() + interval '12 months');
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._make_first_partitions() IS
    'internal: makes the partitions of the present month and the next twelve, if the present or the next one is missing; never waits long and never fails for want of a lock';
