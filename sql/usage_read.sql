-- Reading the roll-ups: any stretch of time is a few whole months, days and hours of a roll-up, what is left at its ends, which
-- is read in the ledger, and what the roll-ups do not cover yet.

CREATE TYPE tokbudget.usage_segment AS (
    period_start timestamp with time zone,
    grain text,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone
);
COMMENT ON TYPE tokbudget.usage_segment IS 'a part of a period that is read in one grain';
COMMENT ON COLUMN tokbudget.usage_segment.period_start IS 'start of the period';
COMMENT ON COLUMN tokbudget.usage_segment.grain IS 'month, day, hour, or entry for what is read in the ledger';
COMMENT ON COLUMN tokbudget.usage_segment.starts_at IS 'first instant of the part';
COMMENT ON COLUMN tokbudget.usage_segment.ends_at IS 'first instant after it';

CREATE FUNCTION tokbudget._segments(since timestamp with time zone, until timestamp with time zone, grains text[]) RETURNS SETOF tokbudget.usage_segment
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    AS $$
DECLARE
    starts timestamp with time zone[] := ARRAY[since];
    ends timestamp with time zone[] := ARRAY[until];
    left_starts timestamp with time zone[];
    left_ends timestamp with time zone[];
    grain text;
    inner_start timestamp with time zone;
    inner_end timestamp with time zone;
BEGIN
    FOREACH grain IN ARRAY ARRAY['month', 'day', 'hour'] LOOP
        CONTINUE WHEN grain <> ALL (grains);
        left_starts := '{}';
        left_ends := '{}';
        FOR part IN 1..cardinality(starts) LOOP
            inner_start := date_trunc(grain, starts[part]);
            IF inner_start < starts[part] THEN
                inner_start := inner_start + ('1 ' || grain)::interval;
            END IF;
            inner_end := date_trunc(grain, ends[part]);
            IF inner_start >= inner_end THEN
                left_starts := left_starts || starts[part];
                left_ends := left_ends || ends[part];
                CONTINUE;
            END IF;
            RETURN QUERY SELECT since, grain, inner_start, inner_end;
            IF starts[part] < inner_start THEN
                left_starts := left_starts || starts[part];
                left_ends := left_ends || inner_start;
            END IF;
            IF inner_end < ends[part] THEN
                left_starts := left_starts || inner_end;
                left_ends := left_ends || ends[part];
            END IF;
        END LOOP;
        starts := left_starts;
        ends := left_ends;
    END LOOP;
    FOR part IN 1..cardinality(starts) LOOP
        IF starts[part] < ends[part] THEN
            RETURN QUERY SELECT since, 'entry', starts[part], ends[part];
        END IF;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._segments(timestamp with time zone, timestamp with time zone, text[]) IS
    'internal: the parts of [since, until) that are whole months, days and hours, as far as there are such grains, and what is left';

CREATE TYPE tokbudget.usage_row AS (
    period_start timestamp with time zone,
    account_id bigint,
    cost_center text,
    currency text,
    provider text,
    model text,
    operation text,
    service_tier text,
    workflow text,
    step text,
    outcome text,
    agent text,
    end_user text,
    entries bigint,
    requests numeric,
    input_tokens numeric,
    cache_read_input_tokens numeric,
    cache_write_input_tokens numeric,
    output_tokens numeric,
    reasoning_output_tokens numeric,
    cost numeric,
    internal_cost numeric,
    reported_cost numeric,
    unpriced_entries bigint,
    corrections bigint,
    retried_entries bigint,
    overrun_entries bigint
);
COMMENT ON TYPE tokbudget.usage_row IS 'what was spent below an account in a period, by the attributes that were asked for; the others are NULL';
COMMENT ON COLUMN tokbudget.usage_row.period_start IS 'start of the period';
COMMENT ON COLUMN tokbudget.usage_row.account_id IS 'account that spent, or the one above it at the depth asked for; NULL where it was not asked for';
COMMENT ON COLUMN tokbudget.usage_row.cost_center IS 'where the spend is charged';
COMMENT ON COLUMN tokbudget.usage_row.currency IS 'currency of the costs, ISO 4217 or a unit of its own';
COMMENT ON COLUMN tokbudget.usage_row.provider IS 'who sold the tokens';
COMMENT ON COLUMN tokbudget.usage_row.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.usage_row.operation IS 'attribute operation';
COMMENT ON COLUMN tokbudget.usage_row.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.usage_row.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.usage_row.step IS 'attribute step';
COMMENT ON COLUMN tokbudget.usage_row.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.usage_row.agent IS 'attribute agent';
COMMENT ON COLUMN tokbudget.usage_row.end_user IS 'attribute end_user';
COMMENT ON COLUMN tokbudget.usage_row.entries IS 'entries of the ledger';
COMMENT ON COLUMN tokbudget.usage_row.requests IS 'calls';
COMMENT ON COLUMN tokbudget.usage_row.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.usage_row.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.usage_row.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.usage_row.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.usage_row.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.usage_row.cost IS 'sum of the costs in currency units; NULL when none is priced';
COMMENT ON COLUMN tokbudget.usage_row.internal_cost IS 'sum of what the account is charged at its internal rate; NULL when none is priced';
COMMENT ON COLUMN tokbudget.usage_row.reported_cost IS 'sum of the costs that providers stated themselves; NULL when none did';
COMMENT ON COLUMN tokbudget.usage_row.unpriced_entries IS 'entries without a cost and not re-rated since, which the sums of money leave out';
COMMENT ON COLUMN tokbudget.usage_row.corrections IS 'entries that adjust, refund or re-rate an earlier one';
COMMENT ON COLUMN tokbudget.usage_row.retried_entries IS 'calls that had been tried before (attribute retry_count)';
COMMENT ON COLUMN tokbudget.usage_row.overrun_entries IS 'calls that used more than was held';

CREATE FUNCTION tokbudget._facet(by text[], account tokbudget.account) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN by <@ ARRAY[]::text[] THEN 'subtree'
        WHEN account.parent_id IS NULL AND by <@ ARRAY['provider', 'model', 'operation', 'service_tier'] THEN 'tenant_model'
        WHEN account.parent_id IS NULL AND by <@ ARRAY['workflow'] THEN 'tenant_workflow'
        WHEN account.parent_id IS NULL AND by <@ ARRAY['end_user'] THEN 'tenant_user'
        WHEN account.parent_id IS NULL AND by <@ ARRAY['workflow', 'step', 'outcome'] THEN 'tenant_work'
        WHEN by <@ ARRAY['account', 'cost_center'] THEN 'account'
        WHEN by <@ ARRAY['account', 'cost_center', 'provider', 'model', 'operation', 'service_tier'] THEN 'model'
        WHEN by <@ ARRAY['account', 'cost_center', 'workflow', 'step', 'outcome', 'agent'] THEN 'work'
        WHEN by <@ ARRAY['account', 'cost_center', 'end_user'] THEN 'user'
    END
$$;
COMMENT ON FUNCTION tokbudget._facet(text[], tokbudget.account) IS 'internal: the smallest facet that has all of these attributes of what was spent below the account, NULL where none has';

CREATE FUNCTION tokbudget._grains(facet text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN facet IN ('subtree', 'tenant_model', 'tenant_workflow') THEN '{hour, day, month}'::text[]
        WHEN facet IN ('account', 'tenant_work') THEN '{day, month}'
        WHEN facet IS NOT NULL THEN '{month}'
        ELSE '{}'
    END
$$;
COMMENT ON FUNCTION tokbudget._grains(text) IS
    'internal: the grains in which a facet is kept. Where attributes go with accounts, few entries of an hour or a day have the same: sums of them would be about as many as the entries';

CREATE FUNCTION tokbudget._usage(account tokbudget.account, segments tokbudget.usage_segment[], by text[], depth integer) RETURNS SETOF tokbudget.usage_row
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET max_parallel_workers_per_gather = 0
    SET timezone = 'UTC'
    -- However many rows the planner expects of a roll-up, they stand together in its key. OFFSET 0 below has it take one part of
    -- the period after the other, instead of everything first.
    SET plan_cache_mode = force_custom_plan
    SET enable_seqscan = off
    -- There is nothing to be in order yet.
    SET enable_sort = off
    SET work_mem = '64MB'
    AS $$
#variable_conflict use_column
DECLARE
    top_id CONSTANT bigint := (_usage.account).account_id;
    owner_id CONSTANT integer := (_usage.account).tenant_id;
    facet_name CONSTANT text := tokbudget._facet(by, _usage.account);
    is_by_account CONSTANT boolean := 'account' = ANY (by);
    is_whole CONSTANT boolean := (_usage.account).parent_id IS NULL;
    spender_ids bigint[];
    first_spent timestamp with time zone;
    last_spent timestamp with time zone;
    buckets tokbudget.usage_segment[];
BEGIN
    IF cardinality(segments) = 0 THEN
        RETURN;
    END IF;
    -- Everybody who spent below it then, wherever he is now, and between which months.
    IF NOT is_whole AND facet_name <> 'subtree' THEN
        SELECT array_agg(DISTINCT usage.account_id), min(usage.bucket_start), max(usage.bucket_start) + interval '1 month'
        INTO spender_ids, first_spent, last_spent
        FROM tokbudget.facet_usage AS usage
        WHERE usage.tenant_id = owner_id AND usage.facet = 'account' AND usage.grain = 'month' AND top_id = ANY (usage.account_ids)
            AND usage.bucket_start >= (SELECT date_trunc('month', min(segment.starts_at)) FROM unnest(segments) AS segment WHERE segment.grain <> 'entry')
            AND usage.bucket_start < (SELECT max(segment.ends_at) FROM unnest(segments) AS segment WHERE segment.grain <> 'entry');
        -- Where nobody ever spent there is no first month to begin with.
        IF first_spent IS NOT NULL THEN
            SELECT array_agg(ROW(segment.period_start, segment.grain, bucket_start, NULL)::tokbudget.usage_segment) INTO buckets
            FROM unnest(segments) AS segment
            CROSS JOIN LATERAL generate_series(GREATEST(segment.starts_at, first_spent),
                LEAST(segment.ends_at, last_spent) - interval '1 microsecond', ('1 ' || segment.grain)::interval) AS bucket_start
            WHERE segment.grain <> 'entry';
        END IF;
    END IF;
    RETURN QUERY
    WITH rolled_up AS (
        SELECT segment.period_start, usage.*
        FROM unnest(segments) AS segment
        CROSS JOIN LATERAL (
            SELECT * FROM tokbudget.facet_usage AS kept
            WHERE kept.tenant_id = owner_id AND kept.facet = facet_name AND kept.grain = segment.grain
                AND kept.bucket_start >= segment.starts_at AND kept.bucket_start < segment.ends_at
            OFFSET 0
        ) AS usage
        WHERE is_whole AND segment.grain <> 'entry' AND facet_name <> 'subtree'
        UNION ALL
        SELECT segment.period_start, usage.*
        FROM unnest(buckets) AS segment
        CROSS JOIN LATERAL (
            SELECT * FROM tokbudget.facet_usage AS kept
            WHERE kept.tenant_id = owner_id AND kept.facet = facet_name AND kept.grain = segment.grain
                AND kept.bucket_start = segment.starts_at AND kept.account_id = ANY (spender_ids)
            OFFSET 0
        ) AS usage
        -- An account that has come from elsewhere spent there before.
        WHERE top_id = ANY (usage.account_ids)
    ),
    subtree AS (
        SELECT segment.period_start, usage.*
        FROM unnest(segments) AS segment
        CROSS JOIN LATERAL (
            SELECT * FROM tokbudget.subtree_usage AS kept
            WHERE kept.tenant_id = owner_id AND kept.account_id = top_id AND kept.grain = segment.grain
                AND kept.bucket_start >= segment.starts_at AND kept.bucket_start < segment.ends_at
            OFFSET 0
        ) AS usage
        WHERE facet_name = 'subtree'
    ),
    from_ledger AS (
        SELECT segment.period_start, fact.*
        FROM tokbudget._usage_tail(owner_id) AS fact
        JOIN unnest(segments) AS segment
            ON segment.grain <> 'entry' AND fact.hour >= segment.starts_at AND fact.hour < segment.ends_at
        WHERE top_id = ANY (fact.account_ids)
        UNION ALL
        SELECT segment.period_start, fact.*
        FROM unnest(segments) AS segment
        CROSS JOIN LATERAL tokbudget._usage_between(owner_id, segment.starts_at, segment.ends_at) AS fact
        WHERE segment.grain = 'entry' AND top_id = ANY (fact.account_ids)
    ),
    part AS (
        SELECT period_start, account_ids, cost_center, currency, provider, model, operation, service_tier, workflow, step, outcome,
            agent, end_user, entries, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens,
            reasoning_output_tokens, cost, internal_cost, reported_cost, unpriced_entries, corrections, retried_entries, overrun_entries
        FROM rolled_up
        UNION ALL
        SELECT period_start, ARRAY[top_id], NULL, currency, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, entries, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens,
            reasoning_output_tokens, cost, internal_cost, reported_cost, unpriced_entries, corrections, retried_entries, overrun_entries
        FROM subtree
        UNION ALL
        SELECT period_start, account_ids, cost_center, currency, provider, model, operation, service_tier, workflow, step, outcome,
            agent, end_user, entries, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens,
            reasoning_output_tokens, cost, internal_cost, reported_cost, unpriced_entries, corrections, retried_entries, overrun_entries
        FROM from_ledger
    )
    SELECT part.period_start,
        -- LEAST passes over a depth that is NULL.
        CASE WHEN is_by_account THEN part.account_ids[
            LEAST(array_position(part.account_ids, top_id) + depth, cardinality(part.account_ids))] END,
        CASE WHEN 'cost_center' = ANY (by) THEN part.cost_center END, part.currency,
        CASE WHEN 'provider' = ANY (by) THEN part.provider END, CASE WHEN 'model' = ANY (by) THEN part.model END,
        CASE WHEN 'operation' = ANY (by) THEN part.operation END, CASE WHEN 'service_tier' = ANY (by) THEN part.service_tier END,
        CASE WHEN 'workflow' = ANY (by) THEN part.workflow END, CASE WHEN 'step' = ANY (by) THEN part.step END,
        CASE WHEN 'outcome' = ANY (by) THEN part.outcome END, CASE WHEN 'agent' = ANY (by) THEN part.agent END,
        CASE WHEN 'end_user' = ANY (by) THEN part.end_user END,
        sum(part.entries)::bigint, sum(part.requests), sum(part.input_tokens),
        sum(part.cache_read_input_tokens), sum(part.cache_write_input_tokens), sum(part.output_tokens),
        sum(part.reasoning_output_tokens), sum(part.cost), sum(part.internal_cost), sum(part.reported_cost),
        sum(part.unpriced_entries)::bigint, sum(part.corrections)::bigint, sum(part.retried_entries)::bigint,
        sum(part.overrun_entries)::bigint
    FROM part
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13;
END;
$$;
COMMENT ON FUNCTION tokbudget._usage(tokbudget.account, tokbudget.usage_segment[], text[], integer) IS
    'internal: what was spent below the account in the segments, by the attributes; depth levels below it count for the account at that depth, NULL for the account that spent';
