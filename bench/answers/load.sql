-- The documents of the demo as two corpora, English and French, for the measurement of answers. :documents is the
-- directory that pgrx-config/setup.sh documents prints.
\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS socle CASCADE;
SELECT name FROM socle.register_model('english', 'bge-small-en-v1.5');
SELECT name FROM socle.register_model('multilingual', 'use-multilingual-v3');
SELECT name FROM socle.register_model('reranker', 'ms-marco-minilm-l12-v2');
CREATE TABLE page (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, language text NOT NULL, file text NOT NULL, html text NOT NULL);
INSERT INTO page (language, file, html)
SELECT left(directory, 2), file,
       -- Without the bars of navigation that every page carries.
       regexp_replace(regexp_replace(html, '<ul class="docnav.*?</ul>', '', 'g'), '<div id="banner">.*?</div>', '', 'g')
FROM (VALUES ('en-US'), ('fr-FR')) AS d (directory), pg_ls_dir(:'documents' || '/' || directory) AS file,
     LATERAL pg_read_file(:'documents' || '/' || directory || '/' || file) AS html
ORDER BY directory, file;
CREATE TABLE page_en (LIKE page INCLUDING INDEXES);
INSERT INTO page_en SELECT * FROM page WHERE language = 'en';
CREATE TABLE page_fr (LIKE page INCLUDING INDEXES);
INSERT INTO page_fr SELECT * FROM page WHERE language = 'fr';
SELECT socle.create_corpus('english', 'page_en', '{html}', format => 'html', language => 'en', model => 'english', max_tokens => 200);
SELECT socle.create_corpus('french', 'page_fr', '{html}', format => 'html', language => 'fr', model => 'multilingual', max_tokens => 200);
CALL socle.sync_corpus('english');
CALL socle.sync_corpus('french');
CREATE TABLE question (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, language text, kind text, text text NOT NULL, reference text[]);
\copy question (language, kind, text, reference) FROM 'bench/answers/questions.tsv' WITH (NULL '')
CREATE VIEW asked_en AS SELECT text, reference FROM question WHERE language = 'en' AND kind = 'answer';
CREATE VIEW asked_fr AS SELECT text, reference FROM question WHERE language = 'fr' AND kind = 'answer';
CREATE VIEW off_topic_en AS SELECT text, reference FROM question WHERE language = 'en' AND kind = 'off_topic';
CREATE VIEW off_topic_fr AS SELECT text, reference FROM question WHERE language = 'fr' AND kind = 'off_topic';
CREATE VIEW near_miss_en AS SELECT text, reference FROM question WHERE language = 'en' AND kind = 'near_miss';
CREATE VIEW near_miss_fr AS SELECT text, reference FROM question WHERE language = 'fr' AND kind = 'near_miss';
CREATE VIEW all_en AS SELECT text, reference FROM question WHERE language = 'en';
CREATE VIEW all_fr AS SELECT text, reference FROM question WHERE language = 'fr';
