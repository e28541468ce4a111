-- Corpora: a source table, and the chunks and vectors of its rows, kept in sync automatically.
--
-- What is dumped is text, resolved when it is used. socle.corpus_binding holds the same as OIDs and column numbers, so
-- that event triggers can follow renames; it is not dumped, and socle.resume_corpus() rebuilds it after a restore.

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
    token_model text,
    token_model_digest text,
    egress text[] NOT NULL DEFAULT '{}',
    ocr text NOT NULL DEFAULT 'auto'
        CONSTRAINT corpus_ocr_check CHECK (ocr OPERATOR(pg_catalog.=) ANY (ARRAY['auto', 'off', 'always'])),
    ocr_model text,
    ocr_model_digest text,
    CONSTRAINT corpus_name_key PRIMARY KEY (name)
);
COMMENT ON TABLE socle.corpus IS 'corpora; written only by functions of socle';
COMMENT ON COLUMN socle.corpus.name IS 'name of the corpus';
COMMENT ON COLUMN socle.corpus.replaces IS 'the corpus that this one replaces once it is filled: see socle.alter_corpus';
COMMENT ON COLUMN socle.corpus.source_schema IS 'schema of the source';
COMMENT ON COLUMN socle.corpus.source_table IS 'table whose rows are the documents';
COMMENT ON COLUMN socle.corpus.key_columns IS 'primary key of the source';
COMMENT ON COLUMN socle.corpus.key_operators IS 'equality operator of each key column';
COMMENT ON COLUMN socle.corpus.chunk_key_columns IS 'columns of the chunk table that hold the key; they keep their names';
COMMENT ON COLUMN socle.corpus.content_columns IS 'columns that a document is made from: texts, an empty line between them, or a file and what is said about it';
COMMENT ON COLUMN socle.corpus.content_roles IS 'what each of them is: text; or document or large_object, media_type, file_name';
COMMENT ON COLUMN socle.corpus.title_column IS 'column with the title of a document';
COMMENT ON COLUMN socle.corpus.language IS 'language of the documents for keyword search; auto: detected per chunk';
COMMENT ON COLUMN socle.corpus.language_column IS 'column with the language of a document, where that is not NULL';
COMMENT ON COLUMN socle.corpus.template IS 'what is put before each chunk when it is embedded';
COMMENT ON COLUMN socle.corpus.template_columns IS 'columns of the source that the template names';
COMMENT ON COLUMN socle.corpus.chunk_schema IS 'schema of the chunk table';
COMMENT ON COLUMN socle.corpus.chunk_table IS 'table of the chunks; its owner is the owner of the corpus';
COMMENT ON COLUMN socle.corpus.change_table IS 'log of pending changes, in the same schema';
COMMENT ON COLUMN socle.corpus.document_table IS 'one row for each document that was processed, in the same schema';
COMMENT ON COLUMN socle.corpus.model IS 'model that chunks are embedded with';
COMMENT ON COLUMN socle.corpus.model_digest IS 'identity of its vectors';
COMMENT ON COLUMN socle.corpus.dimensions IS 'length of its vectors';
COMMENT ON COLUMN socle.corpus.max_tokens IS 'largest chunk in tokens of the model';
COMMENT ON COLUMN socle.corpus.overlap_tokens IS 'largest overlap of two chunks in tokens of the model';
COMMENT ON COLUMN socle.corpus.format IS 'how content is read: plain, markdown or html; of files, markdown';
COMMENT ON COLUMN socle.corpus.max_attempts IS 'attempts after which a failing change is set aside until socle.retry_failed()';
COMMENT ON COLUMN socle.corpus.hnsw_m IS 'connections of a node in the HNSW index';
COMMENT ON COLUMN socle.corpus.hnsw_ef_construction IS 'candidates that are looked at when the HNSW index is built';
COMMENT ON COLUMN socle.corpus.state IS 'filling: first fill, no vector index yet; active; paused; broken: see state_reason';
COMMENT ON COLUMN socle.corpus.state_reason IS 'why it is paused or broken';
COMMENT ON COLUMN socle.corpus.created_at IS 'time of creation';
COMMENT ON COLUMN socle.corpus.filled_at IS 'time when its first fill was complete, vector index included';
COMMENT ON COLUMN socle.corpus.token_model IS 'model of late interaction whose token vectors are stored with the chunks; NULL: none are';
COMMENT ON COLUMN socle.corpus.token_model_digest IS 'identity of these vectors';
COMMENT ON COLUMN socle.corpus.egress IS 'endpoints that may be sent questions to the corpus and passages of it; empty: none';
COMMENT ON COLUMN socle.corpus.ocr IS 'which pictures of files are recognised: auto: those that hold the text; off; always';
COMMENT ON COLUMN socle.corpus.ocr_model IS 'model that recognises them; NULL: none does';
COMMENT ON COLUMN socle.corpus.ocr_model_digest IS 'identity of the texts that it recognises';
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
    keyword_missing_count bigint NOT NULL DEFAULT 1,
    embedded_count bigint NOT NULL DEFAULT 0,
    reused_count bigint NOT NULL DEFAULT 0,
    documents_per_second double precision,
    worked_at timestamp with time zone,
    keyword_deleted_count bigint NOT NULL DEFAULT 0,
    key_holds boolean NOT NULL DEFAULT true,
    failures_shown_at timestamp with time zone
);
COMMENT ON TABLE socle.corpus_binding IS 'OIDs of the tables and numbers of the columns of each corpus in this database, and counters; not dumped';
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
COMMENT ON COLUMN socle.corpus_binding.keyword_missing_count IS 'chunks that are not in the keyword index yet; 0: it is complete';
COMMENT ON COLUMN socle.corpus_binding.embedded_count IS 'chunks that were embedded';
COMMENT ON COLUMN socle.corpus_binding.reused_count IS 'chunks that took their vector from an equal chunk, or kept theirs when their document changed';
COMMENT ON COLUMN socle.corpus_binding.documents_per_second IS 'recent rate of the sync workers';
COMMENT ON COLUMN socle.corpus_binding.worked_at IS 'last time that a batch was finished';
COMMENT ON COLUMN socle.corpus_binding.keyword_deleted_count IS 'chunks that were deleted and may still be in segments of the keyword index';
COMMENT ON COLUMN socle.corpus_binding.key_holds IS 'chunks match rows of the source by key; false: the key of the source has changed, and searches return nothing until socle.resume_corpus()';
COMMENT ON COLUMN socle.corpus_binding.failures_shown_at IS 'of a corpus that is to replace another: documents that had failed by then may be missing, because its owner has been shown them and resumed it';
GRANT SELECT ON socle.corpus_binding TO PUBLIC;

-- Writers to a source only insert here, and must neither fail nor wait: no foreign key, which would lock a row.
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
-- It has no key: without this, a publication of all tables would keep workers from deleting.
ALTER TABLE socle.missed_change REPLICA IDENTITY FULL;

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
COMMENT ON FUNCTION socle.create_corpus IS
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
COMMENT ON FUNCTION socle.alter_corpus IS
    'changes the options that are not NULL: at once, or by filling new chunks beside the old ones and then replacing these; returns the corpus to watch in socle.corpus_status';

CREATE FUNCTION socle.drop_corpus(name text, keep_chunks boolean DEFAULT false) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'drop_corpus_wrapper';
COMMENT ON FUNCTION socle.drop_corpus IS
    'removes a corpus and its chunks, or keeps these as an ordinary table; the source is not changed';

CREATE FUNCTION socle.pause_corpus(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'pause_corpus_wrapper';
COMMENT ON FUNCTION socle.pause_corpus IS 'pauses a corpus; changes are still logged';

CREATE FUNCTION socle.resume_corpus(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'resume_corpus_wrapper';
COMMENT ON FUNCTION socle.resume_corpus IS
    'resumes a corpus that is paused, broken or restored from a dump, after checking its tables';

CREATE FUNCTION socle.retry_failed(corpus text) RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'retry_failed_wrapper';
COMMENT ON FUNCTION socle.retry_failed IS 'retries every failed change of a corpus at once; returns their number';

CREATE FUNCTION socle.wait_for_corpus(corpus text, timeout interval DEFAULT '30 seconds') RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'wait_for_corpus_wrapper';
COMMENT ON FUNCTION socle.wait_for_corpus IS
    'waits until every change committed before the call is in the chunks; false on timeout or if changes have failed permanently';

-- No SET: that would keep it from ending transactions. It pins the search_path itself.
CREATE PROCEDURE socle.sync_corpus(corpus text)
LANGUAGE c
AS 'MODULE_PATHNAME', 'sync_corpus_wrapper';
COMMENT ON PROCEDURE socle.sync_corpus IS
    'waits, showing progress, until nothing of a corpus is pending any more: changes, its vector index, the swap of alter_corpus';

CREATE FUNCTION socle.verify_corpus(corpus text, repair boolean DEFAULT false)
RETURNS TABLE (problem text, source_key jsonb, detail text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp SET row_security = off
AS 'MODULE_PATHNAME', 'verify_corpus_wrapper';
COMMENT ON FUNCTION socle.verify_corpus IS
    'compares source, chunks and keyword index: documents that are missing, stale, orphan or damaged, without those of pending changes; repair queues them';

-- For each row of a source. Runs as the writer, only remembers keys, and is installed by create_corpus.
CREATE FUNCTION socle._capture_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'capture_change';
COMMENT ON FUNCTION socle._capture_change IS 'logs which rows of a source change';
-- Granted, because a restored trigger is created by the owner of its table; it only works on the source of its corpus.

CREATE FUNCTION socle_internal.follow_ddl() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'follow_ddl';
COMMENT ON FUNCTION socle_internal.follow_ddl IS 'lets corpora follow renames, new partitions, other types and keys, and commands that change rows unseen';

CREATE FUNCTION socle_internal.follow_drop() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'follow_drop';
COMMENT ON FUNCTION socle_internal.follow_drop IS 'removes corpora whose tables are dropped, and marks those that lose a column as broken';

CREATE FUNCTION socle_internal.column_numbers(relation oid, columns text[]) RETURNS smallint[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(a.attnum ORDER BY k.position), '{}')
    FROM unnest(columns) WITH ORDINALITY AS k (name, position)
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = k.name AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION socle_internal.column_numbers IS 'numbers of columns by name';

CREATE FUNCTION socle_internal.column_names(relation oid, numbers smallint[]) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN count(a.attname) = cardinality(numbers) THEN coalesce(array_agg(a.attname::text ORDER BY k.position), '{}') END
    FROM unnest(numbers) WITH ORDINALITY AS k (number, position)
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.number AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION socle_internal.column_names IS 'names of columns by number; NULL when one of them was dropped';

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
COMMENT ON FUNCTION socle_internal.column_type IS 'the type that values of a column can be kept under: without a domain, with length and collation';

CREATE FUNCTION socle_internal.column_types(relation oid, numbers smallint[]) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg((SELECT y.definition FROM socle_internal.column_type(relation, k.number) AS y) ORDER BY k.position)
    FROM unnest(numbers) WITH ORDINALITY AS k (number, position)
$$;
COMMENT ON FUNCTION socle_internal.column_types IS 'the same of several columns, as it stands in SQL; NULL for one that was dropped';

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
COMMENT ON FUNCTION socle_internal.ancestors IS 'the tables that a table inherits from, as a partition too, and the type that it is a table of';

-- No SET: it has to resolve the name of the table as the command does. It pins the search_path itself.
CREATE FUNCTION socle_internal.prepare_ddl() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'prepare_ddl';
COMMENT ON FUNCTION socle_internal.prepare_ddl IS 'lets columns that a chunk depends on change their type';

CREATE EVENT TRIGGER socle_prepare_ddl ON ddl_command_start
    WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE') EXECUTE FUNCTION socle_internal.prepare_ddl();
COMMENT ON EVENT TRIGGER socle_prepare_ddl IS 'lets columns that a chunk depends on change their type';

CREATE EVENT TRIGGER socle_follow_ddl ON ddl_command_end
    WHEN TAG IN ('ALTER EXTENSION', 'ALTER INDEX', 'ALTER SCHEMA', 'ALTER TABLE', 'ALTER TYPE', 'CREATE SCHEMA', 'CREATE TABLE')
    EXECUTE FUNCTION socle_internal.follow_ddl();
COMMENT ON EVENT TRIGGER socle_follow_ddl IS 'lets corpora follow renames, new partitions, other types and keys, and commands that change rows unseen';

CREATE EVENT TRIGGER socle_follow_drop ON sql_drop EXECUTE FUNCTION socle_internal.follow_drop();
COMMENT ON EVENT TRIGGER socle_follow_drop IS 'removes corpora whose tables are dropped, and marks those that lose a column as broken';
