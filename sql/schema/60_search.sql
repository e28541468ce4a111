-- Search: the keyword index, and the functions that read it and the vectors.

-- The rows that a snapshot sees are the index. A segment is written and replaced as a whole, never changed; the engine
-- builds and reads it. Not dumped: it is rebuilt from the chunks.
CREATE TABLE socle.keyword_segment_part (
    corpus text NOT NULL CONSTRAINT keyword_segment_part_corpus_fkey REFERENCES socle.corpus (name) ON DELETE CASCADE,
    digest bytea NOT NULL,
    part_number integer NOT NULL,
    chunk_count integer NOT NULL,
    byte_count bigint NOT NULL,
    format integer NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT keyword_segment_part_corpus_digest_part_number_key PRIMARY KEY (corpus, digest, part_number)
);
ALTER TABLE socle.keyword_segment_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE socle.keyword_segment_part IS 'segments of the keyword index of each corpus, in parts; not dumped, rebuilt from the chunks';
COMMENT ON COLUMN socle.keyword_segment_part.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.keyword_segment_part.digest IS 'SHA-256 of the whole segment';
COMMENT ON COLUMN socle.keyword_segment_part.part_number IS 'position of the part in the segment, from 1';
COMMENT ON COLUMN socle.keyword_segment_part.chunk_count IS 'chunks in the segment, those included that have been deleted since';
COMMENT ON COLUMN socle.keyword_segment_part.byte_count IS 'bytes of the segment';
COMMENT ON COLUMN socle.keyword_segment_part.format IS 'format of the index and analysis of the text; a segment of another format is rebuilt';
COMMENT ON COLUMN socle.keyword_segment_part.bytes IS 'at most 1 MB';
REVOKE ALL ON socle.keyword_segment_part FROM PUBLIC;

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
COMMENT ON FUNCTION socle.search IS
    'the best passages of a corpus for a query, by meaning and by words, among those that the caller may see';

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
COMMENT ON FUNCTION socle.explain_search IS
    'what socle.search does for the same arguments, step by step, and at which step one chunk is kept or dropped';

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
COMMENT ON FUNCTION socle.evaluate IS
    'how good the first k documents of a search are in each mode, by a table of queries (id, text) and one of judgments (query id, source key, grade)';
