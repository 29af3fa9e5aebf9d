-- Facts into the roll-ups.

CREATE FUNCTION tokbudget._series_id(account_ids bigint[], currency text, cost_center text, provider text, model text, operation text, service_tier text, workflow text, step text, outcome text, agent text, end_user text) RETURNS uuid
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_series_id_wrapper';
COMMENT ON FUNCTION tokbudget._series_id(bigint[], text, text, text, text, text, text, text, text, text, text, text) IS
    'internal: id of a row of tokbudget.facet_usage, made of all that the row is about';

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

CREATE FUNCTION tokbudget._facet_additions() RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    attributes CONSTANT text[] := '{cost_center, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user}';
    measure CONSTANT record := tokbudget._usage_measures();
    roll_up record;
    additions text := '';
BEGIN
    -- Each is summed from what is summed already, where that says enough and is much less than the facts. What has no facet serves
    -- others alone.
    FOR roll_up IN
        SELECT name, facet, grain, source, CASE WHEN name LIKE 'tenant%' THEN 'account_ids[1:1]' ELSE 'account_ids' END AS account_ids,
            array_to_string(keys, ', ') AS keys, (
                SELECT string_agg(CASE WHEN attribute = ANY (keys) THEN attribute ELSE 'NULL' END, ', ' ORDER BY place)
                FROM unnest(attributes) WITH ORDINALITY AS named (attribute, place)
            ) AS all_keys
        FROM (VALUES
            ('account_hour', NULL, 'hour', 'fact', '{cost_center}'::text[]),
            ('account_day', 'account', 'day', 'account_hour', '{cost_center}'),
            ('account_month', 'account', 'month', 'account_day', '{cost_center}'),
            ('model_month', 'model', 'month', 'fact', '{cost_center, provider, model, operation, service_tier}'),
            ('work_month', 'work', 'month', 'fact', '{cost_center, workflow, step, outcome, agent}'),
            ('user_month', 'user', 'month', 'fact', '{cost_center, end_user}'),
            ('tenant_user_month', 'tenant_user', 'month', 'user_month', '{end_user}'),
            ('tenant_model_hour', 'tenant_model', 'hour', 'fact', '{provider, model, operation, service_tier}'),
            ('tenant_model_day', 'tenant_model', 'day', 'tenant_model_hour', '{provider, model, operation, service_tier}'),
            ('tenant_model_month', 'tenant_model', 'month', 'tenant_model_day', '{provider, model, operation, service_tier}'),
            ('tenant_work_hour', NULL, 'hour', 'fact', '{workflow, step, outcome}'),
            ('tenant_work_day', 'tenant_work', 'day', 'tenant_work_hour', '{workflow, step, outcome}'),
            ('tenant_work_month', 'tenant_work', 'month', 'tenant_work_day', '{workflow, step, outcome}'),
            ('tenant_workflow_hour', 'tenant_workflow', 'hour', 'tenant_work_hour', '{workflow}'),
            ('tenant_workflow_day', 'tenant_workflow', 'day', 'tenant_workflow_hour', '{workflow}'),
            ('tenant_workflow_month', 'tenant_workflow', 'month', 'tenant_workflow_day', '{workflow}')
        ) AS summed (name, facet, grain, source, keys)
    LOOP
        additions := additions || format($sql$
            %1$I AS (
                SELECT tenant_id, date_trunc(%2$L, bucket_start, 'UTC') AS bucket_start, %3$s AS account_ids, currency, %4$s, %5$s
                FROM %6$I
                GROUP BY tenant_id, date_trunc(%2$L, bucket_start, 'UTC'), %3$s, currency, %4$s
            ),$sql$,
            roll_up.name, roll_up.grain, roll_up.account_ids, roll_up.keys, measure.sums, roll_up.source);
        CONTINUE WHEN roll_up.facet IS NULL;
        additions := additions || format($sql$
            %1$I AS (
                INSERT INTO tokbudget.facet_usage AS u (facet, grain, tenant_id, bucket_start, account_id, series_id, account_ids, currency, %2$s, %3$s)
                SELECT %4$L, %5$L, tenant_id, bucket_start, account_ids[cardinality(account_ids)],
                    tokbudget._series_id(account_ids, currency, %6$s), account_ids, currency, %2$s, %3$s
                FROM %7$I
                -- What is read together is written together.
                ORDER BY tenant_id, bucket_start, account_ids[cardinality(account_ids)]
                ON CONFLICT ON CONSTRAINT facet_usage_pkey DO UPDATE SET %8$s
            ),$sql$,
            'added_' || roll_up.name, roll_up.keys, measure.names, roll_up.facet, roll_up.grain, roll_up.all_keys, roll_up.name,
            measure.additions);
    END LOOP;
    RETURN additions;
END;
$$;
COMMENT ON FUNCTION tokbudget._facet_additions() IS 'internal: the parts of a WITH that sum the rows of fact by facet and grain and add them to tokbudget.facet_usage';

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
    EXECUTE format($sql$
        WITH fact AS MATERIALIZED (
            SELECT *, hour AS bucket_start FROM tokbudget._usage_facts($1, $2, $3)
        ),
        %1$s
        subtree_hour AS (
            SELECT tenant_id, account_id, currency, bucket_start, %2$s
            FROM account_hour CROSS JOIN LATERAL unnest(account_hour.account_ids) AS account_id
            GROUP BY tenant_id, account_id, currency, bucket_start
        ),
        subtree_day AS (
            SELECT tenant_id, account_id, currency, date_trunc('day', bucket_start, 'UTC') AS bucket_start, %2$s
            FROM subtree_hour GROUP BY tenant_id, account_id, currency, date_trunc('day', bucket_start, 'UTC')
        ),
        subtree_month AS (
            SELECT tenant_id, account_id, currency, date_trunc('month', bucket_start, 'UTC') AS bucket_start, %2$s
            FROM subtree_day GROUP BY tenant_id, account_id, currency, date_trunc('month', bucket_start, 'UTC')
        ),
        subtree AS (
            INSERT INTO tokbudget.subtree_usage AS u (grain, tenant_id, account_id, currency, bucket_start, %3$s)
            SELECT * FROM (
                SELECT 'hour' AS grain, subtree_hour.* FROM subtree_hour
                UNION ALL SELECT 'day', subtree_day.* FROM subtree_day
                UNION ALL SELECT 'month', subtree_month.* FROM subtree_month
            ) AS bucket
            ORDER BY tenant_id, account_id, grain COLLATE "C", bucket_start, currency COLLATE "C"
            ON CONFLICT ON CONSTRAINT subtree_usage_pkey DO UPDATE SET %4$s
        )
        SELECT COALESCE(sum(fact.entries), 0) FROM fact
        $sql$, tokbudget._facet_additions(), measure.sums, measure.names, measure.additions)
    INTO entries USING after, after_own, until;
    RETURN entries;
END;
$$;
COMMENT ON FUNCTION tokbudget._refresh_usage(pg_snapshot, xid8, pg_snapshot) IS
    'internal: adds the entries that tokbudget._entries_since gives to tokbudget.facet_usage and tokbudget.subtree_usage; returns how many';
