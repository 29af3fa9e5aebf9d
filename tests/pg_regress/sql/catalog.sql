-- What the extension is made of, and the rules that its members follow.
CREATE VIEW members AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'tokbudget' AND d.deptype = 'e';
CREATE VIEW member_function AS SELECT p.* FROM pg_proc p JOIN members ON classid = 'pg_proc'::regclass AND objid = p.oid;
CREATE VIEW member_relation AS SELECT c.* FROM pg_class c JOIN members ON classid = 'pg_class'::regclass AND objid = c.oid;

-- The public functions.
SELECT oid::regprocedure AS function FROM member_function WHERE pronamespace = 'public'::regnamespace ORDER BY proname COLLATE "C";
-- Members are in schema tokbudget, or functions tb_* in the extension's schema, or the schema itself.
SELECT pg_describe_object(classid, objid, 0) AS misplaced FROM members
WHERE NOT (classid = 'pg_namespace'::regclass AND objid = 'tokbudget'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_proc WHERE classid = 'pg_proc'::regclass AND oid = objid AND (pronamespace = 'tokbudget'::regnamespace OR pronamespace = 'public'::regnamespace AND proname LIKE 'tb\_%'))
  AND NOT EXISTS (SELECT FROM pg_class WHERE classid = 'pg_class'::regclass AND oid = objid AND relnamespace = 'tokbudget'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_type WHERE classid = 'pg_type'::regclass AND oid = objid AND typnamespace = 'tokbudget'::regnamespace);
-- Everything has a comment: functions, tables, views, types, the schema, the extension.
SELECT oid::regprocedure AS function_without_comment FROM member_function WHERE obj_description(oid, 'pg_proc') IS NULL ORDER BY 1;
SELECT oid::regclass AS relation_without_comment FROM member_relation WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND obj_description(oid, 'pg_class') IS NULL ORDER BY 1;
SELECT t.oid::regtype AS type_without_comment FROM pg_type t JOIN members ON classid = 'pg_type'::regclass AND objid = t.oid
WHERE typelem = 0 AND obj_description(t.oid, 'pg_type') IS NULL AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c') ORDER BY 1;
SELECT obj_description('tokbudget'::regnamespace, 'pg_namespace') IS NOT NULL AS schema, (SELECT obj_description(oid, 'pg_extension') IS NOT NULL FROM pg_extension WHERE extname = 'tokbudget') AS extension;
-- A public function's comment says which errors it raises, unless it raises none.
SELECT proname AS says_no_error FROM member_function WHERE pronamespace = 'public'::regnamespace AND obj_description(oid, 'pg_proc') NOT LIKE '%TB0%' ORDER BY proname COLLATE "C";

-- SET search_path on everything in SQL and PL/pgSQL, and on every definer function. Those in SQL that have none become part of the
-- statements that call them, and name schemas and operators in full.
SELECT p.proname AS without_search_path, l.lanname FROM member_function p JOIN pg_language l ON l.oid = p.prolang
WHERE l.lanname IN ('sql', 'plpgsql') AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%') ORDER BY p.proname COLLATE "C";
SELECT oid::regprocedure AS definer_without_search_path FROM member_function
WHERE prosecdef AND NOT coalesce(proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false);
SELECT proname AS definer FROM member_function WHERE prosecdef ORDER BY proname COLLATE "C";
-- Only what is meant for clients, the trigger on their tables, and what views call, which then show no more than the reader may see.
SELECT oid::regprocedure AS internal_definer FROM member_function WHERE prosecdef AND pronamespace <> 'public'::regnamespace AND prorettype <> 'trigger'::regtype;

-- What PUBLIC may execute, and what it may do with tables.
SELECT p.pronamespace::regnamespace AS schema, p.proname FROM member_function p
WHERE EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE') ORDER BY 1, p.proname COLLATE "C";
SELECT c.relname, a.privilege_type FROM member_relation c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a WHERE a.grantee = 0;

-- Every table that holds data is dumped; the book of prices that ships is not, nor are sums that the ledger gives again.
SELECT c.oid::regclass AS holds_data_and_is_not_dumped FROM member_relation c
WHERE c.relkind IN ('r', 'S') AND NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'tokbudget' AND c.oid = ANY (e.extconfig)) ORDER BY 1;
SELECT c.relation::regclass, c.condition FROM pg_extension e, ROWS FROM (unnest(e.extconfig), unnest(e.extcondition)) AS c (relation, condition) WHERE e.extname = 'tokbudget' ORDER BY 1;
-- Keys begin with the tenant, but for what all tenants share.
SELECT i.indrelid::regclass AS relation, i.indexrelid::regclass::text AS index FROM pg_index i JOIN member_relation c ON c.oid = i.indrelid
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indisunique AND a.attname <> 'tenant_id' ORDER BY 1, 2;
-- No row trigger maintains a balance: a restore would count twice.
SELECT t.tgrelid::regclass AS relation, t.tgname FROM pg_trigger t JOIN member_relation c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND c.relname NOT LIKE 'entry%' AND t.tgtype & 1 = 1;

-- In another schema, and gone without a trace.
SELECT current_database() AS here \gset
CREATE DATABASE regress_tokbudget_other;
\c regress_tokbudget_other
CREATE SCHEMA x;
CREATE EXTENSION tokbudget SCHEMA x;
SELECT x.tb_count_tokens('hello world', 'gpt-4o') AS tokens, x.tb_create_account('a/b') > 0 AS account, x.tb_create_budget('a', 'tokens', 10) > 0 AS budget;
SELECT (x.tb_reserve('a/b', input_tokens => 10)).remaining;
SELECT to_regprocedure('public.tb_count_tokens(text, text)') AS in_public, count(*) FILTER (WHERE p.prosrc LIKE '%extschema%') AS unreplaced FROM pg_proc p WHERE p.pronamespace IN ('x'::regnamespace, 'tokbudget'::regnamespace);
SELECT * FROM x.tb_verify();
ALTER EXTENSION tokbudget SET SCHEMA public;
\echo :LAST_ERROR_SQLSTATE
DROP EXTENSION tokbudget;
SELECT count(*) FROM pg_namespace WHERE nspname = 'tokbudget';
-- A schema of that name that somebody else made is never adopted.
CREATE SCHEMA tokbudget;
CREATE EXTENSION tokbudget;
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA tokbudget;
CREATE EXTENSION tokbudget;
SELECT tb_count_tokens('hello world', 'gpt-4o');
\c :here
DROP DATABASE regress_tokbudget_other;
DROP VIEW member_function, member_relation, members;
