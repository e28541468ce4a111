-- The vector indexes of the chunk table $1 whose names are $2, or $2 and a number, and whether they are valid: valid ones first.
SELECT c.relname::text, i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE i.indrelid = $1 AND a.amname = 'hnsw' AND starts_with(c.relname::text, $2)
  AND substr(c.relname::text, length($2) + 1) ~ '^[0-9]*$'
ORDER BY i.indisvalid DESC, c.relname
