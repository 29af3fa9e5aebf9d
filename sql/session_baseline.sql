-- What is usual for the sessions of a workflow. Median and median absolute deviation (MAD), which only move far when half of the
-- sessions do (Hampel 1974, The influence curve and its role in robust estimation; Leys et al. 2013, Detecting outliers: do not
-- use standard deviation around the mean, use absolute deviation around the median), and the modified z-score with its limit of
-- 3.5 (Iglewicz and Hoaglin 1993, How to detect and handle outliers): 0.6745 * (x - median) / MAD.
--
-- Of logarithms, because what sessions spend is skewed to the right, much like a log-normal: with half of them within a factor of
-- two of the median, the plain score would call one ordinary session in twelve an outlier, this one calls one in four thousand.
-- Zero has a logarithm too when it is taken of 1 + x / grain (Tukey 1977, Exploratory data analysis: started logs).

CREATE TYPE tokbudget.session_baseline AS (
    workflow text,
    quantity text,
    sessions bigint,
    median numeric,
    log_mad numeric,
    flagged_from numeric,
    reason text
);
COMMENT ON TYPE tokbudget.session_baseline IS 'what is usual for a quantity of the sessions of a workflow, as tb_session_baselines shows it';
COMMENT ON COLUMN tokbudget.session_baseline.workflow IS 'attribute workflow of the sessions; NULL for those without';
COMMENT ON COLUMN tokbudget.session_baseline.quantity IS 'cost (currency units), tokens (input and output), steps (calls), retries (calls that were tried before), tool_calls, max_input_tokens (of the call with the most input: how far the context has grown) or duration_seconds';
COMMENT ON COLUMN tokbudget.session_baseline.sessions IS 'sessions that it is taken from; those without a price say nothing of the cost';
COMMENT ON COLUMN tokbudget.session_baseline.median IS 'median of the quantity; NULL when there are too few sessions';
COMMENT ON COLUMN tokbudget.session_baseline.log_mad IS 'median absolute deviation of natural logarithms from that of the median: 0.7 when half of the sessions are within a factor of two of it; NULL when there are too few sessions';
COMMENT ON COLUMN tokbudget.session_baseline.flagged_from IS 'value from which a session is an anomaly; NULL when there are too few sessions';
COMMENT ON COLUMN tokbudget.session_baseline.reason IS 'thin when there are too few sessions, NULL otherwise';

-- The grain is what does not count: less than it is as good as nothing. least_excess keeps small counts quiet, of which three
-- times the median is soon had.
CREATE FUNCTION tokbudget._session_quantities()
    RETURNS TABLE (quantity text, grain double precision, least_excess double precision, verb text, unit text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 7
    SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES
        ('cost', 0.000001::double precision, 0::double precision, 'spent', NULL),
        ('tokens', 1, 100, 'used', 'tokens'),
        ('steps', 1, 5, 'made', 'steps'),
        ('retries', 1, 5, 'made', 'retries'),
        ('tool_calls', 1, 5, 'made', 'tool calls'),
        ('max_input_tokens', 1, 100, 'sent in one call', 'input tokens'),
        ('duration_seconds', 10, 60, 'lasted', 'seconds')
$$;
COMMENT ON FUNCTION tokbudget._session_quantities() IS
    'internal: what a session is judged by; amounts below the grain and less than least_excess above the median are nothing; verb and unit (NULL for the currency) are for the reason in words';

CREATE FUNCTION tokbudget._median_and_log_mad(
    observed double precision[], grain double precision, OUT median double precision, OUT log_mad double precision
)
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    median := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FROM unnest(observed) AS value);
    log_mad := (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(ln(1 + value / grain) - ln(1 + median / grain)))
        FROM unnest(observed) AS value
    );
END;
$$;
COMMENT ON FUNCTION tokbudget._median_and_log_mad(double precision[], double precision) IS
    'internal: the median of values that are not negative, and the median absolute deviation of ln(1 + value / grain) from that of the median';

-- Where all sessions are the same the MAD is 0, and the least difference would be infinitely far off: 0.1 is a spread of 10 %.
CREATE FUNCTION tokbudget._score(value double precision, median double precision, log_mad double precision, grain double precision)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT 0.6745 * (ln(1 + GREATEST(value, 0) / grain) - ln(1 + median / grain)) / GREATEST(log_mad, 0.1) $$;
COMMENT ON FUNCTION tokbudget._score(double precision, double precision, double precision, double precision) IS
    'internal: modified z-score of ln(1 + value / grain)';

-- Three times the median and a score of 3.5, or ten times the median whatever the score. Where the median is 0, what counts is how
-- many times the grain it is.
CREATE FUNCTION tokbudget._flagged_from(
    median double precision, log_mad double precision, grain double precision, least_excess double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT GREATEST(
        median + least_excess,
        LEAST(
            CASE WHEN median > 0 THEN 10 * median ELSE 9 * grain END,
            GREATEST(
                CASE WHEN median > 0 THEN 3 * median ELSE 2 * grain END,
                grain * (exp(ln(1 + median / grain) + 3.5 * GREATEST(log_mad, 0.1) / 0.6745) - 1)
            )
        )
    )
$$;
COMMENT ON FUNCTION tokbudget._flagged_from(double precision, double precision, double precision, double precision) IS
    'internal: the least value that is an anomaly';

-- A session is over when nothing has come of it for half an hour: nobody says so otherwise.
CREATE FUNCTION tokbudget._sessions_over_before(since timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT LEAST(since, tokbudget._now() - interval '30 minutes') $$;
COMMENT ON FUNCTION tokbudget._sessions_over_before(timestamp with time zone) IS
    'internal: sessions whose last step was before that are over, and were so before since';

CREATE FUNCTION tokbudget._session_baselines(
    tenant_id integer, account_id bigint, since timestamp with time zone, until timestamp with time zone,
    workflow text, minimum_sessions integer
) RETURNS SETOF tokbudget.session_baseline
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH observed AS (
        SELECT
            s.workflow,
            array_agg(GREATEST(s.cost, 0)::double precision) FILTER (WHERE s.cost IS NOT NULL) AS cost,
            array_agg(GREATEST(s.input_tokens + s.output_tokens, 0)::double precision) AS tokens,
            array_agg(s.steps::double precision) AS steps,
            array_agg(s.retries::double precision) AS retries,
            array_agg(s.tool_calls::double precision) AS tool_calls,
            array_agg(s.max_input_tokens::double precision) FILTER (WHERE s.max_input_tokens IS NOT NULL) AS max_input_tokens,
            array_agg(GREATEST(extract(epoch FROM s.last_at - s.started_at), 0)::double precision) AS duration_seconds
        FROM tokbudget._sessions(_session_baselines.tenant_id, _session_baselines.account_id, _session_baselines.since) AS s
        WHERE s.last_at >= _session_baselines.since AND s.last_at < _session_baselines.until
            AND (_session_baselines.workflow IS NULL OR s.workflow = _session_baselines.workflow)
        GROUP BY s.workflow
    )
    SELECT
        observed.workflow, kind.quantity, COALESCE(cardinality(taken.observed), 0)::bigint,
        trim_scale(round(usual.median::numeric, 9)), trim_scale(round(usual.log_mad::numeric, 6)),
        trim_scale(round(tokbudget._flagged_from(usual.median, usual.log_mad, kind.grain, kind.least_excess)::numeric, 9)),
        CASE WHEN usual.median IS NULL THEN 'thin' END
    FROM observed
    CROSS JOIN LATERAL (VALUES
        ('cost', observed.cost), ('tokens', observed.tokens), ('steps', observed.steps), ('retries', observed.retries),
        ('tool_calls', observed.tool_calls), ('max_input_tokens', observed.max_input_tokens),
        ('duration_seconds', observed.duration_seconds)
    ) AS taken (quantity, observed)
    JOIN tokbudget._session_quantities() AS kind ON kind.quantity = taken.quantity
    LEFT JOIN LATERAL tokbudget._median_and_log_mad(taken.observed, kind.grain) AS usual
        ON cardinality(taken.observed) >= _session_baselines.minimum_sessions
$$;
COMMENT ON FUNCTION tokbudget._session_baselines(integer, bigint, timestamp with time zone, timestamp with time zone, text, integer) IS
    'internal: baselines of the sessions of an account and all below it whose last step was from since to before until, by workflow (NULL: all) and quantity';

CREATE FUNCTION tokbudget._check_baseline(baseline interval, minimum_sessions integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF baseline IS NULL OR baseline NOT BETWEEN interval '1 hour' AND interval '400 days' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid baseline',
            DETAIL = jsonb_build_object('baseline', baseline)::text,
            HINT = 'A baseline is taken from the last hour to the last 400 days before since, such as interval ''14 days''.';
    END IF;
    IF minimum_sessions IS NULL OR minimum_sessions NOT BETWEEN 5 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid number of sessions',
            DETAIL = jsonb_build_object('minimum_sessions', minimum_sessions)::text,
            HINT = 'A baseline needs at least 5 sessions, better 20.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_baseline(interval, integer) IS 'internal: raises TB008 for a baseline that cannot be taken';

CREATE FUNCTION @extschema@.tb_session_baselines(
    account text,
    since timestamp with time zone DEFAULT NULL,
    workflow text DEFAULT NULL,
    baseline interval DEFAULT '14 days',
    minimum_sessions integer DEFAULT 20
) RETURNS SETOF tokbudget.session_baseline
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_session_baselines.account);
    before CONSTANT timestamp with time zone :=
        tokbudget._sessions_over_before(COALESCE(tb_session_baselines.since, tokbudget._now() - interval '1 day'));
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._check_baseline(tb_session_baselines.baseline, tb_session_baselines.minimum_sessions);
    RETURN QUERY
        SELECT usual.* FROM tokbudget._session_baselines(found_account.tenant_id, found_account.account_id,
            before - tb_session_baselines.baseline, before, tb_session_baselines.workflow, tb_session_baselines.minimum_sessions) AS usual
        ORDER BY usual.workflow, usual.quantity;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_session_baselines(text, timestamp with time zone, text, interval, integer) IS
    'what was usual for sessions of the account and all below it, by workflow (NULL for all) and quantity, before since (NULL for a day ago), which is what tb_anomalies judges by: of sessions whose last step was in the span baseline before that, and at least half an hour ago. With fewer than minimum_sessions it is NULL, and the reason thin. Raises TB002 for an unknown account, TB008 for a malformed path, a baseline not from 1 hour to 400 days, or a number of sessions below 5, 42501 for a role that may not read the account';
