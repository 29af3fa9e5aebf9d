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

CREATE FUNCTION tokbudget._guard_charge(charges text, enforce boolean, tenant_id integer, under bigint) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_guard_charge_wrapper';
COMMENT ON FUNCTION tokbudget._guard_charge(text, boolean, integer, bigint) IS
    'internal: tb_charge_many for a guard, all or nothing, whatever the present role may do, but only at and below the account under (NULL for everywhere); a member before of a charge says what it had used when it was charged before. NULL when refused';

CREATE FUNCTION tokbudget._guard_tree(target oid) RETURNS SETOF oid
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH RECURSIVE tree (relation) AS (
        SELECT target
        UNION
        SELECT pg_inherits.inhrelid FROM pg_inherits JOIN tree ON pg_inherits.inhparent = tree.relation
    )
    SELECT relation FROM tree ORDER BY relation
$$;
COMMENT ON FUNCTION tokbudget._guard_tree(oid) IS 'internal: a table, its partitions and theirs, and tables that inherit from it';

CREATE FUNCTION tokbudget._has_other_layout(relation oid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH layout AS (
        SELECT tree.relation, array_agg(CASE WHEN NOT attisdropped THEN attname END ORDER BY attnum) AS columns
        FROM tokbudget._guard_tree(_has_other_layout.relation) AS tree (relation) JOIN pg_attribute ON attrelid = tree.relation AND attnum > 0
        GROUP BY tree.relation
    )
    SELECT count(DISTINCT columns) > 1 FROM layout
    WHERE EXISTS (SELECT FROM pg_class WHERE oid = _has_other_layout.relation AND relkind = 'p')
$$;
COMMENT ON FUNCTION tokbudget._has_other_layout(oid) IS 'internal: whether columns of a partition stand in other places than those of the partitioned table';

-- The triggers run with the rights of the extension's owner, so nothing of a user's making may be called on the way: columns
-- are read through built-in types and the output functions of enums alone. That is looked at for every statement, because the
-- owner of the table may change it.
CREATE FUNCTION tokbudget._guard_column(relation oid, argument text, column_name name, class text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    type_id oid;
    base_id oid;
    kind "char";
    is_generated boolean;
    expression text;
BEGIN
    IF column_name IS NULL THEN
        RETURN CASE class WHEN 'text' THEN 'NULL::text' ELSE 'NULL::jsonb' END;
    END IF;
    SELECT atttypid, attgenerated <> '' INTO type_id, is_generated FROM pg_attribute
    WHERE attrelid = relation AND attname = column_name AND attnum > 0 AND NOT attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'guarded table has no such column',
            DETAIL = jsonb_build_object('table', relation::regclass::text, 'argument', argument, 'column', column_name)::text,
            HINT = 'Call tb_guard(table, ...) with the present names of the columns.';
    END IF;
    -- PostgreSQL 15 shows a trigger of the parent NULL for what a partition of another layout generates.
    IF is_generated AND tokbudget._has_other_layout(relation) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'generated column of a partitioned table with partitions of another layout',
            DETAIL = jsonb_build_object('table', relation::regclass::text, 'argument', argument, 'column', column_name)::text,
            HINT = 'Its value would be missing. Give the partitions the columns of the parent in the same order, or guard the columns that it is made of.';
    END IF;
    base_id := type_id;
    LOOP
        SELECT typtype, CASE typtype WHEN 'd' THEN typbasetype ELSE base_id END INTO kind, base_id FROM pg_type WHERE oid = base_id;
        EXIT WHEN kind <> 'd';
    END LOOP;
    expression := CASE
        WHEN kind = 'e' THEN format('CASE WHEN t.%1$I IS NOT NULL THEN format(''%%s'', t.%1$I) END COLLATE "C"', column_name)
        WHEN base_id IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype)
            THEN format('t.%I::text COLLATE "C"', column_name)
    END;
    expression := CASE
        WHEN class = 'text' THEN expression
        WHEN class = 'object' AND base_id IN ('json'::regtype, 'jsonb'::regtype)
            THEN format('NULLIF(t.%I::jsonb, ''null'')', column_name)
        WHEN class = 'value' AND expression IS NOT NULL THEN format('to_jsonb(%s)', expression)
        -- Below this are the types that PostgreSQL itself brings.
        WHEN class = 'value' AND kind = 'b' AND base_id < 16384 THEN format('to_jsonb(t.%I)', column_name)
    END;
    IF expression IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'column of a guarded table has the wrong type',
            DETAIL = jsonb_build_object('table', relation::regclass::text, 'argument', argument, 'column', column_name,
                'type', format_type(type_id, NULL))::text,
            HINT = CASE class WHEN 'text' THEN 'It must be text, varchar, char, name or an enum.'
                WHEN 'object' THEN 'It must be jsonb or json.' ELSE 'It must be of a built-in type or an enum.' END;
    END IF;
    RETURN expression;
END;
$$;
COMMENT ON FUNCTION tokbudget._guard_column(oid, text, name, text) IS
    'internal: the SQL that reads a column of the row t as class text, object or value; raises TB008 for a column that is missing or of another type, TB011 for a generated one whose value would be missing';

CREATE FUNCTION tokbudget._guard_rows(relation oid, guard tokbudget.guard, transition_table name) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    also text := (
        SELECT string_agg(tokbudget._guard_column(relation, 'also_columns', also_column, 'text'), ', ')
        FROM unnest(guard.also_columns) AS also_column
    );
    attributes text := (
        SELECT string_agg(format('%L, %s', key, tokbudget._guard_column(relation, 'attributes', value::name, 'value')), ', ')
        FROM jsonb_each_text(guard.attributes)
    );
BEGIN
    RETURN format(
        'SELECT row_number() OVER () AS ordinal, %s AS account, COALESCE(%s, %L) AS model, %s AS usage, %s AS content, %s AS meters,
            to_jsonb(array_remove(ARRAY[%s]::text[], NULL)) AS also, jsonb_strip_nulls(jsonb_build_object(%s)) AS attributes
        FROM %I AS t',
        tokbudget._guard_column(relation, 'account_column', guard.account_column, 'text'),
        tokbudget._guard_column(relation, 'model_column', guard.model_column, 'text'),
        guard.model,
        tokbudget._guard_column(relation, 'usage_column', guard.usage_column, 'object'),
        tokbudget._guard_column(relation, 'text_column', guard.text_column, 'text'),
        tokbudget._guard_column(relation, 'meters_column', guard.meters_column, 'object'),
        also, attributes, transition_table);
END;
$$;
COMMENT ON FUNCTION tokbudget._guard_rows(oid, tokbudget.guard, name) IS
    'internal: the query that reads what a guard needs of a transition table, numbered in the order in which the statement wrote the rows';

CREATE FUNCTION tokbudget._guard_query(relation oid, guard tokbudget.guard, operation text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_measured CONSTANT boolean := COALESCE(guard.usage_column, guard.text_column, guard.meters_column) IS NOT NULL;
    has_used CONSTANT text := CASE WHEN is_measured
        THEN '(%1$s.usage IS NOT NULL OR %1$s.content IS NOT NULL OR %1$s.meters IS NOT NULL)' ELSE 'true' END;
    usage CONSTANT text := format(
        'CASE WHEN %%1$s.usage IS NOT NULL THEN %%1$s.usage WHEN %%1$s.content IS NOT NULL THEN jsonb_build_object(''input_tokens'','
        ' @extschema@.tb_count_tokens(%%1$s.content, COALESCE(%L, %%1$s.model)), ''output_tokens'', 0) ELSE ''{}'' END', guard.encoding);
    before text := 'NULL::jsonb';
    changed text := 'true';
    tables text := format('later AS MATERIALIZED (%s)', tokbudget._guard_rows(relation, guard, 'new_rows'));
    source text := 'later';
BEGIN
    IF operation = 'UPDATE' THEN
        tables := tables || format(', earlier AS MATERIALIZED (%s)', tokbudget._guard_rows(relation, guard, 'old_rows'));
        source := 'later JOIN earlier ON earlier.ordinal = later.ordinal';
        changed := 'ROW(earlier.account, earlier.model, earlier.usage, earlier.content, earlier.meters, earlier.also)'
            ' IS DISTINCT FROM ROW(later.account, later.model, later.usage, later.content, later.meters, later.also)';
        IF guard.updates = 'difference' THEN
            before := format('CASE WHEN ROW(earlier.account, earlier.model, earlier.also)'
                ' IS NOT DISTINCT FROM ROW(later.account, later.model, later.also) AND %s'
                ' THEN jsonb_build_object(''usage'', %s, ''meters'', COALESCE(earlier.meters, ''{}'')) END',
                format(has_used, 'earlier'), format(usage, 'earlier'));
        END IF;
    END IF;
    -- As many at a time as one call of the engine takes.
    RETURN format(
        'WITH %s, charge AS (
            SELECT later.ordinal, split_part(later.account, ''/'', 1) AS tenant, jsonb_build_object(
                ''account'', later.account,
                ''model'', CASE WHEN later.usage IS NOT NULL OR later.content IS NOT NULL THEN later.model END,
                ''usage'', CASE WHEN later.account IS NOT NULL THEN %s END,
                ''meters'', COALESCE(later.meters, ''{}''),
                ''also'', later.also,
                ''attributes'', %L::jsonb || later.attributes,
                ''usage_source'', CASE WHEN later.usage IS NULL AND later.content IS NOT NULL THEN ''estimated'' ELSE ''provider'' END,
                ''before'', %s) AS charge
            FROM %s
            WHERE (%s) AND (%s) AND (later.account IS NULL OR %s)
        ), numbered AS (
            SELECT *, (row_number() OVER (PARTITION BY tenant ORDER BY ordinal) - 1) / 100000 AS batch FROM charge
        )
        SELECT tenant, ''['' || string_agg(charge::text, '','' ORDER BY ordinal) || '']'' AS charges, array_agg(ordinal ORDER BY ordinal) AS ordinals
        FROM numbered GROUP BY tenant, batch ORDER BY tenant NULLS FIRST, batch',
        tables, format(usage, 'later'), jsonb_build_object('table', relation::regclass::text), before, source, changed,
        CASE guard.without_account WHEN 'skip' THEN 'later.account IS NOT NULL' ELSE 'true' END,
        format(has_used, 'later'));
END;
$$;
COMMENT ON FUNCTION tokbudget._guard_query(oid, tokbudget.guard, text) IS
    'internal: the query that makes charges of what a statement has written, as one JSON array for each tenant; raises TB008 for columns that are missing or of another type';

CREATE FUNCTION tokbudget._guard_book(guard tokbudget.guard, relation oid, tenant text, charges text, ordinals bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    refusal tokbudget.refusal;
BEGIN
    IF tenant IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'row without an account',
            DETAIL = jsonb_build_object('table', relation::regclass::text, 'row', ordinals[1], 'column', guard.account_column)::text,
            HINT = 'A row of a guarded table names the account that it is charged to; tb_guard(..., without_account => ''skip'') lets others pass.';
    END IF;
    IF tokbudget._guard_charge(charges, guard.enforce, guard.tenant_id, guard.account_id) IS NULL THEN
        refusal := tokbudget._take_refusal();
        RAISE EXCEPTION USING ERRCODE = refusal.code, MESSAGE = refusal.reason, HINT = refusal.hint,
            DETAIL = (refusal.detail - 'item'
                || jsonb_build_object('table', relation::regclass::text, 'row', ordinals[(refusal.detail ->> 'item')::integer]))::text;
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._guard_book(tokbudget.guard, oid, text, text, bigint[]) IS
    'internal: charges rows of one tenant, or raises their refusal with the table and the number of the row within the statement in DETAIL';

CREATE FUNCTION tokbudget._guard_statement() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- The planner knows nothing of the numbers that rows are joined by, and would compile for a second what runs for less.
    SET jit = off
    AS $$
#variable_conflict use_column
DECLARE
    found_guard tokbudget.guard;
    query text;
    batch record;
    is_paired boolean;
BEGIN
    SELECT g.* INTO found_guard FROM tokbudget.guard AS g
    WHERE g.tenant_id = TG_ARGV[0]::integer AND g.guard_id = TG_ARGV[1]::bigint;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such guard',
            DETAIL = jsonb_build_object('table', TG_RELID::regclass::text)::text,
            HINT = 'The table came from elsewhere with its triggers: call tb_guard(table, ...) again, or tb_unguard(table).';
    END IF;
    -- Both transition tables are in the order in which rows were updated, so equal numbers mean the same row. Only where a
    -- trigger of a partition swallows a row on its way there from another one are there more old rows than new ones.
    IF TG_OP = 'UPDATE' THEN
        EXECUTE 'SELECT (SELECT count(*) FROM old_rows) = (SELECT count(*) FROM new_rows)' INTO is_paired;
        IF NOT is_paired THEN
            RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'an update dropped rows of a guarded table',
                DETAIL = jsonb_build_object('table', TG_RELID::regclass::text)::text,
                HINT = 'A trigger of a partition dropped rows that were moved there; delete them instead.';
        END IF;
    END IF;
    query := tokbudget._guard_query(TG_RELID, found_guard, TG_OP);
    IF found_guard.mode = 'check' THEN
        BEGIN
            FOR batch IN EXECUTE query LOOP
                PERFORM tokbudget._guard_book(found_guard, TG_RELID, batch.tenant, batch.charges, batch.ordinals);
            END LOOP;
            RAISE EXCEPTION USING ERRCODE = 'TB0OK', MESSAGE = 'it fits';
        EXCEPTION WHEN SQLSTATE 'TB0OK' THEN
            NULL;
        END;
    ELSE
        FOR batch IN EXECUTE query LOOP
            PERFORM tokbudget._guard_book(found_guard, TG_RELID, batch.tenant, batch.charges, batch.ordinals);
        END LOOP;
    END IF;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION tokbudget._guard_statement() IS
    'internal: trigger of guarded tables, after a statement and with transition tables; its arguments are the tenant and the id of the guard. To check is to charge in a subtransaction that is rolled back';

CREATE FUNCTION tokbudget._guard_triggers() RETURNS TABLE (relation oid, name name, operation text, tenant_id integer, guard_id bigint)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT tgrelid, tgname, CASE WHEN tgoldtable IS NULL THEN 'INSERT' ELSE 'UPDATE' END,
        split_part(encode(tgargs, 'escape'), E'\\000', 1)::integer, split_part(encode(tgargs, 'escape'), E'\\000', 2)::bigint
    FROM pg_trigger WHERE tgfoid = 'tokbudget._guard_statement()'::regprocedure
$$;
COMMENT ON FUNCTION tokbudget._guard_triggers() IS 'internal: every trigger of a guard, with the tenant and the id of the guard';

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
