\set ECHO none
CREATE TABLE document AS SELECT 'LICENSE' AS name, :'document'::text AS body;
\set ECHO queries
SELECT name, length(body) AS characters,
       tb_count_tokens(body, 'gpt-4o') AS gpt_4o,
       tb_count_tokens(body, 'gpt-4') AS gpt_4,
       tb_fits(body, 'gpt-4o', 1000) AS fits_1000,
       regexp_replace(tb_truncate(body, 'gpt-4o', 12), '\s+', ' ', 'g') AS first_12_tokens
FROM document;

SELECT ordinal, token_count, left(regexp_replace(content, '\s+', ' ', 'g'), 50) AS begins FROM document, tb_split(body, 'gpt-4o', 1000, overlap => 50);

SELECT tb_count_messages('[{"role": "system", "content": "You are helpful."}, {"role": "user", "content": "Hello!"}]', 'gpt-4o');
