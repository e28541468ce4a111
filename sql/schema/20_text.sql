-- Functions over text. They run as their caller. None is IMMUTABLE: results depend on the registry and on settings. The
-- costs keep the planner from evaluating them more often than it has to.

CREATE FUNCTION socle.chunk(
    content text,
    max_tokens integer DEFAULT NULL,
    overlap_tokens integer DEFAULT 0,
    format text DEFAULT 'plain',
    model text DEFAULT NULL
) RETURNS TABLE (
    ordinal integer, content text, heading_path text[], start_offset integer, end_offset integer, token_count integer
)
LANGUAGE c STABLE PARALLEL SAFE COST 10000 ROWS 20
AS 'MODULE_PATHNAME', 'chunk_wrapper';
COMMENT ON FUNCTION socle.chunk IS
    'splits a text (plain, markdown or html) into chunks of at most max_tokens tokens of the model, or characters without one; substr(content, start_offset, end_offset - start_offset) is the chunk';

CREATE FUNCTION socle.count_tokens(content text, model text DEFAULT NULL) RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'count_tokens_wrapper';
COMMENT ON FUNCTION socle.count_tokens IS
    'number of tokens that socle.embed() would give the model for this text, prefix and special tokens included';

CREATE FUNCTION socle.embed(content text, model text DEFAULT NULL) RETURNS vector
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'embed_wrapper';
COMMENT ON FUNCTION socle.embed(text, text) IS 'vector of a text that is going to be stored';

CREATE FUNCTION socle.embed(contents text[], model text DEFAULT NULL) RETURNS vector[]
LANGUAGE c STABLE PARALLEL SAFE COST 1000000
AS 'MODULE_PATHNAME', 'embed_array_wrapper';
COMMENT ON FUNCTION socle.embed(text[], text) IS
    'vectors of many texts at once, in the shape of the array; NULL stays NULL';

CREATE FUNCTION socle.embed_query(query text, model text DEFAULT NULL) RETURNS vector
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'embed_query_wrapper';
COMMENT ON FUNCTION socle.embed_query IS
    'vector of a search query, computed before bulk work; differs from socle.embed() for models with prefixes';

CREATE FUNCTION socle.rerank(query text, documents text[], model text DEFAULT NULL)
RETURNS TABLE (ordinal integer, score real)
LANGUAGE c STABLE PARALLEL SAFE COST 1000000 ROWS 20
AS 'MODULE_PATHNAME', 'rerank_wrapper';
COMMENT ON FUNCTION socle.rerank IS
    'relevance of each document for the query by a cross-encoder, best first; ordinal is the position in the array, score the logit of the model';
