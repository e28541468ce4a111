-- From 0.1.0 to 0.2.0. What sql/schema creates anew, an existing installation gets here; a test compares both.
\echo Use "ALTER EXTENSION socle UPDATE" to load this file. \quit

-- Views before tables, as those lock who read them. LOCK TABLE would lock the tables of each view with it; none of the views
-- has the option that is reset.
ALTER VIEW socle.engine_status RESET (security_barrier);
ALTER VIEW socle.model_status RESET (security_barrier);
ALTER VIEW socle.corpus_status RESET (security_barrier);
ALTER VIEW socle.job_failure RESET (security_barrier);
ALTER VIEW socle.worker_status RESET (security_barrier);

-- All at once and in the order in which triggers and workers take them, so that nobody waits for another who waits.
LOCK TABLE socle.corpus, socle.corpus_binding, socle.keyword_file, socle.model IN ACCESS EXCLUSIVE MODE;

-- What socle alone calls has a schema of its own, so that a list of the functions of socle shows those for users. Triggers of
-- sources name socle._capture_change, also in dumps of 0.1.0.
CREATE SCHEMA socle_internal;
COMMENT ON SCHEMA socle_internal IS 'functions that socle itself calls';
GRANT USAGE ON SCHEMA socle_internal TO PUBLIC;
ALTER FUNCTION socle._follow_ddl() RENAME TO follow_ddl;
ALTER FUNCTION socle.follow_ddl() SET SCHEMA socle_internal;
ALTER FUNCTION socle._follow_drop() RENAME TO follow_drop;
ALTER FUNCTION socle.follow_drop() SET SCHEMA socle_internal;
ALTER FUNCTION socle._column_numbers(oid, text[]) RENAME TO column_numbers;
ALTER FUNCTION socle.column_numbers(oid, text[]) SET SCHEMA socle_internal;
ALTER FUNCTION socle._column_names(oid, smallint[]) RENAME TO column_names;
ALTER FUNCTION socle.column_names(oid, smallint[]) SET SCHEMA socle_internal;
ALTER FUNCTION socle._corpus_report() RENAME TO corpus_report;
ALTER FUNCTION socle.corpus_report() SET SCHEMA socle_internal;
ALTER FUNCTION socle._failure_report() RENAME TO failure_report;
ALTER FUNCTION socle.failure_report() SET SCHEMA socle_internal;
ALTER FUNCTION socle._check_installation() RENAME TO check_installation;
ALTER FUNCTION socle.check_installation() SET SCHEMA socle_internal;

-- Names.
ALTER TABLE socle.corpus_binding RENAME COLUMN keyword_gap TO keyword_missing_count;
ALTER TABLE socle.corpus_binding RENAME COLUMN keyword_dead TO keyword_deleted_count;
ALTER TABLE socle.keyword_file RENAME TO keyword_segment_part;
ALTER TABLE socle.keyword_segment_part RENAME CONSTRAINT keyword_file_corpus_fkey TO keyword_segment_part_corpus_fkey;
ALTER TABLE socle.keyword_segment_part
    RENAME CONSTRAINT keyword_file_corpus_digest_part_number_key TO keyword_segment_part_corpus_digest_part_number_key;

-- Documents: characters that a font does not tell are counted, and what is incomplete is said.
COMMENT ON FUNCTION socle.document_metadata(bytea, text, text) IS
    'what a file says about itself: media_type, title, author, language, created, modified, page_count, pages_without_text, unknown_characters, incomplete';

-- Search: stale documents, and a log that is never read as a whole.
DROP FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean);
DROP FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean);
DROP FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, bigint);
DROP FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, bigint);

CREATE FUNCTION socle.search(
    corpus text,
    query text,
    result_limit integer DEFAULT 10,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    fusion text DEFAULT 'adaptive',
    keyword_weight double precision DEFAULT NULL,
    candidate_count integer DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    rerank_weight double precision DEFAULT NULL,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit',
    query_syntax text DEFAULT 'natural',
    result_offset integer DEFAULT 0,
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    snippet_length integer DEFAULT 300,
    boost jsonb DEFAULT NULL,
    group_by text DEFAULT NULL,
    group_size integer DEFAULT 1,
    count_total boolean DEFAULT false,
    marks text[] DEFAULT '{<mark>,</mark>}',
    snippet_by text DEFAULT 'words',
    title_weight real DEFAULT 3,
    heading_weight real DEFAULT 3,
    fields text[] DEFAULT NULL
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    highlighted text, start_offset integer, end_offset integer, score double precision,
    vector_rank integer, vector_score double precision, keyword_rank integer, keyword_score double precision,
    rerank_score double precision, fresh_at timestamp with time zone, stale boolean, snippet text,
    total_count bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'search_wrapper';
COMMENT ON FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[]) IS
    'the best passages of a corpus for a query, by meaning and by words, among those that the caller may see';
GRANT EXECUTE ON FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[]) TO PUBLIC;

CREATE FUNCTION socle.search(
    corpora text[],
    query text,
    result_limit integer DEFAULT 10,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    fusion text DEFAULT 'adaptive',
    keyword_weight double precision DEFAULT NULL,
    candidate_count integer DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    rerank_weight double precision DEFAULT NULL,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit',
    query_syntax text DEFAULT 'natural',
    result_offset integer DEFAULT 0,
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    snippet_length integer DEFAULT 300,
    boost jsonb DEFAULT NULL,
    group_by text DEFAULT NULL,
    group_size integer DEFAULT 1,
    count_total boolean DEFAULT false,
    marks text[] DEFAULT '{<mark>,</mark>}',
    snippet_by text DEFAULT 'words',
    title_weight real DEFAULT 3,
    heading_weight real DEFAULT 3,
    fields text[] DEFAULT NULL
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    highlighted text, start_offset integer, end_offset integer, score double precision,
    vector_rank integer, vector_score double precision, keyword_rank integer, keyword_score double precision,
    rerank_score double precision, fresh_at timestamp with time zone, stale boolean, snippet text,
    total_count bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'search_many_wrapper';
COMMENT ON FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[]) IS
    'the same over several corpora, each ranked separately';
GRANT EXECUTE ON FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[]) TO PUBLIC;

CREATE FUNCTION socle.explain_search(
    corpus text,
    query text,
    result_limit integer DEFAULT 10,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    fusion text DEFAULT 'adaptive',
    keyword_weight double precision DEFAULT NULL,
    candidate_count integer DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    rerank_weight double precision DEFAULT NULL,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit',
    query_syntax text DEFAULT 'natural',
    result_offset integer DEFAULT 0,
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    snippet_length integer DEFAULT 300,
    boost jsonb DEFAULT NULL,
    group_by text DEFAULT NULL,
    group_size integer DEFAULT 1,
    count_total boolean DEFAULT false,
    marks text[] DEFAULT '{<mark>,</mark>}',
    snippet_by text DEFAULT 'words',
    title_weight real DEFAULT 3,
    heading_weight real DEFAULT 3,
    fields text[] DEFAULT NULL,
    chunk_id bigint DEFAULT NULL
) RETURNS TABLE (step text, milliseconds double precision, detail text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_search_wrapper';
COMMENT ON FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[], bigint) IS
    'what socle.search does for the same arguments, step by step, and at which step one chunk is kept or dropped';
GRANT EXECUTE ON FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[], bigint) TO PUBLIC;

CREATE FUNCTION socle.explain_search(
    corpora text[],
    query text,
    result_limit integer DEFAULT 10,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    fusion text DEFAULT 'adaptive',
    keyword_weight double precision DEFAULT NULL,
    candidate_count integer DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    rerank_weight double precision DEFAULT NULL,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit',
    query_syntax text DEFAULT 'natural',
    result_offset integer DEFAULT 0,
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    snippet_length integer DEFAULT 300,
    boost jsonb DEFAULT NULL,
    group_by text DEFAULT NULL,
    group_size integer DEFAULT 1,
    count_total boolean DEFAULT false,
    marks text[] DEFAULT '{<mark>,</mark>}',
    snippet_by text DEFAULT 'words',
    title_weight real DEFAULT 3,
    heading_weight real DEFAULT 3,
    fields text[] DEFAULT NULL,
    chunk_id bigint DEFAULT NULL
) RETURNS TABLE (step text, milliseconds double precision, detail text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_search_many_wrapper';
COMMENT ON FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[], bigint) IS
    'the same over several corpora, each step by corpus';
GRANT EXECUTE ON FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, text, integer, double precision, double precision, integer, jsonb, text, integer, boolean, text[], text, real, real, text[], bigint) TO PUBLIC;

DO $$
DECLARE
    log record;
BEGIN
    FOR log IN
        SELECT n.nspname, r.relname, c.chunk_key_columns[1] AS first_key
        FROM socle.corpus_binding b
        JOIN socle.corpus c ON c.name OPERATOR(pg_catalog.=) b.corpus
        JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) b.change
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) r.relnamespace
    LOOP
        EXECUTE pg_catalog.format('CREATE INDEX ON %I.%I (xid) WHERE batch_1 IS NOT NULL', log.nspname, log.relname);
        EXECUTE pg_catalog.format('CREATE INDEX ON %I.%I (change_id) WHERE batch_1 IS NULL AND %I IS NULL',
                                  log.nspname, log.relname, log.first_key);
    END LOOP;
END $$;

-- What texts of files were extracted with, of which nothing is known for those that are there.
DO $$
DECLARE
    chunk record;
BEGIN
    FOR chunk IN
        SELECT n.nspname, r.relname
        FROM socle.corpus_binding b
        JOIN socle.corpus c ON c.name OPERATOR(pg_catalog.=) b.corpus
        JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) b.chunk
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) r.relnamespace
        WHERE c.content_roles[1] OPERATOR(pg_catalog.<>) 'text'
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %I.%I ADD COLUMN IF NOT EXISTS extractor pg_catalog.text', chunk.nspname, chunk.relname);
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %I.%I.extractor IS %L', chunk.nspname, chunk.relname,
                                  'what the text was extracted from the file with: version of the extraction, and the digest of the model that recognised it in a picture; NULL: it is not known');
    END LOOP;
END $$;

-- Names as PostgreSQL has cut them.
UPDATE socle.corpus SET chunk_key_columns = chunk_key_columns::pg_catalog.name[]::pg_catalog.text[];

-- Monitoring: what those see who watch the server, numbers where there were none, and the engine's version and troubles.
CREATE OR REPLACE VIEW socle.engine_status AS
SELECT e.state,
       e.pid,
       pg_catalog.to_timestamp(e.started_at) AS started_at,
       e.restart_count,
       e.onnxruntime_version,
       e.thread_count,
       e.memory_bytes,
       e.memory_limit_bytes,
       pg_catalog.jsonb_array_length(e.models) AS model_count,
       e.connection_count,
       e.interactive_queue,
       e.bulk_queue,
       e.request_count,
       e.batch_count,
       e.text_count,
       e.token_count,
       e.tokens_per_second,
       e.latency_p50_ms,
       e.latency_p95_ms,
       e.network,
       e.files,
       e.version,
       e.state_reason,
       e.oom_policy
FROM pg_catalog.jsonb_to_record(socle.engine_report()) AS e (
    state text, pid integer, started_at double precision, restart_count integer, onnxruntime_version text,
    thread_count integer, memory_bytes bigint, memory_limit_bytes bigint, models jsonb, connection_count integer,
    interactive_queue integer, bulk_queue integer, request_count bigint, batch_count bigint, text_count bigint,
    token_count bigint, tokens_per_second double precision, latency_p50_ms double precision,
    latency_p95_ms double precision, network text, files text, version text, state_reason text,
    oom_policy text);
CREATE OR REPLACE VIEW socle.model_status AS
SELECT m.name,
       m.kind,
       m.dimensions,
       m.max_tokens,
       m.license,
       m.digest,
       m.registered_at,
       (l.digest IS NOT NULL) AS loaded,
       coalesce(l.memory_bytes, 0) AS memory_bytes,
       pg_catalog.to_timestamp(l.loaded_at) AS loaded_at,
       pg_catalog.to_timestamp(l.used_at) AS used_at,
       coalesce(l.text_count, 0) AS text_count
FROM socle.model AS m
LEFT JOIN pg_catalog.jsonb_to_recordset(socle.engine_report() OPERATOR(pg_catalog.->) 'models') AS l (
    digest text, memory_bytes bigint, loaded_at double precision, used_at double precision, text_count bigint)
    ON l.digest OPERATOR(pg_catalog.=) m.digest;
-- What corpora and workers wait for.
CREATE FUNCTION socle_internal.why_not_captured(corpus text, source oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('its trigger is disabled on %s: changes there are found when it is enabled again', min(g.tgrelid::regclass::text))
    FROM (SELECT p.relid FROM pg_partition_tree(source) AS p UNION SELECT source) AS t
    JOIN pg_trigger g ON g.tgrelid = t.relid
    WHERE g.tgfoid = 'socle._capture_change()'::regprocedure AND g.tgargs = convert_to(corpus, 'UTF8') || decode('00', 'hex')
      AND g.tgenabled IN ('D', 'R')
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION socle_internal.why_not_captured(text, oid) IS 'why changes of a source are not captured at the moment';
GRANT EXECUTE ON FUNCTION socle_internal.why_not_captured(text, oid) TO PUBLIC;

CREATE FUNCTION socle_internal.wait_reasons() RETURNS TABLE (corpus text, reason text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'wait_reasons_wrapper';
COMMENT ON FUNCTION socle_internal.wait_reasons() IS 'what work waits for on the corpora whose tables the caller may read, or may count as a member of pg_read_all_stats';
GRANT EXECUTE ON FUNCTION socle_internal.wait_reasons() TO PUBLIC;

CREATE FUNCTION socle_internal.worker_obstacle() RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'worker_obstacle_wrapper';
COMMENT ON FUNCTION socle_internal.worker_obstacle() IS 'why no worker can do anything in this database, NULL if one can; has one look for work';
GRANT EXECUTE ON FUNCTION socle_internal.worker_obstacle() TO PUBLIC;
ALTER TABLE socle.corpus ADD COLUMN token_model text, ADD COLUMN token_model_digest text;
CREATE OR REPLACE VIEW socle.corpus_status AS
SELECT c.name,
       CASE WHEN b.corpus IS NULL THEN 'paused' ELSE c.state END AS state,
       CASE WHEN b.corpus IS NULL THEN 'restored from a dump: check it and call socle.resume_corpus()'
            ELSE coalesce(c.state_reason, socle_internal.why_not_captured(c.name, b.source), o.reason) END
           AS state_reason,
       pg_catalog.format('%I.%I', c.source_schema, c.source_table) AS source,
       pg_catalog.format('%I.%I', c.chunk_schema, c.chunk_table) AS chunk_table,
       c.model,
       c.model_digest,
       r.document_count,
       r.chunk_count,
       r.pending_count,
       r.failed_count,
       CASE WHEN r.corpus IS NOT NULL
            THEN coalesce(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.oldest_pending_at, interval '0') END AS lag,
       b.embedded_count,
       b.reused_count,
       coalesce(b.documents_per_second, 0) AS documents_per_second,
       CASE WHEN r.pending_count OPERATOR(pg_catalog.>) 0 AND b.documents_per_second OPERATOR(pg_catalog.>) 0
            THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+)
                 pg_catalog.make_interval(secs => r.pending_count OPERATOR(pg_catalog./) b.documents_per_second) END
           AS estimated_completion_at,
       b.worked_at,
       c.token_model
FROM socle.corpus AS c
LEFT JOIN socle.corpus_binding AS b ON b.corpus OPERATOR(pg_catalog.=) c.name
LEFT JOIN socle_internal.corpus_report() AS r ON r.corpus OPERATOR(pg_catalog.=) c.name
LEFT JOIN socle_internal.wait_reasons() AS o ON o.corpus OPERATOR(pg_catalog.=) c.name;
COMMENT ON COLUMN socle.engine_status.state IS 'running, starting, stopped (it starts when it is needed), or unavailable';
COMMENT ON COLUMN socle.engine_status.version IS 'version of the engine, which is that of the library: see socle.version()';
COMMENT ON COLUMN socle.engine_status.state_reason IS 'why the engine is unavailable';
COMMENT ON COLUMN socle.engine_status.oom_policy IS 'what systemd does to the whole service when the kernel kills the engine for want of memory: continue, stop or kill; none outside of a service; unknown where no unit file tells';
COMMENT ON FUNCTION socle_internal.corpus_report() IS 'counts of the corpora whose tables the caller may read, or may count as a member of pg_read_all_stats';
COMMENT ON FUNCTION socle_internal.failure_report() IS 'failed changes of the corpora whose tables the caller may read; without keys and messages for members of pg_read_all_stats';
COMMENT ON COLUMN socle.corpus_status.document_count IS 'rows of the source whose chunks are there; NULL, like the next four, for a role that can neither read the tables of the corpus nor has pg_monitor, and while another session locks them';
COMMENT ON COLUMN socle.corpus_status.lag IS 'age of the oldest pending change; 0 if there is none';
COMMENT ON COLUMN socle.corpus_status.documents_per_second IS 'recent rate; 0 before the first';
COMMENT ON VIEW socle.job_failure IS 'documents whose last attempt failed, to be retried or set aside';
COMMENT ON COLUMN socle.job_failure.source_key IS 'primary key of the row of the source; NULL, like error_message, for a role that has pg_monitor but cannot read the tables of the corpus';
COMMENT ON COLUMN socle.job_failure.attempt_count IS 'attempts that failed';

-- Dumps restored by the owner of a database.
CREATE FUNCTION socle_internal.check_restored() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'check_restored';
COMMENT ON FUNCTION socle_internal.check_restored() IS 'lets a role that restores a dump add corpora over its own tables, and skips models that are registered already';
REVOKE ALL ON FUNCTION socle_internal.check_restored() FROM PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.model FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.model ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.model IS 'skips rows inserted by a role that is not superuser: models are registered by socle.register_model';
GRANT INSERT ON socle.model TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.corpus FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.corpus ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.corpus IS 'refuses rows inserted by a role that is not superuser, except corpora over its own tables';
GRANT INSERT ON socle.corpus TO PUBLIC;

-- Keys: what becomes of the key of a source, and of changes that cannot be logged.
ALTER TABLE socle.corpus_binding ADD COLUMN key_holds boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN socle.corpus_binding.key_holds IS 'chunks match rows of the source by key; false: the key of the source has changed, and searches return nothing until socle.resume_corpus()';
ALTER TABLE socle.corpus_binding ADD COLUMN failures_shown_at timestamp with time zone;
COMMENT ON COLUMN socle.corpus_binding.failures_shown_at IS 'of a corpus that is to replace another: documents that had failed by then may be missing, because its owner has been shown them and resumed it';

CREATE TABLE socle.missed_change (
    corpus text NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    missed_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE socle.missed_change IS 'changes that could not be written to the log of their corpus: a sync worker compares everything instead';
COMMENT ON COLUMN socle.missed_change.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.missed_change.xid IS 'transaction that made the changes';
COMMENT ON COLUMN socle.missed_change.missed_at IS 'when it began';
GRANT SELECT ON socle.missed_change TO PUBLIC;

CREATE FUNCTION socle_internal.column_type(relation oid, number smallint, OUT type oid, OUT name text, OUT definition text)
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE base (type, length, depth) AS (
        SELECT a.atttypid, a.atttypmod, 0 FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum = number AND NOT a.attisdropped
        UNION ALL
        SELECT t.typbasetype, t.typtypmod, b.depth + 1 FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
    SELECT t.oid, format_type(b.type, b.length),
           format_type(b.type, b.length)
               || CASE WHEN a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', n.nspname, l.collname) ELSE '' END
    FROM base b JOIN pg_type t ON t.oid = b.type
    JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = number
    LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
    ORDER BY b.depth DESC LIMIT 1
$$;
COMMENT ON FUNCTION socle_internal.column_type(oid, smallint) IS 'the type that values of a column can be kept under: without a domain, with length and collation';
GRANT EXECUTE ON FUNCTION socle_internal.column_type(oid, smallint) TO PUBLIC;

CREATE FUNCTION socle_internal.column_types(relation oid, numbers smallint[]) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg((SELECT y.definition FROM socle_internal.column_type(relation, k.number) AS y) ORDER BY k.position)
    FROM unnest(numbers) WITH ORDINALITY AS k (number, position)
$$;
COMMENT ON FUNCTION socle_internal.column_types(oid, smallint[]) IS 'the same of several columns, as it stands in SQL; NULL for one that was dropped';
REVOKE ALL ON FUNCTION socle_internal.column_types(oid, smallint[]) FROM PUBLIC;

CREATE FUNCTION socle_internal.ancestors(relation oid) RETURNS SETOF oid
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10 ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE above (relid) AS (
        SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = relation
        UNION
        SELECT h.inhparent FROM above u JOIN pg_inherits h ON h.inhrelid = u.relid)
    SELECT u.relid FROM above u
    UNION
    SELECT t.typrelid FROM pg_class c JOIN pg_type t ON t.oid = c.reloftype WHERE c.oid = relation
$$;
COMMENT ON FUNCTION socle_internal.ancestors(oid) IS 'the tables that a table inherits from, as a partition too, and the type that it is a table of';
REVOKE ALL ON FUNCTION socle_internal.ancestors(oid) FROM PUBLIC;

-- No SET: it has to read the name of the table as the command does. It pins the names it uses itself.
CREATE FUNCTION socle_internal.prepare_ddl() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'prepare_ddl';
COMMENT ON FUNCTION socle_internal.prepare_ddl() IS 'lets columns that a chunk depends on change their type';
REVOKE ALL ON FUNCTION socle_internal.prepare_ddl() FROM PUBLIC;

DROP EVENT TRIGGER socle_follow_ddl;
CREATE EVENT TRIGGER socle_prepare_ddl ON ddl_command_start
    WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE') EXECUTE FUNCTION socle_internal.prepare_ddl();
COMMENT ON EVENT TRIGGER socle_prepare_ddl IS 'lets columns that a chunk depends on change their type';

CREATE EVENT TRIGGER socle_follow_ddl ON ddl_command_end
    WHEN TAG IN ('ALTER EXTENSION', 'ALTER INDEX', 'ALTER SCHEMA', 'ALTER TABLE', 'ALTER TYPE', 'CREATE SCHEMA', 'CREATE TABLE')
    EXECUTE FUNCTION socle_internal.follow_ddl();
COMMENT ON EVENT TRIGGER socle_follow_ddl IS 'lets corpora follow renames, new partitions, other types and keys, and commands that change rows unseen';

COMMENT ON FUNCTION socle_internal.follow_ddl() IS 'lets corpora follow renames, new partitions, other types and keys, and commands that change rows unseen';

COMMENT ON COLUMN socle.corpus_status.state_reason IS 'why it is paused or broken, or what work on it waits for at the moment';
CREATE OR REPLACE VIEW socle.worker_status AS
SELECT a.pid, a.datname AS database, a.backend_start AS started_at, a.state, a.query AS activity, a.wait_event,
       CASE WHEN a.wait_event_type OPERATOR(pg_catalog.=) 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) END AS blocked_by
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type OPERATOR(pg_catalog.=) ANY (ARRAY['socle sync', 'socle index']);
COMMENT ON VIEW socle.worker_status IS 'sync workers of the cluster and workers that build vector indexes, as pg_stat_activity shows them to the caller';
COMMENT ON COLUMN socle.worker_status.blocked_by IS 'processes whose locks or transactions it waits for';

-- Updates.
CREATE FUNCTION socle_internal.after_update() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'after_update_wrapper';
COMMENT ON FUNCTION socle_internal.after_update() IS 'requests a comparison of every corpus with its source: writers may have used a library of another version than the extension';
REVOKE ALL ON FUNCTION socle_internal.after_update() FROM PUBLIC;

-- Models: what their files say beyond what 0.1.0 read.
ALTER TABLE socle.model DROP CONSTRAINT model_pooling_check;
ALTER TABLE socle.model ADD CONSTRAINT model_pooling_check
    CHECK (pooling OPERATOR(pg_catalog.=) ANY (ARRAY['mean', 'cls', 'last', 'none', 'max', 'mean_sqrt_len', 'weighted_mean']));
ALTER TABLE socle.model DROP CONSTRAINT model_kind_check;
ALTER TABLE socle.model ADD CONSTRAINT model_kind_check
    CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['embedding', 'reranker', 'late_interaction', 'ocr']));
ALTER TABLE socle.model
    ADD COLUMN similarity text NOT NULL DEFAULT 'cosine' CONSTRAINT model_similarity_check
        CHECK (similarity OPERATOR(pg_catalog.=) ANY (ARRAY['cosine', 'dot', 'euclidean', 'manhattan'])),
    ADD COLUMN pool_prefix boolean NOT NULL DEFAULT true,
    ADD COLUMN lower_case boolean NOT NULL DEFAULT false,
    ADD COLUMN first_position integer NOT NULL DEFAULT 0
        CONSTRAINT model_first_position_check CHECK (first_position OPERATOR(pg_catalog.>=) 0),
    ADD COLUMN layers jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN late_interaction jsonb,
    ADD COLUMN endpoint text,
    ADD COLUMN served jsonb CONSTRAINT model_served_check CHECK ((served IS NULL) OPERATOR(pg_catalog.=) (endpoint IS NULL)),
    ADD COLUMN missing_letters jsonb;
COMMENT ON COLUMN socle.model.kind IS 'embedding: a vector for a text; reranker: a score for a query and a document; late_interaction: the same, by vectors of tokens; ocr: the words of a picture';
COMMENT ON COLUMN socle.model_status.kind IS 'embedding, reranker, late_interaction or ocr';
COMMENT ON COLUMN socle.model.dimensions IS 'length of the vectors, of texts or of tokens; NULL for models without vectors';
COMMENT ON COLUMN socle.model.pooling IS 'how the vectors of tokens become one: mean, cls, last, max, mean_sqrt_len, weighted_mean, or none where the graph does it';
COMMENT ON COLUMN socle.model.similarity IS 'how vectors are meant to be compared; the same as cosine where they have length 1, but for manhattan';
COMMENT ON COLUMN socle.model.pool_prefix IS 'the tokens of the prefix are pooled with those of the text';
COMMENT ON COLUMN socle.model.lower_case IS 'texts are put into lower case before they become tokens';
COMMENT ON COLUMN socle.model.first_position IS 'position of the first token, for a graph that is given positions';
COMMENT ON COLUMN socle.model.layers IS 'layers applied to a vector after pooling, in order';
COMMENT ON COLUMN socle.model.late_interaction IS 'how queries and documents become tokens, for this kind of model: markers, masks, what is not compared';
COMMENT ON COLUMN socle.model.endpoint IS 'endpoint that the model runs on; NULL for one with files here';
COMMENT ON COLUMN socle.model.served IS 'how it is served there: dialect, name of the model in requests and answers, what it made of the probe, model that counts its tokens';
COMMENT ON COLUMN socle.model.missing_letters IS 'for a model of kind ocr: letters that it cannot write, by language; languages that it can write are not listed';

DROP FUNCTION socle.register_model(text, text, text, integer, integer, text, boolean, text, text, text, text);
CREATE FUNCTION socle.register_model(
    name text,
    directory text,
    kind text DEFAULT NULL,
    dimensions integer DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    pooling text DEFAULT NULL,
    normalized boolean DEFAULT NULL,
    query_prefix text DEFAULT NULL,
    passage_prefix text DEFAULT NULL,
    graph text DEFAULT NULL,
    license text DEFAULT NULL,
    query_prompt text DEFAULT NULL,
    passage_prompt text DEFAULT NULL
) RETURNS TABLE (
    name text, kind text, dimensions integer, max_tokens integer, pooling text, normalized boolean, batchable boolean,
    digest text, query_prefix text, passage_prefix text, similarity text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_model_wrapper';
COMMENT ON FUNCTION socle.register_model(text, text, text, integer, integer, text, boolean, text, text, text, text, text, text) IS
    'checks, tries and registers the model in a directory below socle.model_directory; arguments after the second override its files';
REVOKE ALL ON FUNCTION socle.register_model(text, text, text, integer, integer, text, boolean, text, text, text, text, text, text) FROM PUBLIC;

-- Search functions of users.
CREATE FUNCTION socle.create_search_function(corpus text, name name, schema name DEFAULT NULL) RETURNS regprocedure
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_search_function_wrapper';
COMMENT ON FUNCTION socle.create_search_function(text, name, name) IS
    'creates a function that searches a corpus as its caller, with the arguments of socle.search after the corpus, and returns the key of the source in columns of its names and types; by default in the schema of the source';
GRANT EXECUTE ON FUNCTION socle.create_search_function(text, name, name) TO PUBLIC;

CREATE FUNCTION socle_internal.key_column(source_key jsonb, name text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'key_column_wrapper';
COMMENT ON FUNCTION socle_internal.key_column(jsonb, text) IS
    'value of a column of a key, for functions of socle.create_search_function; an error if the key has no such column';
GRANT EXECUTE ON FUNCTION socle_internal.key_column(jsonb, text) TO PUBLIC;

-- Evaluation reads queries like a search.
DROP FUNCTION socle.evaluate(text, regclass, regclass, integer, text[], text, double precision, jsonb, text, integer, double precision, text);
CREATE FUNCTION socle.evaluate(
    corpus text,
    queries regclass,
    judgments regclass,
    k integer DEFAULT 10,
    modes text[] DEFAULT '{vector,keyword,hybrid}',
    fusion text DEFAULT 'adaptive',
    keyword_weight double precision DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    rerank_weight double precision DEFAULT NULL,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    title_weight real DEFAULT 3,
    heading_weight real DEFAULT 3,
    fields text[] DEFAULT NULL
) RETURNS TABLE (
    mode text, query_count integer, ndcg double precision, recall double precision, reciprocal_rank double precision,
    index_recall double precision, median_milliseconds double precision)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000000 ROWS 3 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'evaluate_wrapper';
COMMENT ON FUNCTION socle.evaluate(text, regclass, regclass, integer, text[], text, double precision, jsonb, text, integer, double precision, text, text, real, real, text[]) IS
    'how good the first k documents of a search are in each mode, by a table of queries (id, text) and one of judgments (query id, source key, grade)';
GRANT EXECUTE ON FUNCTION socle.evaluate(text, regclass, regclass, integer, text[], text, double precision, jsonb, text, integer, double precision, text, text, real, real, text[]) TO PUBLIC;

-- Similar documents, suggestions, facets.
CREATE FUNCTION socle.similar(
    corpus text,
    source_key jsonb DEFAULT NULL,
    chunk_id bigint DEFAULT NULL,
    result_limit integer DEFAULT 10,
    filter jsonb DEFAULT NULL,
    min_similarity double precision DEFAULT NULL,
    group_by_document boolean DEFAULT true,
    stale text DEFAULT 'omit',
    result_offset integer DEFAULT 0,
    texts text[] DEFAULT NULL,
    embedding vector DEFAULT NULL
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    start_offset integer, end_offset integer, score double precision, fresh_at timestamp with time zone, stale boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'similar_wrapper';
COMMENT ON FUNCTION socle.similar(text, jsonb, bigint, integer, jsonb, double precision, boolean, text, integer, text[], vector) IS
    'the documents of a corpus most similar to one of them, to a chunk, to some texts or to a vector, among those that the caller may see';
GRANT EXECUTE ON FUNCTION socle.similar(text, jsonb, bigint, integer, jsonb, double precision, boolean, text, integer, text[], vector) TO PUBLIC;

CREATE FUNCTION socle.suggest(
    corpus text,
    prefix text,
    suggestion_limit integer DEFAULT 10
) RETURNS TABLE (suggestion text, kind text, score double precision)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'suggest_wrapper';
COMMENT ON FUNCTION socle.suggest(text, text, integer) IS
    'what a text that is being typed may become: words, corrections, titles and headings of chunks that the caller may see';
GRANT EXECUTE ON FUNCTION socle.suggest(text, text, integer) TO PUBLIC;

CREATE FUNCTION socle.facets(
    corpus text,
    query text,
    columns text[],
    value_limit integer DEFAULT 10,
    mode text DEFAULT 'keyword',
    filter jsonb DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    language text DEFAULT NULL,
    ranges jsonb DEFAULT NULL,
    candidate_count integer DEFAULT NULL,
    min_similarity double precision DEFAULT NULL,
    fields text[] DEFAULT NULL
) RETURNS TABLE (column_name text, value jsonb, lower_bound jsonb, upper_bound jsonb, document_count bigint)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'facets_wrapper';
COMMENT ON FUNCTION socle.facets(text, text, text[], integer, text, jsonb, text, text, jsonb, integer, double precision, text[]) IS
    'number of documents that match a query and that the caller may see: first of all of them, then for each value and range of columns of the source';
GRANT EXECUTE ON FUNCTION socle.facets(text, text, text[], integer, text, jsonb, text, text, jsonb, integer, double precision, text[]) TO PUBLIC;

-- Comments that say the same in other words.
COMMENT ON COLUMN socle.model.name IS 'name of the model in arguments and settings';
COMMENT ON FUNCTION socle.embed_query(text, text) IS
    'vector of a search query, computed before bulk work; differs from socle.embed() for models with prefixes';
COMMENT ON PROCEDURE socle.import_directory(regclass, text, text, boolean) IS
    'imports new and changed files of a directory below socle.import_directories into a table, and commits while it runs; pattern: * and ? within a name, ** across directories; only a dot matches a leading dot';
COMMENT ON TABLE socle.corpus IS 'corpora; written only by functions of socle';
COMMENT ON COLUMN socle.corpus.replaces IS 'the corpus that this one replaces once it is filled: see socle.alter_corpus';
COMMENT ON COLUMN socle.corpus.language IS 'language of the documents for keyword search; auto: detected per chunk';
COMMENT ON COLUMN socle.corpus.change_table IS 'log of pending changes, in the same schema';
COMMENT ON COLUMN socle.corpus.document_table IS 'one row for each document that was processed, in the same schema';
COMMENT ON COLUMN socle.corpus.max_attempts IS 'attempts after which a failing change is set aside until socle.retry_failed()';
COMMENT ON TABLE socle.corpus_binding IS
    'OIDs of the tables and numbers of the columns of each corpus in this database, and counters; not dumped';
COMMENT ON COLUMN socle.corpus_binding.keyword_missing_count IS 'chunks that are not in the keyword index yet; 0: it is complete';
COMMENT ON FUNCTION socle.drop_corpus(text, boolean) IS
    'removes a corpus and its chunks, or keeps these as an ordinary table; the source is not changed';
COMMENT ON FUNCTION socle.pause_corpus(text) IS 'pauses a corpus; changes are still logged';
COMMENT ON FUNCTION socle.resume_corpus(text) IS
    'resumes a corpus that is paused, broken or restored from a dump, after checking its tables';
COMMENT ON FUNCTION socle.retry_failed(text) IS 'retries every failed change of a corpus at once; returns their number';
COMMENT ON FUNCTION socle.wait_for_corpus(text, interval) IS
    'waits until every change committed before the call is in the chunks; false on timeout or if changes have failed permanently';
COMMENT ON PROCEDURE socle.sync_corpus(text) IS
    'waits, showing progress, until nothing of a corpus is pending any more: changes, its vector index, the swap of alter_corpus';
COMMENT ON FUNCTION socle.verify_corpus(text, boolean) IS
    'compares source, chunks and keyword index: documents that are missing, stale, orphan or damaged, without those of pending changes; repair queues them';
COMMENT ON FUNCTION socle._capture_change() IS 'logs which rows of a source change';
COMMENT ON FUNCTION socle_internal.follow_drop() IS
    'removes corpora whose tables are dropped, and marks those that lose a column as broken';
COMMENT ON EVENT TRIGGER socle_follow_drop IS
    'removes corpora whose tables are dropped, and marks those that lose a column as broken';
COMMENT ON COLUMN socle.corpus_status.pending_count IS 'pending changes, including those to be retried';
COMMENT ON COLUMN socle.corpus_status.failed_count IS 'changes that have failed permanently: see socle.job_failure';
COMMENT ON COLUMN socle.corpus_status.estimated_completion_at IS 'estimated time when nothing is pending any more, at that rate';
COMMENT ON COLUMN socle.job_failure.next_attempt_at IS 'time of the next attempt; NULL if it is set aside';
COMMENT ON COLUMN socle.job_failure.parked IS 'set aside: not retried until socle.retry_failed() or another change of the row';
COMMENT ON TABLE socle.keyword_segment_part IS
    'segments of the keyword index of each corpus, in parts; not dumped, rebuilt from the chunks';
COMMENT ON COLUMN socle.keyword_segment_part.format IS
    'format of the index and analysis of the text; a segment of another format is rebuilt';

-- Rules about words of queries, which the owner of a corpus makes: synonyms, protected words, stop words. They are looked up
-- when a query is searched, and the keyword index knows nothing of them.

-- No foreign key: a parallel restore may load the rules before their corpora.
CREATE TABLE socle.corpus_word_rule (
    corpus text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL
        CONSTRAINT corpus_word_rule_kind_check CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['synonym', 'protected', 'stop_word'])),
    language text NOT NULL,
    term text NOT NULL,
    replacements text[] NOT NULL
        CONSTRAINT corpus_word_rule_replacements_check CHECK (pg_catalog.array_position(replacements, NULL) IS NULL),
    CONSTRAINT corpus_word_rule_pkey PRIMARY KEY (corpus, key, kind, language, term)
);
COMMENT ON TABLE socle.corpus_word_rule IS 'synonyms, protected words and stop words of corpora; written only by functions of socle and by a restore';
COMMENT ON COLUMN socle.corpus_word_rule.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus_word_rule.key IS 'first letters of the term, by which the rules for a query are looked up';
COMMENT ON COLUMN socle.corpus_word_rule.kind IS 'synonym, protected or stop_word';
COMMENT ON COLUMN socle.corpus_word_rule.language IS 'language that a query must be searched in; any: all queries';
COMMENT ON COLUMN socle.corpus_word_rule.term IS 'one or more words of a query';
COMMENT ON COLUMN socle.corpus_word_rule.replacements IS 'what is searched for besides, for a synonym';
REVOKE ALL ON socle.corpus_word_rule FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.corpus_word_rule', '');

CREATE VIEW socle.word_rule WITH (security_barrier) AS
SELECT r.corpus, r.kind, CASE WHEN r.language OPERATOR(pg_catalog.<>) 'any' THEN r.language END AS language, r.term, r.replacements
FROM socle.corpus_word_rule r
JOIN socle.corpus c ON c.name OPERATOR(pg_catalog.=) r.corpus
JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) c.chunk_schema
JOIN pg_catalog.pg_class k ON k.relnamespace OPERATOR(pg_catalog.=) n.oid AND k.relname OPERATOR(pg_catalog.=) c.chunk_table
WHERE pg_catalog.pg_has_role(k.relowner, 'USAGE');
COMMENT ON VIEW socle.word_rule IS 'synonyms, protected words and stop words of the corpora that the caller owns';
COMMENT ON COLUMN socle.word_rule.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.word_rule.kind IS 'synonym, protected or stop_word';
COMMENT ON COLUMN socle.word_rule.language IS 'language that a query must be searched in; NULL: all queries';
COMMENT ON COLUMN socle.word_rule.term IS 'one or more words of a query';
COMMENT ON COLUMN socle.word_rule.replacements IS 'what is searched for besides, for a synonym';
GRANT SELECT ON socle.word_rule TO PUBLIC;

CREATE FUNCTION socle.create_synonyms(corpus text, terms text[], replacements text[] DEFAULT NULL, language text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_synonyms_wrapper';
COMMENT ON FUNCTION socle.create_synonyms IS
    'lets keyword searches for each term find the others, too; with replacements, lets searches for a term find these, and not the other way round';

CREATE FUNCTION socle.create_protected_words(corpus text, words text[], language text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_protected_words_wrapper';
COMMENT ON FUNCTION socle.create_protected_words IS
    'lets keyword searches find these words only as they are written: not by their stem, and without corrections';

CREATE FUNCTION socle.create_stop_words(corpus text, words text[], language text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_stop_words_wrapper';
COMMENT ON FUNCTION socle.create_stop_words IS
    'lets keyword searches leave out these words, unless a query has no others';

CREATE FUNCTION socle.drop_word_rules(corpus text, words text[] DEFAULT NULL, kind text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_word_rules_wrapper';
COMMENT ON FUNCTION socle.drop_word_rules IS
    'drops the synonyms, protected words and stop words of a corpus that have one of these words, or all; returns how many';

GRANT EXECUTE ON FUNCTION socle.create_synonyms(text, text[], text[], text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.create_protected_words(text, text[], text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.create_stop_words(text, text[], text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.drop_word_rules(text, text[], text) TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.corpus_word_rule FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.corpus_word_rule ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.corpus_word_rule IS 'refuses rows inserted by a role that is not superuser, except rules of its own corpora and, for the owner of the database, of corpora that are not there yet';
GRANT INSERT ON socle.corpus_word_rule TO PUBLIC;

-- Answers: passages within a number of tokens, answers from sentences of documents or written by a generator, citations.

CREATE FUNCTION socle.context_passages(
    corpus text,
    question text,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS TABLE (
    number integer, corpus_name text, source_key jsonb, title text, heading_path text[], page integer, start_offset integer,
    end_offset integer, content text, content_sha256 text, score double precision, vector_score double precision,
    keyword_score double precision, rerank_score double precision, token_count integer)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'context_passages_wrapper';
COMMENT ON FUNCTION socle.context_passages IS
    'the best passages for a question that have at most max_tokens together, numbered; no text twice, chunks that follow each other as one';

CREATE FUNCTION socle.context_passages(
    corpora text[],
    question text,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS TABLE (
    number integer, corpus_name text, source_key jsonb, title text, heading_path text[], page integer, start_offset integer,
    end_offset integer, content text, content_sha256 text, score double precision, vector_score double precision,
    keyword_score double precision, rerank_score double precision, token_count integer)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'context_passages_many_wrapper';
COMMENT ON FUNCTION socle.context_passages(text[], text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) IS
    'the same from several corpora';

CREATE FUNCTION socle.context(
    corpus text,
    question text,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'context_wrapper';
COMMENT ON FUNCTION socle.context IS
    'the passages of socle.context_passages as one text, each after its number, title and headings';

CREATE FUNCTION socle.context(
    corpora text[],
    question text,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'context_many_wrapper';
COMMENT ON FUNCTION socle.context(text[], text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) IS
    'the same from several corpora';

-- VOLATILE: what a generator writes may differ at each call.
CREATE FUNCTION socle.answer(
    corpus text,
    question text,
    generator text DEFAULT NULL,
    mode text DEFAULT 'auto',
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    language text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    template text DEFAULT NULL,
    conversation jsonb DEFAULT NULL,
    min_relevance double precision DEFAULT NULL,
    seed bigint DEFAULT NULL,
    max_sentences integer DEFAULT 3,
    search_mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    answer text, declined boolean, reason text, grounded double precision, relevance double precision,
    coverage double precision, citations jsonb, removed jsonb, unmatched_words text[], generator text, model_digest text,
    prompt_tokens integer, answer_tokens integer, finish text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'answer_wrapper';
COMMENT ON FUNCTION socle.answer IS
    'an answer to a question from a corpus, each sentence with a citation, or the reason why there is none: sentences of documents, or with a generator, sentences that it writes and a passage supports';

CREATE FUNCTION socle.answer(
    corpora text[],
    question text,
    generator text DEFAULT NULL,
    mode text DEFAULT 'auto',
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    language text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    template text DEFAULT NULL,
    conversation jsonb DEFAULT NULL,
    min_relevance double precision DEFAULT NULL,
    seed bigint DEFAULT NULL,
    max_sentences integer DEFAULT 3,
    search_mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    answer text, declined boolean, reason text, grounded double precision, relevance double precision,
    coverage double precision, citations jsonb, removed jsonb, unmatched_words text[], generator text, model_digest text,
    prompt_tokens integer, answer_tokens integer, finish text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'answer_many_wrapper';
COMMENT ON FUNCTION socle.answer(text[], text, text, text, integer, double precision, text, integer, text, jsonb, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) IS
    'the same from several corpora';

-- In the target list of a query, each row reaches the client before the next one is waited for.
CREATE FUNCTION socle.answer_stream(
    corpus text,
    question text,
    generator text DEFAULT NULL,
    mode text DEFAULT 'auto',
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    language text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    template text DEFAULT NULL,
    conversation jsonb DEFAULT NULL,
    min_relevance double precision DEFAULT NULL,
    seed bigint DEFAULT NULL,
    max_sentences integer DEFAULT 3,
    search_mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    number integer, sentence text, citation jsonb, declined boolean, reason text, grounded double precision,
    relevance double precision, coverage double precision, removed jsonb, unmatched_words text[], generator text,
    model_digest text, prompt_tokens integer, answer_tokens integer, finish text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 5 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'answer_stream_wrapper';
COMMENT ON FUNCTION socle.answer_stream IS
    'the sentences of socle.answer as they are done, a row for each, and a last row that sums up; to be called in the target list of a query';

CREATE FUNCTION socle.answer_stream(
    corpora text[],
    question text,
    generator text DEFAULT NULL,
    mode text DEFAULT 'auto',
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    language text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    template text DEFAULT NULL,
    conversation jsonb DEFAULT NULL,
    min_relevance double precision DEFAULT NULL,
    seed bigint DEFAULT NULL,
    max_sentences integer DEFAULT 3,
    search_mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    number integer, sentence text, citation jsonb, declined boolean, reason text, grounded double precision,
    relevance double precision, coverage double precision, removed jsonb, unmatched_words text[], generator text,
    model_digest text, prompt_tokens integer, answer_tokens integer, finish text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000000 ROWS 5 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'answer_stream_many_wrapper';
COMMENT ON FUNCTION socle.answer_stream(text[], text, text, text, integer, double precision, text, integer, text, jsonb, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) IS
    'the same from several corpora';

CREATE FUNCTION socle.cite(citation jsonb)
RETURNS TABLE (state text, content text, title text, start_offset integer, end_offset integer)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 100000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cite_wrapper';
COMMENT ON FUNCTION socle.cite IS
    'whether a citation of socle.answer still holds (valid, moved, changed, gone; hidden without the right to read the source), and the text that stands there now';

CREATE FUNCTION socle.evaluate_answers(
    corpus text,
    questions regclass,
    generator text DEFAULT NULL,
    mode text DEFAULT 'auto',
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    language text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    template text DEFAULT NULL,
    min_relevance double precision DEFAULT NULL,
    seed bigint DEFAULT NULL,
    max_sentences integer DEFAULT 3,
    search_mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    question_count integer, answerable_count integer, contained double precision, token_f1 double precision,
    declined_wrongly integer, unanswerable_count integer, declined_rightly integer, generated_count integer,
    grounded double precision, median_milliseconds double precision, judged_cited double precision)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'evaluate_answers_wrapper';
COMMENT ON FUNCTION socle.evaluate_answers IS
    'how good the answers of socle.answer are, by a table of questions (question, reference as text or text[], NULL where the corpus has no answer; a further column source_key names the documents that hold it)';

CREATE FUNCTION socle.calibrate(
    corpus text,
    questions regclass,
    max_sentences integer DEFAULT 3,
    search_mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    min_relevance double precision, is_best boolean, answered_rightly integer, answered_wrongly integer,
    declined_wrongly integer, declined_rightly integer, unanswerable_answered integer)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000000 ROWS 50 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'calibrate_wrapper';
COMMENT ON FUNCTION socle.calibrate IS
    'what becomes of the questions of a table, as for socle.evaluate_answers, with each min_relevance that makes a difference, and which is best';

GRANT EXECUTE ON FUNCTION socle.context_passages(text, text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.context_passages(text[], text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.context(text, text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.context(text[], text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.answer(text, text, text, text, integer, double precision, text, integer, text, jsonb, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.answer_stream(text, text, text, text, integer, double precision, text, integer, text, jsonb, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.answer(text[], text, text, text, integer, double precision, text, integer, text, jsonb, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.answer_stream(text[], text, text, text, integer, double precision, text, integer, text, jsonb, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.cite(jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.evaluate_answers(text, regclass, text, text, integer, double precision, text, integer, text, double precision, bigint, integer, text, jsonb, text, integer, integer, text, double precision, double precision, jsonb, boolean, integer) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.calibrate(text, regclass, integer, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer) TO PUBLIC;

-- Prompts for language models elsewhere: templates, and the messages that are made from them and from passages.

CREATE TABLE socle.prompt_template (
    name text NOT NULL CONSTRAINT prompt_template_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    system text NOT NULL,
    question_template text NOT NULL,
    example_context text,
    example_question text,
    example_answer text,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    created_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT prompt_template_example_check
        CHECK (pg_catalog.num_nulls(example_context, example_question, example_answer) OPERATOR(pg_catalog.=) ANY (ARRAY[0, 3])),
    CONSTRAINT prompt_template_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.prompt_template IS 'templates of socle.prompt besides the built-in one; written by socle.create_prompt_template and socle.drop_prompt_template';
COMMENT ON COLUMN socle.prompt_template.name IS 'name of the template in arguments';
COMMENT ON COLUMN socle.prompt_template.system IS 'instructions: the first message';
COMMENT ON COLUMN socle.prompt_template.question_template IS 'message with {context} and {question}';
COMMENT ON COLUMN socle.prompt_template.example_context IS 'passages of the worked example; NULL: there is no example';
COMMENT ON COLUMN socle.prompt_template.example_question IS 'question of the worked example';
COMMENT ON COLUMN socle.prompt_template.example_answer IS 'answer of the worked example';
COMMENT ON COLUMN socle.prompt_template.created_at IS 'time of creation';
COMMENT ON COLUMN socle.prompt_template.created_by IS 'session user that created the template';
GRANT SELECT ON socle.prompt_template TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.prompt_template', '');

-- SECURITY DEFINER: a role that is granted EXECUTE can create templates without being able to write the table itself.
CREATE FUNCTION socle.create_prompt_template(
    name text,
    system text,
    question_template text DEFAULT E'{context}\n\n{question}',
    example_context text DEFAULT NULL,
    example_question text DEFAULT NULL,
    example_answer text DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_prompt_template_wrapper';
COMMENT ON FUNCTION socle.create_prompt_template IS
    'creates a template of socle.prompt: instructions, the message with {context} and {question}, and a worked example';

CREATE FUNCTION socle.drop_prompt_template(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_prompt_template_wrapper';
COMMENT ON FUNCTION socle.drop_prompt_template IS 'drops a template of socle.prompt';

CREATE FUNCTION socle.prompt(
    corpus text,
    question text,
    template text DEFAULT NULL,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'prompt_wrapper';
COMMENT ON FUNCTION socle.prompt IS
    'the messages for a language model that is to answer a question from a corpus, as jsonb: instructions, a worked example, passages and question; NULL if nothing is found';

CREATE FUNCTION socle.prompt(
    corpora text[],
    question text,
    template text DEFAULT NULL,
    max_tokens integer DEFAULT 2000,
    passage_order text DEFAULT 'relevance',
    token_model text DEFAULT NULL,
    mode text DEFAULT 'hybrid',
    filter jsonb DEFAULT NULL,
    rerank_model text DEFAULT NULL,
    rerank_count integer DEFAULT 20,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    query_syntax text DEFAULT 'natural',
    min_similarity double precision DEFAULT NULL,
    min_rerank double precision DEFAULT NULL,
    boost jsonb DEFAULT NULL,
    vector_optional boolean DEFAULT false,
    passage_limit integer DEFAULT 20,
    conversation jsonb DEFAULT NULL
) RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'prompt_many_wrapper';
COMMENT ON FUNCTION socle.prompt(text[], text, text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) IS
    'the same from several corpora';

REVOKE ALL ON FUNCTION socle.create_prompt_template(text, text, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_prompt_template(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.prompt(text, text, text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.prompt(text[], text, text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer, jsonb) TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.prompt_template FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.prompt_template ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.prompt_template IS 'skips rows inserted by a role that is not superuser: templates are created by socle.create_prompt_template';
GRANT INSERT ON socle.prompt_template TO PUBLIC;

-- Token vectors.
COMMENT ON COLUMN socle.corpus.token_model IS 'model of late interaction whose token vectors are stored with the chunks; NULL: none are';
COMMENT ON COLUMN socle.corpus.token_model_digest IS 'identity of these vectors';
COMMENT ON COLUMN socle.corpus_status.token_model IS 'model of late interaction whose token vectors are stored with the chunks';
DROP FUNCTION socle.create_corpus(text, regclass, name[], name, text, name, text, integer, integer, text, text, name, integer, integer, integer, boolean, name, name, name);
DROP FUNCTION socle.alter_corpus(text, name, text, name, text, integer, integer, text, text, integer, integer, integer);

CREATE FUNCTION socle.create_corpus(
    name text,
    source regclass,
    content name[] DEFAULT NULL,
    title name DEFAULT NULL,
    language text DEFAULT 'auto',
    language_column name DEFAULT NULL,
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    overlap_tokens integer DEFAULT 0,
    format text DEFAULT NULL,
    template text DEFAULT NULL,
    chunk_schema name DEFAULT NULL,
    max_attempts integer DEFAULT 5,
    hnsw_m integer DEFAULT 16,
    hnsw_ef_construction integer DEFAULT 128,
    if_not_exists boolean DEFAULT false,
    document name DEFAULT NULL,
    media_type name DEFAULT NULL,
    file_name name DEFAULT NULL,
    token_model text DEFAULT NULL,
    egress text[] DEFAULT NULL,
    ocr text DEFAULT NULL
) RETURNS regclass
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_corpus_wrapper';
COMMENT ON FUNCTION socle.create_corpus(text, regclass, name[], name, text, name, text, integer, integer, text, text, name, integer, integer, integer, boolean, name, name, name, text, text[], text) IS
    'creates a corpus over the text columns or a column of files of a table, and keeps chunks and vectors in sync with it; returns the chunk table';

CREATE FUNCTION socle.alter_corpus(
    name text,
    title name DEFAULT NULL,
    language text DEFAULT NULL,
    language_column name DEFAULT NULL,
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    overlap_tokens integer DEFAULT NULL,
    format text DEFAULT NULL,
    template text DEFAULT NULL,
    max_attempts integer DEFAULT NULL,
    hnsw_m integer DEFAULT NULL,
    hnsw_ef_construction integer DEFAULT NULL,
    token_model text DEFAULT NULL,
    egress text[] DEFAULT NULL,
    ocr text DEFAULT NULL,
    ocr_model text DEFAULT NULL
) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'alter_corpus_wrapper';
COMMENT ON FUNCTION socle.alter_corpus(text, name, text, name, text, integer, integer, text, text, integer, integer, integer, text, text[], text, text) IS
    'changes the options that are not NULL: at once, or by filling new chunks beside the old ones and then replacing these; returns the corpus to watch in socle.corpus_status';
GRANT EXECUTE ON FUNCTION socle.create_corpus(text, regclass, name[], name, text, name, text, integer, integer, text, text, name, integer, integer, integer, boolean, name, name, name, text, text[], text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.alter_corpus(text, name, text, name, text, integer, integer, text, text, integer, integer, integer, text, text[], text, text) TO PUBLIC;

-- Language models on this machine: the registry, text that they write, and the state of the process that holds them.

CREATE TABLE socle.generator (
    name text NOT NULL CONSTRAINT generator_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    file text NOT NULL,
    file_bytes bigint NOT NULL CONSTRAINT generator_file_bytes_check CHECK (file_bytes OPERATOR(pg_catalog.>) 0),
    file_sha256 text NOT NULL,
    template text NOT NULL,
    context_tokens integer NOT NULL
        CONSTRAINT generator_context_tokens_check CHECK (context_tokens OPERATOR(pg_catalog.>) 0),
    architecture text NOT NULL,
    parameter_count bigint NOT NULL,
    quantization text NOT NULL,
    license text,
    digest text NOT NULL,
    registered_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    registered_by name NOT NULL DEFAULT SESSION_USER,
    public_use boolean NOT NULL DEFAULT true,
    CONSTRAINT generator_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.generator IS 'registered language models; written by socle.register_generator and socle.drop_generator';
COMMENT ON COLUMN socle.generator.name IS 'name of the generator in arguments and settings';
COMMENT ON COLUMN socle.generator.file IS 'the model in the format GGUF, relative to socle.model_directory';
COMMENT ON COLUMN socle.generator.file_bytes IS 'size of the file in bytes';
COMMENT ON COLUMN socle.generator.file_sha256 IS 'SHA-256 of the file';
COMMENT ON COLUMN socle.generator.template IS 'name of the built-in chat template that makes a prompt of messages; that of the file is never run';
COMMENT ON COLUMN socle.generator.context_tokens IS 'most tokens of prompt and text together';
COMMENT ON COLUMN socle.generator.architecture IS 'family of the model, as its file states';
COMMENT ON COLUMN socle.generator.parameter_count IS 'number of its parameters';
COMMENT ON COLUMN socle.generator.quantization IS 'how they are stored';
COMMENT ON COLUMN socle.generator.license IS 'licence of the weights, as stated at registration, or else by the file';
COMMENT ON COLUMN socle.generator.digest IS 'identity of what it writes: SHA-256 over file, template and context_tokens';
COMMENT ON COLUMN socle.generator.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.generator.registered_by IS 'session user that registered the generator';
COMMENT ON COLUMN socle.generator.public_use IS 'everybody may use the generator; false: those in socle.generator_grant';
GRANT SELECT ON socle.generator TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.generator', '');

CREATE TABLE socle.generator_grant (
    generator text NOT NULL
        CONSTRAINT generator_grant_generator_fkey REFERENCES socle.generator (name) ON DELETE CASCADE,
    role regrole NOT NULL,
    CONSTRAINT generator_grant_generator_role_key PRIMARY KEY (generator, role)
);
COMMENT ON TABLE socle.generator_grant IS 'who may use generators that are not public; written by socle.grant_generator and socle.revoke_generator; not dumped';
COMMENT ON COLUMN socle.generator_grant.generator IS 'name of the generator';
COMMENT ON COLUMN socle.generator_grant.role IS 'role whose members may use it';
GRANT SELECT ON socle.generator_grant TO PUBLIC;

-- SECURITY DEFINER: a role that is granted EXECUTE can register generators without being able to write the table itself.
CREATE FUNCTION socle.register_generator(
    name text,
    file text,
    template text DEFAULT NULL,
    context_tokens integer DEFAULT NULL,
    license text DEFAULT NULL
) RETURNS TABLE (
    name text, architecture text, parameter_count bigint, quantization text, template text, template_source text,
    context_tokens integer, trained_context_tokens integer, memory_bytes bigint, license text, digest text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_generator_wrapper';
COMMENT ON FUNCTION socle.register_generator IS
    'checks, tries and registers the language model in a GGUF file below socle.model_directory; template and context_tokens override what the file says';

CREATE FUNCTION socle.drop_generator(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_generator_wrapper';
COMMENT ON FUNCTION socle.drop_generator IS 'removes a generator from the registry; its file stays';

CREATE FUNCTION socle.grant_generator(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_generator_wrapper';
COMMENT ON FUNCTION socle.grant_generator IS 'lets the members of a role use a generator; role public: everybody, as for each new generator';

CREATE FUNCTION socle.revoke_generator(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'revoke_generator_wrapper';
COMMENT ON FUNCTION socle.revoke_generator IS 'takes back what socle.grant_generator gave';

-- Functions that ask the generator. They run as their caller. VOLATILE: a text may differ at each call, and the planner
-- must not write one to estimate a cost. RESTRICTED, not UNSAFE: they change nothing, and parallel workers would only queue
-- behind each other.
CREATE FUNCTION socle.generate(
    prompt text,
    generator text DEFAULT NULL,
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    seed bigint DEFAULT NULL,
    stop text[] DEFAULT NULL,
    choices text[] DEFAULT NULL,
    json_schema jsonb DEFAULT NULL,
    system text DEFAULT NULL
) RETURNS text
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000000
AS 'MODULE_PATHNAME', 'generate_wrapper';
COMMENT ON FUNCTION socle.generate(text, text, integer, double precision, bigint, text[], text[], jsonb, text) IS
    'the text that a language model writes for a prompt: any, one of several choices, or JSON that a schema describes; with a notice if it was cut off at max_tokens';

CREATE FUNCTION socle.generate(
    messages jsonb,
    generator text DEFAULT NULL,
    max_tokens integer DEFAULT 256,
    temperature double precision DEFAULT 0,
    seed bigint DEFAULT NULL,
    stop text[] DEFAULT NULL,
    choices text[] DEFAULT NULL,
    json_schema jsonb DEFAULT NULL
) RETURNS text
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000000
AS 'MODULE_PATHNAME', 'generate_messages_wrapper';
COMMENT ON FUNCTION socle.generate(jsonb, text, integer, double precision, bigint, text[], text[], jsonb) IS
    'the next message of a conversation: an array of objects with role (system, user or assistant) and content, as socle.prompt() returns it';

CREATE FUNCTION socle.count_generator_tokens(prompt text, generator text DEFAULT NULL) RETURNS integer
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'count_generator_tokens_wrapper';
COMMENT ON FUNCTION socle.count_generator_tokens(text, text) IS
    'number of tokens of a prompt as socle.generate() sends it to the model, its chat template included';

CREATE FUNCTION socle.count_generator_tokens(messages jsonb, generator text DEFAULT NULL) RETURNS integer
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000
AS 'MODULE_PATHNAME', 'count_generator_tokens_of_messages_wrapper';
COMMENT ON FUNCTION socle.count_generator_tokens(jsonb, text) IS 'the same of a conversation';

-- Visible to all roles: what others do with the generator is only told to members of pg_read_all_stats.
CREATE FUNCTION socle.generator_report() RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'generator_report_wrapper';
COMMENT ON FUNCTION socle.generator_report IS 'state of the generator as one JSON object, as shown by socle.generator_status; starts no generator';

CREATE VIEW socle.generator_status AS
SELECT g.name,
       (l.digest IS NOT NULL) AS loaded,
       coalesce(l.memory_bytes, 0) AS memory_bytes,
       pg_catalog.to_timestamp(l.loaded_at) AS loaded_at,
       pg_catalog.to_timestamp(l.used_at) AS used_at,
       p.state,
       p.state_reason,
       p.pid,
       pg_catalog.to_timestamp(p.started_at) AS started_at,
       p.restart_count,
       p.library_version,
       p.thread_count,
       p.memory_bytes AS process_memory_bytes,
       p.memory_limit_bytes,
       p.connection_count,
       p.running AS running_count,
       p.queued AS queued_count,
       p.request_count,
       p.prompt_token_count,
       p.answer_token_count,
       p.tokens_per_second,
       p.first_token_p50_ms,
       p.network,
       p.files,
       p.version,
       g.public_use
FROM (SELECT socle.generator_report() AS report OFFSET 0) AS r
CROSS JOIN LATERAL pg_catalog.jsonb_to_record(r.report) AS p (
    state text, state_reason text, pid integer, started_at double precision, restart_count integer, library_version text,
    thread_count integer, memory_bytes bigint, memory_limit_bytes bigint, generators jsonb, connection_count integer,
    running integer, queued integer, request_count bigint, prompt_token_count bigint, answer_token_count bigint,
    tokens_per_second double precision, first_token_p50_ms double precision, network text, files text, version text)
CROSS JOIN socle.generator AS g
LEFT JOIN LATERAL pg_catalog.jsonb_to_recordset(p.generators) AS l (
    digest text, memory_bytes bigint, loaded_at double precision, used_at double precision)
    ON l.digest OPERATOR(pg_catalog.=) g.digest;
COMMENT ON VIEW socle.generator_status IS 'registered generators, and the process that holds them, which is one for all: its columns are the same in each row';
COMMENT ON COLUMN socle.generator_status.name IS 'name of the generator';
COMMENT ON COLUMN socle.generator_status.loaded IS 'in memory';
COMMENT ON COLUMN socle.generator_status.memory_bytes IS 'memory that its weights and contexts take';
COMMENT ON COLUMN socle.generator_status.loaded_at IS 'time of loading';
COMMENT ON COLUMN socle.generator_status.used_at IS 'last use; the oldest goes first when memory runs short; NULL, like connection_count and the columns with counts and rates after it, for a role without pg_monitor';
COMMENT ON COLUMN socle.generator_status.state IS 'of the process: running, starting, stopped (it starts when it is needed), or unavailable';
COMMENT ON COLUMN socle.generator_status.state_reason IS 'why it is unavailable';
COMMENT ON COLUMN socle.generator_status.pid IS 'its process id';
COMMENT ON COLUMN socle.generator_status.started_at IS 'its start';
COMMENT ON COLUMN socle.generator_status.restart_count IS 'processes before it that died under the same supervisor; ends of idle ones do not count';
COMMENT ON COLUMN socle.generator_status.library_version IS 'version of llama.cpp; NULL until a model was loaded';
COMMENT ON COLUMN socle.generator_status.thread_count IS 'most threads that compute; fewer do where other work takes the processors';
COMMENT ON COLUMN socle.generator_status.process_memory_bytes IS 'resident memory of the process';
COMMENT ON COLUMN socle.generator_status.memory_limit_bytes IS 'socle.generator_memory_limit, which loaded generators stay below';
COMMENT ON COLUMN socle.generator_status.connection_count IS 'sessions connected to it';
COMMENT ON COLUMN socle.generator_status.running_count IS 'requests in progress';
COMMENT ON COLUMN socle.generator_status.queued_count IS 'requests that wait';
COMMENT ON COLUMN socle.generator_status.request_count IS 'requests answered';
COMMENT ON COLUMN socle.generator_status.prompt_token_count IS 'tokens of prompts that were computed; those from its cache are not counted';
COMMENT ON COLUMN socle.generator_status.answer_token_count IS 'tokens written';
COMMENT ON COLUMN socle.generator_status.tokens_per_second IS 'tokens written per second over the last ten seconds';
COMMENT ON COLUMN socle.generator_status.first_token_p50_ms IS 'median time from a request to its first token, of the last 1,000, in milliseconds';
COMMENT ON COLUMN socle.generator_status.network IS 'what keeps the generator off the network';
COMMENT ON COLUMN socle.generator_status.files IS 'what keeps the generator off other files';
COMMENT ON COLUMN socle.generator_status.version IS 'version of the generator, which is that of the library: see socle.version()';
COMMENT ON COLUMN socle.generator_status.public_use IS 'everybody may use it; false: those in socle.generator_grant';
GRANT SELECT ON socle.generator_status TO PUBLIC;

CREATE FUNCTION socle.help(topic text DEFAULT NULL)
RETURNS TABLE (area text, name text, type text, default_value text, description text)
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 20 SET search_path = pg_catalog, pg_temp
AS $$
WITH area (position, name, members) AS (VALUES
    (1, 'models', '{register_model,register_endpoint_model,drop_model,export_model,import_model,trust_key,distrust_key,grant_model,revoke_model,model_status}'::text[]),
    (2, 'texts', '{chunk,count_tokens,embed,embed_query,rerank}'),
    (3, 'documents', '{extract,extract_text,document_metadata,import_directory}'),
    (4, 'corpora', '{create_corpus,alter_corpus,drop_corpus,wait_for_corpus,sync_corpus,pause_corpus,resume_corpus,retry_failed,verify_corpus,
                     export_corpus,export_corpus_rows,import_corpus,import_evaluation_set,corpus_status,job_failure}'),
    (5, 'erasure', '{forget,wait_for_erasure,verify_erasure,erasure_status}'),
    (6, 'retrieval', '{search,explain_search,evaluate,similar,suggest,facets,create_search_function,create_synonyms,create_protected_words,
                       create_stop_words,drop_word_rules,word_rule}'),
    (7, 'answers', '{answer,answer_stream,context,context_passages,cite,calibrate,evaluate_answers,prompt,create_prompt_template,
                     drop_prompt_template}'),
    (8, 'generators', '{register_generator,drop_generator,grant_generator,revoke_generator,generate,count_generator_tokens,
                        generator_status,register_endpoint,drop_endpoint,grant_endpoint,revoke_endpoint,endpoint_status}'),
    (9, 'operation', '{help,version,engine_status,engine_report,generator_report,endpoint_report,worker_status,sovereignty_report,
                     sovereignty_findings,sovereignty_report_markdown}'),
    (10, 'ledger', '{ledger,ledger_status,verify_ledger,ledger_checkpoint,prune_ledger,trace}')),
meaning (argument, functions, text) AS (VALUES
    ('allow_loopback', NULL::text[], 'the endpoint may be on this machine'),
    ('allow_private', NULL, 'the endpoint may have a private address'),
    ('answer', NULL, 'text of an answer, as it was returned'),
    ('before', NULL, 'time up to which entries are removed'),
    ('boost', NULL, 'raises or lowers scores by columns of the source'),
    ('ca_file', NULL, 'file below socle.egress_key_directory with the only certificate authorities to trust'),
    ('candidate_count', NULL, 'candidates of each retriever'),
    ('checkpoint', NULL, 'text that socle.ledger_checkpoint has returned earlier'),
    ('choices', NULL, 'the text is one of these'),
    ('chunk_id', NULL, 'a chunk, as the column of the same name has it'),
    ('chunk_schema', NULL, 'schema of the tables of the corpus; without it, that of the source'),
    ('citation', NULL, 'a citation of an answer'),
    ('columns', NULL, 'columns whose values are counted'),
    ('content', NULL, 'a text'),
    ('content', '{create_corpus}', 'columns with text'),
    ('contents', NULL, 'texts'),
    ('context_tokens', NULL, 'most tokens of the passages in the prompt'),
    ('context_tokens', '{register_generator,register_endpoint}', 'room for prompt and text together'),
    ('conversation', NULL, 'earlier turns, from which a question takes its subject'),
    ('corpora', NULL, 'several corpora'),
    ('corpus', NULL, 'name of a corpus'),
    ('count_total', NULL, 'counts the results of all pages'),
    ('delete_source', NULL, 'deletes the rows of the documents from the source, too'),
    ('dialect', NULL, 'openai, openai_legacy, mistral, gemini, azure, anthropic or tei'),
    ('dimensions', NULL, 'length of the vectors, if it is to be shortened'),
    ('directory', NULL, 'directory below socle.model_directory'),
    ('directory', '{import_directory,import_corpus,import_evaluation_set}', 'directory below socle.import_directories'),
    ('directory', '{export_corpus}', 'new directory below socle.export_directories'),
    ('diversity', NULL, '0: by score; towards 1: by difference from the results above'),
    ('document', NULL, 'bytes of a file'),
    ('document', '{create_corpus}', 'column with files, instead of content'),
    ('documents', NULL, 'texts to be scored'),
    ('egress', NULL, 'endpoints that may be sent questions to the corpus and passages of it'),
    ('embedding', NULL, 'a vector of the model of the corpus'),
    ('endpoint', NULL, 'name of an endpoint'),
    ('evaluation_set', NULL, 'name of a table that was taken along, with or without its schema'),
    ('evaluation_sets', NULL, 'tables of questions and judgments to take along'),
    ('example_answer', NULL, 'answer of the worked example'),
    ('example_context', NULL, 'passages of the worked example'),
    ('example_question', NULL, 'question of the worked example'),
    ('extra_body', NULL, 'further fields of requests; null leaves a field out'),
    ('fields', NULL, 'where words are looked for: title, headings, content'),
    ('file', NULL, 'file below socle.model_directory, in the format GGUF'),
    ('file_name', NULL, 'name of the file, a hint'),
    ('file_name', '{create_corpus}', 'column with the names of the files'),
    ('filter', NULL, 'conditions on the columns of the source'),
    ('force', NULL, 'also where corpora use it'),
    ('format', NULL, 'plain, markdown or html'),
    ('fusion', NULL, 'how two rankings become one: adaptive, rrf or minmax'),
    ('generator', NULL, 'name of a generator; without it, socle.default_generator'),
    ('graph', NULL, 'file of the graph, if there are several'),
    ('group_by', NULL, 'column of which each value has its best chunks only'),
    ('group_by_document', NULL, 'only the best chunks of each document'),
    ('group_size', NULL, 'most chunks of a group'),
    ('heading_weight', NULL, 'what a word counts in headings; in the content it counts 1'),
    ('hnsw_ef_construction', NULL, 'candidates that are looked at when the vector index is built'),
    ('hnsw_m', NULL, 'connections of a node in the vector index'),
    ('if_not_exists', NULL, 'a notice instead of an error if it exists'),
    ('incomplete', NULL, 'also where changes are pending: leaves their documents out'),
    ('json_schema', NULL, 'the text is JSON that this schema describes'),
    ('judgments', NULL, 'table of judgments: id of a query, key of a document, grade'),
    ('k', NULL, 'number of results that are looked at'),
    ('keep_chunks', NULL, 'leaves the chunks as an ordinary table'),
    ('key_file', NULL, 'file below socle.egress_key_directory with the key'),
    ('keyword_weight', NULL, 'how much words count in the fusion'),
    ('kind', NULL, 'synonym, protected or stop_word; without it, all'),
    ('kind', '{register_model}', 'embedding, reranker, late_interaction or ocr, if the files do not say it'),
    ('kind', '{register_endpoint_model}', 'embedding or reranker'),
    ('language', NULL, 'language of the query; without it, detected'),
    ('language', '{create_corpus,alter_corpus}', 'language of the documents; auto: detected for each chunk'),
    ('language', '{create_synonyms,create_protected_words,create_stop_words}', 'language of the queries that the rule holds for; without it, all'),
    ('language_column', NULL, 'column with the language of each document'),
    ('large_object', NULL, 'large object with a package of a model'),
    ('license', NULL, 'licence, which is kept with the model'),
    ('marks', NULL, 'what stands before and after each word of the query'),
    ('max_attempts', NULL, 'attempts after which a document that fails is set aside'),
    ('max_response_bytes', NULL, 'longest answer'),
    ('max_sentences', NULL, 'most sentences of an extracted answer'),
    ('max_tokens', NULL, 'most tokens that are written'),
    ('max_tokens', '{chunk,create_corpus,alter_corpus}', 'largest chunk, in tokens'),
    ('max_tokens', '{context,context_passages,prompt}', 'most tokens of all passages together'),
    ('max_tokens', '{register_model}', 'longest input, if it is to be shorter than the files say'),
    ('max_tokens', '{register_endpoint_model}', 'longest input; without it, 512'),
    ('media_type', NULL, 'media type of the file, a hint'),
    ('media_type', '{create_corpus}', 'column with the media types of the files'),
    ('messages', NULL, 'a conversation, as socle.prompt returns it'),
    ('min_relevance', NULL, 'least relevance of an answer'),
    ('min_rerank', NULL, 'leaves out results with a lower rerank_score'),
    ('min_score', NULL, 'leaves out results with a lower score'),
    ('min_similarity', NULL, 'leaves out results with a lower cosine similarity'),
    ('mode', NULL, 'hybrid, vector or keyword'),
    ('mode', '{answer,answer_stream,evaluate_answers}', 'extractive, generated, or auto: generated if a generator is named or set'),
    ('model', NULL, 'name of a model; without it, socle.default_model'),
    ('model', '{register_endpoint}', 'name of the model, as the endpoint knows it'),
    ('model', '{register_endpoint_model}', 'name of the model, as the server knows it; without it, that of the endpoint'),
    ('model', '{import_corpus}', 'name of the model here; without it, the name in the manifest'),
    ('model', '{rerank}', 'name of a reranker; without it, socle.default_rerank_model'),
    ('model', '{chunk}', 'model whose tokens are counted; without it, characters are'),
    ('modes', NULL, 'modes of the search that are measured'),
    ('name', NULL, 'its name'),
    ('neighbours', NULL, 'chunks before and after each hit that are joined with it'),
    ('normalized', NULL, 'whether vectors are brought to the length 1, if the files do not say it'),
    ('ocr', NULL, 'which pictures of files are recognised: auto, those that hold the text; off; always'),
    ('ocr_model', NULL, 'model that recognises them'),
    ('overlap_tokens', NULL, 'tokens of the end of a chunk that the next one repeats'),
    ('package', NULL, 'package of a model'),
    ('part_megabytes', NULL, 'size of a file before compression, about'),
    ('passage_limit', NULL, 'search results that passages are made from'),
    ('passage_order', NULL, 'relevance, or document: those of a document together'),
    ('passage_prefix', NULL, 'text before each passage that is embedded'),
    ('passage_prompt', NULL, 'name of the prompt of the model that passages get'),
    ('pattern', NULL, 'which files, as in a shell: *, ?, [a-z], **'),
    ('pooling', NULL, 'how vectors of tokens become one, if the files do not say it'),
    ('prefix', NULL, 'a text that is being typed'),
    ('prompt', NULL, 'what the model is asked'),
    ('public_key', NULL, 'public key of minisign'),
    ('queries', NULL, 'table of queries: id, text'),
    ('query', NULL, 'what is searched for, in plain words'),
    ('query_prefix', NULL, 'text before each query that is embedded'),
    ('query_prompt', NULL, 'name of the prompt of the model that queries get'),
    ('query_syntax', NULL, 'how words are read: natural, operators or plain'),
    ('question', NULL, 'a question'),
    ('question_template', NULL, 'the message with {context} and {question}'),
    ('questions', NULL, 'table of questions, and the text of a right answer, or NULL where there is none'),
    ('ranges', NULL, 'columns with the bounds of ranges'),
    ('receipt', NULL, 'what socle.forget returned'),
    ('remove_missing', NULL, 'removes rows of files that are gone'),
    ('repair', NULL, 'has what was found repaired'),
    ('replacements', NULL, 'words that terms find; without them, terms find each other'),
    ('rerank_count', NULL, 'candidates that are reranked'),
    ('rerank_model', NULL, 'reranker'),
    ('rerank_weight', NULL, 'weight of the reranker, from 0 to 1'),
    ('result_limit', NULL, 'most results'),
    ('result_offset', NULL, 'results to skip'),
    ('role', NULL, 'a role; public: everybody'),
    ('schema', NULL, 'schema of the function; without it, that of the source'),
    ('score_statistics', NULL, 'where rarity is counted: corpus, or visible chunks'),
    ('search_mode', NULL, 'mode of the search: hybrid, vector or keyword'),
    ('seed', NULL, 'makes a drawn text repeatable'),
    ('signature', NULL, 'signature of the manifest by minisign, if the package does not hold it'),
    ('snippet_by', NULL, 'what a snippet without words of the query shows: words (its beginning) or meaning'),
    ('snippet_length', NULL, 'most characters of a snippet; 0: none'),
    ('source', NULL, 'table whose rows are the documents'),
    ('source', '{export_model}', 'where the weights come from, which is kept with the package'),
    ('source_key', NULL, 'key of a document, as the column of the same name has it'),
    ('source_key', '{forget}', 'key of a document, or an array of keys, as the column of the same name has them'),
    ('stale', NULL, 'chunks whose documents have changed: omit or show'),
    ('stop', NULL, 'texts before which it ends'),
    ('suggestion_limit', NULL, 'most suggestions'),
    ('system', NULL, 'instructions before everything else'),
    ('target', NULL, 'table that files are read into'),
    ('temperature', NULL, '0: the most likely token each time; up to 2: drawn more freely'),
    ('template', NULL, 'template of the prompt'),
    ('template', '{create_corpus,alter_corpus}', 'text before each chunk when it is embedded, such as {title}: {content}'),
    ('template', '{register_generator}', 'chat template of llama.cpp, if that of the file is not known'),
    ('terms', NULL, 'words of queries'),
    ('texts', NULL, 'texts, which are compared together'),
    ('timeout', NULL, 'longest wait'),
    ('timeout_seconds', NULL, 'longest time to the end of the answer'),
    ('title', NULL, 'column with the title'),
    ('title_weight', NULL, 'what a word counts in the title; in the content it counts 1'),
    ('token_model', NULL, 'model of late interaction whose token vectors are stored'),
    ('token_model', '{context,context_passages,prompt}', 'model or generator whose tokens are counted'),
    ('tokenizer', NULL, 'model on this machine whose tokenizer counts; without it, tokens are estimated'),
    ('topic', NULL, 'an area, a function or view, or a part of a name; without it, everything'),
    ('url', NULL, 'base URL, to which the dialect adds its path'),
    ('value_limit', NULL, 'most values of each column'),
    ('vector_optional', NULL, 'searches by words only, with a warning, if the model cannot be used'),
    ('words', '{verify_erasure}', 'rare words of the documents, of at least four bytes'),
    ('words', NULL, 'words of queries; without them, all')),
wanted (name) AS (SELECT regexp_replace(lower(topic), '^socle\.', '')),
-- Of functions with the same name, the first one.
entry (oid, name, type, description) AS (
    (SELECT DISTINCT ON (p.proname) NULL::oid, p.proname::text, CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
            obj_description(p.oid, 'pg_proc')
     FROM pg_proc p WHERE p.pronamespace = 'socle'::regnamespace AND p.proname !~ '^_' ORDER BY p.proname, p.oid)
    UNION ALL
    SELECT c.oid, c.relname, 'view', obj_description(c.oid, 'pg_class')
    FROM pg_class c WHERE c.relnamespace = 'socle'::regnamespace AND c.relkind = 'v'),
listed AS (
    SELECT a.position, coalesce(a.name, 'other') AS area, array_position(a.members, e.name) AS number, e.oid, e.name, e.type, e.description
    FROM entry e LEFT JOIN area a ON e.name = ANY (a.members)),
-- Arguments of a function, or columns of a view.
part (number, name, type, default_value, description) AS (
    (SELECT DISTINCT ON (a.name) a.position + CASE WHEN p.oid = min(p.oid) OVER () THEN 0 ELSE 0.5 END, a.name,
            format_type(coalesce(p.proallargtypes[a.position], p.proargtypes[a.position - 1]), NULL),
            regexp_replace(pg_get_function_arg_default(p.oid, a.position::integer), '::[a-z ]+(\[\])?$', ''),
            (SELECT m.text FROM meaning m WHERE m.argument = a.name AND (m.functions IS NULL OR p.proname = ANY (m.functions))
             ORDER BY m.functions IS NULL LIMIT 1)
     FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY AS a (name, position)
     WHERE p.pronamespace = 'socle'::regnamespace AND p.proname = (SELECT w.name FROM wanted w)
       AND (p.proargmodes IS NULL OR p.proargmodes[a.position] = 'i')
     ORDER BY a.name, p.oid)
    UNION ALL
    SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), NULL, col_description(a.attrelid, a.attnum)
    FROM pg_attribute a JOIN listed l ON l.oid = a.attrelid AND l.name = (SELECT w.name FROM wanted w)
    WHERE a.attnum > 0 AND NOT a.attisdropped)
SELECT l.area, r.name, r.type, r.default_value, r.description
FROM (
    -- In a list, the first clause of a description is enough.
    SELECT l.name AS entry, 0 AS number, l.name, l.type, NULL AS default_value,
           CASE WHEN l.name = w.name THEN l.description ELSE split_part(l.description, '; ', 1) END AS description
    FROM listed l CROSS JOIN wanted w
    WHERE topic IS NULL OR w.name IN (l.area, l.name)
       OR (NOT EXISTS (SELECT FROM listed o WHERE w.name IN (o.area, o.name)) AND strpos(l.name, w.name) > 0)
    UNION ALL
    SELECT w.name, p.number, p.name, p.type, p.default_value, p.description FROM part p CROSS JOIN wanted w) AS r
JOIN listed l ON l.name = r.entry
ORDER BY l.position, l.number, l.name, r.number
$$;
COMMENT ON FUNCTION socle.help IS
    'what there is: functions and views by area; for one of them its arguments or columns, with types, defaults and meaning';
GRANT EXECUTE ON FUNCTION socle.help(text) TO PUBLIC;

REVOKE ALL ON FUNCTION socle.register_generator(text, text, text, integer, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_generator(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.grant_generator(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.revoke_generator(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.generate(text, text, integer, double precision, bigint, text[], text[], jsonb, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.generate(jsonb, text, integer, double precision, bigint, text[], text[], jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.count_generator_tokens(text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.count_generator_tokens(jsonb, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.generator_report() TO PUBLIC;

CREATE TRIGGER check_restored BEFORE INSERT ON socle.generator FOR EACH ROW EXECUTE FUNCTION socle_internal.check_restored();
ALTER TABLE socle.generator ENABLE ALWAYS TRIGGER check_restored;
COMMENT ON TRIGGER check_restored ON socle.generator IS 'skips rows inserted by a role that is not superuser: generators are registered by socle.register_generator';
GRANT INSERT ON socle.generator TO PUBLIC;

-- Endpoints: servers that text of this database may be sent to. There is none unless a superuser registers it, nobody uses one
-- without a grant, and no corpus is sent to one that its owner has not allowed.
--
-- Not dumped, unlike models and generators: a dump that is restored elsewhere opens no door there. No key is in any table.

CREATE TABLE socle.endpoint (
    name text NOT NULL CONSTRAINT endpoint_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    url text NOT NULL,
    dialect text NOT NULL
        CONSTRAINT endpoint_dialect_check
        CHECK (dialect OPERATOR(pg_catalog.=) ANY (ARRAY['openai', 'openai_legacy', 'mistral', 'gemini', 'azure', 'anthropic', 'tei'])),
    model text NOT NULL,
    key_file text,
    ca_file text,
    allow_loopback boolean NOT NULL,
    allow_private boolean NOT NULL,
    timeout_seconds integer NOT NULL
        CONSTRAINT endpoint_timeout_seconds_check CHECK (timeout_seconds OPERATOR(pg_catalog.>) 0),
    max_response_bytes bigint NOT NULL
        CONSTRAINT endpoint_max_response_bytes_check CHECK (max_response_bytes OPERATOR(pg_catalog.>) 0),
    context_tokens integer NOT NULL
        CONSTRAINT endpoint_context_tokens_check CHECK (context_tokens OPERATOR(pg_catalog.>) 0),
    extra_body jsonb,
    registered_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    registered_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT endpoint_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.endpoint IS 'servers that text may be sent to; written by socle.register_endpoint and socle.drop_endpoint; not dumped';
COMMENT ON COLUMN socle.endpoint.name IS 'name of the endpoint where functions take that of a generator; no generator has it';
COMMENT ON COLUMN socle.endpoint.url IS 'base URL, to which the dialect adds its path';
COMMENT ON COLUMN socle.endpoint.dialect IS 'how requests and answers are written';
COMMENT ON COLUMN socle.endpoint.model IS 'name of the model, as the server knows it';
COMMENT ON COLUMN socle.endpoint.key_file IS 'name of the file in socle.egress_key_directory with the key; the key itself is in no table';
COMMENT ON COLUMN socle.endpoint.ca_file IS 'name of the file there with the certificate authorities that are trusted; NULL: those of the machine';
COMMENT ON COLUMN socle.endpoint.allow_loopback IS 'the server may be on this machine';
COMMENT ON COLUMN socle.endpoint.allow_private IS 'the server may be in a private network';
COMMENT ON COLUMN socle.endpoint.timeout_seconds IS 'longest time from the connection to the end of the answer';
COMMENT ON COLUMN socle.endpoint.max_response_bytes IS 'most bytes of an answer';
COMMENT ON COLUMN socle.endpoint.context_tokens IS 'most tokens of prompt and text together, by estimate';
COMMENT ON COLUMN socle.endpoint.extra_body IS 'further fields of requests; those that are null are left out of them';
COMMENT ON COLUMN socle.endpoint.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.endpoint.registered_by IS 'session user that registered the endpoint';
GRANT SELECT ON socle.endpoint TO PUBLIC;

CREATE TABLE socle.endpoint_grant (
    endpoint text NOT NULL CONSTRAINT endpoint_grant_endpoint_fkey REFERENCES socle.endpoint (name) ON DELETE CASCADE,
    role regrole NOT NULL,
    CONSTRAINT endpoint_grant_endpoint_role_key PRIMARY KEY (endpoint, role)
);
COMMENT ON TABLE socle.endpoint_grant IS 'who may use endpoints, besides superusers; written by socle.grant_endpoint and socle.revoke_endpoint';
COMMENT ON COLUMN socle.endpoint_grant.endpoint IS 'name of the endpoint';
COMMENT ON COLUMN socle.endpoint_grant.role IS 'role whose members may use it; -: everybody';
GRANT SELECT ON socle.endpoint_grant TO PUBLIC;

-- They run as their caller, who has to be a superuser: a grant of EXECUTE opens no door.
CREATE FUNCTION socle.register_endpoint(
    name text,
    url text,
    dialect text,
    model text,
    key_file text DEFAULT NULL,
    ca_file text DEFAULT NULL,
    allow_loopback boolean DEFAULT false,
    allow_private boolean DEFAULT false,
    timeout_seconds integer DEFAULT 120,
    max_response_bytes bigint DEFAULT 4194304,
    context_tokens integer DEFAULT 8192,
    extra_body jsonb DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_endpoint_wrapper';
COMMENT ON FUNCTION socle.register_endpoint IS
    'registers a server that text may be sent to by those who are granted it, for corpora that allow it; sends nothing';

-- A superuser has to call it, as what is embedded leaves the server.
CREATE FUNCTION socle.register_endpoint_model(
    name text,
    endpoint text,
    kind text DEFAULT 'embedding',
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    query_prefix text DEFAULT NULL,
    passage_prefix text DEFAULT NULL,
    tokenizer text DEFAULT NULL,
    license text DEFAULT NULL
) RETURNS TABLE (
    name text, kind text, dimensions integer, max_tokens integer, pooling text, normalized boolean, batchable boolean,
    digest text, query_prefix text, passage_prefix text, similarity text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_endpoint_model_wrapper';
COMMENT ON FUNCTION socle.register_endpoint_model IS
    'registers a model that runs on an endpoint, for embedding or reranking; sends the server a text that is always the same, and keeps what it makes of it';

CREATE FUNCTION socle.drop_endpoint(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_endpoint_wrapper';
COMMENT ON FUNCTION socle.drop_endpoint IS 'removes an endpoint, its grants, and its name from all corpora that allow it';

CREATE FUNCTION socle.grant_endpoint(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_endpoint_wrapper';
COMMENT ON FUNCTION socle.grant_endpoint IS 'lets the members of a role use an endpoint; role public: everybody';

CREATE FUNCTION socle.revoke_endpoint(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'revoke_endpoint_wrapper';
COMMENT ON FUNCTION socle.revoke_endpoint IS 'takes back what socle.grant_endpoint gave';

-- Visible to all roles, counts to members of pg_read_all_stats; nothing of what was sent.
CREATE FUNCTION socle.endpoint_report() RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'endpoint_report_wrapper';
COMMENT ON FUNCTION socle.endpoint_report IS 'state of the egress process as one JSON object, as shown by socle.endpoint_status; starts none';

CREATE VIEW socle.endpoint_status AS
SELECT e.name,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.request_count, 0) END AS request_count,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.failure_count, 0) END AS failure_count,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.refusal_count, 0) END AS refusal_count,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.sent_bytes, 0) END AS sent_bytes,
       CASE WHEN p.endpoints IS NOT NULL THEN coalesce(u.received_bytes, 0) END AS received_bytes,
       pg_catalog.to_timestamp(u.used_at) AS used_at,
       p.state,
       p.state_reason,
       p.pid,
       pg_catalog.to_timestamp(p.started_at) AS started_at,
       p.restart_count,
       p.running AS running_count,
       p.network,
       p.files,
       p.version
FROM (SELECT socle.endpoint_report() AS report OFFSET 0) AS r
CROSS JOIN LATERAL pg_catalog.jsonb_to_record(r.report) AS p (
    state text, state_reason text, pid integer, started_at double precision, restart_count integer, running integer,
    endpoints jsonb, network text, files text, version text)
CROSS JOIN socle.endpoint AS e
LEFT JOIN LATERAL pg_catalog.jsonb_to_recordset(p.endpoints) AS u (
    name text, request_count bigint, failure_count bigint, refusal_count bigint, sent_bytes bigint, received_bytes bigint,
    used_at double precision)
    ON u.name OPERATOR(pg_catalog.=) e.name;
COMMENT ON VIEW socle.endpoint_status IS 'registered endpoints, and the process that connects to them, which is one for all and all databases: its columns are the same in each row';
COMMENT ON COLUMN socle.endpoint_status.name IS 'name of the endpoint';
COMMENT ON COLUMN socle.endpoint_status.request_count IS 'requests that may have left since the process started, of all endpoints of this name in all databases; NULL, like the columns to used_at and running_count, for a role without pg_monitor';
COMMENT ON COLUMN socle.endpoint_status.failure_count IS 'those of them that failed or were cancelled';
COMMENT ON COLUMN socle.endpoint_status.refusal_count IS 'requests that were refused before anything left';
COMMENT ON COLUMN socle.endpoint_status.sent_bytes IS 'bytes of the bodies of requests';
COMMENT ON COLUMN socle.endpoint_status.received_bytes IS 'bytes of the bodies of answers';
COMMENT ON COLUMN socle.endpoint_status.used_at IS 'last use';
COMMENT ON COLUMN socle.endpoint_status.state IS 'of the process: running, starting, stopped (it starts when it is needed), or unavailable';
COMMENT ON COLUMN socle.endpoint_status.state_reason IS 'why it is unavailable';
COMMENT ON COLUMN socle.endpoint_status.pid IS 'its process id';
COMMENT ON COLUMN socle.endpoint_status.started_at IS 'its start';
COMMENT ON COLUMN socle.endpoint_status.restart_count IS 'processes before it that died under the same supervisor; ends of idle ones do not count';
COMMENT ON COLUMN socle.endpoint_status.running_count IS 'requests in progress';
COMMENT ON COLUMN socle.endpoint_status.network IS 'what the kernel lets it connect to';
COMMENT ON COLUMN socle.endpoint_status.files IS 'what the kernel lets it read';
COMMENT ON COLUMN socle.endpoint_status.version IS 'version of the process, which is that of the library: see socle.version()';
GRANT SELECT ON socle.endpoint_status TO PUBLIC;

REVOKE ALL ON FUNCTION socle.register_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.register_endpoint_model FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.drop_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.grant_endpoint FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.revoke_endpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.endpoint_report() TO PUBLIC;

ALTER TABLE socle.corpus ADD COLUMN egress text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN socle.corpus.egress IS 'endpoints that may be sent questions to the corpus and passages of it; empty: none';

-- Recognising the text of pictures.
ALTER TABLE socle.corpus
    ADD COLUMN ocr text NOT NULL DEFAULT 'auto'
        CONSTRAINT corpus_ocr_check CHECK (ocr OPERATOR(pg_catalog.=) ANY (ARRAY['auto', 'off', 'always'])),
    ADD COLUMN ocr_model text,
    ADD COLUMN ocr_model_digest text;
COMMENT ON COLUMN socle.corpus.ocr IS 'which pictures of files are recognised: auto: those that hold the text; off; always';
COMMENT ON COLUMN socle.corpus.ocr_model IS 'model that recognises them; NULL: none does';
COMMENT ON COLUMN socle.corpus.ocr_model_digest IS 'identity of the texts that it recognises';

DROP FUNCTION socle.extract(bytea, text, text);
DROP FUNCTION socle.extract_text(bytea, text, text);
DROP FUNCTION socle.document_metadata(bytea, text, text);

CREATE FUNCTION socle.extract(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL, ocr text DEFAULT NULL)
RETURNS TABLE (ordinal integer, page integer, heading_path text[], kind text, content text)
LANGUAGE c STABLE PARALLEL SAFE COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'extract_wrapper';
COMMENT ON FUNCTION socle.extract IS
    'headings, paragraphs, lists, tables and code of a file as markdown, with the page, slide or sheet each begins on';

CREATE FUNCTION socle.extract_text(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL, ocr text DEFAULT NULL)
RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'extract_text_wrapper';
COMMENT ON FUNCTION socle.extract_text IS 'the whole text of a file as markdown';

CREATE FUNCTION socle.document_metadata(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL, ocr text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'document_metadata_wrapper';
COMMENT ON FUNCTION socle.document_metadata IS
    'what a file says about itself: media_type, title, author, language, created, modified, page_count, pages_without_text, unknown_characters, unread_pictures, incomplete; and what was recognised in pictures: pages_recognized, recognition_confidence, unsure_pages, unread_stamps, recognition_languages, missing_letters, recognition_model';

-- Taking a corpus away: into open files, as rows, and into a database again.

CREATE FUNCTION socle.export_corpus(
    corpus text, directory text, incomplete boolean DEFAULT false, part_megabytes integer DEFAULT 64,
    evaluation_sets regclass[] DEFAULT NULL
) RETURNS TABLE (file_name text, row_count bigint, byte_count bigint, sha256 text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'export_corpus_wrapper';
COMMENT ON FUNCTION socle.export_corpus IS
    'writes the chunks of a corpus that the caller may read, with their vectors, as Parquet files into a new directory below socle.export_directories, with a manifest and checksums; incomplete: also where changes are pending; evaluation_sets: tables of questions and judgments to take along';

CREATE FUNCTION socle.export_corpus_rows(corpus text, incomplete boolean DEFAULT false)
RETURNS TABLE (
    source_key jsonb, ordinal integer, content text, heading_path text[], page integer, start_offset integer,
    end_offset integer, token_count integer, content_hash bytea, embedding real[]
)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'export_corpus_rows_wrapper';
COMMENT ON FUNCTION socle.export_corpus_rows IS
    'the chunks of a corpus that the caller may read, with their vectors; incomplete: also where changes are pending';

CREATE FUNCTION socle.import_corpus(
    name text,
    directory text,
    source regclass DEFAULT NULL,
    model text DEFAULT NULL,
    chunk_schema name DEFAULT NULL
) RETURNS regclass
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_corpus_wrapper';
COMMENT ON FUNCTION socle.import_corpus IS
    'reads what socle.export_corpus has written, below socle.import_directories, into a chunk table; with a source, creates the corpus over it, which embeds only what differs; returns the chunk table';

CREATE FUNCTION socle.import_evaluation_set(directory text, evaluation_set text)
RETURNS TABLE (row_number bigint, content jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_evaluation_set_wrapper';
COMMENT ON FUNCTION socle.import_evaluation_set IS
    'the rows of a table that socle.export_corpus has taken along, as objects with texts; jsonb_populate_record makes rows of them';

REVOKE ALL ON FUNCTION socle.export_corpus(text, text, boolean, integer, regclass[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.export_corpus(text, text, boolean, integer, regclass[]) TO pg_write_server_files;
REVOKE ALL ON FUNCTION socle.import_corpus(text, text, regclass, text, name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.import_corpus(text, text, regclass, text, name) TO pg_read_server_files;
REVOKE ALL ON FUNCTION socle.import_evaluation_set(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle.import_evaluation_set(text, text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION socle.export_corpus_rows(text, boolean) TO PUBLIC;

-- Models that come as one file: what was imported, its bytes, the keys that vouch for it, and who may use a model.

ALTER TABLE socle.model ADD COLUMN public_use boolean NOT NULL DEFAULT true, ADD COLUMN package text;
COMMENT ON COLUMN socle.model.public_use IS 'everybody may use the model; false: those in socle.model_grant';
COMMENT ON COLUMN socle.model.package IS 'package that it was imported from, see socle.model_package; NULL: a directory of the server';
ALTER TABLE socle.generator ADD COLUMN package text;
COMMENT ON COLUMN socle.generator.package IS 'package that it was imported from, see socle.model_package; NULL: a file of the server';
COMMENT ON FUNCTION socle.drop_generator(text) IS 'removes a generator from the registry; its file stays, unless it was imported';

CREATE TABLE socle.model_package (
    sha256 text NOT NULL,
    manifest text NOT NULL,
    signature text,
    public_key text,
    imported_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    imported_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT model_package_sha256_key PRIMARY KEY (sha256)
);
COMMENT ON TABLE socle.model_package IS 'packages of models whose files are in this database; written by socle.import_model; not dumped';
COMMENT ON COLUMN socle.model_package.sha256 IS 'SHA-256 of the manifest, which has the checksums of all files';
COMMENT ON COLUMN socle.model_package.manifest IS 'the manifest, byte by byte as it was signed: JSON';
COMMENT ON COLUMN socle.model_package.signature IS 'its signature, as minisign writes it; NULL: unsigned';
COMMENT ON COLUMN socle.model_package.public_key IS 'trusted key whose signature was verified; it counts as long as the key is trusted';
COMMENT ON COLUMN socle.model_package.imported_at IS 'time of the import';
COMMENT ON COLUMN socle.model_package.imported_by IS 'session user that imported it';
GRANT SELECT ON socle.model_package TO PUBLIC;

CREATE TABLE socle.model_package_part (
    package text NOT NULL CONSTRAINT model_package_part_package_fkey REFERENCES socle.model_package (sha256) ON DELETE CASCADE,
    file_number integer NOT NULL,
    part_number integer NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT model_package_part_package_file_number_part_number_key PRIMARY KEY (package, file_number, part_number)
);
ALTER TABLE socle.model_package_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE socle.model_package_part IS 'files of imported models, in parts; not dumped';
COMMENT ON COLUMN socle.model_package_part.package IS 'the package';
COMMENT ON COLUMN socle.model_package_part.file_number IS 'position of the file in the manifest, from 0';
COMMENT ON COLUMN socle.model_package_part.part_number IS 'position of the part in the file, from 0';
COMMENT ON COLUMN socle.model_package_part.bytes IS 'at most 1 MB';
REVOKE ALL ON socle.model_package_part FROM PUBLIC;

CREATE TABLE socle.trusted_key (
    name text NOT NULL CONSTRAINT trusted_key_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    public_key text NOT NULL,
    key_id text NOT NULL,
    trusted_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    trusted_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT trusted_key_name_key PRIMARY KEY (name),
    CONSTRAINT trusted_key_public_key_key UNIQUE (public_key)
);
COMMENT ON TABLE socle.trusted_key IS 'keys whose signatures vouch for models; written by socle.trust_key and socle.distrust_key; not dumped';
COMMENT ON COLUMN socle.trusted_key.name IS 'who vouches';
COMMENT ON COLUMN socle.trusted_key.public_key IS 'public key, as minisign -P takes it';
COMMENT ON COLUMN socle.trusted_key.key_id IS 'identity of the key, as minisign shows it';
COMMENT ON COLUMN socle.trusted_key.trusted_at IS 'since when it is trusted';
COMMENT ON COLUMN socle.trusted_key.trusted_by IS 'session user that trusts it';
GRANT SELECT ON socle.trusted_key TO PUBLIC;

CREATE TABLE socle.model_grant (
    model text NOT NULL CONSTRAINT model_grant_model_fkey REFERENCES socle.model (name) ON DELETE CASCADE,
    role regrole NOT NULL,
    CONSTRAINT model_grant_model_role_key PRIMARY KEY (model, role)
);
COMMENT ON TABLE socle.model_grant IS 'who may use models that are not public; written by socle.grant_model and socle.revoke_model; not dumped';
COMMENT ON COLUMN socle.model_grant.model IS 'name of the model';
COMMENT ON COLUMN socle.model_grant.role IS 'role whose members may use it';
GRANT SELECT ON socle.model_grant TO PUBLIC;

-- They run as their caller, for the rights to the large object, and write the tables above as the owner of the extension.
CREATE FUNCTION socle.export_model(name text, source text DEFAULT NULL) RETURNS oid
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'export_model_wrapper';
COMMENT ON FUNCTION socle.export_model IS
    'writes a model, or a generator, with its manifest into a new large object of the caller, a tar file; source: where its weights come from; returns the large object';

CREATE FUNCTION socle.import_model(name text, package bytea, signature text DEFAULT NULL)
RETURNS TABLE (name text, kind text, digest text, file_count integer, byte_count bigint, license text, source text, vouched_by text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_model_bytes_wrapper';
COMMENT ON FUNCTION socle.import_model(text, bytea, text) IS
    'stores a package that socle.export_model has written in this database, and registers its model; signature: that of its manifest, if the package does not hold it';

CREATE FUNCTION socle.import_model(name text, large_object oid, signature text DEFAULT NULL)
RETURNS TABLE (name text, kind text, digest text, file_count integer, byte_count bigint, license text, source text, vouched_by text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_model_large_object_wrapper';
COMMENT ON FUNCTION socle.import_model(text, oid, text) IS
    'the same from a large object, which may be of any size: 1 MB of it is in memory at a time';

-- They run as their caller, who has to be a superuser: a grant of EXECUTE makes nobody one who says whom to trust.
CREATE FUNCTION socle.trust_key(name text, public_key text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trust_key_wrapper';
COMMENT ON FUNCTION socle.trust_key IS
    'trusts a public key of minisign: what it has signed is vouched for, packages that were imported before included; returns the identity of the key';

CREATE FUNCTION socle.distrust_key(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'distrust_key_wrapper';
COMMENT ON FUNCTION socle.distrust_key IS 'ends the trust in a key: what it alone has signed counts as unsigned from then on';

-- SECURITY DEFINER, as socle.register_model.
CREATE FUNCTION socle.grant_model(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_model_wrapper';
COMMENT ON FUNCTION socle.grant_model IS 'lets the members of a role use a model; role public: everybody, as for each new model';

CREATE FUNCTION socle.revoke_model(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'revoke_model_wrapper';
COMMENT ON FUNCTION socle.revoke_model IS 'takes back what socle.grant_model gave; corpora that use the model already go on';

DROP FUNCTION socle.drop_model(text);
CREATE FUNCTION socle.drop_model(name text, force boolean DEFAULT false) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_model_wrapper';
COMMENT ON FUNCTION socle.drop_model IS 'removes a model from the registry, unless corpora use it; its files stay, but for those that were imported; force: also where corpora use it';

CREATE OR REPLACE VIEW socle.model_status AS
SELECT m.name,
       m.kind,
       m.dimensions,
       m.max_tokens,
       m.license,
       m.digest,
       m.registered_at,
       (l.digest IS NOT NULL) AS loaded,
       coalesce(l.memory_bytes, 0) AS memory_bytes,
       pg_catalog.to_timestamp(l.loaded_at) AS loaded_at,
       pg_catalog.to_timestamp(l.used_at) AS used_at,
       coalesce(l.text_count, 0) AS text_count,
       m.public_use,
       m.package,
       k.name AS vouched_by,
       m.endpoint
FROM socle.model AS m
LEFT JOIN socle.model_package AS p ON p.sha256 OPERATOR(pg_catalog.=) m.package
LEFT JOIN socle.trusted_key AS k ON k.public_key OPERATOR(pg_catalog.=) p.public_key
LEFT JOIN pg_catalog.jsonb_to_recordset(socle.engine_report() OPERATOR(pg_catalog.->) 'models') AS l (
    digest text, memory_bytes bigint, loaded_at double precision, used_at double precision, text_count bigint)
    ON l.digest OPERATOR(pg_catalog.=) m.digest;
COMMENT ON COLUMN socle.model_status.public_use IS 'everybody may use it; false: those in socle.model_grant';
COMMENT ON COLUMN socle.model_status.package IS 'package that it was imported from; NULL: a directory of the server';
COMMENT ON COLUMN socle.model_status.vouched_by IS 'name of the trusted key that has signed the package; NULL: nobody vouches for the model';
COMMENT ON COLUMN socle.model_status.endpoint IS 'endpoint that the model runs on; NULL: this machine';

REVOKE ALL ON FUNCTION socle.drop_model(text, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.export_model(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.import_model(text, bytea, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.import_model(text, oid, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.trust_key(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.distrust_key(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.grant_model(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.revoke_model(text, text) FROM PUBLIC;
-- The ledger: what has happened, in an append-only file of the cluster whose entries are chained by their hashes. Not a table: a row
-- vanishes with a rollback, cannot be written on a standby, and can be changed by its owner.

-- Reads the file itself, and checks that the caller may read the view. Superusers see all entries, others those of this database.
CREATE FUNCTION socle_internal.ledger_entries() RETURNS TABLE (
    chain text, is_current boolean, number bigint, at timestamp with time zone, kind text, database text, role text, session_role text, hash text,
    body text, question text, answer text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 10000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ledger_entries_wrapper';
COMMENT ON FUNCTION socle_internal.ledger_entries IS 'the entries of the ledger, for those who may read socle.ledger';

CREATE VIEW socle.ledger AS
SELECT e.chain,
       e.number,
       e.at,
       e.kind,
       e.database,
       e.role,
       e.session_role,
       CASE
           WHEN e.is_current
                AND e.database OPERATOR(pg_catalog.=) pg_catalog.current_database()
                AND b.xid OPERATOR(pg_catalog.<) pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
               THEN pg_catalog.pg_xact_status(b.xid)
       END AS transaction_state,
       e.body::pg_catalog.jsonb AS entry,
       e.question,
       e.answer,
       e.hash
FROM socle_internal.ledger_entries() AS e
CROSS JOIN LATERAL (
    SELECT (e.body::pg_catalog.jsonb OPERATOR(pg_catalog.->) 'data' OPERATOR(pg_catalog.->>) 'xid')::pg_catalog.xid8 AS xid OFFSET 0) AS b;
COMMENT ON VIEW socle.ledger IS 'what has happened: entries of the ledger of the cluster, those of this database or, for a superuser, all; grant SELECT to whom it concerns';
COMMENT ON COLUMN socle.ledger.chain IS 'chain that the entry is in; a standby, and a server that was promoted or restored, has its own';
COMMENT ON COLUMN socle.ledger.number IS 'its number in the chain';
COMMENT ON COLUMN socle.ledger.at IS 'when it was written';
COMMENT ON COLUMN socle.ledger.kind IS 'what has happened';
COMMENT ON COLUMN socle.ledger.database IS 'database of the session';
COMMENT ON COLUMN socle.ledger.role IS 'role whose rights the session had';
COMMENT ON COLUMN socle.ledger.session_role IS 'role that had logged in';
COMMENT ON COLUMN socle.ledger.transaction_state IS 'of what is recorded before its commit: committed, aborted or in progress; NULL for what is recorded at once, and where it is not known any more';
COMMENT ON COLUMN socle.ledger.entry IS 'the whole entry';
COMMENT ON COLUMN socle.ledger.question IS 'text of the question, if socle.ledger_text was on and it has not been erased';
COMMENT ON COLUMN socle.ledger.answer IS 'text of the answer, likewise';
COMMENT ON COLUMN socle.ledger.hash IS 'SHA-256 of the hash of the entry before it and of this entry, as they are written';

CREATE FUNCTION socle.verify_ledger(checkpoint text DEFAULT NULL) RETURNS TABLE (
    chain text, is_current boolean, state text, first_number bigint, last_number bigint, first_at timestamp with time zone,
    last_at timestamp with time zone, confirmed boolean, problems text[])
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 2 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'verify_ledger_wrapper';
COMMENT ON FUNCTION socle.verify_ledger IS 'checks each hash of the ledger, and a checkpoint that was kept elsewhere; a row for each chain';

CREATE FUNCTION socle.ledger_checkpoint() RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ledger_checkpoint_wrapper';
COMMENT ON FUNCTION socle.ledger_checkpoint IS 'what the ledger says now, in three lines to be kept elsewhere, for socle.verify_ledger';

CREATE FUNCTION socle.prune_ledger(before timestamp with time zone) RETURNS TABLE (segment_count bigint, entry_count bigint)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'prune_ledger_wrapper';
COMMENT ON FUNCTION socle.prune_ledger IS 'removes files of the ledger whose entries are all older, and records that; the rest can still be verified';

CREATE FUNCTION socle_internal.ledger_report() RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ledger_report_wrapper';
COMMENT ON FUNCTION socle_internal.ledger_report IS 'state of the ledger as one JSON object, as shown by socle.ledger_status; starts nothing';

CREATE VIEW socle.ledger_status AS
SELECT p.state, p.state_reason, p.chain, p.first_number, p.last_number, p.last_at, p.chain_count, p.segment_count, p.bytes,
       p.unanswered_count
FROM (SELECT socle_internal.ledger_report() AS report OFFSET 0) AS r
CROSS JOIN LATERAL pg_catalog.jsonb_to_record(r.report) AS p (
    state text, state_reason text, chain text, first_number bigint, last_number bigint, last_at timestamp with time zone,
    chain_count integer, segment_count integer, bytes bigint, unanswered_count bigint);
COMMENT ON VIEW socle.ledger_status IS 'state of the ledger of the cluster, for members of pg_monitor';
COMMENT ON COLUMN socle.ledger_status.state IS 'writing; stopped (its process starts when it is needed); unreadable: something in its directory is not as it was written or does not belong there, and entries are written all the same; failed: nothing can be written, so nothing is sent to endpoints';
COMMENT ON COLUMN socle.ledger_status.state_reason IS 'why it failed or cannot be read';
COMMENT ON COLUMN socle.ledger_status.chain IS 'chain that is written';
COMMENT ON COLUMN socle.ledger_status.first_number IS 'number of its first entry that is kept';
COMMENT ON COLUMN socle.ledger_status.last_number IS 'number of its last entry';
COMMENT ON COLUMN socle.ledger_status.last_at IS 'when that was written';
COMMENT ON COLUMN socle.ledger_status.chain_count IS 'chains on disk; those besides the current one were written elsewhere or before';
COMMENT ON COLUMN socle.ledger_status.segment_count IS 'files of all chains';
COMMENT ON COLUMN socle.ledger_status.bytes IS 'their size';
COMMENT ON COLUMN socle.ledger_status.unanswered_count IS 'requests to endpoints in the newest file whose outcome is not in it: those under way, and those that may have left and were never answered';
GRANT SELECT ON socle.ledger_status TO pg_monitor;

-- From an answer, a citation or a vector to where it comes from, and to what was made of it. What the ledger has is for those who
-- may read socle.ledger; a chunk, and whether a citation holds, for those who may read its row.
CREATE FUNCTION socle.trace(answer text) RETURNS TABLE (step text, corpus_name text, source_key jsonb, detail jsonb)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trace_answer_wrapper';
COMMENT ON FUNCTION socle.trace(text) IS
    'finds an answer in the ledger by its text: who had it when, by which models, and what it cites; socle.cite() says whether that still stands';

CREATE FUNCTION socle.trace(citation jsonb) RETURNS TABLE (step text, corpus_name text, source_key jsonb, detail jsonb)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trace_citation_wrapper';
COMMENT ON FUNCTION socle.trace(jsonb) IS
    'whether a citation still stands, what its corpus is made with, and all answers of the ledger that cite the same document';

CREATE FUNCTION socle.trace(corpus text, chunk_id bigint) RETURNS TABLE (step text, corpus_name text, source_key jsonb, detail jsonb)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trace_chunk_wrapper';
COMMENT ON FUNCTION socle.trace(text, bigint) IS
    'what the vector of a chunk was made of and with, and all answers of the ledger that cite the same document';

REVOKE ALL ON FUNCTION socle.verify_ledger(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.ledger_checkpoint() FROM PUBLIC;
REVOKE ALL ON FUNCTION socle.prune_ledger(timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION socle_internal.ledger_entries() TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle_internal.ledger_report() TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.trace(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.trace(jsonb) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.trace(text, bigint) TO PUBLIC;

GRANT EXECUTE ON FUNCTION socle.extract(bytea, text, text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.extract_text(bytea, text, text, text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.document_metadata(bytea, text, text, text) TO PUBLIC;

-- It has no key: without this, a publication of all tables would keep workers from deleting.
ALTER TABLE socle.missed_change REPLICA IDENTITY FULL;

-- The type "vector" of new arguments.
SELECT socle_internal.check_installation();

-- Keep this last: other parts of this script stand before it.
-- Written in the transaction that deletes. It holds no key and no text: workers erase whatever deleted rows have left.
CREATE TABLE socle.erasure (
    erasure text NOT NULL,
    corpus text NOT NULL,
    requested_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    requested_by text NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT erasure_state_check CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'done'])),
    state_reason text,
    attempt_count integer NOT NULL DEFAULT 0,
    next_attempt_at timestamp with time zone NOT NULL DEFAULT '-infinity',
    finished_at timestamp with time zone,
    rewritten_segments bigint,
    cleared_pages bigint,
    removed_files bigint,
    CONSTRAINT erasure_key PRIMARY KEY (erasure, corpus)
);
COMMENT ON TABLE socle.erasure IS 'erasures and how far they are; written only by socle, read through socle.erasure_status';
COMMENT ON COLUMN socle.erasure.erasure IS 'identifier, as in the receipt';
COMMENT ON COLUMN socle.erasure.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.erasure.requested_at IS 'when socle.forget was called';
COMMENT ON COLUMN socle.erasure.requested_by IS 'role that called it';
COMMENT ON COLUMN socle.erasure.xid IS 'transaction that deleted the rows';
COMMENT ON COLUMN socle.erasure.state IS 'pending, or done: nothing is left in tables and files of socle';
COMMENT ON COLUMN socle.erasure.state_reason IS 'what it waits for';
COMMENT ON COLUMN socle.erasure.attempt_count IS 'attempts in a row that had to wait for the same reason';
COMMENT ON COLUMN socle.erasure.next_attempt_at IS 'not before';
COMMENT ON COLUMN socle.erasure.finished_at IS 'when it was done';
COMMENT ON COLUMN socle.erasure.rewritten_segments IS 'segments of the keyword index that were written again without words of deleted chunks';
COMMENT ON COLUMN socle.erasure.cleared_pages IS 'pages of tables and B-trees whose free space was overwritten';
COMMENT ON COLUMN socle.erasure.removed_files IS 'files of former segments that were removed from the cache of the engine';

CREATE VIEW socle.erasure_status AS
SELECT e.erasure, e.corpus, e.requested_at, e.requested_by, e.state,
       CASE WHEN e.state OPERATOR(pg_catalog.=) 'done' THEN NULL
            WHEN c.name IS NULL THEN 'the corpus was dropped with its tables: what is left of its segments goes with the next erasure, or VACUUM FULL socle.keyword_segment_part'
            WHEN b.corpus IS NULL OR c.state OPERATOR(pg_catalog.=) ANY (ARRAY['paused', 'broken', 'filling'])
                THEN pg_catalog.format('the corpus is %s%s: it goes on once that is over', CASE WHEN b.corpus IS NULL THEN 'paused' ELSE c.state END,
                                       CASE WHEN c.state_reason IS NULL THEN '' ELSE pg_catalog.format(' (%s)', c.state_reason) END)
            ELSE coalesce(socle_internal.worker_obstacle(), e.state_reason,
                          'the worker of the corpus has an error: ' OPERATOR(pg_catalog.||) c.state_reason, 'a worker has not begun yet') END AS state_reason,
       e.finished_at, e.rewritten_segments, e.cleared_pages, e.removed_files,
       CASE WHEN e.state OPERATOR(pg_catalog.=) 'pending' AND e.next_attempt_at OPERATOR(pg_catalog.>) e.requested_at THEN e.next_attempt_at END AS next_attempt_at
FROM socle.erasure e
LEFT JOIN socle.corpus c ON c.name OPERATOR(pg_catalog.=) e.corpus
LEFT JOIN socle.corpus_binding b ON b.corpus OPERATOR(pg_catalog.=) e.corpus
WHERE pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
   OR (SELECT pg_catalog.pg_has_role(r.oid, 'USAGE') FROM pg_catalog.pg_roles r
       WHERE r.rolname OPERATOR(pg_catalog.=) (e.requested_by COLLATE pg_catalog."C"));
COMMENT ON VIEW socle.erasure_status IS 'erasures that the caller may act for, and for members of pg_read_all_stats all: how far they are';
COMMENT ON COLUMN socle.erasure_status.erasure IS 'identifier, as in the receipt';
COMMENT ON COLUMN socle.erasure_status.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.erasure_status.requested_at IS 'when socle.forget was called';
COMMENT ON COLUMN socle.erasure_status.requested_by IS 'role that called it';
COMMENT ON COLUMN socle.erasure_status.state IS 'pending, or done: nothing is left in tables and files of socle';
COMMENT ON COLUMN socle.erasure_status.state_reason IS 'what it waits for';
COMMENT ON COLUMN socle.erasure_status.finished_at IS 'when it was done';
COMMENT ON COLUMN socle.erasure_status.rewritten_segments IS 'segments of the keyword index that were written again without words of deleted chunks';
COMMENT ON COLUMN socle.erasure_status.cleared_pages IS 'pages of tables and B-trees whose free space was overwritten';
COMMENT ON COLUMN socle.erasure_status.removed_files IS 'files of former segments that were removed from the cache of the engine';
COMMENT ON COLUMN socle.erasure_status.next_attempt_at IS 'when the next attempt is made, if one has had to wait';
GRANT SELECT ON socle.erasure_status TO PUBLIC;

CREATE FUNCTION socle.forget(
    corpus text,
    source_key jsonb DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    delete_source boolean DEFAULT false
) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp SET row_security = off
AS 'MODULE_PATHNAME', 'forget_wrapper';
COMMENT ON FUNCTION socle.forget IS
    'erases documents from all corpora over the same source, and with delete_source their rows; returns a receipt without their text; what deleted rows leave is cleared away after the commit: see socle.wait_for_erasure()';

-- No SET: that would keep it from ending transactions. It pins the search_path itself.
CREATE PROCEDURE socle.wait_for_erasure(receipt jsonb, timeout interval DEFAULT '5 minutes')
LANGUAGE c
AS 'MODULE_PATHNAME', 'wait_for_erasure_wrapper';
COMMENT ON PROCEDURE socle.wait_for_erasure IS
    'waits until nothing of what socle.forget() has deleted is left in tables and files of socle; an error after the timeout says what it waits for';

CREATE FUNCTION socle.verify_erasure(receipt jsonb, words text[] DEFAULT NULL)
RETURNS TABLE (place text, finding text, occurrences bigint, is_residue boolean, remedy text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp SET row_security = off
AS 'MODULE_PATHNAME', 'verify_erasure_wrapper';
COMMENT ON FUNCTION socle.verify_erasure IS
    'looks for what is left of erased documents in tables and files, by the hashes of a receipt and byte by byte, and for words if some are given; says what it could not look at';
GRANT EXECUTE ON FUNCTION socle.forget TO PUBLIC;
GRANT EXECUTE ON PROCEDURE socle.wait_for_erasure TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.verify_erasure TO PUBLIC;

CREATE FUNCTION socle_internal.process_report() RETURNS TABLE (
    pid integer, parent integer, name text, seccomp text, no_new_privileges boolean, internet_sockets bigint,
    outgoing_connections bigint
)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 30 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'process_report_wrapper';
COMMENT ON FUNCTION socle_internal.process_report IS 'the processes of this server, as the kernel has them at the moment; for members of pg_read_all_stats';

CREATE FUNCTION socle_internal.markdown_cell(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT regexp_replace(regexp_replace(coalesce(value, ''), '[\r\n\t]+', ' ', 'g'), '([\\|`*_<>\[\]])', '\\\1', 'g')
$$;
COMMENT ON FUNCTION socle_internal.markdown_cell IS 'a text that means nothing but itself in a cell of a table in Markdown';

CREATE FUNCTION socle.sovereignty_findings() RETURNS TABLE (
    area text, subject text, property text, value text, attention boolean
)
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 100 SET search_path = pg_catalog, pg_temp
AS $$
WITH process AS MATERIALIZED (SELECT * FROM socle_internal.process_report()),
-- What the three processes say of themselves; their children are theirs.
own (subject, report) AS MATERIALIZED (
    VALUES ('engine', socle.engine_report()), ('generator', socle.generator_report()), ('egress process', socle.endpoint_report())),
confined AS (
    SELECT o.subject || CASE WHEN p.pid = m.pid THEN '' ELSE format(', %s (%s)', p.name, p.pid) END AS subject, o.subject AS program,
           p.pid = m.pid AS is_main, o.report, p.*
    FROM own o CROSS JOIN LATERAL (SELECT (o.report ->> 'pid')::integer AS pid) AS m
    JOIN process p ON p.pid = m.pid OR p.parent = m.pid OR p.parent IN (SELECT f.pid FROM process f WHERE f.parent = m.pid)),
-- The ledger, for those who may read it.
reader AS (SELECT has_table_privilege('socle.ledger', 'SELECT') AS may_read),
entry AS MATERIALIZED (
    SELECT e.number, e.at, e.kind, e.role, e.body::jsonb -> 'data' ->> 'corpus' AS corpus
    FROM reader r CROSS JOIN LATERAL (SELECT l.* FROM socle_internal.ledger_entries() AS l WHERE r.may_read) AS e
    WHERE r.may_read AND e.is_current AND e.database = current_database()),
granted AS (
    SELECT g.endpoint, string_agg(CASE WHEN g.role = 0 THEN 'everybody' ELSE g.role::text END, ', ' ORDER BY g.role::text) AS roles
    FROM socle.endpoint_grant g GROUP BY g.endpoint),
found (position, area, subject, property, value, attention) AS (
    SELECT 1, 'server', 'server', v.property, v.value, false
    FROM (VALUES ('time', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
                 ('database', current_database()::text), ('asked by', session_user::text),
                 ('PostgreSQL', current_setting('server_version')), ('socle', socle.version()),
                 ('role', CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END)) AS v (property, value)
    UNION ALL
    SELECT 1, 'server', 'settings', s.name, CASE WHEN s.setting = '' THEN '(none)' ELSE s.setting END, false
    FROM pg_settings s WHERE s.name LIKE 'socle.%' AND s.name ~ '(director|ledger|signed|_keys)'
    UNION ALL
    SELECT 2, 'processes', o.subject, 'state', coalesce(o.report ->> 'state', 'unknown'), (o.report ->> 'state') = 'unavailable' FROM own o
    UNION ALL
    SELECT 2, 'processes', c.subject, v.property, v.value, v.attention
    FROM confined c CROSS JOIN LATERAL (VALUES
        ('process', c.pid::text, false),
        ('system calls (kernel)', coalesce('seccomp: ' || c.seccomp, 'not readable'), c.seccomp IS DISTINCT FROM 'filter'),
        ('new privileges (kernel)', CASE WHEN c.no_new_privileges THEN 'refused' WHEN NOT c.no_new_privileges THEN 'possible' ELSE 'not readable' END,
         c.no_new_privileges IS NOT TRUE),
        ('internet sockets (kernel)', coalesce(c.internet_sockets::text, 'not readable'),
         c.internet_sockets IS NULL OR (c.program <> 'egress process' AND c.internet_sockets > 0)),
        ('network (its own word)', CASE WHEN c.is_main THEN c.report ->> 'network' END, c.is_main AND c.program <> 'egress process' AND coalesce(c.report ->> 'network', '') !~ '^closed'),
        ('files (its own word)', CASE WHEN c.is_main THEN c.report ->> 'files' END, c.is_main AND coalesce(c.report ->> 'files', '') ~ '^open'))
        AS v (property, value, attention)
    WHERE c.is_main OR v.property !~ 'its own word'
    UNION ALL
    SELECT 2, 'processes', 'PostgreSQL and socle workers', v.property, v.value, false
    FROM (SELECT count(*) AS processes, sum(p.internet_sockets) AS sockets, sum(p.outgoing_connections) AS outgoing,
                 count(*) FILTER (WHERE p.internet_sockets IS NULL) AS unreadable
          FROM process p WHERE p.pid NOT IN (SELECT c.pid FROM confined c)) AS s
    CROSS JOIN LATERAL (VALUES ('processes', s.processes::text), ('internet sockets (kernel)', s.sockets::text),
        ('outgoing connections (kernel)', s.outgoing::text), ('processes that cannot be read', s.unreadable::text)) AS v (property, value)
    UNION ALL
    SELECT 3, 'doors', '(none)', 'state', 'shut: no endpoint is registered in this database', false
    WHERE NOT EXISTS (SELECT FROM socle.endpoint)
    UNION ALL
    SELECT 3, 'doors', e.name, v.property, v.value, v.attention
    FROM socle.endpoint e LEFT JOIN granted g ON g.endpoint = e.name
    LEFT JOIN socle.endpoint_status s ON s.name = e.name
    CROSS JOIN LATERAL (VALUES
        ('open to', e.url, true), ('model there', e.model, false),
        ('may be used by', 'superusers' || coalesce(', ' || g.roles, ''), coalesce(g.roles LIKE '%everybody%', false)),
        ('may be sent passages of', coalesce((SELECT string_agg(c.name, ', ' ORDER BY c.name) FROM socle.corpus c
            WHERE e.name = ANY (c.egress)), 'no corpus'), false),
        ('addresses', concat_ws(', ', 'public', CASE WHEN e.allow_private THEN 'private' END, CASE WHEN e.allow_loopback THEN 'this machine' END), false),
        ('registered', format('%s by %s', to_char(e.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.registered_by), false),
        ('requests since its process started', s.request_count::text, false),
        ('bytes sent since then', s.sent_bytes::text, false)) AS v (property, value, attention)
    UNION ALL
    SELECT 4, 'doors of others', x.extname, 'extension that can connect elsewhere or run programs', x.extversion, true
    FROM pg_extension x
    WHERE x.extname ~ '^(dblink|postgres_fdw|file_fdw|http|pg_net|plpython3u|plperlu|pltclu|plsh|.*_fdw)$'
    UNION ALL
    SELECT 4, 'doors of others', s.srvname, 'foreign server', coalesce(array_to_string(s.srvoptions, ', '), ''), true FROM pg_foreign_server s
    UNION ALL
    SELECT 4, 'doors of others', p.pubname, 'publication', CASE WHEN p.puballtables THEN 'all tables' ELSE 'some tables' END, true FROM pg_publication p
    UNION ALL
    SELECT 4, 'doors of others', s.slot_name, 'replication slot', concat_ws(', ', s.slot_type, s.plugin, CASE WHEN s.active THEN 'active' ELSE 'inactive' END), true
    FROM pg_replication_slots s
    UNION ALL
    SELECT 4, 'doors of others', r.application_name, 'connection that receives WAL, and with it all texts',
           concat_ws(', ', coalesce(host(r.client_addr), 'this machine'), r.state), true
    FROM pg_stat_replication r
    UNION ALL
    SELECT 4, 'doors of others', s.subname, 'subscription, which connects to another server', CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END, true
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()
    UNION ALL
    SELECT 4, 'doors of others', s.name, 'program or library that receives WAL, and with it all texts', 'set', true
    FROM pg_settings s WHERE s.name IN ('archive_command', 'archive_library') AND s.setting NOT IN ('', '(disabled)')
    UNION ALL
    SELECT 5, 'models', m.name, v.property, v.value, v.attention
    FROM (SELECT m.name, m.kind, m.license, m.digest, coalesce('none here: it runs on endpoint ' || m.endpoint, m.directory) AS files,
                 m.package, m.registered_at, m.registered_by
          FROM socle.model m
          UNION ALL
          SELECT g.name, 'generator', g.license, g.digest, g.file, g.package, g.registered_at, g.registered_by FROM socle.generator g) AS m
    LEFT JOIN socle.model_package p ON p.sha256 = m.package
    LEFT JOIN socle.trusted_key t ON t.public_key = p.public_key
    CROSS JOIN LATERAL (VALUES
        ('kind', m.kind, false), ('licence', coalesce(m.license, 'not stated'), m.license IS NULL), ('digest', m.digest, false), ('files', m.files, false),
        ('signature', coalesce('vouched for by ' || t.name, 'nobody vouches for it'), t.name IS NULL AND current_setting('socle.require_signed_models') = 'on'),
        ('registered', format('%s by %s', to_char(m.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), m.registered_by), false))
        AS v (property, value, attention)
    UNION ALL
    SELECT 6, 'corpora', c.name, v.property, v.value, v.attention
    FROM socle.corpus_status c JOIN socle.corpus d ON d.name = c.name
    LEFT JOIN pg_namespace n ON n.nspname = d.chunk_schema
    LEFT JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = d.chunk_table
    CROSS JOIN LATERAL (VALUES
        ('owner', k.relowner::regrole::text, false), ('source', c.source, false),
        ('state', concat_ws(': ', c.state, c.state_reason), c.state IN ('paused', 'broken')),
        ('model', format('%s, digest %s', d.model, d.model_digest), NOT EXISTS (SELECT FROM socle.model m WHERE m.name = d.model AND m.digest = d.model_digest)),
        ('may be sent to', coalesce(nullif(array_to_string(d.egress, ', '), ''), 'nobody'), d.egress <> '{}')) AS v (property, value, attention)
    UNION ALL
    SELECT 7, 'ledger', 'ledger', v.property, coalesce(v.value, '(none)'), v.attention
    FROM (SELECT socle_internal.ledger_report() AS report) AS l CROSS JOIN LATERAL (VALUES
        ('state', concat_ws(': ', l.report ->> 'state', l.report ->> 'state_reason'), (l.report ->> 'state') IN ('failed', 'unreadable')),
        ('recording (socle.ledger)', current_setting('socle.ledger', true), current_setting('socle.ledger', true) IS DISTINCT FROM 'on'),
        ('texts of questions and answers (socle.ledger_text)', current_setting('socle.ledger_text', true), false),
        ('chain', l.report ->> 'chain', false), ('entries', (l.report ->> 'first_number') || ' to ' || (l.report ->> 'last_number'), false),
        ('last entry', l.report ->> 'last_at', false), ('bytes', l.report ->> 'bytes', false)) AS v (property, value, attention)
    UNION ALL
    SELECT 7, 'ledger', 'last entries', format('entry %s', e.number),
           format('%s: %s by %s', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.kind, e.role), false
    FROM (SELECT * FROM entry ORDER BY number DESC LIMIT 5) AS e
    UNION ALL
    SELECT 7, 'ledger', 'last entries', 'not shown', 'the caller has no SELECT on socle.ledger', true FROM reader r WHERE NOT r.may_read
    UNION ALL
    SELECT 9, 'unverified', c.name, 'compared with its source by socle.verify_corpus()',
           CASE WHEN NOT r.may_read THEN 'not known: the caller has no SELECT on socle.ledger'
                ELSE coalesce('last ' || to_char(v.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'never, as far as the ledger goes') END,
           coalesce(v.at < clock_timestamp() - interval '30 days', true)
    FROM socle.corpus c CROSS JOIN reader r
    LEFT JOIN (SELECT e.corpus, max(e.at) AS at FROM entry e WHERE e.kind = 'verify_corpus' GROUP BY e.corpus) AS v ON v.corpus = c.name
    UNION ALL
    SELECT 9, 'unverified', e.corpus, 'imported', format('%s: vectors are believed to be of the model that the manifest names',
        to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), true
    FROM entry e WHERE e.kind = 'import_corpus' AND e.corpus IS NOT NULL
    UNION ALL
    SELECT 8, 'erasures', e.corpus, 'pending since ' || to_char(e.requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), e.state_reason, true
    FROM socle.erasure_status e WHERE e.state = 'pending')
SELECT f.area, f.subject, f.property, f.value, coalesce(f.attention, false) FROM found f
ORDER BY f.position, f.subject, f.attention DESC, f.property
$$;
COMMENT ON FUNCTION socle.sovereignty_findings IS
    'what leaves this server and to whom, what the kernel enforces for each process, models and corpora, with what deserves attention; for members of pg_read_all_stats';

CREATE FUNCTION socle.sovereignty_report() RETURNS jsonb
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp
AS $$
WITH finding AS MATERIALIZED (SELECT * FROM socle.sovereignty_findings()),
subject AS (
    SELECT f.area, f.subject, jsonb_object_agg(f.property, f.value) AS properties FROM finding f GROUP BY f.area, f.subject),
area AS (SELECT s.area, jsonb_object_agg(s.subject, s.properties) AS subjects FROM subject s GROUP BY s.area)
SELECT jsonb_build_object(
    'version', 1,
    'areas', (SELECT jsonb_object_agg(a.area, a.subjects) FROM area a),
    'attention', coalesce((SELECT jsonb_agg(jsonb_build_object('area', f.area, 'subject', f.subject, 'property', f.property, 'value', f.value))
                           FROM finding f WHERE f.attention), '[]'))
$$;
COMMENT ON FUNCTION socle.sovereignty_report IS 'the findings of socle.sovereignty_findings() as JSON: by area and subject, and those that deserve attention';

CREATE FUNCTION socle.sovereignty_report_markdown() RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp
AS $$
WITH finding AS MATERIALIZED (SELECT f.*, row_number() OVER () AS number FROM socle.sovereignty_findings() AS f),
line AS (
    SELECT f.area, min(f.number) OVER (PARTITION BY f.area) AS first, f.number,
           format('| %s | %s | %s | %s |', socle_internal.markdown_cell(f.subject), socle_internal.markdown_cell(f.property),
                  socle_internal.markdown_cell(f.value), CASE WHEN f.attention THEN '**!**' ELSE '' END) AS text
    FROM finding f),
section AS (
    SELECT l.first, format(E'## %s\n\n| subject | property | value | attention |\n|---|---|---|---|\n%s',
                           upper(left(l.area, 1)) || substr(l.area, 2), string_agg(l.text, E'\n' ORDER BY l.number)) AS text
    FROM line l GROUP BY l.area, l.first)
SELECT format(E'# Sovereignty report\n\nDatabase %s, %s. %s of %s findings deserve attention.\n\n%s\n',
              socle_internal.markdown_cell(current_database()), to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
              (SELECT count(*) FROM finding f WHERE f.attention), (SELECT count(*) FROM finding f),
              (SELECT string_agg(s.text, E'\n\n' ORDER BY s.first) FROM section s))
$$;
COMMENT ON FUNCTION socle.sovereignty_report_markdown IS 'the same as a page in Markdown, to be kept or sent to an auditor';
GRANT EXECUTE ON FUNCTION socle_internal.process_report TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle_internal.markdown_cell TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.sovereignty_findings TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.sovereignty_report TO PUBLIC;
GRANT EXECUTE ON FUNCTION socle.sovereignty_report_markdown TO PUBLIC;

SELECT socle_internal.after_update();
