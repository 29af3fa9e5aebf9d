-- Guards: whatever is written into a user's table is charged to the accounts that its rows name. A guard is a pair of statement
-- triggers with transition tables, so a statement is one call of the engine for each tenant, however many rows it writes.

CREATE TABLE tokbudget.guard (
    tenant_id integer NOT NULL,
    guard_id bigint NOT NULL,
    account_id bigint,
    relation text NOT NULL,
    account_column name NOT NULL,
    model_column name,
    usage_column name,
    text_column name,
    meters_column name,
    also_columns name[] NOT NULL,
    attributes jsonb NOT NULL,
    mode text NOT NULL,
    enforce boolean NOT NULL,
    model text,
    encoding text,
    updates text NOT NULL,
    without_account text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT guard_pkey PRIMARY KEY (tenant_id, guard_id),
    CONSTRAINT guard_mode_check CHECK (mode OPERATOR(pg_catalog.=) ANY (ARRAY['charge', 'check'])),
    CONSTRAINT guard_updates_check CHECK (updates OPERATOR(pg_catalog.=) ANY (ARRAY['difference', 'whole', 'none'])),
    CONSTRAINT guard_without_account_check CHECK (without_account OPERATOR(pg_catalog.=) ANY (ARRAY['refuse', 'skip']))
);
COMMENT ON TABLE tokbudget.guard IS
    'how the rows of guarded tables are charged; the triggers on such a table name their guard by its id, so that it survives a dump and a new name';
COMMENT ON COLUMN tokbudget.guard.tenant_id IS 'tenant whose accounts the rows may name; 0 for all tenants';
COMMENT ON COLUMN tokbudget.guard.guard_id IS 'id, unique within the tenant';
COMMENT ON COLUMN tokbudget.guard.account_id IS 'account that rows may name, with everything below it; NULL for every account';
COMMENT ON COLUMN tokbudget.guard.relation IS 'what the table was called when the guard was made';
COMMENT ON COLUMN tokbudget.guard.account_column IS 'column with the path of the account';
COMMENT ON COLUMN tokbudget.guard.model_column IS 'column with the model';
COMMENT ON COLUMN tokbudget.guard.usage_column IS 'column with the provider''s usage object';
COMMENT ON COLUMN tokbudget.guard.text_column IS 'column whose text is counted as input tokens where the row has no usage object';
COMMENT ON COLUMN tokbudget.guard.meters_column IS 'column with an object of further meters';
COMMENT ON COLUMN tokbudget.guard.also_columns IS 'columns with the paths of further accounts';
COMMENT ON COLUMN tokbudget.guard.attributes IS 'object from an attribute of the entry to the column that it is read from';
COMMENT ON COLUMN tokbudget.guard.mode IS 'charge books what rows used; check only refuses what does not fit';
COMMENT ON COLUMN tokbudget.guard.enforce IS 'whether a statement that does not fit is refused; otherwise it is booked in full and flagged';
COMMENT ON COLUMN tokbudget.guard.model IS 'model of rows that name none';
COMMENT ON COLUMN tokbudget.guard.encoding IS 'encoding, or model, under which text is counted; NULL for the model of the row';
COMMENT ON COLUMN tokbudget.guard.updates IS 'what an UPDATE charges: difference, whole or none';
COMMENT ON COLUMN tokbudget.guard.without_account IS 'what becomes of a row whose account is NULL: refuse or skip';
COMMENT ON COLUMN tokbudget.guard.created_at IS 'when it was made';

-- Locks the table and returns its guard: a row without an id where it has triggers but no guard of them is known here.
CREATE FUNCTION tokbudget._lock_guard(target regclass, OUT is_guarded boolean, OUT guard tokbudget.guard)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    present oid := tokbudget._present_role();
    member record;
BEGIN
    FOR member IN
        SELECT c.oid, c.relowner, c.relkind, c.relpersistence, n.nspname
        FROM tokbudget._guard_tree(target) AS tree (relation) JOIN pg_class AS c ON c.oid = relation
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LOOP
        IF NOT pg_has_role(present, member.relowner, 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('must be owner of table %s', member.oid::regclass),
                DETAIL = jsonb_build_object('table', member.oid::regclass::text, 'role', pg_get_userbyid(present))::text,
                HINT = 'Whoever owns the table and its partitions guards it.';
        END IF;
        IF member.relkind NOT IN ('r', 'p') OR member.relpersistence = 't'
            OR member.nspname IN ('tokbudget', 'pg_catalog', 'information_schema', 'pg_toast') THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'relation cannot be guarded',
                DETAIL = jsonb_build_object('table', member.oid::regclass::text)::text,
                HINT = 'A guard is for a table or a partitioned table of your own, not for views, foreign or temporary tables.';
        END IF;
    END LOOP;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'no such table', DETAIL = jsonb_build_object('table', target::text)::text,
            HINT = 'Name the table to guard.';
    END IF;
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
    IF EXISTS (
        SELECT FROM pg_inherits AS i JOIN tokbudget._guard_triggers() AS t ON t.relation = i.inhparent WHERE i.inhrelid = target
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'table is guarded with its parent',
            DETAIL = jsonb_build_object('table', target::text)::text,
            HINT = 'Call tb_guard or tb_unguard for the table that it is a part of.';
    END IF;
    SELECT g.* INTO guard
    FROM tokbudget._guard_triggers() AS t LEFT JOIN tokbudget.guard AS g ON g.tenant_id = t.tenant_id AND g.guard_id = t.guard_id
    WHERE t.relation = target LIMIT 1;
    is_guarded := FOUND;
    IF guard.account_id IS NOT NULL THEN
        PERFORM tokbudget._require_access(a.tenant_id, a.ancestor_ids || a.account_id, 'administer')
        FROM tokbudget.account AS a WHERE a.tenant_id = guard.tenant_id AND a.account_id = guard.account_id;
    ELSIF guard.guard_id IS NOT NULL THEN
        PERFORM tokbudget._require_all_accounts(target);
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._lock_guard(regclass) IS
    'internal: locks the table against writing and returns its guard; raises TB008 for what cannot be guarded, 42501 unless the present role owns it and administers what it is guarded for';

CREATE FUNCTION tokbudget._require_all_accounts(target regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT tokbudget._is_owner() THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'permission denied to guard a table for every account',
            DETAIL = jsonb_build_object('table', target::text, 'role', pg_get_userbyid(tokbudget._present_role()))::text,
            HINT = 'Pass under, an account that you administer: rows may then name it and what is below it.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_all_accounts(regclass) IS
    'internal: raises 42501 unless the present role passes every check: a guard without under lets whoever writes into the table charge every account';

CREATE FUNCTION tokbudget._drop_guard(target regclass, guard tokbudget.guard) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    trigger record;
BEGIN
    FOR trigger IN
        SELECT t.relation, t.name FROM tokbudget._guard_triggers() AS t JOIN tokbudget._guard_tree(target) AS tree (relation) USING (relation)
        WHERE t.relation = target OR t.tenant_id = guard.tenant_id AND t.guard_id = guard.guard_id
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', trigger.name, trigger.relation::regclass);
    END LOOP;
    -- A partition that was detached keeps its triggers, and they need their guard.
    DELETE FROM tokbudget.guard AS g
    WHERE g.tenant_id = guard.tenant_id AND g.guard_id = guard.guard_id
        AND NOT EXISTS (
            SELECT FROM tokbudget._guard_triggers() AS t WHERE t.tenant_id = guard.tenant_id AND t.guard_id = guard.guard_id);
END;
$$;
COMMENT ON FUNCTION tokbudget._drop_guard(regclass, tokbudget.guard) IS 'internal: takes the triggers of a guard off a table and its partitions, and forgets it where no other table has it';

CREATE FUNCTION tokbudget._check_guard(guard tokbudget.guard, target regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    argument text;
    why text;
BEGIN
    SELECT problem.argument, problem.why INTO argument, why
    FROM (VALUES
        ('account_column', guard.account_column IS NULL, 'missing'),
        ('also_columns', guard.also_columns IS NULL OR array_position(guard.also_columns, NULL) IS NOT NULL, 'missing'),
        ('attributes', guard.attributes IS NULL OR jsonb_typeof(guard.attributes) <> 'object'
            OR jsonb_path_exists(guard.attributes, '$.* ? (@.type() != "string")'), 'not an object from attribute to column'),
        ('attributes', jsonb_array_length(jsonb_path_query_array(guard.attributes, '$.*')) > 32, 'more than 32'),
        ('mode', COALESCE(guard.mode NOT IN ('charge', 'check'), true), 'not one of charge, check'),
        ('enforce', guard.enforce IS NULL, 'missing'),
        ('enforce', guard.mode = 'check' AND NOT guard.enforce, 'a check that refuses nothing'),
        ('updates', COALESCE(guard.updates NOT IN ('difference', 'whole', 'none'), true), 'not one of difference, whole, none'),
        ('without_account', COALESCE(guard.without_account NOT IN ('refuse', 'skip'), true), 'not one of refuse, skip'),
        ('model', guard.model = '', 'empty'),
        ('model_column', COALESCE(guard.model_column, guard.model) IS NOT NULL
            AND COALESCE(guard.usage_column, guard.text_column) IS NULL, 'a model without usage_column or text_column'),
        ('text_column', guard.text_column IS NOT NULL AND COALESCE(guard.encoding, guard.model, guard.model_column) IS NULL,
            'no model or encoding to count it with')
    ) AS problem (argument, is_so, why)
    WHERE problem.is_so LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid ' || argument,
            DETAIL = jsonb_build_object('argument', argument, 'why', why)::text,
            HINT = 'tb_guard(table, account_column, model_column => ..., usage_column => ...) names columns of the table.';
    END IF;
    IF NOT COALESCE(tokbudget._check_encoding(COALESCE(guard.encoding,
        CASE WHEN guard.text_column IS NOT NULL AND guard.model_column IS NULL THEN guard.model END)), true) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB007', MESSAGE = 'unknown model',
            DETAIL = jsonb_build_object('model', COALESCE(guard.encoding, guard.model))::text,
            HINT = 'Pass as encoding one that stands in, such as o200k_base.';
    END IF;
    PERFORM tokbudget._guard_query(target, guard, 'UPDATE');
END;
$$;
COMMENT ON FUNCTION tokbudget._check_guard(tokbudget.guard, regclass) IS
    'internal: raises TB008 for arguments of tb_guard that cannot be used, TB007 for an unknown encoding';

CREATE FUNCTION @extschema@.tb_guard(
    target regclass,
    account_column name,
    model_column name DEFAULT NULL,
    usage_column name DEFAULT NULL,
    text_column name DEFAULT NULL,
    meters_column name DEFAULT NULL,
    also_columns name[] DEFAULT '{}',
    attributes jsonb DEFAULT '{}',
    under text DEFAULT NULL,
    mode text DEFAULT 'charge',
    enforce boolean DEFAULT true,
    model text DEFAULT NULL,
    encoding text DEFAULT NULL,
    updates text DEFAULT 'difference',
    without_account text DEFAULT 'refuse',
    reason text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    -- Beside what says how to charge.
    apart CONSTANT text[] := '{guard_id, relation, created_at}';
    locked record;
    old_guard tokbudget.guard;
    new_guard tokbudget.guard;
    found_account tokbudget.account;
    wanted record;
BEGIN
    SELECT * INTO locked FROM tokbudget._lock_guard(target);
    old_guard := locked.guard;
    IF under IS NULL THEN
        PERFORM tokbudget._require_all_accounts(target);
    ELSE
        found_account := tokbudget._find_account(under);
        PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    END IF;
    new_guard := ROW(COALESCE(found_account.tenant_id, 0), tokbudget._new_id(), found_account.account_id, target::text, account_column,
        model_column, usage_column, text_column, meters_column, also_columns, attributes, mode, enforce, model, encoding, updates,
        without_account, tokbudget._now())::tokbudget.guard;
    PERFORM tokbudget._check_guard(new_guard, target);
    IF to_jsonb(old_guard) - apart = to_jsonb(new_guard) - apart THEN
        new_guard := old_guard;
    ELSE
        IF locked.is_guarded THEN
            PERFORM tokbudget._drop_guard(target, old_guard);
        END IF;
        -- Of a table of this name there may be one left that lost its triggers: dropped, or restored without them.
        DELETE FROM tokbudget.guard AS g
        WHERE g.relation = new_guard.relation AND NOT EXISTS (
            SELECT FROM tokbudget._guard_triggers() AS t WHERE t.tenant_id = g.tenant_id AND t.guard_id = g.guard_id);
        INSERT INTO tokbudget.guard SELECT new_guard.*;
        PERFORM tokbudget._log_change(NULLIF(new_guard.tenant_id, 0), new_guard.account_id, 'guard', new_guard.guard_id,
            CASE WHEN old_guard.guard_id IS NULL THEN 'create' ELSE 'set' END,
            CASE WHEN old_guard.guard_id IS NOT NULL THEN to_jsonb(old_guard) END, to_jsonb(new_guard), reason);
    END IF;
    IF EXISTS (
        SELECT FROM tokbudget._guard_triggers() AS t JOIN tokbudget._guard_tree(target) AS tree (relation) USING (relation)
        WHERE (t.tenant_id, t.guard_id) <> (new_guard.tenant_id, new_guard.guard_id)
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'a partition has a guard of its own',
            DETAIL = jsonb_build_object('table', target::text)::text, HINT = 'Call tb_unguard for it first.';
    END IF;
    FOR wanted IN
        SELECT tree.relation, operation.name, operation.referencing
        FROM tokbudget._guard_tree(target) AS tree (relation)
            CROSS JOIN (VALUES ('INSERT', 'NEW TABLE AS new_rows'), ('UPDATE', 'OLD TABLE AS old_rows NEW TABLE AS new_rows'))
                AS operation (name, referencing)
        WHERE (operation.name = 'INSERT' OR new_guard.updates <> 'none')
            AND NOT EXISTS (
                SELECT FROM tokbudget._guard_triggers() AS t WHERE t.relation = tree.relation AND t.operation = operation.name)
    LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._guard_statement(%L, %L)',
            'tokbudget_guard_' || lower(wanted.name), wanted.name, wanted.relation::regclass, wanted.referencing,
            new_guard.tenant_id, new_guard.guard_id);
    END LOOP;
    RETURN new_guard.guard_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_guard(regclass, name, name, name, name, name, name[], jsonb, text, text, boolean, text, text, text, text, text) IS
    'makes every INSERT, COPY and UPDATE on a table charge the accounts that its rows name (account_column), in one step for each statement and tenant, and refuses a statement that does not fit; returns the id of the guard. A row used what its usage object says (usage_column), or as many input tokens as its text has (text_column, counted under encoding or the model), and its further meters (meters_column); where all of them are NULL nothing, and without any such column one request. model is that of rows that name none; also_columns name further accounts, attributes columns of the entry. under limits which accounts rows may name, and is required unless you own the extension; whoever may write into the table then charges them. mode => ''check'' books nothing and only refuses what does not fit; enforce => false books in full and flags. An UPDATE charges by how much a row used more than before (updates => ''difference''), everything (''whole'') or nothing (''none''); using less, and DELETE, give nothing back. A table that is guarded already gets the new arguments, and new partitions theirs: call it again after attaching one. Raises 42501 unless you own the table and administer under, TB002 unknown account, TB007 unknown encoding, TB008 invalid argument or column, TB011 for a generated column of a partitioned table whose partitions have another layout';

CREATE FUNCTION @extschema@.tb_unguard(target regclass, reason text DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    locked record;
    old_guard tokbudget.guard;
BEGIN
    SELECT * INTO locked FROM tokbudget._lock_guard(target);
    IF locked.is_guarded THEN
        old_guard := locked.guard;
        PERFORM tokbudget._drop_guard(target, old_guard);
        PERFORM tokbudget._log_change(NULLIF(old_guard.tenant_id, 0), old_guard.account_id, 'guard', old_guard.guard_id, 'remove',
            CASE WHEN old_guard.guard_id IS NOT NULL THEN to_jsonb(old_guard) END, NULL, reason);
    END IF;
    RETURN locked.is_guarded;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_unguard(regclass, text) IS
    'takes the guard off a table and its partitions; what it has charged stays. False if there was none. Raises 42501 unless you own the table and administer what it was guarded for, TB008 for a partition of a guarded table';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.guard', '');
