-- Calibration: factors for models whose tokenizer is not public. tb_reserve multiplies by them what a stand-in encoding counts.
-- A factor belongs to a model and to the encoding that counted: under another one it would mean nothing.

CREATE FUNCTION tokbudget._encoding(name text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_encoding_wrapper';
COMMENT ON FUNCTION tokbudget._encoding(text) IS 'internal: the encoding that a name of a model or an encoding means; NULL for an unknown one';

CREATE TABLE tokbudget.calibration (
    tenant_id integer NOT NULL,
    calibration_id bigint NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    encoding text NOT NULL,
    effective_at timestamp with time zone NOT NULL,
    factor numeric,
    method text NOT NULL,
    quantile numeric,
    calls bigint,
    median_ratio numeric,
    sampled_since timestamp with time zone,
    sampled_until timestamp with time zone,
    reason text,
    created_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    CONSTRAINT calibration_pkey PRIMARY KEY (tenant_id, calibration_id),
    CONSTRAINT calibration_period_key UNIQUE (tenant_id, provider, model, encoding, effective_at),
    CONSTRAINT calibration_factor_check CHECK (
        factor OPERATOR(pg_catalog.<@) pg_catalog.numrange(0.1, 10, '[]')
        AND pg_catalog.scale(factor) OPERATOR(pg_catalog.<=) 6
    ),
    CONSTRAINT calibration_method_check CHECK (method OPERATOR(pg_catalog.=) ANY (ARRAY['quantile', 'given']))
);
COMMENT ON TABLE tokbudget.calibration IS 'factors by which tb_reserve multiplies a count under a stand-in encoding; versions are added, never changed';
COMMENT ON COLUMN tokbudget.calibration.tenant_id IS 'tenant for which it holds: prompts differ from tenant to tenant';
COMMENT ON COLUMN tokbudget.calibration.calibration_id IS 'id, unique within the tenant';
COMMENT ON COLUMN tokbudget.calibration.provider IS 'who sells the model';
COMMENT ON COLUMN tokbudget.calibration.model IS 'canonical name of the model';
COMMENT ON COLUMN tokbudget.calibration.encoding IS 'encoding whose count is multiplied';
COMMENT ON COLUMN tokbudget.calibration.effective_at IS 'first instant at which it holds, until the next one of the same model and encoding';
COMMENT ON COLUMN tokbudget.calibration.factor IS 'what the count is multiplied by, rounded up to a whole token; NULL for nothing: the plain estimate';
COMMENT ON COLUMN tokbudget.calibration.method IS 'quantile (tb_calibrate computed it) or given (tb_set_calibration set it)';
COMMENT ON COLUMN tokbudget.calibration.quantile IS 'share of the calls that a hold should cover; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration.calls IS 'calls that it was computed from; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration.median_ratio IS 'median over those calls of the provider''s count divided by the count under the encoding; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration.sampled_since IS 'first instant of those calls; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration.sampled_until IS 'first instant after those calls; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration.reason IS 'why it was set';
COMMENT ON COLUMN tokbudget.calibration.created_at IS 'when it was set, by the database clock';
COMMENT ON COLUMN tokbudget.calibration.actor IS 'database role of the session that set it';

CREATE TRIGGER calibration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.calibration
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.calibration ENABLE ALWAYS TRIGGER calibration_changed;

-- Of the origins that declare an encoding, the first of user, import and book wins, as in tb_reserve.
CREATE FUNCTION tokbudget._stand_in(provider text, model text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    declared tokbudget.model;
BEGIN
    SELECT m.* INTO declared FROM tokbudget.model AS m
    WHERE m.provider = _stand_in.provider AND m.model = _stand_in.model AND m.encoding IS NOT NULL
    ORDER BY array_position(ARRAY['user', 'import', 'book'], m.origin)
    LIMIT 1;
    RETURN CASE declared.count_basis WHEN 'estimated' THEN tokbudget._encoding(declared.encoding) END;
END;
$$;
COMMENT ON FUNCTION tokbudget._stand_in(text, text) IS
    'internal: the encoding that stands in for the tokenizer of a model; NULL where none is declared, or an exact one';

CREATE FUNCTION tokbudget._calibration(
    tenant_id integer, provider text, model text, encoding text, at timestamp with time zone
) RETURNS tokbudget.calibration
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_calibration tokbudget.calibration;
BEGIN
    SELECT c.* INTO found_calibration FROM tokbudget.calibration AS c
    WHERE c.tenant_id = _calibration.tenant_id AND c.provider = _calibration.provider AND c.model = _calibration.model
        AND c.encoding = _calibration.encoding AND c.effective_at <= _calibration.at
    ORDER BY c.effective_at DESC
    LIMIT 1;
    RETURN found_calibration;
END;
$$;
COMMENT ON FUNCTION tokbudget._calibration(integer, text, text, text, timestamp with time zone) IS
    'internal: the version that holds at an instant; NULL for none';

CREATE FUNCTION tokbudget._find_tenant(tenant text, privilege text) RETURNS tokbudget.account
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    root_account tokbudget.account := tokbudget._find_account(tenant);
BEGIN
    IF cardinality(root_account.ancestor_ids) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'not a tenant',
            DETAIL = jsonb_build_object('account', tenant, 'tenant', split_part(tenant, '/', 1))::text,
            HINT = 'A tenant is a root account; its calibrations hold for the whole tree.';
    END IF;
    PERFORM tokbudget._require_access(root_account.tenant_id, ARRAY[root_account.account_id], privilege);
    RETURN root_account;
END;
$$;
COMMENT ON FUNCTION tokbudget._find_tenant(text, text) IS
    'internal: the root account of a tenant, on which the present role has the privilege; raises TB002, TB008, 42501';

CREATE FUNCTION tokbudget._add_calibration(
    root_account tokbudget.account, provider text, model text, encoding text, effective_at timestamp with time zone, factor numeric,
    method text, quantile numeric, calls bigint, median_ratio numeric, sampled_since timestamp with time zone,
    sampled_until timestamp with time zone, reason text
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    old_calibration tokbudget.calibration := tokbudget._calibration(root_account.tenant_id, provider, model, encoding, effective_at);
    new_id bigint;
BEGIN
    INSERT INTO tokbudget.calibration (tenant_id, calibration_id, provider, model, encoding, effective_at, factor, method, quantile, calls,
        median_ratio, sampled_since, sampled_until, reason, created_at, actor)
    VALUES (root_account.tenant_id, tokbudget._new_id(), provider, model, encoding, effective_at, trim_scale(factor), method,
        trim_scale(quantile), calls, median_ratio, sampled_since, sampled_until, NULLIF(btrim(reason), ''), tokbudget._now(), SESSION_USER)
    ON CONFLICT ON CONSTRAINT calibration_period_key DO NOTHING
    RETURNING calibration_id INTO new_id;
    IF new_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'calibration exists',
            DETAIL = jsonb_build_object('provider', provider, 'model', model, 'effective_at', effective_at)::text,
            HINT = 'A version is never changed; set a new one with a later effective_at.';
    END IF;
    PERFORM tokbudget._log_change(root_account.tenant_id, root_account.account_id, 'calibration', new_id, 'set',
        CASE WHEN old_calibration.calibration_id IS NOT NULL THEN
            jsonb_build_object('calibration', old_calibration.calibration_id, 'factor', old_calibration.factor) END,
        jsonb_strip_nulls(jsonb_build_object('provider', provider, 'model', model, 'encoding', encoding, 'effective_at', effective_at,
            'method', method, 'quantile', trim_scale(quantile), 'calls', calls, 'median_ratio', median_ratio,
            'sampled_since', sampled_since, 'sampled_until', sampled_until)) || jsonb_build_object('factor', trim_scale(factor)),
        reason);
    RETURN new_id;
END;
$$;
COMMENT ON FUNCTION tokbudget._add_calibration(tokbudget.account, text, text, text, timestamp with time zone, numeric, text, numeric, bigint, numeric, timestamp with time zone, timestamp with time zone, text) IS
    'internal: adds a version and logs it; raises TB008 where one begins at the same instant';

CREATE FUNCTION @extschema@.tb_set_calibration(
    tenant text,
    provider text,
    model text,
    factor numeric,
    effective_at timestamp with time zone DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    root_account tokbudget.account := tokbudget._find_tenant(tb_set_calibration.tenant, 'administer');
    seller CONSTANT text := tokbudget._canonical_provider(tb_set_calibration.provider);
    stand_in CONSTANT text := tokbudget._stand_in(seller, tb_set_calibration.model);
BEGIN
    IF stand_in IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'model is not counted by an estimate',
            DETAIL = jsonb_build_object('provider', tb_set_calibration.provider, 'model', tb_set_calibration.model)::text,
            HINT = 'Give the canonical names of a model for which tb_set_model() declares an encoding as estimated; an exact count is never calibrated.';
    END IF;
    IF NOT tb_set_calibration.factor BETWEEN 0.1 AND 10 OR scale(trim_scale(tb_set_calibration.factor)) > 6
        OR NOT tb_set_calibration.effective_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC'
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid calibration',
            DETAIL = jsonb_build_object('factor', tb_set_calibration.factor::text, 'effective_at', tb_set_calibration.effective_at)::text,
            HINT = 'A factor is between 0.1 and 10 with at most six decimals, or NULL for the plain estimate.';
    END IF;
    RETURN tokbudget._add_calibration(root_account, seller, tb_set_calibration.model, stand_in,
        COALESCE(tb_set_calibration.effective_at, tokbudget._now()), tb_set_calibration.factor, 'given', NULL, NULL, NULL, NULL, NULL,
        tb_set_calibration.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_calibration(text, text, text, numeric, timestamp with time zone, text) IS
    'sets by hand the factor by which tb_reserve multiplies what the stand-in encoding of the model (its canonical name) counts, for the whole tenant, from effective_at (NULL for now) until the next version; NULL ends it. It holds only for prompts and messages that the extension counts, and only while the model declares the same encoding. Returns the id of the version. Raises TB002 for an unknown tenant, TB008 for an account that is no tenant, a model that is not counted by an estimate, an invalid factor or a version that begins at the same instant, 42501 for a role that does not administer the tenant';

CREATE TYPE tokbudget.calibration_info AS (
    calibration bigint,
    provider text,
    model text,
    encoding text,
    effective_at timestamp with time zone,
    ends_at timestamp with time zone,
    factor numeric,
    method text,
    quantile numeric,
    calls bigint,
    median_ratio numeric,
    sampled_since timestamp with time zone,
    sampled_until timestamp with time zone,
    reason text,
    created_at timestamp with time zone,
    actor text
);
COMMENT ON TYPE tokbudget.calibration_info IS 'one version of a calibration as tb_calibrations shows it';
COMMENT ON COLUMN tokbudget.calibration_info.calibration IS 'id of the version';
COMMENT ON COLUMN tokbudget.calibration_info.provider IS 'who sells the model';
COMMENT ON COLUMN tokbudget.calibration_info.model IS 'canonical name of the model';
COMMENT ON COLUMN tokbudget.calibration_info.encoding IS 'encoding whose count is multiplied; nothing happens while the model declares another one';
COMMENT ON COLUMN tokbudget.calibration_info.effective_at IS 'first instant at which it holds';
COMMENT ON COLUMN tokbudget.calibration_info.ends_at IS 'first instant of the next version; NULL for none yet';
COMMENT ON COLUMN tokbudget.calibration_info.factor IS 'what the count is multiplied by; NULL for nothing';
COMMENT ON COLUMN tokbudget.calibration_info.method IS 'quantile (computed by tb_calibrate) or given (by hand)';
COMMENT ON COLUMN tokbudget.calibration_info.quantile IS 'share of the calls that a hold should cover; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration_info.calls IS 'calls that it was computed from; NULL where it was given';
COMMENT ON COLUMN tokbudget.calibration_info.median_ratio IS 'median over those calls of the provider''s count divided by the count under the encoding';
COMMENT ON COLUMN tokbudget.calibration_info.sampled_since IS 'first instant of those calls';
COMMENT ON COLUMN tokbudget.calibration_info.sampled_until IS 'first instant after those calls';
COMMENT ON COLUMN tokbudget.calibration_info.reason IS 'why it was set';
COMMENT ON COLUMN tokbudget.calibration_info.created_at IS 'when it was set, by the database clock';
COMMENT ON COLUMN tokbudget.calibration_info.actor IS 'database role of the session that set it';

CREATE FUNCTION @extschema@.tb_calibrations(tenant text) RETURNS SETOF tokbudget.calibration_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    root_account tokbudget.account := tokbudget._find_tenant(tb_calibrations.tenant, 'read');
BEGIN
    RETURN QUERY
    SELECT c.calibration_id, c.provider, c.model, c.encoding, c.effective_at,
        lead(c.effective_at) OVER (PARTITION BY c.provider, c.model, c.encoding ORDER BY c.effective_at),
        c.factor, c.method, c.quantile, c.calls, c.median_ratio, c.sampled_since, c.sampled_until, c.reason, c.created_at, c.actor
    FROM tokbudget.calibration AS c
    WHERE c.tenant_id = root_account.tenant_id
    ORDER BY c.provider, c.model, c.encoding, c.effective_at DESC;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_calibrations(text) IS
    'every version of every calibration of the tenant, the latest of a model first. Raises TB002 for an unknown tenant, TB008 for an account that is no tenant, 42501 for a role that may not read the tenant';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.calibration', '');
