-- Budgets as people read them: what they are, and what became of each of their windows.

CREATE TYPE tokbudget.budget_info AS (
    budget bigint,
    account text,
    meter text,
    amount numeric,
    every text,
    time_zone text,
    week_start text,
    anchor timestamp with time zone,
    hard boolean,
    burst numeric,
    thresholds integer[],
    freeze_at integer,
    rollover text,
    rollover_cap numeric,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    status text,
    quota bigint,
    created_at timestamp with time zone
);
COMMENT ON TYPE tokbudget.budget_info IS 'a budget as tb_budgets shows it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.budget_info.budget IS 'id of the budget';
COMMENT ON COLUMN tokbudget.budget_info.account IS 'path of the account that it limits';
COMMENT ON COLUMN tokbudget.budget_info.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.budget_info.amount IS 'limit per window';
COMMENT ON COLUMN tokbudget.budget_info.every IS 'window; NULL for one without end';
COMMENT ON COLUMN tokbudget.budget_info.time_zone IS 'IANA zone in which the calendar is read';
COMMENT ON COLUMN tokbudget.budget_info.week_start IS 'weekday on which a week begins';
COMMENT ON COLUMN tokbudget.budget_info.anchor IS 'instant from which intervals are counted';
COMMENT ON COLUMN tokbudget.budget_info.hard IS 'whether it refuses';
COMMENT ON COLUMN tokbudget.budget_info.burst IS 'how far above the limit a window may go';
COMMENT ON COLUMN tokbudget.budget_info.thresholds IS 'per cents of the limit at which an alert is written once a window';
COMMENT ON COLUMN tokbudget.budget_info.freeze_at IS 'per cent of the limit at which the account is frozen';
COMMENT ON COLUMN tokbudget.budget_info.rollover IS 'what a window gets of what the one before left: none, all or capped';
COMMENT ON COLUMN tokbudget.budget_info.rollover_cap IS 'most that is carried over, where rollover is capped';
COMMENT ON COLUMN tokbudget.budget_info.valid_from IS 'first instant at which it is checked; NULL for always';
COMMENT ON COLUMN tokbudget.budget_info.valid_until IS 'first instant at which it is no longer checked; NULL for never';
COMMENT ON COLUMN tokbudget.budget_info.status IS 'active, or closed and no longer checked';
COMMENT ON COLUMN tokbudget.budget_info.quota IS 'quota that it was given by';
COMMENT ON COLUMN tokbudget.budget_info.created_at IS 'when it was made';

CREATE FUNCTION @extschema@.tb_budgets(account text) RETURNS SETOF tokbudget.budget_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_budgets.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    RETURN QUERY
        SELECT b.budget_id, below.path, b.meter, b.amount, b.every, b.time_zone, b.week_start, b.anchor, b.hard, b.burst,
            b.thresholds_percent, b.freeze_at_percent, b.rollover, b.rollover_cap, b.valid_from, b.valid_until, b.status, b.quota_id, b.created_at
        FROM tokbudget.budget AS b
        JOIN tokbudget.account AS below ON below.tenant_id = b.tenant_id AND below.account_id = b.account_id
        WHERE b.tenant_id = found_account.tenant_id
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        ORDER BY below.path, b.meter, b.budget_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_budgets(text) IS
    'the budgets of the account and of all below it, closed ones too. Raises TB002 for an unknown account, TB008 for a malformed path, 42501 for a role that may not read it';

CREATE TYPE tokbudget.window_info AS (
    budget bigint,
    account text,
    meter text,
    window_start timestamp with time zone,
    spent numeric,
    held numeric,
    granted numeric,
    carried numeric
);
COMMENT ON TYPE tokbudget.window_info IS 'a window of a budget as tb_windows shows it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.window_info.budget IS 'id of the budget';
COMMENT ON COLUMN tokbudget.window_info.account IS 'path of the account that it limits';
COMMENT ON COLUMN tokbudget.window_info.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.window_info.window_start IS 'start of the window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.window_info.spent IS 'used in the window';
COMMENT ON COLUMN tokbudget.window_info.held IS 'still held in it, by holds that have expired and not been swept too';
COMMENT ON COLUMN tokbudget.window_info.granted IS 'the part of both that grants bore';
COMMENT ON COLUMN tokbudget.window_info.carried IS 'what it got from the window before';

CREATE FUNCTION @extschema@.tb_windows(account text, since timestamp with time zone DEFAULT '-infinity') RETURNS SETOF tokbudget.window_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_windows.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF tb_windows.since IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid since',
            DETAIL = jsonb_build_object('since', NULL)::text, HINT = 'Pass an instant, such as now() - interval ''1 day''.';
    END IF;
    RETURN QUERY
        SELECT b.budget_id, below.path, b.meter, NULLIF(balance.window_start, '-infinity'), tokbudget._amount(b.meter, balance.spent_units),
            tokbudget._amount(b.meter, balance.held_units), tokbudget._amount(b.meter, balance.granted_units), tokbudget._amount(b.meter, COALESCE(balance.carried_units, 0))
        FROM tokbudget.budget AS b
        JOIN tokbudget.account AS below ON below.tenant_id = b.tenant_id AND below.account_id = b.account_id
        JOIN tokbudget._balances() AS balance ON balance.tenant_id = b.tenant_id AND balance.budget_id = b.budget_id
        WHERE b.tenant_id = found_account.tenant_id AND balance.window_start >= tb_windows.since
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        ORDER BY below.path, b.meter, b.budget_id, balance.window_start DESC;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_windows(text, timestamp with time zone) IS
    'every window that was used of the budgets of the account and of all below it, those that began since then, newest first for each budget; closed windows stay readable for good. Raises TB002 for an unknown account, TB008 for a malformed path, 42501 for a role that may not read it';
