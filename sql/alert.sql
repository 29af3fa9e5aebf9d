-- Alerts: an outbox. A row is written by the transaction that causes it, so it is there exactly if that commits. Anomalies have no
-- budget; whoever looks for them writes those.

CREATE FUNCTION tokbudget._anomaly_subject(session text, workflow text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT md5(COALESCE('session ' || session, 'workflow ' || workflow, '')) $$;
COMMENT ON FUNCTION tokbudget._anomaly_subject(text, text) IS
    'internal: what an anomaly is about: the session, or the workflow where there is none; of a length that an index takes';

CREATE TABLE tokbudget.alert (
    tenant_id integer NOT NULL,
    alert_id bigint NOT NULL,
    account_id bigint NOT NULL,
    budget_id bigint,
    window_start timestamp with time zone NOT NULL,
    kind text NOT NULL,
    percent integer NOT NULL,
    spent_units bigint,
    limit_units bigint,
    created_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    workflow text,
    session text,
    quantity text,
    value numeric,
    baseline_median numeric,
    score numeric,
    severity text,
    reason text,
    CONSTRAINT alert_pkey PRIMARY KEY (tenant_id, alert_id),
    CONSTRAINT alert_once_key UNIQUE (tenant_id, budget_id, window_start, kind, percent),
    CONSTRAINT alert_kind_check CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['threshold', 'freeze', 'burst', 'anomaly'])),
    CONSTRAINT alert_subject_check CHECK (
        CASE WHEN kind OPERATOR(pg_catalog.=) 'anomaly' THEN budget_id IS NULL AND quantity IS NOT NULL AND severity IS NOT NULL AND reason IS NOT NULL
            ELSE budget_id IS NOT NULL AND spent_units IS NOT NULL AND limit_units IS NOT NULL END
    )
);
CREATE UNIQUE INDEX alert_anomaly_once_idx ON tokbudget.alert
    (tenant_id, account_id, tokbudget._anomaly_subject(session, workflow), window_start, quantity, severity)
    WHERE kind OPERATOR(pg_catalog.=) 'anomaly';
COMMENT ON TABLE tokbudget.alert IS 'what somebody should know: once per budget, window and mark, written in the transaction that causes it; and anomalies, once per session, quantity and severity';
COMMENT ON COLUMN tokbudget.alert.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.alert.alert_id IS 'id, unique within the tenant, ordered by time';
COMMENT ON COLUMN tokbudget.alert.account_id IS 'account of the budget; of an anomaly the account of the session, or that the spend of an hour was looked at for';
COMMENT ON COLUMN tokbudget.alert.budget_id IS 'budget whose mark was reached; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert.window_start IS 'window in which it was, or the hour whose spend is odd; -infinity for a budget without windows and for a session';
COMMENT ON COLUMN tokbudget.alert.kind IS 'threshold (the spend reached percent of the limit), freeze (so did it, and the account was frozen), burst (a hold went beyond the limit into the burst) or anomaly (a session or an hour is far above what is usual, or a session goes in circles)';
COMMENT ON COLUMN tokbudget.alert.percent IS 'mark in per cent of the limit; 0 for burst and anomaly';
COMMENT ON COLUMN tokbudget.alert.spent_units IS 'spent in the window then: nano-units for cost, counts otherwise; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert.limit_units IS 'limit of the window then, with what was carried over and without grants: nano-units for cost, counts otherwise; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert.created_at IS 'when it was written, by the database clock';
COMMENT ON COLUMN tokbudget.alert.actor IS 'database role of the session that caused it, or that noticed an anomaly';
COMMENT ON COLUMN tokbudget.alert.workflow IS 'of an anomaly: attribute workflow of the session; NULL for none';
COMMENT ON COLUMN tokbudget.alert.session IS 'of an anomaly: attribute session; NULL for the spend of an hour';
COMMENT ON COLUMN tokbudget.alert.quantity IS 'of an anomaly: what is odd, as in tokbudget.anomaly_info; NULL for a budget';
COMMENT ON COLUMN tokbudget.alert.value IS 'of an anomaly: the quantity then, in currency units for cost, seconds for duration_seconds, counts otherwise';
COMMENT ON COLUMN tokbudget.alert.baseline_median IS 'of an anomaly: what is usual, in the unit of value; NULL for a loop';
COMMENT ON COLUMN tokbudget.alert.score IS 'of an anomaly: how far it is off in units of the usual spread, as in tokbudget.anomaly_info; NULL for a loop';
COMMENT ON COLUMN tokbudget.alert.severity IS 'of an anomaly: info, warning or critical, as in tokbudget.anomaly_info; NULL for a budget';
COMMENT ON COLUMN tokbudget.alert.reason IS 'of an anomaly: what is odd, in words; NULL for a budget';

CREATE TYPE tokbudget.alert_row AS (
    created_at timestamp with time zone,
    account text,
    budget bigint,
    meter text,
    kind text,
    percent integer,
    spent numeric,
    amount numeric,
    window_start timestamp with time zone,
    workflow text,
    session text,
    quantity text,
    value numeric,
    baseline_median numeric,
    score numeric,
    severity text,
    reason text
);
COMMENT ON TYPE tokbudget.alert_row IS 'an alert as tb_alerts shows it';
COMMENT ON COLUMN tokbudget.alert_row.created_at IS 'when it was caused';
COMMENT ON COLUMN tokbudget.alert_row.account IS 'path of the account of the budget, or of the anomaly';
COMMENT ON COLUMN tokbudget.alert_row.budget IS 'id of the budget; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert_row.meter IS 'what the budget limits; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert_row.kind IS 'threshold, freeze, burst or anomaly';
COMMENT ON COLUMN tokbudget.alert_row.percent IS 'mark in per cent of the limit; 0 for burst and anomaly';
COMMENT ON COLUMN tokbudget.alert_row.spent IS 'spent in the window then: currency units for cost, counts otherwise; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert_row.amount IS 'limit of the window then: currency units for cost, counts otherwise; NULL for an anomaly';
COMMENT ON COLUMN tokbudget.alert_row.window_start IS 'start of the window, or of the hour whose spend is odd; NULL where there is but one window, and for a session';
COMMENT ON COLUMN tokbudget.alert_row.workflow IS 'of an anomaly: attribute workflow; NULL for none';
COMMENT ON COLUMN tokbudget.alert_row.session IS 'of an anomaly: attribute session; NULL for the spend of an hour';
COMMENT ON COLUMN tokbudget.alert_row.quantity IS 'of an anomaly: what is odd, as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.alert_row.value IS 'of an anomaly: the quantity then, in currency units for cost, seconds for duration_seconds, counts otherwise';
COMMENT ON COLUMN tokbudget.alert_row.baseline_median IS 'of an anomaly: what is usual, in the unit of value; NULL for a loop';
COMMENT ON COLUMN tokbudget.alert_row.score IS 'of an anomaly: how far it is off in units of the usual spread; NULL for a loop';
COMMENT ON COLUMN tokbudget.alert_row.severity IS 'of an anomaly: info, warning or critical, as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.alert_row.reason IS 'of an anomaly: what is odd, in words';

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
            NULLIF(alert.window_start, '-infinity'), alert.workflow, alert.session, alert.quantity, alert.value, alert.baseline_median,
            alert.score, alert.severity, alert.reason
        FROM tokbudget.alert
        JOIN tokbudget.account AS below ON below.tenant_id = alert.tenant_id AND below.account_id = alert.account_id
        LEFT JOIN tokbudget.budget ON budget.tenant_id = alert.tenant_id AND budget.budget_id = alert.budget_id
        WHERE alert.tenant_id = found_account.tenant_id AND alert.created_at >= tb_alerts.since
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        ORDER BY alert.created_at DESC, alert.alert_id DESC;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_alerts(text, timestamp with time zone) IS
    'alerts of the budgets of the account and of all below it since then, and of anomalies there, newest first. Raises TB002 for an unknown account, TB008 for a malformed path';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.alert', '');
