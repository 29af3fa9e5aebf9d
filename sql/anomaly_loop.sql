-- Sessions that go in circles: the same tool or the same prompt again and again, or two of them in turn. What they call is in
-- their attributes tool and prompt_hash; a step of operation execute_tool without the attribute is named by its step.

CREATE TYPE tokbudget.anomaly_finding AS (
    account_id bigint,
    workflow text,
    session text,
    window_start timestamp with time zone,
    quantity text,
    value numeric,
    median numeric,
    log_mad numeric,
    score numeric,
    times_baseline numeric,
    severity text,
    last_at timestamp with time zone,
    reason text
);
COMMENT ON TYPE tokbudget.anomaly_finding IS 'internal: an anomaly, as those who look for it hand it to those who show it and to those who write the alert';
COMMENT ON COLUMN tokbudget.anomaly_finding.account_id IS 'account of the session, or that the spend of an hour was looked at for';
COMMENT ON COLUMN tokbudget.anomaly_finding.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.anomaly_finding.session IS 'attribute session; NULL for the spend of an hour';
COMMENT ON COLUMN tokbudget.anomaly_finding.window_start IS 'the hour; -infinity for a session';
COMMENT ON COLUMN tokbudget.anomaly_finding.quantity IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.value IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.median IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.log_mad IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.score IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.times_baseline IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.severity IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.last_at IS 'as in tokbudget.anomaly_info';
COMMENT ON COLUMN tokbudget.anomaly_finding.reason IS 'as in tokbudget.anomaly_info';

CREATE FUNCTION tokbudget._session_loops(
    tenant_id integer, account_id bigint, since timestamp with time zone, workflow text,
    tool_repeats integer, prompt_repeats integer, repeat_window interval
) RETURNS SETOF tokbudget.anomaly_finding
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH step AS MATERIALIZED (
        SELECT entry.account_id, entry.session, entry.workflow, entry.recorded_at, entry.entry_id, called.what, called.mark, called.repeats
        FROM tokbudget.entry
        CROSS JOIN LATERAL (VALUES
            ('tool', COALESCE(entry.labels->>'tool', CASE WHEN entry.operation = 'execute_tool' THEN entry.step END),
                _session_loops.tool_repeats),
            ('prompt', entry.labels->>'prompt_hash', _session_loops.prompt_repeats)
        ) AS called (what, mark, repeats)
        WHERE entry.tenant_id = _session_loops.tenant_id AND entry.recorded_at >= _session_loops.since
            AND entry.session IS NOT NULL AND entry.kind IN ('commit', 'charge') AND called.mark IS NOT NULL
            AND array_position(entry.account_ids, _session_loops.account_id) <= array_position(entry.account_ids, entry.account_id)
            AND (_session_loops.workflow IS NULL OR entry.workflow = _session_loops.workflow)
    ), suspect AS (
        -- Of two in turn each has half of the calls. That leaves few to be put in order.
        SELECT DISTINCT frequent.account_id, frequent.session, frequent.what
        FROM (
            SELECT step.account_id, step.session, step.what FROM step
            GROUP BY step.account_id, step.session, step.what, step.mark HAVING count(*) >= max(step.repeats) / 2
        ) AS frequent
    ), seen AS (
        SELECT step.*,
            lag(step.mark) OVER in_turn AS previous,
            step.mark = lag(step.mark, 2) OVER in_turn AND step.mark <> lag(step.mark) OVER in_turn AS is_turn,
            row_number() OVER in_turn AS ordinal,
            row_number() OVER (PARTITION BY step.account_id, step.session, step.what, step.mark
                ORDER BY step.recorded_at, step.entry_id) AS ordinal_of_mark,
            count(*) OVER (PARTITION BY step.account_id, step.session, step.what, step.mark ORDER BY step.recorded_at
                RANGE BETWEEN _session_loops.repeat_window PRECEDING AND CURRENT ROW) AS times_lately
        FROM step JOIN suspect
            ON suspect.account_id = step.account_id AND suspect.session = step.session AND suspect.what = step.what
        WINDOW in_turn AS (PARTITION BY step.account_id, step.session, step.what ORDER BY step.recorded_at, step.entry_id)
    ), in_stretches AS (
        SELECT seen.*,
            count(*) FILTER (WHERE seen.is_turn IS NOT TRUE) OVER (
                PARTITION BY seen.account_id, seen.session, seen.what ORDER BY seen.ordinal) AS turns_since
        FROM seen
    ), loop AS (
        SELECT account_id, session, what, 'repeat' AS pattern, min(workflow) AS workflow, max(recorded_at) AS last_at, count(*) AS times,
            max(repeats) AS repeats, max(mark) AS mark, NULL AS other_mark, false AS is_lately
        FROM in_stretches GROUP BY account_id, session, what, mark, ordinal - ordinal_of_mark HAVING count(*) >= max(repeats)
        UNION ALL
        -- What comes up among other calls may be quite in order, so twice as often.
        SELECT account_id, session, what, 'repeat', min(workflow), max(recorded_at), max(times_lately), 2 * max(repeats), mark, NULL, true
        FROM in_stretches GROUP BY account_id, session, what, mark HAVING max(times_lately) >= 2 * max(repeats)
        UNION ALL
        -- The two calls before the first that is in turn belong to it.
        SELECT account_id, session, what, 'cycle', min(workflow), max(recorded_at), count(*) + 2, max(repeats),
            max(mark), min(LEAST(mark, previous)), false
        FROM in_stretches WHERE is_turn GROUP BY account_id, session, what, turns_since HAVING count(*) + 2 >= max(repeats)
    ), worst AS (
        SELECT DISTINCT ON (account_id, session, what, pattern) *
        FROM loop ORDER BY account_id, session, what, pattern, times::numeric / repeats DESC, is_lately, mark
    )
    SELECT worst.account_id, worst.workflow, worst.session, '-infinity'::timestamp with time zone, worst.what || '_' || worst.pattern,
        worst.times::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
        CASE WHEN worst.times >= 3 * worst.repeats THEN 'critical' ELSE 'warning' END, worst.last_at,
        'session ' || left(worst.session, 100) || CASE
            WHEN worst.pattern = 'cycle' AND worst.what = 'tool' THEN format(' calls the tools %s and %s in turn, %s calls so far',
                left(worst.other_mark, 60), left(worst.mark, 60), worst.times)
            WHEN worst.pattern = 'cycle' THEN format(' sends the same two prompts in turn, %s calls so far (hashes %s and %s)',
                worst.times, left(worst.other_mark, 60), left(worst.mark, 60))
            WHEN worst.what = 'tool' THEN format(' has called the tool %s %s times', left(worst.mark, 60), worst.times)
            ELSE format(' has sent the same prompt %s times', worst.times)
        END || CASE
            WHEN worst.pattern = 'cycle' THEN ''
            WHEN worst.is_lately THEN format(' within %s', _session_loops.repeat_window)
            ELSE ' in a row'
        END || CASE WHEN worst.pattern = 'repeat' AND worst.what = 'prompt' THEN format(' (hash %s)', left(worst.mark, 60)) ELSE '' END
    FROM worst
$$;
COMMENT ON FUNCTION tokbudget._session_loops(integer, bigint, timestamp with time zone, text, integer, integer, interval) IS
    'internal: sessions of an account and all below it that since then have called the same tool or sent the same prompt so often in a row, twice as often within repeat_window, or two of them in turn that many times; only the worst of a kind of each session';
