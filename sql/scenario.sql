-- Scenarios: how much a budget should be, from what was spent. A profile is the measured history times what is expected of the
-- time to come.

CREATE TYPE tokbudget.scenario AS (
    profile text,
    account text,
    meter text,
    monthly_budget numeric,
    daily_burn_limit numeric,
    emergency_stop numeric,
    freeze_at integer,
    currency text,
    daily_mean numeric,
    daily_p95 numeric,
    days integer,
    basis text,
    reason text
);
COMMENT ON TYPE tokbudget.scenario IS 'what tb_scenarios recommends for one profile; amounts in currency units for cost and internal_cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.scenario.profile IS 'baseline (as it was), growth (after some months of growth) or stress (a multiple of what it was)';
COMMENT ON COLUMN tokbudget.scenario.account IS 'path of the account, which stands for all below it too';
COMMENT ON COLUMN tokbudget.scenario.meter IS 'what is limited';
COMMENT ON COLUMN tokbudget.scenario.monthly_budget IS 'limit for a calendar month: 31 days of the mean with the margin; NULL when data is thin';
COMMENT ON COLUMN tokbudget.scenario.daily_burn_limit IS 'spend of a day above which somebody should look: the 95th percentile with the margin; NULL when data is thin';
COMMENT ON COLUMN tokbudget.scenario.emergency_stop IS 'spend of a day at which the account should be frozen; NULL when data is thin';
COMMENT ON COLUMN tokbudget.scenario.freeze_at IS 'emergency_stop in per cent of daily_burn_limit, as tb_create_budget takes it';
COMMENT ON COLUMN tokbudget.scenario.currency IS 'currency of amounts of money, ISO 4217; NULL for a meter that is none';
COMMENT ON COLUMN tokbudget.scenario.daily_mean IS 'mean of the measured days, days without spend included; NULL without any';
COMMENT ON COLUMN tokbudget.scenario.daily_p95 IS '95th percentile of the measured days: the least of them that 95 per cent of them do not exceed; NULL without any';
COMMENT ON COLUMN tokbudget.scenario.days IS 'how many days were measured: from the first with spend within the look-back to yesterday';
COMMENT ON COLUMN tokbudget.scenario.basis IS 'what was measured, in words';
COMMENT ON COLUMN tokbudget.scenario.reason IS 'how the amounts follow from it, in words, or why there are none';

CREATE FUNCTION tokbudget._check_scenario(
    meter text, growth_percent numeric, stress_factor numeric, margin_percent numeric, stop_percent integer, horizon_months integer,
    look_back_days integer, time_zone text
) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF meter IS NULL OR NOT meter = ANY (ARRAY['cost', 'internal_cost', 'tokens', 'input_tokens', 'output_tokens', 'requests']) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid meter',
            DETAIL = jsonb_build_object('meter', meter)::text,
            HINT = 'Scenarios are made for cost, internal_cost, tokens, input_tokens, output_tokens and requests.';
    END IF;
    -- NaN and Infinity are beyond every bound.
    IF (growth_percent BETWEEN -100 AND 1000 AND stress_factor BETWEEN 1 AND 1000 AND margin_percent BETWEEN 0 AND 1000
        AND stop_percent BETWEEN 100 AND 1000 AND horizon_months BETWEEN 0 AND 120 AND look_back_days BETWEEN 7 AND 3660) IS NOT TRUE
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid scenario',
            DETAIL = jsonb_build_object('growth_percent', growth_percent::text, 'stress_factor', stress_factor::text,
                'margin_percent', margin_percent::text, 'stop_percent', stop_percent, 'horizon_months', horizon_months,
                'look_back_days', look_back_days)::text,
            HINT = 'growth_percent is -100 to 1000 a month, stress_factor 1 to 1000, margin_percent 0 to 1000, stop_percent 100 to 1000, horizon_months 0 to 120, look_back_days 7 to 3660.';
    END IF;
    IF time_zone IS NULL OR NOT tokbudget._check_time_zone(time_zone) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid time zone',
            DETAIL = jsonb_build_object('time_zone', time_zone)::text, HINT = 'Pass an IANA name such as ''Europe/Berlin''.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_scenario(text, numeric, numeric, numeric, integer, integer, integer, text) IS
    'internal: raises TB008 for arguments that no scenario can have';

CREATE FUNCTION @extschema@.tb_scenarios(
    account text,
    meter text DEFAULT 'cost',
    growth_percent numeric DEFAULT 10,
    stress_factor numeric DEFAULT 3,
    margin_percent numeric DEFAULT 20,
    stop_percent integer DEFAULT 200,
    horizon_months integer DEFAULT 3,
    look_back_days integer DEFAULT 30,
    time_zone text DEFAULT 'UTC'
) RETURNS SETOF tokbudget.scenario
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    -- With fewer days than a week a single odd one decides, and a weekday may be missing.
    days_min CONSTANT integer := 7;
    -- The longest month, so that the budget is enough for each.
    days_in_month CONSTANT integer := 31;
    found_account tokbudget.account := tokbudget._find_account(tb_scenarios.account);
    is_money CONSTANT boolean := tb_scenarios.meter = ANY (ARRAY['cost', 'internal_cost']);
    decimals CONSTANT integer := CASE WHEN is_money THEN 6 ELSE 0 END;
    today date;
    measured record;
    is_thin boolean;
    result record;
    profile text;
    expected numeric;
    why text;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._check_scenario(tb_scenarios.meter, tb_scenarios.growth_percent, tb_scenarios.stress_factor,
        tb_scenarios.margin_percent, tb_scenarios.stop_percent, tb_scenarios.horizon_months, tb_scenarios.look_back_days,
        tb_scenarios.time_zone);
    today := timezone(tb_scenarios.time_zone, tokbudget._now())::date;
    WITH spent AS (
        SELECT timezone(tb_scenarios.time_zone, used.hour)::date AS day, sum(CASE tb_scenarios.meter
            WHEN 'cost' THEN used.cost WHEN 'internal_cost' THEN used.internal_cost
            WHEN 'tokens' THEN used.input_tokens + used.output_tokens WHEN 'input_tokens' THEN used.input_tokens
            WHEN 'output_tokens' THEN used.output_tokens WHEN 'requests' THEN used.requests END) AS amount
        FROM tokbudget._usage_by_hour(found_account.tenant_id, found_account.account_id,
            timezone(tb_scenarios.time_zone, (today - tb_scenarios.look_back_days)::timestamp),
            timezone(tb_scenarios.time_zone, today::timestamp)) AS used
        GROUP BY 1
    ), daily AS (
        SELECT calendar.day::date AS day, COALESCE(spent.amount, 0) AS amount
        FROM generate_series((SELECT min(spent.day) FROM spent WHERE spent.amount > 0)::timestamp, (today - 1)::timestamp,
            interval '1 day') AS calendar (day)
        LEFT JOIN spent ON spent.day = calendar.day::date
    )
    SELECT count(*)::integer AS days, avg(daily.amount) AS mean, percentile_disc(0.95) WITHIN GROUP (ORDER BY daily.amount) AS p95,
        min(daily.day) AS first_day, max(daily.day) AS last_day
    INTO measured FROM daily;
    is_thin := measured.days < days_min OR COALESCE(measured.mean, 0) <= 0;
    SELECT (NULL::tokbudget.scenario).* INTO result;
    result.account := found_account.path;
    result.meter := tb_scenarios.meter;
    result.currency := CASE WHEN is_money THEN (SELECT tenant.currency FROM tokbudget.tenant WHERE tenant.tenant_id = found_account.tenant_id) END;
    result.daily_mean := trim_scale(round(measured.mean, 9));
    result.daily_p95 := trim_scale(measured.p95);
    result.days := measured.days;
    result.basis := CASE WHEN measured.days = 0
        THEN format('nothing was spent in the last %s days', tb_scenarios.look_back_days)
        ELSE format('%s of %s days from %s to %s (%s): mean %s a day, 95th percentile %s', tb_scenarios.meter, measured.days,
            to_char(measured.first_day, 'YYYY-MM-DD'), to_char(measured.last_day, 'YYYY-MM-DD'), tb_scenarios.time_zone,
            result.daily_mean, result.daily_p95) END;
    FOREACH profile IN ARRAY ARRAY['baseline', 'growth', 'stress'] LOOP
        result.profile := profile;
        CASE profile
            WHEN 'baseline' THEN
                expected := 1;
                why := 'as it was';
            WHEN 'growth' THEN
                expected := power(1 + tb_scenarios.growth_percent / 100, tb_scenarios.horizon_months);
                why := format('%s %% growth a month for %s months', trim_scale(tb_scenarios.growth_percent), tb_scenarios.horizon_months);
            ELSE
                expected := tb_scenarios.stress_factor;
                why := format('%s times what it was', trim_scale(tb_scenarios.stress_factor));
        END CASE;
        IF is_thin THEN
            result.reason := format('too little history: %s of at least %s days', measured.days, days_min);
        ELSE
            expected := expected * (1 + tb_scenarios.margin_percent / 100);
            -- Rounded up, so that what is expected always fits.
            result.monthly_budget := trim_scale(ceil(measured.mean * days_in_month * expected * power(10::numeric, decimals)) / power(10::numeric, decimals));
            result.daily_burn_limit := trim_scale(ceil(measured.p95 * expected * power(10::numeric, decimals)) / power(10::numeric, decimals));
            result.freeze_at := tb_scenarios.stop_percent;
            result.emergency_stop := trim_scale(result.daily_burn_limit * tb_scenarios.stop_percent / 100);
            result.reason := format('%s, with a margin of %s %%: month = mean x %s days, day = 95th percentile, stop at %s %% of the day',
                why, trim_scale(tb_scenarios.margin_percent), days_in_month, tb_scenarios.stop_percent);
        END IF;
        RETURN NEXT result;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_scenarios(text, text, numeric, numeric, numeric, integer, integer, integer, text) IS
    'how much a month and a day of the account and all below it should be allowed, by three profiles: baseline, as the last look_back_days days in time_zone were; growth, the same after horizon_months months of growth_percent each; stress, stress_factor times the same. Each has margin_percent on top, and an emergency stop at stop_percent of the day. meter is cost, internal_cost, tokens, input_tokens, output_tokens or requests. Today, which is not over, is left out. The amounts are NULL with fewer than 7 days since the first spend. Days are made of whole hours UTC: in a zone that is off by less than an hour they begin up to 45 minutes off. Raises TB002 for an unknown account, TB008 for an invalid argument, 42501 for a role that may not read the account';
