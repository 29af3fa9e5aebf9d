-- Who may do what on which part of the tree: role x function x place.
SELECT tb_create_account(path) > 0 FROM unnest(ARRAY['acc/a/sub', 'acc-other/x']) AS path;
SELECT tb_create_account('acc/b', cost_center => 'CC-B') > 0;
SELECT count(tb_create_budget(account, 'tokens', 100000)) FROM unnest(ARRAY['acc', 'acc/a', 'acc/a/sub', 'acc/b', 'acc-other', 'acc-other/x']) AS account;
CREATE ROLE regress_acc_none;
CREATE ROLE regress_acc_spender;
CREATE ROLE regress_acc_member;
CREATE ROLE regress_acc_noinherit NOINHERIT;
CREATE ROLE regress_acc_reader;
CREATE ROLE regress_acc_auditor;
CREATE ROLE regress_acc_admin;
CREATE ROLE regress_acc_super SUPERUSER;
GRANT regress_acc_spender TO regress_acc_member, regress_acc_noinherit;
SELECT tb_grant_access('regress_acc_spender', 'acc/a', 'spend', 'the chat service') AS spender, tb_grant_access('regress_acc_spender', 'acc/a', 'spend') AS again,
       tb_grant_access('regress_acc_reader', 'acc/a', 'read') AS reader, tb_grant_access('regress_acc_auditor', 'acc/a', 'audit') AS auditor,
       tb_grant_access('regress_acc_admin', 'acc/a', 'administer') AS admin;
SELECT account, role, privilege, granted_by = current_user AS by_me, reason, is_role_missing FROM tokbudget.access_list WHERE tenant = 'acc' ORDER BY role;

-- What roles can execute by themselves: the whole list, so that nothing is opened by mistake.
CREATE VIEW acc_functions AS
SELECT p.oid, p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'tokbudget' WHERE NOT EXISTS (SELECT FROM aclexplode(p.proacl) AS acl WHERE acl.grantee = 0);
CREATE VIEW acc_opened AS
SELECT role, (SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname) FROM acc_functions WHERE has_function_privilege(role, oid, 'EXECUTE')) AS functions,
       (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'tokbudget'::regnamespace AND has_table_privilege(role, oid, 'SELECT')) AS views,
       (SELECT count(*) FROM pg_class WHERE relnamespace = 'tokbudget'::regnamespace AND relkind IN ('r', 'p', 'v') AND has_table_privilege(role, oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writable,
       has_schema_privilege(role, 'tokbudget', 'USAGE') AS looks_into_schema
FROM unnest(ARRAY['none', 'spender', 'member', 'noinherit', 'reader', 'auditor', 'admin']) WITH ORDINALITY AS n (name, i), LATERAL (SELECT 'regress_acc_' || name AS role) r ORDER BY i;
\x on
SELECT * FROM acc_opened;
\x off

-- The matrix. Every call runs as the role and is undone; what is shown is its SQLSTATE, or what the role got. A role is
-- refused by PostgreSQL itself (-) where it was not granted the function, and by the function (42501) where it was.
CREATE FUNCTION acc_try(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION 'done';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
        RESET ROLE;
        RETURN CASE WHEN message = 'done' THEN 'yes' WHEN message LIKE 'permission denied for function %' THEN '-' ELSE SQLSTATE END;
    END;
END;
$$;
CREATE TABLE acc_call (ordinal integer GENERATED ALWAYS AS IDENTITY, name text, call text);
INSERT INTO acc_call (name, call) VALUES
    ('reserve', 'SELECT tb_reserve(%L, input_tokens => 1)'),
    ('try_reserve', 'SELECT 1 / (SELECT allowed::integer FROM tb_try_reserve(%L, input_tokens => 1))'),
    ('remaining', 'SELECT * FROM tb_remaining(%L)'),
    ('create_account', 'SELECT tb_create_account(%L || ''/new/deep'')'),
    ('create_again', 'SELECT tb_create_account(%L, kind => ''team'')'),
    ('create_budget', 'SELECT tb_create_budget(%L, ''requests'', 1)'),
    ('freeze', 'SELECT tb_freeze(%L, ''test'')'),
    ('thaw', 'SELECT tb_thaw(%L, ''test'')'),
    ('set_rate', 'SELECT tb_set_rate(%L, 0.5)'),
    ('set_unpriced', 'SELECT tb_set_unpriced(%L, ''record'')'),
    ('rerate', 'SELECT * FROM tb_rerate(%L)'),
    ('grant_access', 'SELECT tb_grant_access(''regress_acc_none'', %L, ''read'')'),
    ('revoke_access', 'SELECT tb_revoke_access(''regress_acc_none'', %L, ''read'')');
-- tb_try_reserve answers with a row; a refusal shows as the division by zero, 22012.
CREATE VIEW acc_matrix AS
SELECT 'regress_acc_' || role AS role, r, acc_call.*, place, account, p FROM acc_call
CROSS JOIN unnest(ARRAY['none', 'spender', 'member', 'noinherit', 'reader', 'auditor', 'admin', 'super']) WITH ORDINALITY AS roles (role, r)
CROSS JOIN (VALUES (1, 'at', 'acc/a'), (2, 'below', 'acc/a/sub'), (3, 'above', 'acc'), (4, 'beside', 'acc/b'), (5, 'other', 'acc-other/x')) AS places (p, place, account);
SELECT replace(role, 'regress_acc_', '') AS role, name,
       max(result) FILTER (WHERE place = 'at') AS at, max(result) FILTER (WHERE place = 'below') AS below, max(result) FILTER (WHERE place = 'above') AS above,
       max(result) FILTER (WHERE place = 'beside') AS beside, max(result) FILTER (WHERE place = 'other') AS other
FROM (SELECT acc_matrix.*, acc_try(role, format(call, account)) AS result FROM acc_matrix) AS tried
GROUP BY r, role, ordinal, name ORDER BY r, ordinal;

-- With EXECUTE on everything, what the functions themselves let through at acc/a.
BEGIN;
SELECT format('GRANT EXECUTE ON ROUTINE %s TO regress_acc_none, regress_acc_spender, regress_acc_reader, regress_acc_auditor', string_agg(oid::regprocedure::text, ', ')) AS everything
FROM acc_functions WHERE proname LIKE 'tb\_%' \gset
:everything;
SELECT name, max(result) FILTER (WHERE role LIKE '%none') AS none, max(result) FILTER (WHERE role LIKE '%spender') AS spender,
       max(result) FILTER (WHERE role LIKE '%reader') AS reader, max(result) FILTER (WHERE role LIKE '%auditor') AS auditor
FROM (SELECT role, ordinal, name, acc_try(role, format(call, account)) AS result FROM acc_matrix WHERE place = 'at' AND role ~ 'none|spender|reader|auditor') AS tried
GROUP BY ordinal, name ORDER BY ordinal;
-- Those who do not spend on its account settle no reservation.
SELECT reservation AS held FROM reserve('acc/a', 2) \gset
SELECT role, acc_try(role, format('SELECT tb_release(%L)', :'held')) AS release, acc_try(role, format('SELECT tb_commit(%L, ''{"input_tokens": 1, "output_tokens": 0}'')', :'held')) AS commit
FROM unnest(ARRAY['regress_acc_none', 'regress_acc_spender', 'regress_acc_reader', 'regress_acc_auditor']) AS role;
ROLLBACK;

-- Order of the checks: arguments, existence, privilege, state.
SELECT tb_freeze('acc/b', 'checks come in order');
SET ROLE regress_acc_admin;
SELECT code, message FROM refused($$SELECT tb_create_budget('acc/b', 'tokens', -1)$$);
SELECT code, message FROM refused($$SELECT tb_create_budget('acc/none', 'tokens', 1)$$);
SELECT * FROM refused($$SELECT tb_create_budget('acc/b', 'tokens', 1)$$);
SELECT * FROM refused($$SELECT tb_reserve('acc/b', input_tokens => 1)$$);
SELECT allowed, code, reason, detail, hint FROM tb_try_reserve('acc/b', input_tokens => 1);
SELECT code, message FROM refused($$SELECT tb_reserve('acc/b', input_tokens => -1)$$);
SELECT code, message FROM refused($$SELECT tb_reserve('acc/none', input_tokens => 1)$$);
-- Only the owner makes a tenant.
SELECT * FROM refused($$SELECT tb_create_account('acc-new/x')$$);
RESET ROLE;
SELECT tb_thaw('acc/b', 'checked');
SELECT count(*) AS tenants FROM tokbudget.tenant WHERE name = 'acc-new';

-- Arguments of granting.
SELECT * FROM refused($$SELECT tb_grant_access('regress_acc_nobody', 'acc', 'read')$$);
SELECT * FROM refused($$SELECT tb_grant_access('public', 'acc', 'read')$$);
SELECT * FROM refused($$SELECT tb_grant_access(NULL, 'acc', 'read')$$);
SELECT * FROM refused($$SELECT tb_grant_access('regress_acc_none', 'acc', 'all')$$);
SELECT * FROM refused($$SELECT tb_grant_access('regress_acc_none', 'acc', NULL)$$);
SELECT * FROM refused($$SELECT tb_grant_access('regress_acc_none', NULL, 'read')$$);
SELECT * FROM refused($$SELECT tb_grant_access('regress_acc_none', 'acc/none', 'read')$$);
SELECT * FROM refused($$SELECT tb_revoke_access(NULL, 'acc', 'read')$$);
SELECT * FROM refused($$SELECT tb_revoke_access('regress_acc_none', 'acc', 'none')$$);
SELECT tb_revoke_access('regress_acc_none', 'acc', 'read') AS never_granted;
SELECT * FROM refused($$SELECT tokbudget._require_access(1, NULL, 'read')$$);
SELECT * FROM refused($$SELECT tokbudget._require_access(1, '{NULL}', 'read')$$);
SELECT * FROM refused($$SELECT tokbudget._require_access(1, '{1}', 'all')$$);

-- Each chain of also is checked by itself, from its root to its own end.
SET ROLE regress_acc_spender;
SELECT message FROM refused($$SELECT tb_reserve('acc/a', input_tokens => 1, also => '{acc/a/sub}')$$);
SELECT message FROM refused($$SELECT tb_reserve('acc/a/sub', input_tokens => 1, also => '{acc/a}')$$);
SELECT message FROM refused($$SELECT tb_reserve('acc/a', input_tokens => 1, also => '{acc/b}')$$);
SELECT message FROM refused($$SELECT tb_reserve('acc/a/sub', input_tokens => 1, also => '{acc/a,acc}')$$);
SELECT message FROM refused($$SELECT * FROM tb_remaining('acc/a', also => '{acc/b}')$$);
RESET ROLE;

-- A reservation is settled by whoever may spend on its account; to anyone else it says nothing of itself, whatever its state.
SELECT reservation AS foreign FROM reserve('acc/b', 40) \gset
SELECT reservation AS mixed FROM reserve('acc/b', 3, also => '{acc/a}') \gset
SET ROLE regress_acc_spender;
SELECT reservation AS mine FROM tb_reserve('acc/a', input_tokens => 50) \gset
SELECT code, message, replace(detail, :'foreign', '?') AS detail FROM refused(format('SELECT tb_commit(%L, ''{"input_tokens": 1, "output_tokens": 0}'')', :'foreign'));
SELECT code, message FROM refused(format('SELECT tb_release(%L)', :'foreign'));
-- Its own chain counts: drawing on acc/a as well makes it nobody else's.
SELECT code, message FROM refused(format('SELECT tb_release(%L)', :'mixed'));
SELECT code FROM refused($$SELECT tb_release('00000000-0000-8000-8000-000000000000')$$);
RESET ROLE;
SELECT tokens FROM tb_commit(:'foreign', '{"input_tokens": 40, "output_tokens": 0}');
SELECT tb_release(:'mixed');
SET ROLE regress_acc_spender;
SELECT code, message FROM refused(format('SELECT tb_commit(%L, ''{"input_tokens": 40, "output_tokens": 0}'')', :'foreign'));
SELECT code, message FROM refused(format('SELECT tb_release(%L)', :'mixed'));
-- A member of the group settles for it; a reader does not.
SET ROLE regress_acc_reader;
SELECT acl.code, acl.message FROM refused(format('SELECT tb_release(%L)', :'mine')) AS acl;
SET ROLE regress_acc_member;
SELECT tokens FROM tb_commit(:'mine', '{"input_tokens": 30, "output_tokens": 0}');
RESET ROLE;

-- The views show each what it may read: 30 tokens at acc/a, 40 at acc/b.
SELECT reservation AS corner FROM reserve('acc/a/sub', 7) \gset
SELECT tokens FROM tb_commit(:'corner', '{"input_tokens": 7, "output_tokens": 0}');
CREATE FUNCTION acc_seen(role text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    seen text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    SELECT string_agg(account || ' ' || input_tokens, ', ' ORDER BY account) INTO seen FROM tokbudget.chargeback WHERE tenant = 'acc';
    RESET ROLE;
    RETURN coalesce(seen, 'nothing');
EXCEPTION WHEN insufficient_privilege THEN
    RETURN SQLERRM;
END;
$$;
SELECT name, acc_seen('regress_acc_' || name) FROM unnest(ARRAY['none', 'spender', 'reader', 'auditor', 'admin', 'super']) AS name;
SELECT tb_grant_access('regress_acc_reader', 'acc', 'read') AS whole_tenant, acc_seen('regress_acc_reader') AS seen;
SELECT tb_revoke_access('regress_acc_reader', 'acc', 'read') AS taken_back, acc_seen('regress_acc_reader') AS seen;
-- Spent for acc/b, with acc/a paying as well: not an entry of acc/a's tree.
SELECT reservation AS shared FROM reserve('acc/b', 5, also => '{acc/a}') \gset
SELECT tokens FROM tb_commit(:'shared', '{"input_tokens": 5, "output_tokens": 0}');
SELECT acc_seen('regress_acc_reader');
-- A condition with a side effect sees nothing that the view does not show.
SET ROLE regress_acc_reader;
CREATE FUNCTION pg_temp.peek(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN IF $1 NOT LIKE 'acc/a%' THEN RAISE NOTICE 'saw %', $1; END IF; RETURN true; END; $$;
SELECT count(*) FROM tokbudget.chargeback WHERE pg_temp.peek(account) AND pg_temp.peek(cost_center);
SELECT count(*) FROM tokbudget.reported_cost WHERE pg_temp.peek(account);
SELECT count(*) FROM tokbudget.unpriced WHERE pg_temp.peek(account);
DROP FUNCTION pg_temp.peek(text);
SELECT code, message FROM refused('TABLE tokbudget.access_list');
SET ROLE regress_acc_auditor;
SELECT account, role, privilege FROM tokbudget.access_list ORDER BY role;
SELECT code, message FROM refused('TABLE tokbudget.access');
RESET ROLE;

-- An administrator gives and takes within its subtree, and its grants are worth what it has.
SET ROLE regress_acc_admin;
SELECT tb_grant_access('regress_acc_none', 'acc/a/sub', 'administer', 'delegated');
SET ROLE regress_acc_none;
SELECT tb_create_account('acc/a/sub/leaf') > 0 AS below, code_of($$SELECT tb_create_account('acc/a/leaf')$$) AS beside,
       code_of($$SELECT tb_grant_access('regress_acc_none', 'acc/a', 'spend')$$) AS more_for_itself, code_of($$SELECT tb_revoke_access('regress_acc_admin', 'acc/a', 'administer')$$) AS coup;
SELECT reservation IS NOT NULL AS administrators_spend FROM tb_reserve('acc/a/sub/leaf', input_tokens => 1);
SET ROLE regress_acc_admin;
SELECT tb_revoke_access('regress_acc_none', 'acc/a/sub', 'administer');
RESET ROLE;
\x on
SELECT * FROM acc_opened WHERE role = 'regress_acc_none';
\x off

-- Functions are taken back with the last grant that needs them, no earlier.
SELECT tb_grant_access('regress_acc_none', 'acc/b', 'spend') AND tb_grant_access('regress_acc_none', 'acc/a', 'spend') AND tb_grant_access('regress_acc_none', 'acc-other', 'read') AS granted;
CREATE FUNCTION acc_can() RETURNS TABLE (reserve boolean, remaining boolean, chargeback boolean, schema boolean) LANGUAGE sql AS $$
    SELECT bool_or(has_function_privilege('regress_acc_none', oid, 'EXECUTE')) FILTER (WHERE proname = 'tb_reserve'),
           bool_or(has_function_privilege('regress_acc_none', oid, 'EXECUTE')) FILTER (WHERE proname = 'tb_remaining'),
           has_table_privilege('regress_acc_none', 'tokbudget.chargeback', 'SELECT'), has_schema_privilege('regress_acc_none', 'tokbudget', 'USAGE') FROM acc_functions
$$;
SELECT tb_revoke_access('regress_acc_none', 'acc/b', 'spend') AS revoked;
SELECT * FROM acc_can();
SELECT tb_revoke_access('regress_acc_none', 'acc/a', 'spend') AS revoked;
SELECT * FROM acc_can();
SELECT tb_revoke_access('regress_acc_none', 'acc-other', 'read') AS revoked;
SELECT * FROM acc_can();

-- Granted and rolled back is not granted, also within one session.
BEGIN;
SELECT tb_grant_access('regress_acc_spender', 'acc/b', 'spend');
SELECT acc_try('regress_acc_spender', $$SELECT tb_reserve('acc/b', input_tokens => 1)$$);
ROLLBACK;
SELECT acc_try('regress_acc_spender', $$SELECT tb_reserve('acc/b', input_tokens => 1)$$);
BEGIN;
SAVEPOINT s;
SELECT tb_revoke_access('regress_acc_spender', 'acc/a', 'spend');
SELECT acc_try('regress_acc_member', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$);
ROLLBACK TO s;
SELECT acc_try('regress_acc_member', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$);
COMMIT;

-- Memberships come and go with the next call; SET ROLE decides, a definer function does not.
SELECT acc_try('regress_acc_none', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS stranger;
GRANT regress_acc_spender TO regress_acc_none;
SELECT acc_try('regress_acc_none', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS member;
REVOKE regress_acc_spender FROM regress_acc_none;
SELECT acc_try('regress_acc_none', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS stranger;
CREATE FUNCTION acc_lent() RETURNS boolean LANGUAGE sql SECURITY DEFINER AS $$ SELECT reservation IS NOT NULL FROM tb_reserve('acc/a', input_tokens => 1) $$;
SELECT acc_try('regress_acc_none', 'SELECT acc_lent()') AS definer_lends_nothing, acc_try('regress_acc_spender', 'SELECT acc_lent()') AS spender;
SET SESSION AUTHORIZATION regress_acc_noinherit;
SELECT code_of($$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS without_inheriting;
SET ROLE regress_acc_spender;
SELECT reservation IS NOT NULL AS with_set_role FROM tb_reserve('acc/a', input_tokens => 1);
RESET SESSION AUTHORIZATION;

-- A role keeps its access when it is renamed, and nobody gets it who takes its name.
ALTER ROLE regress_acc_spender RENAME TO regress_acc_renamed;
CREATE ROLE regress_acc_spender;
SELECT acc_try('regress_acc_renamed', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS renamed, acc_try('regress_acc_spender', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS namesake;
SELECT tb_grant_access('regress_acc_spender', 'acc/b', 'spend');
SELECT acc_try('regress_acc_renamed', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS renamed, acc_try('regress_acc_spender', $$SELECT tb_reserve('acc/a', input_tokens => 1)$$) AS namesake;
SELECT account, role, access.role AS written_down FROM tokbudget.access_list JOIN tokbudget.access USING (granted_at, role) WHERE tenant = 'acc' AND access.privilege = 'spend' ORDER BY role;
SELECT tb_revoke_access('regress_acc_spender', 'acc/a', 'spend') AS by_the_old_name, tb_revoke_access('regress_acc_renamed', 'acc/a', 'spend') AS by_the_new_name;
-- One that is dropped is shown as missing, and its grant goes by its name; one made anew under the name has nothing.
DROP OWNED BY regress_acc_spender;
DROP ROLE regress_acc_spender;
SELECT account, role, is_role_missing FROM tokbudget.access_list WHERE tenant = 'acc' AND privilege = 'spend';
CREATE ROLE regress_acc_spender IN ROLE regress_acc_renamed;
SELECT tb_grant_access('regress_acc_renamed', 'acc/a/sub', 'spend');
SELECT acc_try('regress_acc_spender', $$SELECT tb_reserve('acc/b', input_tokens => 1)$$) AS made_anew;
SELECT tb_revoke_access('regress_acc_spender', 'acc/b', 'spend') AS revoked, tb_revoke_access('regress_acc_spender', 'acc/b', 'spend') AS again;
-- A row that another cluster wrote means the role of that name, as after a restore; where there is none, nobody.
UPDATE tokbudget.access SET system_identifier = 1, role_oid = 10 WHERE role = 'regress_acc_renamed';
SELECT acc_try('regress_acc_renamed', $$SELECT tb_reserve('acc/a/sub', input_tokens => 1)$$) AS by_name;
UPDATE tokbudget.access SET role = 'regress_acc_elsewhere' WHERE role = 'regress_acc_renamed';
SELECT acc_try('regress_acc_renamed', $$SELECT tb_reserve('acc/a/sub', input_tokens => 1)$$) AS by_another;
SELECT account, role, is_role_missing FROM tokbudget.access_list WHERE tenant = 'acc' AND privilege = 'spend';
SELECT tb_revoke_access('regress_acc_elsewhere', 'acc/a/sub', 'spend');

-- A role with the privileges of the extension's owner passes every check, as far as it was granted the functions.
SELECT extowner::regrole AS owner FROM pg_extension WHERE extname = 'tokbudget' \gset
GRANT :owner TO regress_acc_none;
SELECT acc_try('regress_acc_none', $$SELECT tb_create_account('acc-owned/x')$$) AS owner, acc_seen('regress_acc_none') AS seen;
REVOKE :owner FROM regress_acc_none;

DROP FUNCTION acc_lent(), acc_can(), acc_seen(text), acc_try(text, text);
DROP VIEW acc_matrix, acc_opened, acc_functions;
DROP TABLE acc_call;
DROP OWNED BY regress_acc_none, regress_acc_spender, regress_acc_renamed, regress_acc_member, regress_acc_noinherit, regress_acc_reader, regress_acc_auditor, regress_acc_admin, regress_acc_super;
DROP ROLE regress_acc_none, regress_acc_spender, regress_acc_renamed, regress_acc_member, regress_acc_noinherit, regress_acc_reader, regress_acc_auditor, regress_acc_admin, regress_acc_super;
DELETE FROM tokbudget.access;
SELECT * FROM tb_verify();
