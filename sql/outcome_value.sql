-- What an outcome is worth: declared for an account and all below it, so that reports can set value against cost.

CREATE TABLE tokbudget.outcome_value (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    workflow text NOT NULL,
    outcome text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    value numeric,
    is_success boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    CONSTRAINT outcome_value_pkey PRIMARY KEY (tenant_id, account_id, workflow, outcome, valid_from),
    CONSTRAINT outcome_value_period_check CHECK (valid_until OPERATOR(pg_catalog.>) valid_from),
    CONSTRAINT outcome_value_value_check CHECK (value OPERATOR(pg_catalog.<@) pg_catalog.numrange(-1000000000, 1000000000, '[]'))
);
COMMENT ON TABLE tokbudget.outcome_value IS 'what an outcome of a session or task is worth, and whether it is a success';
COMMENT ON COLUMN tokbudget.outcome_value.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.outcome_value.account_id IS 'account for which it holds, with everything below; the deepest one wins';
COMMENT ON COLUMN tokbudget.outcome_value.workflow IS 'workflow for which it holds, which wins over the empty one: every workflow';
COMMENT ON COLUMN tokbudget.outcome_value.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.outcome_value.valid_from IS 'first start of a session for which it holds; -infinity for all before';
COMMENT ON COLUMN tokbudget.outcome_value.valid_until IS 'first start of a session for which it no longer holds; infinity for none';
COMMENT ON COLUMN tokbudget.outcome_value.value IS 'what one is worth, in units of the tenant''s currency, negative for harm; NULL where only success is declared';
COMMENT ON COLUMN tokbudget.outcome_value.is_success IS 'whether it counts as a success';
COMMENT ON COLUMN tokbudget.outcome_value.created_at IS 'when it was declared';
COMMENT ON COLUMN tokbudget.outcome_value.actor IS 'database role of the session that declared it';

CREATE FUNCTION @extschema@.tb_set_outcome_value(
    account text,
    workflow text,
    outcome text,
    value numeric DEFAULT NULL,
    is_success boolean DEFAULT true,
    currency text DEFAULT NULL,
    effective_at timestamp with time zone DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    of_workflow CONSTANT text := COALESCE(btrim(tb_set_outcome_value.workflow), '');
    of_outcome CONSTANT text := btrim(tb_set_outcome_value.outcome);
    found_account tokbudget.account;
    tenant_currency text;
    begins_at timestamp with time zone := tb_set_outcome_value.effective_at;
    old_value tokbudget.outcome_value;
    new_value tokbudget.outcome_value;
BEGIN
    IF COALESCE(of_outcome, '') = '' OR octet_length(of_outcome) > 1000 OR octet_length(of_workflow) > 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid outcome',
            DETAIL = jsonb_build_object('outcome', left(tb_set_outcome_value.outcome, 200), 'workflow', left(tb_set_outcome_value.workflow, 200))::text,
            HINT = 'Name an outcome as calls name it in their attributes; workflow is NULL for every one. Each has at most 1000 bytes.';
    END IF;
    -- NaN is above every number.
    IF tb_set_outcome_value.value NOT BETWEEN -1000000000 AND 1000000000 OR scale(trim_scale(tb_set_outcome_value.value)) > 9
        OR (tb_set_outcome_value.is_success IS NULL AND tb_set_outcome_value.value IS NOT NULL)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid value',
            DETAIL = jsonb_build_object('outcome', of_outcome, 'value', tb_set_outcome_value.value::text,
                'is_success', tb_set_outcome_value.is_success)::text,
            HINT = 'A value is at most 1000000000 either way with at most nine decimals; is_success is true or false, or NULL without a value to end a declaration.';
    END IF;
    IF begins_at = 'infinity' OR begins_at > '9999-12-31 UTC' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid effective_at',
            DETAIL = jsonb_build_object('effective_at', begins_at)::text,
            HINT = 'Give an instant, or -infinity for all sessions there ever were.';
    END IF;
    found_account := tokbudget._find_account(tb_set_outcome_value.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    SELECT tenant.currency INTO STRICT tenant_currency FROM tokbudget.tenant WHERE tenant.tenant_id = found_account.tenant_id;
    IF tb_set_outcome_value.currency <> tenant_currency THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid currency',
            DETAIL = jsonb_build_object('currency', tb_set_outcome_value.currency, 'expected', tenant_currency)::text,
            HINT = 'A value is in the currency of the costs that it is set against; leave currency out.';
    END IF;
    -- Two that declare the same at once: the second waits, and continues what the first did.
    LOCK TABLE tokbudget.outcome_value IN SHARE ROW EXCLUSIVE MODE;
    SELECT o.* INTO old_value FROM tokbudget.outcome_value AS o
    WHERE o.tenant_id = found_account.tenant_id AND o.account_id = found_account.account_id AND o.workflow = of_workflow
        AND o.outcome = of_outcome AND o.valid_until > COALESCE(begins_at, tokbudget._now())
    ORDER BY o.valid_from LIMIT 1;
    begins_at := COALESCE(begins_at, CASE WHEN EXISTS (
        SELECT FROM tokbudget.outcome_value AS o
        WHERE o.tenant_id = found_account.tenant_id AND o.account_id = found_account.account_id AND o.workflow = of_workflow
            AND o.outcome = of_outcome
    ) THEN tokbudget._now() ELSE '-infinity'::timestamp with time zone END);
    DELETE FROM tokbudget.outcome_value AS o
    WHERE o.tenant_id = found_account.tenant_id AND o.account_id = found_account.account_id AND o.workflow = of_workflow
        AND o.outcome = of_outcome AND o.valid_from >= begins_at;
    UPDATE tokbudget.outcome_value AS o SET valid_until = begins_at
    WHERE o.tenant_id = found_account.tenant_id AND o.account_id = found_account.account_id AND o.workflow = of_workflow
        AND o.outcome = of_outcome AND o.valid_until > begins_at;
    IF tb_set_outcome_value.is_success IS NOT NULL THEN
        INSERT INTO tokbudget.outcome_value AS o (tenant_id, account_id, workflow, outcome, valid_from, valid_until, value, is_success, created_at, actor)
        VALUES (found_account.tenant_id, found_account.account_id, of_workflow, of_outcome, begins_at, 'infinity',
            trim_scale(tb_set_outcome_value.value), tb_set_outcome_value.is_success, tokbudget._now(), SESSION_USER)
        RETURNING o.* INTO new_value;
    END IF;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        'set_outcome_value',
        jsonb_build_object('workflow', NULLIF(of_workflow, ''), 'outcome', of_outcome, 'value', old_value.value, 'is_success', old_value.is_success),
        jsonb_build_object('workflow', NULLIF(of_workflow, ''), 'outcome', of_outcome, 'value', new_value.value, 'is_success', new_value.is_success,
            'effective_at', begins_at),
        tb_set_outcome_value.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_outcome_value(text, text, text, numeric, boolean, text, timestamp with time zone, text) IS
    'declares what one session or task of the account, or of any below it, that ends with the outcome is worth (value, in units of the tenant''s currency, negative for harm, NULL for unknown) and whether that is a success. workflow NULL holds for every workflow; one for the workflow wins over it, and that of the deepest account over both. It holds for what starts at effective_at or later and replaces what was declared for then; without effective_at for everything, or from now on where something was declared before. is_success NULL ends a declaration. An outcome named success is one without being declared. Raises TB002 for an unknown account, TB008 for an invalid value or another currency, 42501 for a role that does not administer the account';

CREATE TYPE tokbudget.outcome_value_info AS (
    account text,
    workflow text,
    outcome text,
    value numeric,
    currency text,
    is_success boolean,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone
);
COMMENT ON TYPE tokbudget.outcome_value_info IS 'a declared value as tb_outcome_values shows it';
COMMENT ON COLUMN tokbudget.outcome_value_info.account IS 'account for which it holds, with everything below';
COMMENT ON COLUMN tokbudget.outcome_value_info.workflow IS 'workflow for which it holds; NULL for every one';
COMMENT ON COLUMN tokbudget.outcome_value_info.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.outcome_value_info.value IS 'what one is worth, in currency units; NULL where only success is declared';
COMMENT ON COLUMN tokbudget.outcome_value_info.currency IS 'currency of the value, ISO 4217';
COMMENT ON COLUMN tokbudget.outcome_value_info.is_success IS 'whether it counts as a success';
COMMENT ON COLUMN tokbudget.outcome_value_info.valid_from IS 'first start of a session for which it holds; NULL for all before';
COMMENT ON COLUMN tokbudget.outcome_value_info.valid_until IS 'first start of a session for which it no longer holds; NULL for none';

CREATE FUNCTION @extschema@.tb_outcome_values(account text) RETURNS SETOF tokbudget.outcome_value_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_outcome_values.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    RETURN QUERY
    SELECT below.path::text, NULLIF(o.workflow, ''), o.outcome, o.value, tenant.currency, o.is_success,
        NULLIF(o.valid_from, '-infinity'), NULLIF(o.valid_until, 'infinity')
    FROM tokbudget.outcome_value AS o
    JOIN tokbudget.account AS below ON below.tenant_id = o.tenant_id AND below.account_id = o.account_id
    JOIN tokbudget.tenant ON tenant.tenant_id = o.tenant_id
    WHERE o.tenant_id = found_account.tenant_id
        AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
    ORDER BY below.path, o.workflow, o.outcome, o.valid_from;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_outcome_values(text) IS
    'what was declared with tb_set_outcome_value for the account and for those below it, past declarations too. Raises TB002 for an unknown account, TB008 for a malformed path, 42501 for a role that may not read it';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.outcome_value', '');
