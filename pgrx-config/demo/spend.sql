SELECT state, input_tokens, held, remaining
FROM tb_reserve('acme/search/bot-7', 'gpt-4o', prompt => 'Say hi in one word.', max_output_tokens => 500,
                attributes => '{"workflow": "greeting", "session": "s-1"}');
\set ECHO none
SELECT reservation_id AS reservation FROM tokbudget.reservation ORDER BY created_at DESC LIMIT 1 \gset
\set ECHO queries
\echo '-- tb_commit(reservation, response): what is not used goes back'
\set ECHO none
SELECT cost, currency, tokens, overrun, released, remaining FROM tb_commit(:'reservation', :'openai_response');

SELECT reservation FROM tb_reserve('acme/search/bot-7', 'claude-sonnet-4-5', input_tokens => 10700, max_output_tokens => 1000) \gset
\echo '-- the same for Anthropic, which counts cached tokens beside the input and not inside it'
SELECT cost, currency, tokens, overrun, released, remaining FROM tb_commit(:'reservation', :'anthropic_response');
\set ECHO queries
SELECT request_model, input_tokens, cache_read_input_tokens AS cache_read, cache_write_input_tokens AS cache_write,
       output_tokens, buckets, cost
FROM tokbudget.entry ORDER BY recorded_at;
