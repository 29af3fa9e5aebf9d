-- Alerts: an outbox. A row is written by the transaction that causes it, so it is there exactly if that commits.

CREATE TABLE tokbudget.alert (
    tenant_id integer NOT NULL,
    alert_id bigint NOT NULL,
    account_id bigint NOT NULL,
    budget_id bigint NOT NULL,
    window_start timestamp with time zone NOT NULL,
    kind text NOT NULL,
    percent integer NOT NULL,
    spent_units bigint NOT NULL,
    limit_units bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    CONSTRAINT alert_pkey PRIMARY KEY (tenant_id, alert_id),
    CONSTRAINT alert_once_key UNIQUE (tenant_id, budget_id, window_start, kind, percent),
    CONSTRAINT alert_kind_check CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['threshold', 'freeze', 'burst']))
);
COMMENT ON TABLE tokbudget.alert IS 'what somebody should know: once per budget, window and mark, written in the transaction that causes it';
COMMENT ON COLUMN tokbudget.alert.tenant_id IS 'tenant of the budget';
COMMENT ON COLUMN tokbudget.alert.alert_id IS 'id, unique within the tenant, ordered by time';
COMMENT ON COLUMN tokbudget.alert.account_id IS 'account of the budget';
COMMENT ON COLUMN tokbudget.alert.budget_id IS 'budget whose mark was reached';
COMMENT ON COLUMN tokbudget.alert.window_start IS 'window in which it was; -infinity for a budget without windows';
COMMENT ON COLUMN tokbudget.alert.kind IS 'threshold (the spend reached percent of the limit), freeze (so did it, and the account was frozen) or burst (a hold went beyond the limit into the burst)';
COMMENT ON COLUMN tokbudget.alert.percent IS 'mark in per cent of the limit; 0 for burst';
COMMENT ON COLUMN tokbudget.alert.spent_units IS 'spent in the window then: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.alert.limit_units IS 'limit of the window then, with what was carried over and without grants: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.alert.created_at IS 'when it was written, by the database clock';
COMMENT ON COLUMN tokbudget.alert.actor IS 'database role of the session that caused it';

CREATE TYPE tokbudget.alert_row AS (
    created_at timestamp with time zone,
    account text,
    budget bigint,
    meter text,
    kind text,
    percent integer,
    spent numeric,
    amount numeric,
    window_start timestamp with time zone
);
COMMENT ON TYPE tokbudget.alert_row IS 'an alert as tb_alerts shows it';
COMMENT ON COLUMN tokbudget.alert_row.created_at IS 'when it was caused';
COMMENT ON COLUMN tokbudget.alert_row.account IS 'path of the account of the budget';
COMMENT ON COLUMN tokbudget.alert_row.budget IS 'id of the budget';
COMMENT ON COLUMN tokbudget.alert_row.meter IS 'what the budget limits';
COMMENT ON COLUMN tokbudget.alert_row.kind IS 'threshold, freeze or burst';
COMMENT ON COLUMN tokbudget.alert_row.percent IS 'mark in per cent of the limit; 0 for burst';
COMMENT ON COLUMN tokbudget.alert_row.spent IS 'spent in the window then: currency units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.alert_row.amount IS 'limit of the window then: currency units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.alert_row.window_start IS 'start of the window; NULL where there is but one';

CREATE FUNCTION @extschema@.tb_alerts(account text, since timestamp with time zone DEFAULT '-infinity') RETURNS SETOF tokbudget.alert_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_alerts.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF tb_alerts.since IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid since',
            DETAIL = jsonb_build_object('since', NULL)::text, HINT = 'Pass an instant, such as now() - interval ''1 day''.';
    END IF;
    RETURN QUERY
        SELECT alert.created_at, below.path, alert.budget_id, budget.meter, alert.kind, alert.percent,
            tokbudget._amount(budget.meter, alert.spent_units), tokbudget._amount(budget.meter, alert.limit_units),
            NULLIF(alert.window_start, '-infinity')
        FROM tokbudget.alert
        JOIN tokbudget.account AS below ON below.tenant_id = alert.tenant_id AND below.account_id = alert.account_id
        JOIN tokbudget.budget ON budget.tenant_id = alert.tenant_id AND budget.budget_id = alert.budget_id
        WHERE alert.tenant_id = found_account.tenant_id AND alert.created_at >= tb_alerts.since
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        ORDER BY alert.created_at DESC, alert.alert_id DESC;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_alerts(text, timestamp with time zone) IS
    'alerts of the budgets of the account and of all below it since then, newest first. Raises TB002 for an unknown account, TB008 for a malformed path';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.alert', '');
