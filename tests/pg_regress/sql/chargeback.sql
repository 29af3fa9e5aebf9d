-- Chargeback: who spent what, by month, to the last nano-unit.
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
-- Per million: a costs 2 in and 10 out, b costs 1 in and 4 out, reasoning 8.
SELECT tb_set_price('cb-a', 'acme', 2, 10, cache_read_price => 0.2, effective_at => '2020-01-01') > 0,
       tb_set_price('cb-b', 'bravo', 1, 4, unit_prices => '{"reasoning": 8}', effective_at => '2020-01-01') > 0;
SELECT tb_create_account('cb/search/bot', cost_center => 'S1') > 0, tb_create_account('cb/ads', cost_center => 'A1') > 0, tb_create_account('cb/lab') > 0;

CREATE FUNCTION spend(at timestamptz, account text, model text, usage jsonb, attributes jsonb DEFAULT '{}') RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    held uuid;
BEGIN
    PERFORM set_config('tokbudget.clock', at::text, false);
    held := (tb_reserve(account, model => model, input_tokens => 10000, max_output_tokens => 10000)).reservation;
    RETURN (tb_commit(held, usage, attributes)).cost;
END;
$$;
-- 1000 * 2e-6 + 100 * 10e-6 = 0.003; the same again in the same month; 500 of 1000 cached: 500 * 2e-6 + 500 * 0.2e-6 + 0 = 0.0011.
SELECT spend('2026-01-31 23:59:59.999999+00', 'cb/search/bot', 'cb-a', '{"input_tokens": 1000, "output_tokens": 100}'),
       spend('2026-01-01 00:00:00+00', 'cb/search/bot', 'cb-a', '{"input_tokens": 1000, "output_tokens": 100}'),
       spend('2026-01-15 00:00:00+00', 'cb/search/bot', 'cb-a', '{"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 500}}', '{"operation": "chat"}');
-- The next month, whatever the session's zone says.
SET timezone = 'America/New_York';
SELECT spend('2026-02-01 00:00:00+00', 'cb/search/bot', 'cb-a', '{"input_tokens": 1, "output_tokens": 0}');
SET timezone = 'UTC';
-- Another account and model: 100 * 1e-6 + 30 * 4e-6 + 20 * 8e-6 = 0.0001 + 0.00012 + 0.00016 = 0.00038.
SELECT spend('2026-01-15 00:00:00+00', 'cb/ads', 'cb-b', '{"prompt_tokens": 100, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 20}}');
-- An account without a cost center, one request without a model.
SELECT spend('2026-01-15 00:00:00+00', 'cb/lab', 'cb-b', '{"input_tokens": 7, "output_tokens": 0}'), spend('2026-01-15 00:00:00+00', 'cb/lab', NULL, '{"input_tokens": 3, "output_tokens": 0}');
RESET tokbudget.clock;

SELECT period, account, cost_center AS cc, provider, model, operation AS op, requests, input_tokens AS input, cache_read_input_tokens AS read, cache_write_input_tokens AS written,
       output_tokens AS output, reasoning_output_tokens AS reasoning, cost, currency, unpriced_entries AS unpriced
FROM tokbudget.chargeback WHERE tenant = 'cb' ORDER BY period, account, model, operation NULLS FIRST;
-- The whole month: 0.003 + 0.003 + 0.0011 + 0.00038 + 0.000007 = 0.007487.
SELECT period, sum(requests) AS requests, sum(input_tokens) AS input, sum(output_tokens) AS output, sum(cost) AS cost FROM tokbudget.chargeback WHERE tenant = 'cb' GROUP BY period ORDER BY period;
DROP FUNCTION spend;
SELECT * FROM tb_verify();
