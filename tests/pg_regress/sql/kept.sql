-- What a session keeps of accounts, budgets and grants, and its own changes to them: seen by the very next call, and gone
-- from it with a rollback.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-04-10 10:00:00+00';
CREATE FUNCTION pg_temp.hold(name text, tokens bigint) RETURNS text
LANGUAGE sql AS $$ SELECT CASE WHEN allowed THEN 'held, remaining ' || remaining::text ELSE code || ' ' || coalesce(detail ->> 'amount', detail ->> 'account', '') END FROM tb_try_reserve(name, input_tokens => tokens) $$;
CREATE FUNCTION pg_temp.budget(name text) RETURNS bigint
LANGUAGE sql AS $$ SELECT b.budget_id FROM tokbudget.budget b JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path = name $$;

SELECT tb_create_account('ke/team') > 0, tb_create_budget('ke', 'tokens', 1000) > 0;
SELECT pg_temp.hold('ke/team', 1);

-- An account and a budget of this very transaction: all of it, to a savepoint, a block.
BEGIN;
SELECT tb_create_account('ke/team/new') > 0, tb_create_budget('ke/team/new', 'tokens', 5) > 0;
SELECT pg_temp.hold('ke/team/new', 6), pg_temp.hold('ke/team/new', 5), pg_temp.hold('ke/team/new', 1);
ROLLBACK;
SELECT pg_temp.hold('ke/team/new', 1);
BEGIN;
SAVEPOINT s;
SELECT tb_create_account('ke/team/new') > 0, tb_create_budget('ke/team/new', 'tokens', 5) > 0, tb_create_budget('ke/team', 'tokens', 7) > 0;
SELECT pg_temp.hold('ke/team/new', 6), pg_temp.hold('ke/team', 8), pg_temp.hold('ke/team', 3);
ROLLBACK TO s;
SELECT pg_temp.hold('ke/team/new', 1), pg_temp.hold('ke/team', 8);
COMMIT;
SELECT pg_temp.hold('ke/team/new', 1), pg_temp.hold('ke/team', 8);
DO $$
BEGIN
    BEGIN
        PERFORM tb_create_budget('ke/team', 'tokens', 7);
        RAISE NOTICE '%', pg_temp.hold('ke/team', 8);
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        RAISE NOTICE '%', pg_temp.hold('ke/team', 8);
    END;
END
$$;

-- A change by function and one by hand, seen in the same transaction and gone with the savepoint.
SELECT tb_create_account('ke/team/bot') > 0, tb_create_budget('ke/team/bot', 'tokens', 50) > 0;
SELECT pg_temp.hold('ke/team/bot', 10);
BEGIN;
SAVEPOINT s;
SELECT tb_change_budget(pg_temp.budget('ke/team/bot'), 15);
SELECT pg_temp.hold('ke/team/bot', 10);
ROLLBACK TO s;
SELECT pg_temp.hold('ke/team/bot', 10);
SAVEPOINT s2;
UPDATE tokbudget.budget SET amount = 25 WHERE budget_id = pg_temp.budget('ke/team/bot');
SELECT pg_temp.hold('ke/team/bot', 10);
SAVEPOINT s3;
DELETE FROM tokbudget.budget WHERE budget_id = pg_temp.budget('ke/team/bot');
SELECT pg_temp.hold('ke/team/bot', 10);
ROLLBACK TO s3;
SELECT pg_temp.hold('ke/team/bot', 10);
ROLLBACK TO s2;
SELECT pg_temp.hold('ke/team/bot', 10);
RELEASE s;
SELECT tb_freeze('ke/team', 'audit');
SELECT pg_temp.hold('ke/team/bot', 1);
ROLLBACK;
SELECT pg_temp.hold('ke/team/bot', 40);
-- The change and the call in one statement each, without anything between them.
BEGIN;
UPDATE tokbudget.account SET status = 'frozen' WHERE path = 'ke/team/bot';
SELECT pg_temp.hold('ke/team/bot', 1);
UPDATE tokbudget.account SET status = 'active' WHERE path = 'ke/team/bot';
SELECT pg_temp.hold('ke/team/bot', 1);
ROLLBACK;
WITH frozen AS (SELECT tb_freeze('ke/team/bot', 'audit')) SELECT pg_temp.hold('ke/team/bot', 1) FROM frozen;
SELECT tb_thaw('ke/team/bot', 'done');
SELECT pg_temp.hold('ke/team/bot', 1);

-- What was kept before, of one that is renamed, moved, and whose name another one gets.
BEGIN;
SELECT tb_rename_account('ke/team/bot', 'old', 'new one');
SELECT tb_create_account('ke/team/bot') > 0;
SELECT pg_temp.hold('ke/team/bot', 60), pg_temp.hold('ke/team/old', 60);
ROLLBACK;
SELECT pg_temp.hold('ke/team/bot', 60), pg_temp.hold('ke/team/old', 60);

-- Grants: given, drawn on, revoked, run out, not begun.
SELECT tb_create_account('ke/grants') AS account, tb_create_budget('ke/grants', 'tokens', 10) AS budget \gset
SELECT pg_temp.hold('ke/grants', 11);
SELECT tb_grant(:budget, 5, '2026-04-10 12:00:00+00', 'until noon') AS until_noon, tb_grant(:budget, 20, NULL, 'from one', starts_at => '2026-04-10 13:00:00+00') AS from_one \gset
SELECT reservation, remaining FROM tb_reserve('ke/grants', input_tokens => 12, ttl => '1 day') \gset
SELECT :'remaining';
SET tokbudget.clock = '2026-04-10 12:00:00+00';
SELECT pg_temp.hold('ke/grants', 1);
SET tokbudget.clock = '2026-04-10 13:00:00+00';
SELECT pg_temp.hold('ke/grants', 21), pg_temp.hold('ke/grants', 4);
BEGIN;
SELECT tb_revoke_grant(:from_one, 'a mistake');
SELECT pg_temp.hold('ke/grants', 1);
ROLLBACK;
SELECT pg_temp.hold('ke/grants', 1);
-- Back before noon: the first grant again, of which two are held.
SET tokbudget.clock = '2026-04-10 11:00:00+00';
SELECT pg_temp.hold('ke/grants', 4), pg_temp.hold('ke/grants', 3);
-- Settled after the grant has run out: eleven of the twelve, one of them of the grant.
SET tokbudget.clock = '2026-04-10 14:00:00+00';
SELECT remaining FROM tb_commit(:'reservation', '{"input_tokens": 11, "output_tokens": 0}');
SELECT budget_ids[2:] = ARRAY[:budget, :until_noon]::bigint[] AS both, spent_units FROM tokbudget.entry WHERE reservation_id = :'reservation';

-- Validity, of budgets and of accounts, goes by the clock of the call.
SELECT tb_create_account('ke/valid') > 0, tb_create_budget('ke/valid', 'tokens', 3, valid_from => '2026-04-11', valid_until => '2026-04-12') > 0;
SELECT pg_temp.hold('ke/valid', 4);
SET tokbudget.clock = '2026-04-11 00:00:00+00';
SELECT pg_temp.hold('ke/valid', 4), pg_temp.hold('ke/valid', 3);
SET tokbudget.clock = '2026-04-11 23:59:59.999999+00';
SELECT pg_temp.hold('ke/valid', 4);
SET tokbudget.clock = '2026-04-12 00:00:00+00';
SELECT pg_temp.hold('ke/valid', 4);
SELECT tb_set_account('ke/valid', expires_at => '2026-04-13');
SELECT pg_temp.hold('ke/valid', 1);
SET tokbudget.clock = '2026-04-13 00:00:00+00';
SELECT pg_temp.hold('ke/valid', 1);

-- Windows follow the clock, back too.
SELECT tb_create_account('ke/daily') > 0, tb_create_budget('ke/daily', 'tokens', 10, every => 'day') > 0;
SELECT pg_temp.hold('ke/daily', 6), pg_temp.hold('ke/daily', 6);
SET tokbudget.clock = '2026-04-13 23:59:59.999999+00';
SELECT pg_temp.hold('ke/daily', 11);
SET tokbudget.clock = '2026-04-14 00:00:00+00';
SELECT pg_temp.hold('ke/daily', 9);
SET tokbudget.clock = '2026-04-13 00:05:00+00';
SELECT pg_temp.hold('ke/daily', 5), pg_temp.hold('ke/daily', 4);

-- More accounts than a session keeps young, and those that are asked for again.
INSERT INTO tokbudget.account (tenant_id, account_id, path, parent_id, ancestor_ids)
SELECT a.tenant_id, tokbudget._new_id(), a.path || '/u' || i, a.account_id, a.ancestor_ids || a.account_id
FROM tokbudget.account a, generate_series(1, 4200) i WHERE a.path = 'ke/daily';
SELECT count(*), min(r.amount), max(r.amount) FROM generate_series(1, 4200) i, tb_remaining('ke/daily/u' || i) r WHERE r.account = 'ke/daily';
SELECT count(*), min(r.amount), max(r.amount) FROM generate_series(1, 100) i, tb_remaining('ke/daily/u' || i) r WHERE r.account = 'ke/daily';
SELECT tb_change_budget(pg_temp.budget('ke/daily'), 12);
SELECT count(*), min(r.amount), max(r.amount) FROM generate_series(1, 100) i, tb_remaining('ke/daily/u' || i) r WHERE r.account = 'ke/daily';

-- Nothing is left to others to sweep.
SET tokbudget.clock = '2026-04-30 00:00:00+00';
SELECT tb_expire(100000) > 0 AS swept;
SELECT * FROM tb_verify();
