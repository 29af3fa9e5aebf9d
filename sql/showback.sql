-- Showback: the tree of accounts with what each spent itself and with all below it, and what its budgets allow.

CREATE TYPE tokbudget.showback_row AS (
    account text,
    kind text,
    level integer,
    cost_center text,
    owner text,
    currency text,
    requests numeric,
    own_cost numeric,
    subtree_cost numeric,
    subtree_internal_cost numeric,
    subtree_input_tokens numeric,
    subtree_output_tokens numeric,
    share_percent numeric,
    previous_cost numeric,
    budgets bigint
);
COMMENT ON TYPE tokbudget.showback_row IS 'one account as tb_showback shows it';
COMMENT ON COLUMN tokbudget.showback_row.account IS 'path';
COMMENT ON COLUMN tokbudget.showback_row.kind IS 'kind of the account';
COMMENT ON COLUMN tokbudget.showback_row.level IS 'levels below the account asked for, which is 0; NULL for an account that has moved away since, which is shown with what it spent here';
COMMENT ON COLUMN tokbudget.showback_row.cost_center IS 'where its spend is charged at present; NULL for where that of the account above is';
COMMENT ON COLUMN tokbudget.showback_row.owner IS 'who answers for it';
COMMENT ON COLUMN tokbudget.showback_row.currency IS 'currency of the costs, ISO 4217 or a unit of its own';
COMMENT ON COLUMN tokbudget.showback_row.requests IS 'calls of the account and all below it';
COMMENT ON COLUMN tokbudget.showback_row.own_cost IS 'cost of what it spent itself: over all rows these add up to the subtree_cost of the first';
COMMENT ON COLUMN tokbudget.showback_row.subtree_cost IS 'cost of what it and all below it spent: an account above contains it';
COMMENT ON COLUMN tokbudget.showback_row.subtree_internal_cost IS 'the same at internal rates';
COMMENT ON COLUMN tokbudget.showback_row.subtree_input_tokens IS 'input tokens of it and all below it';
COMMENT ON COLUMN tokbudget.showback_row.subtree_output_tokens IS 'output tokens of it and all below it';
COMMENT ON COLUMN tokbudget.showback_row.share_percent IS 'subtree_cost as a part of that of the account asked for, per cent, at most four decimals; NULL when that is zero';
COMMENT ON COLUMN tokbudget.showback_row.previous_cost IS 'subtree_cost in the time of the same length before';
COMMENT ON COLUMN tokbudget.showback_row.budgets IS 'active budgets of the account; tb_budget_report shows what is left of them';

CREATE FUNCTION tokbudget._subtree_usage(account tokbudget.account, since timestamp with time zone, until timestamp with time zone)
    RETURNS TABLE (account_id bigint, currency text, requests numeric, cost numeric, internal_cost numeric, input_tokens numeric, output_tokens numeric)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET max_parallel_workers_per_gather = 0
    -- As in tokbudget._usage.
    SET plan_cache_mode = force_custom_plan
    SET enable_seqscan = off
    AS $$
#variable_conflict use_column
DECLARE
    segments CONSTANT tokbudget.usage_segment[] := ARRAY(
        SELECT segment FROM tokbudget._segments(since, until, ARRAY['hour', 'day', 'month']) AS segment);
    below_ids CONSTANT bigint[] := ARRAY(
        SELECT node.account_id FROM tokbudget.account AS node
        WHERE node.tenant_id = account.tenant_id
            AND (node.account_id = account.account_id OR node.ancestor_ids @> ARRAY[account.account_id]));
BEGIN
    RETURN QUERY
    WITH part AS (
        SELECT usage.account_id, usage.currency, usage.requests, usage.cost, usage.internal_cost, usage.input_tokens, usage.output_tokens
        FROM unnest(segments) AS segment
        CROSS JOIN LATERAL (
            SELECT * FROM tokbudget.subtree_usage AS kept
            WHERE kept.tenant_id = account.tenant_id AND kept.account_id = ANY (below_ids) AND kept.grain = segment.grain
                AND kept.bucket_start >= segment.starts_at AND kept.bucket_start < segment.ends_at
            OFFSET 0
        ) AS usage
        UNION ALL
        SELECT node, fact.currency, fact.requests, fact.cost, fact.internal_cost, fact.input_tokens, fact.output_tokens
        FROM tokbudget._usage_tail(account.tenant_id) AS fact
        JOIN unnest(segments) AS segment ON segment.grain <> 'entry' AND fact.hour >= segment.starts_at AND fact.hour < segment.ends_at
        CROSS JOIN LATERAL unnest(fact.account_ids) AS node
        UNION ALL
        SELECT node, fact.currency, fact.requests, fact.cost, fact.internal_cost, fact.input_tokens, fact.output_tokens
        FROM unnest(segments) AS segment
        CROSS JOIN LATERAL tokbudget._usage_between(account.tenant_id, segment.starts_at, segment.ends_at) AS fact
        CROSS JOIN LATERAL unnest(fact.account_ids) AS node
        WHERE segment.grain = 'entry'
    )
    SELECT part.account_id, part.currency, sum(part.requests), sum(part.cost), sum(part.internal_cost), sum(part.input_tokens), sum(part.output_tokens)
    FROM part
    WHERE part.account_id = ANY (below_ids)
    GROUP BY part.account_id, part.currency;
END;
$$;
COMMENT ON FUNCTION tokbudget._subtree_usage(tokbudget.account, timestamp with time zone, timestamp with time zone) IS
    'internal: what each account below this one, and itself, spent with all below it';

CREATE FUNCTION @extschema@.tb_showback(
    account text,
    since timestamp with time zone DEFAULT NULL,
    until timestamp with time zone DEFAULT NULL,
    time_zone text DEFAULT 'UTC',
    levels integer DEFAULT NULL
) RETURNS SETOF tokbudget.showback_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_showback.account);
    month CONSTANT tokbudget.budget_window := @extschema@.tb_window('month', tokbudget._now(), tb_showback.time_zone);
    first_instant CONSTANT timestamp with time zone := COALESCE(tb_showback.since, month.window_start);
    last_instant CONSTANT timestamp with time zone := COALESCE(tb_showback.until, GREATEST(month.window_end, first_instant));
    top_level CONSTANT integer := cardinality(found_account.ancestor_ids);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(first_instant, last_instant);
    IF tb_showback.levels < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid option',
            DETAIL = jsonb_build_object('levels', tb_showback.levels)::text,
            HINT = 'levels is how many levels below the account are shown; NULL for all.';
    END IF;
    RETURN QUERY
    WITH spent AS MATERIALIZED (
        SELECT * FROM tokbudget._subtree_usage(found_account, first_instant, last_instant)
    ),
    own AS MATERIALIZED (
        SELECT usage.*
        FROM tokbudget._usage(found_account,
            ARRAY(SELECT segment FROM tokbudget._segments(first_instant, last_instant, ARRAY['day', 'month']) AS segment),
            ARRAY['account'], NULL) AS usage
    ),
    before AS MATERIALIZED (
        SELECT * FROM tokbudget._subtree_usage(found_account, first_instant - (last_instant - first_instant), first_instant)
        WHERE isfinite(first_instant) AND isfinite(last_instant)
    ),
    budgeted AS MATERIALIZED (
        SELECT budget.account_id, count(*) AS budgets FROM tokbudget.budget
        WHERE budget.tenant_id = found_account.tenant_id AND budget.status = 'active'
        GROUP BY budget.account_id
    ),
    line AS (
        SELECT node.path, node.kind, cardinality(node.ancestor_ids) - top_level AS level, node.cost_center, node.owner, node.account_id,
            COALESCE(spend.currency, tenant.currency) AS currency, spend.requests, spend.cost, spend.internal_cost, spend.input_tokens,
            spend.output_tokens, spend.previous_cost, budgeted.budgets
        FROM tokbudget.account AS node
        JOIN tokbudget.tenant ON tenant.tenant_id = node.tenant_id
        LEFT JOIN (
            SELECT account_id, currency, spent.requests, spent.cost, spent.internal_cost, spent.input_tokens, spent.output_tokens,
                before.cost AS previous_cost
            FROM spent FULL JOIN before USING (account_id, currency)
        ) AS spend ON spend.account_id = node.account_id
        LEFT JOIN budgeted ON budgeted.account_id = node.account_id
        WHERE node.tenant_id = found_account.tenant_id
            AND (node.account_id = found_account.account_id OR node.ancestor_ids @> ARRAY[found_account.account_id])
        UNION ALL
        -- What has moved away since, with what it spent here.
        SELECT node.path, node.kind, NULL, node.cost_center, node.owner, node.account_id, own.currency, own.requests, own.cost,
            own.internal_cost, own.input_tokens, own.output_tokens, NULL, NULL
        FROM own
        JOIN tokbudget.account AS node ON node.tenant_id = found_account.tenant_id AND node.account_id = own.account_id
        WHERE NOT (node.account_id = found_account.account_id OR node.ancestor_ids @> ARRAY[found_account.account_id])
    )
    SELECT line.path::text, line.kind, line.level, line.cost_center, line.owner, line.currency, COALESCE(line.requests, 0),
        COALESCE(own.cost, 0), COALESCE(line.cost, 0), COALESCE(line.internal_cost, 0), COALESCE(line.input_tokens, 0),
        COALESCE(line.output_tokens, 0),
        tokbudget._percent_of(line.cost, max(line.cost) FILTER (WHERE line.level = 0) OVER (PARTITION BY line.currency)),
        COALESCE(line.previous_cost, 0), COALESCE(line.budgets, 0)
    FROM line
    LEFT JOIN own ON own.account_id = line.account_id AND own.currency = line.currency
    WHERE (line.requests IS NOT NULL OR line.previous_cost IS NOT NULL OR line.budgets > 0 OR line.level = 0)
        AND (tb_showback.levels IS NULL OR line.level IS NULL OR line.level <= tb_showback.levels)
    -- As a tree: what is below an account follows it.
    ORDER BY line.currency, string_to_array(line.path, '/');
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_showback(text, timestamp with time zone, timestamp with time zone, text, integer) IS
    'the account and all below it that spent something or have a budget, each with what it spent itself and with all below it, from since (by default the start of the present month in time_zone) until the instant before until (by default the end of the month), beside the time of the same length before; levels limits how far down. own_cost adds up over the rows, subtree_cost contains that of the accounts below. Raises TB002 for an unknown account, TB008 for a period without an instant or an unknown time zone, 42501 for a role that may not read the account';
