-- The registry of models. Begins the install script: CREATE SCHEMA without IF NOT EXISTS, so that a schema that another
-- role has prepared is never adopted.
\echo Use "CREATE EXTENSION socle" to load this file. \quit

CREATE SCHEMA socle;
COMMENT ON SCHEMA socle IS 'retrieval-augmented generation: models, embeddings, chunks, reranking';
GRANT USAGE ON SCHEMA socle TO PUBLIC;

-- Apart from the functions for users. Only socle._capture_change stays with those, because triggers of sources name it, also
-- in dumps of 0.1.0.
CREATE SCHEMA socle_internal;
COMMENT ON SCHEMA socle_internal IS 'functions that socle itself calls';
GRANT USAGE ON SCHEMA socle_internal TO PUBLIC;

CREATE TABLE socle.model (
    name text NOT NULL CONSTRAINT model_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    kind text NOT NULL CONSTRAINT model_kind_check CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['embedding', 'reranker', 'late_interaction', 'ocr'])),
    dimensions integer CONSTRAINT model_dimensions_check CHECK (dimensions OPERATOR(pg_catalog.>) 0),
    max_tokens integer NOT NULL CONSTRAINT model_max_tokens_check CHECK (max_tokens OPERATOR(pg_catalog.>) 0),
    pooling text NOT NULL
        CONSTRAINT model_pooling_check
        CHECK (pooling OPERATOR(pg_catalog.=) ANY (ARRAY['mean', 'cls', 'last', 'none', 'max', 'mean_sqrt_len', 'weighted_mean'])),
    normalized boolean NOT NULL,
    query_prefix text NOT NULL,
    passage_prefix text NOT NULL,
    license text,
    directory text NOT NULL,
    files jsonb NOT NULL,
    output_name text NOT NULL,
    pad_id integer NOT NULL,
    batchable boolean NOT NULL,
    digest text NOT NULL,
    registered_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    registered_by name NOT NULL DEFAULT SESSION_USER,
    similarity text NOT NULL DEFAULT 'cosine' CONSTRAINT model_similarity_check
        CHECK (similarity OPERATOR(pg_catalog.=) ANY (ARRAY['cosine', 'dot', 'euclidean', 'manhattan'])),
    pool_prefix boolean NOT NULL DEFAULT true,
    lower_case boolean NOT NULL DEFAULT false,
    first_position integer NOT NULL DEFAULT 0
        CONSTRAINT model_first_position_check CHECK (first_position OPERATOR(pg_catalog.>=) 0),
    layers jsonb NOT NULL DEFAULT '[]',
    late_interaction jsonb,
    endpoint text,
    served jsonb CONSTRAINT model_served_check CHECK ((served IS NULL) OPERATOR(pg_catalog.=) (endpoint IS NULL)),
    missing_letters jsonb,
    public_use boolean NOT NULL DEFAULT true,
    package text,
    CONSTRAINT model_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.model IS 'registered models; written by socle.register_model and socle.drop_model';
COMMENT ON COLUMN socle.model.name IS 'name of the model in arguments and settings';
COMMENT ON COLUMN socle.model.kind IS 'embedding: a vector for a text; reranker: a score for a query and a document; late_interaction: the same, by vectors of tokens; ocr: the words of a picture';
COMMENT ON COLUMN socle.model.dimensions IS 'length of the vectors, of texts or of tokens; NULL for models without vectors';
COMMENT ON COLUMN socle.model.max_tokens IS 'longest input in tokens, special tokens and prefix included';
COMMENT ON COLUMN socle.model.pooling IS 'how the vectors of tokens become one: mean, cls, last, max, mean_sqrt_len, weighted_mean, or none where the graph does it';
COMMENT ON COLUMN socle.model.normalized IS 'vectors are scaled to length 1';
COMMENT ON COLUMN socle.model.query_prefix IS 'put before every query';
COMMENT ON COLUMN socle.model.passage_prefix IS 'put before every stored text';
COMMENT ON COLUMN socle.model.license IS 'licence of the weights, as stated at registration';
COMMENT ON COLUMN socle.model.directory IS 'directory of the files, relative to socle.model_directory';
COMMENT ON COLUMN socle.model.files IS 'role, path, size in bytes and SHA-256 of each file';
COMMENT ON COLUMN socle.model.output_name IS 'output of the graph that is read';
COMMENT ON COLUMN socle.model.pad_id IS 'token that fills a batch up to its longest text';
COMMENT ON COLUMN socle.model.batchable IS 'several texts may share one run without changing each other''s result';
COMMENT ON COLUMN socle.model.digest IS 'identity of the vectors: SHA-256 over graph, tokenizer and every parameter that changes a result';
COMMENT ON COLUMN socle.model.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.model.registered_by IS 'session user that registered the model';
COMMENT ON COLUMN socle.model.similarity IS 'how vectors are meant to be compared; the same as cosine where they have length 1, but for manhattan';
COMMENT ON COLUMN socle.model.pool_prefix IS 'the tokens of the prefix are pooled with those of the text';
COMMENT ON COLUMN socle.model.lower_case IS 'texts are put into lower case before they become tokens';
COMMENT ON COLUMN socle.model.first_position IS 'position of the first token, for a graph that is given positions';
COMMENT ON COLUMN socle.model.layers IS 'layers applied to a vector after pooling, in order';
COMMENT ON COLUMN socle.model.late_interaction IS 'how queries and documents become tokens, for this kind of model: markers, masks, what is not compared';
COMMENT ON COLUMN socle.model.public_use IS 'everybody may use the model; false: those in socle.model_grant';
COMMENT ON COLUMN socle.model.package IS 'package that it was imported from, see socle.model_package; NULL: a directory of the server';
COMMENT ON COLUMN socle.model.endpoint IS 'endpoint that the model runs on; NULL for one with files here';
COMMENT ON COLUMN socle.model.served IS 'how it is served there: dialect, name of the model in requests and answers, what it made of the probe, model that counts its tokens';
COMMENT ON COLUMN socle.model.missing_letters IS 'for a model of kind ocr: letters that it cannot write, by language; languages that it can write are not listed';
GRANT SELECT ON socle.model TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.model', '');

-- SECURITY DEFINER: a role that is granted EXECUTE can register models without being able to write the table itself.
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
COMMENT ON FUNCTION socle.register_model IS
    'checks, tries and registers the model in a directory below socle.model_directory; arguments after the second override its files';

CREATE FUNCTION socle.drop_model(name text, force boolean DEFAULT false) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_model_wrapper';
COMMENT ON FUNCTION socle.drop_model IS 'removes a model from the registry, unless corpora use it; its files stay, but for those that were imported; force: also where corpora use it';
