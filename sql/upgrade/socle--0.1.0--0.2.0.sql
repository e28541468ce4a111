-- From 0.1.0 to 0.2.0. What sql/schema creates anew, an existing installation gets here; a test compares both.
\echo Use "ALTER EXTENSION socle UPDATE" to load this file. \quit

-- Documents: characters that a font does not tell are counted.
COMMENT ON FUNCTION socle.document_metadata(bytea, text, text) IS
    'what a file says about itself: media_type, title, author, language, created, modified, page_count, pages_without_text, unknown_characters';

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
    rerank_weight double precision DEFAULT 0.5,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit'
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    highlighted text, start_offset integer, end_offset integer, score double precision,
    vector_rank integer, vector_score double precision, keyword_rank integer, keyword_score double precision,
    rerank_score double precision, fresh_at timestamp with time zone, stale boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'search_wrapper';
COMMENT ON FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text) IS
    'the best passages of a corpus for a query, by meaning and by words, among those that the caller may see';
GRANT EXECUTE ON FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text) TO PUBLIC;

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
    rerank_weight double precision DEFAULT 0.5,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit'
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    highlighted text, start_offset integer, end_offset integer, score double precision,
    vector_rank integer, vector_score double precision, keyword_rank integer, keyword_score double precision,
    rerank_score double precision, fresh_at timestamp with time zone, stale boolean)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'search_many_wrapper';
COMMENT ON FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text) IS
    'the same over several corpora, each of which is ranked by itself';
GRANT EXECUTE ON FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text) TO PUBLIC;

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
    rerank_weight double precision DEFAULT 0.5,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit',
    chunk_id bigint DEFAULT NULL
) RETURNS TABLE (step text, milliseconds double precision, detail text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_search_wrapper';
COMMENT ON FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, bigint) IS
    'what socle.search does for the same arguments, step by step, and where one chunk is won or lost';
GRANT EXECUTE ON FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, bigint) TO PUBLIC;

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
    rerank_weight double precision DEFAULT 0.5,
    min_score double precision DEFAULT NULL,
    group_by_document boolean DEFAULT false,
    diversity double precision DEFAULT 0,
    neighbours integer DEFAULT 0,
    language text DEFAULT NULL,
    score_statistics text DEFAULT 'corpus',
    vector_optional boolean DEFAULT false,
    stale text DEFAULT 'omit',
    chunk_id bigint DEFAULT NULL
) RETURNS TABLE (step text, milliseconds double precision, detail text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_search_many_wrapper';
COMMENT ON FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, bigint) IS
    'the same over several corpora, each step by corpus';
GRANT EXECUTE ON FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, text, bigint) TO PUBLIC;

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

-- Names as PostgreSQL has cut them.
UPDATE socle.corpus SET chunk_key_columns = chunk_key_columns::pg_catalog.name[]::pg_catalog.text[];
