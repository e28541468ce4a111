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
