-- How contexts grow over the sessions of each workflow.

CREATE TYPE tokbudget.context_growth AS (
    workflow text,
    sessions bigint,
    steps bigint,
    mean_steps numeric,
    mean_first_input_tokens numeric,
    mean_last_input_tokens numeric,
    growth_per_step_tokens numeric,
    p90_input_tokens bigint,
    max_input_tokens bigint,
    history_percent numeric,
    new_input_percent numeric,
    output_percent numeric,
    max_context_percent numeric
);
COMMENT ON TYPE tokbudget.context_growth IS 'how contexts grow in a workflow, as tb_context_growth shows it';
COMMENT ON COLUMN tokbudget.context_growth.workflow IS 'workflow; NULL for sessions that named none';
COMMENT ON COLUMN tokbudget.context_growth.sessions IS 'sessions with calls that had tokens';
COMMENT ON COLUMN tokbudget.context_growth.steps IS 'such calls';
COMMENT ON COLUMN tokbudget.context_growth.mean_steps IS 'such calls for each session';
COMMENT ON COLUMN tokbudget.context_growth.mean_first_input_tokens IS 'mean input tokens of the first call';
COMMENT ON COLUMN tokbudget.context_growth.mean_last_input_tokens IS 'mean input tokens of the last call';
COMMENT ON COLUMN tokbudget.context_growth.growth_per_step_tokens IS 'by how much the input grew from one call to the next, mean over all calls but the first; NULL where no session had two';
COMMENT ON COLUMN tokbudget.context_growth.p90_input_tokens IS 'input tokens that at least 90 in 100 calls do not exceed, nearest rank';
COMMENT ON COLUMN tokbudget.context_growth.max_input_tokens IS 'input tokens of the largest call';
COMMENT ON COLUMN tokbudget.context_growth.history_percent IS 'history in per cent of input and output of all calls';
COMMENT ON COLUMN tokbudget.context_growth.new_input_percent IS 'new input in per cent of input and output of all calls';
COMMENT ON COLUMN tokbudget.context_growth.output_percent IS 'output in per cent of input and output of all calls';
COMMENT ON COLUMN tokbudget.context_growth.max_context_percent IS 'largest input in per cent of what its model takes; NULL where the catalogue does not say';

CREATE FUNCTION @extschema@.tb_context_growth(
    account text,
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity'
) RETURNS SETOF tokbudget.context_growth
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_context_growth.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(tb_context_growth.since, tb_context_growth.until);
    RETURN QUERY
    WITH step AS MATERIALIZED (
        SELECT c.* FROM tokbudget._context(found_account.tenant_id, found_account.account_id, NULL, tb_context_growth.since,
            tb_context_growth.until) AS c
    ),
    workflow AS (
        SELECT usage.account_id, usage.name, min(usage.workflow) AS workflow
        FROM tokbudget._unit_usage(found_account.tenant_id, found_account.account_id, 'session', tb_context_growth.since,
            tb_context_growth.until, '-infinity') AS usage
        GROUP BY usage.account_id, usage.name
    ),
    -- Few models, many calls.
    size AS (
        SELECT known.provider, known.model, known.price_id, tokbudget._context_tokens(known.provider, known.model, known.price_id) AS tokens
        FROM (SELECT DISTINCT step.provider, step.model, step.price_id FROM step) AS known
    ),
    part AS (
        SELECT workflow.workflow, step.*, size.tokens AS context_tokens,
            step.step_number = max(step.step_number) OVER (PARTITION BY step.account_id, step.session) AS is_last
        FROM step
        LEFT JOIN workflow ON workflow.account_id = step.account_id AND workflow.name = tokbudget._unit_name(step.session)
        LEFT JOIN size ON (size.provider, size.model, size.price_id) IS NOT DISTINCT FROM (step.provider, step.model, step.price_id)
    ),
    folded AS (
        SELECT part.workflow, count(*) FILTER (WHERE part.is_last) AS sessions, count(*) AS steps,
            avg(part.input_tokens) FILTER (WHERE part.step_number = 1) AS first_input, avg(part.input_tokens) FILTER (WHERE part.is_last) AS last_input,
            avg(part.input_tokens - part.previous_input_tokens) AS growth,
            percentile_disc(0.9) WITHIN GROUP (ORDER BY part.input_tokens) AS p90, max(part.input_tokens) AS most,
            sum(part.input_tokens) AS input, sum(part.new_input_tokens) AS new_input, sum(part.output_tokens) AS output,
            max(part.input_tokens::numeric / part.context_tokens) AS fullest
        FROM part GROUP BY part.workflow
    )
    SELECT folded.workflow, folded.sessions, folded.steps, trim_scale(round(folded.steps / folded.sessions::numeric, 3)),
        trim_scale(round(folded.first_input, 3)), trim_scale(round(folded.last_input, 3)), trim_scale(round(folded.growth, 3)), folded.p90,
        folded.most, tokbudget._percent_of(folded.input - folded.new_input, folded.input + folded.output),
        tokbudget._percent_of(folded.new_input, folded.input + folded.output), tokbudget._percent_of(folded.output, folded.input + folded.output),
        tokbudget._percent_of(folded.fullest, 1)
    FROM folded
    ORDER BY folded.input + folded.output DESC, folded.workflow;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_context_growth(text, timestamp with time zone, timestamp with time zone) IS
    'how the contexts of sessions that started below the account in the period grew, by workflow: shares of history, new input and output, input of the first and the last call, growth from call to call, and how full the context window got. Raises TB002 for an unknown account, TB008 for an invalid period, 42501 for a role that may not read the account';
