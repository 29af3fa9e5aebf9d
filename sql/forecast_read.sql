-- The forecast as people read it.

CREATE TYPE tokbudget.forecast AS (
    budget bigint,
    account text,
    meter text,
    window_start timestamp with time zone,
    window_end timestamp with time zone,
    spent numeric,
    expected numeric,
    lower numeric,
    upper numeric,
    with_margin numeric,
    amount numeric,
    exhausted_at timestamp with time zone,
    method text,
    history_hours numeric,
    drift_per_day numeric,
    reason text,
    verdict text
);
COMMENT ON TYPE tokbudget.forecast IS 'what will have been used when a window ends, as tb_forecast shows it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.forecast.budget IS 'id of the budget; NULL for the account''s own use, and for a quota that the first call will be given';
COMMENT ON COLUMN tokbudget.forecast.account IS 'path of the account, or of the one that the budget limits';
COMMENT ON COLUMN tokbudget.forecast.meter IS 'what is used';
COMMENT ON COLUMN tokbudget.forecast.window_start IS 'start of the window; NULL for a budget that has but one';
COMMENT ON COLUMN tokbudget.forecast.window_end IS 'instant that the forecast is for: until, or where that is left out or later the end of the window or of the budget';
COMMENT ON COLUMN tokbudget.forecast.spent IS 'used in the window so far';
COMMENT ON COLUMN tokbudget.forecast.expected IS 'total at the end: spent and what is expected until then; NULL where data is thin';
COMMENT ON COLUMN tokbudget.forecast.lower IS 'lower end of the band around the total, in which it will be with the probability confidence';
COMMENT ON COLUMN tokbudget.forecast.upper IS 'upper end of the band';
COMMENT ON COLUMN tokbudget.forecast.with_margin IS 'spent, and what is expected until the end with margin_percent on top: what to plan with';
COMMENT ON COLUMN tokbudget.forecast.amount IS 'limit of the window with what was carried over and granted; NULL for the account''s own use';
COMMENT ON COLUMN tokbudget.forecast.exhausted_at IS 'when nothing will remain of the budget as use is expected; NULL for not before the end';
COMMENT ON COLUMN tokbudget.forecast.method IS 'seasonal_hour_of_week with two weeks of history or more, seasonal_day_and_hour with one, seasonal_hour_of_day with two days, mean with less; NULL where data is thin';
COMMENT ON COLUMN tokbudget.forecast.history_hours IS 'hours since the first use in the last eight weeks, one decimal; NULL for none';
COMMENT ON COLUMN tokbudget.forecast.drift_per_day IS 'by how much more (or less) is expected from day to day; 0 where no growth stands out';
COMMENT ON COLUMN tokbudget.forecast.reason IS 'why there is no forecast, in words';
COMMENT ON COLUMN tokbudget.forecast.verdict IS 'what becomes of the budget, in words, on the clock of its zone; NULL for the account''s own use';

CREATE FUNCTION tokbudget._forecast_row(
    so_far tokbudget.forecast, hours timestamp with time zone[], amounts numeric[], room numeric, time_zone text,
    confidence numeric, margin_percent numeric, min_history_hours integer
) RETURNS tokbudget.forecast
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    present CONSTANT timestamp with time zone := tokbudget._now();
    scale CONSTANT integer := CASE WHEN so_far.meter IN ('cost', 'internal_cost') THEN 9 ELSE 0 END;
    history_hours CONSTANT numeric := (
        SELECT EXTRACT(epoch FROM present - min(used.hour)) / 3600 FROM unnest(hours, amounts) AS used (hour, amount) WHERE used.amount <> 0);
    ahead record;
    result record;
BEGIN
    result := so_far;
    result.history_hours := round(history_hours, 1);
    result.reason := tokbudget._thin_history(history_hours, min_history_hours);
    IF result.reason IS NULL THEN
        SELECT used.* INTO ahead FROM tokbudget._use_ahead(hours, amounts::double precision[], present, result.window_end, time_zone,
            confidence::double precision, room::double precision) AS used;
        result.method := ahead.method;
        result.expected := trim_scale(result.spent + round(ahead.expected::numeric, scale));
        result.lower := trim_scale(result.spent + round(ahead.lower::numeric, scale));
        result.upper := trim_scale(result.spent + round(ahead.upper::numeric, scale));
        result.with_margin := trim_scale(result.spent + round(ahead.expected::numeric * (1 + margin_percent / 100), scale));
        result.exhausted_at := ahead.exhausted_at;
        result.drift_per_day := trim_scale(round(ahead.drift_per_day::numeric, scale));
        IF result.method IS NULL THEN
            result.reason := 'less than an hour of history';
        END IF;
    END IF;
    result.verdict := CASE
        WHEN room IS NULL THEN NULL
        WHEN room <= 0 THEN 'exhausted'
        WHEN result.reason IS NOT NULL THEN 'not known: ' || result.reason
        WHEN result.exhausted_at IS NOT NULL THEN 'exhausted on ' || tokbudget._shown_instant(result.exhausted_at, time_zone) || ' as expected'
        WHEN result.with_margin > result.amount THEN
            'lasts until ' || tokbudget._shown_instant(result.window_end, time_zone) || ' as expected, but not with the margin'
        WHEN result.upper > result.amount THEN
            'lasts until ' || tokbudget._shown_instant(result.window_end, time_zone) || ' as expected, but not at the upper end of the band'
        ELSE 'lasts until ' || tokbudget._shown_instant(result.window_end, time_zone)
    END;
    RETURN result;
END;
$$;
COMMENT ON FUNCTION tokbudget._forecast_row(tokbudget.forecast, timestamp with time zone[], numeric[], numeric, text, numeric, numeric, integer) IS
    'internal: so_far with what is expected and what becomes of room, which is NULL where nothing limits the use';

CREATE FUNCTION @extschema@.tb_forecast(
    account text, meter text DEFAULT 'cost', until timestamp with time zone DEFAULT NULL, every text DEFAULT 'month', time_zone text DEFAULT 'UTC',
    confidence numeric DEFAULT 0.8, margin_percent numeric DEFAULT 10, min_history_hours integer DEFAULT 6
) RETURNS SETOF tokbudget.forecast
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_forecast.account);
    present CONSTANT timestamp with time zone := tokbudget._now();
    own_window tokbudget.budget_window;
    line record;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._check_forecast(tb_forecast.meter, tb_forecast.until, tb_forecast.every, tb_forecast.time_zone,
        tb_forecast.confidence, tb_forecast.margin_percent, tb_forecast.min_history_hours);
    own_window := @extschema@.tb_window(tb_forecast.every, present, tb_forecast.time_zone);
    SELECT array_agg(used.hour) AS hours, array_agg(used.amount) AS amounts INTO line
    FROM tokbudget._account_by_hour(found_account.tenant_id, found_account.account_id, tb_forecast.meter,
        tokbudget._history_start(present), present) AS used;
    RETURN QUERY SELECT done.* FROM tokbudget._forecast_row(
        ROW(NULL, found_account.path, tb_forecast.meter, own_window.window_start, COALESCE(tb_forecast.until, own_window.window_end),
            trim_scale(tokbudget._used_since(found_account, tb_forecast.meter, own_window.window_start)),
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::tokbudget.forecast,
        line.hours, line.amounts, NULL, tb_forecast.time_zone, tb_forecast.confidence, tb_forecast.margin_percent, tb_forecast.min_history_hours) AS done;
    FOR line IN
        SELECT budget.*, COALESCE(b.time_zone, 'UTC') AS zone, history.hours, history.amounts,
            COALESCE(LEAST(tb_forecast.until, budget.resets_at, b.valid_until), own_window.window_end) AS ends_at
        FROM tokbudget._remaining(tb_forecast.account, '{}') WITH ORDINALITY AS budget
        JOIN tokbudget.account AS limited ON limited.tenant_id = found_account.tenant_id AND limited.path = budget.account
        LEFT JOIN tokbudget.budget AS b ON b.tenant_id = found_account.tenant_id AND b.budget_id = budget.budget
        CROSS JOIN LATERAL (
            SELECT array_agg(used.hour) AS hours, array_agg(used.amount) AS amounts
            FROM tokbudget._budget_by_hour(found_account.tenant_id, limited.account_id,
                ROW(budget.budget, budget.account, budget.meter, budget.amount, budget.spent, budget.held, budget.remaining,
                    budget.window_start, budget.resets_at, budget.hard, budget.granted, budget.burst)::tokbudget.remaining,
                tokbudget._history_start(present), present) AS used
        ) AS history
        WHERE budget.meter = tb_forecast.meter
        ORDER BY budget.ordinality
    LOOP
        RETURN QUERY SELECT done.* FROM tokbudget._forecast_row(
            ROW(line.budget, line.account, line.meter, line.window_start, line.ends_at, line.spent, NULL, NULL, NULL, NULL,
                trim_scale(line.remaining + line.spent + line.held), NULL, NULL, NULL, NULL, NULL, NULL)::tokbudget.forecast,
            line.hours, line.amounts, line.remaining, line.zone, tb_forecast.confidence, tb_forecast.margin_percent, tb_forecast.min_history_hours) AS done;
    END LOOP;
    IF tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_forecast(text, text, timestamp with time zone, text, text, numeric, numeric, integer) IS
    'what the account and all below it will have used of a meter when the window every in time_zone ends, or by until; then the same for every budget on the meter of the account and of those above it, tightest first, at the end of its own window (of one without end, at until or the end of every). Seasonal by hour and weekday on the clock of time_zone, of a budget on that of its own zone, where the history allows: method says which. confidence is the probability of the band; margin_percent is put on top in with_margin. With fewer than min_history_hours since the first use there is no forecast, and reason says why. Raises TB002 for an unknown account, TB008 for a malformed path or an invalid argument, 42501 for a role that may not read the account';
