-- Hours in which a workflow spends far more than in the same hour of the weeks before: many sessions at once are no anomaly of
-- any of them. What the present hour has brought so far is judged as well, for it only grows.

CREATE FUNCTION tokbudget._spend_by_hour(account tokbudget.account, hours timestamp with time zone[], only_workflow text)
    RETURNS TABLE (workflow text, hour timestamp with time zone, cost numeric, currency text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- By workflow and hour there is a roll-up for root accounts alone.
    IF (_spend_by_hour.account).parent_id IS NULL THEN
        RETURN QUERY
            SELECT part.workflow, part.hour, sum(part.cost), part.currency
            FROM (
                SELECT usage.workflow, usage.bucket_start AS hour, usage.cost, usage.currency
                FROM tokbudget.facet_usage AS usage
                WHERE usage.tenant_id = (_spend_by_hour.account).tenant_id AND usage.facet = 'tenant_workflow' AND usage.grain = 'hour'
                    AND usage.bucket_start = ANY (_spend_by_hour.hours)
                UNION ALL
                SELECT fact.workflow, fact.hour, fact.cost, fact.currency
                FROM tokbudget._usage_tail((_spend_by_hour.account).tenant_id) AS fact
                WHERE fact.hour = ANY (_spend_by_hour.hours)
            ) AS part
            WHERE _spend_by_hour.only_workflow IS NULL OR part.workflow = _spend_by_hour.only_workflow
            GROUP BY part.workflow, part.hour, part.currency;
    ELSIF _spend_by_hour.only_workflow IS NULL THEN
        RETURN QUERY
            SELECT NULL::text, usage.hour, usage.cost,
                (SELECT tenant.currency FROM tokbudget.tenant WHERE tenant.tenant_id = (_spend_by_hour.account).tenant_id)
            FROM tokbudget._usage_by_hour((_spend_by_hour.account).tenant_id, (_spend_by_hour.account).account_id,
                (SELECT min(hour) FROM unnest(_spend_by_hour.hours) AS hour), 'infinity') AS usage
            WHERE usage.hour = ANY (_spend_by_hour.hours);
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._spend_by_hour(tokbudget.account, timestamp with time zone[], text) IS
    'internal: what a root account and all below it spent in these hours by workflow (NULL: all), or what another account and all below it spent in all';

CREATE FUNCTION tokbudget._spend_spikes(account tokbudget.account, since timestamp with time zone, workflow text) RETURNS SETOF tokbudget.anomaly_finding
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    AS $$
    WITH looked_at AS MATERIALIZED (
        SELECT hour
        FROM generate_series(
            date_trunc('hour', GREATEST(_spend_spikes.since, tokbudget._now() - interval '31 days')), tokbudget._now(), interval '1 hour'
        ) AS hour
    ), spend AS MATERIALIZED (
        SELECT * FROM tokbudget._spend_by_hour(_spend_spikes.account, ARRAY(
            SELECT DISTINCT looked_at.hour - ago * interval '7 days' FROM looked_at CROSS JOIN generate_series(0, 8) AS ago
        ), _spend_spikes.workflow) AS by_hour
        WHERE by_hour.cost > 0
    ), past AS (
        -- Weeks without any spend in that hour say nothing: the workflow may not have been there.
        SELECT spend.*, array_agg(spend.cost::double precision) OVER (
            PARTITION BY spend.workflow, spend.currency, extract(epoch FROM spend.hour)::bigint % (7 * 24 * 3600) ORDER BY spend.hour
            RANGE BETWEEN interval '56 days' PRECEDING AND interval '7 days' PRECEDING) AS costs
        FROM spend
    ), judged AS (
        SELECT past.*, usual.median, usual.log_mad
        FROM past CROSS JOIN LATERAL tokbudget._median_and_log_mad(past.costs, 0.000001) AS usual
        WHERE past.hour IN (SELECT looked_at.hour FROM looked_at) AND cardinality(past.costs) >= 4
    )
    SELECT (_spend_spikes.account).account_id, judged.workflow, NULL::text, judged.hour, 'hourly_cost', trim_scale(judged.cost),
        trim_scale(round(judged.median::numeric, 9)), trim_scale(round(judged.log_mad::numeric, 6)), round(scored.score::numeric, 2),
        round(judged.cost / judged.median::numeric, 2),
        CASE WHEN scored.score < 3.5 THEN 'info' WHEN judged.cost >= 10 * judged.median::numeric THEN 'critical' ELSE 'warning' END,
        LEAST(judged.hour + interval '1 hour', tokbudget._now()),
        format('%s has spent %s times the median of that hour in the weeks before (%s against %s %s)',
            COALESCE('workflow ' || left(judged.workflow, 100),
                CASE WHEN (_spend_spikes.account).parent_id IS NULL THEN 'what names no workflow'
                    ELSE 'account ' || (_spend_spikes.account).path END),
            round(judged.cost / judged.median::numeric, 1), trim_scale(judged.cost), trim_scale(round(judged.median::numeric, 9)), judged.currency)
    FROM judged
    CROSS JOIN LATERAL tokbudget._score(judged.cost::double precision, judged.median, judged.log_mad, 0.000001) AS scored (score)
    WHERE judged.cost >= tokbudget._flagged_from(judged.median, judged.log_mad, 0.000001, 0)::numeric
$$;
COMMENT ON FUNCTION tokbudget._spend_spikes(tokbudget.account, timestamp with time zone, text) IS
    'internal: hours since then, of the last 31 days, in which a workflow of a root account, or another account, spent far more than the median of the same hour in up to eight weeks before, of which at least four have spend';
