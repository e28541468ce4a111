-- A corpus from its creation to its end: what it consists of, what it shows of itself, who may see what.
CREATE ROLE regress_socle_author;
CREATE ROLE regress_socle_reader;
CREATE SCHEMA library AUTHORIZATION regress_socle_author;
CREATE SCHEMA shelf AUTHORIZATION regress_socle_author;
GRANT USAGE ON SCHEMA library, shelf TO regress_socle_reader;
SET ROLE regress_socle_author;
CREATE TABLE library.article (lang text COLLATE "C", number bigint, title varchar(100), summary text, body text, PRIMARY KEY (number, lang));
INSERT INTO library.article VALUES ('fr', 1, 'Sauvegardes', NULL, 'Avant de restaurer une sauvegarde, arrêtez le serveur.'),
    ('de', 1, 'Sicherungen', 'Kurz gesagt: anhalten.', 'Vor dem Einspielen einer Sicherung wird der Server angehalten.'),
    ('pl', 2, 'Puste', '', '  '), ('en', 3, NULL, NULL, NULL);
SELECT socle.create_corpus('handbook', 'library.article', ARRAY['summary', 'body'], title => 'title', model => 'multilingual', chunk_schema => 'shelf');
SELECT socle.wait_for_corpus('handbook', '60 s');
SELECT source_number, source_lang, ordinal, content, start_offset, end_offset, token_count > 0 AS counted, vector_dims(embedding)
FROM shelf.handbook_chunk ORDER BY 1, 2, 3;
-- What was asked for and what was filled in.
SELECT source_schema, source_table, key_columns, chunk_key_columns, content_columns, title_column, template, template_columns,
       chunk_schema, chunk_table, model, dimensions, max_tokens, overlap_tokens, format, max_attempts, hnsw_m, hnsw_ef_construction
FROM socle.corpus;
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, collname, attstorage AS storage, col_description(attrelid, attnum) AS description
FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation AND collname <> 'default'
WHERE attrelid = 'shelf.handbook_chunk'::regclass AND attnum > 0 ORDER BY attnum;
SELECT relname, relowner::regrole, relrowsecurity, regexp_replace(obj_description(oid), '[0-9a-f]{64}', '…') AS description
FROM pg_class WHERE relnamespace = 'shelf'::regnamespace AND relkind = 'r' ORDER BY 1;
SELECT tgname, tgenabled, tgtype & 1 = 1 AS for_each_row FROM pg_trigger WHERE tgrelid = 'library.article'::regclass AND NOT tgisinternal ORDER BY 1;

-- Once the vector index is there.
DO $$ BEGIN
    FOR i IN 1 .. 6000 LOOP
        EXIT WHEN EXISTS (SELECT FROM socle.corpus_status WHERE state = 'active');
        PERFORM pg_sleep(0.01);
        COMMIT;
    END LOOP;
END $$;
SELECT indexname, indexdef ~ 'USING hnsw' AS hnsw FROM pg_indexes WHERE schemaname = 'shelf' AND tablename = 'handbook_chunk' ORDER BY 1;
\x
SELECT name, state, state_reason, source, chunk_table, model, model_digest = (SELECT digest FROM socle.model WHERE name = 'multilingual') AS same_digest,
       document_count, chunk_count, pending_count, failed_count, lag, embedded_count, reused_count, documents_per_second > 0 AS has_rate,
       estimated_completion_at, worked_at <= now() AS has_worked
FROM socle.corpus_status;
-- Paused, with pending changes.
SELECT socle.pause_corpus('handbook');
INSERT INTO library.article VALUES ('en', 4, 'New', NULL, 'Something new.');
DELETE FROM library.article WHERE lang = 'pl';
SELECT state, state_reason, document_count, chunk_count, pending_count, lag > '0' AS has_lag, estimated_completion_at > now() AS has_estimate
FROM socle.corpus_status;
\x
SELECT socle.wait_for_corpus('handbook', '60 s');
SELECT * FROM socle.verify_corpus('handbook');
SELECT socle.retry_failed('handbook');
SELECT socle.resume_corpus('handbook');
SELECT socle.wait_for_corpus('handbook', '60 s');
SELECT document_count, chunk_count, pending_count, embedded_count FROM socle.corpus_status;
SELECT * FROM socle.job_failure;
SELECT * FROM socle.worker_status LIMIT 0;

-- Other roles see that the corpus exists, and what they have the privileges for.
RESET ROLE;
SET ROLE regress_socle_reader;
SELECT name, state, document_count, chunk_count, pending_count, failed_count, lag FROM socle.corpus_status;
SELECT relation, privilege, has_table_privilege(relation, privilege) AS allowed
FROM unnest(ARRAY['socle.corpus', 'socle.corpus_binding', 'shelf.handbook_chunk', 'shelf.handbook_change', 'shelf.handbook_document']) AS r (relation),
     unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
WHERE has_table_privilege(relation, privilege);
SELECT code, message FROM error_of($$SELECT content FROM shelf.handbook_chunk$$);
RESET ROLE;
GRANT SELECT ON shelf.handbook_chunk TO regress_socle_reader;
SET ROLE regress_socle_reader;
SELECT code, message FROM error_of($$SELECT content FROM shelf.handbook_chunk$$);
SELECT socle.wait_for_corpus('handbook', '60 s');
RESET ROLE;
GRANT SELECT ON library.article, shelf.handbook_change, shelf.handbook_document TO regress_socle_reader;
SET ROLE regress_socle_reader;
SELECT count(*) FROM shelf.handbook_chunk;
SELECT document_count, chunk_count, pending_count, failed_count FROM socle.corpus_status;
RESET ROLE;

-- The chunks may stay.
SET ROLE regress_socle_author;
SELECT socle.drop_corpus('handbook', keep_chunks => true);
SELECT count(*) FROM shelf.handbook_chunk;
SELECT count(*) FROM socle.corpus_status;
SELECT relname FROM pg_class WHERE relnamespace = 'shelf'::regnamespace AND relkind = 'r';
RESET ROLE;
DROP SCHEMA library, shelf CASCADE;
DROP ROLE regress_socle_author, regress_socle_reader;
