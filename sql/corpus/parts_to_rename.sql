-- Indexes and sequences in the schema of table $3 whose names begin with $1, as statements that make them begin with
-- $2.
SELECT format('ALTER %s %I.%I RENAME TO %I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'INDEX' END, n.nspname, c.relname,
              $2 || substr(c.relname, length($1) + 1))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relnamespace = (SELECT t.relnamespace FROM pg_class t WHERE t.oid = $3)
  AND c.relkind IN ('i', 'S') AND starts_with(c.relname::text, $1 || '_')
