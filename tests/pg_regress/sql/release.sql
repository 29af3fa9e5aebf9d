-- Releases: a hold comes back unused, once.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SELECT tb_create_account('rel/bot') > 0, tb_create_budget('rel', 'tokens', 100) > 0, tb_create_budget('rel/bot', 'tokens', 80, 'day') > 0;
SET tokbudget.clock = '2026-07-01 10:00:00+00';
SELECT reservation AS one, remaining FROM reserve('rel/bot', 80) \gset
SELECT code_of($$SELECT tb_reserve('rel/bot', input_tokens => 1)$$) AS full;
SET tokbudget.clock = '2026-07-01 10:05:00+00';
SELECT tb_release(:'one', 'the provider was down');
SELECT state, settled_at, reason FROM tokbudget.reservation WHERE reservation_id = :'one';
SELECT account, spent, held FROM balances('rel');
-- Again: nothing more happens.
SELECT tb_release(:'one');
SELECT tb_release(:'one', 'another reason');
SELECT reason FROM tokbudget.reservation WHERE reservation_id = :'one';
SELECT account, spent, held FROM balances('rel');
SELECT code, message FROM refused(format('SELECT tb_commit(%L, %L)', :'one', '{"input_tokens": 1, "output_tokens": 0}'));
-- What has expired is released already, swept or not; a sweep closes it, and what it really used can still be told.
SELECT reservation AS swept FROM reserve('rel/bot', 30, ttl => '1 minute') \gset
SET tokbudget.clock = '2026-07-01 10:06:00+00';
SELECT tb_expire() >= 1 AS swept_it;
SELECT tb_release(:'swept') AS swept;
SELECT reservation AS expired FROM reserve('rel/bot', 20, ttl => '1 minute') \gset
SET tokbudget.clock = '2026-07-01 10:10:00+00';
SELECT tb_release(:'expired') AS expired;
SELECT state FROM tokbudget.reservation WHERE reservation_id = :'expired';
SELECT flags, released FROM tb_commit(:'expired', '{"input_tokens": 5, "output_tokens": 0}');
SELECT account, spent, held FROM balances('rel');
RESET tokbudget.clock;
SELECT code_of('SELECT tb_release(NULL)') AS null_reservation, code_of('SELECT tb_release(gen_random_uuid())') AS unknown;
-- A release that rolls back did not happen.
SELECT reservation AS kept FROM reserve('rel', 10) \gset
BEGIN;
SELECT tb_release(:'kept');
ROLLBACK;
SELECT account, held FROM balances('rel') WHERE account = 'rel';
SELECT tb_release(:'kept');
-- A ledger entry is a spend, and a release is none.
SELECT count(*) FROM tokbudget.entry JOIN tokbudget.account USING (tenant_id, account_id) WHERE path LIKE 'rel%';
SELECT * FROM tb_verify();
