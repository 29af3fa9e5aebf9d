-- Accounts form a tree by path, 'acme/search/bot-7'. The first segment is the tenant: one tenant's tree lives together,
-- so every key begins with tenant_id and every call touches one tenant.
--
-- No foreign keys among the tables of the extension: CREATE EXTENSION makes them before any data is loaded, and a parallel
-- pg_restore loads the tables in no particular order. The functions are the only writers and keep what the keys would.

CREATE TABLE tokbudget.tenant (
    tenant_id integer NOT NULL,
    name text NOT NULL,
    currency text NOT NULL DEFAULT 'USD',
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    rerated_at timestamp with time zone,
    CONSTRAINT tenant_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_name_key UNIQUE (name),
    CONSTRAINT tenant_id_check CHECK (tenant_id OPERATOR(pg_catalog.>) 0)
);
COMMENT ON TABLE tokbudget.tenant IS 'root accounts by name; what a call looks up first';
COMMENT ON COLUMN tokbudget.tenant.tenant_id IS 'number of the tenant, the head of every key';
COMMENT ON COLUMN tokbudget.tenant.name IS 'name of the root account, the first name of every path below it';
COMMENT ON COLUMN tokbudget.tenant.created_at IS 'when the root account was made';
COMMENT ON COLUMN tokbudget.tenant.rerated_at IS 'when its entries were last re-rated';
COMMENT ON COLUMN tokbudget.tenant.currency IS 'currency of every cost budget and every cost of the tenant, ISO 4217';

CREATE TABLE tokbudget.account (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    path text NOT NULL,
    parent_id bigint,
    ancestor_ids bigint[] NOT NULL,
    kind text,
    status text NOT NULL DEFAULT 'active',
    status_reason text,
    owner text,
    cost_center text,
    labels jsonb NOT NULL DEFAULT '{}',
    unpriced text,
    fallback_unit_prices jsonb,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    CONSTRAINT account_pkey PRIMARY KEY (tenant_id, account_id),
    CONSTRAINT account_path_key UNIQUE (tenant_id, path),
    CONSTRAINT account_status_check CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['active', 'frozen', 'closed'])),
    CONSTRAINT account_unpriced_check CHECK (unpriced OPERATOR(pg_catalog.=) ANY (ARRAY['refuse', 'record'])),
    CONSTRAINT account_labels_check CHECK (pg_catalog.jsonb_typeof(labels) OPERATOR(pg_catalog.=) 'object')
);
COMMENT ON TABLE tokbudget.account IS 'tree of accounts: who can spend';
COMMENT ON COLUMN tokbudget.account.tenant_id IS 'tenant whose tree the account is in';
COMMENT ON COLUMN tokbudget.account.account_id IS 'id, unique within the tenant, ordered by time';
COMMENT ON COLUMN tokbudget.account.parent_id IS 'account above it; NULL for the root';
COMMENT ON COLUMN tokbudget.account.status_reason IS 'why it was frozen, thawed or closed';
COMMENT ON COLUMN tokbudget.account.owner IS 'who answers for it';
COMMENT ON COLUMN tokbudget.account.labels IS 'anything else about it, a JSON object';
COMMENT ON COLUMN tokbudget.account.unpriced IS 'what happens to usage without a price: refuse or record; NULL for what the account above does';
COMMENT ON COLUMN tokbudget.account.fallback_unit_prices IS 'what budgets in cost count usage without a price at, as in tokbudget.price';
COMMENT ON COLUMN tokbudget.account.created_at IS 'when it was made';
COMMENT ON COLUMN tokbudget.account.path IS 'names from the root down, joined by a slash';
COMMENT ON COLUMN tokbudget.account.ancestor_ids IS 'account ids from the root down to the parent';
COMMENT ON COLUMN tokbudget.account.kind IS 'organization, team, project, user, agent, workflow, session, task, service account or any other word';
COMMENT ON COLUMN tokbudget.account.status IS 'active, frozen (nothing new until thawed; open reservations may still settle) or closed';
COMMENT ON COLUMN tokbudget.account.cost_center IS 'where the spend is charged; an account without one has that of its nearest ancestor';

CREATE FUNCTION tokbudget._new_id() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', '_new_id_wrapper';
COMMENT ON FUNCTION tokbudget._new_id() IS 'internal: time-ordered 63-bit id, unique within a tenant';

CREATE FUNCTION tokbudget._account_chain(path text) RETURNS text[]
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_account_chain_wrapper';
COMMENT ON FUNCTION tokbudget._account_chain(text) IS 'internal: the paths from the root down to path itself, NULL when refused';

CREATE FUNCTION tokbudget._find_account(path text) RETURNS tokbudget.account
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    chain text[] := tokbudget._account_chain(_find_account.path);
    found_account tokbudget.account;
BEGIN
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    SELECT account.* INTO found_account
    FROM tokbudget.tenant JOIN tokbudget.account ON account.tenant_id = tenant.tenant_id
    WHERE tenant.name = chain[1] AND account.path = _find_account.path;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such account',
            DETAIL = jsonb_build_object('account', _find_account.path)::text,
            HINT = 'Create it with tb_create_account(), or check the path.';
    END IF;
    RETURN found_account;
END;
$$;
COMMENT ON FUNCTION tokbudget._find_account(text) IS 'internal: the account of that path; raises TB002 for an unknown one, TB008 for a malformed path';

CREATE FUNCTION @extschema@.tb_create_account(
    path text,
    kind text DEFAULT NULL,
    cost_center text DEFAULT NULL,
    owner text DEFAULT NULL,
    labels jsonb DEFAULT '{}'
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    chain text[] := tokbudget._account_chain(tb_create_account.path);
    level_path text;
    root_id integer;
    found_account tokbudget.account;
    parent_account tokbudget.account;
BEGIN
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    IF tb_create_account.labels IS NULL OR jsonb_typeof(tb_create_account.labels) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'labels must be a JSON object',
            DETAIL = jsonb_build_object('labels', tb_create_account.labels)::text,
            HINT = 'Pass an object such as ''{"env": "prod"}''.';
    END IF;

    SELECT tenant.tenant_id INTO root_id FROM tokbudget.tenant WHERE tenant.name = chain[1];
    IF root_id IS NULL THEN
        -- Tenants are few and made by hand, so numbering them under a lock costs nothing and needs no sequence.
        LOCK TABLE tokbudget.tenant IN SHARE ROW EXCLUSIVE MODE;
        SELECT tenant.tenant_id INTO root_id FROM tokbudget.tenant WHERE tenant.name = chain[1];
        IF root_id IS NULL THEN
            INSERT INTO tokbudget.tenant (tenant_id, name)
            SELECT COALESCE(max(tenant.tenant_id), 0) + 1, chain[1] FROM tokbudget.tenant
            RETURNING tenant.tenant_id INTO root_id;
            PERFORM tokbudget._make_first_partitions();
        END IF;
    END IF;

    FOREACH level_path IN ARRAY chain LOOP
        -- ON CONFLICT makes two sessions that create the same parent wait for each other instead of failing.
        INSERT INTO tokbudget.account (tenant_id, account_id, path, parent_id, ancestor_ids)
        VALUES (root_id, tokbudget._new_id(), level_path, parent_account.account_id,
                CASE WHEN parent_account.account_id IS NULL THEN '{}'
                     ELSE parent_account.ancestor_ids || parent_account.account_id END)
        ON CONFLICT (tenant_id, path) DO NOTHING;
        SELECT account.* INTO STRICT parent_account
        FROM tokbudget.account WHERE account.tenant_id = root_id AND account.path = level_path;
    END LOOP;

    found_account := parent_account;
    IF (found_account.kind IS NOT NULL AND tb_create_account.kind <> found_account.kind)
        OR (found_account.cost_center IS NOT NULL AND tb_create_account.cost_center <> found_account.cost_center)
        OR (found_account.owner IS NOT NULL AND tb_create_account.owner <> found_account.owner)
        OR NOT (tb_create_account.labels || found_account.labels) @> tb_create_account.labels
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'account exists with other attributes',
            DETAIL = jsonb_build_object(
                'account', found_account.path, 'kind', found_account.kind, 'cost_center', found_account.cost_center,
                'owner', found_account.owner, 'labels', found_account.labels)::text,
            HINT = 'Creating an account again fills in what is missing; it never overwrites.';
    END IF;
    UPDATE tokbudget.account SET
        kind = COALESCE(found_account.kind, tb_create_account.kind),
        cost_center = COALESCE(found_account.cost_center, tb_create_account.cost_center),
        owner = COALESCE(found_account.owner, tb_create_account.owner),
        labels = tb_create_account.labels || found_account.labels
    WHERE account.tenant_id = root_id AND account.account_id = found_account.account_id
        AND (tb_create_account.kind IS NOT NULL OR tb_create_account.cost_center IS NOT NULL
             OR tb_create_account.owner IS NOT NULL OR tb_create_account.labels <> '{}');
    RETURN found_account.account_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_create_account(text, text, text, text, jsonb) IS
    'creates the account at path and its missing parents; again with the same attributes it returns the same id. The first segment is the tenant. Raises TB008 for a malformed path or attributes that contradict those it has';

CREATE FUNCTION tokbudget._set_account_status(account text, status text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    chain text[] := tokbudget._account_chain(_set_account_status.account);
BEGIN
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    IF reason IS NULL OR btrim(reason) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'a reason is needed',
            DETAIL = jsonb_build_object('account', _set_account_status.account)::text,
            HINT = 'Say why, for whoever meets the frozen account.';
    END IF;
    UPDATE tokbudget.account SET status = _set_account_status.status, status_reason = reason
    FROM tokbudget.tenant
    WHERE tenant.name = chain[1] AND account.tenant_id = tenant.tenant_id
        AND account.path = _set_account_status.account AND account.status <> 'closed';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such account',
            DETAIL = jsonb_build_object('account', _set_account_status.account)::text,
            HINT = 'Create it with tb_create_account(), or check the path; a closed account cannot be changed.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._set_account_status(text, text, text) IS 'internal: shared body of tb_freeze and tb_thaw';

CREATE FUNCTION @extschema@.tb_freeze(account text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._set_account_status(account, 'frozen', reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_freeze(text, text) IS
    'refuses every new reservation of the account and of all below it until tb_thaw; open reservations may still settle. Raises TB002 for an unknown account, TB008 for a malformed path or without a reason';

CREATE FUNCTION @extschema@.tb_thaw(account text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM tokbudget._set_account_status(account, 'active', reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_thaw(text, text) IS
    'ends a freeze. Raises TB002 for an unknown account, TB008 for a malformed path or without a reason';
