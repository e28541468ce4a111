-- Passages by meaning, across languages, through an index, then reranked.
CREATE TABLE passage (id int PRIMARY KEY, language text, content text, embedding vector(512));
INSERT INTO passage (id, language, content) VALUES
    (1, 'en', 'To restore a backup, stop the server and replay the write-ahead log.'),
    (2, 'fr', 'Pour restaurer une sauvegarde, arrêtez le serveur et rejouez le journal des transactions.'),
    (3, 'de', 'Um eine Sicherung wiederherzustellen, halten Sie den Server an.'),
    (4, 'en', 'Cats sleep for most of the day.'),
    (5, 'fr', 'Les chats dorment la plus grande partie de la journée.'),
    (6, 'pl', 'Koty śpią przez większą część dnia.');
UPDATE passage p SET embedding = e.embedding
FROM (SELECT unnest(array_agg(id)) AS id, unnest(socle.embed(array_agg(content), 'multilingual')) AS embedding FROM passage) AS e
WHERE e.id = p.id;
CREATE INDEX ON passage USING hnsw (embedding vector_cosine_ops);
SET enable_seqscan = off;
SELECT plan_of($$SELECT id FROM passage ORDER BY embedding <=> (SELECT socle.embed_query('x', 'multilingual')) LIMIT 3$$);
SELECT array_agg(id ORDER BY id) AS about_backups FROM (
    SELECT id FROM passage ORDER BY embedding <=> (SELECT socle.embed_query('Wie stelle ich ein Backup wieder her?', 'multilingual')) LIMIT 3) AS p;
SELECT array_agg(id ORDER BY id) AS about_cats FROM (
    SELECT id FROM passage ORDER BY embedding <=> (SELECT socle.embed_query('how long do cats sleep', 'multilingual')) LIMIT 3) AS p;
RESET enable_seqscan;
WITH candidate AS (SELECT array_agg(content ORDER BY id) AS contents FROM passage WHERE language = 'en')
SELECT r.ordinal, contents[r.ordinal] AS content
FROM candidate, socle.rerank('how do I restore a backup', contents, 'reranker') AS r;
