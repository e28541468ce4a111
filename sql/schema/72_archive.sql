-- Taking a corpus away: into open files, as rows, and into a database again.

CREATE FUNCTION socle.export_corpus(
    corpus text, directory text, incomplete boolean DEFAULT false, part_megabytes integer DEFAULT 64,
    evaluation_sets regclass[] DEFAULT NULL
) RETURNS TABLE (file_name text, row_count bigint, byte_count bigint, sha256 text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'export_corpus_wrapper';
COMMENT ON FUNCTION socle.export_corpus IS
    'writes the chunks of a corpus that the caller may read, with their vectors, as Parquet files into a new directory below socle.export_directories, with a manifest and checksums; incomplete: also where changes are pending; evaluation_sets: tables of questions and judgments to take along';

CREATE FUNCTION socle.export_corpus_rows(corpus text, incomplete boolean DEFAULT false)
RETURNS TABLE (
    source_key jsonb, ordinal integer, content text, heading_path text[], page integer, start_offset integer,
    end_offset integer, token_count integer, content_hash bytea, embedding real[]
)
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'export_corpus_rows_wrapper';
COMMENT ON FUNCTION socle.export_corpus_rows IS
    'the chunks of a corpus that the caller may read, with their vectors; incomplete: also where changes are pending';

CREATE FUNCTION socle.import_corpus(
    name text,
    directory text,
    source regclass DEFAULT NULL,
    model text DEFAULT NULL,
    chunk_schema name DEFAULT NULL
) RETURNS regclass
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_corpus_wrapper';
COMMENT ON FUNCTION socle.import_corpus IS
    'reads what socle.export_corpus has written, below socle.import_directories, into a chunk table; with a source, creates the corpus over it, which embeds only what differs; returns the chunk table';

CREATE FUNCTION socle.import_evaluation_set(directory text, evaluation_set text)
RETURNS TABLE (row_number bigint, content jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_evaluation_set_wrapper';
COMMENT ON FUNCTION socle.import_evaluation_set IS
    'the rows of a table that socle.export_corpus has taken along, as objects with texts; jsonb_populate_record makes rows of them';
