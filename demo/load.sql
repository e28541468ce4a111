-- What the demo works with: models, a table of files, a corpus, a reader, questions with known answers. Each statement
-- does only what is still missing, so that a demo that was broken off continues, and another run finds everything done.
-- Expects the variables "handbook" and "papers": the directories of the handbook and of the PDF files.
\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null
SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS socle CASCADE;
ALTER EXTENSION socle UPDATE;

SELECT socle.register_model('multilingual', 'use-multilingual-v3', license => 'Apache-2.0')
WHERE NOT EXISTS (SELECT FROM socle.model WHERE name = 'multilingual');
SELECT socle.register_model('reranker', 'ms-marco-minilm-l12-v2', license => 'Apache-2.0')
WHERE NOT EXISTS (SELECT FROM socle.model WHERE name = 'reranker');

-- For sessions that begin from now on, such as those of "make psql".
ALTER DATABASE :"DBNAME" SET socle.default_model = 'multilingual';
ALTER DATABASE :"DBNAME" SET socle.default_rerank_model = 'reranker';
SET socle.default_model = 'multilingual';

CREATE TABLE IF NOT EXISTS file (
    file_name text PRIMARY KEY,
    modified_at timestamptz,
    content_hash bytea,
    media_type text,
    data bytea,
    title text,
    language text GENERATED ALWAYS AS (
        CASE substring(file_name FROM '/(en|fr|de)(?:-[A-Z]{2})?/') WHEN 'en' THEN 'english' WHEN 'fr' THEN 'french' WHEN 'de' THEN 'german' END) STORED,
    confidential boolean NOT NULL GENERATED ALWAYS AS (file_name LIKE '%/confidential/%') STORED
);

SELECT set_config('socle.import_directories', concat_ws(', ', :'handbook', :'papers'), false);
-- Two fifths of the handbook, so that loading takes seconds. '*-*/*.html' is all of it.
CALL socle.import_directory('file', :'handbook', '*-*/sect.[b-fp-t]*.html');
CALL socle.import_directory('file', :'handbook', '*-*/advanced-administration.html');
CALL socle.import_directory('file', :'papers', '**/*.pdf');
UPDATE file SET title = socle.document_metadata(data, media_type, file_name) ->> 'title' WHERE title IS NULL;

-- Everybody may read what is not confidential. That holds for the chunks, too, without another word.
ALTER TABLE file ENABLE ROW LEVEL SECURITY;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'file'::regclass) THEN
        CREATE POLICY not_confidential ON file FOR SELECT USING (NOT confidential);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'demo_reader') THEN
        CREATE ROLE demo_reader;
    END IF;
END
$$;

SELECT socle.create_corpus('handbook', source => 'file', document => 'data', media_type => 'media_type', file_name => 'file_name',
    title => 'title', language_column => 'language', max_tokens => 100, if_not_exists => true);
GRANT SELECT ON file, handbook_chunk TO demo_reader;

-- Questions, and the pages that answer them.
CREATE TABLE IF NOT EXISTS question (id int PRIMARY KEY, content text NOT NULL);
CREATE TABLE IF NOT EXISTS judgment (question_id int, file_name text, grade int, PRIMARY KEY (question_id, file_name));
INSERT INTO question VALUES
    (1, 'Comment sauvegarder un serveur et restaurer ses données ?'),
    (2, 'Comment configurer un pare-feu ?'),
    (3, 'How can a disk be replaced in a software RAID?'),
    (4, 'How do I run a command every night?'),
    (5, 'Que faire si une machine est piratée ?'),
    (6, 'How do I upgrade to the next release?'),
    (7, 'Comment ajouter un utilisateur ?'),
    (8, 'How do I set up a DHCP server?'),
    (9, 'Comment accéder à une machine à distance ?'),
    (10, 'How to save laptop battery?')
ON CONFLICT DO NOTHING;
INSERT INTO judgment
SELECT j.id, f.file_name, 1
FROM (VALUES
    (1, 'fr-FR/sect.backup.html'), (2, 'fr-FR/sect.firewall-packet-filtering.html'), (3, 'en-US/advanced-administration.html'),
    (4, 'en-US/sect.task-scheduling-cron-atd.html'), (5, 'fr-FR/sect.dealing-with-compromised-machine.html'),
    (6, 'en-US/sect.dist-upgrade.html'), (7, 'fr-FR/sect.creating-accounts.html'), (8, 'en-US/sect.dhcp.html'),
    (9, 'fr-FR/sect.remote-login.html'), (10, 'en-US/sect.power-management.html')) AS j (id, page)
JOIN file f ON f.file_name LIKE '%/' || j.page
ON CONFLICT DO NOTHING;
