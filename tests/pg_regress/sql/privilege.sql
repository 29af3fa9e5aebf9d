-- What roles can do without grants, and with them.
SELECT tb_create_account('priv') > 0, tb_create_budget('priv', 'tokens', 100) > 0;
SELECT reservation AS held FROM reserve('priv', 10) \gset
CREATE ROLE regress_tokbudget_none;
CREATE ROLE regress_tokbudget_spender;

-- Every function of the extension, called with nothing but NULLs by a role without grants: 42501 unless it only counts.
CREATE VIEW functions AS
SELECT p.oid, n.nspname AS schema, p.proname AS name, p.oid::regprocedure::text AS signature,
       (SELECT count(*) FROM unnest(p.proargtypes)) AS arguments, p.prorettype = 'trigger'::regtype AS is_trigger,
       format('SELECT * FROM %I.%I(%s)', n.nspname, p.proname,
           (SELECT string_agg('NULL::' || t::regtype, ', ' ORDER BY i) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, i))) AS call
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'tokbudget';
GRANT SELECT ON functions TO PUBLIC;
SET ROLE regress_tokbudget_none;
SELECT name, code_of(call) FROM functions WHERE schema = 'public' ORDER BY name COLLATE "C";
SELECT has_schema_privilege('tokbudget', 'USAGE') AS may_look_into_schema, has_schema_privilege('tokbudget', 'CREATE') AS may_create_in_schema;
SELECT name, has_function_privilege(oid, 'EXECUTE') AS may_execute FROM functions WHERE schema = 'tokbudget' ORDER BY name COLLATE "C";
SELECT tb_count_tokens('hello world', 'gpt-4o'), tb_fits('hello world', 'gpt-4o', 1), (SELECT count(*) FROM tb_split('hello world', 'gpt-4o', 1)) AS chunks,
       tb_count_messages('[]', 'gpt-4o') AS messages, code_of($$SELECT tb_encode('x', 'no-such')$$) AS refusals_arrive;
-- No table, no view, no sequence, in no way.
SELECT c.relname, code_of(format('TABLE tokbudget.%I', c.relname)) AS select, code_of(format('INSERT INTO tokbudget.%I DEFAULT VALUES', c.relname)) AS insert,
       code_of(format('DELETE FROM tokbudget.%I', c.relname)) AS delete, CASE WHEN c.relkind IN ('r', 'p') THEN code_of(format('TRUNCATE tokbudget.%I', c.relname)) END AS truncate,
       has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') AS any_column
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'tokbudget' AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname !~ '^entry_\d{4}' ORDER BY c.relname COLLATE "C";
SELECT code_of('CREATE TABLE tokbudget.mine (x integer)') AS create_table, code_of('CREATE FUNCTION tokbudget.f() RETURNS integer LANGUAGE sql AS ''SELECT 1''') AS create_function,
       code_of('DROP EXTENSION tokbudget') AS drop_extension, code_of('ALTER TABLE tokbudget.entry DISABLE TRIGGER ALL') AS disable_trigger,
       code_of('SET session_replication_role = replica') AS replica, code_of($$SET tokbudget.clock = '2020-01-01'$$) AS clock;
RESET ROLE;

-- Granted a function alone, a role may call it and spends nowhere. Granted access, it spends, and still touches no table.
GRANT EXECUTE ON FUNCTION tb_reserve, tb_commit, tb_release TO regress_tokbudget_spender;
SET ROLE regress_tokbudget_spender;
SELECT code, message FROM refused($$SELECT tb_reserve('priv', input_tokens => 40)$$);
SELECT code, message FROM refused(format('SELECT tb_release(%L)', :'held'));
RESET ROLE;
SELECT tb_grant_access('regress_tokbudget_spender', 'priv', 'spend');
SET ROLE regress_tokbudget_spender;
SELECT reservation AS mine, remaining FROM tb_reserve('priv', input_tokens => 40) \gset
SELECT tokens, remaining FROM tb_commit(:'mine', '{"input_tokens": 30, "output_tokens": 0}');
SELECT reservation AS other FROM tb_reserve('priv', input_tokens => 40) \gset
SELECT tb_release(:'other');
SELECT code, message FROM refused($$SELECT tb_reserve('priv', input_tokens => 61)$$);
SELECT code_of($$SELECT tb_create_budget('priv', 'tokens', 1000)$$) AS raise_own_budget, code_of($$SELECT tb_create_account('priv/x')$$) AS create_account,
       code_of($$SELECT tb_freeze('priv', 'x')$$) AS freeze, code_of('SELECT tb_expire()') AS expire,
       code_of($$SELECT tokbudget._expire(1)$$) AS internal,
       code_of($$SELECT tb_set_price('gpt-4o', 'x', 0, 0)$$) AS set_price, code_of('SELECT * FROM tb_verify()') AS verify, code_of($$SELECT * FROM tb_remaining('priv')$$) AS remaining;
SELECT code_of('TABLE tokbudget.entry') AS entry, code_of('TABLE tokbudget.reservation') AS reservation, code_of('UPDATE tokbudget.balance SET spent_units = 0') AS balance,
       code_of('UPDATE tokbudget.budget SET amount = 1000000') AS budget, code_of('TABLE tokbudget.chargeback') AS chargeback;
-- What it puts before pg_catalog in its search_path, or into pg_temp, runs in none of them.
RESET ROLE;
CREATE SCHEMA regress_hostile AUTHORIZATION regress_tokbudget_spender;
SET ROLE regress_tokbudget_spender;
CREATE FUNCTION regress_hostile.jsonb_typeof(jsonb) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END; $$;
CREATE FUNCTION regress_hostile.octet_length(text) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END; $$;
CREATE FUNCTION regress_hostile.greater(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END; $$;
CREATE OPERATOR regress_hostile.> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = regress_hostile.greater);
CREATE FUNCTION regress_hostile.same(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END; $$;
CREATE OPERATOR regress_hostile.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = regress_hostile.same);
CREATE TEMP TABLE balance (tenant_id integer, budget_id bigint, window_start timestamptz, spent_units bigint, held_units bigint);
SET search_path = regress_hostile, pg_temp, pg_catalog, public;
SELECT count(*) FROM tb_split('', 'gpt-4o', 1);
SELECT remaining FROM tb_reserve('priv', input_tokens => 60) \gset
\echo :remaining
RESET search_path;
RESET ROLE;
-- The ledger names who wrote: the role of the session, also inside a definer function.
SELECT DISTINCT actor = session_user AS actor FROM tokbudget.entry WHERE reservation_id = :'mine';

DROP SCHEMA regress_hostile CASCADE;
SELECT tb_revoke_access('regress_tokbudget_spender', 'priv', 'spend');
DROP OWNED BY regress_tokbudget_spender, regress_tokbudget_none;
DROP ROLE regress_tokbudget_spender, regress_tokbudget_none;
DROP VIEW functions;
SELECT * FROM tb_verify();
