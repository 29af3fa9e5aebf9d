-- The read side of accounts and of the log of changes, for the account asked for and all below it.

CREATE TYPE tokbudget.account_info AS (
    account text,
    kind text,
    status text,
    status_reason text,
    status_actor text,
    owner text,
    cost_center text,
    labels jsonb,
    purpose text,
    expires_at timestamp with time zone,
    status_changed_at timestamp with time zone,
    created_at timestamp with time zone
);
COMMENT ON TYPE tokbudget.account_info IS 'one account as tb_accounts shows it';
COMMENT ON COLUMN tokbudget.account_info.account IS 'path';
COMMENT ON COLUMN tokbudget.account_info.kind IS 'organization, team, project, user, agent, workflow, session, task, service account or any other word';
COMMENT ON COLUMN tokbudget.account_info.status IS 'active, frozen or closed: its own, whatever those above it are';
COMMENT ON COLUMN tokbudget.account_info.status_reason IS 'why it was frozen, thawed or closed';
COMMENT ON COLUMN tokbudget.account_info.status_actor IS 'database role of the session that froze, thawed or closed it';
COMMENT ON COLUMN tokbudget.account_info.owner IS 'who answers for it';
COMMENT ON COLUMN tokbudget.account_info.cost_center IS 'where its spend is charged; NULL for where that of the account above is';
COMMENT ON COLUMN tokbudget.account_info.labels IS 'anything else about it, a JSON object';
COMMENT ON COLUMN tokbudget.account_info.purpose IS 'what it is there for';
COMMENT ON COLUMN tokbudget.account_info.expires_at IS 'first instant at which it and all below it get nothing new; NULL for never';
COMMENT ON COLUMN tokbudget.account_info.status_changed_at IS 'when it was last frozen, thawed or closed; NULL for never';
COMMENT ON COLUMN tokbudget.account_info.created_at IS 'when it was made';

CREATE FUNCTION @extschema@.tb_accounts(account text) RETURNS SETOF tokbudget.account_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    top_account tokbudget.account := tokbudget._find_account(tb_accounts.account);
BEGIN
    PERFORM tokbudget._require_access(top_account.tenant_id, top_account.ancestor_ids || top_account.account_id, 'read');
    RETURN QUERY
    SELECT account.path::text, account.kind, account.status, account.status_reason, account.status_actor, account.owner,
        account.cost_center, account.labels, account.purpose, account.expires_at, account.status_changed_at, account.created_at
    FROM tokbudget.account
    WHERE account.tenant_id = top_account.tenant_id
        AND (account.path = top_account.path OR account.path >= top_account.path || '/' AND account.path < top_account.path || '0')
    -- As a tree: what is below an account follows it.
    ORDER BY string_to_array(account.path, '/');
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_accounts(text) IS
    'the account and all below it, each followed by what is below it. Raises TB002 for an unknown account, TB008 for a malformed path, 42501 for a role that may not read the account';

CREATE TYPE tokbudget.change_info AS (
    changed_at timestamp with time zone,
    actor text,
    acting_role text,
    account text,
    object text,
    object_id bigint,
    action text,
    before jsonb,
    after jsonb,
    reason text
);
COMMENT ON TYPE tokbudget.change_info IS 'one set-up change as tb_changes shows it';
COMMENT ON COLUMN tokbudget.change_info.changed_at IS 'when, by the database clock';
COMMENT ON COLUMN tokbudget.change_info.actor IS 'database role of the session that made the change';
COMMENT ON COLUMN tokbudget.change_info.acting_role IS 'role that the session had taken on with SET ROLE; NULL for none';
COMMENT ON COLUMN tokbudget.change_info.account IS 'present path of the account that the change concerns';
COMMENT ON COLUMN tokbudget.change_info.object IS 'kind of thing that was changed: tenant, account, budget, grant, quota, access, rate, guard, partition or calibration';
COMMENT ON COLUMN tokbudget.change_info.object_id IS 'id of that thing, where it has one';
COMMENT ON COLUMN tokbudget.change_info.action IS 'what was done to it: create, set, freeze, thaw, close, rename, move and the like';
COMMENT ON COLUMN tokbudget.change_info.before IS 'what it was, an object; NULL for something new';
COMMENT ON COLUMN tokbudget.change_info.after IS 'what it is since, an object; NULL for something gone';
COMMENT ON COLUMN tokbudget.change_info.reason IS 'why, in the words of whoever changed it';

CREATE FUNCTION @extschema@.tb_changes(account text, since timestamp with time zone DEFAULT '-infinity')
    RETURNS SETOF tokbudget.change_info
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    top_account tokbudget.account;
BEGIN
    IF tb_changes.since IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid since',
            DETAIL = jsonb_build_object('argument', 'since', 'why', 'it is null')::text,
            HINT = 'Leave it out for everything.';
    END IF;
    top_account := tokbudget._find_account(tb_changes.account);
    PERFORM tokbudget._require_access(top_account.tenant_id, top_account.ancestor_ids || top_account.account_id, 'audit');
    RETURN QUERY
    SELECT change.changed_at, change.actor, change.acting_role, account.path::text, change.object, change.object_id,
        change.action, change.before, change.after, change.reason
    FROM tokbudget.account
    JOIN tokbudget.change
        ON change.tenant_id = account.tenant_id AND change.account_id = account.account_id
        AND change.changed_at >= tb_changes.since
    WHERE account.tenant_id = top_account.tenant_id
        AND (account.path = top_account.path OR account.path >= top_account.path || '/' AND account.path < top_account.path || '0')
    ORDER BY change.changed_at DESC, change.change_id DESC;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_changes(text, timestamp with time zone) IS
    'every set-up change of the account and of all below it since an instant, the latest first. An account that was moved brings its changes along. Raises TB002 for an unknown account, TB008 for a malformed path or a null instant, 42501 for a role that may not audit the account';
