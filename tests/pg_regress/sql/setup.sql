-- The extension, and what the other files use to show results without ids.
CREATE EXTENSION tokbudget;

-- Runs a statement that must be refused and shows what the client is told.
CREATE FUNCTION refused(statement text, OUT code text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    detail := regexp_replace(detail, '"budget": \d+', '"budget": "?"', 'g');
END;
$$;

-- The same, only the code: for lists of bad arguments.
CREATE FUNCTION code_of(statement text) RETURNS text
LANGUAGE sql AS $$ SELECT coalesce(code, message) FROM refused(statement) $$;

-- Every balance below a tenant, in the units of the SQL surface.
CREATE FUNCTION balances(tenant_name text)
RETURNS TABLE (account text, meter text, every text, amount numeric, window_start timestamptz, spent numeric, held numeric)
LANGUAGE sql AS $$
    SELECT a.path, b.meter, b.every, b.amount, x.window_start,
           trim_scale(x.spent_units / u.nanos), trim_scale(x.held_units / u.nanos)
    FROM tokbudget.tenant t
    JOIN tokbudget.account a USING (tenant_id)
    JOIN tokbudget.budget b USING (tenant_id, account_id)
    JOIN tokbudget._balances() x USING (tenant_id, budget_id)
    CROSS JOIN LATERAL (SELECT CASE WHEN b.meter IN ('cost', 'internal_cost') THEN 1e9 ELSE 1 END AS nanos) u
    WHERE t.name = tenant_name
    ORDER BY a.path, b.meter, b.budget_id, x.window_start
$$;

-- The reservation, without what differs from run to run.
CREATE FUNCTION reserve(
    account text, tokens bigint, also text[] DEFAULT '{}', ttl interval DEFAULT '10 minutes',
    OUT reservation uuid, OUT remaining jsonb)
LANGUAGE sql AS $$
    SELECT reservation, remaining FROM tb_reserve(account, input_tokens => tokens, also => also, ttl => ttl)
$$;
SELECT extname, extversion FROM pg_extension WHERE extname = 'tokbudget';
