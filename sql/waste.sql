-- Waste: what was paid for and brought nothing. It is told by attributes that the application sets: retry_count; the labels tool_status
-- (error, failed, timeout), query_hash (of what was looked up) and prompt_hash (of what was sent); and outcome.

CREATE TYPE tokbudget.waste AS (
    kind text,
    count bigint,
    tokens numeric,
    cost numeric,
    currency text,
    share_percent numeric,
    held_tokens numeric,
    held_cost numeric,
    hint text
);
COMMENT ON TYPE tokbudget.waste IS 'one kind of waste, as tb_waste shows it; a call may be waste in several ways, so the kinds do not add up';
COMMENT ON COLUMN tokbudget.waste.kind IS 'retry, failed_tool_call, repeated_retrieval, abandoned_session, expired_hold, missed_cache, uncached_history or overrun';
COMMENT ON COLUMN tokbudget.waste.count IS 'calls, tool calls, sessions or holds';
COMMENT ON COLUMN tokbudget.waste.tokens IS 'tokens that went into it: of missed_cache and uncached_history the input that a cache would have read, of overrun those beyond the hold, 0 for an expired hold';
COMMENT ON COLUMN tokbudget.waste.cost IS 'what it cost, in currency units, corrections in the period included: of missed_cache and uncached_history what a cache would have saved at the price of the call where that has one for cache_read, of overrun the cost beyond the hold, 0 for an expired hold';
COMMENT ON COLUMN tokbudget.waste.currency IS 'currency of the costs, ISO 4217';
COMMENT ON COLUMN tokbudget.waste.share_percent IS 'cost in per cent of all cost of the period; NULL where that is nothing';
COMMENT ON COLUMN tokbudget.waste.held_tokens IS 'tokens that expired holds kept from others; NULL for other kinds';
COMMENT ON COLUMN tokbudget.waste.held_cost IS 'cost that expired holds kept from others, in currency units; NULL for other kinds';
COMMENT ON COLUMN tokbudget.waste.hint IS 'what may be done about it';

CREATE FUNCTION tokbudget._waste(
    tenant_id integer, account_id bigint, since timestamp with time zone, until timestamp with time zone, idle interval,
    cache_lifetime interval
) RETURNS SETOF tokbudget.waste
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    present CONSTANT timestamp with time zone := tokbudget._now();
BEGIN
    RETURN QUERY
    WITH used AS MATERIALIZED (
        SELECT entry.kind, entry.entry_id, entry.corrects_entry_id, entry.reservation_id, entry.account_id, entry.recorded_at,
            entry.kind IN ('commit', 'charge') AS is_call, entry.provider, entry.request_model, entry.price_id, entry.session,
            entry.retry_count > 0 AS is_retry, entry.overrun, tokbudget._is_failed_tool(entry.labels) AS is_failed,
            tokbudget._tool_calls(entry.operation, entry.meters) AS tool_calls,
            entry.labels ->> 'query_hash' AS query_hash, entry.labels ->> 'prompt_hash' AS prompt_hash,
            entry.input_tokens, entry.output_tokens - entry.reasoning_output_tokens AS answer_tokens,
            entry.cache_read_input_tokens AS cached, entry.input_tokens::numeric + entry.output_tokens AS tokens, entry.cost,
            entry.usage_details -> 'held' AS held
        FROM tokbudget.entry
        WHERE entry.tenant_id = _waste.tenant_id AND entry.recorded_at >= _waste.since AND entry.recorded_at < _waste.until
            AND array_position(entry.account_ids, _waste.account_id) <= array_position(entry.account_ids, entry.account_id)
            AND entry.kind <> 'transfer'
    ),
    repeated AS (
        SELECT look_up.entry_id FROM (
            SELECT used.entry_id,
                row_number() OVER (PARTITION BY used.account_id, used.session, used.query_hash ORDER BY used.recorded_at, used.entry_id) AS place
            FROM used WHERE used.is_call AND used.session IS NOT NULL AND used.query_hash IS NOT NULL
        ) AS look_up
        WHERE look_up.place > 1
    ),
    missed AS (
        SELECT prompt.entry_id, prompt.price_id, prompt.input_tokens AS tokens FROM (
            SELECT used.entry_id, used.price_id, used.input_tokens, used.cached,
                used.recorded_at - lag(used.recorded_at) OVER (
                    PARTITION BY used.provider, used.request_model, used.prompt_hash ORDER BY used.recorded_at, used.entry_id) AS since_last
            FROM used WHERE used.is_call AND used.prompt_hash IS NOT NULL AND used.input_tokens > 0
        ) AS prompt
        WHERE prompt.cached = 0 AND prompt.since_last <= _waste.cache_lifetime
    ),
    history AS (
        SELECT step.entry_id, step.price_id, LEAST(step.input_tokens, step.sent_before) AS tokens FROM (
            SELECT used.entry_id, used.price_id, used.input_tokens, used.cached,
                used.recorded_at - lag(used.recorded_at) OVER steps AS since_last,
                -- What the model was sent, and said, in the step before.
                lag(used.input_tokens + used.answer_tokens) OVER steps AS sent_before
            FROM used WHERE used.is_call AND used.session IS NOT NULL AND used.input_tokens > 0
            WINDOW steps AS (
                PARTITION BY used.account_id, used.session, used.provider, used.request_model ORDER BY used.recorded_at, used.entry_id)
        ) AS step
        -- Providers cache no shorter beginnings than these: https://platform.openai.com/docs/guides/prompt-caching
        WHERE step.cached = 0 AND step.since_last <= _waste.cache_lifetime AND LEAST(step.input_tokens, step.sent_before) >= 1024
            AND NOT EXISTS (SELECT FROM missed WHERE missed.entry_id = step.entry_id)
    ),
    uncached AS (
        SELECT lost.kind, lost.tokens,
            -- Per 1,000,000 tokens.
            (price.unit_prices ->> 'input')::numeric - (price.unit_prices ->> 'cache_read')::numeric AS saving
        FROM (
            SELECT 'missed_cache' AS kind, missed.price_id, missed.tokens FROM missed
            UNION ALL SELECT 'uncached_history', history.price_id, history.tokens FROM history
        ) AS lost
        LEFT JOIN tokbudget.price ON price.price_id = lost.price_id
    ),
    session AS (
        SELECT usage.workflow, usage.outcome, usage.last_at, usage.input_tokens + usage.output_tokens AS tokens, usage.cost,
            bool_or(usage.outcome IS NOT NULL) OVER (PARTITION BY usage.workflow) AS has_outcomes
        FROM tokbudget._unit_usage(_waste.tenant_id, _waste.account_id, 'session', _waste.since, _waste.until, '-infinity') AS usage
        WHERE usage.steps > 0
    ),
    found AS (
        SELECT 'retry' AS kind, count(*) FILTER (WHERE used.is_call) AS count, sum(used.tokens) AS tokens, sum(used.cost) AS cost,
            NULL::numeric AS held_tokens, NULL::numeric AS held_cost
        FROM used WHERE used.is_retry AND used.kind <> 'expire'
        UNION ALL
        SELECT 'failed_tool_call', COALESCE(sum(GREATEST(used.tool_calls, 1)) FILTER (WHERE used.is_call), 0)::bigint, sum(used.tokens), sum(used.cost), NULL, NULL
        FROM used WHERE used.is_failed AND used.kind <> 'expire'
        UNION ALL
        SELECT 'repeated_retrieval', count(*) FILTER (WHERE used.is_call), sum(used.tokens), sum(used.cost), NULL, NULL
        FROM used JOIN repeated ON repeated.entry_id = COALESCE(used.corrects_entry_id, used.entry_id)
        UNION ALL
        SELECT 'abandoned_session', count(*), sum(session.tokens), sum(session.cost), NULL, NULL
        FROM session
        WHERE session.outcome = 'abandoned'
            OR (session.outcome IS NULL AND session.has_outcomes AND session.last_at <= present - _waste.idle)
        UNION ALL
        SELECT 'expired_hold', count(*), 0, 0, COALESCE(sum((used.held ->> 'tokens')::numeric), 0), COALESCE(sum((used.held ->> 'cost')::numeric), 0)
        FROM used WHERE used.kind = 'expire'
        UNION ALL
        SELECT missed.kind, count(uncached.kind), sum(uncached.tokens), trim_scale(round(sum(uncached.tokens * uncached.saving) / 1000000, 9)), NULL, NULL
        FROM (VALUES ('missed_cache'), ('uncached_history')) AS missed (kind) LEFT JOIN uncached ON uncached.kind = missed.kind
        GROUP BY missed.kind
        UNION ALL
        SELECT 'overrun', count(*), sum(GREATEST(used.tokens - (reservation.held ->> 'tokens')::numeric, 0)),
            sum(GREATEST(used.cost - (reservation.held ->> 'cost')::numeric, 0)), NULL, NULL
        FROM used
        LEFT JOIN tokbudget.reservation
            ON reservation.tenant_id = _waste.tenant_id AND reservation.reservation_id = used.reservation_id
        WHERE used.overrun AND used.is_call
    ),
    total AS (SELECT sum(used.cost) AS cost FROM used)
    SELECT found.kind, found.count, COALESCE(found.tokens, 0), COALESCE(trim_scale(found.cost), 0), tenant.currency,
        tokbudget._percent_of(COALESCE(found.cost, 0), total.cost), found.held_tokens, found.held_cost, advice.hint
    FROM (VALUES
        (1, 'retry', 'See what fails first: retry less often, with a pause, and not after a refusal.'),
        (2, 'failed_tool_call', 'Check the arguments before the call; tell the model what the tool accepts.'),
        (3, 'repeated_retrieval', 'Keep what was retrieved for the rest of the session.'),
        (4, 'abandoned_session', 'Stop a session that leads nowhere sooner: a budget or a quota per session.'),
        (5, 'expired_hold', 'Release a hold when its call fails, or give it a shorter ttl; meanwhile it keeps others out.'),
        (6, 'missed_cache', 'The same prompt came again while a cache would have had it: put what is fixed first, and ask the provider to cache it.'),
        (7, 'uncached_history', 'The history was sent again at full price: use the provider''s prompt cache for it.'),
        (8, 'overrun', 'More was used than was held: pass max_output_tokens to the provider, and count the whole prompt.')
    ) AS advice (place, kind, hint)
    JOIN found ON found.kind = advice.kind
    CROSS JOIN total
    JOIN tokbudget.tenant ON tenant.tenant_id = _waste.tenant_id
    ORDER BY advice.place;
END;
$$;
COMMENT ON FUNCTION tokbudget._waste(integer, bigint, timestamp with time zone, timestamp with time zone, interval, interval) IS 'internal: tb_waste';

CREATE FUNCTION tokbudget._require_waste_options(idle interval, cache_lifetime interval) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF (idle BETWEEN interval '0' AND interval '100 years' AND cache_lifetime BETWEEN interval '0' AND interval '100 years') IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid interval',
            DETAIL = jsonb_build_object('idle', idle, 'cache_lifetime', cache_lifetime)::text,
            HINT = 'idle and cache_lifetime are intervals from nothing to a hundred years, such as ''1 day'' and ''5 minutes''.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_waste_options(interval, interval) IS 'internal: raises TB008 for intervals that tb_waste cannot use';

CREATE FUNCTION @extschema@.tb_waste(
    account text,
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity',
    idle interval DEFAULT '1 day',
    cache_lifetime interval DEFAULT '5 minutes'
) RETURNS SETOF tokbudget.waste
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_waste.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(tb_waste.since, tb_waste.until);
    PERFORM tokbudget._require_waste_options(tb_waste.idle, tb_waste.cache_lifetime);
    RETURN QUERY SELECT waste.* FROM tokbudget._waste(found_account.tenant_id, found_account.account_id, tb_waste.since, tb_waste.until,
        tb_waste.idle, tb_waste.cache_lifetime) AS waste;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_waste(text, timestamp with time zone, timestamp with time zone, interval, interval) IS
    'what was wasted below the account in the period, a row for each kind, also where there was none. retry: calls with a retry_count above zero. failed_tool_call: tool calls whose label tool_status is error, failed or timeout. repeated_retrieval: calls with a query_hash that the session had before in the period. abandoned_session: sessions started in the period with the outcome abandoned, or with none and no call for idle, where others of the workflow have one. expired_hold: holds that nobody settled. missed_cache: the same prompt_hash to the same model again within cache_lifetime, and nothing read from a cache. uncached_history: a session''s next call to the same model within cache_lifetime that read nothing from a cache, though 1024 tokens or more of its input had been sent or said before. overrun: calls that used more than was held. Raises TB002 for an unknown account, TB008 for an invalid period or interval, 42501 for a role that may not read the account';
