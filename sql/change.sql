-- The log of set-up changes: who changed which limit, account, grant or rate, when, from what to what and why. Append-only
-- like the ledger, and apart from it: it moves no balance.

CREATE FUNCTION tokbudget._now() RETURNS timestamp with time zone
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_now_wrapper';
COMMENT ON FUNCTION tokbudget._now() IS 'internal: the present by the database clock, or the instant that a test has set';

-- Sessions keep what they have read of the configuration: accounts, budgets, grants, quotas, catalogue, prices, rates,
-- calibrations, access.
-- A change makes every session read anew, at the commit of the change and before any later decision; nothing has to be
-- looked up to learn that nothing has changed.
CREATE FUNCTION tokbudget._notice_change(changed oid) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_notice_change_wrapper';
COMMENT ON FUNCTION tokbudget._notice_change(oid) IS 'internal: makes every session forget what it has read of a table';

CREATE FUNCTION tokbudget._notice_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._notice_change(TG_RELID);
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION tokbudget._notice_change() IS 'internal: trigger that makes every session forget what it has read of the table';

CREATE FUNCTION tokbudget._refuse_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TB010', MESSAGE = COALESCE(TG_ARGV[0], 'ledger') || ' is immutable',
        DETAIL = jsonb_build_object('table', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, 'operation', TG_OP)::text,
        HINT = 'Correct an entry by adding another one.';
END;
$$;
COMMENT ON FUNCTION tokbudget._refuse_change() IS
    'internal: trigger that keeps a table append-only; its argument is what the refusal calls the table, ledger without one';

CREATE TABLE tokbudget.change (
    tenant_id integer NOT NULL,
    change_id bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    acting_role text,
    account_id bigint,
    object text NOT NULL,
    object_id bigint,
    action text NOT NULL,
    before jsonb,
    after jsonb,
    reason text,
    CONSTRAINT change_pkey PRIMARY KEY (tenant_id, change_id),
    CONSTRAINT change_object_check CHECK (
        object OPERATOR(pg_catalog.=)
            ANY (ARRAY['tenant', 'account', 'budget', 'grant', 'quota', 'access', 'rate', 'guard', 'partition', 'calibration',
                'invoice'])
    )
);
CREATE INDEX change_tenant_id_account_id_changed_at_idx ON tokbudget.change (tenant_id, account_id, changed_at);
COMMENT ON TABLE tokbudget.change IS 'log of set-up changes, append-only; tb_changes() reads it';
COMMENT ON COLUMN tokbudget.change.tenant_id IS 'tenant in which something was changed; 0 for what concerns every tenant';
COMMENT ON COLUMN tokbudget.change.change_id IS 'id, unique within the tenant, ordered by time';
COMMENT ON COLUMN tokbudget.change.changed_at IS 'when, by the database clock';
COMMENT ON COLUMN tokbudget.change.actor IS 'database role of the session that made the change';
COMMENT ON COLUMN tokbudget.change.acting_role IS 'role that the session had taken on with SET ROLE; NULL for none';
COMMENT ON COLUMN tokbudget.change.account_id IS 'account that the change concerns, the root for what concerns the tenant';
COMMENT ON COLUMN tokbudget.change.object IS 'kind of thing that was changed: tenant, account, budget, grant, quota, access, rate, guard, partition, calibration or invoice';
COMMENT ON COLUMN tokbudget.change.object_id IS 'id of that thing, where it has one';
COMMENT ON COLUMN tokbudget.change.action IS 'what was done to it: create, set, freeze, thaw, close, rename, move and the like';
COMMENT ON COLUMN tokbudget.change.before IS 'what it was, an object; NULL for something new';
COMMENT ON COLUMN tokbudget.change.after IS 'what it is since, an object; NULL for something gone';
COMMENT ON COLUMN tokbudget.change.reason IS 'why, in the words of whoever changed it';

CREATE TRIGGER change_immutable BEFORE UPDATE OR DELETE ON tokbudget.change
    FOR EACH ROW EXECUTE FUNCTION tokbudget._refuse_change('log of changes');
ALTER TABLE tokbudget.change ENABLE ALWAYS TRIGGER change_immutable;
CREATE TRIGGER change_no_truncate BEFORE TRUNCATE ON tokbudget.change
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._refuse_change('log of changes');
ALTER TABLE tokbudget.change ENABLE ALWAYS TRIGGER change_no_truncate;

CREATE FUNCTION tokbudget._log_change(
    tenant_id integer, account_id bigint, object text, object_id bigint, action text, before jsonb, after jsonb, reason text
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
BEGIN
    -- Inside a definer function CURRENT_USER is the extension's owner; the setting still names what SET ROLE chose.
    INSERT INTO tokbudget.change (
        tenant_id, change_id, changed_at, actor, acting_role, account_id, object, object_id, action, before, after, reason)
    VALUES (COALESCE(tenant_id, 0), tokbudget._new_id(), tokbudget._now(), SESSION_USER,
        NULLIF(NULLIF(current_setting('role'), 'none'), SESSION_USER),
        account_id, object, object_id, action, before, after, NULLIF(btrim(reason), ''));
END;
$$;
COMMENT ON FUNCTION tokbudget._log_change(integer, bigint, text, bigint, text, jsonb, jsonb, text) IS
    'internal: adds a row to the log of set-up changes; tenant_id is NULL for what concerns every tenant';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.change', '');
