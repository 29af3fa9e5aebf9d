-- Calibration factors from the ledger. A hold must be enough for the call, so a factor is an upper bound: the quantile of
-- the ratios between the provider's count and the encoding's, taken as split conformal prediction takes it, at rank
-- ceil((calls + 1) * quantile). If the next call is like those of the sample, its hold is enough with at least that
-- probability, whatever the distribution (Papadopoulos et al. 2002, "Inductive Confidence Machines for Regression"; Lei et
-- al. 2018, "Distribution-Free Predictive Inference for Regression"). A rank is robust: one odd call moves it by one place.

CREATE TYPE tokbudget.calibration_change AS (
    provider text,
    model text,
    encoding text,
    change text,
    calls bigint,
    median_ratio numeric,
    old_factor numeric,
    new_factor numeric,
    covered_before_percent numeric,
    covered_after_percent numeric,
    why text
);
COMMENT ON TYPE tokbudget.calibration_change IS 'what tb_calibrate found of one model';
COMMENT ON COLUMN tokbudget.calibration_change.provider IS 'who sells the model';
COMMENT ON COLUMN tokbudget.calibration_change.model IS 'canonical name of the model';
COMMENT ON COLUMN tokbudget.calibration_change.encoding IS 'encoding whose count is multiplied';
COMMENT ON COLUMN tokbudget.calibration_change.change IS 'set (a new version holds from now on), proposed (apply was false), unchanged, or too_few_calls';
COMMENT ON COLUMN tokbudget.calibration_change.calls IS 'calls in the sample';
COMMENT ON COLUMN tokbudget.calibration_change.median_ratio IS 'median over them of the provider''s count divided by the count under the encoding (nearest rank)';
COMMENT ON COLUMN tokbudget.calibration_change.old_factor IS 'factor that held until now; NULL for none';
COMMENT ON COLUMN tokbudget.calibration_change.new_factor IS 'factor from the sample; NULL where it is too small';
COMMENT ON COLUMN tokbudget.calibration_change.covered_before_percent IS 'per cent of the sample for which the old factor holds enough';
COMMENT ON COLUMN tokbudget.calibration_change.covered_after_percent IS 'per cent of the sample for which the new factor holds enough';
COMMENT ON COLUMN tokbudget.calibration_change.why IS 'the same in words';

CREATE FUNCTION tokbudget._calibrate(
    tenant_id integer, account_id bigint, since timestamp with time zone, until timestamp with time zone,
    quantile numeric, min_tokens bigint, at timestamp with time zone
) RETURNS TABLE (
    provider text, model text, encoding text, calls bigint, median_ratio numeric, wanted_ratio numeric, old_factor numeric,
    new_factor numeric, covered_before_percent numeric, covered_after_percent numeric
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH call AS (
        SELECT e.provider, e.model, e.encoding, e.counted_tokens, e.actual_tokens, e.actual_tokens::numeric / e.counted_tokens AS ratio
        FROM tokbudget._estimates(_calibrate.tenant_id, _calibrate.account_id, _calibrate.since, _calibrate.until) AS e
        -- Of a few tokens the ratio says more about the envelope of the request than about the encoding.
        WHERE e.count_basis = 'estimated' AND e.counted_tokens >= _calibrate.min_tokens
    ), sorted AS (
        SELECT call.provider, call.model, call.encoding, count(*) AS calls, array_agg(call.ratio ORDER BY call.ratio) AS ratios
        FROM call
        GROUP BY call.provider, call.model, call.encoding
    -- Kept apart, or what a model declares would be looked up for every call. A rank beyond the last is NULL.
    ), ratio AS MATERIALIZED (
        SELECT s.provider, s.model, s.encoding, s.calls, s.ratios[(s.calls + 1) / 2] AS median,
            s.ratios[ceil((s.calls + 1) * _calibrate.quantile)::bigint] AS wanted
        FROM sorted AS s
    ), factor AS (
        -- Rounded up, or the call at the rank would be short by a token.
        SELECT ratio.*, held.factor AS old,
            CASE WHEN ratio.wanted IS NOT NULL THEN trim_scale(LEAST(GREATEST(ceil(ratio.wanted * 10000) / 10000, 0.5), 3)) END AS new
        FROM ratio
        CROSS JOIN LATERAL tokbudget._calibration(_calibrate.tenant_id, ratio.provider, ratio.model, ratio.encoding, _calibrate.at) AS held
        -- What another encoding counted says nothing of the present one.
        WHERE tokbudget._stand_in(ratio.provider, ratio.model) = ratio.encoding
    )
    SELECT f.provider, f.model, f.encoding, f.calls, f.median, f.wanted, f.old, f.new, covered.before_percent, covered.after_percent
    FROM factor AS f
    JOIN (
        SELECT factor.provider, factor.model, factor.encoding,
            100.0 * count(*) FILTER (WHERE ceil(call.counted_tokens * COALESCE(factor.old, 1)) >= call.actual_tokens) / count(*) AS before_percent,
            100.0 * count(*) FILTER (WHERE ceil(call.counted_tokens * factor.new) >= call.actual_tokens) / count(*) AS after_percent
        FROM factor
        JOIN call USING (provider, model, encoding)
        GROUP BY factor.provider, factor.model, factor.encoding
    ) AS covered USING (provider, model, encoding)
    ORDER BY f.provider, f.model;
END;
$$;
COMMENT ON FUNCTION tokbudget._calibrate(integer, bigint, timestamp with time zone, timestamp with time zone, numeric, bigint, timestamp with time zone) IS
    'internal: the factor that covers the quantile of the calls, per model that is counted by an estimate, between 0.5 and 3; NULL where the sample is too small for the quantile';

CREATE FUNCTION @extschema@.tb_calibrate(
    tenant text,
    provider text DEFAULT NULL,
    model text DEFAULT NULL,
    since timestamp with time zone DEFAULT NULL,
    until timestamp with time zone DEFAULT NULL,
    quantile numeric DEFAULT 0.9,
    min_calls integer DEFAULT 30,
    min_tokens bigint DEFAULT 20,
    apply boolean DEFAULT true,
    reason text DEFAULT NULL
) RETURNS SETOF tokbudget.calibration_change
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    root_account tokbudget.account := tokbudget._find_tenant(tb_calibrate.tenant, 'administer');
    present CONSTANT timestamp with time zone := tokbudget._now();
    to_instant timestamp with time zone := COALESCE(tb_calibrate.until, present);
    from_instant timestamp with time zone := COALESCE(tb_calibrate.since, to_instant - interval '30 days');
    seller CONSTANT text := tokbudget._canonical_provider(tb_calibrate.provider);
    found_factor record;
BEGIN
    PERFORM tokbudget._require_span(from_instant, to_instant, true);
    IF tb_calibrate.quantile IS NULL OR NOT tb_calibrate.quantile BETWEEN 0.5 AND 0.999
        OR tb_calibrate.min_calls IS NULL OR tb_calibrate.min_calls < 10 OR tb_calibrate.min_tokens IS NULL OR tb_calibrate.min_tokens < 1
        OR tb_calibrate.apply IS NULL OR btrim(tb_calibrate.provider) = '' OR btrim(tb_calibrate.model) = ''
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid calibration',
            DETAIL = jsonb_build_object('provider', tb_calibrate.provider, 'model', tb_calibrate.model, 'quantile', tb_calibrate.quantile::text,
                'min_calls', tb_calibrate.min_calls, 'min_tokens', tb_calibrate.min_tokens, 'apply', tb_calibrate.apply)::text,
            HINT = 'quantile is between 0.5 and 0.999, min_calls at least 10, min_tokens at least 1.';
    END IF;
    FOR found_factor IN
        SELECT f.*, CASE
                WHEN f.calls < tb_calibrate.min_calls OR f.new_factor IS NULL THEN 'too_few_calls'
                WHEN f.new_factor IS NOT DISTINCT FROM f.old_factor THEN 'unchanged'
                WHEN tb_calibrate.apply THEN 'set'
                ELSE 'proposed'
            END AS change
        FROM tokbudget._calibrate(root_account.tenant_id, root_account.account_id, from_instant, to_instant, tb_calibrate.quantile,
            tb_calibrate.min_tokens, present) AS f
        WHERE (seller IS NULL OR f.provider = seller) AND (tb_calibrate.model IS NULL OR f.model = tb_calibrate.model)
    LOOP
        IF found_factor.change = 'set' THEN
            PERFORM tokbudget._add_calibration(root_account, found_factor.provider, found_factor.model, found_factor.encoding, present,
                found_factor.new_factor, 'quantile', tb_calibrate.quantile, found_factor.calls, round(found_factor.median_ratio, 4),
                from_instant, to_instant, tb_calibrate.reason);
        END IF;
        RETURN QUERY
        SELECT found_factor.provider, found_factor.model, found_factor.encoding, found_factor.change, found_factor.calls,
            round(found_factor.median_ratio, 4), found_factor.old_factor,
            CASE WHEN found_factor.change <> 'too_few_calls' THEN found_factor.new_factor END,
            round(found_factor.covered_before_percent, 2),
            CASE WHEN found_factor.change <> 'too_few_calls' THEN round(found_factor.covered_after_percent, 2) END,
            CASE
                WHEN found_factor.change = 'too_few_calls' THEN
                    format('%s calls of at least %s tokens are too few%s', found_factor.calls, tb_calibrate.min_tokens,
                        CASE WHEN found_factor.calls >= tb_calibrate.min_calls THEN ' for the quantile' ELSE '' END)
                ELSE format('enough for %s %% of the sample%s', trim_scale(round(found_factor.covered_after_percent, 2)),
                    CASE WHEN found_factor.wanted_ratio NOT BETWEEN 0.5 AND 3
                        THEN format('; the sample asks for %s, which is out of bounds', round(found_factor.wanted_ratio, 4)) ELSE '' END)
            END;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_calibrate(text, text, text, timestamp with time zone, timestamp with time zone, numeric, integer, bigint, boolean, text) IS
    'computes from the tenant''s ledger, per model that is counted by an estimate (all, or those of provider and model, canonical names), the factor with which the count was enough for the share quantile of the calls, and lets it hold from now on. The sample is every whole call recorded from since (NULL: 30 days before until) up to until (NULL: now) that counted at least min_tokens tokens; with fewer than min_calls calls, or too few for the quantile, nothing changes. A factor is between 0.5 and 3. With apply => false it only says what it would do. Raises TB002 for an unknown tenant, TB008 for an account that is no tenant or an invalid argument, 42501 for a role that does not administer the tenant';
