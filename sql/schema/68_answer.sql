-- Answers: passages within a number of tokens, the sentences that answer a question, and citations.

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
    passage_limit integer DEFAULT 20
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
    passage_limit integer DEFAULT 20
) RETURNS TABLE (
    number integer, corpus_name text, source_key jsonb, title text, heading_path text[], page integer, start_offset integer,
    end_offset integer, content text, content_sha256 text, score double precision, vector_score double precision,
    keyword_score double precision, rerank_score double precision, token_count integer)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'context_passages_many_wrapper';
COMMENT ON FUNCTION socle.context_passages(text[], text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer) IS
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
    passage_limit integer DEFAULT 20
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
    passage_limit integer DEFAULT 20
) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'context_many_wrapper';
COMMENT ON FUNCTION socle.context(text[], text, integer, text, text, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer) IS
    'the same from several corpora';
