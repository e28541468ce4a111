-- For a search with source $1: the schema of pgvector as SQL, its type, and whether row security applies to the caller
-- on the source.
SELECT quote_ident(n.nspname), t.oid, row_security_active($1::oid)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = 'vector'
JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'vector'
