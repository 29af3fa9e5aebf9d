-- Entries as facts, and those that the roll-ups have not seen.

-- Without SET, as the next one, so that they become part of the statement that calls them.
CREATE FUNCTION tokbudget._entry_fact(entry tokbudget.entry) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT (entry).tenant_id, pg_catalog.date_trunc('hour', (entry).recorded_at, 'UTC'),
        (entry).account_ids[1:pg_catalog.array_position((entry).account_ids, (entry).account_id)], (entry).cost_center, (entry).currency,
        (entry).provider, (entry).request_model, (entry).operation, (entry).service_tier, (entry).workflow, (entry).step,
        (entry).outcome, (entry).agent, (entry).end_user, 1::pg_catalog.int8, (entry).requests, (entry).input_tokens,
        (entry).cache_read_input_tokens, (entry).cache_write_input_tokens, (entry).output_tokens, (entry).reasoning_output_tokens,
        (entry).cost, (entry).internal_cost, (entry).reported_cost, ((entry).cost IS NULL)::pg_catalog.int4::pg_catalog.int8,
        ((entry).corrects_entry_id IS NOT NULL)::pg_catalog.int4::pg_catalog.int8,
        COALESCE((entry).retry_count OPERATOR(pg_catalog.>) 0, false)::pg_catalog.int4::pg_catalog.int8,
        (entry).overrun::pg_catalog.int4::pg_catalog.int8
$$;
COMMENT ON FUNCTION tokbudget._entry_fact(tokbudget.entry) IS 'internal: what an entry adds to the roll-ups; without a cost it counts as unpriced until its first correction';

CREATE FUNCTION tokbudget._repriced_fact(entry tokbudget.entry) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT fact.tenant_id, fact.hour, fact.account_ids, fact.cost_center, fact.currency, fact.provider, fact.model, fact.operation,
        fact.service_tier, fact.workflow, fact.step, fact.outcome, fact.agent, fact.end_user, 0::pg_catalog.int8, 0::pg_catalog.int8,
        0::pg_catalog.int8, 0::pg_catalog.int8, 0::pg_catalog.int8, 0::pg_catalog.int8, 0::pg_catalog.int8, NULL::pg_catalog.numeric,
        NULL::pg_catalog.numeric, NULL::pg_catalog.numeric, '-1'::pg_catalog.int8, 0::pg_catalog.int8, 0::pg_catalog.int8,
        0::pg_catalog.int8
    FROM tokbudget._entry_fact(entry) AS fact
$$;
COMMENT ON FUNCTION tokbudget._repriced_fact(tokbudget.entry) IS 'internal: what the first correction of an entry without a cost takes away, in the hour of the entry: it is unpriced no longer';

CREATE FUNCTION tokbudget._usage_facts(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    -- The planner cannot know how few entries are new: it would read the whole ledger, and compile that.
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    SET plan_cache_mode = force_custom_plan
    SET work_mem = '64MB'
    AS $$
BEGIN
    RETURN QUERY
    SELECT fact.*
    FROM tokbudget._entries_since(after, after_own, until) AS entry
    CROSS JOIN LATERAL tokbudget._entry_fact(entry) AS fact
    WHERE entry.kind <> ALL (ARRAY['expire', 'transfer']);
    -- OFFSET 0, or the index of all corrections would be gone through for one that is new.
    IF NOT EXISTS (
        SELECT FROM (SELECT entry.corrects_entry_id FROM tokbudget._entries_since(after, after_own, until) AS entry OFFSET 0) AS entry
        WHERE entry.corrects_entry_id IS NOT NULL
    ) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT fact.*
    FROM (
        SELECT DISTINCT ON (earlier.tenant_id, earlier.entry_id) earlier
        FROM tokbudget._entries_since(after, after_own, until) AS correction
        JOIN tokbudget.entry AS earlier
            ON earlier.tenant_id = correction.tenant_id
            AND earlier.recorded_at = tokbudget._recorded_at(correction.corrects_entry_id)
            AND earlier.entry_id = correction.corrects_entry_id
        WHERE correction.corrects_entry_id IS NOT NULL AND earlier.cost IS NULL
            AND NOT EXISTS (
                SELECT FROM tokbudget.entry AS other
                WHERE other.tenant_id = correction.tenant_id AND other.corrects_entry_id = correction.corrects_entry_id
                    AND pg_visible_in_snapshot(other.written_by, after) AND other.written_by <> after_own
            )
    ) AS repriced
    CROSS JOIN LATERAL tokbudget._repriced_fact(repriced.earlier) AS fact;
END;
$$;
COMMENT ON FUNCTION tokbudget._usage_facts(pg_snapshot, xid8, pg_snapshot) IS
    'internal: what the entries that tokbudget._entries_since gives add to the roll-ups';

-- For the ends of a period that are no whole hours or days. Whoever needs none of it does not even plan for it.
CREATE FUNCTION tokbudget._usage_between(tenant_id integer, since timestamp with time zone, until timestamp with time zone) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET max_parallel_workers_per_gather = 0
    -- What a period covers makes all the difference.
    SET plan_cache_mode = force_custom_plan
    AS $$
BEGIN
    RETURN QUERY
    SELECT fact.*
    FROM tokbudget.entry
    CROSS JOIN LATERAL tokbudget._entry_fact(entry) AS fact
    WHERE entry.tenant_id = _usage_between.tenant_id AND entry.recorded_at >= since AND entry.recorded_at < until
        AND entry.kind <> ALL (ARRAY['expire', 'transfer']);
    RETURN QUERY
    SELECT fact.*
    FROM tokbudget.entry
    CROSS JOIN LATERAL tokbudget._repriced_fact(entry) AS fact
    WHERE entry.tenant_id = _usage_between.tenant_id AND entry.recorded_at >= since AND entry.recorded_at < until
        AND entry.kind <> ALL (ARRAY['expire', 'transfer']) AND entry.cost IS NULL
        AND EXISTS (
            SELECT FROM tokbudget.entry AS correction
            WHERE correction.tenant_id = entry.tenant_id AND correction.corrects_entry_id = entry.entry_id
        );
END;
$$;
COMMENT ON FUNCTION tokbudget._usage_between(integer, timestamp with time zone, timestamp with time zone) IS
    'internal: what the entries of a tenant that were recorded from since until before until add up to, with what their corrections took away from the unpriced';

CREATE FUNCTION tokbudget._is_uncovered(after pg_snapshot, after_own xid8) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    SET plan_cache_mode = force_generic_plan
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM tokbudget._entries_since(after, after_own, NULL));
END;
$$;
COMMENT ON FUNCTION tokbudget._is_uncovered(pg_snapshot, xid8) IS 'internal: whether the ledger has entries that the snapshot does not see';

CREATE FUNCTION tokbudget._usage_tail(tenant_id integer) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
DECLARE
    state record;
BEGIN
    SELECT * INTO state FROM tokbudget._covered();
    -- Most often there is nothing, and to plan for it takes longer than to see that.
    IF NOT tokbudget._is_uncovered(state.covered, state.taken_by) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT fact.* FROM tokbudget._usage_facts(state.covered, state.taken_by, NULL) AS fact
    WHERE _usage_tail.tenant_id IS NULL OR fact.tenant_id = _usage_tail.tenant_id;
END;
$$;
COMMENT ON FUNCTION tokbudget._usage_tail(integer) IS 'internal: what the roll-ups do not cover, of one tenant, or of all with NULL';
