-- Facts into the roll-ups.

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
