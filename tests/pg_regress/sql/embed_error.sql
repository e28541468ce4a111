-- Texts and models that cannot be embedded.
RESET socle.default_model;
SELECT * FROM error_of($$SELECT socle.embed('text')$$);
SELECT * FROM error_of($$SELECT socle.embed('text', 'nope')$$);
SELECT * FROM error_of($$SET LOCAL socle.default_model = 'nope'; SELECT socle.embed_query('text')$$);
SELECT * FROM error_of($$SELECT socle.embed('text', 'reranker')$$);
SELECT * FROM error_of($$SELECT socle.embed('', 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.embed(E' \t\n\u3000', 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.embed_query('  ', 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.embed(ARRAY['one', NULL, ' '], 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.embed(repeat('word ', 300), 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.embed_query(repeat('word ', 300), 'minilm')$$);
SELECT * FROM error_of($$SELECT socle.embed(ARRAY['one', NULL, 'three', repeat('word ', 300)], 'minilm')$$);

-- A list whose type the client does not say is taken for a text.
SELECT * FROM error_of($$SELECT socle.embed('{"To restore a backup, stop the server.","Cats sleep."}', 'minilm')$$);
PREPARE list AS SELECT pg_typeof(socle.embed($1, 'minilm'));
EXECUTE list('{a,b}');
EXECUTE list('a, b');
SELECT cardinality(socle.embed('{a,b}'::text[], 'minilm')), count(socle.embed(t.content, 'minilm'))
FROM (VALUES ('{a,b}'), ('{}')) AS t (content);

-- Cut only when asked to, and then to the window exactly.
SET socle.truncate_input = on;
SELECT socle.embed(repeat('word ', 300), 'minilm') <-> socle.embed(repeat('word ', 254), 'minilm') < 1e-6 AS cut_to_the_window;
RESET socle.truncate_input;
-- What a call site remembers of one row does not outlive the setting.
SELECT code, message FROM error_of($$SELECT set_config('socle.truncate_input', v, true), socle.embed(repeat('word ', 300), 'minilm')
    FROM (VALUES ('on'), ('on'), ('off')) AS t (v)$$);
-- A vector of one model does not compare with one of another.
SELECT code, message FROM error_of($$SELECT socle.embed('a', 'minilm') <-> socle.embed('a', 'multilingual')$$);
-- Errors leave the session as it was.
SELECT vector_dims(socle.embed('text', 'minilm'));
