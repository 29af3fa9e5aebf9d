-- What happens to an account after it was made: frozen, thawed, closed, described otherwise; and the settings of its tenant.
-- Each of these changes one row, and each adds a row to the log of changes.

CREATE FUNCTION tokbudget._check_reason(account text, reason text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF reason IS NULL OR btrim(reason) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'a reason is needed',
            DETAIL = jsonb_build_object('account', account)::text,
            HINT = 'Say why, for whoever meets the account later.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_reason(text, text) IS 'internal: raises TB008 for a reason that says nothing';

CREATE FUNCTION tokbudget._lock_account(path text) RETURNS tokbudget.account
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(_lock_account.path);
    locked_account tokbudget.account;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    SELECT account.* INTO STRICT locked_account FROM tokbudget.account
    WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.account_id
    FOR NO KEY UPDATE;
    RETURN locked_account;
END;
$$;
COMMENT ON FUNCTION tokbudget._lock_account(text) IS
    'internal: the account of that path as it is when its row is locked; raises TB002 for an unknown one, TB008 for a malformed path, 42501 for a role that does not administer it';

CREATE FUNCTION tokbudget._set_account_status(account text, status text, action text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
BEGIN
    PERFORM tokbudget._check_reason(_set_account_status.account, _set_account_status.reason);
    found_account := tokbudget._lock_account(_set_account_status.account);
    IF found_account.status = 'closed' AND _set_account_status.status = 'closed' THEN
        RETURN;
    END IF;
    PERFORM tokbudget._check_open(found_account);
    UPDATE tokbudget.account SET
        status = _set_account_status.status,
        status_reason = _set_account_status.reason,
        status_actor = SESSION_USER,
        status_changed_at = tokbudget._now()
    WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.account_id;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        _set_account_status.action,
        jsonb_strip_nulls(jsonb_build_object('status', found_account.status, 'status_reason', found_account.status_reason)),
        jsonb_build_object('status', _set_account_status.status, 'status_reason', _set_account_status.reason),
        _set_account_status.reason);
END;
$$;
COMMENT ON FUNCTION tokbudget._set_account_status(text, text, text, text) IS
    'internal: shared body of tb_freeze, tb_thaw and tb_close_account';

CREATE FUNCTION @extschema@.tb_freeze(account text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._set_account_status(account, 'frozen', 'freeze', reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_freeze(text, text) IS
    'refuses every new reservation of the account and of all below it until tb_thaw; open reservations may still settle. Again it replaces the reason. Raises TB002 for an unknown account, TB008 for a malformed path or without a reason, TB009 if it or one above it is closed, 42501 for a role that does not administer it';

CREATE FUNCTION @extschema@.tb_thaw(account text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._set_account_status(account, 'active', 'thaw', reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_thaw(text, text) IS
    'ends a freeze of the account; one of an account above it stays. Again it replaces the reason. Raises TB002 for an unknown account, TB008 for a malformed path or without a reason, TB009 if it or one above it is closed, 42501 for a role that does not administer it';

CREATE FUNCTION @extschema@.tb_close_account(account text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._set_account_status(account, 'closed', 'close', reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_close_account(text, text) IS
    'closes the account, for good: it and all below it get nothing new, no reservation, no budget, no account. Open reservations may still settle, and all history stays. Of a closed account it changes nothing. tb_rename_account frees its name. Raises TB002 for an unknown account, TB008 for a malformed path or without a reason, TB009 if one above it is closed, 42501 for a role that does not administer it';

CREATE FUNCTION @extschema@.tb_set_account(
    account text,
    kind text DEFAULT NULL,
    cost_center text DEFAULT NULL,
    owner text DEFAULT NULL,
    labels jsonb DEFAULT NULL,
    purpose text DEFAULT NULL,
    expires_at timestamp with time zone DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
    new_account tokbudget.account;
BEGIN
    PERFORM tokbudget._check_account_attributes(btrim(tb_set_account.kind), btrim(tb_set_account.cost_center),
        btrim(tb_set_account.owner), tb_set_account.labels, btrim(tb_set_account.purpose), tb_set_account.expires_at);
    found_account := tokbudget._lock_account(tb_set_account.account);
    PERFORM tokbudget._check_open(found_account);
    UPDATE tokbudget.account SET
        kind = NULLIF(btrim(COALESCE(tb_set_account.kind, account.kind)), ''),
        cost_center = NULLIF(btrim(COALESCE(tb_set_account.cost_center, account.cost_center)), ''),
        owner = NULLIF(btrim(COALESCE(tb_set_account.owner, account.owner)), ''),
        labels = COALESCE(tb_set_account.labels, account.labels),
        purpose = NULLIF(btrim(COALESCE(tb_set_account.purpose, account.purpose)), ''),
        expires_at = NULLIF(COALESCE(tb_set_account.expires_at, account.expires_at), 'infinity')
    WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.account_id
    RETURNING account.* INTO STRICT new_account;
    IF new_account IS NOT DISTINCT FROM found_account THEN
        RETURN;
    END IF;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        'set', tokbudget._account_state(found_account), tokbudget._account_state(new_account), tb_set_account.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_account(text, text, text, text, jsonb, text, timestamp with time zone, text) IS
    'overwrites what is given of an account and leaves what is NULL: an empty text clears, labels are replaced as a whole, expires_at => infinity ends an expiry. A new cost center counts for reservations from now on. Raises TB002 for an unknown account, TB008 for a malformed path or attribute, TB009 if it or one above it is closed, 42501 for a role that does not administer it';

CREATE FUNCTION @extschema@.tb_set_tenant(
    tenant text,
    currency text DEFAULT NULL,
    commit_grace interval DEFAULT NULL,
    idempotency_retention interval DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- The log says the same whatever style the session likes.
    SET intervalstyle = 'postgres'
    AS $$
#variable_conflict use_column
DECLARE
    chain text[] := tokbudget._account_chain(tb_set_tenant.tenant);
    root_account tokbudget.account;
    found_tenant tokbudget.tenant;
    new_tenant tokbudget.tenant;
BEGIN
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    IF cardinality(chain) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'not a tenant',
            DETAIL = jsonb_build_object('account', tb_set_tenant.tenant, 'tenant', chain[1])::text,
            HINT = 'A tenant is a root account; its settings hold for the whole tree.';
    END IF;
    IF tb_set_tenant.currency !~ '^[A-Z][A-Z0-9_]{2,15}$'
        OR tb_set_tenant.commit_grace < '0' OR tb_set_tenant.commit_grace > '1 day'
        OR tb_set_tenant.idempotency_retention < '1 hour' OR tb_set_tenant.idempotency_retention > '10 years'
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid tenant setting',
            DETAIL = jsonb_build_object('tenant', tb_set_tenant.tenant, 'currency', tb_set_tenant.currency,
                'commit_grace', tb_set_tenant.commit_grace, 'idempotency_retention', tb_set_tenant.idempotency_retention)::text,
            HINT = 'currency is an ISO 4217 code or a unit such as CREDITS, commit_grace at most a day, idempotency_retention an hour to ten years.';
    END IF;
    root_account := tokbudget._find_account(tb_set_tenant.tenant);
    PERFORM tokbudget._require_access(root_account.tenant_id, ARRAY[root_account.account_id], 'administer');
    SELECT tenant.* INTO STRICT found_tenant FROM tokbudget.tenant
    WHERE tenant.tenant_id = root_account.tenant_id FOR NO KEY UPDATE;
    PERFORM tokbudget._check_open(root_account);
    IF tb_set_tenant.currency <> found_tenant.currency AND (
        EXISTS (SELECT FROM tokbudget.budget
                WHERE budget.tenant_id = found_tenant.tenant_id AND budget.meter = ANY (ARRAY['cost', 'internal_cost']))
        OR EXISTS (SELECT FROM tokbudget.rate WHERE rate.tenant_id = found_tenant.tenant_id)
        OR EXISTS (SELECT FROM tokbudget.reservation WHERE reservation.tenant_id = found_tenant.tenant_id)
        OR EXISTS (SELECT FROM tokbudget.entry WHERE entry.tenant_id = found_tenant.tenant_id))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'currency is in use',
            DETAIL = jsonb_build_object('tenant', tb_set_tenant.tenant, 'currency', found_tenant.currency,
                'requested', tb_set_tenant.currency)::text,
            HINT = 'Choose the currency before the tenant has a budget in cost, a rate, a reservation or an entry.';
    END IF;
    UPDATE tokbudget.tenant SET
        currency = COALESCE(tb_set_tenant.currency, tenant.currency),
        commit_grace = COALESCE(tb_set_tenant.commit_grace, tenant.commit_grace),
        idempotency_retention = COALESCE(tb_set_tenant.idempotency_retention, tenant.idempotency_retention)
    WHERE tenant.tenant_id = found_tenant.tenant_id
    RETURNING tenant.* INTO STRICT new_tenant;
    IF new_tenant IS NOT DISTINCT FROM found_tenant THEN
        RETURN;
    END IF;
    PERFORM tokbudget._log_change(found_tenant.tenant_id, root_account.account_id, 'tenant', found_tenant.tenant_id, 'set',
        jsonb_build_object('currency', found_tenant.currency, 'commit_grace', found_tenant.commit_grace,
            'idempotency_retention', found_tenant.idempotency_retention),
        jsonb_build_object('currency', new_tenant.currency, 'commit_grace', new_tenant.commit_grace,
            'idempotency_retention', new_tenant.idempotency_retention),
        tb_set_tenant.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_tenant(text, text, interval, interval, text) IS
    'sets what is given for the whole tenant and leaves what is NULL: the currency of its costs (ISO 4217 or a unit such as CREDITS; only while it has no budget in cost, rate, reservation or entry), commit_grace (how long after its expiry a reservation is committed in time, up to a day) and idempotency_retention (how long a key answers the same, an hour to ten years). Raises TB002 for an unknown tenant, TB008 for an invalid setting or a currency in use, TB009 if it is closed, 42501 for a role that does not administer it';
