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
    keyword_dead bigint NOT NULL DEFAULT 0,
    key_holds boolean NOT NULL DEFAULT true
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
COMMENT ON COLUMN socle.corpus_binding.key_holds IS 'chunks are known by the key of their row; false: the key of the source has changed, and nothing is shown until socle.resume_corpus()';
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

-- No SET: that would keep it from ending transactions. It pins the search_path itself.
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

-- For each row of a source. Runs as the writer, only remembers keys, and is installed by create_corpus.
CREATE FUNCTION socle._capture_change() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1
AS 'MODULE_PATHNAME', 'capture_change';
COMMENT ON FUNCTION socle._capture_change() IS 'notes which rows of a source change';
-- Granted, because a restored trigger is created by the owner of its table; it only works on the source of its corpus.
GRANT EXECUTE ON FUNCTION socle._capture_change() TO PUBLIC;

CREATE FUNCTION socle._follow_ddl() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'follow_ddl';
COMMENT ON FUNCTION socle._follow_ddl() IS 'lets corpora follow renames, new partitions, other types and keys, and commands that change rows unseen';
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

CREATE FUNCTION socle._column_type(relation oid, number smallint, OUT type oid, OUT name text, OUT definition text)
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
COMMENT ON FUNCTION socle._column_type(oid, smallint) IS 'the type that values of a column can be kept under: without a domain, with length and collation';
GRANT EXECUTE ON FUNCTION socle._column_type(oid, smallint) TO PUBLIC;

CREATE FUNCTION socle._column_types(relation oid, numbers smallint[]) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg((SELECT y.definition FROM socle._column_type(relation, k.number) AS y) ORDER BY k.position)
    FROM unnest(numbers) WITH ORDINALITY AS k (number, position)
$$;
COMMENT ON FUNCTION socle._column_types(oid, smallint[]) IS 'the same of several columns, as it stands in SQL; NULL for one that was dropped';
REVOKE ALL ON FUNCTION socle._column_types(oid, smallint[]) FROM PUBLIC;

CREATE FUNCTION socle._ancestors(relation oid) RETURNS SETOF oid
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
COMMENT ON FUNCTION socle._ancestors(oid) IS 'the tables that a table inherits from, as a partition too, and the type that it is a table of';
REVOKE ALL ON FUNCTION socle._ancestors(oid) FROM PUBLIC;

-- No SET: it has to resolve the name of the table as the command does. It pins the search_path itself.
CREATE FUNCTION socle._prepare_ddl() RETURNS event_trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 100
AS 'MODULE_PATHNAME', 'prepare_ddl';
COMMENT ON FUNCTION socle._prepare_ddl() IS 'lets columns that a chunk depends on change their type';
REVOKE ALL ON FUNCTION socle._prepare_ddl() FROM PUBLIC;

CREATE EVENT TRIGGER socle_prepare_ddl ON ddl_command_start
    WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE') EXECUTE FUNCTION socle._prepare_ddl();
COMMENT ON EVENT TRIGGER socle_prepare_ddl IS 'lets columns that a chunk depends on change their type';

CREATE EVENT TRIGGER socle_follow_ddl ON ddl_command_end
    WHEN TAG IN ('ALTER EXTENSION', 'ALTER INDEX', 'ALTER SCHEMA', 'ALTER TABLE', 'ALTER TYPE', 'CREATE SCHEMA', 'CREATE TABLE')
    EXECUTE FUNCTION socle._follow_ddl();
COMMENT ON EVENT TRIGGER socle_follow_ddl IS 'lets corpora follow renames, new partitions, other types and keys, and commands that change rows unseen';

CREATE EVENT TRIGGER socle_follow_drop ON sql_drop EXECUTE FUNCTION socle._follow_drop();
COMMENT ON EVENT TRIGGER socle_follow_drop IS 'ends corpora whose tables are dropped, and says what those lack that lose a column';
