SELECT $1::regclass::text, a.attname::text, format_type(a.atttypid, NULL)
FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
