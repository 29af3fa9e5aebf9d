-- Grants: the order in which they are drawn on, settlement, end, revocation, refunds.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET tokbudget.clock = '2026-03-10 10:00:00+00';
SELECT tb_create_account('gr/a') > 0 AS made, tb_create_budget('gr/a', 'tokens', 100, every => 'day') AS day \gset
-- C first, because of its priority; then B, which ends before A.
SELECT tb_grant(:day, 50, '2026-04-01', 'a') > 0 AS made, tb_grant(:day, 30, '2026-03-20', 'b', approver => 'lead') > 0 AS made_too, tb_grant(:day, 20, NULL, 'c', priority => -1) > 0 AS made_three;
CREATE VIEW pg_temp.grants AS SELECT reason, amount, spent, held, remaining FROM tb_grants('gr/a');
CREATE VIEW pg_temp.stand AS SELECT amount, spent, held, granted, remaining FROM tb_remaining('gr/a');
SELECT account, meter, amount, priority, valid_from, valid_until, revoked_at, reason, approver FROM tb_grants('gr/a');
SELECT * FROM pg_temp.stand;
-- 110 are 100 of the day and 10 of C; 45 are the other 10 of C, 30 of B and 5 of A.
SELECT reservation AS one, remaining FROM reserve('gr/a', 110) \gset
SELECT reservation AS two, remaining FROM reserve('gr/a', 45) \gset
SELECT * FROM pg_temp.grants;
SELECT * FROM pg_temp.stand;
-- 45 are left.
SELECT code, message, detail::jsonb - 'budget' AS detail FROM refused($$SELECT tb_reserve('gr/a', input_tokens => 46)$$);
-- Used were 35 of the 45: 10 of C, 25 of B, nothing of A.
SELECT overrun, released, remaining FROM tb_commit(:'two', '{"input_tokens": 35, "output_tokens": 0}');
SELECT * FROM pg_temp.grants;
-- Used were 130 of the 110: what is beyond is the day's own. Of 165, grants bear 10 + 25 + 10 = 45, so the day is 20 above
-- its 100; of the grants 5 + 50 are left, and 35 in all.
SELECT overrun, released, remaining FROM tb_commit(:'one', '{"input_tokens": 130, "output_tokens": 0}');
SELECT * FROM pg_temp.grants;
SELECT * FROM pg_temp.stand;
-- The grants cover the overrun: 35 can be held, 5 of B and 30 of A; 20 of A stay for it.
SELECT code_of($$SELECT tb_reserve('gr/a', input_tokens => 36)$$) AS too_much;
SELECT reservation AS three, remaining FROM reserve('gr/a', 35) \gset
SELECT * FROM pg_temp.grants;
SELECT code_of($$SELECT tb_reserve('gr/a', input_tokens => 1)$$) AS nothing_left;
SELECT tb_release(:'three');
SELECT * FROM pg_temp.grants;
-- The next day has its own 100, and what is left of the grants: 55.
SET tokbudget.clock = '2026-03-11 00:00:00+00';
SELECT * FROM pg_temp.stand;
-- B ends on the 20th. A hold that drew on it before settles against it after: own 100, B 5, A 15; 103 used are 100 and 3 of B.
SET tokbudget.clock = '2026-03-19 23:59:59+00';
SELECT reservation AS four, remaining FROM reserve('gr/a', 120) \gset
SELECT * FROM pg_temp.grants;
SET tokbudget.clock = '2026-03-20 00:00:00+00';
SELECT * FROM pg_temp.stand;
SELECT released, remaining FROM tb_commit(:'four', '{"input_tokens": 103, "output_tokens": 0}');
SELECT * FROM pg_temp.grants;
SELECT * FROM pg_temp.stand;
-- Revoked: nothing new draws on A, what was drawn stays. 100 and 10 of A, then nothing more.
SELECT reservation AS five, remaining FROM reserve('gr/a', 110) \gset
SELECT tb_revoke_grant(budget_grant, 'no longer needed') FROM tb_grants('gr/a') WHERE reason = 'a';
SELECT tb_revoke_grant(budget_grant, 'again') FROM tb_grants('gr/a') WHERE reason = 'a';
SELECT * FROM pg_temp.stand;
SELECT overrun, released, remaining FROM tb_commit(:'five', '{"input_tokens": 108, "output_tokens": 0}');
SELECT reason, spent, held, remaining, revoked_at FROM tb_grants('gr/a');
SELECT * FROM pg_temp.stand;
SELECT action, object, reason FROM tb_changes('gr/a') WHERE object = 'grant' ORDER BY changed_at, reason;

-- A budget of nothing lives from its grants; one that begins later helps later.
SELECT tb_create_account('gr/zero') > 0 AS made, tb_create_budget('gr/zero', 'tokens', 0) AS zero \gset
SELECT code_of($$SELECT tb_reserve('gr/zero', input_tokens => 1)$$) AS nothing;
SELECT tb_grant(:zero, 10, NULL, 'top-up') > 0 AS now, tb_grant(:zero, 5, '2026-05-01', 'later', starts_at => '2026-04-01') > 0 AS later;
SELECT code_of($$SELECT tb_reserve('gr/zero', input_tokens => 11)$$) AS too_much;
SELECT remaining FROM reserve('gr/zero', 10, ttl => '1 minute');
SET tokbudget.clock = '2026-04-01 00:00:00+00';
SELECT amount, held, granted, remaining FROM tb_remaining('gr/zero');
SELECT remaining FROM reserve('gr/zero', 15, ttl => '1 minute');
SELECT reason, held, remaining FROM tb_grants('gr/zero');
SELECT tb_expire() > 0;
-- Other tests leave holds too, so those of this one are counted.
SELECT count(*) FROM tokbudget.reservation JOIN tokbudget.tenant USING (tenant_id) WHERE tenant.name = 'gr' AND state = 'expired';
SELECT reason, held, remaining FROM tb_grants('gr/zero');

-- A hold that has expired gives back to its grant, also when the grant has ended meanwhile: of 140 the day's own is 100,
-- and 100 is what is left, before the sweep and after it.
SET tokbudget.clock = '2026-04-02 10:00:00+00';
SELECT tb_create_account('gr/end') > 0 AS made, tb_create_budget('gr/end', 'tokens', 100) AS "end" \gset
SELECT tb_grant(:end, 40, '2026-04-02 11:00:00+00', 'an hour') > 0;
SELECT remaining FROM reserve('gr/end', 140, ttl => '1 minute');
SET tokbudget.clock = '2026-04-02 10:02:00+00';
SELECT amount, held, granted, remaining FROM tb_remaining('gr/end');
SET tokbudget.clock = '2026-04-02 11:00:00+00';
SELECT amount, held, granted, remaining FROM tb_remaining('gr/end');
SELECT code_of($$SELECT tb_reserve('gr/end', input_tokens => 101)$$) AS too_much;
SELECT remaining FROM reserve('gr/end', 100, ttl => '1 minute');
SELECT tb_expire() > 0;
-- Other tests leave holds too, so those of this one are counted.
SELECT count(*) FROM tokbudget.reservation JOIN tokbudget.tenant USING (tenant_id) WHERE tenant.name = 'gr' AND state = 'expired';
SELECT amount, held, granted, remaining FROM tb_remaining('gr/end');
-- The same with a day that rolls over: 100 come along and not 140, so 200.
SELECT tb_create_account('gr/roll') > 0 AS made, tb_create_budget('gr/roll', 'tokens', 100, every => 'day', rollover => 'all') AS roll \gset
SELECT tb_grant(:roll, 40, '2026-04-10', 'boost') > 0;
SELECT remaining FROM reserve('gr/roll', 140, ttl => '1 minute');
SET tokbudget.clock = '2026-04-03 00:00:00+00';
SELECT amount, held, granted, remaining FROM tb_remaining('gr/roll');
-- 230 of these are 200 of the day and 30 of the grant, so the day leaves nothing, and the grant its 10.
SELECT remaining FROM tb_charge('gr/roll', NULL, '{"input_tokens": 230, "output_tokens": 0}');
SET tokbudget.clock = '2026-04-04 00:00:00+00';
SELECT amount, granted, remaining FROM tb_remaining('gr/roll');

-- Extend draws on a grant for what the day lacks: 90, then 10 of the day and 10 of the grant.
SELECT tb_create_account('gr/ext') > 0 AS made, tb_create_budget('gr/ext', 'tokens', 100) AS ext \gset
SELECT tb_grant(:ext, 15, NULL, 'more') > 0;
SELECT reservation AS ext_1 FROM reserve('gr/ext', 90) \gset
SELECT held, remaining FROM tb_extend(:'ext_1', 20);
SELECT reason, held, remaining FROM tb_grants('gr/ext');
SELECT code_of(format('SELECT tb_extend(%L, 6)', :'ext_1')) AS too_much;
SELECT held, remaining FROM tb_extend(:'ext_1', 5);
SELECT released, remaining FROM tb_commit(:'ext_1', '{"input_tokens": 90, "output_tokens": 13}');
SELECT reason, spent, held, remaining FROM tb_grants('gr/ext');

-- Money: 170 pages at 0.01 are 1.7: 1 of the budget, 0.5 of the first grant, 0.2 of the second.
SELECT tb_set_meter_price('gr_pages', 0.01, effective_at => '2020-01-01') > 0;
SELECT tb_create_account('gr/money') > 0 AS made, tb_create_budget('gr/money', 'cost', 1) AS money \gset
SELECT tb_grant(:money, 0.5, NULL, 'first', priority => 1) > 0, tb_grant(:money, 0.3, NULL, 'second', priority => 2) > 0;
SELECT entry AS pages, cost, remaining FROM tb_charge('gr/money', NULL, '{}', meters => '{"gr_pages": 170}') \gset
SELECT :'cost' AS cost, :'remaining' AS remaining;
SELECT reason, spent, remaining FROM tb_grants('gr/money');
-- 0.3 back: 0.2 to the second, which was drawn on last, and 0.1 to the first.
SELECT tb_refund(:'pages', 'a third was blank', 0.3) IS NOT NULL;
SELECT reason, spent, remaining FROM tb_grants('gr/money');
-- 0.6 back: the other 0.4 of the first, and 0.2 of the budget: 0.8 are left spent, and 0.2 + 0.8 remain.
SELECT tb_refund(:'pages', 'more was blank', 0.6) IS NOT NULL;
SELECT reason, spent, remaining FROM tb_grants('gr/money');
SELECT amount, spent, granted, remaining FROM tb_remaining('gr/money');
-- What it costs more is the budget's own: 1 + 0.8 - 2.
SELECT tb_adjust(:'pages', 2, 'it was not blank') IS NOT NULL;
SELECT reason, spent, remaining FROM tb_grants('gr/money');
SELECT amount, spent, granted, remaining FROM tb_remaining('gr/money');

-- Closed budgets take no grant, and a grant has to be one.
SELECT tb_close_budget(:ext);
SELECT code_of(format('SELECT tb_grant(%s, 1, NULL, ''x'')', :ext)) AS closed;
SELECT arguments, code_of(format('SELECT tb_grant(%s, %s)', :zero, arguments))
FROM unnest(ARRAY['NULL, NULL, ''x''', '0, NULL, ''x''', '-1, NULL, ''x''', '1.5, NULL, ''x''', '''NaN'', NULL, ''x''', '''Infinity'', NULL, ''x''', '9223372036854775808, NULL, ''x''', '1, NULL, NULL', '1, NULL, ''''', '1, NULL, ''  ''',
    '1, ''2026-01-01'', ''x''', '1, ''-infinity'', ''x''', '1, ''2026-05-01'', ''x'', starts_at => ''2026-05-01''', '1, NULL, ''x'', starts_at => ''infinity''', '1, NULL, ''x'', starts_at => ''-infinity''', '1, NULL, ''x'', priority => NULL']) AS arguments;
SELECT code_of('SELECT tb_grant(NULL, 1, NULL, ''x'')') AS no_budget, code_of('SELECT tb_grant(0, 1, NULL, ''x'')') AS unknown,
       code_of('SELECT tb_revoke_grant(NULL, ''x'')') AS revoke_none, code_of('SELECT tb_revoke_grant(0, ''x'')') AS revoke_unknown,
       code_of(format('SELECT tb_revoke_grant(%s, NULL)', budget_grant)) AS revoke_why, code_of(format('SELECT tb_revoke_grant(%s, '' '')', budget_grant)) AS revoke_blank
FROM tb_grants('gr/zero') LIMIT 1;
SELECT code_of('SELECT tb_grants(NULL)') AS grants_none, code_of('SELECT tb_grants('''')') AS grants_empty, code_of('SELECT tb_grants(''gr/nobody'')') AS grants_unknown;
-- Two as large as can be: their sum leaves the range, and nothing breaks.
SELECT tb_grant(:zero, 9223372036854775807, 'infinity', 'huge') > 0, tb_grant(:zero, 9223372036854775807, 'infinity', 'huge too') > 0;
SELECT granted, remaining FROM tb_remaining('gr/zero');
SELECT remaining FROM reserve('gr/zero', 9223372036854775807, ttl => '1 minute');
SELECT code_of($$SELECT tb_reserve('gr/zero', input_tokens => 1)$$) AS beyond;
RESET tokbudget.clock;
SELECT * FROM tb_verify();
