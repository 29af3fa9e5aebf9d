SELECT period, account, cost_center, provider, model, requests, input_tokens, output_tokens, cost, currency
FROM tokbudget.chargeback ORDER BY cost DESC;

SELECT count(*) AS differences FROM tb_verify();
