-- A name that no relation of schema $1 has: $2, else $2 and a number.
SELECT f.name
FROM (SELECT $2 AS name, 0 AS number UNION ALL SELECT $2 || g, g FROM generate_series(2, 10000) g) f
WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = $1 AND c.relname = f.name)
ORDER BY f.number LIMIT 1
