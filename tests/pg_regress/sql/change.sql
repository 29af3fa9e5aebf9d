-- Every change of the set-up is logged: who, when, from what to what, why.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
CREATE ROLE regress_changer SUPERUSER;
SET tokbudget.clock = '2026-06-01 08:00:00+00';
SELECT tb_create_account('log/team/bot', kind => 'agent', owner => 'eve') > 0 AS made;
SET tokbudget.clock = '2026-06-01 09:00:00+00';
SELECT tb_create_account('log/team', cost_center => 'S1') > 0 AS filled_in, tb_create_account('log/team') > 0 AS nothing_new;
SELECT tb_freeze('log/team/bot', 'loop');
SELECT tb_freeze('log/team/bot', 'worse');
SELECT tb_thaw('log/team/bot', 'fixed');
SET ROLE regress_changer;
SELECT tb_set_account('log/team/bot', owner => 'bob', reason => 'eve left');
RESET ROLE;
SELECT tb_rename_account('log/team', 'crew', 'brand');
SELECT tb_create_account('log/other') > 0 AS other;
SELECT tb_move_account('log/crew/bot', 'log/other', 'reorganisation');
SELECT tb_set_rate('log/crew', 1.2, unit_prices => '{"requests": 0.01}', model => 'some-model', effective_at => '2026-06-02', reason => 'markup') AS rate_id \gset
SELECT tb_set_unpriced('log/crew', 'record');
SELECT tb_set_tenant('log', commit_grace => '1 minute', reason => 'strict');
SELECT tb_close_account('log/crew', 'over');
RESET tokbudget.clock;

-- The latest first, with all below.
SELECT changed_at, actor = SESSION_USER AS actor, acting_role, account, object, action, before, after, reason FROM tb_changes('log');
SELECT account, action FROM tb_changes('log/other');
SELECT account, action, object_id = :rate_id AS rate FROM tb_changes('log/crew') WHERE object = 'rate';
-- From an instant on.
SELECT count(*) FILTER (WHERE action = 'create') AS made, count(*) FROM tb_changes('log', '2026-06-01 09:00:00+00');
SELECT count(*) FROM tb_changes('log', '2026-06-01 09:00:00.000001+00');
SELECT count(*) FROM tb_changes('log', 'infinity');
SELECT * FROM refused($$SELECT * FROM tb_changes('log', NULL)$$);
SELECT code_of($$SELECT * FROM tb_changes('log/none')$$) AS unknown, code_of($$SELECT * FROM tb_changes(NULL)$$) AS null_account,
       code_of($$SELECT * FROM tb_changes('')$$) AS empty, code_of($$SELECT * FROM tb_changes('a//b')$$) AS malformed;
-- What was refused or rolled back is not there.
SELECT code_of($$SELECT tb_freeze('log/crew', 'x')$$) AS closed, code_of($$SELECT tb_rename_account('log/other', '', 'x')$$) AS malformed;
BEGIN;
SELECT tb_freeze('log/other', 'x');
ROLLBACK;
SELECT count(*) FROM tb_changes('log') WHERE reason = 'x';

-- Append-only, for everybody and in every mode of replication.
\set SHOW_CONTEXT never
DELETE FROM tokbudget.change;
SELECT mode, code_of('UPDATE tokbudget.change SET reason = NULL') AS update, code_of('DELETE FROM tokbudget.change') AS delete, code_of('TRUNCATE tokbudget.change') AS truncate
FROM (VALUES ('origin')) AS m (mode);
SET session_replication_role = replica;
SELECT mode, code_of('UPDATE tokbudget.change SET reason = NULL') AS update, code_of('DELETE FROM tokbudget.change') AS delete, code_of('TRUNCATE tokbudget.change') AS truncate
FROM (VALUES ('replica')) AS m (mode);
RESET session_replication_role;
SELECT * FROM refused('TRUNCATE tokbudget.change');
-- What concerns every tenant, and a kind of thing that there is not.
BEGIN;
SELECT tokbudget._log_change(NULL, NULL, 'partition', NULL, 'create', NULL, '{"name": "x"}', ' ');
SELECT tenant_id, object, reason FROM tokbudget.change WHERE object = 'partition' AND tenant_id = 0;
SELECT code_of($$SELECT tokbudget._log_change(1, NULL, 'weather', NULL, 'create', NULL, NULL, NULL)$$) AS unknown_object;
ROLLBACK;
DROP ROLE regress_changer;
SELECT * FROM tb_verify();
