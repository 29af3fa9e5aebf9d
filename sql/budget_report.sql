-- Budget beside actual: every budget with the window in which an instant lies.

CREATE TYPE tokbudget.budget_report_row AS (
    account text,
    cost_center text,
    budget bigint,
    meter text,
    every text,
    window_start timestamp with time zone,
    window_end timestamp with time zone,
    amount numeric,
    carried numeric,
    spent numeric,
    granted numeric,
    remaining numeric,
    used_percent numeric,
    elapsed_percent numeric,
    expected numeric,
    hard boolean,
    state text
);
COMMENT ON TYPE tokbudget.budget_report_row IS 'a budget beside what was spent of it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.budget_report_row.account IS 'path of the account that it limits';
COMMENT ON COLUMN tokbudget.budget_report_row.cost_center IS 'where the spend of that account is charged; NULL for where that of the account above is';
COMMENT ON COLUMN tokbudget.budget_report_row.budget IS 'id of the budget';
COMMENT ON COLUMN tokbudget.budget_report_row.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.budget_report_row.every IS 'window; NULL for one without end';
COMMENT ON COLUMN tokbudget.budget_report_row.window_start IS 'start of the window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.budget_report_row.window_end IS 'end of the window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.budget_report_row.amount IS 'limit of a window, without what was carried over';
COMMENT ON COLUMN tokbudget.budget_report_row.carried IS 'what the window got from the one before';
COMMENT ON COLUMN tokbudget.budget_report_row.spent IS 'used in the window';
COMMENT ON COLUMN tokbudget.budget_report_row.granted IS 'the part of it that grants bore';
COMMENT ON COLUMN tokbudget.budget_report_row.remaining IS 'amount and carried less what was spent beside grants; negative after an overrun';
COMMENT ON COLUMN tokbudget.budget_report_row.used_percent IS 'spent as a part of amount and carried, per cent, at most four decimals; NULL when those are zero';
COMMENT ON COLUMN tokbudget.budget_report_row.elapsed_percent IS 'part of the window that had passed at the instant, or now where the instant lies ahead, per cent, at most four decimals; NULL where there is but one window';
COMMENT ON COLUMN tokbudget.budget_report_row.expected IS 'what would be spent at the end of the window at the pace of the window so far, at most nine decimals; NULL where there is but one window or none of it has passed. tb_forecast knows the seasons';
COMMENT ON COLUMN tokbudget.budget_report_row.hard IS 'whether it refuses';
COMMENT ON COLUMN tokbudget.budget_report_row.state IS 'idle (nothing spent), within, ahead (spent faster than the window passes), exhausted (nothing left)';

CREATE FUNCTION @extschema@.tb_budget_report(account text, at timestamp with time zone DEFAULT NULL) RETURNS SETOF tokbudget.budget_report_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_budget_report.account);
    instant CONSTANT timestamp with time zone := COALESCE(tb_budget_report.at, tokbudget._now());
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF NOT isfinite(instant) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid instant',
            DETAIL = jsonb_build_object('at', instant)::text, HINT = 'Pass an instant, such as now() - interval ''1 month''.';
    END IF;
    RETURN QUERY
    WITH line AS (
        SELECT below.path, below.cost_center, b.*, own.window_start, own.window_end,
            COALESCE(tokbudget._amount(b.meter, balance.carried_units), 0) AS carried,
            COALESCE(tokbudget._amount(b.meter, balance.spent_units), 0) AS spent,
            COALESCE(tokbudget._amount(b.meter, LEAST(balance.granted_units, balance.spent_units)), 0) AS granted,
            100 * EXTRACT(epoch FROM LEAST(instant, tokbudget._now()) - own.window_start)
                / NULLIF(EXTRACT(epoch FROM own.window_end - own.window_start), 0) AS elapsed_percent
        FROM tokbudget.account AS below
        JOIN tokbudget.budget AS b ON b.tenant_id = below.tenant_id AND b.account_id = below.account_id AND b.status = 'active'
        CROSS JOIN LATERAL (
            SELECT found.window_start, found.window_end
            FROM @extschema@.tb_window(b.every, instant, b.time_zone, b.week_start, b.anchor) AS found
            WHERE b.every IS NOT NULL
            UNION ALL
            SELECT NULL, NULL WHERE b.every IS NULL
        ) AS own
        LEFT JOIN tokbudget._balances() AS balance ON balance.tenant_id = b.tenant_id AND balance.budget_id = b.budget_id
            AND balance.window_start = COALESCE(own.window_start, '-infinity')
        WHERE below.tenant_id = found_account.tenant_id
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
    )
    SELECT line.path::text, line.cost_center, line.budget_id, line.meter, line.every, line.window_start, line.window_end, line.amount,
        line.carried, line.spent, line.granted, line.amount + line.carried - line.spent + line.granted,
        tokbudget._percent_of(line.spent, line.amount + line.carried), trim_scale(round(line.elapsed_percent, 4)),
        trim_scale(round(100 * line.spent / NULLIF(line.elapsed_percent, 0), 9)), line.hard,
        CASE WHEN line.spent = 0 THEN 'idle'
            WHEN line.spent - line.granted >= line.amount + line.carried THEN 'exhausted'
            WHEN 100 * line.spent > line.elapsed_percent * (line.amount + line.carried) THEN 'ahead'
            ELSE 'within'
        END
    FROM line
    ORDER BY string_to_array(line.path, '/'), line.meter, line.budget_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_budget_report(text, timestamp with time zone) IS
    'the active budgets of the account and of all below it beside what was spent of them, in the window in which an instant lies, by default the present one; budgets of which nothing was spent are shown too. Raises TB002 for an unknown account, TB008 for a malformed path or an infinite instant, 42501 for a role that may not read the account';
