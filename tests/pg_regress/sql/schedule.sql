-- tb_window: how a schedule cuts time, a pure function of its arguments.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';

-- Every unit, on a Wednesday before a leap day; and one window without end.
SELECT every, w.* FROM unnest(ARRAY['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year', NULL]) WITH ORDINALITY AS u (every, n),
    tb_window(every, '2024-02-28 13:45:31.5+00') AS w ORDER BY n;
-- An end is the next one's start.
SELECT at, w.* FROM unnest(ARRAY['2024-02-29 23:59:59.999999+00', '2024-03-01 00:00:00+00']::timestamptz[]) AS at, tb_window('day', at) AS w;
-- Now is the default, and the columns are those of a row.
SELECT window_start <= now() AND now() < window_end AS holds_now FROM tb_window('minute');
SELECT (tb_window('day', '2026-01-01 12:00+00')).*;

-- Leap days and the turn of the year.
SELECT every, at, w.* FROM (VALUES ('month', '2024-02-29 12:00+00'::timestamptz), ('month', '2023-02-28 12:00+00'), ('month', '2100-02-28 12:00+00'),
    ('week', '2027-01-01 12:00+00'), ('quarter', '2026-12-31 23:59:59+00'), ('year', '2026-12-31 23:59:59+00'), ('year', '2027-01-01 00:00+00'),
    ('year', '0044-03-15 12:00+00 BC')) AS t (every, at), tb_window(every, at) AS w;

-- Clocks go forward and back in Berlin; Santiago skips a midnight, Havana shows one twice, Samoa had no 30th of December 2011.
SELECT time_zone, every, at, w.*, window_end - window_start AS length FROM (VALUES
    ('Europe/Berlin', 'day', '2026-03-29 12:00+00'::timestamptz), ('Europe/Berlin', 'day', '2026-10-25 12:00+00'),
    ('Europe/Berlin', 'hour', '2026-10-25 00:30+00'), ('Europe/Berlin', 'hour', '2026-10-25 01:30+00'),
    ('Europe/Berlin', 'month', '2026-03-10 12:00+00'), ('America/New_York', 'week', '2026-11-01 12:00+00'),
    ('America/Santiago', 'day', '2026-09-06 12:00+00'), ('America/Havana', 'day', '2026-11-01 04:30+00'),
    ('America/Havana', 'day', '2026-11-01 05:30+00'), ('Pacific/Apia', 'day', '2011-12-30 09:59:59+00'),
    ('Pacific/Apia', 'day', '2011-12-30 10:00+00'), ('Australia/Lord_Howe', 'hour', '2026-04-04 15:10+00'),
    ('Asia/Kolkata', 'hour', '2026-01-01 00:15+00')) AS t (time_zone, every, at), tb_window(every, at, time_zone) AS w;
-- One instant, two days; the session's own zone changes nothing.
SET timezone = 'America/New_York';
SELECT time_zone, w.window_start AT TIME ZONE time_zone AS local_start FROM unnest(ARRAY['UTC', 'Asia/Tokyo', 'Pacific/Honolulu']) AS time_zone,
    tb_window('day', '2026-06-01 20:00+00', time_zone) AS w;
SET timezone = 'UTC';

-- Weeks from any day; 2026-11-21 is a Saturday. An interval of weeks has the same start.
SELECT day, to_char(a.window_start, 'YYYY-MM-DD dy') AS week, a = b AS same
FROM unnest(ARRAY['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']) WITH ORDINALITY AS d (day, n),
    tb_window('week', '2026-11-21 12:00+00', week_start => day) AS a, tb_window('1 week', '2026-11-21 12:00+00', week_start => day) AS b ORDER BY n;

-- Intervals from an anchor, after it and before it.
SELECT every, at, w.* FROM (VALUES ('5 hours', '2026-11-21 12:30+00'::timestamptz), ('5 hours', '2026-11-21 12:29:59.999999+00'), ('5 hours', '2026-11-21 07:00+00'),
    ('90 minutes', '2026-11-21 12:00+00'), ('10 days', '2026-12-01 07:29+00'), ('10 days', '2026-12-01 07:30+00'), ('10 days', '2026-11-20 12:00+00'),
    ('2 weeks', '2026-12-01 12:00+00'), ('3 months', '2026-05-21 07:30+00'), ('1 quarter', '2026-05-21 07:30+00'), ('1 year', '2020-01-01 00:00+00'),
    ('10 years', '2026-11-21 07:29+00')) AS t (every, at),
    tb_window(every, at, anchor => '2026-11-21 07:30+00') AS w;
-- From the 31st and from a leap day: counted from the anchor each, never from one another.
SELECT at::date, w.window_start::date, w.window_end::date FROM generate_series('2026-01-15'::timestamptz, '2026-06-15', '1 month') AS at,
    tb_window('1 month', at, anchor => '2026-01-31 00:00+00') AS w;
SELECT at::date, w.window_start::date, w.window_end::date FROM generate_series('2023-06-01'::timestamptz, '2028-06-01', '1 year') AS at,
    tb_window('1 year', at, anchor => '2024-02-29 00:00+00') AS w;
-- Days keep the time of day over a change of the clocks, hours their length. A time that is skipped is when the clocks land.
SELECT every, anchor, w.*, window_end - window_start AS length FROM (VALUES ('1 day', '2026-03-20 08:00+00'::timestamptz, '2026-03-28 12:00+00'::timestamptz),
    ('24 hours', '2026-03-20 08:00+00', '2026-03-28 12:00+00'), ('1 day', '2026-03-20 01:30+00', '2026-03-29 12:00+00'),
    ('1 day', '2026-10-25 01:30+00', '2026-10-25 01:00+00')) AS t (every, anchor, at),
    tb_window(every, at, 'Europe/Berlin', anchor => anchor) AS w;
-- Without an anchor they are counted from midnight of 1970-01-01 in the zone, and weeks from the first week_start: the calendar's own.
SELECT every, w.* FROM unnest(ARRAY['5 hours', '10 days', '2 weeks', '2 months', '10 years']) WITH ORDINALITY AS t (every, n),
    tb_window(every, '1970-01-01 00:00+00', 'Europe/Berlin') AS w ORDER BY n;
SELECT calendar, bool_and(tb_window(calendar, at, zone) = tb_window(counted, at, zone)) AS same, count(*)
FROM (VALUES ('day', '1 day'), ('week', '1 week'), ('month', '1 month'), ('quarter', '3 months'), ('year', '12 months')) AS t (calendar, counted),
    unnest(ARRAY['UTC', 'Europe/Berlin', 'America/Santiago', 'Pacific/Apia']) AS zone,
    generate_series('2011-01-01'::timestamptz, '2027-01-01', '37 days 5 hours') AS at
GROUP BY calendar ORDER BY calendar;

-- The windows of PostgreSQL's own calendar, which has another copy of the zone database.
SELECT every, count(*) AS checked, count(*) FILTER (WHERE w.window_start <> date_trunc(every, at, zone)) AS differ
FROM unnest(ARRAY['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']) AS every,
    unnest(ARRAY['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Sydney']) AS zone,
    generate_series('2015-01-01'::timestamptz, '2025-12-31', '11 days 7 hours 13 minutes') AS at, tb_window(every, at, zone) AS w
GROUP BY every ORDER BY every;

-- Nothing is left out and nothing counts twice.
SELECT every, count(*) AS windows, bool_and(w.window_end = next.window_start AND w.window_start < w.window_end) AS adjoin
FROM unnest(ARRAY['hour', 'day', 'week', '7 hours', '5 days', '1 month']) AS every, generate_series('2026-01-01'::timestamptz, '2027-01-01', '13 hours') AS at,
    tb_window(every, at, 'America/Havana') AS w, tb_window(every, w.window_end, 'America/Havana') AS next
GROUP BY every ORDER BY every;

-- What is no schedule, and why.
SELECT left(every, 20) AS every, f.code, f.message, f.detail::jsonb ->> 'why' AS why
FROM unnest(ARRAY['', 'fortnight', 'Day', 'days', '5hours', '05:00:00', '0 hours', '-1 day', '1.5 hours', 'NaN days', 'infinity', '99999999999 days', '11 years',
    '5258881 minutes', '1 day 12 hours', '5 fortnights', repeat('day', 100)]) WITH ORDINALITY AS t (every, n),
    refused(format('SELECT tb_window(%L, ''2026-01-01'')', t.every)) AS f ORDER BY n;
SELECT arguments, f.code, f.message, f.detail
FROM unnest(ARRAY[$$'day', NULL$$, $$'day', '2026-01-01', NULL$$, $$'day', '2026-01-01', 'UTC', NULL$$, $$NULL, NULL$$,
    $$'day', 'infinity'$$, $$'day', '-infinity'$$, $$NULL, 'infinity'$$, $$'5 hours', 'infinity'$$,
    $$'5 hours', '2026-01-01', anchor => 'infinity'$$, $$'5 days', '2026-01-01', anchor => '-infinity'$$,
    $$'5 days', '2026-01-01', anchor => '294276-12-31 23:00+00'$$, $$'day', '294276-12-31 23:00+00'$$, $$'year', '4714-11-24 00:00+00 BC'$$,
    $$'day', '2026-01-01', anchor => '2026-01-01'$$, $$NULL, '2026-01-01', anchor => '2026-01-01'$$,
    $$'day', '2026-01-01', ''$$, $$'day', '2026-01-01', 'Europe/Berln'$$, $$'day', '2026-01-01', '+02:00'$$, $$NULL, '2026-01-01', 'Mars/Olympus'$$,
    $$'day', '2026-01-01', week_start => ''$$, $$'week', '2026-01-01', week_start => 'Monday'$$, $$'week', '2026-01-01', week_start => 'caturday'$$])
    WITH ORDINALITY AS t (arguments, n), refused(format('SELECT tb_window(%s)', arguments)) AS f ORDER BY n;
\set SHOW_CONTEXT never
SELECT tb_window('fortnight', '2026-01-01');

-- What set-up asks before it keeps a schedule.
SELECT every, time_zone, week_start, anchor, tokbudget._check_schedule(every, time_zone, week_start, anchor) AS why
FROM (VALUES (NULL, 'UTC', 'monday', NULL::timestamptz), ('day', 'Europe/Berlin', 'sunday', NULL), ('5 hours', 'UTC', 'monday', '2026-01-01'),
    ('day', NULL, 'monday', NULL), ('day', 'UTC', NULL, NULL), ('day', 'UTC', 'monday', '2026-01-01'), ('fortnight', 'UTC', 'monday', NULL),
    ('5 hours', 'UTC', 'monday', 'infinity')) AS t (every, time_zone, week_start, anchor);

-- STABLE: an index of it would not notice new rules of a zone. Parallel workers may call it.
SELECT provolatile, proparallel FROM pg_proc WHERE proname = 'tb_window';
CREATE TABLE called_at (at timestamptz);
CREATE INDEX called_at_day ON called_at ((tb_window('day', at)));
DROP TABLE called_at;
