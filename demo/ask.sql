-- Asks the questions: nearest in meaning first, then what the cross-encoder makes of the same candidates.
\set ON_ERROR_STOP on
\set ECHO queries
\pset footer off
\pset format wrapped
\pset columns 160
\timing on

\echo '\n=== A question in French to passages in French, by vector distance ===\n'
\set question 'Comment sauvegarder un serveur et restaurer ses données ?'
SELECT round((1 - (embedding <=> q.vector))::numeric, 3) AS score, array_to_string(heading_path, ' › ') AS heading, file AS source,
       left(regexp_replace(content, '\s+', ' ', 'g'), 140) || '…' AS passage
FROM passage JOIN page USING (page_id), (SELECT socle.embed_query(:'question', 'multilingual') AS vector) AS q
WHERE language = 'fr' ORDER BY embedding <=> q.vector LIMIT 3;
\echo '\n--- the same, reranked (the cross-encoder was trained on English and reads French by analogy) ---\n'
SELECT * FROM ask(:'question', 'fr') LIMIT 3;

\echo '\n=== Another one, by vector distance ===\n'
\set question 'Comment configurer un pare-feu ?'
SELECT round((1 - (embedding <=> q.vector))::numeric, 3) AS score, array_to_string(heading_path, ' › ') AS heading, file AS source,
       left(regexp_replace(content, '\s+', ' ', 'g'), 140) || '…' AS passage
FROM passage JOIN page USING (page_id), (SELECT socle.embed_query(:'question', 'multilingual') AS vector) AS q
WHERE language = 'fr' ORDER BY embedding <=> q.vector LIMIT 3;
\echo '\n--- the same, reranked ---\n'
SELECT * FROM ask(:'question', 'fr') LIMIT 3;

\echo '\n=== The same question in French to passages in English: one model, one space ===\n'
SELECT round((1 - (embedding <=> q.vector))::numeric, 3) AS score, array_to_string(heading_path, ' › ') AS heading, file AS source,
       left(regexp_replace(content, '\s+', ' ', 'g'), 140) || '…' AS passage
FROM passage JOIN page USING (page_id), (SELECT socle.embed_query(:'question', 'multilingual') AS vector) AS q
WHERE language = 'en' ORDER BY embedding <=> q.vector LIMIT 3;

\echo '\n=== A question in English to passages in English, by vector distance ===\n'
\set question 'How do I find out which package a file belongs to?'
SELECT round((1 - (embedding <=> q.vector))::numeric, 3) AS score, array_to_string(heading_path, ' › ') AS heading, file AS source,
       left(regexp_replace(content, '\s+', ' ', 'g'), 140) || '…' AS passage
FROM passage JOIN page USING (page_id), (SELECT socle.embed_query(:'question', 'multilingual') AS vector) AS q
WHERE language = 'en' ORDER BY embedding <=> q.vector LIMIT 3;
\echo '\n--- the same, reranked ---\n'
SELECT * FROM ask(:'question', 'en') LIMIT 3;

\echo '\n=== Another one, by vector distance ===\n'
\set question 'How can a disk be replaced in a software RAID?'
SELECT round((1 - (embedding <=> q.vector))::numeric, 3) AS score, array_to_string(heading_path, ' › ') AS heading, file AS source,
       left(regexp_replace(content, '\s+', ' ', 'g'), 140) || '…' AS passage
FROM passage JOIN page USING (page_id), (SELECT socle.embed_query(:'question', 'multilingual') AS vector) AS q
WHERE language = 'en' ORDER BY embedding <=> q.vector LIMIT 3;
\echo '\n--- the same, reranked ---\n'
SELECT * FROM ask(:'question', 'en') LIMIT 3;

\echo '\n=== The engine that did all this ===\n'
SELECT state, model_count, pg_size_pretty(memory_bytes) AS memory, text_count, token_count, batch_count,
       round(latency_p50_ms::numeric, 1) AS p50_ms, round(latency_p95_ms::numeric, 1) AS p95_ms FROM socle.engine_status;
