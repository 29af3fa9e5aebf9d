-- Upkeep, for whoever runs jobs. Nothing depends on it for being right: windows reset by the calendar, expired holds count
-- against nobody, and a month without a partition goes into entry_default.

CREATE INDEX idempotency_created_at_idx ON tokbudget.idempotency (tenant_id, created_at);

CREATE FUNCTION tokbudget._idempotency_retention(tenant_id integer) RETURNS interval
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT tenant.idempotency_retention FROM tokbudget.tenant WHERE tenant.tenant_id = _idempotency_retention.tenant_id $$;
COMMENT ON FUNCTION tokbudget._idempotency_retention(integer) IS 'internal: how long a tenant''s idempotency keys are kept';

CREATE TYPE tokbudget.upkeep AS (
    partitions_made integer,
    entries_moved bigint,
    reservations_expired integer,
    idempotency_keys_deleted bigint,
    pending text[],
    entries_rolled_up bigint,
    anomalies_found integer
);
COMMENT ON TYPE tokbudget.upkeep IS 'what one run of tb_maintain did';
COMMENT ON COLUMN tokbudget.upkeep.partitions_made IS 'monthly partitions that were added to the ledger';
COMMENT ON COLUMN tokbudget.upkeep.entries_moved IS 'entries that went from entry_default into the partition of their month';
COMMENT ON COLUMN tokbudget.upkeep.reservations_expired IS 'expired reservations that were closed';
COMMENT ON COLUMN tokbudget.upkeep.idempotency_keys_deleted IS 'idempotency keys older than their retention that were deleted';
COMMENT ON COLUMN tokbudget.upkeep.pending IS
    'what is left for the next run: partitions (the ledger was in use, or batch_size was reached), reservations, idempotency_keys (batch_size was reached), reports (a hundred times batch_size was reached, or tb_refresh was running), anomalies (there was no time left to look at every tenant, or another run went on)';
COMMENT ON COLUMN tokbudget.upkeep.entries_rolled_up IS 'entries that were added to the roll-ups of the reports';
COMMENT ON COLUMN tokbudget.upkeep.anomalies_found IS 'alerts of anomalies that were written';

CREATE FUNCTION tokbudget._delete_idempotency_keys(batch_size integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    present CONSTANT timestamp with time zone := tokbudget._now();
    owner_id integer;
    deleted integer := 0;
    deleted_here integer;
BEGIN
    FOR owner_id IN SELECT tenant.tenant_id FROM tokbudget.tenant ORDER BY tenant.tenant_id LOOP
        EXIT WHEN deleted >= batch_size;
        DELETE FROM tokbudget.idempotency
        WHERE idempotency.tenant_id = owner_id AND (idempotency.operation, idempotency.idempotency_key) IN (
            SELECT old.operation, old.idempotency_key FROM tokbudget.idempotency AS old
            WHERE old.tenant_id = owner_id AND old.created_at <= present - tokbudget._idempotency_retention(owner_id)
            ORDER BY old.created_at
            LIMIT batch_size - deleted
            FOR UPDATE SKIP LOCKED
        );
        GET DIAGNOSTICS deleted_here = ROW_COUNT;
        deleted := deleted + deleted_here;
    END LOOP;
    RETURN deleted;
END;
$$;
COMMENT ON FUNCTION tokbudget._delete_idempotency_keys(integer) IS
    'internal: deletes up to batch_size idempotency keys that are older than their tenant''s retention; returns how many';

CREATE FUNCTION @extschema@.tb_maintain(months_ahead integer DEFAULT 12, batch_size integer DEFAULT 10000) RETURNS tokbudget.upkeep
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    reservations_expired integer;
    idempotency_keys_deleted bigint;
    rolled_up record;
    anomalies record;
    partitions record;
BEGIN
    IF months_ahead IS NULL OR months_ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid number of months',
            DETAIL = jsonb_build_object('months_ahead', months_ahead)::text,
            HINT = 'Partitions can be made 0 to 120 months ahead.';
    END IF;
    IF batch_size IS NULL OR batch_size NOT BETWEEN 1 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid batch size',
            DETAIL = jsonb_build_object('batch_size', batch_size)::text,
            HINT = 'A batch is 1 to 1000000 rows of each kind.';
    END IF;
    reservations_expired := tokbudget._expire(batch_size);
    IF reservations_expired IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    idempotency_keys_deleted := tokbudget._delete_idempotency_keys(batch_size);
    rolled_up := tokbudget._refresh(100 * batch_size::bigint, false);
    anomalies := tokbudget._detect_anomalies(interval '5 seconds');
    -- Last, because its locks are on whole tables and stay until the transaction ends.
    partitions := tokbudget._make_partitions(tokbudget._now() + make_interval(months => months_ahead), batch_size);
    RETURN ROW(partitions.made, partitions.moved, reservations_expired, idempotency_keys_deleted, array_remove(ARRAY[
        CASE WHEN partitions.is_pending THEN 'partitions' END,
        CASE WHEN reservations_expired >= batch_size THEN 'reservations' END,
        CASE WHEN idempotency_keys_deleted >= batch_size THEN 'idempotency_keys' END,
        CASE WHEN rolled_up.is_pending THEN 'reports' END,
        CASE WHEN anomalies.is_pending THEN 'anomalies' END
    ], NULL), rolled_up.entries, anomalies.written)::tokbudget.upkeep;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_maintain(integer, integer) IS
    'upkeep in one call, to be run every few minutes, by several at once if need be: closes expired reservations, deletes idempotency keys older than their retention, adds new entries to the roll-ups of the reports, writes alerts of anomalies, makes the monthly partitions of the ledger up to months_ahead and moves entries from entry_default into theirs; up to batch_size rows of each, moved entries by whole months. It waits for no one: what a lock keeps from it is pending. Raises TB008 for an invalid argument';
