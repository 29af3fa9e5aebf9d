-- Quotas: budgets, and accounts, that are given on first use.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
CREATE FUNCTION pg_temp.stand(name text) RETURNS TABLE (given boolean, account text, meter text, amount numeric, spent numeric, held numeric, remaining numeric)
LANGUAGE sql AS $$ SELECT budget IS NOT NULL, account, meter, amount, spent, held, remaining FROM tb_remaining(name) ORDER BY account, meter, amount $$;
CREATE FUNCTION pg_temp.made(tenant_name text) RETURNS TABLE (account text, kind text, role text, budgets bigint)
LANGUAGE sql AS $$
    SELECT a.path, a.kind, a.labels ->> 'role', (SELECT count(*) FROM tokbudget.budget b WHERE b.tenant_id = a.tenant_id AND b.account_id = a.account_id)
    FROM tokbudget.account a WHERE split_part(a.path, '/', 1) = tenant_name ORDER BY a.path
$$;

-- Users 100 a day, their sessions 30 in all; a lead has 200.
SELECT tb_create_account('qu/chat') > 0, tb_create_account('qu/other') > 0, tb_create_budget('qu', 'tokens', 1000) > 0;
SELECT tb_set_quota('qu/chat', 'user', 'tokens', 100, every => 'day', pattern => 'user-*') AS users, tb_set_quota('qu/chat', 'session', 'tokens', 30, pattern => 'user-*/*') AS sessions,
       tb_set_quota('qu/chat', 'user', 'tokens', 200, every => 'day', role => 'lead', pattern => NULL) AS leads \gset

-- Before the first use: an account that somebody has made shows what it will be given; one that nobody has made is unknown.
SELECT tb_create_account('qu/chat/user-0', kind => 'user') > 0;
SELECT * FROM pg_temp.stand('qu/chat/user-0');
SELECT code_of($$SELECT * FROM tb_remaining('qu/chat/user-1')$$) AS not_made;
SELECT * FROM pg_temp.made('qu');

-- What rolls back has made nothing: a transaction, a savepoint, a block, a refusal that is raised.
BEGIN;
SELECT remaining FROM reserve('qu/chat/user-1', 40);
SELECT * FROM pg_temp.made('qu');
ROLLBACK;
BEGIN; SAVEPOINT s; SELECT remaining FROM reserve('qu/chat/user-1/s1', 10); ROLLBACK TO s; COMMIT;
DO $$ BEGIN PERFORM tb_reserve('qu/chat/user-1', input_tokens => 40); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END $$;
SELECT code_of($$SELECT tb_reserve('qu/chat/user-1', input_tokens => 101)$$) AS too_much, code_of($$SELECT tb_charge('qu/chat/user-1', NULL, '{}', meters => '{"units": 1}', attributes => '[]')$$) AS invalid;
SELECT * FROM pg_temp.made('qu');

-- First use gives them all, parents first; a session draws on its user too: 30, then nothing more, while the user has 70.
SELECT remaining FROM reserve('qu/chat/user-1/s1', 30, ttl => '1 hour');
SELECT code_of($$SELECT tb_reserve('qu/chat/user-1/s1', input_tokens => 1)$$) AS full;
SELECT remaining FROM reserve('qu/chat/user-1/s2', 25, ttl => '1 hour');
SELECT * FROM pg_temp.stand('qu/chat/user-1/s2');
SELECT remaining FROM reserve('qu/chat/user-1', 45, ttl => '1 hour');
SELECT code_of($$SELECT tb_reserve('qu/chat/user-1/s3', input_tokens => 1)$$) AS user_is_full;
SELECT * FROM pg_temp.made('qu');
-- A charge is a first use too, and so is an account that is only named in also.
SELECT remaining FROM tb_charge('qu/chat/user-2', NULL, '{"input_tokens": 10, "output_tokens": 0}');
SELECT remaining FROM reserve('qu/other', 5, also => ARRAY['qu/chat/user-3']);
SELECT * FROM pg_temp.stand('qu/chat/user-3');
-- The one that somebody had made.
SELECT remaining FROM reserve('qu/chat/user-0', 1);
SELECT * FROM pg_temp.stand('qu/chat/user-0');

-- Where the rule trusts them, the role of whoever comes first becomes the account's; that of the lead stands in for the one
-- of all users.
SELECT tb_set_first_use('qu/chat', 'user', 'user-*', 'services know their users', role_from_attribute => true);
SELECT remaining FROM tb_reserve('qu/chat/user-boss', input_tokens => 150, attributes => '{"role": "lead"}');
SELECT * FROM pg_temp.stand('qu/chat/user-boss');
SELECT remaining FROM tb_reserve('qu/chat/user-4', input_tokens => 1, attributes => '{"role": "nobody"}');
SELECT * FROM pg_temp.stand('qu/chat/user-4');
-- A later role changes nothing.
SELECT code_of($$SELECT tb_reserve('qu/chat/user-4', input_tokens => 100, attributes => '{"role": "lead"}')$$) AS still_100;

-- Otherwise a role cannot be claimed: 150 of the 200 of a lead are too many for one that has none.
SELECT tb_create_account('qr') > 0 AS made, tb_set_quota('qr', 'user', 'tokens', 100) > 0 AS users, tb_set_quota('qr', 'user', 'tokens', 200, role => 'lead') > 0 AS leads;
SELECT code_of($$SELECT tb_reserve('qr/liar', input_tokens => 150, attributes => '{"role": "lead"}')$$) AS reserve,
       code_of($$SELECT tb_charge('qr/liar', NULL, '{"input_tokens": 150, "output_tokens": 0}', attributes => '{"role": "lead"}', enforce => true)$$) AS charge,
       code_of($$SELECT tb_reserve_many('[{"account": "qr/liar", "input_tokens": 150, "attributes": {"role": "lead"}}]')$$) AS reserve_many,
       code_of($$SELECT tb_charge_many('[{"account": "qr/liar", "usage": {"input_tokens": 150, "output_tokens": 0}, "attributes": {"role": "lead"}}]', enforce => true)$$) AS charge_many;
SELECT remaining FROM tb_reserve('qr/liar', input_tokens => 1, attributes => '{"role": "lead"}');
-- The rule gives it, whatever the caller says; with trust, where the caller says nothing.
SELECT tb_set_first_use('qr', 'user', 'lead-*', 'a team of leads', role => 'lead');
SELECT remaining FROM tb_reserve('qr/lead-1', input_tokens => 150);
SELECT remaining FROM tb_reserve('qr/lead-2', input_tokens => 150, attributes => '{"role": "nobody"}');
SELECT tb_set_first_use('qr', 'user', 'lead-*', 'services know their users', role => 'lead', role_from_attribute => true);
SELECT remaining FROM tb_reserve('qr/lead-3', input_tokens => 50);
SELECT remaining FROM tb_reserve('qr/lead-4', input_tokens => 50, attributes => '{"role": "nobody"}');
SELECT tb_set_first_use('qr', 'user', 'lead-*');
SELECT remaining FROM tb_reserve('qr/lead-5', input_tokens => 50, attributes => '{"role": "lead"}');
SELECT * FROM pg_temp.made('qr');
SELECT before, after, reason FROM tb_changes('qr') WHERE action = 'set_first_use' AND after ->> 'pattern' = 'lead-*' ORDER BY reason;

-- No rule, no account: another name, too deep, beside, above, an odd name.
SELECT name, code_of(format('SELECT tb_reserve(%L, input_tokens => 1)', name))
FROM unnest(ARRAY['qu/chat/guest', 'qu/chat/user-1/s1/deeper', 'qu/other/user-1', 'qu/chat/users', 'qu/nobody', 'nobody', 'qu/chat/', 'qu/chat/user-1//s', 'qu//user-1', '']) AS name;
SELECT name, code_of(format('SELECT tb_charge(%L, NULL, ''{}'', meters => ''{"units": 1}'')', name)) FROM unnest(ARRAY['qu/chat/guest', 'qu/nobody', '']) AS name;
-- A frozen node makes no accounts.
SELECT tb_freeze('qu/chat', 'closed on Sundays');
SELECT code_of($$SELECT tb_reserve('qu/chat/user-9', input_tokens => 1)$$) AS frozen;
SELECT tb_thaw('qu/chat', 'Monday');

-- Patterns: * is one name, */* two of them; the deepest node decides, there the longest pattern.
SELECT tb_create_account('qp/a') > 0;
SELECT tb_set_quota('qp', 'child', 'tokens', 10) > 0, tb_set_quota('qp', 'grandchild', 'tokens', 5, pattern => '*/*') > 0, tb_set_quota('qp', 'user', 'tokens', 7, pattern => 'user-*') > 0, tb_set_quota('qp/a', 'special', 'tokens', 3) > 0;
SELECT remaining FROM unnest(ARRAY['qp/x', 'qp/x/y', 'qp/z/y', 'qp/user-1', 'qp/user-1/y', 'qp/a/y']) AS name, LATERAL reserve(name, 1);
SELECT * FROM pg_temp.made('qp');
SELECT code_of($$SELECT tb_reserve('qp/x/y/z', input_tokens => 1)$$) AS too_deep;
-- A rule without a quota, and its end.
SELECT tb_set_first_use('qp', 'tool', 'tool-*', 'tools are free');
SELECT remaining FROM reserve('qp/tool-1', 50);
SELECT tb_set_first_use('qp', NULL, 'tool-*');
SELECT code_of($$SELECT tb_reserve('qp/tool-2', input_tokens => 11)$$) AS now_a_child, remaining FROM reserve('qp/tool-1', 50);

-- Another amount: those given before follow, but for the one that somebody has changed; a schedule is for those given later.
SELECT tb_change_budget(budget, amount => 500) FROM tb_remaining('qu/chat/user-2') WHERE account = 'qu/chat/user-2';
SELECT tb_change_budget(budget, freeze_at => 95) FROM tb_remaining('qu/chat/user-3') WHERE account = 'qu/chat/user-3';
SELECT tb_set_quota('qu/chat', 'user', 'tokens', 120, every => 'day', pattern => 'user-*', time_zone => 'Asia/Tokyo') = :users AS same_quota;
SELECT name, s.amount, s.spent, s.held, s.remaining FROM unnest(ARRAY['qu/chat/user-0', 'qu/chat/user-1', 'qu/chat/user-2', 'qu/chat/user-3', 'qu/chat/user-boss']) AS name, LATERAL pg_temp.stand(name) AS s WHERE s.account = name ORDER BY name;
SELECT remaining FROM reserve('qu/chat/user-5', 1);
SELECT b.amount, b.time_zone FROM tokbudget.budget b JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path IN ('qu/chat/user-0', 'qu/chat/user-5') ORDER BY a.path;
-- Removed: what was given is closed, new ones get none, a hold of before settles.
SELECT reservation AS last FROM tb_reserve('qu/chat/user-5', input_tokens => 100) \gset
SELECT tb_remove_quota(:users, 'no more limits') AS closed;
SELECT * FROM pg_temp.stand('qu/chat/user-5');
SELECT remaining FROM reserve('qu/chat/user-5', 130);
SELECT remaining FROM reserve('qu/chat/user-6', 130);
SELECT overrun, released FROM tb_commit(:'last', '{"input_tokens": 90, "output_tokens": 0}');
SELECT code_of(format('SELECT tb_remove_quota(%s, ''again'')', :users)) AS again;
-- One that was given and closed is not given again.
SELECT tb_close_budget(budget) FROM tb_remaining('qu/chat/user-boss') WHERE account = 'qu/chat/user-boss';
SELECT remaining FROM reserve('qu/chat/user-boss', 1);
SELECT * FROM pg_temp.stand('qu/chat/user-boss');
SELECT action, object, reason FROM tb_changes('qu/chat') WHERE object = 'quota' ORDER BY action, reason;

-- Arguments.
SELECT arguments, code_of('SELECT tb_set_quota(''qu/chat'', ' || arguments || ')')
FROM unnest(ARRAY['NULL, ''tokens'', 1', ''''', ''tokens'', 1', ''' '', ''tokens'', 1', '''user'', NULL, 1', '''user'', ''Tokens'', 1', '''user'', ''tokens'', NULL', '''user'', ''tokens'', -1', '''user'', ''tokens'', ''NaN''', '''user'', ''tokens'', ''Infinity''',
    '''user'', ''tokens'', 1.5', '''user'', ''tokens'', 9223372036854775808', '''user'', ''tokens'', 1, role => ''''', '''user'', ''tokens'', 1, pattern => ''''', '''user'', ''tokens'', 1, pattern => ''/''', '''user'', ''tokens'', 1, pattern => ''a//b''',
    '''user'', ''tokens'', 1, pattern => ''user-*/*''', '''user'', ''tokens'', 1, every => ''never''', '''user'', ''tokens'', 1, time_zone => ''Mars''', '''user'', ''tokens'', 1, burst => -1', '''user'', ''tokens'', 1, thresholds => ''{0}''',
    '''user'', ''tokens'', 1, freeze_at => 0', '''user'', ''tokens'', 1, rollover => ''capped''', '''user'', ''tokens'', 1, hard => NULL']) AS arguments;
SELECT code_of('SELECT tb_set_quota(NULL, ''user'', ''tokens'', 1)') AS no_account, code_of('SELECT tb_set_quota(''qu/nobody'', ''user'', ''tokens'', 1)') AS unknown,
       code_of('SELECT tb_remove_quota(NULL, ''x'')') AS remove_none, code_of('SELECT tb_remove_quota(0, ''x'')') AS remove_unknown,
       code_of('SELECT tb_set_first_use(NULL, ''user'')') AS first_none, code_of('SELECT tb_set_first_use(''qu/nobody'', ''user'')') AS first_unknown,
       code_of('SELECT tb_set_first_use(''qu'', '' '')') AS first_blank, code_of('SELECT tb_set_first_use(''qu'', ''user'', NULL)') AS first_no_pattern, code_of('SELECT tb_set_first_use(''qu'', ''user'', '''')') AS first_empty,
       code_of('SELECT tb_set_first_use(''qu'', ''user'', role => '' '')') AS first_blank_role, code_of('SELECT tb_set_first_use(''qu'', ''user'', role_from_attribute => NULL)') AS first_null_trust;
SELECT * FROM pg_temp.made('qu');
RESET tokbudget.clock;
SELECT * FROM tb_verify();
