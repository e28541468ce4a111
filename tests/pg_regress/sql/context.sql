-- Passages for a question within a number of tokens: neighbours as one, nothing twice, the best one cut where it has to be.
CREATE TABLE manual (id int PRIMARY KEY, title text, body text);
INSERT INTO manual VALUES
    (1, 'Backups', E'# Restore\n\nStop the server before you restore a backup. Then unpack the archive into the data directory.\n\n'
        || E'## Logs\n\nReplay the write-ahead log from the archive. The server starts when the log ends.'),
    (2, 'Cats', 'Cats sleep for most of the day. They hunt at night.'),
    (3, 'Copy', 'Cats sleep for most of the day.  They hunt at night.'),
    (4, 'Coffee', 'Coffee is ready at eight.');
SELECT socle.create_corpus('manual', 'manual', '{body}', title => 'title', format => 'markdown', language => 'en',
                           model => 'minilm', max_tokens => 24);
CALL socle.sync_corpus('manual');
-- Two chunks of one document are one passage, and the copy of a text is left out.
SELECT number, source_key, p.title, heading_path, content, token_count,
       content = substr(body, start_offset, end_offset - start_offset) AS stands_there,
       content_sha256 = encode(sha256(convert_to(trim(regexp_replace(content, '\s+', ' ', 'g')), 'UTF8')), 'hex') AS hashed
FROM socle.context_passages('manual', 'restore a backup from the log, sleep of cats', 200) p JOIN manual ON id = (source_key->>'id')::int
ORDER BY number;
SELECT socle.context('manual', 'sleep of cats', 30);
-- What does not fit is left out; the best passage is cut at the end of a sentence, then of a word.
SELECT number, content, token_count FROM socle.context_passages('manual', 'how long do cats sleep', 17);
SELECT number, content, token_count FROM socle.context_passages('manual', 'how long do cats sleep', 12);
SELECT * FROM error_of($$SELECT socle.context('manual', 'how long do cats sleep', 3)$$);
-- In the order of the documents; counted in tokens of another model; in several corpora.
SELECT number, source_key, heading_path FROM socle.context_passages('manual', 'the log of the server', 500, 'document', mode => 'keyword');
SELECT sum(token_count) <= 40 AS fits FROM socle.context_passages('manual', 'cats', 40, token_model => 'multilingual');
SELECT count(DISTINCT source_key) FROM socle.context_passages(ARRAY['manual', 'manual'], 'cats and coffee', 100);
-- Options of the search.
SELECT source_key FROM socle.context_passages('manual', 'cats', 100, filter => '{"id": [3, 4]}', mode => 'keyword');
SELECT count(*) FROM socle.context_passages('manual', 'cats', passage_limit => 1);
SELECT source_key, rerank_score > 0 AS relevant FROM socle.context_passages('manual', 'how long do cats sleep', rerank_model => 'reranker', min_rerank => 0);
-- The default model of other functions is no cross-encoder.
SET socle.default_model = 'minilm';
SELECT count(*) FROM socle.context_passages('manual', 'coffee', mode => 'keyword');
RESET socle.default_model;
-- Nothing for NULL; what makes no sense is refused.
SELECT count(*), socle.context('manual', NULL) IS NULL AND socle.context(NULL::text, 'cats') IS NULL AS nothing FROM socle.context_passages(NULL::text[], 'cats');
SELECT socle.context('manual', 'unfindable', mode => 'keyword') IS NULL AS nothing;
SELECT code, message, hint FROM unnest(ARRAY[
    $$SELECT socle.context('manual', ' ')$$,
    $$SELECT socle.context('manual', 'cats', 0)$$,
    $$SELECT socle.context('manual', 'cats', passage_order => 'random')$$,
    $$SELECT socle.context('manual', 'cats', token_model => 'nowhere')$$,
    $$SELECT socle.context('manual', 'cats', mode => 'telepathy')$$,
    $$SELECT socle.context('manual', 'cats', passage_limit => 101)$$,
    $$SELECT socle.context('manual', 'cats', min_rerank => 1)$$,
    $$SELECT socle.context('nowhere', 'cats')$$]) AS sql, error_of(sql);
-- A mail of 52 kB is searched for as far as the models read it.
SELECT count(*) > 0 AS found FROM socle.context_passages('manual', repeat('how long do cats sleep ', 2300));
SELECT count(*) > 0 AS found FROM socle.context_passages('manual', repeat('how long do cats sleep ', 2300), rerank_model => 'reranker');
SELECT socle.drop_corpus('manual');
DROP TABLE manual;
