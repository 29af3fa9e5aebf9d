BEGIN;
SELECT state, held->'tokens' AS tokens, remaining FROM tb_reserve('acme/search/bot-7', 'gpt-4o', input_tokens => 4000, max_output_tokens => 1000);
SELECT pg_sleep(2);
COMMIT;
