-- Service levels: so many per cent of the sessions of a workflow within so many tokens, so much money, so much time. What the
-- target leaves over is the error budget of a period, and its burn rate how fast it goes, as the Site Reliability Workbook has
-- them: https://sre.google/workbook/alerting-on-slos/ and https://sre.google/sre-book/embracing-risk/.

CREATE TABLE tokbudget.slo (
    tenant_id integer NOT NULL,
    slo_id bigint NOT NULL,
    account_id bigint NOT NULL,
    name text NOT NULL,
    workflow text,
    target_percent numeric NOT NULL,
    max_tokens bigint,
    max_cost numeric,
    max_duration interval,
    every text NOT NULL,
    time_zone text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT slo_pkey PRIMARY KEY (tenant_id, slo_id),
    CONSTRAINT slo_name_key UNIQUE (tenant_id, account_id, name),
    CONSTRAINT slo_target_check CHECK (target_percent OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 100, '(]')),
    CONSTRAINT slo_limits_check CHECK (max_tokens IS NOT NULL OR max_cost IS NOT NULL OR max_duration IS NOT NULL)
);
COMMENT ON TABLE tokbudget.slo IS 'service level objectives: how many of the sessions of a workflow are to stay within limits';
COMMENT ON COLUMN tokbudget.slo.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.slo.slo_id IS 'id, unique within the tenant';
COMMENT ON COLUMN tokbudget.slo.account_id IS 'account whose sessions, with those of all below it, it is about';
COMMENT ON COLUMN tokbudget.slo.name IS 'what it is called, unique on the account';
COMMENT ON COLUMN tokbudget.slo.workflow IS 'workflow that it is about; NULL for every session';
COMMENT ON COLUMN tokbudget.slo.target_percent IS 'how many per cent of the sessions are to stay within all its limits';
COMMENT ON COLUMN tokbudget.slo.max_tokens IS 'most input and output tokens of a session; NULL for no such limit';
COMMENT ON COLUMN tokbudget.slo.max_cost IS 'most cost of a session, in currency units; NULL for no such limit';
COMMENT ON COLUMN tokbudget.slo.max_duration IS 'longest time from the first reservation to the last commit; NULL for no such limit';
COMMENT ON COLUMN tokbudget.slo.every IS 'period of its error budget, as the window of a budget';
COMMENT ON COLUMN tokbudget.slo.time_zone IS 'IANA zone in which the calendar is read';
COMMENT ON COLUMN tokbudget.slo.created_at IS 'when it was first set';

CREATE FUNCTION @extschema@.tb_slo(
    account text,
    workflow text,
    target_percent numeric,
    max_tokens bigint DEFAULT NULL,
    max_cost numeric DEFAULT NULL,
    max_duration interval DEFAULT NULL,
    every text DEFAULT 'month',
    time_zone text DEFAULT 'UTC',
    name text DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    of_workflow CONSTANT text := NULLIF(btrim(tb_slo.workflow), '');
    called CONSTANT text := COALESCE(NULLIF(btrim(tb_slo.name), ''), of_workflow, 'all sessions');
    why CONSTANT text := tokbudget._check_schedule(tb_slo.every, tb_slo.time_zone, 'monday', NULL);
    found_account tokbudget.account;
    old_slo tokbudget.slo;
    new_slo tokbudget.slo;
BEGIN
    -- NaN is above every number.
    IF tb_slo.target_percent IS NULL OR tb_slo.target_percent <= 0 OR tb_slo.target_percent > 100 OR scale(trim_scale(tb_slo.target_percent)) > 6 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid target',
            DETAIL = jsonb_build_object('target_percent', tb_slo.target_percent::text)::text,
            HINT = 'A target is above 0 and at most 100 per cent, such as 95 or 99.5.';
    END IF;
    IF (tb_slo.max_tokens IS NULL AND tb_slo.max_cost IS NULL AND tb_slo.max_duration IS NULL) OR tb_slo.max_tokens < 0
        OR tb_slo.max_cost NOT BETWEEN 0 AND 1000000000 OR tb_slo.max_duration < interval '0' OR tb_slo.max_duration > interval '100 years'
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid limits',
            DETAIL = jsonb_build_object('max_tokens', tb_slo.max_tokens, 'max_cost', tb_slo.max_cost::text, 'max_duration', tb_slo.max_duration)::text,
            HINT = 'Give at least one of max_tokens, max_cost (up to 1000000000) and max_duration, none below zero.';
    END IF;
    IF octet_length(called) > 1000 OR octet_length(of_workflow) > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid name',
            DETAIL = jsonb_build_object('name', left(called, 200))::text, HINT = 'A name and a workflow have at most 1000 bytes.';
    END IF;
    IF tb_slo.every IS NULL OR why IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid schedule',
            DETAIL = jsonb_build_object('every', tb_slo.every, 'time_zone', tb_slo.time_zone, 'why', COALESCE(why, 'every is null'))::text,
            HINT = 'every is a period such as month, week or ''2 weeks'', time_zone an IANA zone.';
    END IF;
    found_account := tokbudget._find_account(tb_slo.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    SELECT s.* INTO old_slo FROM tokbudget.slo AS s
    WHERE s.tenant_id = found_account.tenant_id AND s.account_id = found_account.account_id AND s.name = called;
    INSERT INTO tokbudget.slo AS s (tenant_id, slo_id, account_id, name, workflow, target_percent, max_tokens, max_cost, max_duration,
        every, time_zone, created_at)
    VALUES (found_account.tenant_id, tokbudget._new_id(), found_account.account_id, called, of_workflow, trim_scale(tb_slo.target_percent),
        tb_slo.max_tokens, trim_scale(tb_slo.max_cost), tb_slo.max_duration, tb_slo.every, tb_slo.time_zone, tokbudget._now())
    ON CONFLICT ON CONSTRAINT slo_name_key DO UPDATE SET workflow = EXCLUDED.workflow, target_percent = EXCLUDED.target_percent,
        max_tokens = EXCLUDED.max_tokens, max_cost = EXCLUDED.max_cost, max_duration = EXCLUDED.max_duration, every = EXCLUDED.every,
        time_zone = EXCLUDED.time_zone
    RETURNING s.* INTO new_slo;
    PERFORM tokbudget._log_change(new_slo.tenant_id, new_slo.account_id, 'account', new_slo.account_id, 'set_slo',
        CASE WHEN old_slo.slo_id IS NOT NULL THEN to_jsonb(old_slo) - 'tenant_id' END, to_jsonb(new_slo) - 'tenant_id', tb_slo.reason);
    RETURN new_slo.slo_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_slo(text, text, numeric, bigint, numeric, interval, text, text, text, text) IS
    'declares that target_percent of the sessions of the workflow (NULL for every session) below the account stay within max_tokens (input and output), max_cost (currency units) and max_duration, each period every in time_zone; returns its id. Its name is that of the workflow unless given; set again under the same name it is changed, for past periods too. Raises TB002 for an unknown account, TB008 for an invalid target, limit or schedule, 42501 for a role that does not administer the account';

CREATE FUNCTION @extschema@.tb_remove_slo(slo bigint, reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    old_slo tokbudget.slo;
    node tokbudget.account;
BEGIN
    SELECT s.* INTO old_slo FROM tokbudget.slo AS s WHERE s.slo_id = tb_remove_slo.slo;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such service level',
            DETAIL = jsonb_build_object('slo', tb_remove_slo.slo)::text,
            HINT = 'Pass the id that tb_slo() returned; tb_slo_attainment() shows it too.';
    END IF;
    SELECT a.* INTO STRICT node FROM tokbudget.account AS a
    WHERE a.tenant_id = old_slo.tenant_id AND a.account_id = old_slo.account_id;
    PERFORM tokbudget._require_access(node.tenant_id, node.ancestor_ids || node.account_id, 'administer');
    DELETE FROM tokbudget.slo AS s WHERE s.tenant_id = old_slo.tenant_id AND s.slo_id = old_slo.slo_id;
    PERFORM tokbudget._log_change(old_slo.tenant_id, old_slo.account_id, 'account', old_slo.account_id, 'remove_slo',
        to_jsonb(old_slo) - 'tenant_id', NULL, tb_remove_slo.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_remove_slo(bigint, text) IS
    'ends a service level; the log of changes keeps it. Raises TB002 for an unknown one, 42501 for a role that does not administer its account';

CREATE TYPE tokbudget.slo_attainment AS (
    slo bigint,
    account text,
    name text,
    workflow text,
    period_start timestamp with time zone,
    period_end timestamp with time zone,
    sessions bigint,
    within bigint,
    attainment_percent numeric,
    target_percent numeric,
    is_met boolean,
    error_budget numeric,
    consumed bigint,
    remaining numeric,
    burn_rate numeric,
    over_tokens bigint,
    over_cost bigint,
    over_duration bigint
);
COMMENT ON TYPE tokbudget.slo_attainment IS 'one period of a service level, as tb_slo_attainment shows it';
COMMENT ON COLUMN tokbudget.slo_attainment.slo IS 'id of the service level';
COMMENT ON COLUMN tokbudget.slo_attainment.account IS 'account whose sessions, with those of all below it, it is about';
COMMENT ON COLUMN tokbudget.slo_attainment.name IS 'what it is called';
COMMENT ON COLUMN tokbudget.slo_attainment.workflow IS 'workflow that it is about; NULL for every session';
COMMENT ON COLUMN tokbudget.slo_attainment.period_start IS 'first instant of the period';
COMMENT ON COLUMN tokbudget.slo_attainment.period_end IS 'first instant after the period';
COMMENT ON COLUMN tokbudget.slo_attainment.sessions IS 'sessions that started in the period';
COMMENT ON COLUMN tokbudget.slo_attainment.within IS 'those of them within all limits';
COMMENT ON COLUMN tokbudget.slo_attainment.attainment_percent IS 'within in per cent of sessions';
COMMENT ON COLUMN tokbudget.slo_attainment.target_percent IS 'what it should be';
COMMENT ON COLUMN tokbudget.slo_attainment.is_met IS 'whether it is at least that';
COMMENT ON COLUMN tokbudget.slo_attainment.error_budget IS 'sessions that may miss the limits: the rest that the target leaves of the sessions so far';
COMMENT ON COLUMN tokbudget.slo_attainment.consumed IS 'sessions that did miss them';
COMMENT ON COLUMN tokbudget.slo_attainment.remaining IS 'error_budget less consumed, negative when more missed them than may';
COMMENT ON COLUMN tokbudget.slo_attainment.burn_rate IS 'consumed for each unit of error_budget: 1 uses it up exactly, 2 twice as fast; NULL for a target of 100 per cent';
COMMENT ON COLUMN tokbudget.slo_attainment.over_tokens IS 'sessions with more tokens than max_tokens';
COMMENT ON COLUMN tokbudget.slo_attainment.over_cost IS 'sessions that cost more than max_cost, or whose cost is not known because there was no price';
COMMENT ON COLUMN tokbudget.slo_attainment.over_duration IS 'sessions that took longer than max_duration';

CREATE FUNCTION @extschema@.tb_slo_attainment(
    account text,
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity'
) RETURNS SETOF tokbudget.slo_attainment
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_slo_attainment.account);
    slo record;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(tb_slo_attainment.since, tb_slo_attainment.until);
    FOR slo IN
        SELECT s.*, below.path::text AS path,
            -- Whole periods: a part of one would say that its budget is smaller than it is.
            COALESCE(CASE WHEN isfinite(tb_slo_attainment.since)
                THEN (tokbudget._window(s.every, tb_slo_attainment.since, s.time_zone, 'monday', NULL)).window_start END,
                tb_slo_attainment.since) AS begins_at,
            COALESCE(CASE WHEN isfinite(tb_slo_attainment.until)
                THEN (tokbudget._window(s.every, tb_slo_attainment.until - interval '1 microsecond', s.time_zone, 'monday', NULL)).window_end END,
                tb_slo_attainment.until) AS ends_at
        FROM tokbudget.slo AS s
        JOIN tokbudget.account AS below ON below.tenant_id = s.tenant_id AND below.account_id = s.account_id
        WHERE s.tenant_id = found_account.tenant_id
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        ORDER BY below.path, s.name
    LOOP
        RETURN QUERY
        WITH session AS (
            SELECT tokbudget._window(slo.every, usage.started_at, slo.time_zone, 'monday', NULL) AS period,
                COALESCE(usage.input_tokens + usage.output_tokens > slo.max_tokens, false) AS is_over_tokens,
                slo.max_cost IS NOT NULL AND COALESCE(usage.cost > slo.max_cost, true) AS is_over_cost,
                COALESCE(usage.last_at - usage.started_at > slo.max_duration, false) AS is_over_duration
            FROM tokbudget._unit_usage(slo.tenant_id, slo.account_id, 'session', slo.begins_at, slo.ends_at, '-infinity') AS usage
            WHERE usage.steps > 0 AND (slo.workflow IS NULL OR usage.workflow = slo.workflow)
        ),
        folded AS (
            SELECT session.period, count(*) AS sessions,
                count(*) FILTER (WHERE NOT (session.is_over_tokens OR session.is_over_cost OR session.is_over_duration)) AS within,
                count(*) FILTER (WHERE session.is_over_tokens) AS over_tokens, count(*) FILTER (WHERE session.is_over_cost) AS over_cost,
                count(*) FILTER (WHERE session.is_over_duration) AS over_duration
            FROM session GROUP BY session.period
        )
        SELECT slo.slo_id, slo.path, slo.name, slo.workflow, (folded.period).window_start, (folded.period).window_end, folded.sessions,
            folded.within, tokbudget._percent_of(folded.within, folded.sessions), slo.target_percent,
            folded.within * 100 >= slo.target_percent * folded.sessions, allowed.misses, folded.sessions - folded.within,
            trim_scale(allowed.misses - (folded.sessions - folded.within)),
            trim_scale(round((folded.sessions - folded.within) / NULLIF(allowed.misses, 0), 4)),
            folded.over_tokens, folded.over_cost, folded.over_duration
        FROM folded
        CROSS JOIN LATERAL (SELECT trim_scale(folded.sessions * (100 - slo.target_percent) / 100) AS misses) AS allowed
        ORDER BY (folded.period).window_start;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_slo_attainment(text, timestamp with time zone, timestamp with time zone) IS
    'how the service levels of the account and of all below it were kept, period by period: the periods that since and until fall into, and those between, each as a whole; periods without sessions are left out. A session counts in the period in which it started, and as it is now where it goes on. Its duration is from the first reservation to the last commit. Raises TB002 for an unknown account, TB008 for an invalid period, 42501 for a role that may not read the account';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.slo', '');
