-- The type of column $2 of table $1 for casts, without a length, which would cut values.
SELECT format('%I.%I', n.nspname, t.typname)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE a.attrelid = $1 AND a.attname = $2 AND NOT a.attisdropped
