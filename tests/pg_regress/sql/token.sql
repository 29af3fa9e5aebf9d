-- Counting, and the uses that IMMUTABLE PARALLEL SAFE functions have.

-- Every encoding by its own name, and models by theirs. The ids are those of tiktoken.
SELECT name, tb_count_tokens('hello world', name), tb_encode('hello world', name)
FROM unnest(ARRAY['o200k_harmony', 'o200k_base', 'cl100k_base', 'p50k_base', 'p50k_edit', 'r50k_base', 'gpt2',
    'gpt-4o', 'gpt-4', 'gpt-5', 'o3', 'text-davinci-003', 'text-embedding-3-small', 'gpt-oss-120b', 'ft:gpt-4o:acme::x']) AS name;

-- Nothing, whitespace, several scripts, emoji that is several code points.
SELECT content, tb_count_tokens(content, 'cl100k_base') AS cl100k, tb_count_tokens(content, 'o200k_base') AS o200k,
       tb_count_tokens(content, 'r50k_base') AS r50k
FROM unnest(ARRAY['', ' ', 'tokenization', 'naïve café', '你好，世界', 'привет мир', '👩‍👩‍👧‍👦', E'a\n\n\n   b', '1234567890'])
    WITH ORDINALITY AS t (content, n) ORDER BY n;

-- Text that looks like a special token is plain text.
SELECT tb_count_tokens('<|endoftext|>', 'gpt-4') AS cl100k, tb_encode('<|endoftext|>', 'gpt-4') AS ids,
       tb_decode(tb_encode('a<|endoftext|>b<|im_start|>', 'gpt-4'), 'gpt-4') AS decoded;

-- Unknown models: the message names it, the detail offers the nearest.
SELECT code, message, detail::jsonb -> 'nearest' AS nearest, detail::jsonb -> 'known' ? 'gpt-4o' AS lists_known
FROM refused($$SELECT tb_count_tokens('x', 'gpt-4oo')$$);
SELECT f, code_of(format('SELECT * FROM %s', f)) FROM unnest(ARRAY[
    $$tb_count_tokens('x', 'claude-sonnet-4-5')$$, $$tb_count_tokens('', '')$$, $$tb_count_tokens('x', 'GPT-4')$$,
    $$tb_encode('x', 'no-such')$$, $$tb_decode('{1}', 'no-such')$$, $$tb_truncate('x', 'no-such', 1)$$,
    $$tb_fits('x', 'no-such', 1)$$, $$tb_split('x', 'no-such', 1)$$, $$tb_split('', 'no-such', 1)$$,
    $$tb_count_messages('[]', 'no-such')$$]) AS f;
-- JSON that is nested too deep is refused, not an internal error.
SELECT code_of(format('SELECT tb_count_messages(%L, ''gpt-4o'')', deep)) AS messages, code_of(format('SELECT tb_count_messages(''[]'', ''gpt-4o'', %L)', deep)) AS tools
FROM (SELECT repeat('[', 200) || repeat(']', 200) AS deep) AS d;
-- psql shows all of it.
\set SHOW_CONTEXT never
SELECT tb_truncate('x', 'gpt-4', -1);
\echo :LAST_ERROR_SQLSTATE

-- Limits below zero, overlaps that are none, ids that no text has.
SELECT f, code_of(format('SELECT * FROM %s', f)) FROM unnest(ARRAY[
    $$tb_truncate('x', 'gpt-4', -1)$$, $$tb_fits('x', 'gpt-4', -2147483648)$$, $$tb_split('x', 'gpt-4', 0)$$,
    $$tb_split('x', 'gpt-4', -1)$$, $$tb_split('x', 'gpt-4', 2, 2)$$, $$tb_split('x', 'gpt-4', 2, -1)$$,
    $$tb_split('', 'gpt-4', 0)$$, $$tb_split('', 'gpt-4', 2, 2)$$,
    $$tb_split('👩‍👩‍👧‍👦', 'r50k_base', 1)$$,
    $$tb_decode('{-1}', 'gpt-4')$$, $$tb_decode('{2147483647}', 'gpt-4')$$, $$tb_decode('{15339,NULL}', 'gpt-4')$$,
    $$tb_decode(ARRAY[(tb_encode('👩', 'gpt-4'))[1]], 'gpt-4')$$]) AS f;

-- NULL in, NULL out.
SELECT tb_count_tokens(NULL, 'gpt-4') IS NULL AND tb_count_tokens('x', NULL) IS NULL AND tb_encode(NULL, 'gpt-4') IS NULL
    AND tb_decode(NULL, 'gpt-4') IS NULL AND tb_truncate('x', 'gpt-4', NULL) IS NULL AND tb_fits('x', NULL, 1) IS NULL AS all_null;
SELECT count(*) FROM tb_split(NULL, 'gpt-4', 1);

-- Empty text.
SELECT tb_count_tokens('', 'gpt-4'), tb_encode('', 'gpt-4'), tb_decode('{}', 'gpt-4') = '' AS decoded,
       tb_truncate('', 'gpt-4', 5) = '' AS truncated, tb_fits('', 'gpt-4', 0) AS fits,
       (SELECT count(*) FROM tb_split('', 'gpt-4', 5)) AS chunks;

-- Truncation cuts between characters, never exceeds the limit, and keeps all that fits.
SELECT n, tb_truncate('naïve 👩‍👩‍👧‍👦 你好', 'gpt-4', n) AS head, tb_count_tokens(tb_truncate('naïve 👩‍👩‍👧‍👦 你好', 'gpt-4', n), 'gpt-4') AS tokens
FROM generate_series(0, 18, 2) AS n;
SELECT bool_and(tb_count_tokens(tb_truncate(content, model, n), model) <= n AND starts_with(content, tb_truncate(content, model, n))
           AND (tb_truncate(content, model, n) = content) = tb_fits(content, model, n)
           AND tb_fits(content, model, n) = (tb_count_tokens(content, model) <= n)) AS holds
FROM unnest(ARRAY['', 'The quick brown fox.', 'naïve 👩‍👩‍👧‍👦 你好', repeat('a', 300), repeat(' ', 50) || 'x']) AS content,
     unnest(ARRAY['o200k_base', 'cl100k_base', 'p50k_base', 'r50k_base']) AS model, generate_series(0, 60, 4) AS n;

-- Chunks join to the text, each within the limit, numbered from 1.
SELECT ordinal, content, token_count FROM tb_split('The quick brown fox jumps over the lazy dog.', 'gpt-4', 4);
SELECT ordinal, content, token_count FROM tb_split('The quick brown fox jumps over the lazy dog.', 'gpt-4', 4, 2);
SELECT bool_and(joined = whole AND within) FROM (
    SELECT whole, string_agg(chunk.content, '' ORDER BY ordinal) AS joined,
           bool_and(token_count <= n AND token_count = tb_count_tokens(chunk.content, model)) AS within
    FROM unnest(ARRAY['The quick brown fox.', 'naïve 👩‍👩‍👧‍👦 你好', repeat('ab ', 200)]) AS whole,
         unnest(ARRAY['o200k_base', 'cl100k_base', 'r50k_base']) AS model, generate_series(4, 20, 3) AS n,
         tb_split(whole, model, n) AS chunk
    GROUP BY whole, model, n) AS t;

-- Every text comes back from its ids.
SELECT bool_and(tb_decode(tb_encode(content, model), model) = content
           AND cardinality(tb_encode(content, model)) = tb_count_tokens(content, model)) AS round_trip
FROM (SELECT string_agg(chr(CASE WHEN g % 7 = 0 THEN 32 WHEN g % 3 = 0 THEN 97 + g % 26 ELSE 161 + (g * 7919) % 50000 END), '') AS content
      FROM generate_series(1, 3000) AS g) AS t,
     unnest(ARRAY['o200k_harmony', 'o200k_base', 'cl100k_base', 'p50k_base', 'p50k_edit', 'r50k_base']) AS model;

-- A generated column, a constraint and an index.
CREATE TABLE note (
    id integer PRIMARY KEY,
    body text NOT NULL,
    tokens integer GENERATED ALWAYS AS (tb_count_tokens(body, 'gpt-4o')) STORED,
    CONSTRAINT note_fits CHECK (tb_fits(body, 'gpt-4o', 50))
);
CREATE INDEX note_tokens_idx ON note (tb_count_tokens(body, 'r50k_base'));
INSERT INTO note SELECT i, repeat('word ', i % 40 + 1) FROM generate_series(1, 2000) AS i;
INSERT INTO note VALUES (0, repeat('word ', 60));
UPDATE note SET body = 'hello world' WHERE id = 1;
SELECT id, tokens FROM note WHERE id IN (1, 2) ORDER BY id;
ANALYZE note;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT body FROM note WHERE tb_count_tokens(body, 'r50k_base') = 5;
SELECT count(*) FROM note WHERE tb_count_tokens(body, 'r50k_base') = 5;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT count(*) FROM note WHERE tb_count_tokens(body || '', 'r50k_base') = 5;

-- A parallel scan gives the serial answer.
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT sum(tb_count_tokens(body, 'gpt-4')) FROM note;
SELECT sum(tb_count_tokens(body, 'gpt-4')), sum(tokens) FROM note;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT sum(tb_count_tokens(body, 'gpt-4')) FROM note;
SELECT sum(tb_count_tokens(body, 'gpt-4')), sum(tokens) FROM note;
-- A refusal inside a worker arrives whole.
\set VERBOSITY terse
SELECT sum(tb_count_tokens(body, 'no-such')) FROM note;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
RESET ALL;
DROP TABLE note;

-- What the planner is told.
SELECT oid::regprocedure AS function, provolatile AS volatile, proparallel AS parallel, proisstrict AS strict, procost AS cost
FROM pg_proc WHERE proname IN ('tb_count_tokens', 'tb_count_messages', 'tb_encode', 'tb_decode', 'tb_truncate', 'tb_fits', 'tb_split')
ORDER BY proname COLLATE "C";
