-- Context windows: how much of each call of a session is history sent again, how much is new, and how it grows. What was sent and
-- said in the step before comes again as history, reasoning left out, which providers do not send again; the rest is new. Where the
-- input shrank, it was summarised or cut, and all of it counts as history.

CREATE FUNCTION tokbudget._context_tokens(provider text, model text, price_id bigint) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The price knows the canonical name of a model that was asked for under another one.
    SELECT model.context_tokens FROM tokbudget.model
    LEFT JOIN tokbudget.price ON price.price_id = $3
    WHERE (model.provider, model.model) IN (($1, $2), (price.provider, price.model)) AND model.context_tokens IS NOT NULL
    ORDER BY model.model = $2 DESC, array_position(ARRAY['user', 'import', 'book'], model.origin) LIMIT 1
$$;
COMMENT ON FUNCTION tokbudget._context_tokens(text, text, bigint) IS 'internal: most input tokens that a model takes, NULL where the catalogue does not say';

CREATE TYPE tokbudget.context_row AS (
    account_id bigint,
    session text,
    step_number bigint,
    entry_id uuid,
    recorded_at timestamp with time zone,
    provider text,
    model text,
    price_id bigint,
    input_tokens bigint,
    output_tokens bigint,
    previous_input_tokens bigint,
    new_input_tokens bigint
);
COMMENT ON TYPE tokbudget.context_row IS 'internal: a call of a session beside the one before';

CREATE FUNCTION tokbudget._context(tenant_id integer, account_id bigint, session text, since timestamp with time zone, until timestamp with time zone)
    RETURNS SETOF tokbudget.context_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    -- The sessions say which part of the ledger to read: it has no index by session.
    WITH chosen AS MATERIALIZED (
        SELECT usage.account_id, usage.name, min(usage.started_at) AS first_at, max(usage.last_at) AS last_at
        FROM tokbudget._unit_usage(_context.tenant_id, _context.account_id, 'session', _context.since, _context.until, '-infinity',
            tokbudget._unit_name(_context.session)) AS usage
        GROUP BY usage.account_id, usage.name
    ),
    step AS (
        SELECT entry.*, row_number() OVER steps AS step_number, lag(entry.input_tokens) OVER steps AS previous_input,
            lag(entry.input_tokens + entry.output_tokens - entry.reasoning_output_tokens) OVER steps AS sent_before
        FROM tokbudget.entry
        JOIN chosen ON chosen.account_id = entry.account_id AND chosen.name = tokbudget._unit_name(entry.session)
        WHERE entry.tenant_id = _context.tenant_id AND entry.kind IN ('commit', 'charge')
            AND entry.recorded_at >= (SELECT min(chosen.first_at) FROM chosen)
            AND entry.recorded_at <= (SELECT max(chosen.last_at) FROM chosen)
            AND array_position(entry.account_ids, _context.account_id) <= array_position(entry.account_ids, entry.account_id)
            -- Not a call of a tool.
            AND entry.input_tokens + entry.output_tokens > 0
        WINDOW steps AS (PARTITION BY entry.account_id, entry.session ORDER BY entry.reserved_at, entry.recorded_at, entry.entry_id)
    )
    SELECT step.account_id, step.session, step.step_number, step.entry_id, step.recorded_at, step.provider, step.request_model, step.price_id,
        step.input_tokens, step.output_tokens, step.previous_input, GREATEST(step.input_tokens - COALESCE(step.sent_before, 0), 0)
    FROM step;
END;
$$;
COMMENT ON FUNCTION tokbudget._context(integer, bigint, text, timestamp with time zone, timestamp with time zone) IS
    'internal: the calls of a session, or of all that started in the period, in their order';

CREATE TYPE tokbudget.context_step AS (
    step_number bigint,
    entry uuid,
    account text,
    recorded_at timestamp with time zone,
    model text,
    input_tokens bigint,
    history_tokens bigint,
    new_input_tokens bigint,
    output_tokens bigint,
    history_percent numeric,
    new_input_percent numeric,
    output_percent numeric,
    growth_tokens bigint,
    growth_percent numeric,
    context_tokens bigint,
    context_percent numeric,
    cumulative_tokens numeric
);
COMMENT ON TYPE tokbudget.context_step IS 'a call of a session, as tb_context shows it';
COMMENT ON COLUMN tokbudget.context_step.step_number IS 'place among the calls of the session with tokens, from 1';
COMMENT ON COLUMN tokbudget.context_step.entry IS 'id of its entry';
COMMENT ON COLUMN tokbudget.context_step.account IS 'account that spent';
COMMENT ON COLUMN tokbudget.context_step.recorded_at IS 'when it was committed';
COMMENT ON COLUMN tokbudget.context_step.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.context_step.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.context_step.history_tokens IS 'input that had been sent or said by the step before';
COMMENT ON COLUMN tokbudget.context_step.new_input_tokens IS 'input less input and output, without reasoning, of the step before; not below zero';
COMMENT ON COLUMN tokbudget.context_step.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.context_step.history_percent IS 'history in per cent of input and output';
COMMENT ON COLUMN tokbudget.context_step.new_input_percent IS 'new input in per cent of input and output';
COMMENT ON COLUMN tokbudget.context_step.output_percent IS 'output in per cent of input and output';
COMMENT ON COLUMN tokbudget.context_step.growth_tokens IS 'input less input of the step before; NULL for the first';
COMMENT ON COLUMN tokbudget.context_step.growth_percent IS 'that in per cent of the input of the step before';
COMMENT ON COLUMN tokbudget.context_step.context_tokens IS 'most input tokens that the model takes; NULL where the catalogue does not say';
COMMENT ON COLUMN tokbudget.context_step.context_percent IS 'input in per cent of that';
COMMENT ON COLUMN tokbudget.context_step.cumulative_tokens IS 'input and output of the session up to and with this step';

CREATE FUNCTION @extschema@.tb_context(account text, session text) RETURNS SETOF tokbudget.context_step
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_context.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF COALESCE(tb_context.session, '') = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid session',
            DETAIL = jsonb_build_object('session', tb_context.session)::text,
            HINT = 'Pass the attribute session of the calls.';
    END IF;
    RETURN QUERY
    SELECT step.step_number, step.entry_id, spender.path::text, step.recorded_at, step.model, step.input_tokens,
        step.input_tokens - step.new_input_tokens, step.new_input_tokens, step.output_tokens,
        tokbudget._percent_of(step.input_tokens - step.new_input_tokens, step.input_tokens::numeric + step.output_tokens),
        tokbudget._percent_of(step.new_input_tokens, step.input_tokens::numeric + step.output_tokens),
        tokbudget._percent_of(step.output_tokens, step.input_tokens::numeric + step.output_tokens),
        step.input_tokens - step.previous_input_tokens,
        tokbudget._percent_of(step.input_tokens - step.previous_input_tokens, step.previous_input_tokens),
        model.context_tokens, tokbudget._percent_of(step.input_tokens, model.context_tokens),
        sum(step.input_tokens::numeric + step.output_tokens) OVER (PARTITION BY step.account_id ORDER BY step.step_number)
    FROM tokbudget._context(found_account.tenant_id, found_account.account_id, tb_context.session, '-infinity', 'infinity') AS step
    CROSS JOIN LATERAL tokbudget._context_tokens(step.provider, step.model, step.price_id) AS model (context_tokens)
    LEFT JOIN tokbudget.account AS spender ON spender.tenant_id = found_account.tenant_id AND spender.account_id = step.account_id
    ORDER BY spender.path, step.step_number;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_context(text, text) IS
    'the calls of a session below the account, in their order: how much of each was history, new input and output, and how the input grew. Calls without tokens, such as those of tools, are left out; where several accounts have a session of that name, each is counted by itself; no rows for a session that is not known. Raises TB002 for an unknown account, TB008 for a missing session, 42501 for a role that may not read the account';
