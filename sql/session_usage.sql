-- What each session and each task used, additive over the ledger: entries may be added in any order and in any portions, late
-- commits and corrections of months past included, and the row is always what one aggregate over all of them gives. Duration,
-- steps, retries, tool calls and the outcome are those of the calls; a correction adds to the costs alone.

CREATE TABLE tokbudget.session_usage (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    unit text NOT NULL,
    name text NOT NULL,
    account_ids bigint[] NOT NULL,
    workflow text,
    workflow_at timestamp with time zone,
    task text,
    task_at timestamp with time zone,
    agent text,
    agent_at timestamp with time zone,
    outcome text,
    outcome_at timestamp with time zone,
    started_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    steps bigint NOT NULL,
    retries bigint NOT NULL,
    max_input_tokens bigint NOT NULL,
    requests numeric NOT NULL,
    input_tokens numeric NOT NULL,
    cache_read_input_tokens numeric NOT NULL,
    cache_write_input_tokens numeric NOT NULL,
    output_tokens numeric NOT NULL,
    reasoning_output_tokens numeric NOT NULL,
    useful_output_tokens numeric,
    tool_calls numeric NOT NULL,
    failed_tool_calls numeric NOT NULL,
    cost numeric,
    internal_cost numeric,
    last_hour timestamp with time zone NOT NULL,
    -- An account that was moved amid a session has a row for what it spent on either path.
    CONSTRAINT session_usage_pkey PRIMARY KEY (tenant_id, unit, name, account_id, account_ids),
    CONSTRAINT session_usage_unit_check CHECK (unit OPERATOR(pg_catalog.=) ANY (ARRAY['session', 'task']))
) WITH (fillfactor = 80);
CREATE INDEX session_usage_started_at_idx ON tokbudget.session_usage (tenant_id, unit, started_at);
-- By the hour, because a row whose indexed columns stay the same is changed in its place.
CREATE INDEX session_usage_last_hour_idx ON tokbudget.session_usage (tenant_id, unit, last_hour);
COMMENT ON TABLE tokbudget.session_usage IS 'what each session and each task used, as far as the roll-ups cover the ledger; derived, rebuilt from the ledger';
COMMENT ON COLUMN tokbudget.session_usage.tenant_id IS 'tenant that spent';
COMMENT ON COLUMN tokbudget.session_usage.account_id IS 'account that spent; the same name in another account is another session';
COMMENT ON COLUMN tokbudget.session_usage.unit IS 'session or task';
COMMENT ON COLUMN tokbudget.session_usage.name IS 'attribute session, or task; one of more than 1000 bytes is cut to 200 characters and its MD5';
COMMENT ON COLUMN tokbudget.session_usage.account_ids IS 'path of the account when it spent, root first';
COMMENT ON COLUMN tokbudget.session_usage.workflow IS 'workflow that its first call to name one named';
COMMENT ON COLUMN tokbudget.session_usage.workflow_at IS 'when that call was reserved';
COMMENT ON COLUMN tokbudget.session_usage.task IS 'task that its first call to name one named';
COMMENT ON COLUMN tokbudget.session_usage.task_at IS 'when that call was reserved';
COMMENT ON COLUMN tokbudget.session_usage.agent IS 'agent that its first call to name one named';
COMMENT ON COLUMN tokbudget.session_usage.agent_at IS 'when that call was reserved';
COMMENT ON COLUMN tokbudget.session_usage.outcome IS 'outcome that its last call to name one named';
COMMENT ON COLUMN tokbudget.session_usage.outcome_at IS 'when that call was recorded';
COMMENT ON COLUMN tokbudget.session_usage.started_at IS 'when its first call was reserved';
COMMENT ON COLUMN tokbudget.session_usage.last_at IS 'when its last call was recorded; corrections do not prolong it';
COMMENT ON COLUMN tokbudget.session_usage.steps IS 'commits and charges';
COMMENT ON COLUMN tokbudget.session_usage.retries IS 'commits and charges that had been tried before';
COMMENT ON COLUMN tokbudget.session_usage.max_input_tokens IS 'input tokens of its largest call';
COMMENT ON COLUMN tokbudget.session_usage.requests IS 'calls of a model';
COMMENT ON COLUMN tokbudget.session_usage.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.session_usage.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.session_usage.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.session_usage.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.session_usage.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.session_usage.useful_output_tokens IS 'output tokens that the application called useful, label useful_output_tokens; NULL where it said nothing';
COMMENT ON COLUMN tokbudget.session_usage.tool_calls IS 'meter tool_calls, or one for an entry with operation execute_tool that has no such meter';
COMMENT ON COLUMN tokbudget.session_usage.failed_tool_calls IS 'the part of tool_calls whose label tool_status is error, failed or timeout';
COMMENT ON COLUMN tokbudget.session_usage.cost IS 'cost in currency units, corrections included; NULL where nothing had a price';
COMMENT ON COLUMN tokbudget.session_usage.internal_cost IS 'what the account is charged, in currency units, corrections included; NULL where nothing had a price';
COMMENT ON COLUMN tokbudget.session_usage.last_hour IS 'hour, UTC, in which its last call was recorded';

-- A name is part of an index key, which must stay well below a third of a page, and attributes may be of any length.
CREATE FUNCTION tokbudget._unit_name(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN pg_catalog.octet_length(name) OPERATOR(pg_catalog.>) 1000
        THEN pg_catalog.left(name, 200) OPERATOR(pg_catalog.||) '~' OPERATOR(pg_catalog.||) pg_catalog.md5(name)
        ELSE name END
$$;
COMMENT ON FUNCTION tokbudget._unit_name(text) IS 'internal: the attribute session or task as session_usage has it';

CREATE FUNCTION tokbudget._label_count(labels jsonb, label text) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN (labels OPERATOR(pg_catalog.->>) label) OPERATOR(pg_catalog.~) '^[0-9]{1,15}$'
        THEN (labels OPERATOR(pg_catalog.->>) label)::pg_catalog.numeric END
$$;
COMMENT ON FUNCTION tokbudget._label_count(jsonb, text) IS 'internal: a label that is a whole number of at most 15 digits; NULL for anything else';

CREATE FUNCTION tokbudget._tool_calls(operation text, meters jsonb) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT COALESCE(tokbudget._label_count(meters, 'tool_calls'),
        CASE WHEN operation OPERATOR(pg_catalog.=) 'execute_tool' THEN 1::pg_catalog.numeric ELSE 0::pg_catalog.numeric END)
$$;
COMMENT ON FUNCTION tokbudget._tool_calls(text, jsonb) IS 'internal: how many tool calls an entry stands for';

CREATE FUNCTION tokbudget._is_failed_tool(labels jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT COALESCE(pg_catalog.lower(labels OPERATOR(pg_catalog.->>) 'tool_status')
        OPERATOR(pg_catalog.=) ANY (ARRAY['error', 'failed', 'timeout']), false)
$$;
COMMENT ON FUNCTION tokbudget._is_failed_tool(jsonb) IS 'internal: whether the label tool_status says that a tool failed';
