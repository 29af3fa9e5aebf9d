-- Retention: whole closed months leave the ledger. What they add to balances is carried over first, so that every balance
-- stays a sum that can be proved.

CREATE TABLE tokbudget.carried (
    tenant_id integer NOT NULL,
    budget_id bigint NOT NULL,
    window_start timestamp with time zone NOT NULL,
    carried_id bigint NOT NULL,
    month date NOT NULL,
    reserved_from timestamp with time zone NOT NULL,
    spent_units numeric NOT NULL,
    granted_units numeric NOT NULL,
    transferred_units numeric NOT NULL,
    entries bigint NOT NULL,
    carried_at timestamp with time zone NOT NULL,
    CONSTRAINT carried_pkey PRIMARY KEY (tenant_id, budget_id, window_start, carried_id, reserved_from)
);
COMMENT ON TABLE tokbudget.carried IS 'sums of the months that have left the ledger, append-only: tb_verify() adds them to what is left';
COMMENT ON COLUMN tokbudget.carried.tenant_id IS 'tenant of the budget';
COMMENT ON COLUMN tokbudget.carried.budget_id IS 'budget that the entries counted against';
COMMENT ON COLUMN tokbudget.carried.window_start IS 'window in which they counted; -infinity for a budget without windows';
COMMENT ON COLUMN tokbudget.carried.carried_id IS 'id of the departure, the same for all rows of one';
COMMENT ON COLUMN tokbudget.carried.month IS 'first day of the month that left, UTC';
COMMENT ON COLUMN tokbudget.carried.reserved_from IS 'when the first call of those that it sums was made; all of them were made on that day in the zone of the budget';
COMMENT ON COLUMN tokbudget.carried.spent_units IS 'sum of their spent_units: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.carried.granted_units IS 'the part of it that grants bore';
COMMENT ON COLUMN tokbudget.carried.transferred_units IS 'the part of it that entries of kind transfer brought from windows of an earlier schedule, where it was spent';
COMMENT ON COLUMN tokbudget.carried.entries IS 'how many entries it sums';
COMMENT ON COLUMN tokbudget.carried.carried_at IS 'when the month left';
CREATE TRIGGER carried_immutable BEFORE UPDATE OR DELETE ON tokbudget.carried
    FOR EACH ROW EXECUTE FUNCTION tokbudget._refuse_change();
ALTER TABLE tokbudget.carried ENABLE ALWAYS TRIGGER carried_immutable;
CREATE TRIGGER carried_no_truncate BEFORE TRUNCATE ON tokbudget.carried
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._refuse_change();
ALTER TABLE tokbudget.carried ENABLE ALWAYS TRIGGER carried_no_truncate;

CREATE FUNCTION tokbudget._check_retirement(month date, reason text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF month IS NULL OR month NOT BETWEEN '0001-01-01' AND '9999-12-01' OR extract(day FROM month) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid month',
            DETAIL = jsonb_build_object('month', month)::text,
            HINT = 'Give the first day of the month, such as ''2026-01-01''; tokbudget.entry_partition lists them.';
    END IF;
    IF reason IS NULL OR btrim(reason) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'a reason is needed',
            DETAIL = jsonb_build_object('month', month)::text,
            HINT = 'Say why the month leaves the ledger, for whoever looks for its entries.';
    END IF;
    IF timezone('UTC', month + interval '1 month') > tokbudget._now() THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'month is not closed',
            DETAIL = jsonb_build_object('month', month, 'ends_at', timezone('UTC', month + interval '1 month'))::text,
            HINT = 'Only months that are over, in UTC, can leave the ledger.';
    END IF;
    -- An older snapshot would sum less than what leaves.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'isolation level is not supported here',
            DETAIL = jsonb_build_object('transaction_isolation', current_setting('transaction_isolation'))::text,
            HINT = 'Begin the transaction with BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_retirement(date, text) IS
    'internal: raises TB008 for what is no month or without a reason, TB011 for a month that is not over or under a snapshot that may be old';

-- Each try is short, and whoever came meanwhile goes first: a writer waits for one try at most.
CREATE FUNCTION tokbudget._lock_to_detach(partition regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '200ms'
    AS $$
BEGIN
    FOR attempt IN 1..20 LOOP
        BEGIN
            LOCK TABLE ONLY tokbudget.entry IN ACCESS EXCLUSIVE MODE;
            LOCK TABLE ONLY tokbudget.entry_default IN ACCESS EXCLUSIVE MODE;
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', partition);
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.2);
        END;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available', MESSAGE = 'the ledger is in use',
        DETAIL = jsonb_build_object('partition', partition)::text,
        HINT = 'Try again when long transactions, reports and dumps have ended; pg_locks shows who has the table open.';
END;
$$;
COMMENT ON FUNCTION tokbudget._lock_to_detach(regclass) IS
    'internal: takes the locks that DETACH needs, in short tries; raises 55P03 after eight seconds';

CREATE FUNCTION tokbudget._log_retirement(month date, relation regclass, action text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    tenant record;
BEGIN
    FOR tenant IN EXECUTE format(
        'SELECT tenant_id, sum(entries)::bigint AS entries, sum(unpriced)::bigint AS unpriced, jsonb_object_agg(currency, cost) AS cost
         FROM (SELECT tenant_id, currency, count(*) AS entries, count(*) FILTER (WHERE cost IS NULL) AS unpriced, COALESCE(sum(cost), 0) AS cost
               FROM %s GROUP BY tenant_id, currency) AS spent
         GROUP BY tenant_id ORDER BY tenant_id', relation)
    LOOP
        PERFORM tokbudget._log_change(tenant.tenant_id, NULL, 'partition', NULL, action,
            jsonb_build_object('month', month, 'entries', tenant.entries, 'unpriced_entries', tenant.unpriced, 'cost', tenant.cost),
            NULL, reason);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._log_retirement(date, regclass, text, text) IS
    'internal: notes in the log of each tenant what leaves with the month: entries, those without a cost, cost by currency';

CREATE FUNCTION tokbudget._find_partition(month date) RETURNS regclass
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    partition regclass := (SELECT part.partition FROM tokbudget._entry_partitions() AS part WHERE part.month = _find_partition.month);
BEGIN
    IF partition IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'no such month in the ledger',
            DETAIL = jsonb_build_object('month', month)::text,
            HINT = 'tokbudget.entry_partition lists the months; entries in entry_default get theirs from tb_maintain().';
    END IF;
    RETURN partition;
END;
$$;
COMMENT ON FUNCTION tokbudget._find_partition(date) IS 'internal: the partition of a month; raises TB008 where there is none';

CREATE FUNCTION tokbudget._detach(month date, action text, reason text, OUT partition regclass, OUT entries bigint)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '5s'
    AS $$
DECLARE
    month_start CONSTANT timestamp with time zone := timezone('UTC', month::timestamp);
    month_end CONSTANT timestamp with time zone := timezone('UTC', month + interval '1 month');
    open_reservations bigint;
BEGIN
    -- Nobody writes into a month that is over, but for a transaction that is still open; it is waited for here, where
    -- nobody else waits. Another session may have taken the month away meanwhile, so it is looked for again.
    partition := tokbudget._find_partition(month);
    BEGIN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', partition);
    EXCEPTION WHEN undefined_table THEN
        NULL;
    END;
    partition := tokbudget._find_partition(month);
    SELECT count(*) INTO open_reservations FROM tokbudget.reservation
    WHERE reservation.state = 'held' AND reservation.created_at >= month_start AND reservation.created_at < month_end;
    IF open_reservations > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'month has open reservations',
            DETAIL = jsonb_build_object('month', month, 'open_reservations', open_reservations)::text,
            HINT = 'Commit or release them; tb_maintain() or tb_expire() closes those that have expired.';
    END IF;

    -- What leaves must be in the balance rows and in the roll-ups, not in the tail.
    PERFORM tokbudget._take_checkpoint();
    PERFORM @extschema@.tb_refresh();
    PERFORM tokbudget._depart_usage(month);
    EXECUTE format('SELECT count(*) FROM %s', partition) INTO entries;
    EXECUTE format(
        'INSERT INTO tokbudget.carried (tenant_id, budget_id, window_start, carried_id, month, reserved_from, spent_units,
             granted_units, transferred_units, entries, carried_at)
         SELECT entry.tenant_id, slot.budget_id, slot.window_start, $1, $2, min(entry.reserved_at), sum(slot.units),
             COALESCE(sum(granted.units), 0), COALESCE(sum(slot.units) FILTER (WHERE entry.kind = ''transfer''), 0), count(*), $3
         FROM %s AS entry
         CROSS JOIN LATERAL unnest(entry.budget_ids, entry.window_starts, entry.spent_units) AS slot (budget_id, window_start, units)
         LEFT JOIN LATERAL (
             SELECT sum(part.units) AS units FROM unnest(entry.budget_ids, entry.spent_units) AS part (grant_id, units)
             JOIN tokbudget.budget_grant ON budget_grant.tenant_id = entry.tenant_id AND budget_grant.grant_id = part.grant_id
             WHERE budget_grant.budget_id = slot.budget_id
         ) AS granted ON true
         LEFT JOIN tokbudget.budget ON budget.tenant_id = entry.tenant_id AND budget.budget_id = slot.budget_id
         GROUP BY entry.tenant_id, slot.budget_id, slot.window_start,
             date_trunc(''day'', entry.reserved_at, COALESCE(budget.time_zone, ''UTC''))', partition)
    USING tokbudget._new_id(), month, tokbudget._now();
    PERFORM tokbudget._log_retirement(month, partition, action, reason);

    -- Last, because from here on to the end of the transaction all who use the ledger wait.
    PERFORM tokbudget._lock_to_detach(partition);
    EXECUTE format('ALTER TABLE tokbudget.entry DETACH PARTITION %s', partition);
END;
$$;
COMMENT ON FUNCTION tokbudget._detach(date, text, text) IS
    'internal: carries the sums of a closed month over and detaches its partition; raises TB008 for a month that is not there, TB011 for one with open reservations, 55P03 where the ledger stays in use';

CREATE FUNCTION tokbudget._detached(month date) RETURNS regclass
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT oid::regclass FROM pg_class
    WHERE relnamespace = 'tokbudget'::regnamespace AND relname = 'entry_' || to_char(month, 'YYYY_MM') || '_detached' AND NOT relispartition
$$;
COMMENT ON FUNCTION tokbudget._detached(date) IS 'internal: the table that tb_detach_month made of a month, NULL where there is none';

CREATE FUNCTION @extschema@.tb_detach_month(month date, reason text) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    partition regclass;
BEGIN
    PERFORM tokbudget._check_retirement(month, reason);
    IF tokbudget._detached(month) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'month was detached before',
            DETAIL = jsonb_build_object('month', month, 'table', tokbudget._detached(month))::text,
            HINT = 'Later entries of the same month need the name of that table: export it and drop it first.';
    END IF;
    SELECT detached.partition INTO STRICT partition FROM tokbudget._detach(month, 'detach', reason) AS detached;
    EXECUTE format('DROP TRIGGER %I ON %s', 'entry_' || to_char(month, 'YYYY_MM') || '_no_truncate', partition);
    EXECUTE format('ALTER TABLE %s RENAME TO %I', partition, 'entry_' || to_char(month, 'YYYY_MM') || '_detached');
    EXECUTE format('COMMENT ON TABLE %s IS %L', partition,
        'entries recorded in ' || to_char(month, 'YYYY-MM') || ', UTC, no longer part of the ledger');
    RETURN partition;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_detach_month(date, text) IS
    'takes a closed month out of the ledger, into the plain table tokbudget.entry_YYYY_MM_detached, which is returned: to be dumped, copied, moved, and dropped with DROP TABLE or tb_drop_month. month is its first day, UTC. Balances stay: its sums are carried over into tokbudget.carried. Chargeback keeps its sums, other reports and re-ratings no longer see its entries; corrections of them in later months stay. Whoever uses the ledger waits until the transaction ends. Raises TB008 for a month that is not in the ledger or without a reason, TB011 for a month that is not over, that has open reservations or that was detached before, and in a transaction above READ COMMITTED, 55P03 where the ledger stays in use';

CREATE FUNCTION @extschema@.tb_drop_month(month date, reason text, drop_reservations boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    relation regclass;
    entries bigint;
BEGIN
    PERFORM tokbudget._check_retirement(month, reason);
    IF drop_reservations IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid option',
            DETAIL = jsonb_build_object('drop_reservations', drop_reservations)::text,
            HINT = 'drop_reservations is true or false.';
    END IF;
    IF drop_reservations THEN
        DELETE FROM tokbudget.reservation
        WHERE reservation.created_at >= timezone('UTC', month::timestamp)
            AND reservation.created_at < timezone('UTC', month + interval '1 month')
            AND reservation.state <> 'held';
    END IF;
    relation := tokbudget._detached(month);
    IF relation IS NULL THEN
        SELECT detached.partition, detached.entries INTO STRICT relation, entries
        FROM tokbudget._detach(month, 'drop', reason) AS detached;
    ELSE
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO entries;
        PERFORM tokbudget._log_retirement(month, relation, 'drop', reason);
    END IF;
    EXECUTE format('DROP TABLE %s', relation);
    RETURN entries;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_drop_month(date, text, boolean) IS
    'drops a closed month of the ledger, or the table that tb_detach_month made of it, and returns how many entries it had; there is no way back. month is its first day, UTC. Balances stay, as with tb_detach_month. drop_reservations => true drops the settled reservations made in that month too, so that a late commit, or a retry, of one of them finds none. Raises TB008 for a month that is not there or without a reason, TB011 for a month that is not over or has open reservations, and in a transaction above READ COMMITTED, 55P03 where the ledger stays in use';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.carried', '');
