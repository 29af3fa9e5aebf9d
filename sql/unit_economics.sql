-- What one session, task or call costs, and what it is worth.

CREATE TYPE tokbudget.unit_economics AS (
    name text,
    unit text,
    units bigint,
    unpriced_units bigint,
    cost numeric,
    currency text,
    mean_cost numeric,
    p50_cost numeric,
    p90_cost numeric,
    p99_cost numeric,
    worst_cost numeric,
    worst_unit text,
    worst_account text,
    tokens numeric,
    mean_tokens numeric,
    p50_tokens numeric,
    p90_tokens numeric,
    p99_tokens numeric,
    worst_tokens numeric,
    outcomes bigint,
    successes bigint,
    success_percent numeric,
    cost_per_success numeric,
    value numeric,
    margin numeric,
    margin_percent numeric,
    output_percent numeric,
    useful_percent numeric,
    internal_cost numeric
);
COMMENT ON TYPE tokbudget.unit_economics IS 'what the sessions, tasks or calls of one group cost, as tb_unit_economics shows it; costs in currency units with at most nine decimals';
COMMENT ON COLUMN tokbudget.unit_economics.name IS 'value of the attribute that they were grouped by; NULL where they had none, or where all are one group';
COMMENT ON COLUMN tokbudget.unit_economics.unit IS 'what was counted: session, task or step';
COMMENT ON COLUMN tokbudget.unit_economics.units IS 'how many there were';
COMMENT ON COLUMN tokbudget.unit_economics.unpriced_units IS 'how many of them have no cost because there was no price; averages and percentiles of costs leave them out';
COMMENT ON COLUMN tokbudget.unit_economics.cost IS 'cost of all, corrections included';
COMMENT ON COLUMN tokbudget.unit_economics.currency IS 'currency of costs and values, ISO 4217';
COMMENT ON COLUMN tokbudget.unit_economics.mean_cost IS 'mean cost of one';
COMMENT ON COLUMN tokbudget.unit_economics.p50_cost IS 'cost that at least half of them do not exceed: the nearest rank, so it is the cost of one of them';
COMMENT ON COLUMN tokbudget.unit_economics.p90_cost IS 'cost that at least 90 in 100 do not exceed, nearest rank';
COMMENT ON COLUMN tokbudget.unit_economics.p99_cost IS 'cost that at least 99 in 100 do not exceed, nearest rank';
COMMENT ON COLUMN tokbudget.unit_economics.worst_cost IS 'cost of the most expensive one';
COMMENT ON COLUMN tokbudget.unit_economics.worst_unit IS 'which one that is: session, task, or id of the entry; the earliest of those that cost the same';
COMMENT ON COLUMN tokbudget.unit_economics.worst_account IS 'account of that one';
COMMENT ON COLUMN tokbudget.unit_economics.tokens IS 'input and output tokens of all';
COMMENT ON COLUMN tokbudget.unit_economics.mean_tokens IS 'mean tokens of one';
COMMENT ON COLUMN tokbudget.unit_economics.p50_tokens IS 'tokens that at least half of them do not exceed, nearest rank';
COMMENT ON COLUMN tokbudget.unit_economics.p90_tokens IS 'tokens that at least 90 in 100 do not exceed, nearest rank';
COMMENT ON COLUMN tokbudget.unit_economics.p99_tokens IS 'tokens that at least 99 in 100 do not exceed, nearest rank';
COMMENT ON COLUMN tokbudget.unit_economics.worst_tokens IS 'tokens of the one with most';
COMMENT ON COLUMN tokbudget.unit_economics.outcomes IS 'how many named an outcome';
COMMENT ON COLUMN tokbudget.unit_economics.successes IS 'how many had an outcome that is a success: declared with tb_set_outcome_value, or named success';
COMMENT ON COLUMN tokbudget.unit_economics.success_percent IS 'successes in per cent of those that named an outcome; NULL where none did';
COMMENT ON COLUMN tokbudget.unit_economics.cost_per_success IS 'cost of all, failures included, for each success; NULL where there was none';
COMMENT ON COLUMN tokbudget.unit_economics.value IS 'declared value of all their outcomes; NULL where none has one';
COMMENT ON COLUMN tokbudget.unit_economics.margin IS 'value less cost; NULL without a value';
COMMENT ON COLUMN tokbudget.unit_economics.margin_percent IS 'margin in per cent of the value; NULL unless the value is above zero';
COMMENT ON COLUMN tokbudget.unit_economics.output_percent IS 'token efficiency: output tokens in per cent of all tokens';
COMMENT ON COLUMN tokbudget.unit_economics.useful_percent IS 'output tokens that the application called useful (label useful_output_tokens) in per cent of all tokens of the units for which it said so; NULL where it never did';
COMMENT ON COLUMN tokbudget.unit_economics.internal_cost IS 'what the accounts were charged at their internal rates';

CREATE TYPE tokbudget.unit_row AS (
    account_id bigint,
    account_ids bigint[],
    name text,
    workflow text,
    agent text,
    step text,
    outcome text,
    started_at timestamp with time zone,
    cost numeric,
    internal_cost numeric,
    tokens numeric,
    output_tokens numeric,
    useful_output_tokens numeric
);
COMMENT ON TYPE tokbudget.unit_row IS 'internal: one session, task or step, whatever it is, as reports count it';

CREATE FUNCTION tokbudget._units_used(
    tenant_id integer, account_id bigint, unit text, since timestamp with time zone, until timestamp with time zone
) RETURNS SETOF tokbudget.unit_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    IF _units_used.unit <> 'step' THEN
        RETURN QUERY
        SELECT usage.account_id, usage.account_ids, usage.name, usage.workflow, usage.agent, NULL::text, usage.outcome, usage.started_at,
            usage.cost, usage.internal_cost, usage.input_tokens + usage.output_tokens, usage.output_tokens, usage.useful_output_tokens
        FROM tokbudget._unit_usage(_units_used.tenant_id, _units_used.account_id, _units_used.unit, _units_used.since,
            _units_used.until, '-infinity') AS usage
        -- What is left of a session whose calls have left the ledger is a correction, and no session.
        WHERE usage.steps > 0;
        RETURN;
    END IF;
    RETURN QUERY
    WITH corrected AS (
        SELECT correction.corrects_entry_id, sum(correction.cost) AS cost, sum(correction.internal_cost) AS internal_cost
        FROM tokbudget.entry AS correction
        WHERE correction.tenant_id = _units_used.tenant_id AND correction.corrects_entry_id IS NOT NULL
            AND correction.recorded_at >= _units_used.since
        GROUP BY correction.corrects_entry_id
    )
    SELECT entry.account_id, entry.account_ids[1:array_position(entry.account_ids, entry.account_id)], entry.entry_id::text,
        entry.workflow, entry.agent, entry.step, entry.outcome, entry.reserved_at,
        COALESCE(entry.cost + corrected.cost, entry.cost, corrected.cost),
        COALESCE(entry.internal_cost + corrected.internal_cost, entry.internal_cost, corrected.internal_cost),
        entry.input_tokens::numeric + entry.output_tokens, entry.output_tokens::numeric,
        tokbudget._label_count(entry.labels, 'useful_output_tokens')
    FROM tokbudget.entry
    LEFT JOIN corrected ON corrected.corrects_entry_id = entry.entry_id
    WHERE entry.tenant_id = _units_used.tenant_id AND entry.kind IN ('commit', 'charge')
        AND entry.recorded_at >= _units_used.since AND entry.recorded_at < _units_used.until
        AND array_position(entry.account_ids, _units_used.account_id) <= array_position(entry.account_ids, entry.account_id);
END;
$$;
COMMENT ON FUNCTION tokbudget._units_used(integer, bigint, text, timestamp with time zone, timestamp with time zone) IS
    'internal: sessions or tasks of the subtree that started in the period, or steps recorded in it, with their corrections whenever they came';

CREATE FUNCTION @extschema@.tb_unit_economics(
    account text,
    by text DEFAULT 'session',
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity',
    unit text DEFAULT NULL
) RETURNS SETOF tokbudget.unit_economics
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_unit_economics.account);
    counted CONSTANT text := COALESCE(tb_unit_economics.unit,
        CASE WHEN tb_unit_economics.by IN ('task', 'step') THEN tb_unit_economics.by ELSE 'session' END);
    tenant_currency text;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(tb_unit_economics.since, tb_unit_economics.until);
    IF (tb_unit_economics.by IN ('session', 'task', 'step', 'workflow', 'outcome', 'agent', 'account')) IS NOT TRUE
        OR counted NOT IN ('session', 'task', 'step') OR (tb_unit_economics.by IN ('session', 'task') AND counted <> tb_unit_economics.by)
        OR (tb_unit_economics.by = 'step' AND counted <> 'step')
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid grouping',
            DETAIL = jsonb_build_object('by', tb_unit_economics.by, 'unit', tb_unit_economics.unit)::text,
            HINT = 'by is session, task, step, workflow, outcome, agent or account; unit is session, task or step, and what by says where that is one of them.';
    END IF;
    SELECT tenant.currency INTO STRICT tenant_currency FROM tokbudget.tenant WHERE tenant.tenant_id = found_account.tenant_id;
    RETURN QUERY
    WITH one AS (
        SELECT
            CASE tb_unit_economics.by
                WHEN 'workflow' THEN used.workflow WHEN 'outcome' THEN used.outcome WHEN 'agent' THEN used.agent
                WHEN 'step' THEN used.step WHEN 'account' THEN spender.path::text END AS group_name,
            used.name, spender.path::text AS account, used.started_at, used.cost, used.internal_cost, used.tokens, used.output_tokens,
            used.useful_output_tokens, used.outcome, declared.value,
            used.outcome IS NOT NULL AND COALESCE(declared.is_success, used.outcome = 'success') AS is_success
        FROM tokbudget._units_used(found_account.tenant_id, found_account.account_id, counted, tb_unit_economics.since,
            tb_unit_economics.until) AS used
        LEFT JOIN tokbudget.account AS spender
            ON spender.tenant_id = found_account.tenant_id AND spender.account_id = used.account_id
        LEFT JOIN LATERAL (
            SELECT o.value, o.is_success FROM tokbudget.outcome_value AS o
            WHERE o.tenant_id = found_account.tenant_id AND o.outcome = used.outcome AND o.workflow IN ('', used.workflow)
                AND o.account_id = ANY (used.account_ids) AND o.valid_from <= used.started_at AND o.valid_until > used.started_at
            ORDER BY array_position(used.account_ids, o.account_id) DESC, o.workflow = '' LIMIT 1
        ) AS declared ON true
    ),
    ranked AS (
        SELECT one.*, row_number() OVER (PARTITION BY one.group_name ORDER BY one.cost DESC NULLS LAST, one.started_at, one.name) AS place
        FROM one
    ),
    folded AS (
        SELECT ranked.group_name, count(*) AS units, count(*) - count(ranked.cost) AS unpriced, sum(ranked.cost) AS cost,
            avg(ranked.cost) AS mean_cost, percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY ranked.cost) AS costs,
            max(ranked.cost) AS worst_cost,
            max(ranked.name) FILTER (WHERE ranked.place = 1 AND ranked.cost IS NOT NULL) AS worst,
            max(ranked.account) FILTER (WHERE ranked.place = 1 AND ranked.cost IS NOT NULL) AS worst_account,
            sum(ranked.tokens) AS tokens, avg(ranked.tokens) AS mean_tokens,
            percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY ranked.tokens) AS token_ranks,
            max(ranked.tokens) AS worst_tokens, count(ranked.outcome) AS outcomes,
            count(*) FILTER (WHERE ranked.is_success) AS successes, sum(ranked.value) AS value,
            sum(ranked.output_tokens) AS output_tokens, sum(ranked.useful_output_tokens) AS useful_output_tokens,
            sum(ranked.tokens) FILTER (WHERE ranked.useful_output_tokens IS NOT NULL) AS rated_tokens,
            sum(ranked.internal_cost) AS internal_cost
        FROM ranked
        GROUP BY ranked.group_name
    )
    SELECT folded.group_name, counted, folded.units, folded.unpriced, trim_scale(folded.cost), tenant_currency, trim_scale(round(folded.mean_cost, 9)),
        trim_scale(folded.costs[1]), trim_scale(folded.costs[2]), trim_scale(folded.costs[3]), trim_scale(folded.worst_cost), folded.worst, folded.worst_account,
        folded.tokens, trim_scale(round(folded.mean_tokens, 3)), folded.token_ranks[1], folded.token_ranks[2], folded.token_ranks[3],
        folded.worst_tokens, folded.outcomes, folded.successes, tokbudget._percent_of(folded.successes, folded.outcomes),
        trim_scale(round(folded.cost / NULLIF(folded.successes, 0), 9)),
        folded.value, trim_scale(folded.value - COALESCE(folded.cost, 0)),
        CASE WHEN folded.value > 0 THEN tokbudget._percent_of(folded.value - COALESCE(folded.cost, 0), folded.value) END,
        tokbudget._percent_of(folded.output_tokens, folded.tokens), tokbudget._percent_of(folded.useful_output_tokens, folded.rated_tokens),
        trim_scale(folded.internal_cost)
    FROM folded
    ORDER BY folded.cost DESC NULLS LAST, folded.group_name;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_unit_economics(text, text, timestamp with time zone, timestamp with time zone, text) IS
    'what a unit of work below the account costs: count, mean, percentiles and the worst, cost per success, and margin against the declared value of outcomes. by session, task or step gives the units of that kind (step: single calls, grouped by attribute step); by workflow, outcome, agent or account groups units, which are sessions unless unit says task or step. Sessions and tasks count in the period in which they started, with all that they ever cost, and belong to one account: the same name in another is another one. Steps count in the period in which they were recorded. Raises TB002 for an unknown account, TB008 for an invalid grouping or period, 42501 for a role that may not read the account';
