-- The columns of table $1, in order: its schema and name, the column, its type, and whether row security hides rows of it from the
-- caller.
SELECT n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, NULL), row_security_active(c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY a.attnum
