-- Who may do what: a privilege on an account holds for everything below it. The functions check it, for the role of the session
-- or the one that it has chosen with SET ROLE; superusers and roles with the privileges of the extension's owner pass.

CREATE TABLE tokbudget.access (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    privilege text NOT NULL,
    role text NOT NULL,
    role_oid oid NOT NULL,
    system_identifier bigint NOT NULL,
    granted_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    granted_by text NOT NULL,
    reason text,
    CONSTRAINT access_pkey PRIMARY KEY (tenant_id, account_id, privilege, role, role_oid),
    CONSTRAINT access_privilege_check CHECK (
        privilege OPERATOR(pg_catalog.=) ANY (ARRAY['spend', 'read', 'administer', 'audit'])
    )
);
COMMENT ON TABLE tokbudget.access IS 'which role may do what on which account and everything below it';
COMMENT ON COLUMN tokbudget.access.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.access.account_id IS 'account on which it holds, with everything below';
COMMENT ON COLUMN tokbudget.access.privilege IS 'spend, read, administer (with all the others) or audit (with read)';
COMMENT ON COLUMN tokbudget.access.role IS 'name of the database role when it was granted; a dump restores it by this name';
COMMENT ON COLUMN tokbudget.access.role_oid IS 'the role in the cluster of system_identifier, where it may have been renamed since';
COMMENT ON COLUMN tokbudget.access.system_identifier IS 'cluster in which role_oid means the role; in any other one the name does';
COMMENT ON COLUMN tokbudget.access.granted_at IS 'when it was granted';
COMMENT ON COLUMN tokbudget.access.granted_by IS 'database role that granted it';
COMMENT ON COLUMN tokbudget.access.reason IS 'why it was granted';

CREATE TRIGGER access_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.access
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.access ENABLE ALWAYS TRIGGER access_changed;

CREATE FUNCTION tokbudget._is_owner() RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_is_owner_wrapper';
COMMENT ON FUNCTION tokbudget._is_owner() IS 'internal: whether the present role passes every check: a superuser, or one with the privileges of the extension''s owner';

CREATE FUNCTION tokbudget._present_role() RETURNS oid
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_present_role_wrapper';
COMMENT ON FUNCTION tokbudget._present_role() IS 'internal: the role of the session or the one that it has chosen with SET ROLE, also within a definer function';

CREATE FUNCTION tokbudget._access_role(role text, role_oid oid, system_identifier bigint) RETURNS oid
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_access_role_wrapper';
COMMENT ON FUNCTION tokbudget._access_role(text, oid, bigint) IS 'internal: the role that a row of tokbudget.access means, NULL where there is none of that name';

CREATE FUNCTION tokbudget._system_identifier() RETURNS bigint
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_system_identifier_wrapper';
COMMENT ON FUNCTION tokbudget._system_identifier() IS 'internal: the number that no other cluster has';

CREATE FUNCTION tokbudget._check_access(tenant_id integer, account_ids bigint[], privilege text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_check_access_wrapper';
COMMENT ON FUNCTION tokbudget._check_access(integer, bigint[], text) IS 'internal: _require_access, NULL when refused';

CREATE FUNCTION tokbudget._require_access(tenant_id integer, account_ids bigint[], privilege text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tokbudget._check_access(tenant_id, account_ids, privilege) IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_access(integer, bigint[], text) IS
    'internal: raises 42501 unless the present role has the privilege on the last of account_ids, which come from the root down, or on one above it';

CREATE FUNCTION tokbudget._require_creation(chain text[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    nearest tokbudget.account;
BEGIN
    SELECT account.* INTO nearest
    FROM tokbudget.tenant JOIN tokbudget.account ON account.tenant_id = tenant.tenant_id
    WHERE tenant.name = chain[1] AND account.path = ANY (chain)
    ORDER BY cardinality(account.ancestor_ids) DESC LIMIT 1;
    IF FOUND THEN
        PERFORM tokbudget._require_access(nearest.tenant_id, nearest.ancestor_ids || nearest.account_id, 'administer');
    ELSIF NOT tokbudget._is_owner() THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'permission denied to create a root account',
            DETAIL = jsonb_build_object('account', chain[1], 'role', pg_get_userbyid(tokbudget._present_role()))::text,
            HINT = 'A root account is a new tenant; superusers and the owner of the extension create it.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_creation(text[]) IS
    'internal: raises 42501 unless the present role may create the account whose paths from the root down are chain: it administers the nearest one that exists';

-- What the views show to those who do not see everything hangs on this. They read it once, not for every row.
CREATE VIEW tokbudget.present_access WITH (security_barrier) AS
SELECT DISTINCT access.tenant_id, access.account_id, access.privilege
FROM tokbudget.access
WHERE pg_catalog.pg_has_role(
    tokbudget._present_role(), tokbudget._access_role(access.role, access.role_oid, access.system_identifier), 'USAGE');
COMMENT ON VIEW tokbudget.present_access IS 'what the present role was granted, itself or through a role that it inherits from';
COMMENT ON COLUMN tokbudget.present_access.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.present_access.account_id IS 'account on which it holds, with everything below';
COMMENT ON COLUMN tokbudget.present_access.privilege IS 'spend, read, administer (with all the others) or audit (with read)';

-- One list for all that a privilege opens. It may name what a version does not have.
CREATE FUNCTION tokbudget._access_objects(privilege text) RETURNS name[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    remaining CONSTANT name[] := '{tb_remaining, tb_affordable, tb_window}';
    spend CONSTANT name[] := remaining || '{tb_reserve, tb_try_reserve, tb_reserve_many, tb_extend, tb_commit, tb_commit_many,
        tb_release, tb_charge, tb_charge_many}'::name[];
    report CONSTANT name[] := '{tb_chargeback, tb_showback, tb_budget_report, chargeback, _shown_tail, unpriced, reported_cost,
        tb_unit_economics, tb_token_efficiency, tb_outcome_values, tb_slo_attainment, tb_waste, tb_waste_trend, tb_context,
        tb_context_growth, tb_estimate_drift, tb_calibrations, tb_burn_rate, tb_runway, tb_forecast, tb_focus,
        focus_1_2, focus_1_4, _focus_months, _focus_month, _focus_time, _is_national_currency,
        tb_session_baselines, tb_anomalies, anomaly, tb_backtest, tb_backtest_calls, tb_scenarios, tb_invoices,
        tb_reconcile}'::name[];
    read CONSTANT name[] := remaining || report || '{tb_accounts, tb_budgets, tb_windows, tb_alerts, tb_grants, tokbudget, _is_owner,
        _present_role, _access_role}'::name[];
    audit CONSTANT name[] := read || '{tb_entries, tb_changes, access_list}'::name[];
    administer CONSTANT name[] := spend || audit || '{tb_create_account, tb_set_account, tb_rename_account, tb_move_account,
        tb_close_account, tb_set_tenant, tb_freeze, tb_thaw, tb_create_budget, tb_change_budget, tb_close_budget, tb_grant, tb_revoke_grant,
        tb_set_quota, tb_remove_quota, tb_set_first_use, tb_adjust, tb_refund, tb_set_rate, tb_set_unpriced, tb_rerate, tb_guard, tb_unguard,
        tb_set_outcome_value, tb_slo, tb_remove_slo, tb_calibrate, tb_set_calibration, tb_grant_access,
        tb_revoke_access, tb_detect_anomalies, tb_set_anomaly_alerts, tb_apply_scenario, tb_load_invoice,
        tb_unload_invoice}'::name[];
BEGIN
    RETURN CASE privilege WHEN 'spend' THEN spend WHEN 'read' THEN read WHEN 'audit' THEN audit WHEN 'administer' THEN administer END;
END;
$$;
COMMENT ON FUNCTION tokbudget._access_objects(text) IS
    'internal: names of the functions that check the privilege, of the views that show what it opens, and of their schema';

CREATE FUNCTION tokbudget._members() RETURNS TABLE (name name, kind text, usual_right text, identity text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH member AS (
        SELECT pg_depend.classid, pg_depend.objid
        FROM pg_depend JOIN pg_extension ON pg_extension.oid = pg_depend.refobjid
        WHERE pg_depend.refclassid = 'pg_extension'::regclass AND pg_depend.deptype = 'e' AND pg_extension.extname = 'tokbudget'
    )
    SELECT pg_proc.proname, 'ROUTINE', 'EXECUTE', pg_proc.oid::regprocedure::text
    FROM member JOIN pg_proc ON member.classid = 'pg_proc'::regclass AND pg_proc.oid = member.objid
    UNION ALL
    SELECT pg_class.relname, 'TABLE', 'SELECT', pg_class.oid::regclass::text
    FROM member JOIN pg_class ON member.classid = 'pg_class'::regclass AND pg_class.oid = member.objid
    WHERE pg_class.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL
    SELECT pg_type.typname, 'TYPE', 'USAGE', pg_type.oid::regtype::text
    FROM member JOIN pg_type ON member.classid = 'pg_type'::regclass AND pg_type.oid = member.objid
    UNION ALL
    SELECT pg_namespace.nspname, 'SCHEMA', 'USAGE', quote_ident(pg_namespace.nspname)
    FROM member JOIN pg_namespace ON member.classid = 'pg_namespace'::regclass AND pg_namespace.oid = member.objid
$$;
COMMENT ON FUNCTION tokbudget._members() IS 'internal: what the extension consists of, as GRANT names it';

CREATE FUNCTION tokbudget._grant_objects(role name, objects name[], is_granted boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    member record;
BEGIN
    FOR member IN SELECT * FROM tokbudget._members() AS members WHERE members.name = ANY (objects) LOOP
        EXECUTE format(CASE WHEN is_granted THEN 'GRANT %s ON %s %s TO %I' ELSE 'REVOKE %s ON %s %s FROM %I' END,
            member.usual_right, member.kind, member.identity, role);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._grant_objects(name, name[], boolean) IS
    'internal: grants the objects of these names to the role or takes them back: EXECUTE on functions, SELECT on views, USAGE on the schema';

CREATE FUNCTION tokbudget._lock_access(tenant_id integer) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- GRANT fails where two change the same function's privileges at once.
    LOCK TABLE tokbudget.access IN SHARE ROW EXCLUSIVE MODE;
    UPDATE tokbudget.access
    SET role = pg_roles.rolname, role_oid = pg_roles.oid, system_identifier = tokbudget._system_identifier()
    FROM pg_roles
    WHERE access.tenant_id = _lock_access.tenant_id
        AND pg_roles.oid = tokbudget._access_role(access.role, access.role_oid, access.system_identifier)
        AND (access.role <> pg_roles.rolname OR access.system_identifier <> tokbudget._system_identifier());
END;
$$;
COMMENT ON FUNCTION tokbudget._lock_access(integer) IS
    'internal: lets nobody else change access until the transaction ends, and writes down what roles are called by now';

CREATE FUNCTION @extschema@.tb_grant_access(role name, account text, privilege text, reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    objects CONSTANT name[] := tokbudget._access_objects(tb_grant_access.privilege);
    holder CONSTANT oid := (SELECT pg_roles.oid FROM pg_roles WHERE pg_roles.rolname = tb_grant_access.role);
    found_account tokbudget.account;
    is_new boolean;
BEGIN
    IF objects IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid privilege',
            DETAIL = jsonb_build_object('privilege', tb_grant_access.privilege)::text,
            HINT = 'A privilege is spend, read, administer or audit.';
    END IF;
    IF holder IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'no such role',
            DETAIL = jsonb_build_object('role', tb_grant_access.role)::text,
            HINT = 'Access is granted to a database role; CREATE ROLE makes one.';
    END IF;
    found_account := tokbudget._find_account(tb_grant_access.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    PERFORM tokbudget._lock_access(found_account.tenant_id);
    INSERT INTO tokbudget.access (tenant_id, account_id, privilege, role, role_oid, system_identifier, granted_by, reason)
    VALUES (found_account.tenant_id, found_account.account_id, tb_grant_access.privilege, tb_grant_access.role, holder,
        tokbudget._system_identifier(), pg_get_userbyid(tokbudget._present_role()), tb_grant_access.reason)
    ON CONFLICT ON CONSTRAINT access_pkey DO NOTHING;
    is_new := FOUND;
    -- Also when it is not new: a later version may have functions that the role was not granted yet.
    PERFORM tokbudget._grant_objects(tb_grant_access.role, objects, true);
    IF is_new THEN
        PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'access', NULL, 'grant', NULL,
            jsonb_build_object('role', tb_grant_access.role, 'privilege', tb_grant_access.privilege), tb_grant_access.reason);
    END IF;
    RETURN is_new;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_grant_access(name, text, text, text) IS
    'lets the role, and roles that inherit from it, act on the account and all below it: spend (reserve, commit, release, and see what remains), read (see what remains and what was spent), audit (read, and see who may do what) or administer (all of these, and set up accounts, budgets, rates and access). It also grants the functions, views and schema that this needs. True when it is new. Raises TB002 for an unknown account, TB008 for an unknown role or privilege, 42501 for a role that does not administer the account';

CREATE FUNCTION @extschema@.tb_revoke_access(role name, account text, privilege text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    objects name[] := tokbudget._access_objects(tb_revoke_access.privilege);
    holder CONSTANT oid := (SELECT pg_roles.oid FROM pg_roles WHERE pg_roles.rolname = tb_revoke_access.role);
    found_account tokbudget.account;
    kept text;
BEGIN
    IF objects IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid privilege',
            DETAIL = jsonb_build_object('privilege', tb_revoke_access.privilege)::text,
            HINT = 'A privilege is spend, read, administer or audit.';
    END IF;
    IF tb_revoke_access.role IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'no such role',
            DETAIL = jsonb_build_object('role', tb_revoke_access.role)::text,
            HINT = 'Name the role; tokbudget.access_list shows who may do what.';
    END IF;
    found_account := tokbudget._find_account(tb_revoke_access.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    PERFORM tokbudget._lock_access(found_account.tenant_id);
    DELETE FROM tokbudget.access
    WHERE access.tenant_id = found_account.tenant_id AND access.account_id = found_account.account_id
        AND access.privilege = tb_revoke_access.privilege AND access.role = tb_revoke_access.role;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'access', NULL, 'revoke',
        jsonb_build_object('role', tb_revoke_access.role, 'privilege', tb_revoke_access.privilege), NULL, NULL);
    IF holder IS NOT NULL THEN
        FOR kept IN
            SELECT DISTINCT access.privilege FROM tokbudget.access
            WHERE tokbudget._access_role(access.role, access.role_oid, access.system_identifier) = holder
        LOOP
            objects := ARRAY(SELECT unnest(objects) EXCEPT SELECT unnest(tokbudget._access_objects(kept)));
        END LOOP;
        PERFORM tokbudget._grant_objects(tb_revoke_access.role, objects, false);
    END IF;
    RETURN true;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_revoke_access(name, text, text) IS
    'takes back what tb_grant_access gave on exactly that account, from the next call of every session on; what the role was granted above or below it stays. Functions and views that no other grant of the role needs are revoked too. False when there was no such grant. The role may have been dropped. Raises TB002 for an unknown account, TB008 for a missing role or an unknown privilege, 42501 for a role that does not administer the account';

CREATE VIEW tokbudget.access_list WITH (security_barrier) AS
WITH shown AS MATERIALIZED (
    SELECT present_access.tenant_id, present_access.account_id FROM tokbudget.present_access
    WHERE present_access.privilege OPERATOR(pg_catalog.=) ANY (ARRAY['administer', 'audit'])
)
SELECT
    tenant.name AS tenant,
    account.path AS account,
    COALESCE(pg_roles.rolname::pg_catalog.text, access.role) AS role,
    access.privilege,
    access.granted_at,
    access.granted_by,
    access.reason,
    pg_roles.oid IS NULL AS is_role_missing
FROM tokbudget.access
JOIN tokbudget.account
    ON account.tenant_id OPERATOR(pg_catalog.=) access.tenant_id
    AND account.account_id OPERATOR(pg_catalog.=) access.account_id
JOIN tokbudget.tenant ON tenant.tenant_id OPERATOR(pg_catalog.=) access.tenant_id
LEFT JOIN pg_catalog.pg_roles
    ON pg_roles.oid OPERATOR(pg_catalog.=) tokbudget._access_role(access.role, access.role_oid, access.system_identifier)
WHERE (SELECT tokbudget._is_owner()) OR EXISTS (
    SELECT FROM shown
    WHERE shown.tenant_id OPERATOR(pg_catalog.=) access.tenant_id
        AND shown.account_id OPERATOR(pg_catalog.=) ANY (account.ancestor_ids OPERATOR(pg_catalog.||) account.account_id)
);
COMMENT ON VIEW tokbudget.access_list IS
    'which role may do what on which account and everything below it; those who administer or audit a part of a tree see that part of it';
COMMENT ON COLUMN tokbudget.access_list.tenant IS 'root account';
COMMENT ON COLUMN tokbudget.access_list.account IS 'account on which it holds, with everything below';
COMMENT ON COLUMN tokbudget.access_list.role IS 'database role, by the name that it has now';
COMMENT ON COLUMN tokbudget.access_list.privilege IS 'spend, read, administer (with all the others) or audit (with read)';
COMMENT ON COLUMN tokbudget.access_list.granted_at IS 'when it was granted';
COMMENT ON COLUMN tokbudget.access_list.granted_by IS 'database role that granted it';
COMMENT ON COLUMN tokbudget.access_list.reason IS 'why it was granted';
COMMENT ON COLUMN tokbudget.access_list.is_role_missing IS 'whether the role has been dropped, or does not exist in the cluster where a dump was restored';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.access', '');
