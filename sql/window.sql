-- Windows: how a budget cuts time, as a pure function that needs no table.

CREATE TYPE tokbudget.budget_window AS (window_start timestamp with time zone, window_end timestamp with time zone);
COMMENT ON TYPE tokbudget.budget_window IS 'one window of a budget, from window_start up to, and without, window_end';
COMMENT ON COLUMN tokbudget.budget_window.window_start IS 'first instant of the window; NULL for one without beginning';
COMMENT ON COLUMN tokbudget.budget_window.window_end IS 'first instant after the window; NULL for one without end';

-- A release with a newer zone database takes no words away and adds some, so what was fine stays fine.
CREATE FUNCTION tokbudget._check_schedule(every text, time_zone text, week_start text, anchor timestamp with time zone) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_schedule_wrapper';
COMMENT ON FUNCTION tokbudget._check_schedule(text, text, text, timestamp with time zone) IS
    'internal: why there is no such schedule, in words; NULL if there is';

-- STABLE, although no setting and no table is read: the zone database is compiled into the library, and a release with newer
-- rules may move a boundary that lies ahead. An index or a generated column of an IMMUTABLE function would not notice.
CREATE FUNCTION tokbudget._window(every text, at timestamp with time zone, time_zone text, week_start text, anchor timestamp with time zone)
    RETURNS tokbudget.budget_window
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_window_wrapper';
COMMENT ON FUNCTION tokbudget._window(text, timestamp with time zone, text, text, timestamp with time zone) IS
    'internal: tb_window, NULL and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_window(
    every text,
    at timestamp with time zone DEFAULT pg_catalog.now(),
    time_zone text DEFAULT 'UTC',
    week_start text DEFAULT 'monday',
    anchor timestamp with time zone DEFAULT NULL
) RETURNS tokbudget.budget_window
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    result tokbudget.budget_window := tokbudget._window(every, at, time_zone, week_start, anchor);
BEGIN
    IF tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN result;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_window(text, timestamp with time zone, text, text, timestamp with time zone) IS
    'the window that holds the instant at, as a budget with this schedule has it. every is minute, hour, day, week, month, quarter, year in the IANA zone time_zone, a count of one of them such as ''5 hours'' (at most ten years), or NULL for one window without end. week_start, monday to sunday, is the first day of a week. Intervals are counted from anchor: minutes and hours by their length, the others on the local calendar from its local date and time, the last day of a month standing for days that the month lacks. Without an anchor they are counted from midnight of 1970-01-01 in the zone, weeks from the first week_start on or after it. Raises TB008 for an unusable schedule or instant, with the reason in the detail';
