-- What else reads a corpus as a search does: similar documents, completions of a text that is being typed, and facets.

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
COMMENT ON FUNCTION socle.similar IS
    'the documents of a corpus most similar to one of them, to a chunk, to some texts or to a vector, among those that the caller may see';

CREATE FUNCTION socle.suggest(
    corpus text,
    prefix text,
    suggestion_limit integer DEFAULT 10
) RETURNS TABLE (suggestion text, kind text, score double precision)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'suggest_wrapper';
COMMENT ON FUNCTION socle.suggest IS
    'what a text that is being typed may become: words, corrections, titles and headings of chunks that the caller may see';

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
COMMENT ON FUNCTION socle.facets IS
    'number of documents that match a query and that the caller may see: first of all of them, then for each value and range of columns of the source';
