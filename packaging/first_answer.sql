-- What packaging/test.sh does with packages that were just installed. Each statement fails or returns what is expected.
CREATE EXTENSION socle CASCADE;
SELECT name FROM socle.register_model('multilingual', 'use-multilingual-v3', license => 'Apache-2.0');
CREATE TABLE handbook (id int PRIMARY KEY, title text, body text NOT NULL);
INSERT INTO handbook VALUES
    (1, 'Backup', 'To restore a backup, stop the server and copy the base backup into the data directory.'),
    (2, 'Sauvegarde', 'Pour restaurer une sauvegarde, arrêtez le serveur.'),
    (3, 'Cats', 'Cats sleep for most of the day.');
SELECT socle.create_corpus('handbook', 'handbook', ARRAY['body'], 'title', model => 'multilingual');
SELECT socle.wait_for_corpus('handbook', '2 minutes');
DO $$
DECLARE titles text;
BEGIN
    SELECT string_agg(title, ', ' ORDER BY title) INTO STRICT titles
    FROM socle.search('handbook', 'Comment restaurer une sauvegarde ?', 2);
    IF titles <> 'Backup, Sauvegarde' THEN
        RAISE 'found % instead of the documents about backups', titles;
    END IF;
    PERFORM FROM socle.engine_status WHERE state = 'running' AND network LIKE 'closed%';
    IF NOT FOUND THEN
        RAISE 'the engine is not running without network';
    END IF;
END
$$;
SELECT answer FROM socle.answer('handbook', 'How do I restore a backup?');
SELECT name FROM socle.register_generator('smol', 'smollm2-135m-instruct/model.gguf', license => 'Apache-2.0');
SELECT length(socle.generate('Say hello.', 'smol', max_tokens => 8)) > 0 AS has_text;
