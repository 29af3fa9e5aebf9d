-- What new entries add to sessions and tasks.

-- Without a search_path of its own, as the two below, so that the planner sees through to the index on written_by.
CREATE FUNCTION tokbudget._session_parts(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.session_usage
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    -- First what one call after the other says alike, so that little is left to be put in order.
    SELECT piece.tenant_id, piece.account_id, part.unit, tokbudget._unit_name(part.name), piece.own_ids,
        (pg_catalog.array_agg(piece.workflow ORDER BY piece.started_at, piece.workflow) FILTER (WHERE piece.workflow IS NOT NULL))[1],
        pg_catalog.min(piece.started_at) FILTER (WHERE piece.workflow IS NOT NULL),
        (pg_catalog.array_agg(piece.task ORDER BY piece.started_at, piece.task) FILTER (WHERE piece.task IS NOT NULL))[1],
        pg_catalog.min(piece.started_at) FILTER (WHERE piece.task IS NOT NULL),
        (pg_catalog.array_agg(piece.agent ORDER BY piece.started_at, piece.agent) FILTER (WHERE piece.agent IS NOT NULL))[1],
        pg_catalog.min(piece.started_at) FILTER (WHERE piece.agent IS NOT NULL),
        (pg_catalog.array_agg(piece.outcome ORDER BY piece.recorded_at DESC, piece.outcome DESC) FILTER (WHERE piece.outcome IS NOT NULL))[1],
        pg_catalog.max(piece.recorded_at) FILTER (WHERE piece.outcome IS NOT NULL),
        pg_catalog.min(piece.started_at), pg_catalog.max(piece.last_at), pg_catalog.sum(piece.steps)::pg_catalog.int8,
        pg_catalog.sum(piece.retries)::pg_catalog.int8, pg_catalog.max(piece.max_input_tokens), pg_catalog.sum(piece.requests),
        pg_catalog.sum(piece.input_tokens), pg_catalog.sum(piece.cache_read_input_tokens), pg_catalog.sum(piece.cache_write_input_tokens),
        pg_catalog.sum(piece.output_tokens), pg_catalog.sum(piece.reasoning_output_tokens), pg_catalog.sum(piece.useful_output_tokens),
        pg_catalog.sum(piece.tool_calls), pg_catalog.sum(piece.failed_tool_calls), pg_catalog.sum(piece.cost),
        pg_catalog.sum(piece.internal_cost), pg_catalog.date_trunc('hour', pg_catalog.max(piece.last_at), 'UTC')
    FROM (
        SELECT entry.tenant_id, entry.account_id,
            COALESCE(entry.account_ids[1:pg_catalog.array_position(entry.account_ids, entry.account_id)], '{}') AS own_ids,
            entry.session, entry.task, entry.workflow, entry.agent, CASE WHEN call.is_one THEN entry.outcome END AS outcome,
            pg_catalog.min(entry.reserved_at) AS started_at,
            pg_catalog.max(entry.recorded_at) FILTER (WHERE call.is_one) AS recorded_at,
            -- A correction has the instant of reservation of what it corrects, which is no later than its last instant.
            pg_catalog.max(CASE WHEN call.is_one THEN GREATEST(entry.recorded_at, entry.reserved_at) ELSE entry.reserved_at END) AS last_at,
            pg_catalog.count(*) FILTER (WHERE call.is_one) AS steps,
            pg_catalog.count(*) FILTER (WHERE call.is_one AND entry.retry_count OPERATOR(pg_catalog.>) 0) AS retries,
            pg_catalog.max(entry.input_tokens) AS max_input_tokens,
            pg_catalog.sum(entry.requests) AS requests,
            pg_catalog.sum(entry.input_tokens) AS input_tokens,
            pg_catalog.sum(entry.cache_read_input_tokens) AS cache_read_input_tokens,
            pg_catalog.sum(entry.cache_write_input_tokens) AS cache_write_input_tokens,
            pg_catalog.sum(entry.output_tokens) AS output_tokens,
            pg_catalog.sum(entry.reasoning_output_tokens) AS reasoning_output_tokens,
            pg_catalog.sum(tokbudget._label_count(entry.labels, 'useful_output_tokens')) FILTER (WHERE call.is_one) AS useful_output_tokens,
            COALESCE(pg_catalog.sum(tokbudget._tool_calls(entry.operation, entry.meters)) FILTER (WHERE call.is_one), 0) AS tool_calls,
            COALESCE(pg_catalog.sum(tokbudget._tool_calls(entry.operation, entry.meters))
                FILTER (WHERE call.is_one AND tokbudget._is_failed_tool(entry.labels)), 0) AS failed_tool_calls,
            pg_catalog.sum(entry.cost) AS cost,
            pg_catalog.sum(entry.internal_cost) AS internal_cost
        FROM tokbudget._entries_since(after, after_own, until) AS entry
        CROSS JOIN LATERAL (SELECT entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['commit', 'charge']) AS is_one) AS call
        WHERE entry.kind OPERATOR(pg_catalog.<>) ALL (ARRAY['expire', 'transfer'])
            AND (entry.session OPERATOR(pg_catalog.<>) '' OR entry.task OPERATOR(pg_catalog.<>) '')
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ) AS piece
    CROSS JOIN LATERAL (VALUES ('session', piece.session), ('task', piece.task)) AS part (unit, name)
    WHERE part.name OPERATOR(pg_catalog.<>) ''
    GROUP BY 1, 2, 3, 4, 5
$$;
COMMENT ON FUNCTION tokbudget._session_parts(pg_snapshot, xid8, pg_snapshot) IS
    'internal: what the entries that _entries_since brings add to each session and task';

-- Without a search_path of its own, like those above. kept is NULL where there is none yet.
CREATE FUNCTION tokbudget._merged_session(kept tokbudget.session_usage, part tokbudget.session_usage) RETURNS SETOF tokbudget.session_usage
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT (part).tenant_id, (part).account_id, (part).unit, (part).name, (part).account_ids,
        CASE WHEN (kept).workflow_at IS NULL OR ROW((part).workflow_at, (part).workflow) OPERATOR(pg_catalog.<) ROW((kept).workflow_at, (kept).workflow)
            THEN (part).workflow ELSE (kept).workflow END,
        LEAST((part).workflow_at, (kept).workflow_at),
        CASE WHEN (kept).task_at IS NULL OR ROW((part).task_at, (part).task) OPERATOR(pg_catalog.<) ROW((kept).task_at, (kept).task)
            THEN (part).task ELSE (kept).task END,
        LEAST((part).task_at, (kept).task_at),
        CASE WHEN (kept).agent_at IS NULL OR ROW((part).agent_at, (part).agent) OPERATOR(pg_catalog.<) ROW((kept).agent_at, (kept).agent)
            THEN (part).agent ELSE (kept).agent END,
        LEAST((part).agent_at, (kept).agent_at),
        CASE WHEN (kept).outcome_at IS NULL OR ROW((part).outcome_at, (part).outcome) OPERATOR(pg_catalog.>) ROW((kept).outcome_at, (kept).outcome)
            THEN (part).outcome ELSE (kept).outcome END,
        GREATEST((part).outcome_at, (kept).outcome_at),
        LEAST((part).started_at, (kept).started_at),
        GREATEST((part).last_at, (kept).last_at),
        (part).steps OPERATOR(pg_catalog.+) COALESCE((kept).steps, 0),
        (part).retries OPERATOR(pg_catalog.+) COALESCE((kept).retries, 0),
        GREATEST((part).max_input_tokens, (kept).max_input_tokens),
        (part).requests OPERATOR(pg_catalog.+) COALESCE((kept).requests, 0),
        (part).input_tokens OPERATOR(pg_catalog.+) COALESCE((kept).input_tokens, 0),
        (part).cache_read_input_tokens OPERATOR(pg_catalog.+) COALESCE((kept).cache_read_input_tokens, 0),
        (part).cache_write_input_tokens OPERATOR(pg_catalog.+) COALESCE((kept).cache_write_input_tokens, 0),
        (part).output_tokens OPERATOR(pg_catalog.+) COALESCE((kept).output_tokens, 0),
        (part).reasoning_output_tokens OPERATOR(pg_catalog.+) COALESCE((kept).reasoning_output_tokens, 0),
        COALESCE((part).useful_output_tokens OPERATOR(pg_catalog.+) (kept).useful_output_tokens, (part).useful_output_tokens, (kept).useful_output_tokens),
        (part).tool_calls OPERATOR(pg_catalog.+) COALESCE((kept).tool_calls, 0),
        (part).failed_tool_calls OPERATOR(pg_catalog.+) COALESCE((kept).failed_tool_calls, 0),
        COALESCE((part).cost OPERATOR(pg_catalog.+) (kept).cost, (part).cost, (kept).cost),
        COALESCE((part).internal_cost OPERATOR(pg_catalog.+) (kept).internal_cost, (part).internal_cost, (kept).internal_cost),
        GREATEST((part).last_hour, (kept).last_hour)
$$;
COMMENT ON FUNCTION tokbudget._merged_session(tokbudget.session_usage, tokbudget.session_usage) IS
    'internal: a session or task with what a part adds to it';

CREATE FUNCTION tokbudget._changed_sessions(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS SETOF tokbudget.session_usage
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT merged.*
    FROM tokbudget._session_parts(after, after_own, until) AS part
    LEFT JOIN tokbudget.session_usage AS kept
        ON kept.tenant_id OPERATOR(pg_catalog.=) part.tenant_id AND kept.account_id OPERATOR(pg_catalog.=) part.account_id
        AND kept.unit OPERATOR(pg_catalog.=) part.unit AND kept.name OPERATOR(pg_catalog.=) part.name
        AND kept.account_ids OPERATOR(pg_catalog.=) part.account_ids
    CROSS JOIN LATERAL tokbudget._merged_session(kept, part) AS merged
$$;
COMMENT ON FUNCTION tokbudget._changed_sessions(pg_snapshot, xid8, pg_snapshot) IS
    'internal: the sessions and tasks that the entries that _entries_since brings belong to, as they are with these entries';

CREATE FUNCTION tokbudget._refresh_session_usage(after pg_snapshot, after_own xid8, until pg_snapshot) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    -- As in tokbudget._usage_facts.
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    SET work_mem = '64MB'
    AS $$
BEGIN
    -- Whoever refreshes holds the lock of the roll-ups, so nobody changes a row between its reading and its writing.
    -- Without a look at the rows before: the planner, which may know little of a table that grows fast, would look for them by
    -- the wrong index.
    INSERT INTO tokbudget.session_usage AS kept
    SELECT part.* FROM tokbudget._session_parts(after, after_own, until) AS part
    ON CONFLICT ON CONSTRAINT session_usage_pkey DO UPDATE SET (
        workflow, workflow_at, task, task_at, agent, agent_at, outcome, outcome_at, started_at, last_at, steps,
        retries, max_input_tokens, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens,
        output_tokens, reasoning_output_tokens, useful_output_tokens, tool_calls, failed_tool_calls, cost,
        internal_cost, last_hour
    ) = (
        SELECT merged.workflow, merged.workflow_at, merged.task, merged.task_at, merged.agent, merged.agent_at, merged.outcome,
            merged.outcome_at, merged.started_at, merged.last_at, merged.steps, merged.retries,
            merged.max_input_tokens, merged.requests, merged.input_tokens, merged.cache_read_input_tokens,
            merged.cache_write_input_tokens, merged.output_tokens, merged.reasoning_output_tokens,
            merged.useful_output_tokens, merged.tool_calls, merged.failed_tool_calls, merged.cost,
            merged.internal_cost, merged.last_hour
        FROM tokbudget._merged_session(kept, EXCLUDED) AS merged
    );
END;
$$;
COMMENT ON FUNCTION tokbudget._refresh_session_usage(pg_snapshot, xid8, pg_snapshot) IS
    'internal: adds the entries that _entries_since brings to session_usage; the caller holds the lock of the roll-ups';

CREATE FUNCTION tokbudget._forget_session_usage() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    state record;
    departed_until CONSTANT timestamp with time zone := COALESCE(
        (SELECT max(timezone('UTC', departed_month.month + interval '1 month')) FROM tokbudget.departed_month), '-infinity');
BEGIN
    SELECT * INTO state FROM tokbudget._covered();
    DELETE FROM tokbudget.session_usage WHERE session_usage.started_at >= departed_until;
    -- What may reach into a month that has left the ledger keeps that part: only what the ledger still has, and the roll-up covers,
    -- is taken out of the sums. Instants, names and maxima are the same however often an entry is added.
    UPDATE tokbudget.session_usage AS kept SET
        steps = kept.steps - present.steps, retries = kept.retries - present.retries, requests = kept.requests - present.requests,
        input_tokens = kept.input_tokens - present.input_tokens,
        cache_read_input_tokens = kept.cache_read_input_tokens - present.cache_read_input_tokens,
        cache_write_input_tokens = kept.cache_write_input_tokens - present.cache_write_input_tokens,
        output_tokens = kept.output_tokens - present.output_tokens,
        reasoning_output_tokens = kept.reasoning_output_tokens - present.reasoning_output_tokens,
        useful_output_tokens = kept.useful_output_tokens - COALESCE(present.useful_output_tokens, 0),
        tool_calls = kept.tool_calls - present.tool_calls, failed_tool_calls = kept.failed_tool_calls - present.failed_tool_calls,
        cost = kept.cost - COALESCE(present.cost, 0), internal_cost = kept.internal_cost - COALESCE(present.internal_cost, 0)
    FROM (
        SELECT part.tenant_id, part.account_id, part.unit, part.name, part.account_ids,
            sum(part.steps * sign) AS steps, sum(part.retries * sign) AS retries, sum(part.requests * sign) AS requests,
            sum(part.input_tokens * sign) AS input_tokens, sum(part.cache_read_input_tokens * sign) AS cache_read_input_tokens,
            sum(part.cache_write_input_tokens * sign) AS cache_write_input_tokens, sum(part.output_tokens * sign) AS output_tokens,
            sum(part.reasoning_output_tokens * sign) AS reasoning_output_tokens,
            sum(part.useful_output_tokens * sign) AS useful_output_tokens, sum(part.tool_calls * sign) AS tool_calls,
            sum(part.failed_tool_calls * sign) AS failed_tool_calls, sum(part.cost * sign) AS cost,
            sum(part.internal_cost * sign) AS internal_cost
        FROM (
            SELECT 1 AS sign, p.* FROM tokbudget._session_parts('1:1:', '0', NULL) AS p
            UNION ALL
            SELECT -1, p.* FROM tokbudget._session_parts(state.covered, state.taken_by, NULL) AS p
        ) AS part
        GROUP BY part.tenant_id, part.account_id, part.unit, part.name, part.account_ids
    ) AS present
    WHERE kept.tenant_id = present.tenant_id AND kept.account_id = present.account_id AND kept.unit = present.unit
        AND kept.name = present.name AND kept.account_ids = present.account_ids;
END;
$$;
COMMENT ON FUNCTION tokbudget._forget_session_usage() IS
    'internal: takes out of session_usage all that the ledger still has and the roll-ups cover; the caller holds the lock of the roll-ups';
