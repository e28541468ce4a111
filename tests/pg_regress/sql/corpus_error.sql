-- What cannot be a corpus, or cannot become of one, is refused at once, and nothing is left behind.
CREATE TABLE article (id integer PRIMARY KEY, title text, body text, number integer);
CREATE TABLE no_key (id integer, body text);
CREATE TABLE odd_key (id integer[] PRIMARY KEY, body text);
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN weather AS mood;
CREATE TABLE enum_key (id weather PRIMARY KEY, body text);
CREATE TABLE taken_chunk (id integer);
CREATE VIEW a_view AS SELECT * FROM article;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM article;
CREATE TEMP TABLE a_temp (id integer PRIMARY KEY, body text);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE a_foreign (id integer, body text) SERVER nowhere;
CREATE ROLE regress_socle_other;
GRANT CREATE, USAGE ON SCHEMA public TO regress_socle_other;
CREATE TABLE forced (id integer PRIMARY KEY, body text);
ALTER TABLE forced OWNER TO regress_socle_other;
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE FUNCTION refused(arguments text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE sql
AS $$ SELECT * FROM error_of(format('SELECT socle.create_corpus(%s)', arguments)) $$;
SET socle.default_model = 'minilm';

-- Names.
SELECT * FROM refused($$NULL, 'article', '{body}'$$);
SELECT * FROM refused($$'', 'article', '{body}'$$);
SELECT * FROM refused($$repeat('n', 44), 'article', '{body}'$$);
SELECT * FROM refused($$'{a,b}', 'article', '{body}'$$);
SELECT * FROM refused($$'taken', 'article', '{body}'$$);
-- Sources.
SELECT * FROM refused($$'c', NULL, '{body}'$$);
SELECT * FROM refused($$'c', 'nope', '{body}'$$);
SELECT * FROM refused($$'c', 'no_key', '{body}'$$);
SELECT * FROM refused($$'c', 'odd_key', '{body}'$$);
SELECT * FROM refused($$'c', 'enum_key', '{body}'$$);
SELECT * FROM refused($$'c', 'a_view', '{body}'$$);
SELECT * FROM refused($$'c', 'a_matview', '{body}'$$);
SELECT * FROM refused($$'c', 'a_temp', '{body}'$$);
SELECT * FROM refused($$'c', 'a_foreign', '{body}'$$);
SELECT * FROM refused($$'c', 'article_pkey', '{body}'$$);
SELECT * FROM refused($$'c', 'pg_class', '{relname}'$$);
SELECT * FROM refused($$'c', 'forced', '{body}'$$);
-- Columns and templates.
SELECT * FROM refused($$'c', 'article', NULL$$);
SELECT * FROM refused($$'c', 'article', '{}'$$);
SELECT * FROM refused($$'c', 'article', '{nope}'$$);
SELECT * FROM refused($$'c', 'article', '{number}'$$);
SELECT * FROM refused($$'c', 'article', '{body,body}'$$);
SELECT * FROM refused($$'c', 'article', '{body}', title => 'nope'$$);
SELECT * FROM refused($$'c', 'article', '{body}', title => 'number'$$);
SELECT * FROM refused($$'c', 'article', '{body}', template => '{nope}: {content}'$$);
SELECT * FROM refused($$'c', 'article', '{body}', template => '{content} and more'$$);
SELECT * FROM refused($$'c', 'article', '{body}', template => '{title: {content}'$$);
SELECT * FROM refused($$'c', 'article', '{body}', language => 'klingon'$$);
SELECT * FROM refused($$'c', 'article', '{body}', language_column => 'number'$$);
-- Models and chunks.
SELECT code, message FROM refused($$'c', 'article', '{body}', model => 'nope'$$);
SELECT * FROM refused($$'c', 'article', '{body}', model => 'reranker'$$);
SELECT * FROM refused($$'c', 'article', '{body}', max_tokens => 0$$);
SELECT * FROM refused($$'c', 'article', '{body}', max_tokens => 257$$);
SELECT * FROM refused($$'c', 'article', '{body}', overlap_tokens => -1$$);
SELECT * FROM refused($$'c', 'article', '{body}', max_tokens => 50, overlap_tokens => 50$$);
SELECT * FROM refused($$'c', 'article', '{body}', format => 'pdf'$$);
-- The rest.
SELECT * FROM refused($$'c', 'article', '{body}', chunk_schema => 'nope'$$);
SELECT * FROM refused($$'c', 'article', '{body}', max_attempts => 0$$);
SELECT * FROM refused($$'c', 'article', '{body}', hnsw_m => 101$$);
SELECT * FROM refused($$'c', 'article', '{body}', hnsw_m => 50, hnsw_ef_construction => 60$$);
SELECT * FROM error_of($$SET TRANSACTION READ ONLY; SELECT socle.create_corpus('c', 'article', '{body}')$$);
RESET socle.default_model;
SELECT * FROM refused($$'c', 'article', '{body}'$$);
SET ROLE regress_socle_other;
SELECT * FROM refused($$'c', 'article', '{body}', model => 'minilm'$$);
RESET ROLE;
SELECT count(*) AS left_behind FROM pg_class WHERE relname ~ '_(chunk|change|document)$' AND relname <> 'taken_chunk' AND relnamespace <> 'socle'::regnamespace;

-- There is no such corpus: the same error everywhere.
SELECT DISTINCT e.*
FROM unnest(ARRAY[$$alter_corpus('c')$$, $$drop_corpus('c')$$, $$pause_corpus('c')$$, $$resume_corpus('c')$$, $$retry_failed('c')$$,
                  $$wait_for_corpus('c')$$, $$verify_corpus('c')$$]) AS f (call), error_of('SELECT socle.' || f.call) AS e;

-- With a corpus that exists.
SELECT socle.create_corpus('handbook', 'article', '{body}', title => 'title', model => 'minilm');
SELECT socle.wait_for_corpus('handbook', '60 s');
SELECT * FROM refused($$'handbook', 'article', '{title}', model => 'minilm'$$);
SELECT socle.create_corpus('handbook', 'article', '{title}', model => 'minilm', if_not_exists => true);
CREATE FUNCTION unaltered(arguments text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE sql
AS $$ SELECT * FROM error_of(format('SELECT socle.alter_corpus(%s)', arguments)) $$;
SELECT * FROM unaltered($$'c', max_tokens => 10$$);
SELECT * FROM unaltered($$'handbook', title => 'nope'$$);
SELECT * FROM unaltered($$'handbook', title => 'number'$$);
SELECT * FROM unaltered($$'handbook', template => '{nope}: {content}'$$);
SELECT * FROM unaltered($$'handbook', template => 'content'$$);
SELECT code, message FROM unaltered($$'handbook', model => 'nope'$$);
SELECT * FROM unaltered($$'handbook', model => 'reranker'$$);
SELECT * FROM unaltered($$'handbook', max_tokens => 0$$);
SELECT * FROM unaltered($$'handbook', max_tokens => 257$$);
SELECT * FROM unaltered($$'handbook', max_tokens => 20, overlap_tokens => 20$$);
SELECT * FROM unaltered($$'handbook', overlap_tokens => -1$$);
SELECT * FROM unaltered($$'handbook', format => 'pdf'$$);
SELECT * FROM unaltered($$'handbook', max_attempts => 0$$);
SELECT * FROM unaltered($$'handbook', hnsw_m => 101$$);
SELECT * FROM unaltered($$'handbook', hnsw_m => 40, hnsw_ef_construction => 79$$);
SELECT name, replaces FROM socle.corpus;
-- Corpora one after another.
BEGIN;
SELECT socle.alter_corpus('handbook', max_tokens => 10);
SELECT * FROM unaltered($$'handbook', max_tokens => 20$$);
SELECT * FROM unaltered($$'handbook~next', max_tokens => 20$$);
ROLLBACK;
-- What could not be carried over is named.
CREATE VIEW named AS SELECT content FROM handbook_chunk;
SELECT * FROM unaltered($$'handbook', max_tokens => 10$$);
DROP VIEW named;
SELECT * FROM error_of($$SELECT socle.wait_for_corpus('handbook', '-1 s')$$);
-- Roles that do not own the corpus.
SET ROLE regress_socle_other;
SELECT f.call, e.*
FROM unnest(ARRAY[$$alter_corpus('handbook')$$, $$drop_corpus('handbook')$$, $$pause_corpus('handbook')$$, $$resume_corpus('handbook')$$,
                  $$retry_failed('handbook')$$, $$verify_corpus('handbook')$$, $$wait_for_corpus('handbook')$$]) AS f (call),
     error_of('SELECT socle.' || f.call) AS e;
RESET ROLE;
SELECT socle.drop_corpus('handbook');
DROP FUNCTION refused, unaltered;
DROP TABLE article, no_key, odd_key, enum_key, taken_chunk, a_temp, forced CASCADE;
DROP TYPE mood CASCADE;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
REVOKE ALL ON SCHEMA public FROM regress_socle_other;
DROP ROLE regress_socle_other;
