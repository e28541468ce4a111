-- Indexes and sequences of the tables $3 whose names begin with $1, as statements that make them begin with $2; a number
-- follows where something else has that name.
SELECT format('ALTER %s %I.%I RENAME TO %I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'INDEX' END, n.nspname, c.relname,
              CASE WHEN t.oid IS NULL THEN w.name ELSE left(w.name, 63 - length(c.oid::text)) || c.oid END)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT $2 || substr(c.relname, length($1) + 1) AS name) w
LEFT JOIN pg_class t ON t.relnamespace = c.relnamespace AND t.relname = w.name
WHERE c.oid IN (SELECT i.indexrelid FROM pg_index i WHERE i.indrelid = ANY ($3)
                UNION ALL
                SELECT d.objid FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($3)
                  AND d.deptype IN ('a', 'i'))
  AND c.relkind IN ('i', 'S') AND starts_with(c.relname::text, $1 || '_')
