-- The columns of a table ordered by name, without those that only files have; its comment, its owner.
SELECT string_agg(d.column_definition, ', ' ORDER BY d.column_definition COLLATE "C"),
    obj_description(c.oid, 'pg_class'), c.relowner
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT format('%I %s', a.attname, y.definition) AS column_definition
    FROM pg_attribute a CROSS JOIN LATERAL socle_internal.column_type(a.attrelid, a.attnum) AS y
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND NOT (a.attname = 'recognition_confidence' AND a.atttypid = 'pg_catalog.float4'::pg_catalog.regtype)
      AND NOT (a.attname = 'extractor' AND a.atttypid = 'pg_catalog.text'::pg_catalog.regtype)) AS d ON true
WHERE n.nspname = $1 AND c.relname = $2
GROUP BY c.oid, c.relowner
