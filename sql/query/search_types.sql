-- For a search in chunk table $1 with source $2: the schema of pgvector as it stands in SQL, the type of the vectors, and
-- whether the caller sees the source through row security.
SELECT quote_ident(n.nspname), a.atttypid, row_security_active($2::oid)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
CROSS JOIN pg_attribute a
WHERE e.extname = 'vector' AND a.attrelid = $1 AND a.attname = 'embedding'
