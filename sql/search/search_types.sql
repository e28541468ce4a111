-- For a search with source $1 and chunk table $2: the schema of pgvector as SQL, its type, and whether row security applies
-- to the caller: on the source, or by policies of the owner on the chunk table beside that of socle.
SELECT quote_ident(n.nspname), t.oid,
       row_security_active($1::oid) OR (row_security_active($2::oid) AND EXISTS (
           SELECT FROM pg_policy p WHERE p.polrelid = $2::oid AND p.polname <> 'socle_source_row'))
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = 'vector'
JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'vector'
