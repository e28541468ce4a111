-- The files that are in a table; the size of a stored value is known without reading it.
SELECT f.file_name, (extract(epoch FROM f.modified_at) * 1000000)::bigint, octet_length(f.data)::bigint FROM {target} f
