-- The hourly series of a subtree, for whoever extrapolates it.

CREATE FUNCTION tokbudget._usage_by_hour(tenant_id integer, account_id bigint, since timestamp with time zone, until timestamp with time zone)
    RETURNS TABLE (hour timestamp with time zone, requests numeric, input_tokens numeric, output_tokens numeric, cost numeric, internal_cost numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT part.hour, sum(part.requests), sum(part.input_tokens), sum(part.output_tokens), sum(part.cost), sum(part.internal_cost)
    FROM (
        SELECT usage.bucket_start AS hour, usage.requests, usage.input_tokens, usage.output_tokens, usage.cost, usage.internal_cost
        FROM tokbudget.subtree_usage AS usage
        WHERE usage.tenant_id = _usage_by_hour.tenant_id AND usage.account_id = _usage_by_hour.account_id AND usage.grain = 'hour'
            AND usage.bucket_start >= since AND usage.bucket_start < until
        UNION ALL
        SELECT fact.hour, fact.requests, fact.input_tokens, fact.output_tokens, fact.cost, fact.internal_cost
        FROM tokbudget._usage_tail(_usage_by_hour.tenant_id) AS fact
        WHERE _usage_by_hour.account_id = ANY (fact.account_ids) AND fact.hour >= since AND fact.hour < until
    ) AS part
    GROUP BY part.hour
$$;
COMMENT ON FUNCTION tokbudget._usage_by_hour(integer, bigint, timestamp with time zone, timestamp with time zone) IS
    'internal: what the account and all below it spent in each hour, UTC, that begins from since until before until; hours without spend are missing';
