-- The registry of models. Begins the install script: CREATE SCHEMA without IF NOT EXISTS, so that a schema somebody else
-- has prepared is never adopted.
\echo Use "CREATE EXTENSION socle" to load this file. \quit

CREATE SCHEMA socle;
COMMENT ON SCHEMA socle IS 'retrieval-augmented generation: models, embeddings, chunks, reranking';
GRANT USAGE ON SCHEMA socle TO PUBLIC;

CREATE TABLE socle.model (
    name text NOT NULL CONSTRAINT model_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    kind text NOT NULL CONSTRAINT model_kind_check CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['embedding', 'reranker'])),
    dimensions integer CONSTRAINT model_dimensions_check CHECK (dimensions OPERATOR(pg_catalog.>) 0),
    max_tokens integer NOT NULL CONSTRAINT model_max_tokens_check CHECK (max_tokens OPERATOR(pg_catalog.>) 0),
    pooling text NOT NULL
        CONSTRAINT model_pooling_check CHECK (pooling OPERATOR(pg_catalog.=) ANY (ARRAY['mean', 'cls', 'last', 'none'])),
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
    CONSTRAINT model_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.model IS 'registered models; written by socle.register_model and socle.drop_model';
COMMENT ON COLUMN socle.model.name IS 'name by which functions are given the model';
COMMENT ON COLUMN socle.model.kind IS 'embedding: a vector for a text; reranker: a score for a query and a document';
COMMENT ON COLUMN socle.model.dimensions IS 'length of the vectors; NULL for a reranker';
COMMENT ON COLUMN socle.model.max_tokens IS 'longest input in tokens, special tokens and prefix included';
COMMENT ON COLUMN socle.model.pooling IS 'how the vectors of tokens become one: mean, cls, last, or none where the graph does it';
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
GRANT SELECT ON socle.model TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.model', '');

-- SECURITY DEFINER: whoever is granted EXECUTE may register models without being able to write the table itself.
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
    license text DEFAULT NULL
) RETURNS TABLE (
    name text, kind text, dimensions integer, max_tokens integer, pooling text, normalized boolean, batchable boolean,
    digest text
)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100000 ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'register_model_wrapper';
COMMENT ON FUNCTION socle.register_model(text, text, text, integer, integer, text, boolean, text, text, text, text) IS
    'reads, checks and tries the model in a directory below socle.model_directory and registers it; arguments after the second overrule its files';
REVOKE ALL ON FUNCTION socle.register_model(text, text, text, integer, integer, text, boolean, text, text, text, text) FROM PUBLIC;

CREATE FUNCTION socle.drop_model(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_model_wrapper';
COMMENT ON FUNCTION socle.drop_model(text) IS 'removes a model from the registry; its files stay';
REVOKE ALL ON FUNCTION socle.drop_model(text) FROM PUBLIC;
-- Functions over text. They run as their caller. None is IMMUTABLE: results depend on the registry and on settings.
-- The costs keep the planner from evaluating them more often than it has to.

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
COMMENT ON FUNCTION socle.chunk(text, integer, integer, text, text) IS
    'splits a text (plain, markdown or html) into chunks of at most max_tokens tokens of the model, or characters without one; substr(content, start_offset, end_offset - start_offset) is the chunk';
GRANT EXECUTE ON FUNCTION socle.chunk(text, integer, integer, text, text) TO PUBLIC;

CREATE FUNCTION socle.count_tokens(content text, model text DEFAULT NULL) RETURNS integer
LANGUAGE c STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'count_tokens_wrapper';
COMMENT ON FUNCTION socle.count_tokens(text, text) IS
    'number of tokens that socle.embed() would give the model for this text, prefix and special tokens included';
GRANT EXECUTE ON FUNCTION socle.count_tokens(text, text) TO PUBLIC;

CREATE FUNCTION socle.embed(content text, model text DEFAULT NULL) RETURNS vector
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'embed_wrapper';
COMMENT ON FUNCTION socle.embed(text, text) IS 'vector of a text that is going to be stored';
GRANT EXECUTE ON FUNCTION socle.embed(text, text) TO PUBLIC;

CREATE FUNCTION socle.embed(contents text[], model text DEFAULT NULL) RETURNS vector[]
LANGUAGE c STABLE PARALLEL SAFE COST 1000000
AS 'MODULE_PATHNAME', 'embed_array_wrapper';
COMMENT ON FUNCTION socle.embed(text[], text) IS
    'vectors of many texts at once, in the shape of the array; NULL stays NULL';
GRANT EXECUTE ON FUNCTION socle.embed(text[], text) TO PUBLIC;

CREATE FUNCTION socle.embed_query(query text, model text DEFAULT NULL) RETURNS vector
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'embed_query_wrapper';
COMMENT ON FUNCTION socle.embed_query(text, text) IS
    'vector of a search query, ahead of bulk work; differs from socle.embed() for models with prefixes';
GRANT EXECUTE ON FUNCTION socle.embed_query(text, text) TO PUBLIC;

CREATE FUNCTION socle.rerank(query text, documents text[], model text DEFAULT NULL)
RETURNS TABLE (ordinal integer, score real)
LANGUAGE c STABLE PARALLEL SAFE COST 1000000 ROWS 20
AS 'MODULE_PATHNAME', 'rerank_wrapper';
COMMENT ON FUNCTION socle.rerank(text, text[], text) IS
    'relevance of each document for the query by a cross-encoder, best first; ordinal is the position in the array, score the logit of the model';
GRANT EXECUTE ON FUNCTION socle.rerank(text, text[], text) TO PUBLIC;
-- Text of files. A file is read by a process of its own beside the server, which ends with it; settings limit its time, its
-- memory and its text. media_type and file_name are hints: what the bytes say counts.

CREATE FUNCTION socle.extract(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL)
RETURNS TABLE (ordinal integer, page integer, heading_path text[], kind text, content text)
LANGUAGE c STABLE PARALLEL SAFE COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'extract_wrapper';
COMMENT ON FUNCTION socle.extract(bytea, text, text) IS
    'headings, paragraphs, lists, tables and code of a file as markdown, with the page, slide or sheet each begins on';
GRANT EXECUTE ON FUNCTION socle.extract(bytea, text, text) TO PUBLIC;

CREATE FUNCTION socle.extract_text(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'extract_text_wrapper';
COMMENT ON FUNCTION socle.extract_text(bytea, text, text) IS 'the whole text of a file as markdown';
GRANT EXECUTE ON FUNCTION socle.extract_text(bytea, text, text) TO PUBLIC;

CREATE FUNCTION socle.document_metadata(document bytea, media_type text DEFAULT NULL, file_name text DEFAULT NULL)
RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'document_metadata_wrapper';
COMMENT ON FUNCTION socle.document_metadata(bytea, text, text) IS
    'what a file says about itself: media_type, title, author, language, created, modified, page_count, pages_without_text';
GRANT EXECUTE ON FUNCTION socle.document_metadata(bytea, text, text) TO PUBLIC;

CREATE PROCEDURE socle.import_directory(
    target regclass, directory text, pattern text DEFAULT '**', remove_missing boolean DEFAULT false
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'import_directory_wrapper';
COMMENT ON PROCEDURE socle.import_directory(regclass, text, text, boolean) IS
    'takes the files of a directory below socle.import_directories that are new or changed into a table, and commits as it goes; pattern: * and ? within a name, ** across directories, names with a dot in front by a dot alone';
REVOKE EXECUTE ON PROCEDURE socle.import_directory(regclass, text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE socle.import_directory(regclass, text, text, boolean) TO pg_read_server_files;
-- What runs. Everybody may look: nothing here depends on anybody's data.

CREATE FUNCTION socle.version() RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'version_wrapper';
COMMENT ON FUNCTION socle.version() IS 'version of the library that is loaded';
GRANT EXECUTE ON FUNCTION socle.version() TO PUBLIC;

CREATE FUNCTION socle.engine_report() RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'engine_report_wrapper';
COMMENT ON FUNCTION socle.engine_report() IS 'state of the engine as one JSON object, as shown by the status views; starts no engine';
GRANT EXECUTE ON FUNCTION socle.engine_report() TO PUBLIC;

CREATE VIEW socle.engine_status AS
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
       e.files
FROM pg_catalog.jsonb_to_record(socle.engine_report()) AS e (
    state text, pid integer, started_at double precision, restart_count integer, onnxruntime_version text,
    thread_count integer, memory_bytes bigint, memory_limit_bytes bigint, models jsonb, connection_count integer,
    interactive_queue integer, bulk_queue integer, request_count bigint, batch_count bigint, text_count bigint,
    token_count bigint, tokens_per_second double precision, latency_p50_ms double precision,
    latency_p95_ms double precision, network text, files text);
COMMENT ON VIEW socle.engine_status IS 'the engine of this cluster: one row, whether it runs or not';
COMMENT ON COLUMN socle.engine_status.state IS 'running, starting, or stopped (it starts when it is needed)';
COMMENT ON COLUMN socle.engine_status.pid IS 'process id of the engine';
COMMENT ON COLUMN socle.engine_status.started_at IS 'start of this engine';
COMMENT ON COLUMN socle.engine_status.restart_count IS 'engines before this one under the same supervisor';
COMMENT ON COLUMN socle.engine_status.onnxruntime_version IS 'version of ONNX Runtime; NULL until a model was loaded';
COMMENT ON COLUMN socle.engine_status.thread_count IS 'computing threads of each lane';
COMMENT ON COLUMN socle.engine_status.memory_bytes IS 'resident memory of the engine';
COMMENT ON COLUMN socle.engine_status.memory_limit_bytes IS 'socle.engine_memory_limit, which loaded models stay below';
COMMENT ON COLUMN socle.engine_status.model_count IS 'models in memory';
COMMENT ON COLUMN socle.engine_status.connection_count IS 'sessions connected to the engine';
COMMENT ON COLUMN socle.engine_status.interactive_queue IS 'requests waiting or running in the interactive lane';
COMMENT ON COLUMN socle.engine_status.bulk_queue IS 'requests waiting or running in the bulk lane';
COMMENT ON COLUMN socle.engine_status.request_count IS 'requests answered';
COMMENT ON COLUMN socle.engine_status.batch_count IS 'runs of models';
COMMENT ON COLUMN socle.engine_status.text_count IS 'texts and pairs run';
COMMENT ON COLUMN socle.engine_status.token_count IS 'tokens run, padding not counted';
COMMENT ON COLUMN socle.engine_status.tokens_per_second IS 'tokens per second over the last ten seconds';
COMMENT ON COLUMN socle.engine_status.latency_p50_ms IS 'median latency of the last 1,000 interactive requests, in milliseconds';
COMMENT ON COLUMN socle.engine_status.latency_p95_ms IS '95th percentile of the same';
COMMENT ON COLUMN socle.engine_status.network IS 'what keeps the engine off the network';
COMMENT ON COLUMN socle.engine_status.files IS 'what keeps the engine off other files';
GRANT SELECT ON socle.engine_status TO PUBLIC;

CREATE VIEW socle.model_status AS
SELECT m.name,
       m.kind,
       m.dimensions,
       m.max_tokens,
       m.license,
       m.digest,
       m.registered_at,
       (l.digest IS NOT NULL) AS loaded,
       l.memory_bytes,
       pg_catalog.to_timestamp(l.loaded_at) AS loaded_at,
       pg_catalog.to_timestamp(l.used_at) AS used_at,
       l.text_count
FROM socle.model AS m
LEFT JOIN pg_catalog.jsonb_to_recordset(socle.engine_report() OPERATOR(pg_catalog.->) 'models') AS l (
    digest text, memory_bytes bigint, loaded_at double precision, used_at double precision, text_count bigint)
    ON l.digest OPERATOR(pg_catalog.=) m.digest;
COMMENT ON VIEW socle.model_status IS 'registered models, and what the engine has of them in memory';
COMMENT ON COLUMN socle.model_status.name IS 'name of the model';
COMMENT ON COLUMN socle.model_status.kind IS 'embedding or reranker';
COMMENT ON COLUMN socle.model_status.dimensions IS 'length of its vectors';
COMMENT ON COLUMN socle.model_status.max_tokens IS 'its longest input in tokens';
COMMENT ON COLUMN socle.model_status.license IS 'licence of the weights, as stated at registration';
COMMENT ON COLUMN socle.model_status.digest IS 'identity of its vectors';
COMMENT ON COLUMN socle.model_status.registered_at IS 'time of registration';
COMMENT ON COLUMN socle.model_status.loaded IS 'in the memory of the engine';
COMMENT ON COLUMN socle.model_status.memory_bytes IS 'memory it takes there, estimated at loading';
COMMENT ON COLUMN socle.model_status.loaded_at IS 'time of loading';
COMMENT ON COLUMN socle.model_status.used_at IS 'last use; the oldest goes first when memory runs short';
COMMENT ON COLUMN socle.model_status.text_count IS 'texts and pairs run since it was loaded';
GRANT SELECT ON socle.model_status TO PUBLIC;
-- Corpora: a source table, and the chunks and vectors of its rows, kept true by themselves.
--
-- What is dumped is text, resolved when it is used. socle.corpus_binding holds the same as OIDs and column numbers, so that
-- event triggers can follow renames; it is not dumped, and socle.resume_corpus() makes it anew after a restore.

CREATE TABLE socle.corpus (
    name text NOT NULL CONSTRAINT corpus_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    replaces text CONSTRAINT corpus_replaces_key UNIQUE,
    source_schema text NOT NULL,
    source_table text NOT NULL,
    key_columns text[] NOT NULL,
    key_operators text[] NOT NULL,
    chunk_key_columns text[] NOT NULL,
    content_columns text[] NOT NULL,
    content_roles text[] NOT NULL,
    title_column text,
    language text NOT NULL,
    language_column text,
    template text NOT NULL,
    template_columns text[] NOT NULL,
    chunk_schema text NOT NULL,
    chunk_table text NOT NULL,
    change_table text NOT NULL,
    document_table text NOT NULL,
    model text NOT NULL,
    model_digest text NOT NULL,
    dimensions integer NOT NULL,
    max_tokens integer NOT NULL,
    overlap_tokens integer NOT NULL,
    format text NOT NULL,
    max_attempts integer NOT NULL CONSTRAINT corpus_max_attempts_check CHECK (max_attempts OPERATOR(pg_catalog.>) 0),
    hnsw_m integer NOT NULL,
    hnsw_ef_construction integer NOT NULL,
    state text NOT NULL
        CONSTRAINT corpus_state_check CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['filling', 'active', 'paused', 'broken'])),
    state_reason text,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    filled_at timestamp with time zone,
    CONSTRAINT corpus_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.corpus IS 'corpora; written by socle.create_corpus and its companions';
COMMENT ON COLUMN socle.corpus.name IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus.replaces IS 'the corpus that this one is going to take the place of, once it is filled: see socle.alter_corpus';
COMMENT ON COLUMN socle.corpus.source_schema IS 'schema of the source';
COMMENT ON COLUMN socle.corpus.source_table IS 'table whose rows are the documents';
COMMENT ON COLUMN socle.corpus.key_columns IS 'primary key of the source';
COMMENT ON COLUMN socle.corpus.key_operators IS 'equality operator of each key column';
COMMENT ON COLUMN socle.corpus.chunk_key_columns IS 'columns of the chunk table that hold the key; they keep their names';
COMMENT ON COLUMN socle.corpus.content_columns IS 'columns that a document is made from: texts, an empty line between them, or a file and what is said about it';
COMMENT ON COLUMN socle.corpus.content_roles IS 'what each of them is: text; or document or large_object, media_type, file_name';
COMMENT ON COLUMN socle.corpus.title_column IS 'column with the title of a document';
COMMENT ON COLUMN socle.corpus.language IS 'language of the documents for keyword search; auto: found out for each chunk';
COMMENT ON COLUMN socle.corpus.language_column IS 'column with the language of a document, where that is not NULL';
COMMENT ON COLUMN socle.corpus.template IS 'what is put before each chunk when it is embedded';
COMMENT ON COLUMN socle.corpus.template_columns IS 'columns of the source that the template names';
COMMENT ON COLUMN socle.corpus.chunk_schema IS 'schema of the chunk table';
COMMENT ON COLUMN socle.corpus.chunk_table IS 'table of the chunks; its owner is the owner of the corpus';
COMMENT ON COLUMN socle.corpus.change_table IS 'log of changes that wait for the sync worker, in the same schema';
COMMENT ON COLUMN socle.corpus.document_table IS 'what was made of each document, in the same schema';
COMMENT ON COLUMN socle.corpus.model IS 'model that chunks are embedded with';
COMMENT ON COLUMN socle.corpus.model_digest IS 'identity of its vectors';
COMMENT ON COLUMN socle.corpus.dimensions IS 'length of its vectors';
COMMENT ON COLUMN socle.corpus.max_tokens IS 'largest chunk in tokens of the model';
COMMENT ON COLUMN socle.corpus.overlap_tokens IS 'largest overlap of two chunks in tokens of the model';
COMMENT ON COLUMN socle.corpus.format IS 'how content is read: plain, markdown or html; of files, markdown';
COMMENT ON COLUMN socle.corpus.max_attempts IS 'attempts after which a change that fails is parked';
COMMENT ON COLUMN socle.corpus.hnsw_m IS 'connections of a node in the HNSW index';
COMMENT ON COLUMN socle.corpus.hnsw_ef_construction IS 'candidates that are looked at when the HNSW index is built';
COMMENT ON COLUMN socle.corpus.state IS 'filling: first fill, no vector index yet; active; paused; broken: see state_reason';
COMMENT ON COLUMN socle.corpus.state_reason IS 'why it is paused or broken';
COMMENT ON COLUMN socle.corpus.created_at IS 'time of creation';
COMMENT ON COLUMN socle.corpus.filled_at IS 'time when its first fill was complete, vector index included';
GRANT SELECT ON socle.corpus TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('socle.corpus', '');

CREATE TABLE socle.corpus_binding (
    corpus text NOT NULL CONSTRAINT corpus_binding_corpus_key PRIMARY KEY
        CONSTRAINT corpus_binding_corpus_fkey REFERENCES socle.corpus (name) ON DELETE CASCADE,
    source oid NOT NULL,
    chunk oid NOT NULL,
    change oid NOT NULL,
    document oid NOT NULL,
    key_numbers smallint[] NOT NULL,
    content_numbers smallint[] NOT NULL,
    title_number smallint,
    language_number smallint,
    template_numbers smallint[] NOT NULL,
    keyword_gap bigint NOT NULL DEFAULT 1,
    embedded_count bigint NOT NULL DEFAULT 0,
    reused_count bigint NOT NULL DEFAULT 0,
    documents_per_second double precision,
    worked_at timestamp with time zone,
    keyword_dead bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE socle.corpus_binding IS 'relations and columns of each corpus as this database knows them, and counters; not dumped';
COMMENT ON COLUMN socle.corpus_binding.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus_binding.source IS 'source';
COMMENT ON COLUMN socle.corpus_binding.chunk IS 'chunk table';
COMMENT ON COLUMN socle.corpus_binding.change IS 'change log';
COMMENT ON COLUMN socle.corpus_binding.document IS 'document table';
COMMENT ON COLUMN socle.corpus_binding.key_numbers IS 'column numbers of key_columns';
COMMENT ON COLUMN socle.corpus_binding.content_numbers IS 'column numbers of content_columns';
COMMENT ON COLUMN socle.corpus_binding.title_number IS 'column number of title_column';
COMMENT ON COLUMN socle.corpus_binding.language_number IS 'column number of language_column';
COMMENT ON COLUMN socle.corpus_binding.template_numbers IS 'column numbers of template_columns';
COMMENT ON COLUMN socle.corpus_binding.keyword_gap IS 'chunks written without their keywords since these were last completed; 0: the keyword index is complete';
COMMENT ON COLUMN socle.corpus_binding.embedded_count IS 'chunks that were embedded';
COMMENT ON COLUMN socle.corpus_binding.reused_count IS 'chunks that took their vector from an equal chunk, or kept theirs when their document changed';
COMMENT ON COLUMN socle.corpus_binding.documents_per_second IS 'recent rate of the sync workers';
COMMENT ON COLUMN socle.corpus_binding.worked_at IS 'last time that a batch was finished';
COMMENT ON COLUMN socle.corpus_binding.keyword_dead IS 'chunks that were deleted and may still be in segments of the keyword index';
GRANT SELECT ON socle.corpus_binding TO PUBLIC;

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
    file_name name DEFAULT NULL
) RETURNS regclass
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_corpus_wrapper';
COMMENT ON FUNCTION socle.create_corpus(text, regclass, name[], name, text, name, text, integer, integer, text, text, name, integer, integer, integer, boolean, name, name, name) IS
    'declares the rows of a table as documents, by text columns or by a column with files, and keeps their chunks and vectors true from then on; returns the chunk table';
GRANT EXECUTE ON FUNCTION socle.create_corpus(text, regclass, name[], name, text, name, text, integer, integer, text, text, name, integer, integer, integer, boolean, name, name, name) TO PUBLIC;

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
    hnsw_ef_construction integer DEFAULT NULL
) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'alter_corpus_wrapper';
COMMENT ON FUNCTION socle.alter_corpus(text, name, text, name, text, integer, integer, text, text, integer, integer, integer) IS
    'changes what is not NULL: at once, or by filling new chunks beside the old ones and then taking their place; returns the corpus to watch in socle.corpus_status';
GRANT EXECUTE ON FUNCTION socle.alter_corpus(text, name, text, name, text, integer, integer, text, text, integer, integer, integer) TO PUBLIC;

CREATE FUNCTION socle.drop_corpus(name text, keep_chunks boolean DEFAULT false) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_corpus_wrapper';
COMMENT ON FUNCTION socle.drop_corpus(text, boolean) IS
    'removes a corpus with its chunks, or leaves these as an ordinary table; the source stays as it is';
GRANT EXECUTE ON FUNCTION socle.drop_corpus(text, boolean) TO PUBLIC;

CREATE FUNCTION socle.pause_corpus(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'pause_corpus_wrapper';
COMMENT ON FUNCTION socle.pause_corpus(text) IS 'stops work on a corpus; changes go on being logged';
GRANT EXECUTE ON FUNCTION socle.pause_corpus(text) TO PUBLIC;

CREATE FUNCTION socle.resume_corpus(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'resume_corpus_wrapper';
COMMENT ON FUNCTION socle.resume_corpus(text) IS
    'goes on with a corpus that is paused, broken or restored from a dump, after checking what it consists of';
GRANT EXECUTE ON FUNCTION socle.resume_corpus(text) TO PUBLIC;

CREATE FUNCTION socle.retry_failed(corpus text) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'retry_failed_wrapper';
COMMENT ON FUNCTION socle.retry_failed(text) IS 'has every failed change of a corpus tried again at once; returns their number';
GRANT EXECUTE ON FUNCTION socle.retry_failed(text) TO PUBLIC;

CREATE FUNCTION socle.wait_for_corpus(corpus text, timeout interval DEFAULT '30 seconds') RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'wait_for_corpus_wrapper';
COMMENT ON FUNCTION socle.wait_for_corpus(text, interval) IS
    'waits until every change committed before the call is in the chunks; false when the time is over or changes have failed for good';
GRANT EXECUTE ON FUNCTION socle.wait_for_corpus(text, interval) TO PUBLIC;

-- No SET: that would keep it from ending transactions. It pins the names it uses itself.
CREATE PROCEDURE socle.sync_corpus(corpus text)
LANGUAGE c
AS 'MODULE_PATHNAME', 'sync_corpus_wrapper';
COMMENT ON PROCEDURE socle.sync_corpus(text) IS
    'waits, showing progress, until nothing of a corpus waits any more: changes, its vector index, the swap of alter_corpus';
GRANT EXECUTE ON PROCEDURE socle.sync_corpus(text) TO PUBLIC;

CREATE FUNCTION socle.verify_corpus(corpus text, repair boolean DEFAULT false)
RETURNS TABLE (problem text, source_key jsonb, detail text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp SET row_security = off
AS 'MODULE_PATHNAME', 'verify_corpus_wrapper';
COMMENT ON FUNCTION socle.verify_corpus(text, boolean) IS
    'compares source, chunks and keywords: documents that are missing, stale, orphan or damaged, changes that wait not counted; repair queues them';
GRANT EXECUTE ON FUNCTION socle.verify_corpus(text, boolean) TO PUBLIC;

-- For each row of a source. Runs as whoever writes, does nothing but remember keys, and is installed by create_corpus.
CREATE FUNCTION socle._capture_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'capture_change';
COMMENT ON FUNCTION socle._capture_change() IS 'notes which rows of a source change';
-- Granted, because a restored trigger is created by the owner of its table; it only works on the source of its corpus.
GRANT EXECUTE ON FUNCTION socle._capture_change() TO PUBLIC;

CREATE FUNCTION socle._follow_ddl() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'follow_ddl';
COMMENT ON FUNCTION socle._follow_ddl() IS 'lets corpora follow renames, new partitions and commands that change rows unseen';
REVOKE ALL ON FUNCTION socle._follow_ddl() FROM PUBLIC;

CREATE FUNCTION socle._follow_drop() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'follow_drop';
COMMENT ON FUNCTION socle._follow_drop() IS 'ends corpora whose tables are dropped, and says what those lack that lose a column';
REVOKE ALL ON FUNCTION socle._follow_drop() FROM PUBLIC;

CREATE FUNCTION socle._column_numbers(relation oid, columns text[]) RETURNS smallint[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(a.attnum ORDER BY k.position), '{}')
    FROM unnest(columns) WITH ORDINALITY AS k (name, position)
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = k.name AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION socle._column_numbers(oid, text[]) IS 'numbers of columns by name';
REVOKE ALL ON FUNCTION socle._column_numbers(oid, text[]) FROM PUBLIC;

CREATE FUNCTION socle._column_names(relation oid, numbers smallint[]) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN count(a.attname) = cardinality(numbers) THEN coalesce(array_agg(a.attname::text ORDER BY k.position), '{}') END
    FROM unnest(numbers) WITH ORDINALITY AS k (number, position)
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.number AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION socle._column_names(oid, smallint[]) IS 'names of columns by number; NULL when one of them was dropped';
REVOKE ALL ON FUNCTION socle._column_names(oid, smallint[]) FROM PUBLIC;

CREATE EVENT TRIGGER socle_follow_ddl ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE', 'ALTER SCHEMA') EXECUTE FUNCTION socle._follow_ddl();
COMMENT ON EVENT TRIGGER socle_follow_ddl IS 'lets corpora follow renames, new partitions and commands that change rows unseen';

CREATE EVENT TRIGGER socle_follow_drop ON sql_drop EXECUTE FUNCTION socle._follow_drop();
COMMENT ON EVENT TRIGGER socle_follow_drop IS 'ends corpora whose tables are dropped, and says what those lack that lose a column';
-- What becomes of corpora. Counts and failures are shown to those who may read the change log of the corpus.

CREATE FUNCTION socle._corpus_report() RETURNS TABLE (
    corpus text, document_count bigint, chunk_count bigint, pending_count bigint, failed_count bigint,
    oldest_pending_at timestamp with time zone
)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'corpus_report_wrapper';
COMMENT ON FUNCTION socle._corpus_report() IS 'counts of the corpora whose change log the caller may read';
GRANT EXECUTE ON FUNCTION socle._corpus_report() TO PUBLIC;

CREATE FUNCTION socle._failure_report() RETURNS TABLE (
    corpus text, source_key jsonb, attempt_count integer, next_attempt_at timestamp with time zone, parked boolean,
    failed_at timestamp with time zone, failed_step text, error_sqlstate text, error_message text
)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'failure_report_wrapper';
COMMENT ON FUNCTION socle._failure_report() IS 'failed changes of the corpora whose change log the caller may read';
GRANT EXECUTE ON FUNCTION socle._failure_report() TO PUBLIC;

CREATE VIEW socle.corpus_status AS
SELECT c.name,
       CASE WHEN b.corpus IS NULL THEN 'paused' ELSE c.state END AS state,
       CASE WHEN b.corpus IS NULL THEN 'restored from a dump: check it and call socle.resume_corpus()' ELSE c.state_reason END
           AS state_reason,
       pg_catalog.format('%I.%I', c.source_schema, c.source_table) AS source,
       pg_catalog.format('%I.%I', c.chunk_schema, c.chunk_table) AS chunk_table,
       c.model,
       c.model_digest,
       r.document_count,
       r.chunk_count,
       r.pending_count,
       r.failed_count,
       pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.oldest_pending_at AS lag,
       b.embedded_count,
       b.reused_count,
       b.documents_per_second,
       CASE WHEN r.pending_count OPERATOR(pg_catalog.>) 0 AND b.documents_per_second OPERATOR(pg_catalog.>) 0
            THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+)
                 pg_catalog.make_interval(secs => r.pending_count OPERATOR(pg_catalog./) b.documents_per_second) END
           AS estimated_completion_at,
       b.worked_at
FROM socle.corpus AS c
LEFT JOIN socle.corpus_binding AS b ON b.corpus OPERATOR(pg_catalog.=) c.name
LEFT JOIN socle._corpus_report() AS r ON r.corpus OPERATOR(pg_catalog.=) c.name;
COMMENT ON VIEW socle.corpus_status IS 'corpora: what they consist of, what waits, how fast it goes';
COMMENT ON COLUMN socle.corpus_status.name IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus_status.state IS 'filling: first fill, no vector index yet; active; paused; broken';
COMMENT ON COLUMN socle.corpus_status.state_reason IS 'why it is paused or broken, or why work on it does not succeed at the moment';
COMMENT ON COLUMN socle.corpus_status.source IS 'table whose rows are the documents';
COMMENT ON COLUMN socle.corpus_status.chunk_table IS 'table of the chunks';
COMMENT ON COLUMN socle.corpus_status.model IS 'model that chunks are embedded with';
COMMENT ON COLUMN socle.corpus_status.model_digest IS 'identity of its vectors';
COMMENT ON COLUMN socle.corpus_status.document_count IS 'rows of the source whose chunks are there; NULL for who may not read the change log, like the next four';
COMMENT ON COLUMN socle.corpus_status.chunk_count IS 'chunks';
COMMENT ON COLUMN socle.corpus_status.pending_count IS 'changes that wait, those to be tried again included';
COMMENT ON COLUMN socle.corpus_status.failed_count IS 'changes that have failed for good: see socle.job_failure';
COMMENT ON COLUMN socle.corpus_status.lag IS 'age of the oldest change that waits';
COMMENT ON COLUMN socle.corpus_status.embedded_count IS 'chunks that were embedded since the corpus was created or restored';
COMMENT ON COLUMN socle.corpus_status.reused_count IS 'chunks that kept their vector or took that of an equal one';
COMMENT ON COLUMN socle.corpus_status.documents_per_second IS 'recent rate';
COMMENT ON COLUMN socle.corpus_status.estimated_completion_at IS 'when nothing waits any more, at that rate';
COMMENT ON COLUMN socle.corpus_status.worked_at IS 'last time that a batch was finished';
GRANT SELECT ON socle.corpus_status TO PUBLIC;

CREATE VIEW socle.job_failure AS
SELECT r.corpus, r.source_key, r.attempt_count, r.next_attempt_at, r.parked, r.failed_at, r.failed_step, r.error_sqlstate,
       r.error_message
FROM socle._failure_report() AS r;
COMMENT ON VIEW socle.job_failure IS 'changes that failed, to be tried again or parked';
COMMENT ON COLUMN socle.job_failure.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.job_failure.source_key IS 'primary key of the row of the source';
COMMENT ON COLUMN socle.job_failure.attempt_count IS 'attempts so far';
COMMENT ON COLUMN socle.job_failure.next_attempt_at IS 'time of the next one; NULL when it is parked';
COMMENT ON COLUMN socle.job_failure.parked IS 'not tried again until socle.retry_failed() or another change of the row';
COMMENT ON COLUMN socle.job_failure.failed_at IS 'last failure';
COMMENT ON COLUMN socle.job_failure.failed_step IS 'read, extract, chunk, embed, index or write';
COMMENT ON COLUMN socle.job_failure.error_sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN socle.job_failure.error_message IS 'message of the error';
GRANT SELECT ON socle.job_failure TO PUBLIC;

CREATE VIEW socle.worker_status AS
SELECT a.pid, a.datname AS database, a.backend_start AS started_at, a.state, a.query AS activity, a.wait_event
FROM pg_catalog.pg_stat_activity AS a
WHERE a.backend_type OPERATOR(pg_catalog.=) 'socle sync';
COMMENT ON VIEW socle.worker_status IS 'sync workers of the cluster, as pg_stat_activity shows them to the caller';
COMMENT ON COLUMN socle.worker_status.pid IS 'process id';
COMMENT ON COLUMN socle.worker_status.database IS 'database it works in';
COMMENT ON COLUMN socle.worker_status.started_at IS 'start of its turn';
COMMENT ON COLUMN socle.worker_status.state IS 'active or idle';
COMMENT ON COLUMN socle.worker_status.activity IS 'what it does, or did last';
COMMENT ON COLUMN socle.worker_status.wait_event IS 'what it waits for: SocleEngine, SocleIdle (Extension before PostgreSQL 17), or an event of Postgres';
GRANT SELECT ON socle.worker_status TO PUBLIC;
-- Search: the keyword index, and the functions that read it and the vectors.

-- The rows that a snapshot sees are the index. A segment is written and replaced as a whole, never changed; the engine
-- builds and reads it. Not dumped: it is made anew from the chunks.
CREATE TABLE socle.keyword_file (
    corpus text NOT NULL CONSTRAINT keyword_file_corpus_fkey REFERENCES socle.corpus (name) ON DELETE CASCADE,
    digest bytea NOT NULL,
    part_number integer NOT NULL,
    chunk_count integer NOT NULL,
    byte_count bigint NOT NULL,
    format integer NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT keyword_file_corpus_digest_part_number_key PRIMARY KEY (corpus, digest, part_number)
);
ALTER TABLE socle.keyword_file ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE socle.keyword_file IS 'segments of the keyword index of each corpus, in parts; not dumped, made anew from the chunks';
COMMENT ON COLUMN socle.keyword_file.corpus IS 'name of the corpus';
COMMENT ON COLUMN socle.keyword_file.digest IS 'SHA-256 of the whole segment';
COMMENT ON COLUMN socle.keyword_file.part_number IS 'position of the part in the segment, from 1';
COMMENT ON COLUMN socle.keyword_file.chunk_count IS 'chunks in the segment, those included that have been deleted since';
COMMENT ON COLUMN socle.keyword_file.byte_count IS 'bytes of the segment';
COMMENT ON COLUMN socle.keyword_file.format IS 'format of the index and analysis of the text; another one is made anew';
COMMENT ON COLUMN socle.keyword_file.bytes IS 'at most 1 MB';
REVOKE ALL ON socle.keyword_file FROM PUBLIC;

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
    vector_optional boolean DEFAULT false
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    highlighted text, start_offset integer, end_offset integer, score double precision,
    vector_rank integer, vector_score double precision, keyword_rank integer, keyword_score double precision,
    rerank_score double precision, fresh_at timestamp with time zone)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'search_wrapper';
COMMENT ON FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean) IS
    'the best passages of a corpus for a query, by meaning and by words, among those that the caller may see';
GRANT EXECUTE ON FUNCTION socle.search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean) TO PUBLIC;

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
    vector_optional boolean DEFAULT false
) RETURNS TABLE (
    corpus_name text, chunk_id bigint, source_key jsonb, title text, heading_path text[], page integer, content text,
    highlighted text, start_offset integer, end_offset integer, score double precision,
    vector_rank integer, vector_score double precision, keyword_rank integer, keyword_score double precision,
    rerank_score double precision, fresh_at timestamp with time zone)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'search_many_wrapper';
COMMENT ON FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean) IS
    'the same over several corpora, each of which is ranked by itself';
GRANT EXECUTE ON FUNCTION socle.search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean) TO PUBLIC;

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
    chunk_id bigint DEFAULT NULL
) RETURNS TABLE (step text, milliseconds double precision, detail text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_search_wrapper';
COMMENT ON FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, bigint) IS
    'what socle.search does for the same arguments, step by step, and where one chunk is won or lost';
GRANT EXECUTE ON FUNCTION socle.explain_search(text, text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, bigint) TO PUBLIC;

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
    chunk_id bigint DEFAULT NULL
) RETURNS TABLE (step text, milliseconds double precision, detail text)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'explain_search_many_wrapper';
COMMENT ON FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, bigint) IS
    'the same over several corpora, each step by corpus';
GRANT EXECUTE ON FUNCTION socle.explain_search(text[], text, integer, text, jsonb, text, double precision, integer, text, integer, double precision, double precision, boolean, double precision, integer, text, text, boolean, bigint) TO PUBLIC;

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
    rerank_weight double precision DEFAULT 0.5,
    language text DEFAULT NULL
) RETURNS TABLE (
    mode text, query_count integer, ndcg double precision, recall double precision, reciprocal_rank double precision,
    index_recall double precision, median_milliseconds double precision)
LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 1000000000 ROWS 3 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'evaluate_wrapper';
COMMENT ON FUNCTION socle.evaluate(text, regclass, regclass, integer, text[], text, double precision, jsonb, text, integer, double precision, text) IS
    'how good the first k documents of a search are in each mode, by a table of queries (id, text) and one of judgments (query id, source key, grade)';
GRANT EXECUTE ON FUNCTION socle.evaluate(text, regclass, regclass, integer, text[], text, double precision, jsonb, text, integer, double precision, text) TO PUBLIC;
-- The last word of the script: raises an error, and so undoes everything, where socle could not work.
CREATE FUNCTION socle._check_installation() RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'check_installation_wrapper';
COMMENT ON FUNCTION socle._check_installation() IS 'raises an error unless this database is one that socle works in';
REVOKE ALL ON FUNCTION socle._check_installation() FROM PUBLIC;
SELECT socle._check_installation();
