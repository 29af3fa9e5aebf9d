-- How long budgets last at the present rate.

CREATE FUNCTION tokbudget._shown_instant(at timestamp with time zone, time_zone text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT to_char(timezone(time_zone, at), 'YYYY-MM-DD HH24:MI ') || time_zone
$$;
COMMENT ON FUNCTION tokbudget._shown_instant(timestamp with time zone, text) IS 'internal: an instant for people, on the clock of the zone';

CREATE FUNCTION tokbudget._check_history(min_history_hours integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF min_history_hours IS NULL OR min_history_hours NOT BETWEEN 1 AND 1344 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid min_history_hours',
            DETAIL = jsonb_build_object('min_history_hours', min_history_hours)::text,
            HINT = 'Pass a number of hours from 1 to 1344, which is eight weeks.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_history(integer) IS 'internal: raises TB008 for what is no least number of hours of history';

CREATE FUNCTION tokbudget._thin_history(history_hours numeric, min_history_hours integer) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN history_hours IS NULL THEN 'no use in the last 8 weeks'
        WHEN history_hours < min_history_hours THEN format('%s hours of history, fewer than %s', round(history_hours, 1), min_history_hours)
    END
$$;
COMMENT ON FUNCTION tokbudget._thin_history(numeric, integer) IS 'internal: why nothing can be said from so much history, in words; NULL if it can';

CREATE TYPE tokbudget.runway AS (
    budget bigint,
    account text,
    meter text,
    amount numeric,
    spent numeric,
    held numeric,
    remaining numeric,
    window_start timestamp with time zone,
    resets_at timestamp with time zone,
    hard boolean,
    per_hour numeric,
    look_back text,
    runway_hours numeric,
    exhausted_at timestamp with time zone,
    exhausted_before_reset boolean,
    reason text,
    verdict text
);
COMMENT ON TYPE tokbudget.runway IS 'how long a budget lasts, as tb_runway shows it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.runway.budget IS 'id of the budget; NULL for a quota that the first call will be given';
COMMENT ON COLUMN tokbudget.runway.account IS 'path of the account that it limits';
COMMENT ON COLUMN tokbudget.runway.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.runway.amount IS 'limit of the present window, with what was carried over into it';
COMMENT ON COLUMN tokbudget.runway.spent IS 'used in the present window';
COMMENT ON COLUMN tokbudget.runway.held IS 'set aside for calls that have not settled nor expired';
COMMENT ON COLUMN tokbudget.runway.remaining IS 'amount and grants less spent and held';
COMMENT ON COLUMN tokbudget.runway.window_start IS 'start of the present window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.runway.resets_at IS 'end of the present window, or of the budget where that is earlier; NULL where there is neither';
COMMENT ON COLUMN tokbudget.runway.hard IS 'whether it refuses';
COMMENT ON COLUMN tokbudget.runway.per_hour IS 'the higher of the rates of the last 24 hours and of the last 7 days, of all that draws on the budget, at most nine decimals; NULL where data is thin';
COMMENT ON COLUMN tokbudget.runway.look_back IS 'which of the two: 24 hours or 7 days';
COMMENT ON COLUMN tokbudget.runway.runway_hours IS 'remaining over per_hour, hours, two decimals; 0 when nothing remains, NULL where data is thin';
COMMENT ON COLUMN tokbudget.runway.exhausted_at IS 'when nothing will remain at that rate; infinity for more than 100 years';
COMMENT ON COLUMN tokbudget.runway.exhausted_before_reset IS 'whether that is before resets_at';
COMMENT ON COLUMN tokbudget.runway.reason IS 'why there is no runway, in words: too few hours of history, or no use';
COMMENT ON COLUMN tokbudget.runway.verdict IS 'what becomes of the budget at that rate, in words, on the clock of its zone';

CREATE FUNCTION @extschema@.tb_runway(account text, meter text DEFAULT NULL, min_history_hours integer DEFAULT 6) RETURNS SETOF tokbudget.runway
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_runway.account);
    present CONSTANT timestamp with time zone := tokbudget._now();
    line record;
    result record;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF tb_runway.meter IS NOT NULL THEN
        PERFORM tokbudget._require_meter(tb_runway.meter);
    END IF;
    PERFORM tokbudget._check_history(tb_runway.min_history_hours);
    FOR line IN
        SELECT budget.*, COALESCE(b.time_zone, 'UTC') AS time_zone, LEAST(budget.resets_at, b.valid_until) AS ends_at,
            COALESCE(day.per_hour >= week.per_hour, false) AS is_day, GREATEST(day.per_hour, week.per_hour) AS per_hour,
            tokbudget._thin_history(EXTRACT(epoch FROM present - history.since) / 3600, tb_runway.min_history_hours) AS thin
        FROM tokbudget._remaining(tb_runway.account, '{}') WITH ORDINALITY AS budget
        JOIN tokbudget.account AS limited ON limited.tenant_id = found_account.tenant_id AND limited.path = budget.account
        LEFT JOIN tokbudget.budget AS b ON b.tenant_id = found_account.tenant_id AND b.budget_id = budget.budget
        CROSS JOIN LATERAL (
            SELECT array_agg(used.hour) AS hours, array_agg(used.amount) AS amounts, min(used.hour) FILTER (WHERE used.amount <> 0) AS since
            FROM tokbudget._budget_by_hour(found_account.tenant_id, limited.account_id,
                ROW(budget.budget, budget.account, budget.meter, budget.amount, budget.spent, budget.held, budget.remaining,
                    budget.window_start, budget.resets_at, budget.hard, budget.granted, budget.burst)::tokbudget.remaining,
                tokbudget._history_start(present), present) AS used
        ) AS history
        CROSS JOIN LATERAL tokbudget._burn(history.hours, history.amounts, 24, present) AS day
        CROSS JOIN LATERAL tokbudget._burn(history.hours, history.amounts, 168, present) AS week
        WHERE tb_runway.meter IS NULL OR budget.meter = tb_runway.meter
        ORDER BY budget.ordinality
    LOOP
        result := ROW(line.budget, line.account, line.meter, line.amount, line.spent, line.held, line.remaining, line.window_start,
            line.ends_at, line.hard, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::tokbudget.runway;
        IF line.thin IS NULL AND line.per_hour > 0 THEN
            result.per_hour := trim_scale(round(line.per_hour, 9));
            result.look_back := CASE WHEN line.is_day THEN '24 hours' ELSE '7 days' END;
        END IF;
        IF line.remaining <= 0 THEN
            result.runway_hours := 0;
            result.exhausted_at := present;
        ELSIF line.thin IS NOT NULL THEN
            result.reason := line.thin;
        ELSIF COALESCE(line.per_hour, 0) <= 0 THEN
            result.reason := 'no use in the last 7 days';
        ELSE
            result.runway_hours := round(line.remaining / line.per_hour, 2);
            result.exhausted_at := CASE WHEN result.runway_hours > 876600 THEN 'infinity'
                ELSE present + (line.remaining / line.per_hour * 3600000000)::bigint * interval '1 microsecond' END;
        END IF;
        result.exhausted_before_reset := result.exhausted_at < COALESCE(result.resets_at, 'infinity');
        result.verdict := CASE
            WHEN result.reason IS NOT NULL THEN 'not known: ' || result.reason
            WHEN result.runway_hours = 0 AND line.remaining <= 0 THEN 'exhausted'
            WHEN result.exhausted_before_reset THEN
                'exhausted on ' || tokbudget._shown_instant(result.exhausted_at, line.time_zone) || ' at the present rate'
            WHEN result.resets_at IS NULL THEN 'lasts more than 100 years at the present rate'
            ELSE 'lasts until ' || tokbudget._shown_instant(result.resets_at, line.time_zone) || ' at the present rate'
        END;
        RETURN NEXT result;
    END LOOP;
    IF tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_runway(text, text, integer) IS
    'how long every budget of the account and of those above it lasts, tightest first, as tb_remaining lists them: what remains over the higher of the rates of the last 24 hours and the last 7 days. meter leaves the other budgets out. With fewer than min_history_hours since the first use, or without use, the runway is NULL and reason says why. Raises TB002 for an unknown account, TB008 for a malformed path, meter or number of hours, 42501 for a role that may not read the account';
