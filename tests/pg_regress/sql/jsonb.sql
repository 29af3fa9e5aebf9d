-- What the ledger stores as jsonb is byte for byte what PostgreSQL makes of the same text.
SET timezone = 'UTC';
SET tokbudget.clock = '2026-04-12 10:00:00+00';
CREATE FUNCTION pg_temp.same(value jsonb) RETURNS boolean LANGUAGE sql AS $$ SELECT record_image_eq(ROW(value), ROW(value::text::jsonb)) $$;
SELECT tb_create_account('js') > 0, tb_create_budget('js', 'tokens', 1e18) > 0;
CREATE TEMPORARY TABLE given (id integer GENERATED ALWAYS AS IDENTITY, attributes jsonb);
INSERT INTO given (attributes) VALUES
    ('{}'), ('{"a": 0}'), ('{"a": -1, "b": 9999, "c": 10000, "dd": 10001, "e": 100000000, "f": -100010000}'),
    ('{"max": 9223372036854775807, "min": -9223372036854775808, "zero": -0}'),
    ('{"b": "", "a": "x", "aa": "größe", "日本": "本", "quote": "\"\\\n"}'), ('{"t": true, "f": false, "n": null, "s": "null"}'),
    ('{"z": 1, "y": 2, "x": "3", "w": 4.0, "v": 1e3}'), ('{"large": 9223372036854775808, "small": 1.5, "neg": -0.25}'),
    ('{"list": [1, 2, 3]}'), ('{"object": {}}'), ('{"": 1}'),
    ((SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 15) i)), ((SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 16) i)),
    ((SELECT jsonb_object_agg(repeat('k', i), repeat('v', i)) FROM generate_series(1, 15) i)), ((SELECT jsonb_object_agg(repeat('k', 16 - i), CASE i % 3 WHEN 0 THEN to_jsonb(i) WHEN 1 THEN to_jsonb(i::text) ELSE 'true' END) FROM generate_series(1, 15) i)),
    ('{"d": 0.1, "e": 12.3400, "f": -0.00012345, "g": 0.00001234, "h": 10000.00010000, "i": 99999999.9999, "j": 0.000, "k": -0.0, "l": 100000000000000000000.5}'),
    ('{"deep": {"a": [1, "two", null, [], {}, {"b": [true, false, {"c": -1.50}]}], "d": {"e": "f"}}, "g": [[], [[]], [0.5, 10000]]}'),
    ((SELECT jsonb_build_object('strides', jsonb_agg(i * 1111), 'of', jsonb_object_agg('key' || i, repeat('v', i))) FROM generate_series(1, 70) i)),
    ((SELECT jsonb_object_agg('m' || i, i / 8.0) FROM generate_series(1, 40) i)),
    ((SELECT string_agg('{"a":', '') || '1' || repeat('}', 12) FROM generate_series(1, 12))::jsonb),
    (jsonb_build_object('long', repeat('x', 70000)));
SELECT count(*) AS held, bool_and(pg_temp.same(r.held)) AS answer, bool_and(pg_temp.same(r.remaining)) AS remaining FROM given, tb_reserve('js', input_tokens => 7, max_output_tokens => 3, meters => '{"tool_calls": 10000, "pages": 0}', attributes => attributes) r;
SELECT g.id, r.attributes = g.attributes AS same, pg_temp.same(r.attributes) AS same_bytes, pg_temp.same(r.held) AS held
FROM given g JOIN tokbudget.reservation r ON r.attributes = g.attributes WHERE r.created_at = '2026-04-12 10:00:00+00' ORDER BY g.id;
-- The answers, and the entry.
SELECT count(*) AS committed, bool_and(pg_temp.same(c.remaining)) AS remaining, bool_and(pg_temp.same(c.released)) AS released
FROM tokbudget.reservation r, tb_commit(r.reservation_id, '{"input_tokens": 7, "output_tokens": 1}') c WHERE r.created_at = '2026-04-12 10:00:00+00';
SELECT count(*), bool_and(pg_temp.same(buckets)) AS buckets, bool_and(pg_temp.same(meters)) AS meters,
       bool_and(pg_temp.same(usage_details)) AS details, bool_and(pg_temp.same(labels)) AS labels
FROM tokbudget.entry WHERE recorded_at = '2026-04-12 10:00:00+00';
SELECT count(*), bool_and(pg_temp.same(settlement)) AS settlement FROM tokbudget.reservation WHERE created_at = '2026-04-12 10:00:00+00';
SELECT * FROM tb_verify();
