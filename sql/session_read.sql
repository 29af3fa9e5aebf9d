-- Reading sessions and tasks: the roll-up, with what the ledger has had since.

CREATE FUNCTION tokbudget._unit_usage(
    tenant_id integer, account_id bigint, unit text, started_since timestamp with time zone, started_until timestamp with time zone,
    active_since timestamp with time zone, name text DEFAULT NULL
) RETURNS SETOF tokbudget.session_usage
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    -- The planner cannot know how few entries the roll-up has not seen.
    SET jit = off
    SET enable_seqscan = off
    SET max_parallel_workers_per_gather = 0
    SET plan_cache_mode = force_custom_plan
    SET work_mem = '64MB'
    AS $$
#variable_conflict use_column
DECLARE
    state record;
BEGIN
    SELECT covered.covered, covered.taken_by INTO state FROM tokbudget._covered() AS covered;
    IF NOT tokbudget._is_uncovered(state.covered, state.taken_by) THEN
        RETURN QUERY
        -- last_hour says no more than last_at, and has the index.
        SELECT kept.* FROM tokbudget.session_usage AS kept
        WHERE kept.tenant_id = _unit_usage.tenant_id AND kept.unit = _unit_usage.unit
            AND kept.account_ids @> ARRAY[_unit_usage.account_id] AND (_unit_usage.name IS NULL OR kept.name = _unit_usage.name)
            AND kept.started_at >= _unit_usage.started_since AND kept.started_at < _unit_usage.started_until
            AND kept.last_at >= _unit_usage.active_since
            AND kept.last_hour >= date_trunc('hour', _unit_usage.active_since, 'UTC');
        RETURN;
    END IF;
    RETURN QUERY
    WITH changed AS MATERIALIZED (
        SELECT c.* FROM tokbudget._changed_sessions(state.covered, state.taken_by, NULL) AS c
        WHERE c.tenant_id = _unit_usage.tenant_id AND c.unit = _unit_usage.unit
            AND c.account_ids @> ARRAY[_unit_usage.account_id] AND (_unit_usage.name IS NULL OR c.name = _unit_usage.name)
    )
    SELECT kept.* FROM tokbudget.session_usage AS kept
    WHERE kept.tenant_id = _unit_usage.tenant_id AND kept.unit = _unit_usage.unit
        AND kept.account_ids @> ARRAY[_unit_usage.account_id] AND (_unit_usage.name IS NULL OR kept.name = _unit_usage.name)
        AND kept.started_at >= _unit_usage.started_since AND kept.started_at < _unit_usage.started_until
        AND kept.last_at >= _unit_usage.active_since
        AND kept.last_hour >= date_trunc('hour', _unit_usage.active_since, 'UTC')
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
COMMENT ON FUNCTION tokbudget._unit_usage(integer, bigint, text, timestamp with time zone, timestamp with time zone, timestamp with time zone, text) IS
    'internal: the sessions, or tasks, of that name or of any, of the subtree that started in a period and were active at or after an instant, live and exact: the roll-up with what the ledger has had since';

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
