-- Token efficiency: how much of what was paid for is output, and how much of that was of use. Tokens of two models are not the
-- same length, so models are compared by what a call, and what a useful token, costs.

CREATE TYPE tokbudget.token_efficiency AS (
    name text,
    provider text,
    requests numeric,
    input_tokens numeric,
    output_tokens numeric,
    reasoning_output_tokens numeric,
    useful_output_tokens numeric,
    output_percent numeric,
    answer_percent numeric,
    useful_percent numeric,
    cache_read_percent numeric,
    tokens_per_request numeric,
    cost numeric,
    currency text,
    cost_per_request numeric,
    cost_per_1000_output_tokens numeric,
    cost_per_1000_useful_tokens numeric
);
COMMENT ON TYPE tokbudget.token_efficiency IS 'what the tokens of one model, workflow or agent brought, as tb_token_efficiency shows it; costs in currency units with at most nine decimals';
COMMENT ON COLUMN tokbudget.token_efficiency.name IS 'model, workflow, agent, operation or account; NULL for calls that named none';
COMMENT ON COLUMN tokbudget.token_efficiency.provider IS 'who sold the tokens, by model; NULL otherwise';
COMMENT ON COLUMN tokbudget.token_efficiency.requests IS 'calls';
COMMENT ON COLUMN tokbudget.token_efficiency.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.token_efficiency.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.token_efficiency.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.token_efficiency.useful_output_tokens IS 'output tokens that the application called useful, label useful_output_tokens; NULL where it said nothing';
COMMENT ON COLUMN tokbudget.token_efficiency.output_percent IS 'output tokens in per cent of all tokens';
COMMENT ON COLUMN tokbudget.token_efficiency.answer_percent IS 'output tokens without reasoning in per cent of all tokens';
COMMENT ON COLUMN tokbudget.token_efficiency.useful_percent IS 'useful output tokens in per cent of all tokens of the calls for which the application said so';
COMMENT ON COLUMN tokbudget.token_efficiency.cache_read_percent IS 'input tokens read from a cache in per cent of all input tokens';
COMMENT ON COLUMN tokbudget.token_efficiency.tokens_per_request IS 'input and output tokens for each call';
COMMENT ON COLUMN tokbudget.token_efficiency.cost IS 'cost, corrections recorded in the period included; NULL where nothing had a price';
COMMENT ON COLUMN tokbudget.token_efficiency.currency IS 'currency of the costs, ISO 4217';
COMMENT ON COLUMN tokbudget.token_efficiency.cost_per_request IS 'cost for each call';
COMMENT ON COLUMN tokbudget.token_efficiency.cost_per_1000_output_tokens IS 'cost, that of the input included, for each 1000 output tokens';
COMMENT ON COLUMN tokbudget.token_efficiency.cost_per_1000_useful_tokens IS 'cost of the calls for which the application said how much was of use, for each 1000 useful output tokens';

CREATE FUNCTION @extschema@.tb_token_efficiency(
    account text,
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity',
    by text DEFAULT 'model'
) RETURNS SETOF tokbudget.token_efficiency
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_token_efficiency.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(tb_token_efficiency.since, tb_token_efficiency.until);
    IF (tb_token_efficiency.by IN ('model', 'workflow', 'agent', 'operation', 'account')) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid grouping',
            DETAIL = jsonb_build_object('by', tb_token_efficiency.by)::text,
            HINT = 'by is model, workflow, agent, operation or account.';
    END IF;
    RETURN QUERY
    WITH used AS (
        SELECT
            CASE tb_token_efficiency.by WHEN 'model' THEN entry.request_model WHEN 'workflow' THEN entry.workflow
                WHEN 'agent' THEN entry.agent WHEN 'operation' THEN entry.operation WHEN 'account' THEN spender.path::text END AS name,
            CASE tb_token_efficiency.by WHEN 'model' THEN entry.provider END AS provider,
            entry.currency, sum(entry.requests) AS requests, sum(entry.input_tokens) AS input, sum(entry.output_tokens) AS output,
            sum(entry.reasoning_output_tokens) AS reasoning, sum(entry.cache_read_input_tokens) AS cache_read, sum(entry.cost) AS cost,
            sum(useful.tokens) FILTER (WHERE entry.corrects_entry_id IS NULL) AS useful,
            sum(entry.input_tokens::numeric + entry.output_tokens) FILTER (WHERE useful.tokens IS NOT NULL) AS rated,
            sum(entry.cost) FILTER (WHERE useful.tokens IS NOT NULL) AS rated_cost
        FROM tokbudget.entry
        CROSS JOIN LATERAL (SELECT tokbudget._label_count(entry.labels, 'useful_output_tokens') AS tokens) AS useful
        LEFT JOIN tokbudget.account AS spender ON spender.tenant_id = entry.tenant_id AND spender.account_id = entry.account_id
        WHERE entry.tenant_id = found_account.tenant_id
            AND entry.recorded_at >= tb_token_efficiency.since AND entry.recorded_at < tb_token_efficiency.until
            AND array_position(entry.account_ids, found_account.account_id) <= array_position(entry.account_ids, entry.account_id)
            AND entry.kind NOT IN ('expire', 'transfer')
        GROUP BY 1, 2, 3
    )
    SELECT used.name, used.provider, used.requests, used.input, used.output, used.reasoning, used.useful,
        tokbudget._percent_of(used.output, used.input + used.output),
        tokbudget._percent_of(used.output - used.reasoning, used.input + used.output),
        tokbudget._percent_of(used.useful, used.rated), tokbudget._percent_of(used.cache_read, used.input),
        trim_scale(round((used.input + used.output) / NULLIF(used.requests, 0), 3)),
        used.cost, used.currency,
        trim_scale(round(used.cost / NULLIF(used.requests, 0), 9)),
        trim_scale(round(used.cost * 1000 / NULLIF(used.output, 0), 9)),
        trim_scale(round(used.rated_cost * 1000 / NULLIF(used.useful, 0), 9))
    FROM used
    ORDER BY used.cost DESC NULLS LAST, used.name, used.provider;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_token_efficiency(text, timestamp with time zone, timestamp with time zone, text) IS
    'what the tokens that were recorded below the account in the period brought, by model, workflow, agent, operation or account: shares of output and of useful output, cost for each call and for each 1000 tokens of output. Tokens of different models differ in length: compare models by cost_per_request and cost_per_1000_useful_tokens. Raises TB002 for an unknown account, TB008 for an invalid grouping or period, 42501 for a role that may not read the account';
