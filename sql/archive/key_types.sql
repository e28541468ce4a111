-- The columns $2 of table $1, in this order: type, and schema and name of a collation other than that of the type.
SELECT format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> t.typcollation THEN n.nspname::text END,
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname::text END
FROM unnest($2::text[]) WITH ORDINALITY AS k (name, position)
JOIN pg_attribute a ON a.attrelid = $1::oid AND a.attname = k.name AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
ORDER BY k.position
