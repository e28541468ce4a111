-- The files of a directory that are in a table; the size of a stored value is known without reading it. This statement
-- and its siblings qualify every name, because they run under the search_path of the caller.
SELECT f.file_name, (extract(epoch FROM f.modified_at) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8,
       pg_catalog.octet_length(f.data)::pg_catalog.int8
FROM {target} f
WHERE pg_catalog.starts_with(f.file_name, $1)
