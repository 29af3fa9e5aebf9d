-- Usage objects of every provider, as tb_usage understands them. What each field means is tested in Rust, fixture by fixture;
-- here is what SQL shows of it.
SET timezone = 'UTC';
SELECT u.* FROM tb_usage('{"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "service_tier": "flex", "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens_details": {"reasoning_tokens": 10, "rejected_prediction_tokens": 5}}}') AS u;
-- The same counts mean the same buckets, whoever counts them: 60 plain, 40 cached, 35 + 15 out.
SELECT what, provider, input_tokens AS input, output_tokens AS output, buckets FROM (VALUES
    ('openai chat', '{"prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens_details": {"reasoning_tokens": 15}}'),
    ('openai responses', '{"input_tokens": 100, "output_tokens": 50, "total_tokens": 150, "input_tokens_details": {"cached_tokens": 40}, "output_tokens_details": {"reasoning_tokens": 15}}'),
    ('anthropic', '{"input_tokens": 60, "cache_read_input_tokens": 40, "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 15}}'),
    ('gemini, thoughts apart', '{"usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 35, "thoughtsTokenCount": 15, "totalTokenCount": 150}}'),
    ('gemini, thoughts inside', '{"usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 50, "thoughtsTokenCount": 15, "totalTokenCount": 150}}'),
    ('bedrock (no reasoning)', '{"inputTokens": 60, "cacheReadInputTokens": 40, "outputTokens": 50, "totalTokens": 150}'),
    ('langchain', '{"input_tokens": 100, "output_tokens": 50, "total_tokens": 150, "input_token_details": {"cache_read": 40}, "output_token_details": {"reasoning": 15}}'),
    ('opentelemetry', '{"gen_ai.usage.input_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 40, "gen_ai.usage.output_tokens": 50, "gen_ai.usage.reasoning.output_tokens": 15}'),
    ('buckets', '{"buckets": {"uncached_input": 60, "cache_read": 40, "output_text": 35, "reasoning": 15}}')) AS t (what, u), LATERAL tb_usage(u::jsonb);
-- Counters, embeddings, a stream, a reported cost.
SELECT what, operation, total_tokens AS tokens, buckets, stated FROM (VALUES
    ('embedding', '{"object": "list", "usage": {"prompt_tokens": 8, "total_tokens": 8}}'),
    ('transcription', '{"type": "duration", "seconds": 61.2}'),
    ('rerank', '{"meta": {"billed_units": {"search_units": 1}}}'),
    ('openrouter', '{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.00014250000000000002}'),
    ('anthropic stream', '[{"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}, {"type": "message_delta", "usage": {"output_tokens": 7}}, {"type": "message_delta", "usage": {"output_tokens": 15}}]'),
    ('counters', '{"searches": 2, "pages": 3}')) AS t (what, u), LATERAL tb_usage(u::jsonb);
-- What is odd is said, never dropped: parts above their whole, totals that do not add up, fields that nobody knows.
SELECT flags, unknown_fields, surcharges, buckets FROM tb_usage('{"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 99, "prompt_tokens_details": {"cached_tokens": 20, "smell_tokens": 3}}');
SELECT region, service_tier, surcharges, parts FROM tb_usage('{"input_tokens": 1, "output_tokens": 1, "inference_geo": "us", "speed": "fast",
    "iterations": [{"type": "message", "input_tokens": 1, "output_tokens": 1}, {"type": "advisor_message", "model": "claude-x", "input_tokens": 5, "output_tokens": 2}]}');
-- Named by the caller: only that provider's shapes.
SELECT provider, input_tokens FROM tb_usage('{"inputTokens": 60, "outputTokens": 50, "totalTokens": 110}', 'aws.bedrock');
SELECT u, p, code, detail FROM (VALUES ('{"inputTokens": 60, "outputTokens": 50}', 'openai'), ('{"prompt_tokens": 1, "completion_tokens": 1}', 'nobody'), ('{"tokens": 5}', NULL), (NULL, NULL), ('[]', NULL), ('{"prompt_tokens": "NaN", "completion_tokens": 1}', NULL),
    ('{"prompt_tokens": 1.5, "completion_tokens": 1}', NULL), ('{"prompt_tokens": -1, "completion_tokens": 1}', NULL), ('{"prompt_tokens": 1e400, "completion_tokens": 1}', NULL),
    ('{"prompt_tokens": 5, "completion_tokens": 5, "input_tokens": 5, "output_tokens": 5, "total_tokens": 10}', NULL), ('{"buckets": {"smell": 1}}', NULL)) AS t (u, p),
    LATERAL refused(format('SELECT tb_usage(%L, %L)', u, p));
-- Immutable: an index may use it.
CREATE TABLE usage_log (response jsonb);
CREATE INDEX ON usage_log (((tb_usage(response)).total_tokens));
INSERT INTO usage_log VALUES ('{"prompt_tokens": 1, "completion_tokens": 2}');
SELECT sqlstate FROM (SELECT code_of($$INSERT INTO usage_log VALUES ('{}')$$) AS sqlstate) AS t;
DROP TABLE usage_log;
