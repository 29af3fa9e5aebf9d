-- Anomalies: sessions, also those still going on, that are far above what is usual for their workflow or go in circles, and hours
-- with far too much spend. Read from the ledger when asked; nothing of it is in the path of a call.

CREATE TYPE tokbudget.anomaly_info AS (
    account text,
    workflow text,
    session text,
    quantity text,
    value numeric,
    baseline_median numeric,
    baseline_log_mad numeric,
    score numeric,
    times_baseline numeric,
    severity text,
    first_seen timestamp with time zone,
    last_step_at timestamp with time zone,
    reason text,
    hour timestamp with time zone
);
COMMENT ON TYPE tokbudget.anomaly_info IS 'one anomaly as tb_anomalies shows it';
COMMENT ON COLUMN tokbudget.anomaly_info.account IS 'path of the account that the session spends from, or whose spend of an hour is odd';
COMMENT ON COLUMN tokbudget.anomaly_info.workflow IS 'attribute workflow; NULL for none';
COMMENT ON COLUMN tokbudget.anomaly_info.session IS 'attribute session; NULL for the spend of an hour';
COMMENT ON COLUMN tokbudget.anomaly_info.quantity IS 'what is odd: a quantity as in tokbudget.session_baseline; tool_repeat, prompt_repeat (the same again and again), tool_cycle, prompt_cycle (two in turn); or hourly_cost (of a workflow of a root account, or of another account with all below it)';
COMMENT ON COLUMN tokbudget.anomaly_info.value IS 'the quantity so far: currency units for cost, seconds for duration_seconds, counts otherwise';
COMMENT ON COLUMN tokbudget.anomaly_info.baseline_median IS 'median of the quantity over the sessions of the baseline, or of the same hour in the weeks before; NULL for a loop';
COMMENT ON COLUMN tokbudget.anomaly_info.baseline_log_mad IS 'median absolute deviation of natural logarithms; NULL for a loop';
COMMENT ON COLUMN tokbudget.anomaly_info.score IS 'modified z-score of the logarithm: how far it is off in units of the usual spread; NULL for a loop';
COMMENT ON COLUMN tokbudget.anomaly_info.times_baseline IS 'value over median; NULL where the median is 0, and for a loop';
COMMENT ON COLUMN tokbudget.anomaly_info.severity IS 'critical: at least ten times the median and a score of 3.5, or a loop of three times the calls that make one. warning: at least three times the median and a score of 3.5, or a loop; where the median is 0 it is never critical. info: at least ten times the median of a workflow whose sessions differ that much';
COMMENT ON COLUMN tokbudget.anomaly_info.first_seen IS 'when the first alert of it was written; NULL when there is none yet';
COMMENT ON COLUMN tokbudget.anomaly_info.last_step_at IS 'when the session last spent; of a loop, its last call; of an hour, its end, or now';
COMMENT ON COLUMN tokbudget.anomaly_info.reason IS 'what is odd, in words';
COMMENT ON COLUMN tokbudget.anomaly_info.hour IS 'start of the hour whose spend is odd; NULL for a session';

CREATE FUNCTION tokbudget._judge_sessions(
    tenant_id integer, account_id bigint, since timestamp with time zone, baselines tokbudget.session_baseline[]
) RETURNS SETOF tokbudget.anomaly_finding
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH baseline AS MATERIALIZED (
        SELECT usual.*, kind.grain, kind.verb, kind.unit
        FROM unnest(_judge_sessions.baselines) AS usual
        JOIN tokbudget._session_quantities() AS kind ON kind.quantity = usual.quantity
        WHERE usual.flagged_from IS NOT NULL
    ), limits AS (
        -- Side by side, so that a session is compared once. What has no baseline is beyond no limit.
        SELECT baseline.workflow,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'cost'), 'infinity') AS cost,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'tokens'), 'infinity') AS tokens,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'steps'), 'infinity') AS steps,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'retries'), 'infinity') AS retries,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'tool_calls'), 'infinity') AS tool_calls,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'max_input_tokens'), 'infinity') AS max_input_tokens,
            COALESCE(max(baseline.flagged_from) FILTER (WHERE baseline.quantity = 'duration_seconds'), 'infinity') AS duration_seconds
        FROM baseline GROUP BY baseline.workflow
    ), beyond AS (
        SELECT s.account_id, s.session, s.workflow, s.currency, s.last_at, s.cost, s.input_tokens + s.output_tokens AS tokens, s.steps,
            s.retries, s.tool_calls, s.max_input_tokens, extract(epoch FROM s.last_at - s.started_at) AS duration_seconds
        FROM tokbudget._sessions(_judge_sessions.tenant_id, _judge_sessions.account_id, _judge_sessions.since) AS s
        JOIN limits ON COALESCE(limits.workflow, '') = COALESCE(s.workflow, '')
            AND (limits.workflow IS NULL) = (s.workflow IS NULL)
        WHERE s.last_at >= _judge_sessions.since AND (
            s.cost >= limits.cost OR s.input_tokens + s.output_tokens >= limits.tokens OR s.steps >= limits.steps
            OR s.retries >= limits.retries OR s.tool_calls >= limits.tool_calls OR s.max_input_tokens >= limits.max_input_tokens
            OR extract(epoch FROM s.last_at - s.started_at) >= limits.duration_seconds
        )
    ), odd AS (
        SELECT beyond.account_id, beyond.session, beyond.currency, beyond.last_at, baseline.*, taken.value,
            tokbudget._score(taken.value::double precision, baseline.median::double precision, baseline.log_mad::double precision,
                baseline.grain) AS score,
            taken.value / NULLIF(baseline.median, 0) AS times_baseline
        FROM beyond
        CROSS JOIN LATERAL (VALUES
            ('cost', beyond.cost), ('tokens', beyond.tokens), ('steps', beyond.steps), ('retries', beyond.retries),
            ('tool_calls', beyond.tool_calls), ('max_input_tokens', beyond.max_input_tokens),
            ('duration_seconds', beyond.duration_seconds)
        ) AS taken (quantity, value)
        JOIN baseline ON baseline.quantity = taken.quantity AND baseline.workflow IS NOT DISTINCT FROM beyond.workflow
        WHERE taken.value >= baseline.flagged_from
    )
    SELECT odd.account_id, odd.workflow, odd.session, '-infinity'::timestamp with time zone, odd.quantity,
        trim_scale(odd.value), odd.median, odd.log_mad, round(odd.score::numeric, 2), round(odd.times_baseline, 2),
        CASE WHEN odd.score < 3.5 THEN 'info' WHEN odd.times_baseline >= 10 THEN 'critical' ELSE 'warning' END,
        odd.last_at,
        format('session %s has %s %s %s (%s against %s %s)', left(odd.session, 100), odd.verb,
            CASE WHEN odd.times_baseline IS NULL THEN 'more than the median of'
                ELSE round(odd.times_baseline, 1) || ' times the median of' END,
            COALESCE('workflow ' || left(odd.workflow, 100), 'sessions without a workflow'),
            trim_scale(odd.value), odd.median, COALESCE(odd.unit, odd.currency))
    FROM odd
$$;
COMMENT ON FUNCTION tokbudget._judge_sessions(integer, bigint, timestamp with time zone, tokbudget.session_baseline[]) IS
    'internal: sessions of an account and all below it with a step since then that are far above the baselines';

CREATE FUNCTION tokbudget._find_anomalies(
    account tokbudget.account, since timestamp with time zone, workflow text, baselines tokbudget.session_baseline[],
    tool_repeats integer, prompt_repeats integer, repeat_window interval
) RETURNS SETOF tokbudget.anomaly_finding
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT judged.*
    FROM tokbudget._judge_sessions((_find_anomalies.account).tenant_id, (_find_anomalies.account).account_id, _find_anomalies.since,
        _find_anomalies.baselines) AS judged
    UNION ALL
    SELECT loops.*
    FROM tokbudget._session_loops((_find_anomalies.account).tenant_id, (_find_anomalies.account).account_id, _find_anomalies.since,
        _find_anomalies.workflow, _find_anomalies.tool_repeats, _find_anomalies.prompt_repeats, _find_anomalies.repeat_window) AS loops
    UNION ALL
    SELECT spikes.* FROM tokbudget._spend_spikes(_find_anomalies.account, _find_anomalies.since, _find_anomalies.workflow) AS spikes
$$;
COMMENT ON FUNCTION tokbudget._find_anomalies(tokbudget.account, timestamp with time zone, text, tokbudget.session_baseline[], integer, integer, interval) IS
    'internal: every anomaly of an account and all below it since then';

CREATE FUNCTION tokbudget._severity_rank(severity text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT array_position(ARRAY['info', 'warning', 'critical', 'none'], severity) $$;
COMMENT ON FUNCTION tokbudget._severity_rank(text) IS 'internal: 1 for info, 2 for warning, 3 for critical, and 4 for none, which nothing reaches';

CREATE FUNCTION tokbudget._check_loop(tool_repeats integer, prompt_repeats integer, repeat_window interval) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tool_repeats IS NULL OR tool_repeats NOT BETWEEN 3 AND 100000 OR prompt_repeats IS NULL OR prompt_repeats NOT BETWEEN 3 AND 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid number of repeats',
            DETAIL = jsonb_build_object('tool_repeats', tool_repeats, 'prompt_repeats', prompt_repeats)::text,
            HINT = 'A loop is 3 to 100000 calls of the same.';
    END IF;
    IF repeat_window IS NULL OR repeat_window NOT BETWEEN interval '1 second' AND interval '1 day' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid window of repeats',
            DETAIL = jsonb_build_object('repeat_window', repeat_window)::text,
            HINT = 'Repeats are counted within 1 second to 1 day, such as interval ''10 minutes''.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_loop(integer, integer, interval) IS 'internal: raises TB008 for what cannot make a loop';

CREATE FUNCTION @extschema@.tb_anomalies(
    account text,
    since timestamp with time zone DEFAULT NULL,
    workflow text DEFAULT NULL,
    baseline interval DEFAULT '14 days',
    minimum_sessions integer DEFAULT 20,
    tool_repeats integer DEFAULT 10,
    prompt_repeats integer DEFAULT 5,
    repeat_window interval DEFAULT '10 minutes'
) RETURNS SETOF tokbudget.anomaly_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_anomalies.account);
    beginning CONSTANT timestamp with time zone := COALESCE(tb_anomalies.since, tokbudget._now() - interval '1 day');
    before CONSTANT timestamp with time zone := tokbudget._sessions_over_before(beginning);
    baselines tokbudget.session_baseline[];
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._check_baseline(tb_anomalies.baseline, tb_anomalies.minimum_sessions);
    PERFORM tokbudget._check_loop(tb_anomalies.tool_repeats, tb_anomalies.prompt_repeats, tb_anomalies.repeat_window);
    baselines := ARRAY(
        SELECT usual FROM tokbudget._session_baselines(found_account.tenant_id, found_account.account_id,
            before - tb_anomalies.baseline, before, tb_anomalies.workflow, tb_anomalies.minimum_sessions) AS usual
    );
    RETURN QUERY
        SELECT spender.path::text, finding.workflow, finding.session, finding.quantity, finding.value, finding.median, finding.log_mad,
            finding.score, finding.times_baseline, finding.severity, told.first_seen, finding.last_at, finding.reason,
            NULLIF(finding.window_start, '-infinity')
        FROM tokbudget._find_anomalies(found_account, beginning, tb_anomalies.workflow, baselines,
            tb_anomalies.tool_repeats, tb_anomalies.prompt_repeats, tb_anomalies.repeat_window) AS finding
        LEFT JOIN tokbudget.account AS spender
            ON spender.tenant_id = found_account.tenant_id AND spender.account_id = finding.account_id
        LEFT JOIN LATERAL (
            SELECT min(alert.created_at) AS first_seen FROM tokbudget.alert
            WHERE alert.tenant_id = found_account.tenant_id AND alert.kind = 'anomaly' AND alert.account_id = finding.account_id
                AND tokbudget._anomaly_subject(alert.session, alert.workflow) = tokbudget._anomaly_subject(finding.session, finding.workflow)
                AND alert.window_start = finding.window_start AND alert.quantity = finding.quantity
        ) AS told ON true
        ORDER BY tokbudget._severity_rank(finding.severity) DESC, finding.times_baseline DESC NULLS LAST,
            finding.session, finding.workflow, finding.window_start, finding.quantity;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_anomalies(text, timestamp with time zone, text, interval, integer, integer, integer, interval) IS
    'sessions of the account and all below it with a step since then (NULL for a day ago) that are far above what was usual for their workflow before, also those still going on, those that go in circles, and hours (of the last 31 days at most) whose spend is far above that of the same hour in the eight weeks before; the worst first, one row per session and quantity. The baseline is that of tb_session_baselines; workflows with fewer sessions in it than minimum_sessions are looked at for loops only. A loop is the same tool (attribute tool) tool_repeats times in a row, the same prompt (attribute prompt_hash) prompt_repeats times, two of them in turn that many times, or one of them twice as often within repeat_window. Raises TB002 for an unknown account, TB008 for a malformed path or an argument out of bounds, 42501 for a role that may not read the account';
