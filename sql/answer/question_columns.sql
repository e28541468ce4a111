-- The first two columns of table $1, in order, and then source_key, if it is a further one: the table as SQL, the column, and
-- whether it is a list of texts.
SELECT a.attrelid::regclass::text, a.attname::text, a.atttypid IN ('text[]'::regtype, 'varchar[]'::regtype)
FROM (SELECT a.*, row_number() OVER (ORDER BY a.attnum) AS place
      FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped) AS a
WHERE a.place <= 2 OR a.attname = 'source_key' ORDER BY a.place LIMIT 3
