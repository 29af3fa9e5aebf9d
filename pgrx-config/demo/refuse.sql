SELECT tb_reserve('acme/search/bot-7', 'gpt-4o', prompt => 'Tell me everything.', max_output_tokens => 16000);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

SELECT allowed, code, detail->'remaining' AS remaining, detail->'requested' AS requested
FROM tb_try_reserve('acme/search/bot-7', 'gpt-4o', prompt => 'Tell me everything.', max_output_tokens => 16000);
