-- The first two columns of table $1, in order: the table as SQL, the column, and whether it is a list of texts.
SELECT a.attrelid::regclass::text, a.attname::text, a.atttypid IN ('text[]'::regtype, 'varchar[]'::regtype)
FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 2
