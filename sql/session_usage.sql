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
    -- An account that was moved amid a session has a row for what it spent on either path.
    CONSTRAINT session_usage_pkey PRIMARY KEY (tenant_id, account_id, unit, name, account_ids),
    CONSTRAINT session_usage_unit_check CHECK (unit OPERATOR(pg_catalog.=) ANY (ARRAY['session', 'task']))
);
CREATE INDEX session_usage_started_at_idx ON tokbudget.session_usage (tenant_id, unit, started_at);
CREATE INDEX session_usage_last_at_idx ON tokbudget.session_usage (tenant_id, unit, last_at);
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

-- Without a search_path of its own, as the two below, so that the planner sees through to the index on written_by.
CREATE FUNCTION tokbudget._session_parts(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.session_usage
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT entry.tenant_id, entry.account_id, part.unit,
        CASE WHEN pg_catalog.octet_length(part.name) OPERATOR(pg_catalog.>) 1000
            THEN pg_catalog.left(part.name, 200) OPERATOR(pg_catalog.||) '~' OPERATOR(pg_catalog.||) pg_catalog.md5(part.name)
            ELSE part.name END,
        COALESCE(entry.account_ids[1:pg_catalog.array_position(entry.account_ids, entry.account_id)], '{}'),
        (pg_catalog.array_agg(entry.workflow ORDER BY entry.reserved_at, entry.workflow) FILTER (WHERE entry.workflow IS NOT NULL))[1],
        pg_catalog.min(entry.reserved_at) FILTER (WHERE entry.workflow IS NOT NULL),
        (pg_catalog.array_agg(entry.task ORDER BY entry.reserved_at, entry.task) FILTER (WHERE entry.task IS NOT NULL))[1],
        pg_catalog.min(entry.reserved_at) FILTER (WHERE entry.task IS NOT NULL),
        (pg_catalog.array_agg(entry.agent ORDER BY entry.reserved_at, entry.agent) FILTER (WHERE entry.agent IS NOT NULL))[1],
        pg_catalog.min(entry.reserved_at) FILTER (WHERE entry.agent IS NOT NULL),
        (pg_catalog.array_agg(entry.outcome ORDER BY entry.recorded_at DESC, entry.outcome DESC)
            FILTER (WHERE call.is_one AND entry.outcome IS NOT NULL))[1],
        pg_catalog.max(entry.recorded_at) FILTER (WHERE call.is_one AND entry.outcome IS NOT NULL),
        pg_catalog.min(entry.reserved_at),
        -- A correction has the instant of reservation of what it corrects, which is no later than its last instant.
        pg_catalog.max(CASE WHEN call.is_one THEN GREATEST(entry.recorded_at, entry.reserved_at) ELSE entry.reserved_at END),
        pg_catalog.count(*) FILTER (WHERE call.is_one),
        pg_catalog.count(*) FILTER (WHERE call.is_one AND entry.retry_count OPERATOR(pg_catalog.>) 0),
        pg_catalog.max(entry.input_tokens),
        pg_catalog.sum(entry.requests),
        pg_catalog.sum(entry.input_tokens),
        pg_catalog.sum(entry.cache_read_input_tokens),
        pg_catalog.sum(entry.cache_write_input_tokens),
        pg_catalog.sum(entry.output_tokens),
        pg_catalog.sum(entry.reasoning_output_tokens),
        pg_catalog.sum(tokbudget._label_count(entry.labels, 'useful_output_tokens')) FILTER (WHERE call.is_one),
        COALESCE(pg_catalog.sum(tokbudget._tool_calls(entry.operation, entry.meters)) FILTER (WHERE call.is_one), 0),
        COALESCE(pg_catalog.sum(tokbudget._tool_calls(entry.operation, entry.meters))
            FILTER (WHERE call.is_one AND tokbudget._is_failed_tool(entry.labels)), 0),
        pg_catalog.sum(entry.cost),
        pg_catalog.sum(entry.internal_cost)
    FROM tokbudget._entries_since(after, after_own, until) AS entry
    CROSS JOIN LATERAL (VALUES ('session', entry.session), ('task', entry.task)) AS part (unit, name)
    CROSS JOIN LATERAL (SELECT entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['commit', 'charge']) AS is_one) AS call
    WHERE part.name OPERATOR(pg_catalog.<>) '' AND entry.kind OPERATOR(pg_catalog.<>) ALL (ARRAY['expire', 'transfer'])
    GROUP BY 1, 2, 3, 4, 5
$$;
COMMENT ON FUNCTION tokbudget._session_parts(pg_snapshot, xid8, pg_snapshot) IS
    'internal: what the entries that _entries_since brings add to each session and task';

CREATE FUNCTION tokbudget._changed_sessions(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.session_usage
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT part.tenant_id, part.account_id, part.unit, part.name, part.account_ids,
        CASE WHEN kept.workflow_at IS NULL OR ROW(part.workflow_at, part.workflow) OPERATOR(pg_catalog.<) ROW(kept.workflow_at, kept.workflow)
            THEN part.workflow ELSE kept.workflow END,
        LEAST(part.workflow_at, kept.workflow_at),
        CASE WHEN kept.task_at IS NULL OR ROW(part.task_at, part.task) OPERATOR(pg_catalog.<) ROW(kept.task_at, kept.task)
            THEN part.task ELSE kept.task END,
        LEAST(part.task_at, kept.task_at),
        CASE WHEN kept.agent_at IS NULL OR ROW(part.agent_at, part.agent) OPERATOR(pg_catalog.<) ROW(kept.agent_at, kept.agent)
            THEN part.agent ELSE kept.agent END,
        LEAST(part.agent_at, kept.agent_at),
        CASE WHEN kept.outcome_at IS NULL OR ROW(part.outcome_at, part.outcome) OPERATOR(pg_catalog.>) ROW(kept.outcome_at, kept.outcome)
            THEN part.outcome ELSE kept.outcome END,
        GREATEST(part.outcome_at, kept.outcome_at),
        LEAST(part.started_at, kept.started_at),
        GREATEST(part.last_at, kept.last_at),
        part.steps OPERATOR(pg_catalog.+) COALESCE(kept.steps, 0),
        part.retries OPERATOR(pg_catalog.+) COALESCE(kept.retries, 0),
        GREATEST(part.max_input_tokens, kept.max_input_tokens),
        part.requests OPERATOR(pg_catalog.+) COALESCE(kept.requests, 0),
        part.input_tokens OPERATOR(pg_catalog.+) COALESCE(kept.input_tokens, 0),
        part.cache_read_input_tokens OPERATOR(pg_catalog.+) COALESCE(kept.cache_read_input_tokens, 0),
        part.cache_write_input_tokens OPERATOR(pg_catalog.+) COALESCE(kept.cache_write_input_tokens, 0),
        part.output_tokens OPERATOR(pg_catalog.+) COALESCE(kept.output_tokens, 0),
        part.reasoning_output_tokens OPERATOR(pg_catalog.+) COALESCE(kept.reasoning_output_tokens, 0),
        COALESCE(part.useful_output_tokens OPERATOR(pg_catalog.+) kept.useful_output_tokens, part.useful_output_tokens, kept.useful_output_tokens),
        part.tool_calls OPERATOR(pg_catalog.+) COALESCE(kept.tool_calls, 0),
        part.failed_tool_calls OPERATOR(pg_catalog.+) COALESCE(kept.failed_tool_calls, 0),
        COALESCE(part.cost OPERATOR(pg_catalog.+) kept.cost, part.cost, kept.cost),
        COALESCE(part.internal_cost OPERATOR(pg_catalog.+) kept.internal_cost, part.internal_cost, kept.internal_cost)
    FROM tokbudget._session_parts(after, after_own, until) AS part
    LEFT JOIN tokbudget.session_usage AS kept
        ON kept.tenant_id OPERATOR(pg_catalog.=) part.tenant_id AND kept.account_id OPERATOR(pg_catalog.=) part.account_id
        AND kept.unit OPERATOR(pg_catalog.=) part.unit AND kept.name OPERATOR(pg_catalog.=) part.name
        AND kept.account_ids OPERATOR(pg_catalog.=) part.account_ids
$$;
COMMENT ON FUNCTION tokbudget._changed_sessions(pg_snapshot, xid8, pg_snapshot) IS
    'internal: the sessions and tasks that the entries that _entries_since brings belong to, as they are with these entries';

CREATE FUNCTION tokbudget._refresh_session_usage(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    SET enable_seqscan = off
    SET work_mem = '64MB'
    AS $$
BEGIN
    -- Whoever refreshes holds the lock of the roll-ups, so nobody changes a row between its reading and its writing.
    INSERT INTO tokbudget.session_usage AS kept
    SELECT changed.* FROM tokbudget._changed_sessions(after, after_own, until) AS changed
    ON CONFLICT ON CONSTRAINT session_usage_pkey DO UPDATE SET
        workflow = EXCLUDED.workflow, workflow_at = EXCLUDED.workflow_at, task = EXCLUDED.task, task_at = EXCLUDED.task_at,
        agent = EXCLUDED.agent, agent_at = EXCLUDED.agent_at, outcome = EXCLUDED.outcome, outcome_at = EXCLUDED.outcome_at,
        started_at = EXCLUDED.started_at, last_at = EXCLUDED.last_at, steps = EXCLUDED.steps, retries = EXCLUDED.retries,
        max_input_tokens = EXCLUDED.max_input_tokens, requests = EXCLUDED.requests, input_tokens = EXCLUDED.input_tokens,
        cache_read_input_tokens = EXCLUDED.cache_read_input_tokens,
        cache_write_input_tokens = EXCLUDED.cache_write_input_tokens, output_tokens = EXCLUDED.output_tokens,
        reasoning_output_tokens = EXCLUDED.reasoning_output_tokens, useful_output_tokens = EXCLUDED.useful_output_tokens,
        tool_calls = EXCLUDED.tool_calls, failed_tool_calls = EXCLUDED.failed_tool_calls, cost = EXCLUDED.cost,
        internal_cost = EXCLUDED.internal_cost;
END;
$$;
COMMENT ON FUNCTION tokbudget._refresh_session_usage(pg_snapshot, xid8, pg_snapshot) IS
    'internal: adds the entries that _entries_since brings to session_usage; the caller holds the lock of the roll-ups';

CREATE FUNCTION tokbudget._unit_usage(
    tenant_id integer, account_id bigint, unit text, started_since timestamp with time zone, started_until timestamp with time zone,
    active_since timestamp with time zone
) RETURNS SETOF tokbudget.session_usage
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    -- The planner cannot know how few entries the roll-up has not seen.
    SET jit = off
    SET enable_seqscan = off
    AS $$
#variable_conflict use_column
DECLARE
    state record;
BEGIN
    SELECT covered.covered, covered.taken_by INTO state FROM tokbudget._covered() AS covered;
    RETURN QUERY
    WITH changed AS MATERIALIZED (
        SELECT c.* FROM tokbudget._changed_sessions(state.covered, state.taken_by, NULL) AS c
        WHERE c.tenant_id = _unit_usage.tenant_id AND c.unit = _unit_usage.unit
            AND c.account_ids @> ARRAY[_unit_usage.account_id]
    )
    SELECT kept.* FROM tokbudget.session_usage AS kept
    WHERE kept.tenant_id = _unit_usage.tenant_id AND kept.unit = _unit_usage.unit
        AND kept.account_ids @> ARRAY[_unit_usage.account_id]
        AND kept.started_at >= _unit_usage.started_since AND kept.started_at < _unit_usage.started_until
        AND kept.last_at >= _unit_usage.active_since
        AND NOT EXISTS (
            SELECT FROM changed
            WHERE changed.account_id = kept.account_id AND changed.name = kept.name AND changed.account_ids = kept.account_ids
        )
    UNION ALL
    SELECT changed.* FROM changed
    WHERE changed.started_at >= _unit_usage.started_since AND changed.started_at < _unit_usage.started_until
        AND changed.last_at >= _unit_usage.active_since;
END;
$$;
COMMENT ON FUNCTION tokbudget._unit_usage(integer, bigint, text, timestamp with time zone, timestamp with time zone, timestamp with time zone) IS
    'internal: the sessions, or tasks, of the subtree that started in a period and were active at or after an instant, live and exact: the roll-up with what the ledger has had since';

CREATE FUNCTION tokbudget._sessions(tenant_id integer, account_id bigint, since timestamp with time zone)
    RETURNS TABLE (
        tenant_id integer, account_id bigint, account_ids bigint[], session text, workflow text, task text, agent text, currency text,
        started_at timestamp with time zone, last_at timestamp with time zone, steps bigint, requests numeric, input_tokens numeric,
        cache_read_input_tokens numeric, cache_write_input_tokens numeric, output_tokens numeric, reasoning_output_tokens numeric,
        useful_output_tokens numeric, cost numeric, internal_cost numeric, retries bigint, tool_calls numeric,
        failed_tool_calls numeric, max_input_tokens bigint, outcome text, outcome_at timestamp with time zone
    )
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT usage.tenant_id, usage.account_id, usage.account_ids, usage.name, usage.workflow, usage.task, usage.agent,
        (SELECT tenant.currency FROM tokbudget.tenant WHERE tenant.tenant_id = $1),
        usage.started_at, usage.last_at, usage.steps, usage.requests, usage.input_tokens, usage.cache_read_input_tokens,
        usage.cache_write_input_tokens, usage.output_tokens, usage.reasoning_output_tokens, usage.useful_output_tokens,
        usage.cost, usage.internal_cost, usage.retries, usage.tool_calls, usage.failed_tool_calls, usage.max_input_tokens,
        usage.outcome, usage.outcome_at
    FROM tokbudget._unit_usage($1, $2, 'session', '-infinity', 'infinity', $3) AS usage
$$;
COMMENT ON FUNCTION tokbudget._sessions(integer, bigint, timestamp with time zone) IS
    'internal: the sessions of the subtree that were active at or after since, with all that they ever used, live and exact';

CREATE FUNCTION tokbudget._require_span(since timestamp with time zone, until timestamp with time zone) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF (since < until) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid period',
            DETAIL = jsonb_build_object('since', since, 'until', until)::text,
            HINT = 'A period goes from since up to, and without, until, which is later. Leave them out for all there is.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_span(timestamp with time zone, timestamp with time zone) IS
    'internal: raises TB008 for a period without beginning, end or length';

CREATE FUNCTION tokbudget._percent_of(part numeric, whole numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT trim_scale(round(part * 100 / NULLIF(whole, 0), 4)) $$;
COMMENT ON FUNCTION tokbudget._percent_of(numeric, numeric) IS 'internal: part in per cent of whole with at most four decimals; NULL of nothing';
