-- The type of column $2 of table $1, without a length, which would cut values.
SELECT format_type(a.atttypid, NULL) FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = $2 AND NOT a.attisdropped
