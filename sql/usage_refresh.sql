-- Entries as facts, and facts into the roll-ups.

-- An entry without a cost counts as unpriced until the first correction of it, which takes that away in the hour of the entry.
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
    SELECT entry.tenant_id, date_trunc('hour', entry.recorded_at, 'UTC'),
        entry.account_ids[1:array_position(entry.account_ids, entry.account_id)], entry.cost_center, entry.currency, entry.provider,
        entry.request_model, entry.operation, entry.service_tier, entry.workflow, entry.step, entry.outcome, entry.agent, entry.end_user,
        1::bigint, entry.requests, entry.input_tokens, entry.cache_read_input_tokens, entry.cache_write_input_tokens, entry.output_tokens,
        entry.reasoning_output_tokens, entry.cost, entry.internal_cost, entry.reported_cost, (entry.cost IS NULL)::integer::bigint,
        (entry.corrects_entry_id IS NOT NULL)::integer::bigint, COALESCE(entry.retry_count > 0, false)::integer::bigint,
        entry.overrun::integer::bigint
    FROM tokbudget._entries_since(after, after_own, until) AS entry
    WHERE entry.kind <> ALL (ARRAY['expire', 'transfer']);
    IF NOT EXISTS (SELECT FROM tokbudget._entries_since(after, after_own, until) AS entry WHERE entry.corrects_entry_id IS NOT NULL) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT repriced.tenant_id, date_trunc('hour', repriced.recorded_at, 'UTC'),
        repriced.account_ids[1:array_position(repriced.account_ids, repriced.account_id)], repriced.cost_center, repriced.currency,
        repriced.provider, repriced.request_model, repriced.operation, repriced.service_tier, repriced.workflow, repriced.step,
        repriced.outcome, repriced.agent, repriced.end_user, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
        NULL::numeric, NULL::numeric, NULL::numeric, -1::bigint, 0::bigint, 0::bigint, 0::bigint
    FROM (
        SELECT DISTINCT ON (earlier.tenant_id, earlier.entry_id) earlier.*
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
    ) AS repriced;
END;
$$;
COMMENT ON FUNCTION tokbudget._usage_facts(pg_snapshot, xid8, pg_snapshot) IS
    'internal: what the entries that tokbudget._entries_since gives add to the roll-ups';

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

CREATE FUNCTION tokbudget._series_id(series text) RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.encode(pg_catalog.substring(pg_catalog.sha256(pg_catalog.convert_to(series, 'UTF8')), 1, 16), 'hex')::pg_catalog.uuid $$;
COMMENT ON FUNCTION tokbudget._series_id(text) IS 'internal: id of a series, made of all that it says';

CREATE FUNCTION tokbudget._usage_measures(OUT names text, OUT sums text, OUT additions text)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    measures CONSTANT text[] := '{entries, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens,
        reasoning_output_tokens, cost, internal_cost, reported_cost, unpriced_entries, corrections, retried_entries, overrun_entries}';
    money CONSTANT text[] := '{cost, internal_cost, reported_cost}';
BEGIN
    names := array_to_string(measures, ', ');
    SELECT string_agg(format('sum(%1$I) AS %1$I', measure), ', ') INTO sums FROM unnest(measures) AS measure;
    -- A sum of money is NULL as long as nothing had a price.
    SELECT string_agg(format(CASE WHEN measure = ANY (money)
        THEN '%1$I = COALESCE(u.%1$I + EXCLUDED.%1$I, u.%1$I, EXCLUDED.%1$I)'
        ELSE '%1$I = u.%1$I + EXCLUDED.%1$I' END, measure), ', ') INTO additions FROM unnest(measures) AS measure;
END;
$$;
COMMENT ON FUNCTION tokbudget._usage_measures() IS 'internal: the columns of the roll-ups that are sums, as SQL: their names, their sums, and the assignments that add them to the row u';

CREATE FUNCTION tokbudget._refresh_usage(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET work_mem = '64MB'
    AS $$
DECLARE
    measure CONSTANT record := tokbudget._usage_measures();
    entries bigint;
BEGIN
    -- Each grain is summed from the finer one, as far as there is one.
    EXECUTE format($sql$
        WITH fact AS MATERIALIZED (
            SELECT * FROM tokbudget._usage_facts($1, $2, $3)
        ),
        account_day AS (
            SELECT tenant_id, date_trunc('day', hour, 'UTC') AS bucket_start, account_ids, cost_center, currency, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5
        ),
        account_month AS (
            SELECT tenant_id, date_trunc('month', bucket_start, 'UTC') AS bucket_start, account_ids, cost_center, currency, %1$s
            FROM account_day GROUP BY 1, 2, 3, 4, 5
        ),
        model_month AS (
            SELECT tenant_id, date_trunc('month', hour, 'UTC') AS bucket_start, account_ids, cost_center, currency, provider, model, operation, service_tier, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ),
        work_month AS (
            SELECT tenant_id, date_trunc('month', hour, 'UTC') AS bucket_start, account_ids, cost_center, currency, workflow, step, outcome, agent, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        ),
        user_month AS (
            SELECT tenant_id, date_trunc('month', hour, 'UTC') AS bucket_start, account_ids, cost_center, currency, end_user, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5, 6
        ),
        tenant_model_hour AS (
            SELECT tenant_id, date_trunc('hour', hour, 'UTC') AS bucket_start, account_ids[1:1] AS account_ids, currency, provider, model, operation, service_tier, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ),
        tenant_model_day AS (
            SELECT tenant_id, date_trunc('day', bucket_start, 'UTC') AS bucket_start, account_ids, currency, provider, model, operation, service_tier, %1$s
            FROM tenant_model_hour GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ),
        tenant_model_month AS (
            SELECT tenant_id, date_trunc('month', bucket_start, 'UTC') AS bucket_start, account_ids, currency, provider, model, operation, service_tier, %1$s
            FROM tenant_model_day GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ),
        tenant_work_day AS (
            SELECT tenant_id, date_trunc('day', hour, 'UTC') AS bucket_start, account_ids[1:1] AS account_ids, currency, workflow, step, outcome, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5, 6, 7
        ),
        tenant_work_month AS (
            SELECT tenant_id, date_trunc('month', bucket_start, 'UTC') AS bucket_start, account_ids, currency, workflow, step, outcome, %1$s
            FROM tenant_work_day GROUP BY 1, 2, 3, 4, 5, 6, 7
        ),
        tenant_workflow_hour AS (
            SELECT tenant_id, date_trunc('hour', hour, 'UTC') AS bucket_start, account_ids[1:1] AS account_ids, currency, workflow, %1$s
            FROM fact GROUP BY 1, 2, 3, 4, 5
        ),
        tenant_workflow_day AS (
            SELECT tenant_id, date_trunc('day', bucket_start, 'UTC') AS bucket_start, account_ids, currency, workflow, %1$s
            FROM tenant_workflow_hour GROUP BY 1, 2, 3, 4, 5
        ),
        tenant_workflow_month AS (
            SELECT tenant_id, date_trunc('month', bucket_start, 'UTC') AS bucket_start, account_ids, currency, workflow, %1$s
            FROM tenant_workflow_day GROUP BY 1, 2, 3, 4, 5
        ),
        facet_row AS (
            SELECT 'account' AS facet, 'day' AS grain, tenant_id, bucket_start, account_ids, cost_center, currency,
                NULL AS provider, NULL AS model, NULL AS operation, NULL AS service_tier, NULL AS workflow, NULL AS step, NULL AS outcome, NULL AS agent, NULL AS end_user, %2$s FROM account_day
            UNION ALL SELECT 'account', 'month', tenant_id, bucket_start, account_ids, cost_center, currency,
                NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, %2$s FROM account_month
            UNION ALL SELECT 'model', 'month', tenant_id, bucket_start, account_ids, cost_center, currency,
                provider, model, operation, service_tier, NULL, NULL, NULL, NULL, NULL, %2$s FROM model_month
            UNION ALL SELECT 'work', 'month', tenant_id, bucket_start, account_ids, cost_center, currency,
                NULL, NULL, NULL, NULL, workflow, step, outcome, agent, NULL, %2$s FROM work_month
            UNION ALL SELECT 'user', 'month', tenant_id, bucket_start, account_ids, cost_center, currency,
                NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, end_user, %2$s FROM user_month
            UNION ALL SELECT 'tenant_model', 'hour', tenant_id, bucket_start, account_ids, NULL, currency,
                provider, model, operation, service_tier, NULL, NULL, NULL, NULL, NULL, %2$s FROM tenant_model_hour
            UNION ALL SELECT 'tenant_model', 'day', tenant_id, bucket_start, account_ids, NULL, currency,
                provider, model, operation, service_tier, NULL, NULL, NULL, NULL, NULL, %2$s FROM tenant_model_day
            UNION ALL SELECT 'tenant_model', 'month', tenant_id, bucket_start, account_ids, NULL, currency,
                provider, model, operation, service_tier, NULL, NULL, NULL, NULL, NULL, %2$s FROM tenant_model_month
            UNION ALL SELECT 'tenant_work', 'day', tenant_id, bucket_start, account_ids, NULL, currency,
                NULL, NULL, NULL, NULL, workflow, step, outcome, NULL, NULL, %2$s FROM tenant_work_day
            UNION ALL SELECT 'tenant_work', 'month', tenant_id, bucket_start, account_ids, NULL, currency,
                NULL, NULL, NULL, NULL, workflow, step, outcome, NULL, NULL, %2$s FROM tenant_work_month
            UNION ALL SELECT 'tenant_workflow', 'hour', tenant_id, bucket_start, account_ids, NULL, currency,
                NULL, NULL, NULL, NULL, workflow, NULL, NULL, NULL, NULL, %2$s FROM tenant_workflow_hour
            UNION ALL SELECT 'tenant_workflow', 'day', tenant_id, bucket_start, account_ids, NULL, currency,
                NULL, NULL, NULL, NULL, workflow, NULL, NULL, NULL, NULL, %2$s FROM tenant_workflow_day
            UNION ALL SELECT 'tenant_workflow', 'month', tenant_id, bucket_start, account_ids, NULL, currency,
                NULL, NULL, NULL, NULL, workflow, NULL, NULL, NULL, NULL, %2$s FROM tenant_workflow_month
        ),
        facet AS MATERIALIZED (
            SELECT tokbudget._series_id(ROW(facet_row.facet, account_ids, cost_center, currency, provider, model, operation,
                service_tier, workflow, step, outcome, agent, end_user)::text) AS series_id, facet_row.*
            FROM facet_row
        ),
        series AS (
            INSERT INTO tokbudget.usage_series (tenant_id, series_id, facet, account_ids, cost_center, currency, provider, model,
                operation, service_tier, workflow, step, outcome, agent, end_user)
            SELECT DISTINCT ON (tenant_id, series_id) tenant_id, series_id, facet, account_ids, cost_center, currency, provider, model,
                operation, service_tier, workflow, step, outcome, agent, end_user
            FROM facet
            -- Every series has rows by the month.
            WHERE grain = 'month' AND NOT EXISTS (
                SELECT FROM tokbudget.usage_series AS known
                WHERE known.tenant_id = facet.tenant_id AND known.series_id = facet.series_id
            )
            ORDER BY tenant_id, series_id
            ON CONFLICT DO NOTHING
        ),
        added AS (
            INSERT INTO tokbudget.facet_usage AS u (tenant_id, facet, grain, bucket_start, series_id, %2$s)
            SELECT tenant_id, facet, grain, bucket_start, series_id, %2$s
            FROM facet
            ORDER BY tenant_id, facet COLLATE "C", grain COLLATE "C", bucket_start, series_id
            ON CONFLICT ON CONSTRAINT facet_usage_pkey DO UPDATE SET %3$s
        ),
        own_hour AS (
            SELECT tenant_id, account_ids, currency, hour, %1$s FROM fact GROUP BY 1, 2, 3, 4
        ),
        subtree_hour AS (
            SELECT tenant_id, account_id, currency, hour AS bucket_start, %1$s
            FROM own_hour CROSS JOIN LATERAL unnest(own_hour.account_ids) AS account_id
            GROUP BY 1, 2, 3, 4
        ),
        subtree_day AS (
            SELECT tenant_id, account_id, currency, date_trunc('day', bucket_start, 'UTC') AS bucket_start, %1$s
            FROM subtree_hour GROUP BY 1, 2, 3, 4
        ),
        subtree_month AS (
            SELECT tenant_id, account_id, currency, date_trunc('month', bucket_start, 'UTC') AS bucket_start, %1$s
            FROM subtree_day GROUP BY 1, 2, 3, 4
        ),
        subtree AS (
            INSERT INTO tokbudget.subtree_usage AS u (grain, tenant_id, account_id, currency, bucket_start, %2$s)
            SELECT * FROM (
                SELECT 'hour' AS grain, subtree_hour.* FROM subtree_hour
                UNION ALL SELECT 'day', subtree_day.* FROM subtree_day
                UNION ALL SELECT 'month', subtree_month.* FROM subtree_month
            ) AS bucket
            ORDER BY tenant_id, account_id, grain COLLATE "C", bucket_start, currency COLLATE "C"
            ON CONFLICT ON CONSTRAINT subtree_usage_pkey DO UPDATE SET %3$s
        )
        SELECT COALESCE(sum(fact.entries), 0) FROM fact
        $sql$, measure.sums, measure.names, measure.additions)
    INTO entries USING after, after_own, until;
    RETURN entries;
END;
$$;
COMMENT ON FUNCTION tokbudget._refresh_usage(pg_snapshot, xid8, pg_snapshot) IS
    'internal: adds the entries that tokbudget._entries_since gives to tokbudget.facet_usage and tokbudget.subtree_usage; returns how many';

CREATE FUNCTION tokbudget._forget_usage() RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    DELETE FROM tokbudget.facet_usage WHERE NOT is_departed;
    DELETE FROM tokbudget.subtree_usage WHERE NOT is_departed;
    DELETE FROM tokbudget.usage_series
    WHERE NOT EXISTS (
        SELECT FROM tokbudget.facet_usage AS usage WHERE usage.tenant_id = usage_series.tenant_id AND usage.series_id = usage_series.series_id
    );
$$;
COMMENT ON FUNCTION tokbudget._forget_usage() IS 'internal: takes out of the roll-ups all that is in the ledger';

CREATE FUNCTION tokbudget._depart_usage(month date) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    measure CONSTANT record := tokbudget._usage_measures();
    month_start CONSTANT timestamp with time zone := timezone('UTC', month::timestamp);
    month_end CONSTANT timestamp with time zone := timezone('UTC', month + interval '1 month');
    roll_up record;
BEGIN
    FOR roll_up IN
        VALUES ('facet_usage', 'tenant_id, facet, grain, bucket_start, series_id'),
            ('subtree_usage', 'tenant_id, account_id, grain, bucket_start, currency')
    LOOP
        -- Added, because a month can leave more than once.
        EXECUTE format($sql$
            WITH gone AS (
                DELETE FROM tokbudget.%1$I WHERE bucket_start >= $1 AND bucket_start < $2 AND NOT is_departed RETURNING *
            )
            INSERT INTO tokbudget.%1$I AS u (%2$s, %3$s, is_departed) SELECT %2$s, %3$s, true FROM gone
            ON CONFLICT ON CONSTRAINT %4$I DO UPDATE SET %5$s
            $sql$, roll_up.column1, roll_up.column2, measure.names, roll_up.column1 || '_pkey', measure.additions)
        USING month_start, month_end;
    END LOOP;
    INSERT INTO tokbudget.departed_month (month, departed_at) VALUES (_depart_usage.month, tokbudget._now())
    ON CONFLICT ON CONSTRAINT departed_month_pkey DO UPDATE SET departed_at = EXCLUDED.departed_at;
END;
$$;
COMMENT ON FUNCTION tokbudget._depart_usage(date) IS 'internal: notes that what the roll-ups sum of a month leaves the ledger';
