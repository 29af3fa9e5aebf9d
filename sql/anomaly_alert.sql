-- Anomalies as alerts: looked for by upkeep and by whoever asks, never by a call that spends. Each is written once per session,
-- quantity and severity; a session that gets worse is told of again.

CREATE FUNCTION tokbudget._write_anomaly_alerts(tenant_id integer, findings tokbudget.anomaly_finding[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    written integer;
BEGIN
    INSERT INTO tokbudget.alert (tenant_id, alert_id, account_id, window_start, kind, percent, created_at, actor, workflow, session,
        quantity, value, baseline_median, score, severity, reason)
    SELECT _write_anomaly_alerts.tenant_id, tokbudget._new_id(), finding.account_id, finding.window_start, 'anomaly', 0, tokbudget._now(),
        SESSION_USER, finding.workflow, finding.session, finding.quantity, finding.value, finding.median, finding.score,
        finding.severity, finding.reason
    FROM unnest(_write_anomaly_alerts.findings) AS finding
    WHERE tokbudget._severity_rank(finding.severity) >= tokbudget._severity_rank(
            tokbudget._least_severity(_write_anomaly_alerts.tenant_id, finding.account_id, finding.workflow))
        AND NOT EXISTS (
            SELECT FROM tokbudget.alert AS told
            WHERE told.tenant_id = _write_anomaly_alerts.tenant_id AND told.kind = 'anomaly' AND told.account_id = finding.account_id
                AND tokbudget._anomaly_subject(told.session, told.workflow) = tokbudget._anomaly_subject(finding.session, finding.workflow)
                AND told.window_start = finding.window_start AND told.quantity = finding.quantity
                AND tokbudget._severity_rank(told.severity) >= tokbudget._severity_rank(finding.severity)
        )
    -- In one order, so that of two who look at once one waits for the other.
    ORDER BY finding.account_id, finding.session, finding.workflow, finding.window_start, finding.quantity
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END;
$$;
COMMENT ON FUNCTION tokbudget._write_anomaly_alerts(integer, tokbudget.anomaly_finding[]) IS
    'internal: writes an alert of each anomaly that there is to be one of, and is none of yet at that severity or a higher one; returns how many';

CREATE FUNCTION @extschema@.tb_detect_anomalies(
    account text DEFAULT NULL,
    since timestamp with time zone DEFAULT NULL,
    workflow text DEFAULT NULL,
    baseline interval DEFAULT '14 days',
    minimum_sessions integer DEFAULT 20,
    tool_repeats integer DEFAULT 10,
    prompt_repeats integer DEFAULT 5,
    repeat_window interval DEFAULT '10 minutes'
) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    beginning CONSTANT timestamp with time zone := COALESCE(tb_detect_anomalies.since, tokbudget._now() - interval '1 day');
    before CONSTANT timestamp with time zone := tokbudget._sessions_over_before(beginning);
    top_account tokbudget.account;
    written integer := 0;
BEGIN
    PERFORM tokbudget._check_baseline(tb_detect_anomalies.baseline, tb_detect_anomalies.minimum_sessions);
    PERFORM tokbudget._check_loop(tb_detect_anomalies.tool_repeats, tb_detect_anomalies.prompt_repeats, tb_detect_anomalies.repeat_window);
    IF tb_detect_anomalies.account IS NOT NULL THEN
        top_account := tokbudget._find_account(tb_detect_anomalies.account);
        PERFORM tokbudget._require_access(top_account.tenant_id, top_account.ancestor_ids || top_account.account_id, 'administer');
    ELSIF NOT tokbudget._is_owner() THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'permission denied for all accounts',
            DETAIL = jsonb_build_object('role', pg_get_userbyid(tokbudget._present_role()))::text,
            HINT = 'Name an account that you administer.';
    END IF;
    FOR top_account IN
        SELECT a.* FROM tokbudget.account AS a
        WHERE a.parent_id IS NULL AND top_account.account_id IS NULL
            OR a.tenant_id = top_account.tenant_id AND a.account_id = top_account.account_id
        ORDER BY a.tenant_id
    LOOP
        written := written + tokbudget._write_anomaly_alerts(top_account.tenant_id, ARRAY(
            SELECT finding FROM tokbudget._find_anomalies(top_account, beginning, tb_detect_anomalies.workflow, ARRAY(
                    SELECT usual FROM tokbudget._session_baselines(top_account.tenant_id, top_account.account_id,
                        before - tb_detect_anomalies.baseline, before, tb_detect_anomalies.workflow,
                        tb_detect_anomalies.minimum_sessions) AS usual
                ), tb_detect_anomalies.tool_repeats, tb_detect_anomalies.prompt_repeats, tb_detect_anomalies.repeat_window) AS finding
        ));
    END LOOP;
    RETURN written;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_detect_anomalies(text, timestamp with time zone, text, interval, integer, integer, integer, interval) IS
    'writes an alert of each anomaly that tb_anomalies with the same arguments shows and tb_set_anomaly_alerts leaves, once per session, quantity and severity, also where several look at once; returns how many were new. account NULL is every root account, for superusers and the owner of the extension. Upkeep does it by itself for every root account. Raises TB002 for an unknown account, TB008 for a malformed path or an argument out of bounds, 42501 for a role that does not administer the account';

-- Where upkeep has got to. Baselines move slowly, so they are kept for a few minutes.
CREATE TABLE tokbudget.anomaly_progress (
    tenant_id integer NOT NULL,
    judged_until timestamp with time zone,
    baselines tokbudget.session_baseline[],
    baselines_at timestamp with time zone,
    CONSTRAINT anomaly_progress_pkey PRIMARY KEY (tenant_id)
);
COMMENT ON TABLE tokbudget.anomaly_progress IS 'up to when upkeep has looked for anomalies, per tenant; derived, and made anew where it is missing';
COMMENT ON COLUMN tokbudget.anomaly_progress.tenant_id IS 'tenant that was looked at';
COMMENT ON COLUMN tokbudget.anomaly_progress.judged_until IS 'steps before that have been looked at';
COMMENT ON COLUMN tokbudget.anomaly_progress.baselines IS 'what is usual for the sessions of all its workflows';
COMMENT ON COLUMN tokbudget.anomaly_progress.baselines_at IS 'when the baselines were taken';

CREATE FUNCTION tokbudget._detect_anomalies(at_most interval, OUT written integer, OUT is_pending boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    present CONSTANT timestamp with time zone := tokbudget._now();
    began_at CONSTANT timestamp with time zone := clock_timestamp();
    next record;
    top_account tokbudget.account;
    usual tokbudget.session_baseline[];
    usual_at timestamp with time zone;
    beginning timestamp with time zone;
    before timestamp with time zone;
BEGIN
    written := 0;
    is_pending := false;
    -- One after the other, and none waits. Under an old snapshot another one's rows would be met too late.
    BEGIN
        LOCK TABLE tokbudget.anomaly_progress IN SHARE ROW EXCLUSIVE MODE NOWAIT;
    EXCEPTION WHEN lock_not_available THEN
        is_pending := true;
    END;
    IF is_pending OR current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        is_pending := true;
        RETURN;
    END IF;
    FOR next IN
        SELECT a AS account, p.judged_until, p.tenant_id IS NULL AS is_new
        FROM tokbudget.account AS a
        LEFT JOIN tokbudget.anomaly_progress AS p ON p.tenant_id = a.tenant_id
        WHERE a.parent_id IS NULL
        ORDER BY p.judged_until NULLS FIRST, a.tenant_id
    LOOP
        -- Once more the last minutes: what has committed since may have been recorded before, and a loop needs its first calls.
        top_account := next.account;
        beginning := GREATEST(LEAST(next.judged_until, present) - interval '10 minutes', present - interval '1 day');
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM tokbudget.entry
            WHERE entry.tenant_id = top_account.tenant_id AND entry.recorded_at >= beginning
                AND entry.recorded_at <= present + interval '1 day'
        );
        IF clock_timestamp() - began_at > at_most THEN
            is_pending := true;
            RETURN;
        END IF;
        IF next.is_new THEN
            INSERT INTO tokbudget.anomaly_progress (tenant_id) VALUES (top_account.tenant_id) ON CONFLICT DO NOTHING;
        END IF;
        SELECT p.baselines, p.baselines_at INTO usual, usual_at FROM tokbudget.anomaly_progress AS p
        WHERE p.tenant_id = top_account.tenant_id;
        IF usual_at IS NULL OR usual_at NOT BETWEEN present - interval '10 minutes' AND present THEN
            before := tokbudget._sessions_over_before(beginning);
            usual := ARRAY(
                SELECT b FROM tokbudget._session_baselines(top_account.tenant_id, top_account.account_id, before - interval '14 days',
                    before, NULL, 20) AS b
            );
            usual_at := present;
        END IF;
        written := written + tokbudget._write_anomaly_alerts(top_account.tenant_id, ARRAY(
            SELECT finding FROM tokbudget._find_anomalies(top_account, beginning, NULL,
                usual, 10, 5, interval '10 minutes') AS finding
        ));
        UPDATE tokbudget.anomaly_progress AS p
        SET judged_until = present, baselines = usual, baselines_at = usual_at
        WHERE p.tenant_id = top_account.tenant_id;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._detect_anomalies(interval) IS
    'internal: tb_detect_anomalies for every root account with its defaults, what has been spent since the last time; tenants left when at_most has passed are left to the next run, and so are all where another run goes on or the snapshot may be old. is_pending says whether something is left';

CREATE VIEW tokbudget.anomaly WITH (security_barrier) AS
WITH shown AS MATERIALIZED (
    SELECT present_access.tenant_id, present_access.account_id FROM tokbudget.present_access
    WHERE present_access.privilege OPERATOR(pg_catalog.=) ANY (ARRAY['read', 'audit', 'administer'])
)
SELECT
    alert.created_at,
    tenant.name AS tenant,
    account.path AS account,
    alert.workflow,
    alert.session,
    CASE WHEN alert.window_start OPERATOR(pg_catalog.<>) '-infinity'::timestamp with time zone THEN alert.window_start END AS hour,
    alert.quantity,
    alert.value,
    alert.baseline_median,
    alert.score,
    alert.severity,
    alert.reason
FROM tokbudget.alert
LEFT JOIN tokbudget.account
    ON account.tenant_id OPERATOR(pg_catalog.=) alert.tenant_id
    AND account.account_id OPERATOR(pg_catalog.=) alert.account_id
LEFT JOIN tokbudget.tenant ON tenant.tenant_id OPERATOR(pg_catalog.=) alert.tenant_id
WHERE alert.kind OPERATOR(pg_catalog.=) 'anomaly' AND ((SELECT tokbudget._is_owner()) OR EXISTS (
    SELECT FROM shown
    WHERE shown.tenant_id OPERATOR(pg_catalog.=) alert.tenant_id
        AND shown.account_id OPERATOR(pg_catalog.=) ANY (account.ancestor_ids OPERATOR(pg_catalog.||) account.account_id)
));
COMMENT ON VIEW tokbudget.anomaly IS 'anomalies that an alert was written of; a role that is neither superuser nor owner of the extension sees those of the accounts that it may read, audit or administer';
COMMENT ON COLUMN tokbudget.anomaly.created_at IS 'when it was noticed';
COMMENT ON COLUMN tokbudget.anomaly.tenant IS 'root account';
COMMENT ON COLUMN tokbudget.anomaly.account IS 'account of the session, or that the spend of an hour was looked at for';
COMMENT ON COLUMN tokbudget.anomaly.workflow IS 'attribute workflow; NULL for none';
COMMENT ON COLUMN tokbudget.anomaly.session IS 'attribute session; NULL for the spend of an hour';
COMMENT ON COLUMN tokbudget.anomaly.hour IS 'the hour with the spend; NULL for a session';
COMMENT ON COLUMN tokbudget.anomaly.quantity IS 'what is odd, as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly.value IS 'the quantity then: currency units for cost, seconds for duration_seconds, counts otherwise';
COMMENT ON COLUMN tokbudget.anomaly.baseline_median IS 'median of the baseline then; NULL for a loop';
COMMENT ON COLUMN tokbudget.anomaly.score IS 'modified z-score of the logarithm then; NULL for a loop';
COMMENT ON COLUMN tokbudget.anomaly.severity IS 'info, warning or critical, as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly.reason IS 'what is odd, in words';
