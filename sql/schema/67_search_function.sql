-- Search functions of users: for one corpus, with the key of its source.
CREATE FUNCTION socle.create_search_function(corpus text, name name, schema name DEFAULT NULL) RETURNS regprocedure
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'create_search_function_wrapper';
COMMENT ON FUNCTION socle.create_search_function IS
    'creates a function that searches a corpus as its caller, with the arguments of socle.search after the corpus, and returns the key of the source in columns of its names and types; by default in the schema of the source';

CREATE FUNCTION socle_internal.key_column(source_key jsonb, name text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'key_column_wrapper';
COMMENT ON FUNCTION socle_internal.key_column IS
    'value of a column of a key, for functions of socle.create_search_function; an error if the key has no such column';
