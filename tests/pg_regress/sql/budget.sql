-- Limits: which are taken, which are refused, what tb_remaining shows of them.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SELECT tb_create_account('budg/team') > 0 AS account;

-- Amounts that are none.
SELECT meter, amount, code_of(format('SELECT tb_create_budget(%L, %L, %L)', 'budg', meter, amount)) FROM (VALUES
    (1, 'tokens', 'NaN'), (2, 'tokens', 'Infinity'), (3, 'tokens', '-Infinity'), (4, 'tokens', '-1'), (5, 'tokens', '1.5'),
    (6, 'tokens', '9223372036854775808'), (7, 'tokens', NULL), (8, 'requests', '0.1'), (9, 'tool_calls', '1e30'),
    (10, 'cost', 'NaN'), (11, 'cost', 'Infinity'), (12, 'cost', '-0.01'), (13, 'cost', '0.0000000001'), (14, 'cost', '1.1234567891'),
    (15, 'cost', '9223372036.854775808'), (16, 'cost', '1e20')) AS t (n, meter, amount) ORDER BY n;
SELECT * FROM refused($$SELECT tb_create_budget('budg', 'cost', 'NaN')$$);
-- Meters that are none.
SELECT meter, code_of(format('SELECT tb_create_budget(%L, %L, 1)', 'budg', meter))
FROM unnest(ARRAY['', 'Tokens', '1x', 'a b', 'a-b', repeat('a', 64), NULL]) WITH ORDINALITY AS t (meter, n) ORDER BY n;
-- Windows, zones and other options that are none.
SELECT every, code_of(format('SELECT tb_create_budget(%L, %L, 1, %L)', 'budg', 'tokens', every))
FROM unnest(ARRAY['fortnight', '', 'Day', '5 fortnights', 'decade']) WITH ORDINALITY AS t (every, n) ORDER BY n;
SELECT * FROM refused($$SELECT tb_create_budget('budg', 'tokens', 1, 'fortnight')$$);
SELECT zone, code_of(format('SELECT tb_create_budget(%L, %L, 1, %L, time_zone => %L)', 'budg', 'tokens', 'day', zone))
FROM unnest(ARRAY['Europe/Atlantis', '', '+02:00', NULL]) WITH ORDINALITY AS t (zone, n) ORDER BY n;
SELECT code_of($$SELECT tb_create_budget('budg', 'tokens', 1, hard => NULL)$$) AS null_hard,
       code_of($$SELECT tb_create_budget('budg', 'tokens', 1, valid_from => '2026-01-02', valid_until => '2026-01-01')$$) AS backwards,
       code_of($$SELECT tb_create_budget('budg', 'tokens', 1, valid_from => '2026-01-01', valid_until => '2026-01-01')$$) AS empty_period;
-- Accounts that are none.
SELECT code_of($$SELECT tb_create_budget('budg/none', 'tokens', 1)$$) AS unknown, code_of($$SELECT tb_create_budget('no-tenant', 'tokens', 1)$$) AS unknown_tenant,
       code_of($$SELECT tb_create_budget('a//b', 'tokens', 1)$$) AS malformed, code_of($$SELECT tb_create_budget(NULL, 'tokens', 1)$$) AS null_account,
       code_of($$SELECT * FROM tb_remaining('budg/none')$$) AS remaining_unknown, code_of($$SELECT * FROM tb_remaining('a//b')$$) AS remaining_malformed,
       code_of($$SELECT * FROM tb_remaining(NULL)$$) AS remaining_null, code_of($$SELECT * FROM tb_remaining('budg', ARRAY['budg/none'])$$) AS also_unknown,
       code_of($$SELECT * FROM tb_remaining('budg', NULL)$$) AS also_null, code_of($$SELECT * FROM tb_remaining('budg', ARRAY[NULL])$$) AS also_has_null;
SELECT count(*) AS made_so_far FROM tokbudget.budget JOIN tokbudget.account USING (tenant_id, account_id) WHERE path LIKE 'budg%';

-- Without a budget nothing is refused, and there is nothing to show.
SELECT count(*) FROM tb_remaining('budg/team');
SELECT reservation IS NOT NULL AS held, remaining FROM reserve('budg/team', 1000000);

-- The least and the most that a budget can be.
SELECT tb_create_budget('budg', 'tokens', 0) > 0 AS zero, tb_create_budget('budg', 'tool_calls', 9223372036854775807) > 0 AS most,
       tb_create_budget('budg', 'cost', 0.000000001) > 0 AS one_nano, tb_create_budget('budg', 'cost', 9223372036.854775807) > 0 AS most_cost,
       tb_create_budget('budg', 'requests', 5.000) > 0 AS trailing_zeros;
SELECT meter, amount, limit_units FROM tokbudget.budget JOIN tokbudget.account USING (tenant_id, account_id) WHERE path = 'budg' ORDER BY meter, amount;
-- Nothing fits into a limit of zero, but nothing wanted does.
SELECT tb_create_account('budg-0') > 0 AS account, tb_create_budget('budg-0', 'tokens', 0) > 0 AS budget;
SELECT code_of($$SELECT tb_reserve('budg-0', input_tokens => 1)$$) AS one, code_of($$SELECT tb_reserve('budg-0', input_tokens => 0)$$) AS none;

-- tb_remaining: every budget of the account and above, tightest first.
SELECT tb_create_account('budg-r/team/bot') > 0 AS account;
SELECT tb_create_budget('budg-r', 'tokens', 1000) > 0, tb_create_budget('budg-r/team', 'tokens', 100) > 0,
       tb_create_budget('budg-r/team/bot', 'requests', 10, hard => false) > 0, tb_create_budget('budg-r/team/bot', 'tool_calls', 12) > 0;
SELECT reservation IS NOT NULL AS held, remaining FROM reserve('budg-r/team/bot', 60);
SELECT account, meter, amount, spent, held, remaining, window_start, resets_at, hard FROM tb_remaining('budg-r/team/bot');
SELECT account, meter, remaining FROM tb_remaining('budg-r');
SELECT account, meter, remaining FROM tb_remaining('budg-r', ARRAY['budg-r/team', 'budg-r/team']);

-- A budget that is not valid yet, or no longer, limits nothing.
SELECT tb_create_account('budg-v') > 0 AS account;
SELECT tb_create_budget('budg-v', 'tokens', 1, valid_from => '2100-01-01') > 0, tb_create_budget('budg-v', 'tokens', 1, valid_until => '2001-01-01') > 0;
SELECT code_of($$SELECT tb_reserve('budg-v', input_tokens => 40)$$) AS between;
SET tokbudget.clock = '2099-12-31 23:59:59.999999+00';
SELECT code_of($$SELECT tb_reserve('budg-v', input_tokens => 2)$$) AS just_before;
SET tokbudget.clock = '2100-01-01 00:00:00+00';
SELECT code_of($$SELECT tb_reserve('budg-v', input_tokens => 2)$$) AS from_then_on;
SET tokbudget.clock = '2000-12-31 23:59:59.999999+00';
SELECT code_of($$SELECT tb_reserve('budg-v', input_tokens => 2)$$) AS until_then;
SET tokbudget.clock = '2001-01-01 00:00:00+00';
SELECT code_of($$SELECT tb_reserve('budg-v', input_tokens => 2)$$) AS no_longer;
RESET tokbudget.clock;
SELECT * FROM tb_verify();
