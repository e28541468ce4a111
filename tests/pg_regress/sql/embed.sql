-- Vectors: one, many, none; the same text has the same vector whichever way it is asked for.
SET socle.default_model = 'minilm';
SELECT pg_typeof(socle.embed('text')), vector_dims(socle.embed('text')), pg_typeof(socle.embed(ARRAY['text']));
SELECT round(vector_norm(socle.embed('text'))::numeric, 5) AS norm;
SELECT socle.embed(NULL::text) IS NULL AS text, socle.embed(NULL::text[]) IS NULL AS texts, socle.embed_query(NULL) IS NULL AS query;

-- Shapes of arrays.
SELECT cardinality(socle.embed('{}'::text[])) AS empty;
SELECT array_dims(v), v[2] IS NULL AS null_stays_null, v[1] IS NOT NULL AS first FROM socle.embed(ARRAY['one', NULL, 'three']) AS v;
SELECT array_dims(socle.embed('[5:6]={one,two}'::text[]));
SELECT array_dims(socle.embed(ARRAY[['one', 'two', NULL], ['four', 'five', 'six']]));
SELECT array_dims(socle.embed(ARRAY[NULL, NULL]::text[]));

-- The same, alone, in an array of other lengths and order, and from another statement.
CREATE TABLE sentence (id int PRIMARY KEY, content text);
INSERT INTO sentence VALUES
    (1, 'A backup is worth what its restore is worth.'),
    (2, 'Une sauvegarde vaut ce que vaut sa restauration, et personne ne le sait avant de l''avoir essayée une fois.'),
    (3, 'Kopia zapasowa'),
    (4, 'データベースの復元'),
    (5, repeat('Die Wiederherstellung dauert länger als die Sicherung. ', 10));
WITH together AS (
    SELECT array_agg(id ORDER BY -id) AS ids, socle.embed(array_agg(content ORDER BY -id), m.name) AS vectors, m.name
    FROM sentence, (VALUES ('minilm'), ('multilingual')) AS m (name) GROUP BY m.name)
SELECT t.name, s.id, t.vectors[array_position(t.ids, s.id)] <-> socle.embed(s.content, t.name) < 1e-5 AS same
FROM together t, sentence s ORDER BY t.name, s.id;

-- Queries have the prefix of their model.
SELECT name, socle.embed_query('how to restore', name) <-> socle.embed(query_prefix || 'how to restore', name) < 1e-6 AS prefixed
FROM socle.model WHERE kind = 'embedding' ORDER BY name;

-- Texts of similar meaning have similar vectors.
SELECT a.id, b.id AS nearest FROM sentence a, LATERAL (
    SELECT id FROM sentence b WHERE b.id <> a.id
    ORDER BY socle.embed(b.content, 'multilingual') <=> socle.embed(a.content, 'multilingual') LIMIT 1) AS b
WHERE a.id = 1;

-- Long arrays go through in one statement.
SELECT count(*), count(DISTINCT round((v <-> socle.embed('text 1'))::numeric, 6)) > 900 AS distinct
FROM unnest(socle.embed(ARRAY(SELECT 'text ' || i FROM generate_series(1, 1000) AS i))) AS v;
