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

CREATE FUNCTION socle.answer(
    corpus text,
    question text,
    max_sentences integer DEFAULT 3,
    min_relevance double precision DEFAULT NULL,
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
    answer text, declined boolean, reason text, grounded double precision, relevance double precision,
    coverage double precision, citations jsonb, unmatched_words text[])
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'answer_wrapper';
COMMENT ON FUNCTION socle.answer IS
    'the sentences of a corpus that answer a question, each with a citation, or the reason why it has no answer; without any language model';

CREATE FUNCTION socle.answer(
    corpora text[],
    question text,
    max_sentences integer DEFAULT 3,
    min_relevance double precision DEFAULT NULL,
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
    answer text, declined boolean, reason text, grounded double precision, relevance double precision,
    coverage double precision, citations jsonb, unmatched_words text[])
LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'answer_many_wrapper';
COMMENT ON FUNCTION socle.answer(text[], text, integer, double precision, text, jsonb, text, integer, integer, text, text, double precision, double precision, jsonb, boolean, integer) IS
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
    max_sentences integer DEFAULT 3,
    min_relevance double precision DEFAULT NULL,
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
    question_count integer, answerable_count integer, contained double precision, token_f1 double precision,
    declined_wrongly integer, unanswerable_count integer, declined_rightly integer, median_milliseconds double precision)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'evaluate_answers_wrapper';
COMMENT ON FUNCTION socle.evaluate_answers IS
    'how good the answers of socle.answer are, by a table of questions (question, reference as text or text[], NULL where the corpus has no answer)';

CREATE FUNCTION socle.calibrate(
    corpus text,
    questions regclass,
    max_sentences integer DEFAULT 3,
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
    min_relevance double precision, is_best boolean, answered_rightly integer, answered_wrongly integer,
    declined_wrongly integer, declined_rightly integer, unanswerable_answered integer)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000000 ROWS 50 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'calibrate_wrapper';
COMMENT ON FUNCTION socle.calibrate IS
    'what becomes of the questions of a table, as for socle.evaluate_answers, with each min_relevance that makes a difference, and which is best';
