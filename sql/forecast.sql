-- What will have been used when a window ends.

CREATE TYPE tokbudget.use_ahead AS (
    method text,
    expected double precision,
    lower double precision,
    upper double precision,
    drift_per_day double precision,
    exhausted_at timestamp with time zone
);
COMMENT ON TYPE tokbudget.use_ahead IS 'internal: what will be used from now to the end of a window';
COMMENT ON COLUMN tokbudget.use_ahead.method IS 'as tokbudget.forecast has it';
COMMENT ON COLUMN tokbudget.use_ahead.expected IS 'what is expected, in the unit of the meter';
COMMENT ON COLUMN tokbudget.use_ahead.lower IS 'lower end of the band';
COMMENT ON COLUMN tokbudget.use_ahead.upper IS 'upper end of the band';
COMMENT ON COLUMN tokbudget.use_ahead.drift_per_day IS 'change per day of what is used a day';
COMMENT ON COLUMN tokbudget.use_ahead.exhausted_at IS 'when as much as there is room for will have been used; NULL for not before the end';

CREATE FUNCTION tokbudget._use_ahead(
    hours timestamp with time zone[], amounts double precision[], present timestamp with time zone, until timestamp with time zone,
    time_zone text, confidence double precision, room double precision
) RETURNS tokbudget.use_ahead
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_use_ahead_wrapper';
COMMENT ON FUNCTION tokbudget._use_ahead(timestamp with time zone[], double precision[], timestamp with time zone, timestamp with time zone, text, double precision, double precision) IS
    'internal: what will be used until then, from what was used in whole hours; NULL without history';

CREATE FUNCTION tokbudget._check_forecast(
    meter text, until timestamp with time zone, every text, time_zone text, confidence numeric, margin_percent numeric, min_history_hours integer
) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._require_meter(meter);
    PERFORM tokbudget._check_history(min_history_hours);
    IF until <= tokbudget._now() OR until > tokbudget._now() + interval '10 years' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid until',
            DETAIL = jsonb_build_object('until', until, 'now', tokbudget._now())::text,
            HINT = 'Pass an instant that is still to come, at most ten years ahead.';
    END IF;
    IF every IS NULL OR time_zone IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid schedule',
            DETAIL = jsonb_build_object('every', every, 'time_zone', time_zone)::text,
            HINT = 'every is minute, hour, day, week, month, quarter, year or an interval such as ''5 hours''; time_zone an IANA name such as ''Europe/Berlin''.';
    END IF;
    -- NaN is above every number.
    IF confidence IS NULL OR confidence <= 0 OR confidence >= 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid confidence',
            DETAIL = jsonb_build_object('confidence', confidence::text)::text,
            HINT = 'Pass a probability between 0 and 1, such as 0.8.';
    END IF;
    IF margin_percent IS NULL OR margin_percent < 0 OR margin_percent > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid margin_percent',
            DETAIL = jsonb_build_object('margin_percent', margin_percent::text)::text,
            HINT = 'Pass a number of per cents from 0 to 1000.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_forecast(text, timestamp with time zone, text, text, numeric, numeric, integer) IS
    'internal: raises TB008 for what tb_forecast cannot work with';

CREATE FUNCTION tokbudget._used_since(account tokbudget.account, meter text, since timestamp with time zone) RETURNS numeric
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- What was recorded in this very instant counts as well.
    present CONSTANT timestamp with time zone := tokbudget._now() + interval '1 microsecond';
    used numeric;
BEGIN
    IF meter IN ('cost', 'internal_cost', 'tokens', 'input_tokens', 'output_tokens', 'requests') THEN
        SELECT sum(CASE meter
            WHEN 'cost' THEN line.cost
            WHEN 'internal_cost' THEN line.internal_cost
            WHEN 'tokens' THEN line.input_tokens + line.output_tokens
            WHEN 'input_tokens' THEN line.input_tokens
            WHEN 'output_tokens' THEN line.output_tokens
            WHEN 'requests' THEN line.requests
        END) INTO used
        FROM tokbudget._usage(account, ARRAY(
            SELECT segment FROM tokbudget._segments(since, present, tokbudget._grains('{}', account)) AS segment), '{}', NULL) AS line;
    ELSE
        SELECT sum((entry.meters ->> meter)::numeric) INTO used
        FROM tokbudget.entry
        WHERE entry.tenant_id = account.tenant_id AND entry.recorded_at >= since AND entry.recorded_at < present
            AND entry.kind <> ALL (ARRAY['expire', 'transfer']) AND entry.meters ? meter
            AND array_position(entry.account_ids, account.account_id) <= array_position(entry.account_ids, entry.account_id);
    END IF;
    RETURN COALESCE(used, 0);
END;
$$;
COMMENT ON FUNCTION tokbudget._used_since(tokbudget.account, text, timestamp with time zone) IS
    'internal: what the account and all below it used of the meter since then';
