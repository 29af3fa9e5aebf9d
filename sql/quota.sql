-- Quotas: budgets that every account of a kind below a node has, and what an account that nobody has made becomes on its
-- first use. Both are given by the transaction that first spends, so the first calls of a new user cannot slip past.

CREATE TABLE tokbudget.quota (
    tenant_id integer NOT NULL,
    quota_id bigint NOT NULL,
    account_id bigint NOT NULL,
    kind text NOT NULL,
    role text,
    meter text NOT NULL,
    amount numeric NOT NULL,
    every text,
    time_zone text NOT NULL,
    week_start text NOT NULL,
    anchor timestamp with time zone,
    hard boolean NOT NULL,
    burst numeric NOT NULL,
    thresholds_percent integer[] NOT NULL,
    freeze_at_percent integer,
    rollover text NOT NULL,
    rollover_cap numeric,
    created_at timestamp with time zone NOT NULL,
    limit_units bigint NOT NULL GENERATED ALWAYS AS (tokbudget._units(meter, amount)) STORED,
    burst_units bigint NOT NULL GENERATED ALWAYS AS (tokbudget._units(meter, burst)) STORED,
    CONSTRAINT quota_pkey PRIMARY KEY (tenant_id, quota_id)
);
CREATE UNIQUE INDEX quota_once_idx ON tokbudget.quota (tenant_id, account_id, kind, COALESCE(role, ''), meter, COALESCE(every, ''));
COMMENT ON TABLE tokbudget.quota IS 'default budgets: what each account of a kind below a node is given on its first use';
COMMENT ON COLUMN tokbudget.quota.tenant_id IS 'tenant of the node';
COMMENT ON COLUMN tokbudget.quota.quota_id IS 'id that the budgets given by it name';
COMMENT ON COLUMN tokbudget.quota.account_id IS 'node below which it holds';
COMMENT ON COLUMN tokbudget.quota.kind IS 'kind of the accounts that get it';
COMMENT ON COLUMN tokbudget.quota.role IS 'label role of the accounts that get it; NULL for all that have none of their own';
COMMENT ON COLUMN tokbudget.quota.meter IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.amount IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.every IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.time_zone IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.week_start IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.anchor IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.hard IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.burst IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.thresholds_percent IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.freeze_at_percent IS 'as in tokbudget.budget; the account that has the quota is frozen, not the node';
COMMENT ON COLUMN tokbudget.quota.rollover IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.rollover_cap IS 'as in tokbudget.budget';
COMMENT ON COLUMN tokbudget.quota.created_at IS 'when it was set';
COMMENT ON COLUMN tokbudget.quota.limit_units IS 'amount as the engine compares it: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.quota.burst_units IS 'burst as the engine compares it: nano-units for cost, counts otherwise';

CREATE TABLE tokbudget.first_use (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    pattern text NOT NULL,
    kind text NOT NULL,
    role text,
    role_from_attribute boolean NOT NULL,
    CONSTRAINT first_use_pkey PRIMARY KEY (tenant_id, account_id, pattern)
);
COMMENT ON TABLE tokbudget.first_use IS 'which accounts that nobody has made are made on their first use';
COMMENT ON COLUMN tokbudget.first_use.tenant_id IS 'tenant of the node';
COMMENT ON COLUMN tokbudget.first_use.account_id IS 'node below which they may be made';
COMMENT ON COLUMN tokbudget.first_use.pattern IS 'path below the node, name by name, * for any letters within a name';
COMMENT ON COLUMN tokbudget.first_use.kind IS 'kind that they get';
COMMENT ON COLUMN tokbudget.first_use.role IS 'label role that they get, which quotas go by; NULL for none';
COMMENT ON COLUMN tokbudget.first_use.role_from_attribute IS 'the attribute role of the call that makes one takes the place of role: callers are trusted to say which quota is theirs';

CREATE TRIGGER quota_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.quota
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.quota ENABLE ALWAYS TRIGGER quota_changed;
CREATE TRIGGER first_use_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.first_use
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.first_use ENABLE ALWAYS TRIGGER first_use_changed;

CREATE FUNCTION @extschema@.tb_set_first_use(account text, kind text, pattern text DEFAULT '*', reason text DEFAULT NULL, role text DEFAULT NULL,
    role_from_attribute boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
    old_rule tokbudget.first_use;
    new_rule tokbudget.first_use;
BEGIN
    -- A pattern has the form of a path.
    IF tokbudget._account_chain(tb_set_first_use.pattern) IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    IF btrim(tb_set_first_use.kind) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid kind',
            DETAIL = jsonb_build_object('kind', tb_set_first_use.kind)::text,
            HINT = 'A kind is a word such as session or user; NULL ends the making of accounts.';
    END IF;
    IF btrim(tb_set_first_use.role) = '' OR tb_set_first_use.role_from_attribute IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid role',
            DETAIL = jsonb_build_object('role', tb_set_first_use.role, 'role_from_attribute', tb_set_first_use.role_from_attribute)::text,
            HINT = 'A role is a word such as engineer, or NULL for none; role_from_attribute is true or false.';
    END IF;
    found_account := tokbudget._find_account(tb_set_first_use.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    SELECT f.* INTO old_rule FROM tokbudget.first_use AS f
    WHERE f.tenant_id = found_account.tenant_id AND f.account_id = found_account.account_id AND f.pattern = tb_set_first_use.pattern;
    IF tb_set_first_use.kind IS NULL THEN
        DELETE FROM tokbudget.first_use AS f
        WHERE f.tenant_id = found_account.tenant_id AND f.account_id = found_account.account_id AND f.pattern = tb_set_first_use.pattern;
    ELSE
        INSERT INTO tokbudget.first_use AS f (tenant_id, account_id, pattern, kind, role, role_from_attribute)
        VALUES (found_account.tenant_id, found_account.account_id, tb_set_first_use.pattern, tb_set_first_use.kind, tb_set_first_use.role,
            tb_set_first_use.role_from_attribute)
        ON CONFLICT (tenant_id, account_id, pattern) DO UPDATE SET kind = EXCLUDED.kind, role = EXCLUDED.role,
            role_from_attribute = EXCLUDED.role_from_attribute
        RETURNING f.* INTO new_rule;
    END IF;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id, 'set_first_use',
        jsonb_build_object('pattern', tb_set_first_use.pattern, 'kind', old_rule.kind, 'role', old_rule.role,
            'role_from_attribute', old_rule.role_from_attribute),
        jsonb_build_object('pattern', tb_set_first_use.pattern, 'kind', new_rule.kind, 'role', new_rule.role,
            'role_from_attribute', new_rule.role_from_attribute), tb_set_first_use.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_first_use(text, text, text, text, text, boolean) IS
    'lets accounts below account be made on their first use by whoever reserves or charges, with that kind: those whose path below it is pattern (names joined by a slash, * for any letters within a name; * alone for direct children). The deepest account above that has a matching pattern decides, there the longest. Quotas go by the label role that the accounts get: role, or with role_from_attribute the attribute role of the call that makes one, where it has that; then whoever may spend there chooses among the quotas. Set again it replaces the rule for the pattern; kind NULL ends it. Raises TB002 for an unknown account, TB008 for an invalid kind, pattern or role';

CREATE FUNCTION @extschema@.tb_set_quota(
    account text,
    kind text,
    meter text,
    amount numeric,
    every text DEFAULT NULL,
    role text DEFAULT NULL,
    pattern text DEFAULT '*',
    hard boolean DEFAULT true,
    time_zone text DEFAULT 'UTC',
    week_start text DEFAULT 'monday',
    anchor timestamp with time zone DEFAULT NULL,
    burst numeric DEFAULT 0,
    thresholds integer[] DEFAULT '{}',
    freeze_at integer DEFAULT NULL,
    rollover text DEFAULT 'none',
    rollover_cap numeric DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
    old_quota tokbudget.quota;
    new_quota tokbudget.quota;
    other_kind text;
BEGIN
    PERFORM tokbudget._check_budget(tb_set_quota.meter, tb_set_quota.amount, tb_set_quota.every, tb_set_quota.time_zone,
        tb_set_quota.week_start, tb_set_quota.anchor, tb_set_quota.hard, tb_set_quota.burst, tb_set_quota.thresholds,
        tb_set_quota.freeze_at, tb_set_quota.rollover, tb_set_quota.rollover_cap);
    IF tb_set_quota.kind IS NULL OR btrim(tb_set_quota.kind) = '' OR btrim(tb_set_quota.role) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid kind',
            DETAIL = jsonb_build_object('kind', tb_set_quota.kind, 'role', tb_set_quota.role)::text,
            HINT = 'A kind is a word such as session or user; a role is the label role of an account, or NULL.';
    END IF;
    found_account := tokbudget._find_account(tb_set_quota.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    IF tb_set_quota.pattern IS NOT NULL THEN
        SELECT f.kind INTO other_kind FROM tokbudget.first_use AS f
        WHERE f.tenant_id = found_account.tenant_id AND f.account_id = found_account.account_id AND f.pattern = tb_set_quota.pattern;
        IF other_kind <> tb_set_quota.kind THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'pattern makes accounts of another kind',
                DETAIL = jsonb_build_object('account', found_account.path, 'pattern', tb_set_quota.pattern, 'kind', other_kind)::text,
                HINT = 'Pass a pattern of its own for this kind, such as user-*, or NULL to make no accounts.';
        ELSIF other_kind IS NULL THEN
            PERFORM @extschema@.tb_set_first_use(tb_set_quota.account, tb_set_quota.kind, tb_set_quota.pattern, tb_set_quota.reason);
        END IF;
    END IF;
    SELECT q.* INTO old_quota FROM tokbudget.quota AS q
    WHERE q.tenant_id = found_account.tenant_id AND q.account_id = found_account.account_id AND q.kind = tb_set_quota.kind
        AND COALESCE(q.role, '') = COALESCE(tb_set_quota.role, '') AND q.meter = tb_set_quota.meter
        AND COALESCE(q.every, '') = COALESCE(tb_set_quota.every, '');
    INSERT INTO tokbudget.quota AS q (tenant_id, quota_id, account_id, kind, role, meter, amount, every, time_zone, week_start, anchor,
        hard, burst, thresholds_percent, freeze_at_percent, rollover, rollover_cap, created_at)
    VALUES (found_account.tenant_id, tokbudget._new_id(), found_account.account_id, tb_set_quota.kind, tb_set_quota.role,
        tb_set_quota.meter, trim_scale(tb_set_quota.amount), tb_set_quota.every, tb_set_quota.time_zone, tb_set_quota.week_start,
        tb_set_quota.anchor, tb_set_quota.hard, trim_scale(tb_set_quota.burst), tb_set_quota.thresholds, tb_set_quota.freeze_at,
        tb_set_quota.rollover, trim_scale(tb_set_quota.rollover_cap), tokbudget._now())
    ON CONFLICT (tenant_id, account_id, kind, COALESCE(role, ''), meter, COALESCE(every, '')) DO UPDATE SET
        amount = EXCLUDED.amount, time_zone = EXCLUDED.time_zone, week_start = EXCLUDED.week_start, anchor = EXCLUDED.anchor,
        hard = EXCLUDED.hard, burst = EXCLUDED.burst, thresholds_percent = EXCLUDED.thresholds_percent,
        freeze_at_percent = EXCLUDED.freeze_at_percent, rollover = EXCLUDED.rollover, rollover_cap = EXCLUDED.rollover_cap
    RETURNING q.* INTO new_quota;
    PERFORM tokbudget._log_change(new_quota.tenant_id, new_quota.account_id, 'quota', new_quota.quota_id,
        CASE WHEN old_quota.quota_id IS NULL THEN 'create' ELSE 'change' END, to_jsonb(old_quota), to_jsonb(new_quota), tb_set_quota.reason);
    -- Budgets that were given before and that nobody has changed since follow.
    UPDATE tokbudget.budget AS b SET amount = new_quota.amount, hard = new_quota.hard, burst = new_quota.burst,
        thresholds_percent = new_quota.thresholds_percent, freeze_at_percent = new_quota.freeze_at_percent,
        rollover = new_quota.rollover, rollover_cap = new_quota.rollover_cap
    WHERE b.tenant_id = new_quota.tenant_id AND b.quota_id = new_quota.quota_id AND b.status = 'active'
        AND (b.amount, b.hard, b.burst, b.thresholds_percent, b.freeze_at_percent, b.rollover, b.rollover_cap) IS NOT DISTINCT FROM
            (old_quota.amount, old_quota.hard, old_quota.burst, old_quota.thresholds_percent, old_quota.freeze_at_percent,
            old_quota.rollover, old_quota.rollover_cap);
    RETURN new_quota.quota_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_quota(text, text, text, numeric, text, text, text, boolean, text, text, timestamp with time zone, numeric, integer[], integer, text, numeric, text) IS
    'gives every account of the kind below account a budget of its own on its first use, in the transaction that first spends; for accounts whose label role is role in the place of the one for all. Accounts whose path below account is pattern are made on first use, as tb_set_first_use does where it has no rule for the pattern yet (NULL makes none); they have no role then. Set again it changes the amount and options of what was given, but for budgets that were changed since; a schedule changes only for what is given later. The other arguments are those of tb_create_budget. Raises TB002 for an unknown account, TB008 for an invalid value';

CREATE FUNCTION @extschema@.tb_remove_quota(quota bigint, reason text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    old_quota tokbudget.quota;
    node tokbudget.account;
    closed bigint;
BEGIN
    SELECT q.* INTO old_quota FROM tokbudget.quota AS q WHERE q.quota_id = tb_remove_quota.quota;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such quota',
            DETAIL = jsonb_build_object('quota', tb_remove_quota.quota)::text,
            HINT = 'Pass the id that tb_set_quota() returned.';
    END IF;
    SELECT a.* INTO STRICT node FROM tokbudget.account AS a
    WHERE a.tenant_id = old_quota.tenant_id AND a.account_id = old_quota.account_id;
    PERFORM tokbudget._require_access(node.tenant_id, node.ancestor_ids || node.account_id, 'administer');
    DELETE FROM tokbudget.quota AS q WHERE q.tenant_id = old_quota.tenant_id AND q.quota_id = old_quota.quota_id;
    UPDATE tokbudget.budget AS b SET status = 'closed'
    WHERE b.tenant_id = old_quota.tenant_id AND b.quota_id = old_quota.quota_id AND b.status <> 'closed';
    GET DIAGNOSTICS closed = ROW_COUNT;
    PERFORM tokbudget._log_change(old_quota.tenant_id, old_quota.account_id, 'quota', old_quota.quota_id, 'remove',
        to_jsonb(old_quota), NULL, tb_remove_quota.reason);
    RETURN closed;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_remove_quota(bigint, text) IS
    'ends a quota and closes the budgets that were given by it; returns how many. Accounts go on being made on first use until tb_set_first_use ends that. Raises TB002 for an unknown quota';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.quota', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.first_use', '');
