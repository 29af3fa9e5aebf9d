-- Chargeback by any attribute and for any period, in the zone of whoever pays.

CREATE TYPE tokbudget.chargeback_row AS (
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    account text,
    cost_center text,
    provider text,
    model text,
    operation text,
    service_tier text,
    workflow text,
    step text,
    outcome text,
    agent text,
    end_user text,
    currency text,
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
    share_percent numeric,
    previous_cost numeric,
    is_unallocated boolean,
    unpriced_entries bigint,
    corrections bigint,
    retried_entries bigint,
    overrun_entries bigint
);
COMMENT ON TYPE tokbudget.chargeback_row IS 'one line of tb_chargeback; attributes that were not asked for are NULL';
COMMENT ON COLUMN tokbudget.chargeback_row.period_start IS 'first instant of the period';
COMMENT ON COLUMN tokbudget.chargeback_row.period_end IS 'first instant after the period; infinity where it has no end';
COMMENT ON COLUMN tokbudget.chargeback_row.account IS 'path of the account that spent, or of the one above it at the depth asked for';
COMMENT ON COLUMN tokbudget.chargeback_row.cost_center IS 'where the spend is charged';
COMMENT ON COLUMN tokbudget.chargeback_row.currency IS 'currency of the costs, ISO 4217 or a unit of its own';
COMMENT ON COLUMN tokbudget.chargeback_row.share_percent IS 'part of all cost in this currency in the period, per cent, at most four decimals; NULL when that is zero';
COMMENT ON COLUMN tokbudget.chargeback_row.previous_cost IS 'cost of the same line in the period before, where compare was asked for';
COMMENT ON COLUMN tokbudget.chargeback_row.is_unallocated IS 'an attribute that was asked for is missing in what was spent: nobody said what it was for';
COMMENT ON COLUMN tokbudget.chargeback_row.provider IS 'who sold the tokens';
COMMENT ON COLUMN tokbudget.chargeback_row.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.chargeback_row.operation IS 'attribute operation';
COMMENT ON COLUMN tokbudget.chargeback_row.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.chargeback_row.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.chargeback_row.step IS 'attribute step';
COMMENT ON COLUMN tokbudget.chargeback_row.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.chargeback_row.agent IS 'attribute agent';
COMMENT ON COLUMN tokbudget.chargeback_row.end_user IS 'attribute end_user';
COMMENT ON COLUMN tokbudget.chargeback_row.entries IS 'entries of the ledger';
COMMENT ON COLUMN tokbudget.chargeback_row.requests IS 'calls';
COMMENT ON COLUMN tokbudget.chargeback_row.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.chargeback_row.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.chargeback_row.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.chargeback_row.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.chargeback_row.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.chargeback_row.cost IS 'sum of the costs in currency units; NULL when none is priced';
COMMENT ON COLUMN tokbudget.chargeback_row.internal_cost IS 'sum of what the account is charged at its internal rate; NULL when none is priced';
COMMENT ON COLUMN tokbudget.chargeback_row.reported_cost IS 'sum of the costs that providers stated themselves; NULL when none did';
COMMENT ON COLUMN tokbudget.chargeback_row.unpriced_entries IS 'entries without a cost and not re-rated since, which the sums of money leave out';
COMMENT ON COLUMN tokbudget.chargeback_row.corrections IS 'entries that adjust, refund or re-rate an earlier one';
COMMENT ON COLUMN tokbudget.chargeback_row.retried_entries IS 'calls that had been tried before (attribute retry_count)';
COMMENT ON COLUMN tokbudget.chargeback_row.overrun_entries IS 'calls that used more than was held';

CREATE FUNCTION tokbudget._check_attributes(by text[]) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    attributes CONSTANT text[] := '{account, cost_center, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user}';
BEGIN
    IF by IS NULL OR NOT by <@ attributes OR array_ndims(by) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'unknown attribute',
            DETAIL = jsonb_build_object('by', by, 'attributes', attributes)::text,
            HINT = 'by is an array of attributes such as ''{account, model}''; an empty one gives one line for all.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_attributes(text[]) IS 'internal: raises TB008 for an attribute that spend is not reported by';

CREATE FUNCTION tokbudget._periods(since timestamp with time zone, until timestamp with time zone, every text, time_zone text, week_start text)
    RETURNS TABLE (period_start timestamp with time zone, period_end timestamp with time zone)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    periods_max CONSTANT integer := 10000;
    found_window record;
    present timestamp with time zone := since;
BEGIN
    IF every IS NULL THEN
        RETURN QUERY SELECT since, until;
        RETURN;
    END IF;
    FOR number IN 1..periods_max LOOP
        found_window := @extschema@.tb_window(every, present, time_zone, week_start);
        period_start := present;
        period_end := LEAST(found_window.window_end, until);
        RETURN NEXT;
        present := period_end;
        IF present >= until THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'too many periods',
        DETAIL = jsonb_build_object('since', since, 'until', until, 'every', every, 'periods_max', periods_max)::text,
        HINT = 'Ask for longer periods or for a shorter time.';
END;
$$;
COMMENT ON FUNCTION tokbudget._periods(timestamp with time zone, timestamp with time zone, text, text, text) IS
    'internal: [since, until) cut at the boundaries of the calendar; raises TB008 for an unknown calendar or more than 10000 periods';

CREATE FUNCTION @extschema@.tb_chargeback(
    account text,
    by text[] DEFAULT '{account}',
    since timestamp with time zone DEFAULT NULL,
    until timestamp with time zone DEFAULT NULL,
    every text DEFAULT NULL,
    time_zone text DEFAULT 'UTC',
    week_start text DEFAULT 'monday',
    depth integer DEFAULT NULL,
    compare boolean DEFAULT false
) RETURNS SETOF tokbudget.chargeback_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_chargeback.account);
    attributes text[] := tb_chargeback.by;
    month CONSTANT tokbudget.budget_window := @extschema@.tb_window('month', tokbudget._now(), tb_chargeback.time_zone);
    first_instant CONSTANT timestamp with time zone := COALESCE(tb_chargeback.since, month.window_start);
    last_instant CONSTANT timestamp with time zone := COALESCE(tb_chargeback.until, GREATEST(month.window_end, first_instant));
    periods tokbudget.usage_segment[];
    segments tokbudget.usage_segment[];
    previous tokbudget.usage_segment[] := '{}';
    grains text[];
    is_folded boolean;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._check_attributes(attributes);
    PERFORM tokbudget._require_span(first_instant, last_instant, tb_chargeback.every IS NOT NULL OR tb_chargeback.compare);
    IF tb_chargeback.depth < 0 OR tb_chargeback.compare IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid option',
            DETAIL = jsonb_build_object('depth', tb_chargeback.depth, 'compare', tb_chargeback.compare)::text,
            HINT = 'depth is 0 for the account itself, 1 for the ones right below it and so on; compare is true or false.';
    END IF;
    -- A line for the account with all below it needs no accounts.
    IF tb_chargeback.depth = 0 THEN
        attributes := array_remove(attributes, 'account');
    END IF;
    grains := tokbudget._grains(tokbudget._facet(attributes, found_account));
    SELECT array_agg(ROW(p.period_start, NULL, p.period_start, p.period_end)::tokbudget.usage_segment ORDER BY p.period_start) INTO periods
    FROM tokbudget._periods(first_instant, last_instant, tb_chargeback.every, tb_chargeback.time_zone, tb_chargeback.week_start) AS p;
    SELECT array_agg(segment) INTO segments
    FROM unnest(periods) AS period, LATERAL tokbudget._segments(period.starts_at, period.ends_at, grains) AS segment;
    IF tb_chargeback.compare THEN
        -- Under the start of the period that they are compared with.
        SELECT array_agg(ROW(period.period_start, segment.grain, segment.starts_at, segment.ends_at)::tokbudget.usage_segment) INTO previous
        FROM unnest(periods) AS period
        CROSS JOIN LATERAL (
            SELECT CASE
                WHEN tb_chargeback.every IS NULL AND (tb_chargeback.since IS NOT NULL OR tb_chargeback.until IS NOT NULL)
                    THEN period.starts_at - (period.ends_at - period.starts_at)
                ELSE (@extschema@.tb_window(COALESCE(tb_chargeback.every, 'month'), period.starts_at - interval '1 microsecond',
                    tb_chargeback.time_zone, tb_chargeback.week_start)).window_start
            END
        ) AS earlier (starts_at)
        CROSS JOIN LATERAL tokbudget._segments(earlier.starts_at, period.starts_at, grains) AS segment;
    END IF;
    -- Only then are there other lines to be put together with what was spent.
    is_folded := tb_chargeback.compare OR attributes = ARRAY['account'];
    RETURN QUERY
    WITH spent AS (
        SELECT * FROM tokbudget._usage(found_account, segments, attributes, tb_chargeback.depth)
    ),
    before AS (
        SELECT * FROM tokbudget._usage(found_account, previous, attributes, tb_chargeback.depth)
    ),
    -- An account with a budget that spent nothing is shown too: somebody pays for its being there, or forgot it.
    idle AS (
        SELECT period.period_start, below.account_id, currency.name AS currency
        FROM unnest(periods) AS period
        CROSS JOIN (SELECT tenant.currency FROM tokbudget.tenant WHERE tenant.tenant_id = found_account.tenant_id) AS currency (name)
        JOIN tokbudget.account AS below ON below.tenant_id = found_account.tenant_id
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        WHERE attributes = ARRAY['account']
            AND (tb_chargeback.depth IS NULL OR cardinality(below.ancestor_ids) <= cardinality(found_account.ancestor_ids) + tb_chargeback.depth)
            AND EXISTS (
                SELECT FROM tokbudget.budget
                WHERE budget.tenant_id = below.tenant_id AND budget.account_id = below.account_id AND budget.status = 'active'
            )
    )
    SELECT period.starts_at, period.ends_at, spender.path::text, line.cost_center, line.provider, line.model, line.operation,
        line.service_tier, line.workflow, line.step, line.outcome, line.agent, line.end_user, line.currency,
        line.entries::bigint, line.requests, line.input_tokens, line.cache_read_input_tokens, line.cache_write_input_tokens,
        line.output_tokens, line.reasoning_output_tokens,
        line.cost, line.internal_cost, line.reported_cost,
        tokbudget._percent_of(line.cost, sum(line.cost) OVER (PARTITION BY period.starts_at, line.currency)),
        line.previous_cost,
        'cost_center' = ANY (attributes) AND line.cost_center IS NULL OR 'provider' = ANY (attributes) AND line.provider IS NULL
            OR 'model' = ANY (attributes) AND line.model IS NULL OR 'operation' = ANY (attributes) AND line.operation IS NULL
            OR 'workflow' = ANY (attributes) AND line.workflow IS NULL OR 'step' = ANY (attributes) AND line.step IS NULL
            OR 'outcome' = ANY (attributes) AND line.outcome IS NULL OR 'agent' = ANY (attributes) AND line.agent IS NULL
            OR 'end_user' = ANY (attributes) AND line.end_user IS NULL,
        line.unpriced_entries::bigint, line.corrections::bigint, line.retried_entries::bigint, line.overrun_entries::bigint
    FROM (
        SELECT spent.*, NULL::numeric AS previous_cost FROM spent WHERE NOT is_folded
        UNION ALL
        SELECT period_start, account_id, cost_center, currency, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user,
            sum(entries) AS entries, sum(requests) AS requests, sum(input_tokens) AS input_tokens,
            sum(cache_read_input_tokens) AS cache_read_input_tokens, sum(cache_write_input_tokens) AS
            cache_write_input_tokens, sum(output_tokens) AS output_tokens, sum(reasoning_output_tokens) AS
            reasoning_output_tokens, sum(cost) AS cost, sum(internal_cost) AS internal_cost,
            sum(reported_cost) AS reported_cost, sum(unpriced_entries) AS unpriced_entries, sum(corrections)
            AS corrections, sum(retried_entries) AS retried_entries, sum(overrun_entries) AS overrun_entries, sum(previous_cost) AS previous_cost
        FROM (
            SELECT spent.*, NULL::numeric AS previous_cost FROM spent
            UNION ALL
            SELECT period_start, account_id, cost_center, currency, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user,
                0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, cost
            FROM before
            UNION ALL
            SELECT period_start, account_id, NULL, currency, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, NULL
            FROM idle
        ) AS source
        WHERE is_folded
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
    ) AS line
    JOIN unnest(periods) AS period ON period.period_start = line.period_start
    LEFT JOIN tokbudget.account AS spender ON spender.tenant_id = found_account.tenant_id
        AND spender.account_id = COALESCE(line.account_id, CASE WHEN tb_chargeback.depth = 0 THEN found_account.account_id END)
    ORDER BY period.starts_at, line.currency, line.cost DESC NULLS LAST, spender.path, line.cost_center, line.provider, line.model,
        line.operation, line.service_tier, line.workflow, line.step, line.outcome, line.agent, line.end_user;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_chargeback(text, text[], timestamp with time zone, timestamp with time zone, text, text, text, integer, boolean) IS
    'what the account and all below it spent from since (by default the start of the present month in time_zone) until the instant before until (by default the end of the month), one line for each combination of the attributes in by: account, cost_center, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user; and for each currency. every cuts the time at the boundaries of a calendar (hour, day, week, month and so on, as in tb_window) in time_zone. depth sums accounts up to so many levels below the account: 0 gives its subtree as one line, 1 its children with all below each. compare adds the cost of the period before: the one of the calendar, or the time of the same length before since. Accounts with an active budget that spent nothing appear where by is account alone. Always current: what the roll-ups do not cover yet is added from the ledger, and so is what is asked for by attributes that no roll-up keeps together. Raises TB002 for an unknown account, TB008 for an unknown attribute, calendar or time zone, for a period without an instant and for more than 10000 periods, 42501 for a role that may not read the account';
