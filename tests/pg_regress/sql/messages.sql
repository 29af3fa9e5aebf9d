-- Chat requests count as OpenAI's cookbook says ("How to count tokens with tiktoken", sections 6 and 7).
CREATE TEMP TABLE example (messages jsonb);
INSERT INTO example VALUES ($$[
  {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
  {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
  {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
  {"role": "system", "name": "example_user", "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
  {"role": "system", "name": "example_assistant", "content": "Let's talk later when we're less busy about how to do better."},
  {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."}
]$$);
-- Published: 129 for gpt-3.5-turbo and gpt-4, 124 for gpt-4o and gpt-4o-mini.
SELECT model, tb_count_messages(messages, model)
FROM example, unnest(ARRAY['gpt-3.5-turbo', 'gpt-4', 'gpt-4o', 'gpt-4o-mini']) AS model ORDER BY model;

-- Published with tools: 105 for gpt-3.5-turbo and gpt-4, 101 for gpt-4o and gpt-4o-mini.
SELECT model, tb_count_messages($$[
  {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
  {"role": "user", "content": "What's the weather like in San Francisco?"}
]$$, model, $$[
  {"type": "function", "function": {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {
      "type": "object",
      "properties": {
        "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
        "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]}
      },
      "required": ["location"]}}}
]$$)
FROM unnest(ARRAY['gpt-3.5-turbo', 'gpt-4', 'gpt-4o', 'gpt-4o-mini']) AS model ORDER BY model;

-- No message is the reply's three tokens; a message adds three, its role and its text.
SELECT tb_count_messages('[]', 'gpt-4o') AS empty,
       tb_count_messages('[{"role": "user", "content": ""}]', 'gpt-4o') AS one_empty,
       tb_count_messages('[{"role": "user", "content": "hello world"}]', 'gpt-4o') AS one,
       tb_count_messages('[{"role": "user", "content": [{"type": "text", "text": "hello world"}]}]', 'gpt-4o') AS in_parts,
       tb_count_messages('[{"role": "user", "content": "hello world"}]', 'gpt-4o', '[]') AS no_tools;

-- Malformed, or not countable as text.
SELECT m, code_of(format('SELECT tb_count_messages(%L, %L)', m, 'gpt-4o')) FROM unnest(ARRAY[
    '{}', '"x"', 'null', '[1]', '[{}]', '[{"content": "x"}]', '[{"role": 1, "content": "x"}]', '[{"role": "user", "content": 1}]',
    '[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]',
    '[{"role": "user", "content": [{"type": "input_audio"}]}]', '[{"role": "user", "content": [{"type": "text"}]}]',
    '[{"role": "user", "content": [{"text": "x"}]}]', '[{"role": "user", "content": ["x"]}]',
    '[{"role": "assistant", "tool_calls": [{}]}]', '[{"role": "assistant", "tool_calls": {}}]']) AS m;
SELECT t, code_of(format('SELECT tb_count_messages(%L, %L, %L)', '[]', 'gpt-4o', t)) FROM unnest(ARRAY[
    '{}', '[1]', '[{"type": "function"}]', '[{"type": "web_search"}]', '[{"type": "function", "function": {}}]']) AS t;
SELECT code_of($$SELECT tb_count_messages('[]', 'text-davinci-003')$$) AS no_chat_model,
       code_of($$SELECT tb_count_messages('[]', 'claude-sonnet-4-5')$$) AS no_public_tokenizer;

-- NULL keeps the meaning it has in strict functions, but tools may be NULL.
SELECT tb_count_messages(NULL, 'gpt-4o') AS no_messages, tb_count_messages('[]', NULL) AS no_model, tb_count_messages('[]', 'gpt-4o', NULL) AS no_tools;
