-- Guards: what is written into a user's table is charged to the accounts that its rows name.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
\set SHOW_CONTEXT never
CREATE SCHEMA "Guarded Things";
SELECT tb_set_price('guard-model', 'acme', 2, 10, effective_at => '2020-01-01') IS NOT NULL AS priced;
SELECT tb_create_account('gua/a') > 0 AS a, tb_create_account('gua/b') > 0 AS b, tb_create_account('gub/c') > 0 AS c;
SELECT tb_create_budget('gua', 'tokens', 1000) > 0 AS tokens, tb_create_budget('gua', 'requests', 100) > 0 AS requests,
       tb_create_budget('gua', 'cost', 1) > 0 AS cost, tb_create_budget('gub', 'tokens', 500) > 0 AS other;
-- What every budget of the two tenants has spent.
CREATE FUNCTION spent() RETURNS TABLE (root text, meter text, spent numeric) LANGUAGE sql AS $$
    SELECT 'gua', b.meter, b.spent FROM balances('gua') AS b UNION ALL SELECT 'gub', b.meter, b.spent FROM balances('gub') AS b ORDER BY 1, 2
$$;

-- A usage column. 100 + 20 and 50 + 10 tokens, two requests, (150 x 2 + 30 x 10) / 1,000,000 = 0.0006.
CREATE TABLE "Guarded Things"."Calls; made" (
    id integer PRIMARY KEY, "the ""account""" text, model varchar(40), usage jsonb, note text, run uuid, "end user" text);
SELECT tb_guard('"Guarded Things"."Calls; made"', 'the "account"', model_column => 'model', usage_column => 'usage',
                attributes => '{"end_user": "end user", "run": "run"}', reason => 'a reason') > 0 AS guarded;
INSERT INTO "Guarded Things"."Calls; made" VALUES
    (1, 'gua/a', 'guard-model', '{"input_tokens": 100, "output_tokens": 20}', 'x', '11111111-1111-1111-1111-111111111111', 'ada'),
    (2, 'gua/b', 'guard-model', '{"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60}', 'y', NULL, NULL);
SELECT * FROM spent();
SELECT a.path, e.kind, e.requests, e.input_tokens, e.output_tokens, e.cost, e.usage_source, e.end_user, e.labels
FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path LIKE 'gua/%' ORDER BY a.path;

-- Several tenants in one statement: 10 more tokens of each.
INSERT INTO "Guarded Things"."Calls; made" SELECT 10 + n, path, 'guard-model', '{"input_tokens": 10, "output_tokens": 0}'
FROM unnest(ARRAY['gub/c', 'gua/a']) WITH ORDINALITY AS t (path, n);
SELECT * FROM spent();

-- Too much: 190 + 811 = 1001 of 1000. The whole statement is undone, and what another tenant was charged within it.
SELECT * FROM refused($$ INSERT INTO "Guarded Things"."Calls; made" VALUES
    (20, 'gub/c', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}'), (21, 'gua/a', 'guard-model', '{"input_tokens": 400, "output_tokens": 0}'),
    (22, 'gua/b', 'guard-model', '{"input_tokens": 411, "output_tokens": 0}') $$);
SELECT count(*) FROM "Guarded Things"."Calls; made";
SELECT * FROM spent();
-- A savepoint that is rolled back frees what it took.
BEGIN;
SAVEPOINT s;
INSERT INTO "Guarded Things"."Calls; made" VALUES (23, 'gua/a', 'guard-model', '{"input_tokens": 800, "output_tokens": 0}');
ROLLBACK TO s;
COMMIT;
SELECT * FROM spent();

-- Rows without an account, with an unknown one, a bad one, with a usage that is none, without a model where cost is limited.
SELECT * FROM refused($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/a', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}'), (32, NULL, 'guard-model', '{}') $$);
SELECT * FROM refused($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/none', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}') $$);
SELECT code_of($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, '/', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}') $$) AS path,
       code_of($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/a', 'guard-model', '{"tokens": 1}') $$) AS usage,
       code_of($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/a', 'guard-model', '{}') $$) AS empty_usage,
       code_of($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/a', 'guard-model', '{"input_tokens": -1, "output_tokens": 0}') $$) AS negative,
       code_of($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/a', NULL, '{"input_tokens": 1, "output_tokens": 0}') $$) AS no_model,
       code_of($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gua/a', 'no-such-model', '{"input_tokens": 1, "output_tokens": 0}') $$) AS no_price;
SELECT tb_freeze('gub/c', 'a reason');
SELECT * FROM refused($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (31, 'gub/c', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}') $$);
SELECT tb_thaw('gub/c', 'a reason');

-- Usage that is not known yet costs nothing; the update that brings it is charged.
INSERT INTO "Guarded Things"."Calls; made" VALUES (40, 'gua/a', 'guard-model', NULL), (41, 'gua/a', 'guard-model', 'null');
SELECT * FROM spent();
UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 5, "output_tokens": 5}' WHERE id = 40;
SELECT * FROM spent();   -- 190 + 10 tokens, 4 requests, 0.00062 + 0.00006
-- Updates charge the difference: 30 more of output, no further request, 30 x 10 / 1,000,000. Nothing else of the row matters.
UPDATE "Guarded Things"."Calls; made" SET usage = jsonb_set(usage, '{output_tokens}', '35'), note = 'more' WHERE id = 40;
UPDATE "Guarded Things"."Calls; made" SET note = 'same';
SELECT * FROM spent();
SELECT e.requests, e.input_tokens, e.output_tokens, e.cost FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id)
WHERE a.path = 'gua/a' ORDER BY e.recorded_at DESC, e.entry_id DESC LIMIT 1;
-- Less gives nothing back; more than that again is charged again: 20 from 15 to 35.
UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 5, "output_tokens": 15}' WHERE id = 40;
SELECT * FROM spent();
UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 5, "output_tokens": 35}' WHERE id = 40;
SELECT * FROM spent();
-- Fewer of one kind do not pay for more of another: 5 more of input, although the output is 30 less.
UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 10, "output_tokens": 5}' WHERE id = 40;
SELECT * FROM spent();
-- Another account is charged in full, 15 tokens and a request; the old one keeps what it spent.
UPDATE "Guarded Things"."Calls; made" SET "the ""account""" = 'gub/c' WHERE id = 40;
SELECT * FROM spent();
-- Another key is still the same row; rows are told apart by nothing else. 1 and 2 swap keys, 3 tokens more each.
UPDATE "Guarded Things"."Calls; made" SET id = CASE id WHEN 1 THEN 102 ELSE 101 END,
    usage = CASE id WHEN 1 THEN '{"input_tokens": 103, "output_tokens": 20}' ELSE '{"input_tokens": 53, "output_tokens": 10}' END::jsonb WHERE id IN (1, 2);
SELECT * FROM spent();
-- An overrun by an update: 261 + 740 = 1001. Nothing of the statement stays.
SELECT * FROM refused($$ UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 843, "output_tokens": 20}' WHERE id = 102 $$);
SELECT usage FROM "Guarded Things"."Calls; made" WHERE id = 102;
-- Deletes and truncation give nothing back.
DELETE FROM "Guarded Things"."Calls; made" WHERE id = 102;
TRUNCATE "Guarded Things"."Calls; made";
SELECT * FROM spent();

-- Upsert: what is new is charged in full, what was there by the difference: 10 + 7 tokens, then 2 + 5 tokens.
INSERT INTO "Guarded Things"."Calls; made" VALUES (1, 'gua/a', 'guard-model', '{"input_tokens": 10, "output_tokens": 0}'), (2, 'gua/a', 'guard-model', '{"input_tokens": 7, "output_tokens": 0}')
ON CONFLICT (id) DO UPDATE SET usage = excluded.usage;
SELECT * FROM spent();
INSERT INTO "Guarded Things"."Calls; made" VALUES (1, 'gua/a', 'guard-model', '{"input_tokens": 12, "output_tokens": 0}'), (3, 'gua/a', 'guard-model', '{"input_tokens": 5, "output_tokens": 0}')
ON CONFLICT (id) DO UPDATE SET usage = excluded.usage;
INSERT INTO "Guarded Things"."Calls; made" VALUES (1, 'gua/a', 'guard-model', '{"input_tokens": 99, "output_tokens": 0}') ON CONFLICT DO NOTHING;
SELECT * FROM spent();
-- MERGE: 1 more and 4 new.
MERGE INTO "Guarded Things"."Calls; made" AS c USING (VALUES (1, 13), (4, 4)) AS n (id, tokens) ON c.id = n.id
WHEN MATCHED THEN UPDATE SET usage = jsonb_build_object('input_tokens', n.tokens, 'output_tokens', 0)
WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'gua/a', 'guard-model', jsonb_build_object('input_tokens', n.tokens, 'output_tokens', 0));
SELECT * FROM spent();
-- COPY: 6 more.
COPY "Guarded Things"."Calls; made" (id, "the ""account""", model, usage) FROM STDIN;
5	gua/a	guard-model	{"input_tokens": 2, "output_tokens": 1}
6	gua/b	guard-model	{"input_tokens": 3, "output_tokens": 0}
\.
SELECT * FROM spent();
SELECT * FROM tb_verify();

-- A statement is one step of the engine, however many rows: the balance of `tokens` has one new version for 1,000 rows.
SELECT tb_create_account('guc') > 0 AS made, tb_create_budget('guc', 'tokens', 1000000) > 0 AS tokens;
INSERT INTO "Guarded Things"."Calls; made" VALUES (1000, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}');
CREATE FUNCTION updates_of_balance() RETURNS bigint LANGUAGE sql AS $$
    SELECT CASE tb_engine() WHEN 'rows' THEN pg_stat_get_xact_tuples_updated('tokbudget.balance'::regclass) ELSE (SELECT hits FROM tokbudget.tb_stat) END
$$;
BEGIN;
SELECT updates_of_balance() AS before \gset
INSERT INTO "Guarded Things"."Calls; made" SELECT 1000 + n, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}' FROM generate_series(1, 1000) AS n;
SELECT updates_of_balance() - :before AS updates_of_balance;
COMMIT;
SELECT spent FROM balances('guc');
SELECT count(*), sum(e.input_tokens) FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path = 'guc';
SELECT * FROM tb_verify();

-- The same again changes nothing; other arguments take the place of the old ones.
SELECT tb_guard('"Guarded Things"."Calls; made"', 'the "account"', model_column => 'model', usage_column => 'usage', attributes => '{"end_user": "end user", "run": "run"}')
     = (SELECT guard_id FROM tokbudget.guard) AS same;
SELECT tb_guard('"Guarded Things"."Calls; made"', 'the "account"', model_column => 'model', usage_column => 'usage', updates => 'none', without_account => 'skip') > 0 AS other;
SELECT relation, tenant_id, account_column, model_column, usage_column, updates, without_account FROM tokbudget.guard;
SELECT tgname FROM pg_trigger WHERE tgrelid = '"Guarded Things"."Calls; made"'::regclass;
SELECT object, action, before ->> 'updates' AS before, after ->> 'updates' AS after, reason FROM tokbudget.change WHERE object = 'guard' ORDER BY changed_at, change_id;
INSERT INTO "Guarded Things"."Calls; made" VALUES (3000, NULL, 'guard-model', '{"input_tokens": 1, "output_tokens": 0}'), (3001, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}');
UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 50, "output_tokens": 0}' WHERE id = 3001;
SELECT spent FROM balances('guc');   -- 1002
-- Whole: each changed row is charged in full, with a request of its own.
SELECT tb_guard('"Guarded Things"."Calls; made"', 'the "account"', model_column => 'model', usage_column => 'usage', updates => 'whole') > 0 AS whole;
UPDATE "Guarded Things"."Calls; made" SET usage = '{"input_tokens": 51, "output_tokens": 0}', note = 'z' WHERE id IN (3001, 1000);
UPDATE "Guarded Things"."Calls; made" SET note = 'zz' WHERE id IN (3001, 1000);
SELECT spent FROM balances('guc');   -- 1002 + 51 + 51
-- Not enforced: booked in full and flagged, also what does not fit.
SELECT tb_guard('"Guarded Things"."Calls; made"', 'the "account"', model_column => 'model', usage_column => 'usage', enforce => false) > 0 AS lenient;
INSERT INTO "Guarded Things"."Calls; made" VALUES (4000, 'gub/c', 'guard-model', '{"input_tokens": 600, "output_tokens": 0}');
SELECT spent, amount FROM balances('gub');   -- 25 + 600 of 500
SELECT e.overrun FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id) WHERE a.path = 'gub/c' AND e.input_tokens = 600;

-- A column that is renamed, dropped or gets another type stops writing until the guard is told.
ALTER TABLE "Guarded Things"."Calls; made" RENAME usage TO consumption;
SELECT * FROM refused($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (5000, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}') $$);
ALTER TABLE "Guarded Things"."Calls; made" DROP note, ADD usage point;
SELECT * FROM refused($$ INSERT INTO "Guarded Things"."Calls; made" VALUES (5000, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}') $$);
SELECT tb_guard('"Guarded Things"."Calls; made"', 'the "account"', model_column => 'model', usage_column => 'consumption') > 0 AS told;
ALTER TABLE "Guarded Things"."Calls; made" RENAME TO "Calls";
INSERT INTO "Guarded Things"."Calls" VALUES (5000, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}');
SELECT spent FROM balances('guc');   -- 1105
-- Taken off: nothing is charged any more.
SELECT tb_unguard('"Guarded Things"."Calls"', 'no longer'), tb_unguard('"Guarded Things"."Calls"') AS again;
INSERT INTO "Guarded Things"."Calls" VALUES (5001, 'guc', 'guard-model', '{"input_tokens": 1, "output_tokens": 0}');
SELECT spent FROM balances('guc');
SELECT count(*) FROM tokbudget.guard;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'tokbudget_guard%';
SELECT action, reason FROM tokbudget.change WHERE object = 'guard' ORDER BY changed_at DESC, change_id DESC LIMIT 1;

-- Text alone: `hello world` is 2 tokens of o200k_base, `hello` 1; NULL is nothing.
CREATE TABLE notes (id serial, account text, body text);
SELECT tb_guard('notes', 'account', text_column => 'body', encoding => 'o200k_base') > 0 AS guarded;
INSERT INTO notes (account, body) VALUES ('guc', 'hello world'), ('guc', 'hello'), ('guc', NULL), ('guc', '');
SELECT spent FROM balances('guc');   -- 1105 + 2 + 1
UPDATE notes SET body = body || ' world' WHERE body = 'hello';
SELECT spent FROM balances('guc');   -- 1 more
SELECT e.input_tokens, e.usage_source, e.request_model FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id)
WHERE a.path = 'guc' AND e.usage_source = 'estimated' ORDER BY e.input_tokens, e.requests;
-- With a model, which has the price; the provider's usage takes the place of the count.
CREATE TABLE prompts (account text, model text, body text, usage jsonb);
SELECT tb_guard('prompts', 'account', model_column => 'model', text_column => 'body', usage_column => 'usage', model => 'gpt-4o') > 0 AS guarded;
INSERT INTO prompts VALUES ('guc', NULL, 'hello world');
UPDATE prompts SET usage = '{"input_tokens": 5, "output_tokens": 1}';
SELECT e.input_tokens, e.output_tokens, e.requests, e.usage_source, e.request_model FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id)
WHERE a.path = 'guc' AND e.request_model = 'gpt-4o' ORDER BY e.recorded_at, e.entry_id;
SELECT code_of($$ INSERT INTO prompts VALUES ('guc', 'no-such-model', 'hello') $$) AS model;
SELECT spent FROM balances('guc');   -- 1109 + 2 + 4

-- Meters alone, requests alone, further accounts, enums, domains, char and generated columns.
CREATE TYPE tool_kind AS ENUM ('web', 'files');
CREATE DOMAIN account_path AS text CHECK (value <> '');
CREATE TABLE tool_runs (
    team char(10), account account_path GENERATED ALWAYS AS ('gua/' || trim(team)) STORED, kind tool_kind, calls integer,
    meters json GENERATED ALWAYS AS (('{"tool_calls": ' || calls::text || '}')::json) STORED, other text, at timestamptz DEFAULT '2026-01-01 00:00+00');
SELECT tb_create_budget('gua/b', 'tool_calls', 10) > 0 AS made;
SELECT tb_guard('tool_runs', 'account', meters_column => 'meters', also_columns => '{other}', attributes => '{"step": "kind", "at": "at", "calls": "calls"}') > 0 AS guarded;
INSERT INTO tool_runs (team, kind, calls, other) VALUES ('a', 'web', 3, 'gua/b'), ('b', NULL, 4, NULL);
SELECT meter, spent FROM balances('gua') WHERE meter IN ('tool_calls', 'requests');   -- 7; 2 requests more
UPDATE tool_runs SET calls = calls + 1, kind = 'files';
SELECT meter, spent FROM balances('gua') WHERE meter IN ('tool_calls', 'requests');   -- 2 more
SELECT e.step, e.labels, e.meters, e.requests FROM tokbudget.entry e JOIN tokbudget.account a USING (tenant_id, account_id)
WHERE a.path LIKE 'gua/%' AND e.labels ->> 'table' = 'public.tool_runs' ORDER BY e.recorded_at, e.entry_id;
SELECT * FROM refused($$ UPDATE tool_runs SET calls = 6 $$);   -- 2 and 1 more of 10, where 9 are spent
CREATE TABLE visits (account text, page text);
SELECT tb_guard('visits', 'account') > 0 AS guarded;
INSERT INTO visits VALUES ('gua/a', 'x'), ('gua/a', 'y');
UPDATE visits SET page = 'z';
UPDATE visits SET account = 'gua/b' WHERE page = 'z';
SELECT meter, spent FROM balances('gua') WHERE meter = 'requests';   -- 2 and 2 more

-- A check charges nothing, but the whole statement must fit beside what is spent.
CREATE TABLE plans (account text, meters jsonb);
SELECT tb_guard('plans', 'account', meters_column => 'meters', mode => 'check') > 0 AS guarded;
INSERT INTO plans VALUES ('gua/b', '{"tool_calls": 1}');
INSERT INTO plans VALUES ('gua/b', '{"tool_calls": 1}');
SELECT * FROM refused($$ INSERT INTO plans VALUES ('gua/b', '{"tool_calls": 1}'), ('gua/b', '{"tool_calls": 1}') $$);
UPDATE plans SET meters = '{"tool_calls": 1}';
SELECT * FROM refused($$ UPDATE plans SET meters = '{"tool_calls": 3}' $$);
SELECT count(*) AS rows, (SELECT spent FROM balances('gua') WHERE meter = 'tool_calls') AS spent FROM plans;
SELECT * FROM tb_verify();

-- Partitions: through the parent and on a partition itself, each row once.
CREATE TABLE events (account text, tokens integer, usage jsonb GENERATED ALWAYS AS (('{"output_tokens": 0, "input_tokens": ' || tokens::text || '}')::jsonb) STORED, at date) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY LIST (account);
CREATE TABLE events_1_rest PARTITION OF events_1 DEFAULT;
CREATE TABLE events_2 (account text, tokens integer, usage jsonb GENERATED ALWAYS AS (('{"output_tokens": 0, "input_tokens": ' || tokens::text || '}')::jsonb) STORED, at date);
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT tb_create_account('gud') > 0 AS made, tb_create_budget('gud', 'tokens', 1000) > 0 AS tokens, tb_create_budget('gud', 'requests', 1000) > 0 AS requests;
SELECT tb_guard('events', 'account', usage_column => 'usage', under => 'gud') AS guard \gset
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE 'tokbudget_guard%' AND tgrelid::regclass::text LIKE 'events%' ORDER BY 1, 2;
INSERT INTO events (account, tokens, at) VALUES ('gud', 1, '2026-01-01'), ('gud', 2, '2026-02-01');
SELECT meter, spent FROM balances('gud') ORDER BY 1;   -- 2, 3
INSERT INTO events_2 (account, tokens, at) VALUES ('gud', 10, '2026-02-02');
INSERT INTO events_1 (account, tokens, at) VALUES ('gud', 20, '2026-01-02');
INSERT INTO events_1_rest (account, tokens, at) VALUES ('gud', 30, '2026-01-03');
SELECT meter, spent FROM balances('gud') ORDER BY 1;   -- 5, 63
UPDATE events SET tokens = tokens + 1;                                             -- 5 more
UPDATE events_1_rest SET tokens = tokens + 1 WHERE at = '2026-01-03';              -- 1 more
UPDATE events SET at = at + 31, tokens = tokens + 1 WHERE at < '2026-02-01';       -- 3 rows to another partition, 3 more
SELECT meter, spent FROM balances('gud') ORDER BY 1;   -- 5, 72
-- A new partition has no guard of its own until tb_guard is called again, but is covered through the parent.
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO events (account, tokens, at) VALUES ('gud', 8, '2026-03-01');
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 80
SELECT tb_guard('events', 'account', usage_column => 'usage', under => 'gud') = :guard AS same;
INSERT INTO events_3 (account, tokens, at) VALUES ('gud', 20, '2026-03-01');
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 100
SELECT * FROM refused($$ SELECT tb_guard('events_3', 'account') $$);
SELECT code_of($$ SELECT tb_unguard('events_1_rest') $$);
-- A partition that swallows what is moved there.
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE INSERT ON events_3 FOR EACH ROW EXECUTE FUNCTION swallow();
SELECT * FROM refused($$ UPDATE events SET at = '2026-03-05', tokens = 500 WHERE at = '2026-02-01' $$);
DROP TRIGGER swallow ON events_3;
-- A detached partition keeps its guard; it can be taken off there, and at the parent, one by one.
ALTER TABLE events DETACH PARTITION events_3;
INSERT INTO events_3 (account, tokens, at) VALUES ('gud', 1, '2026-03-01');
SELECT tb_unguard('events');
SELECT count(*) FROM tokbudget.guard WHERE guard_id = :guard;
INSERT INTO events (account, tokens, at) VALUES ('gud', 1, '2026-02-01');
INSERT INTO events_3 (account, tokens, at) VALUES ('gud', 1, '2026-03-01');
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 102
SELECT tb_unguard('events_3');
SELECT count(*) FROM tokbudget.guard WHERE guard_id = :guard;
SELECT tb_guard('events_2', 'account', usage_column => 'usage') > 0 AS own;
SELECT * FROM refused($$ SELECT tb_guard('events', 'account', usage_column => 'usage') $$);
SELECT tb_unguard('events_2');

-- Partitions with the columns in other places; what they generate would be missing, so such a column is refused, also later.
CREATE TABLE parts (account text, tokens integer, usage jsonb, twice jsonb GENERATED ALWAYS AS (jsonb_set(usage, '{output_tokens}', '1')) STORED) PARTITION BY LIST (tokens);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 (twice jsonb GENERATED ALWAYS AS (jsonb_set(usage, '{output_tokens}', '1')) STORED, dropped text, usage jsonb, tokens integer, account text);
ALTER TABLE parts_2 DROP dropped;
SELECT tb_guard('parts', 'account', usage_column => 'twice') > 0 AS guarded;
INSERT INTO parts VALUES ('gud', 1, '{"input_tokens": 1, "output_tokens": 0}');
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 104
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES IN (2);
SELECT * FROM refused($$ INSERT INTO parts VALUES ('gud', 2, '{"input_tokens": 1, "output_tokens": 0}') $$);
SELECT code_of($$ SELECT tb_guard('parts', 'account', usage_column => 'twice', enforce => false) $$);
SELECT tb_guard('parts', 'account', usage_column => 'usage') > 0 AS guarded;
INSERT INTO parts VALUES ('gud', 1, '{"input_tokens": 1, "output_tokens": 0}'), ('gud', 2, '{"input_tokens": 2, "output_tokens": 0}');
INSERT INTO parts_2 (account, tokens, usage) VALUES ('gud', 2, '{"input_tokens": 3, "output_tokens": 0}');
UPDATE parts SET tokens = 3 - tokens, usage = jsonb_set(usage, '{output_tokens}', '1');   -- 1 more for each of 4
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 104 + 3 + 3 + 4
DROP TABLE parts;

-- Who may: the owner of the table who administers `under`. Whoever may write into it then charges it, but only below that.
CREATE ROLE guard_owner;
CREATE ROLE guard_writer;
CREATE TABLE owned (account text, also text, usage jsonb);
ALTER TABLE owned OWNER TO guard_owner;
GRANT INSERT, UPDATE, SELECT ON owned TO guard_writer;
SELECT tb_create_account('gud/in/side') > 0 AS inside, tb_create_account('gud/inn') > 0 AS beside, tb_grant_access('guard_owner', 'gud/in', 'administer') AS granted;
SET ROLE guard_owner;
SELECT * FROM refused($$ SELECT tb_guard('owned', 'account', usage_column => 'usage') $$);
SELECT code_of($$ SELECT tb_guard('owned', 'account', usage_column => 'usage', under => 'gud') $$) AS above, code_of($$ SELECT tb_guard('visits', 'account', under => 'gud/in') $$) AS not_owner;
SELECT tb_guard('owned', 'account', usage_column => 'usage', also_columns => '{also}', under => 'gud/in') > 0 AS guarded;
SET ROLE guard_writer;
INSERT INTO owned VALUES ('gud/in/side', NULL, '{"input_tokens": 3, "output_tokens": 0}'), ('gud/in', 'gud/in/side', '{"input_tokens": 4, "output_tokens": 0}');
SELECT * FROM refused($$ INSERT INTO owned VALUES ('gud/inn', NULL, '{"input_tokens": 3, "output_tokens": 0}') $$);
SELECT code_of($$ INSERT INTO owned VALUES ('gud', NULL, '{"input_tokens": 3, "output_tokens": 0}') $$) AS above,
       code_of($$ INSERT INTO owned VALUES ('gua/a', NULL, '{"input_tokens": 3, "output_tokens": 0}') $$) AS tenant,
       code_of($$ INSERT INTO owned VALUES ('gud/in', 'gud/inn', '{"input_tokens": 3, "output_tokens": 0}') $$) AS also,
       code_of($$ SELECT tb_charge('gud/in', NULL, '{}') $$) AS direct, code_of($$ SELECT tokbudget._guard_charge('[]', true, NULL, NULL) $$) AS internal,
       code_of($$ SELECT tb_unguard('owned') $$) AS unguard,
       code_of($$ CREATE TEMP TABLE own (account text); CREATE TRIGGER t AFTER INSERT ON own REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION tokbudget._guard_statement('0', '1') $$) AS own_trigger;
RESET ROLE;
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 114 + 7
SELECT e.actor = SESSION_USER AS actor FROM tokbudget.entry e WHERE e.labels ->> 'table' = 'public.owned' LIMIT 1;
-- It stays with its account when that gets a new name, and accounts are made on first use.
SELECT tb_rename_account('gud/in', 'on', 'a reason') IS NOT NULL AS renamed;
SELECT tb_set_first_use('gud/on', 'user', 'user-*') IS NOT NULL AS first_use;
SET ROLE guard_writer;
INSERT INTO owned VALUES ('gud/on/user-1', NULL, '{"input_tokens": 5, "output_tokens": 0}');
RESET ROLE;
SELECT spent FROM balances('gud') WHERE meter = 'tokens';   -- 5 more
-- Types of the table owner's making never run with the rights of the extension's owner.
CREATE TYPE trap AS (a integer);
CREATE FUNCTION trap_text(trap) RETURNS text LANGUAGE sql AS $$ SELECT 'gud/on' $$;
CREATE CAST (trap AS text) WITH FUNCTION trap_text(trap);
ALTER TABLE owned DROP account;
ALTER TABLE owned ADD account trap;
SELECT * FROM refused($$ INSERT INTO owned (account, usage) VALUES (ROW(1), '{"input_tokens": 5, "output_tokens": 0}') $$);
SET ROLE guard_owner;
SELECT tb_unguard('owned');
RESET ROLE;

-- What cannot be guarded, and bad arguments.
CREATE VIEW a_view AS SELECT * FROM visits;
CREATE TEMP TABLE a_temporary_table (account text);
CREATE TABLE plain (account text, n integer, usage jsonb, body text);
SELECT call, (refused('SELECT tb_guard(' || call || ')')).*
FROM unnest(ARRAY[
    $$'a_view', 'account'$$, $$'a_temporary_table', 'account'$$, $$'tokbudget.tenant', 'name'$$, $$'pg_class', 'relname'$$, $$NULL, 'account'$$, $$4000000000, 'account'$$,
    $$'plain', NULL$$, $$'plain', 'none'$$, $$'plain', 'ctid'$$, $$'plain', 'n'$$, $$'plain', 'usage'$$,
    $$'plain', 'account', usage_column => 'n'$$, $$'plain', 'account', usage_column => 'body'$$, $$'plain', 'account', meters_column => 'account'$$,
    $$'plain', 'account', model_column => 'n', usage_column => 'usage'$$, $$'plain', 'account', model_column => 'body'$$,
    $$'plain', 'account', text_column => 'body'$$, $$'plain', 'account', text_column => 'usage', encoding => 'o200k_base'$$,
    $$'plain', 'account', text_column => 'body', encoding => 'klingon'$$, $$'plain', 'account', text_column => 'body', model => 'klingon'$$, $$'plain', 'account', usage_column => 'usage', model => ''$$,
    $$'plain', 'account', also_columns => NULL$$, $$'plain', 'account', also_columns => '{NULL}'$$, $$'plain', 'account', also_columns => '{n}'$$,
    $$'plain', 'account', attributes => NULL$$, $$'plain', 'account', attributes => '[]'$$, $$'plain', 'account', attributes => '{"a": 1}'$$, $$'plain', 'account', attributes => '{"a": "none"}'$$,
    $$'plain', 'account', under => 'gud/nowhere'$$, $$'plain', 'account', under => ''$$,
    $$'plain', 'account', mode => 'dream'$$, $$'plain', 'account', mode => NULL$$, $$'plain', 'account', enforce => NULL$$, $$'plain', 'account', mode => 'check', enforce => false$$,
    $$'plain', 'account', updates => 'maybe'$$, $$'plain', 'account', without_account => NULL$$]) AS call;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'plain'::regclass;
-- A trigger whose guard is not known here.
SELECT tb_guard('plain', 'account', attributes => '{"a''b": "body"}') > 0 AS guarded;
INSERT INTO plain VALUES ('gud', 1, NULL, 'it''s');
SELECT e.labels FROM tokbudget.entry e WHERE e.labels ->> 'table' = 'public.plain';
DELETE FROM tokbudget.guard WHERE relation = 'public.plain';
SELECT * FROM refused($$ INSERT INTO plain VALUES ('gud') $$);
SELECT tb_guard('plain', 'account') > 0 AS again;
INSERT INTO plain VALUES ('gud');
-- Restored data is not charged again: neither replication nor a restore with --disable-triggers fires the guard.
SET session_replication_role = replica;
INSERT INTO plain VALUES ('gud');
RESET session_replication_role;
SELECT spent FROM balances('gud') WHERE meter = 'requests';
SELECT count(*) FROM tokbudget.entry e WHERE e.labels ->> 'table' = 'public.plain';   -- 2
SELECT * FROM tb_verify();
DROP TABLE plain, visits, plans, tool_runs, prompts, notes, events, events_3, owned CASCADE;
DROP SCHEMA "Guarded Things" CASCADE;
DROP FUNCTION spent, updates_of_balance, swallow;
DROP TYPE trap CASCADE;
DROP TYPE tool_kind;
DROP DOMAIN account_path;
SELECT tb_revoke_access('guard_owner', 'gud/on', 'administer') IS NOT NULL AS revoked;
DROP OWNED BY guard_owner, guard_writer;
DROP ROLE guard_owner, guard_writer;
