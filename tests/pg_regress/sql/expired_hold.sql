-- What an expired hold gives back before it is swept: to the window what is the window's, and nothing that a grant lent it.
SET tokbudget.clock = '2026-05-01 12:00:00+00';
CREATE FUNCTION standing(account text, OUT amount numeric, OUT spent numeric, OUT held numeric, OUT granted numeric, OUT remaining numeric)
LANGUAGE sql AS $$ SELECT r.amount, r.spent, r.held, r.granted, r.remaining FROM tb_remaining(standing.account) AS r $$;

-- The grant is revoked while the hold that draws on it lives: 100 is all that there is after it.
SELECT tb_create_account('lapsed') IS NOT NULL AS made;
SELECT tb_create_budget('lapsed', 'tokens', 100) AS budget \gset
SELECT tb_grant(:budget, 50, NULL, 'a test') AS grant \gset
SELECT remaining FROM tb_reserve('lapsed', input_tokens => 150);
SELECT tb_revoke_grant(:grant, 'a test') AS left_of_it;
SET tokbudget.clock = '2026-05-01 12:10:00+00';
SELECT * FROM standing('lapsed');
SELECT allowed, detail ->> 'remaining' AS remaining FROM tb_try_reserve('lapsed', input_tokens => 101);
SELECT allowed FROM tb_try_reserve('lapsed', input_tokens => 100);

-- A window carries over what it left, without what the grant lent to a hold that has expired.
SELECT tb_create_account('rolled') IS NOT NULL AS made;
SELECT tb_create_budget('rolled', 'tokens', 100, 'day', rollover => 'all') AS budget \gset
SELECT tb_grant(:budget, 50, NULL, 'a test') IS NOT NULL AS granted;
SELECT remaining FROM tb_reserve('rolled', input_tokens => 120);
SET tokbudget.clock = '2026-05-02 12:00:00+00';
SELECT * FROM standing('rolled');

-- With 80 of 100 free again, neither the grant nor the burst is drawn on.
SELECT tb_create_account('roomy') IS NOT NULL AS made;
SELECT tb_create_budget('roomy', 'tokens', 100, burst => 100, thresholds => '{50}') AS budget \gset
SELECT tb_grant(:budget, 50, NULL, 'a test') IS NOT NULL AS granted;
SELECT remaining FROM tb_reserve('roomy', input_tokens => 80);
SET tokbudget.clock = '2026-05-02 13:00:00+00';
SELECT allowed, flags FROM tb_try_reserve('roomy', input_tokens => 60);
SELECT remaining FROM tb_grants('roomy');
SELECT kind FROM tb_alerts('roomy');
SELECT allowed, flags FROM tb_try_reserve('roomy', input_tokens => 100);
SELECT remaining FROM tb_grants('roomy');
SELECT kind FROM tb_alerts('roomy');

SELECT tb_expire() > 0;
-- Other tests leave holds too, so those of this one are counted.
SELECT count(*) FROM tokbudget.reservation JOIN tokbudget.tenant USING (tenant_id) WHERE tenant.name IN ('lapsed', 'rolled', 'roomy') AND state = 'expired';
SELECT * FROM standing('lapsed');
SELECT * FROM standing('rolled');
SELECT * FROM standing('roomy');
SELECT * FROM tb_verify();
DROP FUNCTION standing(text);
