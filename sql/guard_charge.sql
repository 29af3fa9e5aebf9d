-- What a guard does with the rows of a statement: reads them, charges them in one step, refuses what does not fit.

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
