-- Accounts form a tree by path.

-- Missing parents are made too; the same call again is the same account.
SELECT tb_create_account('acct/search/bot-7', kind => 'agent', cost_center => 'R&D', owner => 'eve', labels => '{"env": "prod"}') AS bot \gset
SELECT tb_create_account('acct/search/bot-7', kind => 'agent') = :bot AS same, tb_create_account('acct/search/bot-7') = :bot AS same_without_attributes;
SELECT a.path, p.path AS parent, cardinality(a.ancestor_ids) AS depth, a.kind, a.status, a.owner, a.cost_center, a.labels
FROM tokbudget.account a LEFT JOIN tokbudget.account p ON p.tenant_id = a.tenant_id AND p.account_id = a.parent_id
WHERE a.path LIKE 'acct%' ORDER BY a.path;
-- Creating it again fills in what is missing and adds labels.
SELECT tb_create_account('acct/search', kind => 'team') = tb_create_account('acct/search', cost_center => 'S1') AS same;
SELECT tb_create_account('acct/search/bot-7', labels => '{"env": "prod", "tier": 1}') = :bot AS same;
SELECT path, kind, cost_center, labels FROM tokbudget.account WHERE path LIKE 'acct%' ORDER BY path;
-- It never overwrites.
SELECT * FROM refused($$SELECT tb_create_account('acct/search/bot-7', kind => 'user')$$);
SELECT code_of($$SELECT tb_create_account('acct/search/bot-7', owner => 'bob')$$) AS owner,
       code_of($$SELECT tb_create_account('acct/search/bot-7', cost_center => 'X')$$) AS cost_center,
       code_of($$SELECT tb_create_account('acct/search/bot-7', labels => '{"env": "dev"}')$$) AS label;
-- A second tenant is another tree.
SELECT tb_create_account('acct2/search') <> tb_create_account('acct/search') AS other;
SELECT count(DISTINCT tenant_id) FROM tokbudget.account WHERE path IN ('acct', 'acct2');

-- Paths that are none.
SELECT p, code_of(format('SELECT tb_create_account(%L)', p))
FROM unnest(ARRAY['', '/', '/a', 'a/', 'a//b', ' a', 'a /b', E'a\nb', E'a\tb', NULL]) WITH ORDINALITY AS t (p, n) ORDER BY n;
SELECT code_of(format('SELECT tb_create_account(%L)', repeat('x', 1025))) AS too_long,
       code_of(format('SELECT tb_create_account(%L)', 'deep' || repeat('/x', 32))) AS too_deep;
SELECT * FROM refused($$SELECT tb_create_account('a//b')$$);
-- The deepest and the longest that there may be, and names in any script.
SELECT tb_create_account('acct-deep' || repeat('/x', 31)) > 0 AS deepest, tb_create_account('acct-long/' || repeat('x', 1014)) > 0 AS longest,
       tb_create_account('größe/日本 1') > 0 AS any_script;
SELECT code_of($$SELECT tb_create_account('acct', labels => '[]')$$) AS array_labels,
       code_of($$SELECT tb_create_account('acct', labels => NULL)$$) AS null_labels,
       code_of($$SELECT tb_create_account('acct', labels => 'null')$$) AS json_null_labels;
-- None of the refused ones left anything behind.
SELECT count(*) FROM tokbudget.tenant WHERE name IN ('', 'a', ' a', 'deep');

-- Freeze and thaw.
SELECT tb_create_budget('acct', 'tokens', 1000) > 0 AS budget;
SELECT reservation AS open FROM reserve('acct/search/bot-7', 10) \gset
SELECT tb_freeze('acct/search', 'runaway loop');
SELECT path, status, status_reason FROM tokbudget.account WHERE path LIKE 'acct/%' ORDER BY path;
SELECT * FROM refused($$SELECT tb_reserve('acct/search', input_tokens => 1)$$);
SELECT * FROM refused($$SELECT tb_reserve('acct/search/bot-7', input_tokens => 1)$$);
SELECT allowed, code, reason FROM tb_try_reserve('acct/search/bot-7', input_tokens => 1);
-- What is beside it goes on, but not together with it.
SELECT code_of($$SELECT tb_reserve('acct', input_tokens => 1)$$) AS above,
       code_of($$SELECT tb_reserve('acct', input_tokens => 1, also => ARRAY['acct/search/bot-7'])$$) AS also;
-- What is open may still settle.
SELECT tokens, overrun FROM tb_commit(:'open', '{"input_tokens": 7, "output_tokens": 0}');
SELECT tb_thaw('acct/search', 'fixed');
SELECT path, status, status_reason FROM tokbudget.account WHERE path = 'acct/search';
SELECT code_of($$SELECT tb_reserve('acct/search/bot-7', input_tokens => 1)$$) AS thawed;
-- Reasons and accounts are needed.
SELECT code_of($$SELECT tb_freeze('acct/search', NULL)$$) AS no_reason, code_of($$SELECT tb_freeze('acct/search', ' ')$$) AS blank_reason,
       code_of($$SELECT tb_thaw('acct/search', '')$$) AS thaw_no_reason, code_of($$SELECT tb_freeze('acct/none', 'x')$$) AS unknown,
       code_of($$SELECT tb_freeze('no-tenant/x', 'x')$$) AS unknown_tenant, code_of($$SELECT tb_thaw('acct/none', 'x')$$) AS thaw_unknown,
       code_of($$SELECT tb_freeze(NULL, 'x')$$) AS null_account, code_of($$SELECT tb_freeze('a//b', 'x')$$) AS malformed;
SELECT * FROM refused($$SELECT tb_freeze('acct/none', 'x')$$);

-- The cost center of a spend is that of the nearest account that has one.
SELECT tb_create_account('acct/search/bot-8') > 0 AS bot_8;
SELECT reservation AS r8 FROM reserve('acct/search/bot-8', 1) \gset
SELECT reservation AS r7 FROM reserve('acct/search/bot-7', 1) \gset
SELECT account.path, reservation.cost_center FROM tokbudget.reservation JOIN tokbudget.account USING (tenant_id, account_id)
WHERE reservation_id IN (:'r7', :'r8') ORDER BY path;
SELECT * FROM balances('acct');
SELECT * FROM tb_verify();

-- Purpose and expiry are filled in like the rest; infinity is no expiry, blank is not given.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('acct/trial', purpose => 'pilot', expires_at => 'infinity') = tb_create_account('acct/trial', kind => ' ', purpose => '', expires_at => '2031-01-01 00:00+00') AS same;
SELECT kind, purpose, expires_at FROM tokbudget.account WHERE path = 'acct/trial';
SELECT code_of($$SELECT tb_create_account('acct/trial', purpose => 'other')$$) AS purpose,
       code_of($$SELECT tb_create_account('acct/trial', expires_at => '2032-01-01')$$) AS expiry,
       code_of($$SELECT tb_create_account('acct/trial', purpose => 'pilot', expires_at => '2031-01-01 00:00+00')$$) AS same;
SELECT * FROM refused($$SELECT tb_create_account('acct/bad', kind => repeat('k', 201))$$);
SELECT code_of($$SELECT tb_create_account('acct/bad', purpose => repeat('p', 2001))$$) AS long_purpose,
       code_of($$SELECT tb_create_account('acct/bad', expires_at => '-infinity')$$) AS never_valid,
       code_of($$SELECT tb_create_account('acct/bad', expires_at => '1969-12-31 UTC')$$) AS before_1970;
SELECT count(*) FROM tokbudget.account WHERE path = 'acct/bad';
