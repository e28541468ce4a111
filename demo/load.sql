-- Loads the documents: from files to passages with vectors and an index, all by SQL.
\set ON_ERROR_STOP on
\set ECHO queries
\pset footer off
\timing on

\echo '\n=== The extension, and the models it is to know ===\n'
CREATE EXTENSION IF NOT EXISTS socle CASCADE;
SELECT name, kind, dimensions, max_tokens FROM socle.register_model('multilingual', 'use-multilingual-v3', license => 'Apache-2.0');
SELECT name, kind, dimensions, max_tokens FROM socle.register_model('english', 'bge-small-en-v1.5', license => 'MIT');
SELECT name, kind, dimensions, max_tokens FROM socle.register_model('reranker', 'ms-marco-minilm-l12-v2', license => 'Apache-2.0');
SELECT name, kind, dimensions, max_tokens FROM socle.register_model('colbert', 'answerai-colbert-small-v1', license => 'Apache-2.0');

\echo '\n=== The documents: the Debian Administrator''s Handbook, as a server file each ===\n'
CREATE TABLE page (
    page_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    language text NOT NULL,
    file text NOT NULL,
    html text NOT NULL
);
INSERT INTO page (language, file, html)
SELECT split_part(directory, '-', 1), file,
       -- Without the bars of navigation that every page carries.
       regexp_replace(regexp_replace(pg_read_file(:'documents' || '/' || directory || '/' || file),
                                     '<ul class="docnav.*?</ul>', '', 'g'), '<div id="banner">.*?</div>', '', 'g')
FROM (VALUES ('en-US'), ('fr-FR')) AS d (directory), pg_ls_dir(:'documents' || '/' || directory) AS file
ORDER BY directory, file;
SELECT language, count(*) AS pages, pg_size_pretty(sum(length(html))) AS markup FROM page GROUP BY language;

\echo '\n=== Chunks of at most 160 tokens of the model, each under its headings ===\n'
CREATE TABLE passage (
    passage_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    page_id int NOT NULL REFERENCES page,
    heading_path text[] NOT NULL,
    content text NOT NULL,
    start_offset int NOT NULL,
    end_offset int NOT NULL,
    embedding vector(512)
);
INSERT INTO passage (page_id, heading_path, content, start_offset, end_offset)
SELECT p.page_id, c.heading_path, c.content, c.start_offset, c.end_offset
FROM page p, socle.chunk(p.html, max_tokens => 160, format => 'html', model => 'multilingual') AS c;
SELECT language, count(*) AS passages, round(avg(length(content))) AS characters_each
FROM passage JOIN page USING (page_id) GROUP BY language;

\echo '\n=== Their vectors, and an index over them ===\n'
UPDATE passage SET embedding = e.embedding
FROM (SELECT unnest(array_agg(passage_id)) AS passage_id,
             unnest(socle.embed(array_agg(content), 'multilingual')) AS embedding
      FROM passage) AS e
WHERE passage.passage_id = e.passage_id;
CREATE INDEX ON passage USING hnsw (embedding vector_cosine_ops);
ANALYZE passage;

-- The twenty passages nearest in meaning, then in the order of the cross-encoder.
CREATE FUNCTION ask(question text, passages_language text)
RETURNS TABLE (rank bigint, score real, rank_before bigint, heading text, source text, passage text)
LANGUAGE sql STABLE AS $$
    WITH candidate AS (
        SELECT row_number() OVER () AS before, c.* FROM (
            SELECT p.heading_path, g.file, p.content
            FROM passage p JOIN page g USING (page_id) WHERE g.language = passages_language
            ORDER BY p.embedding <=> (SELECT socle.embed_query(question, 'multilingual')) LIMIT 20) AS c)
    SELECT row_number() OVER (ORDER BY r.score DESC), r.score, c.before,
           array_to_string(c.heading_path, ' › '), c.file, left(regexp_replace(c.content, '\s+', ' ', 'g'), 140) || '…'
    FROM socle.rerank(question, (SELECT array_agg(content ORDER BY before) FROM candidate), 'reranker') AS r
    JOIN candidate c ON c.before = r.ordinal
$$;
