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
    corrected_at timestamp with time zone,
    tree_changed_at timestamp with time zone,
    commit_grace interval NOT NULL DEFAULT '5 minutes',
    idempotency_retention interval NOT NULL DEFAULT '7 days',
    CONSTRAINT tenant_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT tenant_name_key UNIQUE (name),
    CONSTRAINT tenant_id_check CHECK (tenant_id OPERATOR(pg_catalog.>) 0),
    CONSTRAINT tenant_currency_check CHECK (currency OPERATOR(pg_catalog.~) '^[A-Z][A-Z0-9_]{2,15}$'),
    CONSTRAINT tenant_commit_grace_check CHECK (
        commit_grace OPERATOR(pg_catalog.>=) '0'::interval AND commit_grace OPERATOR(pg_catalog.<=) '1 day'::interval
    ),
    CONSTRAINT tenant_idempotency_retention_check CHECK (
        idempotency_retention OPERATOR(pg_catalog.>=) '1 hour'::interval
        AND idempotency_retention OPERATOR(pg_catalog.<=) '10 years'::interval
    )
);
COMMENT ON TABLE tokbudget.tenant IS 'root accounts by name; what a call looks up first';
COMMENT ON COLUMN tokbudget.tenant.tenant_id IS 'number of the tenant, the head of every key';
COMMENT ON COLUMN tokbudget.tenant.name IS 'name of the root account, the first name of every path below it';
COMMENT ON COLUMN tokbudget.tenant.created_at IS 'when the root account was made';
COMMENT ON COLUMN tokbudget.tenant.corrected_at IS 'when entries of it were last re-rated, adjusted or refunded';
COMMENT ON COLUMN tokbudget.tenant.tree_changed_at IS 'when an account of it was last renamed or moved';
COMMENT ON COLUMN tokbudget.tenant.commit_grace IS 'how long after the expiry of a reservation its commit still counts as in time, up to a day';
COMMENT ON COLUMN tokbudget.tenant.idempotency_retention IS 'how long an idempotency key answers the same, an hour to ten years';
COMMENT ON COLUMN tokbudget.tenant.currency IS 'currency of every cost budget and every cost of the tenant, ISO 4217 or a unit of its own such as CREDITS';

CREATE TABLE tokbudget.account (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    -- In byte order, whatever the database's locale: all paths below one are then a range of the index.
    path text COLLATE pg_catalog."C" NOT NULL,
    parent_id bigint,
    ancestor_ids bigint[] NOT NULL,
    kind text,
    status text NOT NULL DEFAULT 'active',
    status_reason text,
    status_actor text,
    status_changed_at timestamp with time zone,
    owner text,
    cost_center text,
    labels jsonb NOT NULL DEFAULT '{}',
    purpose text,
    expires_at timestamp with time zone,
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
COMMENT ON COLUMN tokbudget.account.status_actor IS 'database role of the session that froze, thawed or closed it';
COMMENT ON COLUMN tokbudget.account.status_changed_at IS 'when it was last frozen, thawed or closed; NULL for never';
COMMENT ON COLUMN tokbudget.account.purpose IS 'what it is there for';
COMMENT ON COLUMN tokbudget.account.expires_at IS 'first instant at which it and all below it get nothing new; NULL for never';
COMMENT ON COLUMN tokbudget.account.owner IS 'who answers for it';
COMMENT ON COLUMN tokbudget.account.labels IS 'anything else about it, a JSON object';
COMMENT ON COLUMN tokbudget.account.unpriced IS 'what happens to usage without a price: refuse or record; NULL for what the account above does';
COMMENT ON COLUMN tokbudget.account.fallback_unit_prices IS 'what budgets in cost count usage without a price at, as in tokbudget.price';
COMMENT ON COLUMN tokbudget.account.created_at IS 'when it was made';
COMMENT ON COLUMN tokbudget.account.path IS 'names from the root down, joined by a slash';
COMMENT ON COLUMN tokbudget.account.ancestor_ids IS 'account ids from the root down to the parent';
COMMENT ON COLUMN tokbudget.account.kind IS 'organization, team, project, user, agent, workflow, session, task, service account or any other word';
COMMENT ON COLUMN tokbudget.account.status IS 'active, frozen (nothing new until thawed; open reservations may still settle) or closed (nothing new ever again)';
COMMENT ON COLUMN tokbudget.account.cost_center IS 'where the spend is charged; an account without one has that of its nearest ancestor';

-- One more is no change to anybody: no session keeps that there is none. On the hot path accounts are made all the time.
CREATE TRIGGER tenant_changed AFTER UPDATE OF tenant_id, name, currency OR DELETE OR TRUNCATE ON tokbudget.tenant
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.tenant ENABLE ALWAYS TRIGGER tenant_changed;
CREATE TRIGGER account_changed AFTER UPDATE OR DELETE OR TRUNCATE ON tokbudget.account
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.account ENABLE ALWAYS TRIGGER account_changed;

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

CREATE FUNCTION tokbudget._check_open(account tokbudget.account) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    closed_account tokbudget.account;
BEGIN
    SELECT account.* INTO closed_account
    FROM tokbudget.account
    WHERE account.tenant_id = (_check_open.account).tenant_id
        AND account.account_id = ANY ((_check_open.account).ancestor_ids || (_check_open.account).account_id)
        AND account.status = 'closed'
    ORDER BY cardinality(account.ancestor_ids)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB009', MESSAGE = format('account "%s" is closed', closed_account.path),
            DETAIL = jsonb_build_object('account', closed_account.path, 'status', 'closed', 'why', closed_account.status_reason)::text,
            HINT = 'Closing is final, for it and for all below it; use another account.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_open(tokbudget.account) IS 'internal: raises TB009 if the account or one above it is closed';

CREATE FUNCTION tokbudget._check_account_attributes(
    kind text, cost_center text, owner text, labels jsonb, purpose text, expires_at timestamp with time zone
) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    attribute record;
BEGIN
    FOR attribute IN
        SELECT *
        FROM (VALUES ('kind', kind, 200), ('cost_center', cost_center, 200), ('owner', owner, 200), ('purpose', purpose, 2000))
            AS given (name, value, length_max)
    LOOP
        IF char_length(attribute.value) > attribute.length_max THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid account attribute',
                DETAIL = jsonb_build_object('attribute', attribute.name, 'why', 'it is too long',
                    'characters_max', attribute.length_max)::text,
                HINT = 'Put what is longer into labels.';
        END IF;
    END LOOP;
    IF jsonb_typeof(labels) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'labels must be a JSON object',
            DETAIL = jsonb_build_object('labels', labels)::text,
            HINT = 'Pass an object such as ''{"env": "prod"}''.';
    END IF;
    IF expires_at <> 'infinity' AND NOT expires_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid account attribute',
            DETAIL = jsonb_build_object('attribute', 'expires_at', 'why', 'it is out of range')::text,
            HINT = 'Pass an instant between 1970 and 9999, or infinity for no expiry.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_account_attributes(text, text, text, jsonb, text, timestamp with time zone) IS
    'internal: raises TB008 for an attribute that no account can have; NULL is fine';

CREATE FUNCTION tokbudget._account_state(account tokbudget.account) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_strip_nulls(jsonb_build_object('path', account.path, 'kind', account.kind, 'cost_center', account.cost_center,
        'owner', account.owner, 'labels', NULLIF(account.labels, '{}'), 'purpose', account.purpose,
        'expires_at', account.expires_at));
END;
$$;
COMMENT ON FUNCTION tokbudget._account_state(tokbudget.account) IS 'internal: what the log of changes says of an account';

CREATE FUNCTION tokbudget._make_accounts(chain text[], OUT last_account tokbudget.account, OUT made_ids bigint[])
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    root_id integer;
    level_path text;
    new_id bigint;
    parent_account tokbudget.account;
BEGIN
    made_ids := '{}';
    -- Waits for whoever renames or moves accounts of the tenant (FOR UPDATE), and makes them wait; not for others who create.
    SELECT tenant.tenant_id INTO root_id FROM tokbudget.tenant WHERE tenant.name = chain[1] FOR KEY SHARE;
    IF root_id IS NULL THEN
        -- Tenants are few and made by hand, so numbering them under a lock costs nothing and needs no sequence.
        LOCK TABLE tokbudget.tenant IN SHARE ROW EXCLUSIVE MODE;
        SELECT tenant.tenant_id INTO root_id FROM tokbudget.tenant WHERE tenant.name = chain[1] FOR KEY SHARE;
        IF root_id IS NULL THEN
            INSERT INTO tokbudget.tenant (tenant_id, name)
            SELECT COALESCE(max(tenant.tenant_id), 0) + 1, chain[1] FROM tokbudget.tenant
            RETURNING tenant.tenant_id INTO root_id;
            PERFORM tokbudget._make_first_partitions();
        END IF;
    END IF;

    FOREACH level_path IN ARRAY chain LOOP
        SELECT account.* INTO last_account
        FROM tokbudget.account WHERE account.tenant_id = root_id AND account.path = level_path;
        IF NOT FOUND THEN
            -- ON CONFLICT makes two sessions that create the same parent wait for each other instead of failing.
            INSERT INTO tokbudget.account (tenant_id, account_id, path, parent_id, ancestor_ids)
            VALUES (root_id, tokbudget._new_id(), level_path, parent_account.account_id,
                    CASE WHEN parent_account.account_id IS NULL THEN '{}'
                         ELSE parent_account.ancestor_ids || parent_account.account_id END)
            ON CONFLICT (tenant_id, path) DO NOTHING
            RETURNING account.account_id INTO new_id;
            IF FOUND THEN
                made_ids := made_ids || new_id;
            END IF;
            SELECT account.* INTO STRICT last_account
            FROM tokbudget.account WHERE account.tenant_id = root_id AND account.path = level_path;
        END IF;
        parent_account := last_account;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._make_accounts(text[]) IS
    'internal: creates what is missing of a chain of paths, in step with whoever renames or moves accounts of the tenant; the last account and the ids of those it made, root first';

CREATE FUNCTION @extschema@.tb_create_account(
    path text,
    kind text DEFAULT NULL,
    cost_center text DEFAULT NULL,
    owner text DEFAULT NULL,
    labels jsonb DEFAULT '{}',
    purpose text DEFAULT NULL,
    expires_at timestamp with time zone DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    chain text[] := tokbudget._account_chain(tb_create_account.path);
    given_kind CONSTANT text := NULLIF(btrim(tb_create_account.kind), '');
    given_cost_center CONSTANT text := NULLIF(btrim(tb_create_account.cost_center), '');
    given_owner CONSTANT text := NULLIF(btrim(tb_create_account.owner), '');
    given_purpose CONSTANT text := NULLIF(btrim(tb_create_account.purpose), '');
    given_expires_at CONSTANT timestamp with time zone := NULLIF(tb_create_account.expires_at, 'infinity');
    made record;
    made_ids bigint[] := '{}';
    made_account tokbudget.account;
    found_account tokbudget.account;
    new_account tokbudget.account;
BEGIN
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    -- NULL is no object either, unlike where it means to leave them as they are.
    PERFORM tokbudget._check_account_attributes(given_kind, given_cost_center, given_owner,
        COALESCE(tb_create_account.labels, 'null'), given_purpose, tb_create_account.expires_at);
    PERFORM tokbudget._require_creation(chain);

    SELECT account.* INTO found_account
    FROM tokbudget.tenant JOIN tokbudget.account ON account.tenant_id = tenant.tenant_id
    WHERE tenant.name = chain[1] AND account.path = tb_create_account.path;
    IF NOT FOUND THEN
        made := tokbudget._make_accounts(chain);
        found_account := made.last_account;
        made_ids := made.made_ids;
    END IF;
    PERFORM tokbudget._check_open(found_account);

    new_account := found_account;
    IF given_kind IS NOT NULL OR given_cost_center IS NOT NULL OR given_owner IS NOT NULL OR given_purpose IS NOT NULL
        OR given_expires_at IS NOT NULL OR tb_create_account.labels <> '{}'
    THEN
        -- Of two sessions that fill in the same account the second compares with what the first has written.
        SELECT account.* INTO STRICT found_account FROM tokbudget.account
        WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.account_id
        FOR NO KEY UPDATE;
        IF given_kind <> found_account.kind OR given_cost_center <> found_account.cost_center
            OR given_owner <> found_account.owner OR given_purpose <> found_account.purpose
            OR given_expires_at <> found_account.expires_at
            OR NOT (tb_create_account.labels || found_account.labels) @> tb_create_account.labels
        THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'account exists with other attributes',
                DETAIL = jsonb_build_object(
                    'account', found_account.path, 'kind', found_account.kind, 'cost_center', found_account.cost_center,
                    'owner', found_account.owner, 'labels', found_account.labels, 'purpose', found_account.purpose,
                    'expires_at', found_account.expires_at)::text,
                HINT = 'Creating an account again fills in what is missing; tb_set_account() overwrites.';
        END IF;
        UPDATE tokbudget.account SET
            kind = COALESCE(found_account.kind, given_kind),
            cost_center = COALESCE(found_account.cost_center, given_cost_center),
            owner = COALESCE(found_account.owner, given_owner),
            labels = tb_create_account.labels || found_account.labels,
            purpose = COALESCE(found_account.purpose, given_purpose),
            expires_at = COALESCE(found_account.expires_at, given_expires_at)
        WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.account_id
        RETURNING account.* INTO STRICT new_account;
    END IF;

    FOR made_account IN
        SELECT account.* FROM tokbudget.account
        WHERE account.tenant_id = new_account.tenant_id AND account.account_id = ANY (made_ids)
        ORDER BY cardinality(account.ancestor_ids)
    LOOP
        PERFORM tokbudget._log_change(made_account.tenant_id, made_account.account_id, 'account', made_account.account_id,
            'create', NULL, tokbudget._account_state(made_account), NULL);
    END LOOP;
    IF NOT new_account.account_id = ANY (made_ids) AND new_account IS DISTINCT FROM found_account THEN
        PERFORM tokbudget._log_change(new_account.tenant_id, new_account.account_id, 'account', new_account.account_id,
            'set', tokbudget._account_state(found_account), tokbudget._account_state(new_account), NULL);
    END IF;
    RETURN new_account.account_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_create_account(text, text, text, text, jsonb, text, timestamp with time zone) IS
    'creates the account at path and its missing parents; again with the same attributes it returns the same id. The first segment is the tenant. purpose says what it is there for; from expires_at on it gets nothing new. Raises TB008 for a malformed path or attributes that contradict those it has, TB009 if it or one above it is closed, 42501 for a role that does not administer it or, if it is new, the nearest account above it';
