-- Entries as facts, and facts into the roll-ups.

-- An entry without a cost counts as unpriced until the first correction of it, which takes that away in the hour of the entry.
CREATE FUNCTION tokbudget._usage_facts(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    -- The planner cannot know how few entries are new: it would read the whole ledger, and compile that.
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    SET work_mem = '64MB'
    AS $$
    WITH repriced AS (
        SELECT DISTINCT ON (earlier.entry_id) earlier.*
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
    ),
    counted AS (
        SELECT entry.*, 1 AS entries, CASE WHEN entry.cost IS NULL THEN 1 ELSE 0 END AS unpriced
        FROM tokbudget._entries_since(after, after_own, until) AS entry
        WHERE entry.kind <> ALL (ARRAY['expire', 'transfer'])
        UNION ALL
        SELECT repriced.*, 0, -1 FROM repriced
    )
    SELECT counted.tenant_id, date_trunc('hour', counted.recorded_at, 'UTC'),
        counted.account_ids[1:array_position(counted.account_ids, counted.account_id)], counted.cost_center, counted.currency,
        counted.provider, counted.request_model, counted.operation, counted.service_tier, counted.workflow, counted.step,
        counted.outcome, counted.agent, counted.end_user,
        sum(entries), sum(entries * requests), sum(entries * input_tokens), sum(entries * cache_read_input_tokens),
        sum(entries * cache_write_input_tokens), sum(entries * output_tokens), sum(entries * reasoning_output_tokens),
        sum(cost) FILTER (WHERE entries = 1), sum(internal_cost) FILTER (WHERE entries = 1), sum(reported_cost) FILTER (WHERE entries = 1),
        sum(unpriced), count(*) FILTER (WHERE entries = 1 AND corrects_entry_id IS NOT NULL),
        count(*) FILTER (WHERE entries = 1 AND retry_count > 0), count(*) FILTER (WHERE entries = 1 AND overrun)
    FROM counted
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
$$;
COMMENT ON FUNCTION tokbudget._usage_facts(pg_snapshot, xid8, pg_snapshot) IS
    'internal: the entries that tokbudget._entries_since gives, summed by hour and by all attributes of the roll-ups';

CREATE FUNCTION tokbudget._usage_tail(tenant_id integer) RETURNS SETOF tokbudget.usage_fact
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    state record;
BEGIN
    SELECT * INTO state FROM tokbudget._covered();
    RETURN QUERY
    SELECT fact.* FROM tokbudget._usage_facts(state.covered, state.taken_by, NULL) AS fact
    WHERE _usage_tail.tenant_id IS NULL OR fact.tenant_id = _usage_tail.tenant_id;
END;
$$;
COMMENT ON FUNCTION tokbudget._usage_tail(integer) IS 'internal: what the roll-ups do not cover, of one tenant, or of all with NULL';

CREATE FUNCTION tokbudget._series_id(series text) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.encode(pg_catalog.substring(pg_catalog.sha256(pg_catalog.convert_to(series, 'UTF8')), 1, 16), 'hex')::pg_catalog.uuid $$;
COMMENT ON FUNCTION tokbudget._series_id(text) IS 'internal: id of a series, made of all that it says';

CREATE FUNCTION tokbudget._facets() RETURNS TABLE (
    facet text, grains text[], is_of_tenant boolean, with_model boolean, with_work boolean, with_user boolean
)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    VALUES ('account', ARRAY['day', 'month'], false, false, false, false),
        ('model', ARRAY['day', 'month'], false, true, false, false),
        ('work', ARRAY['day', 'month'], false, false, true, false),
        ('user', ARRAY['day', 'month'], false, false, false, true),
        ('tenant_model', ARRAY['hour'], true, true, false, false),
        ('tenant_work', ARRAY['hour'], true, false, true, false)
$$;
COMMENT ON FUNCTION tokbudget._facets() IS 'internal: the facets of tokbudget.facet_usage and the grains in which each is kept. By hour and account there would be about as many rows as entries';

CREATE FUNCTION tokbudget._refresh_usage(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS bigint
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET work_mem = '64MB'
    AS $$
    WITH fact AS MATERIALIZED (
        SELECT * FROM tokbudget._usage_facts(after, after_own, until)
    ),
    grouped AS MATERIALIZED (
        SELECT tenant_id, facet.facet, facet.grains, date_trunc(facet.grains[1], fact.hour, 'UTC') AS bucket_start,
            CASE WHEN facet.is_of_tenant THEN account_ids[1:1] ELSE account_ids END AS account_ids, cost_center, currency,
            CASE WHEN with_model THEN provider END AS provider, CASE WHEN with_model THEN model END AS model,
            CASE WHEN with_model THEN operation END AS operation, CASE WHEN with_model THEN service_tier END AS service_tier,
            CASE WHEN with_work THEN workflow END AS workflow, CASE WHEN with_work THEN step END AS step,
            CASE WHEN with_work THEN outcome END AS outcome, CASE WHEN with_work THEN agent END AS agent,
            CASE WHEN with_user THEN end_user END AS end_user,
            sum(entries) AS entries, sum(requests) AS requests, sum(input_tokens) AS input_tokens,
            sum(cache_read_input_tokens) AS cache_read_input_tokens, sum(cache_write_input_tokens) AS
            cache_write_input_tokens, sum(output_tokens) AS output_tokens, sum(reasoning_output_tokens) AS
            reasoning_output_tokens, sum(cost) AS cost, sum(internal_cost) AS internal_cost,
            sum(reported_cost) AS reported_cost, sum(unpriced_entries) AS unpriced_entries, sum(corrections)
            AS corrections, sum(retried_entries) AS retried_entries, sum(overrun_entries) AS overrun_entries
        FROM fact CROSS JOIN tokbudget._facets() AS facet
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
    ),
    keyed AS MATERIALIZED (
        SELECT tokbudget._series_id(ROW(facet, account_ids, cost_center, currency, provider, model, operation, service_tier,
            workflow, step, outcome, agent, end_user)::text) AS series_id, grouped.*
        FROM grouped
    ),
    series AS (
        INSERT INTO tokbudget.usage_series (tenant_id, series_id, facet, account_ids, cost_center, currency, provider, model,
            operation, service_tier, workflow, step, outcome, agent, end_user)
        SELECT DISTINCT ON (tenant_id, series_id) tenant_id, series_id, facet, account_ids, cost_center, currency, provider, model,
            operation, service_tier, workflow, step, outcome, agent, end_user
        FROM keyed
        WHERE NOT EXISTS (
            SELECT FROM tokbudget.usage_series AS known
            WHERE known.tenant_id = keyed.tenant_id AND known.series_id = keyed.series_id
        )
        ORDER BY tenant_id, series_id
        ON CONFLICT DO NOTHING
    ),
    added AS (
        INSERT INTO tokbudget.facet_usage AS u (tenant_id, facet, grain, bucket_start, series_id,
            entries, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens,
            output_tokens, reasoning_output_tokens, cost, internal_cost, reported_cost, unpriced_entries,
            corrections, retried_entries, overrun_entries)
        SELECT tenant_id, facet, grain, date_trunc(grain, bucket_start, 'UTC'), series_id,
            sum(entries), sum(requests), sum(input_tokens), sum(cache_read_input_tokens),
            sum(cache_write_input_tokens), sum(output_tokens), sum(reasoning_output_tokens), sum(cost),
            sum(internal_cost), sum(reported_cost), sum(unpriced_entries), sum(corrections),
            sum(retried_entries), sum(overrun_entries)
        FROM keyed CROSS JOIN LATERAL unnest(keyed.grains) AS grain
        GROUP BY 1, 2, 3, 4, 5
        ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (tenant_id, facet, grain, bucket_start, series_id) DO UPDATE SET
        entries = u.entries + EXCLUDED.entries,
        requests = u.requests + EXCLUDED.requests,
        input_tokens = u.input_tokens + EXCLUDED.input_tokens,
        cache_read_input_tokens = u.cache_read_input_tokens + EXCLUDED.cache_read_input_tokens,
        cache_write_input_tokens = u.cache_write_input_tokens + EXCLUDED.cache_write_input_tokens,
        output_tokens = u.output_tokens + EXCLUDED.output_tokens,
        reasoning_output_tokens = u.reasoning_output_tokens + EXCLUDED.reasoning_output_tokens,
        cost = COALESCE(u.cost + EXCLUDED.cost, u.cost, EXCLUDED.cost),
        internal_cost = COALESCE(u.internal_cost + EXCLUDED.internal_cost, u.internal_cost, EXCLUDED.internal_cost),
        reported_cost = COALESCE(u.reported_cost + EXCLUDED.reported_cost, u.reported_cost, EXCLUDED.reported_cost),
        unpriced_entries = u.unpriced_entries + EXCLUDED.unpriced_entries,
        corrections = u.corrections + EXCLUDED.corrections,
        retried_entries = u.retried_entries + EXCLUDED.retried_entries,
        overrun_entries = u.overrun_entries + EXCLUDED.overrun_entries
    ),
    subtree AS (
        INSERT INTO tokbudget.subtree_usage AS u (tenant_id, account_id, grain, bucket_start, currency,
            entries, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens,
            output_tokens, reasoning_output_tokens, cost, internal_cost, reported_cost, unpriced_entries,
            corrections, retried_entries, overrun_entries)
        SELECT tenant_id, account_id, grain, date_trunc(grain, hour, 'UTC'), currency,
            sum(entries), sum(requests), sum(input_tokens), sum(cache_read_input_tokens),
            sum(cache_write_input_tokens), sum(output_tokens), sum(reasoning_output_tokens), sum(cost),
            sum(internal_cost), sum(reported_cost), sum(unpriced_entries), sum(corrections),
            sum(retried_entries), sum(overrun_entries)
        FROM fact CROSS JOIN LATERAL unnest(fact.account_ids) AS account_id CROSS JOIN unnest(ARRAY['hour', 'day', 'month']) AS grain
        GROUP BY 1, 2, 3, 4, 5
        ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (tenant_id, account_id, grain, bucket_start, currency) DO UPDATE SET
        entries = u.entries + EXCLUDED.entries,
        requests = u.requests + EXCLUDED.requests,
        input_tokens = u.input_tokens + EXCLUDED.input_tokens,
        cache_read_input_tokens = u.cache_read_input_tokens + EXCLUDED.cache_read_input_tokens,
        cache_write_input_tokens = u.cache_write_input_tokens + EXCLUDED.cache_write_input_tokens,
        output_tokens = u.output_tokens + EXCLUDED.output_tokens,
        reasoning_output_tokens = u.reasoning_output_tokens + EXCLUDED.reasoning_output_tokens,
        cost = COALESCE(u.cost + EXCLUDED.cost, u.cost, EXCLUDED.cost),
        internal_cost = COALESCE(u.internal_cost + EXCLUDED.internal_cost, u.internal_cost, EXCLUDED.internal_cost),
        reported_cost = COALESCE(u.reported_cost + EXCLUDED.reported_cost, u.reported_cost, EXCLUDED.reported_cost),
        unpriced_entries = u.unpriced_entries + EXCLUDED.unpriced_entries,
        corrections = u.corrections + EXCLUDED.corrections,
        retried_entries = u.retried_entries + EXCLUDED.retried_entries,
        overrun_entries = u.overrun_entries + EXCLUDED.overrun_entries
    )
    SELECT COALESCE(sum(fact.entries), 0)::bigint FROM fact
$$;
COMMENT ON FUNCTION tokbudget._refresh_usage(pg_snapshot, xid8, pg_snapshot) IS
    'internal: adds the entries that tokbudget._entries_since gives to tokbudget.facet_usage and tokbudget.subtree_usage; returns how many';

CREATE FUNCTION tokbudget._forget_usage() RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    DELETE FROM tokbudget.facet_usage
    WHERE date_trunc('month', bucket_start, 'UTC') NOT IN (SELECT timezone('UTC', month::timestamp) FROM tokbudget.departed_month);
    DELETE FROM tokbudget.subtree_usage
    WHERE date_trunc('month', bucket_start, 'UTC') NOT IN (SELECT timezone('UTC', month::timestamp) FROM tokbudget.departed_month);
    DELETE FROM tokbudget.usage_series
    WHERE NOT EXISTS (
        SELECT FROM tokbudget.facet_usage AS usage WHERE usage.tenant_id = usage_series.tenant_id AND usage.series_id = usage_series.series_id
    );
$$;
COMMENT ON FUNCTION tokbudget._forget_usage() IS 'internal: takes all months out of the roll-ups that the ledger still has';
