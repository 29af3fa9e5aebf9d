-- Estimates against truth: what was counted, or given, before a call, and what the provider counted.

-- Whole calls with the provider's own count. Several requests under one reservation, parts that other models served and
-- counts that contradict themselves say nothing of one prompt.
CREATE FUNCTION tokbudget._estimates(
    tenant_id integer, account_id bigint, since timestamp with time zone, until timestamp with time zone
) RETURNS TABLE (
    recorded_at timestamp with time zone, provider text, model text, count_basis text, encoding text, is_calibrated boolean,
    counted_tokens bigint, estimated_tokens bigint, actual_tokens bigint
)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT
        entry.recorded_at,
        -- The names under which it was priced: the caller may have used another one.
        COALESCE(price.provider, entry.provider),
        COALESCE(price.model, entry.request_model),
        CASE reservation.count_basis WHEN 'calibrated' THEN 'estimated' ELSE COALESCE(reservation.count_basis, 'given') END,
        reservation.count_encoding,
        COALESCE(reservation.count_basis = 'calibrated', false),
        COALESCE(reservation.counted_tokens, reservation.input_tokens),
        reservation.input_tokens,
        entry.input_tokens
    FROM tokbudget.entry
    JOIN tokbudget.reservation
        ON reservation.tenant_id = entry.tenant_id
        AND reservation.reservation_id = entry.reservation_id
    LEFT JOIN tokbudget.price ON price.price_id = entry.price_id
    WHERE entry.tenant_id = _estimates.tenant_id
        AND entry.recorded_at >= _estimates.since
        AND entry.recorded_at < _estimates.until
        AND array_position(entry.account_ids, _estimates.account_id) <= array_position(entry.account_ids, entry.account_id)
        AND entry.kind = 'commit'
        AND entry.usage_source = 'provider'
        AND entry.request_model IS NOT NULL
        AND entry.requests = 1
        AND entry.input_tokens > 0
        AND COALESCE(reservation.counted_tokens, reservation.input_tokens) > 0
        AND NOT entry.flags && ARRAY['clamped_input', 'total_mismatch']
        AND NOT entry.usage_details ? 'parts'
    $$;
COMMENT ON FUNCTION tokbudget._estimates(integer, bigint, timestamp with time zone, timestamp with time zone) IS
    'internal: per whole call of the account and of all below it, recorded from since up to, and without, until: what was counted or given before it, what was held for it, and what the provider counted';

CREATE TYPE tokbudget.estimate_drift AS (
    period timestamp with time zone,
    provider text,
    model text,
    count_basis text,
    encoding text,
    calls bigint,
    calibrated_calls bigint,
    counted_tokens numeric,
    estimated_tokens numeric,
    actual_tokens numeric,
    ratio numeric,
    median_ratio numeric,
    p5_ratio numeric,
    p95_ratio numeric,
    mean_absolute_error_percent numeric,
    bias_percent numeric,
    covered_percent numeric,
    previous_median_ratio numeric,
    drift_percent numeric,
    verdict text
);
COMMENT ON TYPE tokbudget.estimate_drift IS 'how well the input of a model was estimated in one period, as tb_estimate_drift shows it';
COMMENT ON COLUMN tokbudget.estimate_drift.period IS 'first instant of the period';
COMMENT ON COLUMN tokbudget.estimate_drift.provider IS 'who sells the model';
COMMENT ON COLUMN tokbudget.estimate_drift.model IS 'canonical name of the model';
COMMENT ON COLUMN tokbudget.estimate_drift.count_basis IS 'exact (the model''s own tokenizer), estimated (an encoding that stands in for it, calibrated or not) or given (the caller''s input_tokens)';
COMMENT ON COLUMN tokbudget.estimate_drift.encoding IS 'encoding that counted; NULL where the caller gave the count';
COMMENT ON COLUMN tokbudget.estimate_drift.calls IS 'whole calls whose usage the provider reported';
COMMENT ON COLUMN tokbudget.estimate_drift.calibrated_calls IS 'those of them whose count was multiplied by a calibration factor';
COMMENT ON COLUMN tokbudget.estimate_drift.counted_tokens IS 'input tokens that were counted, before any factor, or given';
COMMENT ON COLUMN tokbudget.estimate_drift.estimated_tokens IS 'input tokens that were held: the count times the factor';
COMMENT ON COLUMN tokbudget.estimate_drift.actual_tokens IS 'input tokens that the provider counted, cached ones included';
COMMENT ON COLUMN tokbudget.estimate_drift.ratio IS 'actual_tokens divided by counted_tokens';
COMMENT ON COLUMN tokbudget.estimate_drift.median_ratio IS 'median over the calls of the actual count divided by the count before (nearest rank)';
COMMENT ON COLUMN tokbudget.estimate_drift.p5_ratio IS '5th percentile of the same (nearest rank)';
COMMENT ON COLUMN tokbudget.estimate_drift.p95_ratio IS '95th percentile of the same (nearest rank)';
COMMENT ON COLUMN tokbudget.estimate_drift.mean_absolute_error_percent IS 'mean over the calls of how far the held count was from the actual one, in per cent of the actual one';
COMMENT ON COLUMN tokbudget.estimate_drift.bias_percent IS 'how much more was held than used, in per cent of actual_tokens; negative where less was held';
COMMENT ON COLUMN tokbudget.estimate_drift.covered_percent IS 'per cent of the calls for which at least the actual count was held';
COMMENT ON COLUMN tokbudget.estimate_drift.previous_median_ratio IS 'median_ratio of the last period before that had calls; NULL for none';
COMMENT ON COLUMN tokbudget.estimate_drift.drift_percent IS 'how much median_ratio has changed since that period, in per cent; a factor that changed meanwhile is no drift';
COMMENT ON COLUMN tokbudget.estimate_drift.verdict IS 'what it means, in words';

CREATE FUNCTION tokbudget._estimate_verdict(
    count_basis text, calls bigint, previous_calls bigint, median_ratio numeric, drift_percent numeric, bias_percent numeric, covered_percent numeric
) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE
        WHEN calls < 30 THEN 'too few calls to judge'
        WHEN count_basis = 'exact' AND abs(median_ratio - 1) > 0.02 THEN
            format('the provider counts %s %% %s than the exact count: requests hold what was not counted, or the encoding is not the model''s',
                trim_scale(round(abs(median_ratio - 1) * 100, 1)), CASE WHEN median_ratio > 1 THEN 'more' ELSE 'less' END)
        WHEN count_basis = 'exact' THEN 'the count is right'
        WHEN previous_calls >= 30 AND abs(drift_percent) >= 5 THEN
            format('drifted by %s %% since the period before: %s', trim_scale(round(drift_percent, 1)),
                CASE count_basis WHEN 'given' THEN 'look at how the caller counts' ELSE 'calibrate again' END)
        WHEN covered_percent < 80 THEN
            format('too low in %s %% of the calls: %s', trim_scale(round(100 - covered_percent, 1)),
                CASE count_basis WHEN 'given' THEN 'look at how the caller counts' ELSE 'calibrate' END)
        WHEN bias_percent > 25 THEN
            format('holds %s %% more than is used: %s', trim_scale(round(bias_percent, 1)),
                CASE count_basis WHEN 'given' THEN 'look at how the caller counts' ELSE 'calibrate' END)
        ELSE format('the estimate holds: enough in %s %% of the calls', trim_scale(round(covered_percent, 1)))
    END;
END;
$$;
COMMENT ON FUNCTION tokbudget._estimate_verdict(text, bigint, bigint, numeric, numeric, numeric, numeric) IS
    'internal: what tb_estimate_drift says of a period. An exact count may be 2 % off (what a provider adds to a request is not public), a ratio moves by 5 % before it is drift, a hold should cover 80 % of the calls and not exceed use by more than a quarter; below 30 calls nothing is said';

CREATE FUNCTION @extschema@.tb_estimate_drift(
    account text,
    since timestamp with time zone DEFAULT NULL,
    until timestamp with time zone DEFAULT NULL,
    by text DEFAULT 'month',
    time_zone text DEFAULT 'UTC'
) RETURNS SETOF tokbudget.estimate_drift
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_estimate_drift.account);
    to_instant timestamp with time zone := COALESCE(tb_estimate_drift.until, tokbudget._now());
    from_instant timestamp with time zone := COALESCE(tb_estimate_drift.since, to_instant - interval '90 days');
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(from_instant, to_instant, true);
    IF tb_estimate_drift.by IS NULL OR NOT tb_estimate_drift.by = ANY (ARRAY['day', 'week', 'month'])
        OR tokbudget._check_time_zone(tb_estimate_drift.time_zone) IS NOT TRUE
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid periods',
            DETAIL = jsonb_build_object('by', tb_estimate_drift.by, 'time_zone', tb_estimate_drift.time_zone)::text,
            HINT = 'by is day, week or month; time_zone an IANA zone such as Europe/Berlin.';
    END IF;
    RETURN QUERY
    WITH call AS (
        SELECT date_trunc(tb_estimate_drift.by, e.recorded_at, tb_estimate_drift.time_zone) AS period, e.provider, e.model, e.count_basis,
            e.encoding, e.is_calibrated, e.counted_tokens, e.estimated_tokens, e.actual_tokens,
            e.actual_tokens::numeric / e.counted_tokens AS ratio
        FROM tokbudget._estimates(found_account.tenant_id, found_account.account_id, from_instant, to_instant) AS e
    ), measured AS (
        SELECT call.period, call.provider, call.model, call.count_basis, call.encoding,
            count(*) AS calls,
            count(*) FILTER (WHERE call.is_calibrated) AS calibrated_calls,
            sum(call.counted_tokens) AS counted_tokens,
            sum(call.estimated_tokens) AS estimated_tokens,
            sum(call.actual_tokens) AS actual_tokens,
            percentile_disc(ARRAY[0.05, 0.5, 0.95]) WITHIN GROUP (ORDER BY call.ratio) AS ratios,
            100 * avg(abs(call.estimated_tokens - call.actual_tokens)::numeric / call.actual_tokens) AS error_percent,
            100 * (sum(call.estimated_tokens) / sum(call.actual_tokens) - 1) AS bias_percent,
            100.0 * count(*) FILTER (WHERE call.estimated_tokens >= call.actual_tokens) / count(*) AS covered_percent
        FROM call
        GROUP BY call.period, call.provider, call.model, call.count_basis, call.encoding
    ), compared AS (
        SELECT measured.*, lag(measured.calls) OVER before AS previous_calls, lag(measured.ratios[2]) OVER before AS previous_ratio
        FROM measured
        WINDOW before AS (
            PARTITION BY measured.provider, measured.model, measured.count_basis, measured.encoding ORDER BY measured.period
        )
    )
    SELECT c.period, c.provider, c.model, c.count_basis, c.encoding, c.calls, c.calibrated_calls, c.counted_tokens, c.estimated_tokens,
        c.actual_tokens, round(c.actual_tokens / c.counted_tokens, 4), round(c.ratios[2], 4), round(c.ratios[1], 4), round(c.ratios[3], 4),
        round(c.error_percent, 2), round(c.bias_percent, 2), round(c.covered_percent, 2), round(c.previous_ratio, 4),
        round(100 * (c.ratios[2] / c.previous_ratio - 1), 2),
        tokbudget._estimate_verdict(c.count_basis, c.calls, c.previous_calls, c.ratios[2], 100 * (c.ratios[2] / c.previous_ratio - 1),
            c.bias_percent, c.covered_percent)
    FROM compared AS c
    ORDER BY c.provider, c.model, c.count_basis, c.encoding, c.period;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_estimate_drift(text, timestamp with time zone, timestamp with time zone, text, text) IS
    'input tokens estimated before calls against the provider''s own count, for the account and all below it, per model, basis and period (by is day, week or month in time_zone), by the instant at which the call was recorded; since NULL means 90 days before until, until NULL the present. Whole calls only: no partial or estimated usage, no reservation that stood for several requests or several models. It reads the calls themselves, so long periods of a large tenant take their time. Raises TB002 for an unknown account, TB008 for an invalid period or zone, 42501 for a role that may not read the account';
