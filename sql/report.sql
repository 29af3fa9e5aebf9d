-- What all reports go by.

CREATE FUNCTION tokbudget._require_span(since timestamp with time zone, until timestamp with time zone, is_finite boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF (since < until) IS NOT TRUE OR is_finite AND NOT (since >= '1970-01-01 UTC' AND until <= '9999-12-31 UTC') THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid period',
            DETAIL = jsonb_build_object('since', since, 'until', until)::text,
            HINT = CASE WHEN is_finite THEN 'A period goes from since up to, and without, until, which is later, both between 1970 and 9999.'
                ELSE 'A period goes from since up to, and without, until, which is later. Leave them out for all there is.' END;
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_span(timestamp with time zone, timestamp with time zone, boolean) IS
    'internal: raises TB008 for a period without beginning, end or length, or, where it has to be finite, for one beyond 1970 to 9999';

-- Without SET, so that it becomes part of the statement that calls it.
CREATE FUNCTION tokbudget._percent_of(part numeric, whole numeric) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN whole OPERATOR(pg_catalog.<>) 0::pg_catalog.numeric
        THEN pg_catalog.trim_scale(pg_catalog.round(part OPERATOR(pg_catalog.*) 100::pg_catalog.numeric OPERATOR(pg_catalog./) whole, 4)) END
$$;
COMMENT ON FUNCTION tokbudget._percent_of(numeric, numeric) IS 'internal: part in per cent of whole with at most four decimals; NULL of nothing';
