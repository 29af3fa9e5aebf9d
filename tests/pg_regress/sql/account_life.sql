-- What happens to an account after it was made: frozen, closed, described otherwise, renamed, moved.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-05-01 10:00:00+00';

-- Whether the tree of a tenant is one: paths, parents and ancestors say the same.
CREATE FUNCTION broken_tree(tenant_name text) RETURNS SETOF text
LANGUAGE sql AS $$
    SELECT a.path
    FROM tokbudget.tenant t JOIN tokbudget.account a USING (tenant_id)
    LEFT JOIN tokbudget.account p ON p.tenant_id = a.tenant_id AND p.account_id = a.parent_id
    WHERE t.name = tenant_name AND (
        (a.parent_id IS NULL AND (a.path <> t.name OR a.ancestor_ids <> '{}'))
        OR (a.parent_id IS NOT NULL AND (a.path !~ '/[^/]+$' OR p.path IS DISTINCT FROM regexp_replace(a.path, '/[^/]+$', '')
            OR a.ancestor_ids IS DISTINCT FROM p.ancestor_ids || p.account_id)))
$$;

SELECT tb_create_account('life/search/bot', kind => 'agent', cost_center => 'R&D', owner => 'eve', labels => '{"env": "prod"}', purpose => 'answers') > 0 AS bot,
       tb_create_account('life/support') > 0 AS support;

-- Freezing says who, why and when; again it replaces the reason.
SELECT tb_freeze('life/search', 'loop');
SET tokbudget.clock = '2026-05-01 11:00:00+00';
SELECT tb_freeze('life/search', 'still looping');
SELECT account, kind, status, status_reason, status_actor, owner, cost_center, labels, purpose, expires_at, status_changed_at FROM tb_accounts('life');
SELECT account FROM tb_accounts('life/search/bot');
-- An account below can be thawed and frozen by itself; the freeze above it stays.
SELECT tb_thaw('life/search/bot', 'was it');
SELECT code_of($$SELECT tb_reserve('life/search/bot', input_tokens => 1)$$) AS still_frozen_above;
SELECT tb_thaw('life/search', 'fixed');
SELECT code_of($$SELECT tb_reserve('life/search/bot', input_tokens => 1)$$) AS thawed;

-- Closing is for good: nothing new for it and all below it.
SELECT tb_create_account('life/old/bot', kind => 'agent') > 0 AS bot;
SELECT tb_create_budget('life', 'tokens', 1000) > 0 AS top_budget, tb_create_budget('life/old', 'tokens', 100) > 0 AS budget;
SELECT reservation AS open FROM reserve('life/old/bot', 10, ttl => '7 days') \gset
SELECT tb_close_account('life/old', 'project ended');
SELECT account, status, status_reason FROM tb_accounts('life/old');
SELECT * FROM refused($$SELECT tb_reserve('life/old/bot', input_tokens => 1)$$);
SELECT * FROM refused($$SELECT tb_create_account('life/old/bot-2')$$);
SELECT * FROM refused($$SELECT tb_thaw('life/old', 'again')$$);
SELECT code_of($$SELECT tb_create_account('life/old')$$) AS create_again, code_of($$SELECT tb_create_account('life/old/bot')$$) AS below_again,
       code_of($$SELECT tb_freeze('life/old', 'x')$$) AS freeze, code_of($$SELECT tb_thaw('life/old/bot', 'x')$$) AS thaw_below,
       code_of($$SELECT tb_close_account('life/old/bot', 'x')$$) AS close_below, code_of($$SELECT tb_set_account('life/old/bot', owner => 'bob')$$) AS set_below,
       code_of($$SELECT tb_move_account('life/old/bot', 'life/search', 'x')$$) AS move_out, code_of($$SELECT tb_move_account('life/support', 'life/old', 'x')$$) AS move_into;
SELECT count(*) FROM tokbudget.account WHERE path = 'life/old/bot-2';
-- What is open may still settle; the second closing changes nothing.
SELECT tokens FROM tb_commit(:'open', '{"input_tokens": 8, "output_tokens": 0}');
SELECT tb_close_account('life/old', 'another reason');
SELECT account, status_reason FROM tb_accounts('life/old') LIMIT 1;
-- Its name is free again after a renaming.
SELECT tb_rename_account('life/old', 'old-2026', 'make room');
SELECT tb_create_account('life/old') > 0 AS anew;
SELECT account, status FROM tb_accounts('life');
SELECT code_of($$SELECT tb_close_account('life/none', 'x')$$) AS unknown, code_of($$SELECT tb_close_account(NULL, 'x')$$) AS null_account,
       code_of($$SELECT tb_close_account('', 'x')$$) AS empty, code_of($$SELECT tb_close_account('life//x', 'x')$$) AS malformed,
       code_of($$SELECT tb_close_account('life/support', NULL)$$) AS no_reason, code_of($$SELECT tb_close_account('life/support', ' ')$$) AS blank_reason;

-- tb_set_account overwrites what is given; an empty text clears, infinity ends an expiry.
SELECT tb_set_account('life/search/bot', kind => 'service account', labels => '{"tier": 1}', expires_at => '2026-12-31 00:00+00', reason => 'review');
SELECT kind, owner, cost_center, labels, purpose, expires_at FROM tb_accounts('life/search/bot');
SELECT tb_set_account('life/search/bot', owner => '', cost_center => '  ', labels => '{}', purpose => '', expires_at => 'infinity');
SELECT kind, owner, cost_center, labels, purpose, expires_at FROM tb_accounts('life/search/bot');
-- What changes nothing is not logged.
SELECT tb_set_account('life/search/bot', kind => 'service account', reason => 'nothing'), tb_set_account('life/search/bot');
SELECT action, before, after, reason FROM tb_changes('life/search/bot') WHERE action = 'set';
SELECT code_of($$SELECT tb_set_account('life/none', owner => 'x')$$) AS unknown, code_of($$SELECT tb_set_account(NULL)$$) AS null_account,
       code_of($$SELECT tb_set_account('')$$) AS empty, code_of($$SELECT tb_set_account('life//x')$$) AS malformed,
       code_of($$SELECT tb_set_account('life', labels => '[1]')$$) AS labels, code_of($$SELECT tb_set_account('life', owner => repeat('x', 201))$$) AS too_long,
       code_of($$SELECT tb_set_account('life', expires_at => '-infinity')$$) AS expiry;

-- Renaming takes all below along; ids, budgets, entries and open reservations stay.
SELECT tb_create_account('life/search/bot/session-1') AS session_id \gset
SELECT tb_create_account('life/searching') > 0 AS begins_alike;
SELECT tb_create_budget('life/search', 'tokens', 500) > 0 AS budget;
SELECT reservation AS open FROM reserve('life/search/bot/session-1', 20, ttl => '7 days') \gset
SELECT tb_rename_account('life/search', 'größe 2', 'reorganisation');
SELECT account FROM tb_accounts('life');
SELECT tb_create_account('life/größe 2/bot/session-1') = :session_id AS same;
SELECT code_of($$SELECT tb_reserve('life/search/bot', input_tokens => 1)$$) AS old_name;
SELECT tokens FROM tb_commit(:'open', '{"input_tokens": 15, "output_tokens": 0}');
SELECT * FROM balances('life');
SELECT account, input_tokens FROM tokbudget.chargeback WHERE tenant = 'life' ORDER BY account;
SELECT * FROM refused($$SELECT tb_rename_account('life/größe 2', 'support', 'x')$$);
SELECT * FROM refused($$SELECT tb_rename_account('life/support', 'a/b', 'x')$$);
SELECT code_of($$SELECT tb_rename_account('life/support', NULL, 'x')$$) AS null_name, code_of($$SELECT tb_rename_account('life/support', '', 'x')$$) AS empty_name,
       code_of($$SELECT tb_rename_account('life/support', ' a', 'x')$$) AS space, code_of($$SELECT tb_rename_account('life/none', 'a', 'x')$$) AS unknown,
       code_of($$SELECT tb_rename_account('none', 'a', 'x')$$) AS unknown_tenant, code_of($$SELECT tb_rename_account(NULL, 'a', 'x')$$) AS null_account,
       code_of($$SELECT tb_rename_account('', 'a', 'x')$$) AS empty, code_of($$SELECT tb_rename_account('life//x', 'a', 'x')$$) AS malformed,
       code_of($$SELECT tb_rename_account('life/support', 'a', '')$$) AS no_reason, code_of($$SELECT tb_rename_account('life/support', 'a', NULL)$$) AS null_reason;
-- To the name that it has: nothing happens.
SELECT tb_rename_account('life/support', 'support', 'x');
SELECT count(*) FROM tb_changes('life/support') WHERE action = 'rename';
-- Only a transaction of its own, because an older snapshot would leave behind what others have created since.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM refused($$SELECT tb_rename_account('life/support', 'x', 'x')$$);
SELECT code_of($$SELECT tb_move_account('life/support', 'life/old', 'x')$$) AS move;
ROLLBACK;

-- Renaming the root renames the tenant.
SELECT tb_create_account('life-2') > 0 AS other_tenant;
SELECT * FROM refused($$SELECT tb_rename_account('life', 'life-2', 'x')$$);
SELECT tb_rename_account('life', 'leben', 'translated');
SELECT name, tree_changed_at FROM tokbudget.tenant WHERE name IN ('life', 'leben', 'life-2') ORDER BY name;
SELECT account FROM tb_accounts('leben');
SELECT * FROM broken_tree('leben');
SELECT remaining FROM reserve('leben/größe 2/bot', 1);
SELECT tb_rename_account('leben', 'life', 'back');

-- Moving a subtree: history stays where it was made, open reservations settle there, what is new counts in the new place.
SELECT tb_create_account('tree/a/team/bot') AS bot, tb_create_account('tree/b/c') > 0 AS c \gset
SELECT tb_create_budget('tree', 'tokens', 1000) > 0, tb_create_budget('tree/a', 'tokens', 100) > 0, tb_create_budget('tree/b', 'tokens', 200) > 0;
SELECT reservation AS first FROM reserve('tree/a/team/bot', 10, ttl => '7 days') \gset
SELECT tokens FROM tb_commit(:'first', '{"input_tokens": 10, "output_tokens": 0}');
SELECT reservation AS open FROM reserve('tree/a/team/bot', 30, ttl => '7 days') \gset
SELECT tb_move_account('tree/a/team', 'tree/b/c', 'reorganisation');
SELECT account FROM tb_accounts('tree');
SELECT * FROM broken_tree('tree');
SELECT tb_create_account('tree/b/c/team/bot') = :bot AS same;
SELECT code_of($$SELECT tb_reserve('tree/a/team/bot', input_tokens => 1)$$) AS old_path;
SELECT * FROM balances('tree');
SELECT tokens FROM tb_commit(:'open', '{"input_tokens": 25, "output_tokens": 0}');
SELECT remaining FROM reserve('tree/b/c/team/bot', 7, ttl => '7 days');
SELECT * FROM balances('tree');
-- Up again, to where its parent's parent is, with the same name as a part of its old path.
SELECT tb_move_account('tree/b/c/team', 'tree', 'up');
SELECT tb_move_account('tree/b/c', 'tree/team/bot', 'down');
SELECT account FROM tb_accounts('tree');
SELECT * FROM broken_tree('tree');
-- Where it is already: nothing happens.
SELECT tb_move_account('tree/team', 'tree', 'x');
SELECT action, before, after, reason FROM tb_changes('tree/team') WHERE action IN ('move', 'rename');
-- Where it cannot go.
SELECT account, parent, r.* FROM (VALUES ('tree/a', 'life'), ('tree', 'tree/a'), ('tree/team', 'tree/team'), ('tree/team', 'tree/team/bot/c')) AS t (account, parent),
    refused(format('SELECT tb_move_account(%L, %L, %L)', account, parent, 'x')) AS r;
SELECT tb_create_account('tree/a/team') > 0 AS taken;
SELECT * FROM refused($$SELECT tb_move_account('tree/team', 'tree/a', 'x')$$);
SELECT code_of($$SELECT tb_move_account('tree/none', 'tree/a', 'x')$$) AS unknown, code_of($$SELECT tb_move_account('tree/b', 'tree/none', 'x')$$) AS unknown_parent,
       code_of($$SELECT tb_move_account('none/a', 'none/b', 'x')$$) AS unknown_tenant, code_of($$SELECT tb_move_account(NULL, 'tree', 'x')$$) AS null_account,
       code_of($$SELECT tb_move_account('tree/b', NULL, 'x')$$) AS null_parent, code_of($$SELECT tb_move_account('', 'tree', 'x')$$) AS empty,
       code_of($$SELECT tb_move_account('tree/b', '', 'x')$$) AS empty_parent, code_of($$SELECT tb_move_account('tree//b', 'tree', 'x')$$) AS malformed,
       code_of($$SELECT tb_move_account('tree/b', 'tree/a/', 'x')$$) AS malformed_parent,
       code_of($$SELECT tb_move_account('tree/b', 'tree/a', NULL)$$) AS no_reason, code_of($$SELECT tb_move_account('tree/b', 'tree/a', ' ')$$) AS blank_reason;
-- The limits of depth and length hold for everything that moves.
SELECT tb_create_account('tree/deep' || repeat('/x', 29)) > 0 AS depth_31, tb_create_account('tree/long/' || repeat('y', 1014)) > 0 AS bytes_1024;
SELECT * FROM refused($$SELECT tb_move_account('tree/deep', 'tree/a/team', 'x')$$);
SELECT code_of($$SELECT tb_move_account('tree/deep', 'tree/a', 'x')$$) AS depth_32;
SELECT code, message, left(detail, 60) AS detail FROM refused($$SELECT tb_rename_account('tree/long', 'longer', 'x')$$);
SELECT code_of($$SELECT tb_rename_account('tree/long', 'lang', 'x')$$) AS as_long;
-- Nothing walks out of a freeze; a frozen account itself may move, and into a frozen one, and within it.
SELECT tb_create_account('tree/f/g/h') > 0 AS made;
SELECT tb_freeze('tree/f', 'audit');
SELECT * FROM refused($$SELECT tb_move_account('tree/f/g', 'tree/a', 'x')$$);
SELECT tb_move_account('tree/f/g/h', 'tree/f', 'within'), tb_move_account('tree/f', 'tree/a', 'itself'), tb_move_account('tree/b', 'tree/a/f/g', 'into');
SELECT account, status FROM tb_accounts('tree/a') WHERE account NOT LIKE '%/deep/%';
SELECT * FROM broken_tree('tree');
SELECT code_of($$SELECT tb_reserve('tree/a/f/g/b', input_tokens => 1)$$) AS frozen_now;
-- A move that is rolled back has not happened.
BEGIN;
SELECT tb_move_account('tree/team', 'tree/a/f', 'x');
ROLLBACK;
SELECT account FROM tb_accounts('tree/team') LIMIT 1;

-- Settings of a tenant.
SELECT tb_create_account('life-3/x') > 0 AS made;
SELECT currency, commit_grace, idempotency_retention FROM tokbudget.tenant WHERE name = 'life-3';
SELECT tb_set_tenant('life-3', currency => 'CREDITS', commit_grace => '0', idempotency_retention => '30 days', reason => 'contract');
SELECT tb_set_tenant('life-3', commit_grace => '1 day'), tb_set_tenant('life-3'), tb_set_tenant('life-3', currency => 'CREDITS');
SELECT currency, commit_grace, idempotency_retention FROM tokbudget.tenant WHERE name = 'life-3';
SELECT object, action, before, after, reason FROM tb_changes('life-3') WHERE object = 'tenant';
SELECT * FROM refused($$SELECT tb_set_tenant('life-3', currency => 'eur')$$);
SELECT * FROM refused($$SELECT tb_set_tenant('life-3/x', currency => 'EUR')$$);
SELECT code_of($$SELECT tb_set_tenant('none')$$) AS unknown, code_of($$SELECT tb_set_tenant(NULL)$$) AS null_tenant, code_of($$SELECT tb_set_tenant('')$$) AS empty,
       code_of($$SELECT tb_set_tenant('life-3', currency => '')$$) AS no_currency, code_of($$SELECT tb_set_tenant('life-3', currency => 'EU')$$) AS short,
       code_of($$SELECT tb_set_tenant('life-3', currency => repeat('E', 17))$$) AS long,
       code_of($$SELECT tb_set_tenant('life-3', commit_grace => '-1 second')$$) AS negative, code_of($$SELECT tb_set_tenant('life-3', commit_grace => '1 day 1 second')$$) AS grace,
       code_of($$SELECT tb_set_tenant('life-3', idempotency_retention => '59 minutes')$$) AS too_short, code_of($$SELECT tb_set_tenant('life-3', idempotency_retention => '10 years 1 day')$$) AS too_long;
-- The currency stays once something is counted in it.
SELECT * FROM refused($$SELECT tb_set_tenant('tree', currency => 'EUR')$$);
SELECT tb_create_budget('life-3/x', 'tokens', 100) > 0 AS tokens;
SELECT code_of($$SELECT tb_set_tenant('life-3', currency => 'EUR')$$) AS only_tokens;
SELECT tb_create_budget('life-3/x', 'cost', 100) > 0 AS cost;
SELECT code_of($$SELECT tb_set_tenant('life-3', currency => 'USD')$$) AS cost_budget, code_of($$SELECT tb_set_tenant('life-3', currency => 'EUR')$$) AS the_same;
SELECT tb_set_rate('life-2', 1.1) > 0 AS rate;
SELECT code_of($$SELECT tb_set_tenant('life-2', currency => 'EUR')$$) AS rate;
SELECT tb_close_account('life-2', 'over');
SELECT code_of($$SELECT tb_set_tenant('life-2', commit_grace => '1 minute')$$) AS closed;

SELECT code_of($$SELECT * FROM tb_accounts('life/none')$$) AS unknown, code_of($$SELECT * FROM tb_accounts(NULL)$$) AS null_account,
       code_of($$SELECT * FROM tb_accounts('')$$) AS empty, code_of($$SELECT * FROM tb_accounts('a//b')$$) AS malformed;
RESET tokbudget.clock;
SELECT * FROM tb_verify();
