-- Who may change, rename, move and close accounts, and who may look.
CREATE ROLE regress_none;
CREATE ROLE regress_lead;
CREATE ROLE regress_reader;
CREATE ROLE regress_auditor;
SELECT tb_create_account('may/a/bot') > 0 AS a, tb_create_account('may/b') > 0 AS b;
SELECT tb_grant_access('regress_lead', 'may/a', 'administer'), tb_grant_access('regress_reader', 'may/a', 'read'), tb_grant_access('regress_auditor', 'may/a', 'audit');
-- EXECUTE alone opens nothing.
GRANT EXECUTE ON FUNCTION tb_create_account, tb_set_account, tb_freeze, tb_thaw, tb_close_account, tb_rename_account, tb_move_account, tb_set_tenant, tb_accounts, tb_changes
TO regress_none, regress_lead, regress_reader, regress_auditor;

CREATE FUNCTION codes(path text) RETURNS TABLE (call text, code text)
LANGUAGE sql AS $$
    SELECT t.call, code_of(format('SELECT ' || t.call, path))
    FROM (VALUES ('tb_create_account(%L, owner => ''eve'')'), ('tb_create_account(%L || ''/new'')'), ('tb_set_account(%L, owner => ''bob'')'), ('tb_freeze(%L, ''x'')'), ('tb_thaw(%L, ''x'')'),
        ('tb_rename_account(%L, ''other'', ''x'')'), ('tb_move_account(%L, ''may'', ''x'')'), ('tb_move_account(%L, ''may/b'', ''x'')'), ('tb_close_account(%L, ''x'')'),
        ('count(*) FROM tb_accounts(%1$L)'), ('count(*) FROM tb_changes(%1$L)')) AS t (call)
$$;
BEGIN;
SET LOCAL ROLE regress_none;
SELECT * FROM codes('may/a');
SET LOCAL ROLE regress_reader;
SELECT * FROM codes('may/a');
SET LOCAL ROLE regress_auditor;
SELECT * FROM codes('may/a');
ROLLBACK;
-- An administrator changes what is at and below the account, but takes nothing out from under the budgets above it.
SET ROLE regress_lead;
SELECT * FROM refused($$SELECT tb_set_account('may/b', owner => 'eve')$$);
SELECT * FROM refused($$SELECT tb_move_account('may/a', 'may/b', 'x')$$);
SELECT * FROM refused($$SELECT * FROM tb_changes('may')$$);
SELECT code_of($$SELECT tb_move_account('may/a/bot', 'may/b', 'x')$$) AS move_out, code_of($$SELECT tb_move_account('may/b', 'may/a', 'x')$$) AS move_in,
       code_of($$SELECT tb_rename_account('may/b', 'c', 'x')$$) AS rename, code_of($$SELECT tb_close_account('may', 'x')$$) AS close_above,
       code_of($$SELECT tb_set_tenant('may', commit_grace => '0')$$) AS tenant, code_of($$SELECT tb_create_account('may-too')$$) AS new_tenant;
SELECT tb_create_account('may/a/c') > 0 AS c;
SELECT tb_move_account('may/a/bot', 'may/a/c', 'x'), tb_set_account('may/a/c/bot', owner => 'eve'), tb_rename_account('may/a', 'aa', 'x'), tb_freeze('may/aa', 'x');
SELECT account, status, owner FROM tb_accounts('may/aa');
SELECT account, action, actor = SESSION_USER AS actor, acting_role FROM tb_changes('may/aa') WHERE acting_role IS NOT NULL;
SELECT tb_close_account('may/aa', 'x');
RESET ROLE;
-- Who administers a whole tenant still names none.
SELECT tb_grant_access('regress_lead', 'may', 'administer');
SET ROLE regress_lead;
SELECT tb_set_tenant('may', commit_grace => '1 minute');
SELECT * FROM refused($$SELECT tb_rename_account('may', 'must', 'x')$$);
RESET ROLE;
SELECT tb_revoke_access('regress_lead', 'may', 'administer'), tb_revoke_access('regress_lead', 'may/aa', 'administer'), tb_revoke_access('regress_reader', 'may/aa', 'read'), tb_revoke_access('regress_auditor', 'may/aa', 'audit');
-- Who was granted what is logged too.
SELECT account, action, before, after FROM tb_changes('may') WHERE object = 'access';
DROP FUNCTION codes;
DROP OWNED BY regress_none, regress_lead, regress_reader, regress_auditor;
DROP ROLE regress_none, regress_lead, regress_reader, regress_auditor;
SELECT * FROM tb_verify();
