SELECT a.attname::text, a.attnum, t.typcategory = 'S', coalesce(nullif(t.typbasetype, 0), t.oid)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
