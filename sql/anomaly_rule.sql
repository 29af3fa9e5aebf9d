-- Which anomalies somebody wants to be told of, by account and workflow.

CREATE TABLE tokbudget.anomaly_rule (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    workflow text,
    least_severity text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT anomaly_rule_severity_check CHECK (least_severity OPERATOR(pg_catalog.=) ANY (ARRAY['info', 'warning', 'critical', 'none']))
);
CREATE UNIQUE INDEX anomaly_rule_once_idx ON tokbudget.anomaly_rule (tenant_id, account_id, COALESCE(workflow, ''));
COMMENT ON TABLE tokbudget.anomaly_rule IS 'from which severity on alerts of anomalies are written; info where there is no rule';
COMMENT ON COLUMN tokbudget.anomaly_rule.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.anomaly_rule.account_id IS 'account for which it holds, with everything below';
COMMENT ON COLUMN tokbudget.anomaly_rule.workflow IS 'workflow for which it holds; NULL for all that have no rule of their own there';
COMMENT ON COLUMN tokbudget.anomaly_rule.least_severity IS 'info, warning, critical, or none for no alert';
COMMENT ON COLUMN tokbudget.anomaly_rule.changed_at IS 'when it was set';

CREATE FUNCTION tokbudget._least_severity(tenant_id integer, account_id bigint, workflow text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT COALESCE((
        SELECT rule.least_severity
        FROM tokbudget.account AS spender
        JOIN tokbudget.anomaly_rule AS rule ON rule.tenant_id = spender.tenant_id
            AND rule.account_id = ANY (spender.ancestor_ids || spender.account_id)
        WHERE spender.tenant_id = _least_severity.tenant_id AND spender.account_id = _least_severity.account_id
            AND (rule.workflow IS NULL OR rule.workflow = _least_severity.workflow)
        ORDER BY array_position(spender.ancestor_ids || spender.account_id, rule.account_id) DESC, rule.workflow NULLS LAST
        LIMIT 1
    ), 'info')
$$;
COMMENT ON FUNCTION tokbudget._least_severity(integer, bigint, text) IS
    'internal: from which severity on alerts are written of what the account spends in the workflow: the rule of the nearest account decides, there that for the workflow';

CREATE FUNCTION @extschema@.tb_set_anomaly_alerts(account text, least_severity text, workflow text DEFAULT NULL, reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
    old_rule tokbudget.anomaly_rule;
    new_rule tokbudget.anomaly_rule;
BEGIN
    IF (tb_set_anomaly_alerts.least_severity = ANY (ARRAY['info', 'warning', 'critical', 'none'])) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid severity',
            DETAIL = jsonb_build_object('least_severity', tb_set_anomaly_alerts.least_severity)::text,
            HINT = 'Alerts are written from info, warning or critical on, or, with none, not at all.';
    END IF;
    IF tb_set_anomaly_alerts.workflow = '' OR octet_length(tb_set_anomaly_alerts.workflow) > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid workflow',
            DETAIL = jsonb_build_object('workflow', left(tb_set_anomaly_alerts.workflow, 100))::text,
            HINT = 'Name a workflow in at most 1000 bytes, or leave it out for all.';
    END IF;
    found_account := tokbudget._find_account(tb_set_anomaly_alerts.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    SELECT r.* INTO old_rule FROM tokbudget.anomaly_rule AS r
    WHERE r.tenant_id = found_account.tenant_id AND r.account_id = found_account.account_id
        AND COALESCE(r.workflow, '') = COALESCE(tb_set_anomaly_alerts.workflow, '')
    FOR UPDATE;
    INSERT INTO tokbudget.anomaly_rule AS r (tenant_id, account_id, workflow, least_severity, changed_at)
    VALUES (found_account.tenant_id, found_account.account_id, tb_set_anomaly_alerts.workflow, tb_set_anomaly_alerts.least_severity,
        tokbudget._now())
    ON CONFLICT (tenant_id, account_id, COALESCE(workflow, '')) DO UPDATE SET least_severity = EXCLUDED.least_severity,
        changed_at = EXCLUDED.changed_at
    RETURNING r.* INTO new_rule;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        'set_anomaly_alerts',
        CASE WHEN old_rule.tenant_id IS NOT NULL THEN
            jsonb_build_object('workflow', old_rule.workflow, 'least_severity', old_rule.least_severity) END,
        jsonb_build_object('workflow', new_rule.workflow, 'least_severity', new_rule.least_severity), tb_set_anomaly_alerts.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_anomaly_alerts(text, text, text, text) IS
    'says from which severity on alerts of anomalies are written for the account and all below it: info (as where nothing was said), warning, critical, or none; for one workflow, or for all that have no rule of their own there. The rule of the nearest account decides. tb_anomalies shows everything all the same. Raises TB002 for an unknown account, TB008 for a malformed path, an unknown severity or a workflow of more than 1000 bytes, 42501 for a role that does not administer the account';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.anomaly_rule', '');
