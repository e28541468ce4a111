-- State of the index $2 of the chunk table $1: 'valid', 'invalid', or no row.
SELECT CASE WHEN i.indisvalid THEN 'valid' ELSE 'invalid' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = $1 AND c.relname = $2
