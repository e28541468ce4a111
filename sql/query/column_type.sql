-- The type of column $2 of table $1 for casts from text: without a length, which would cut values, and of a domain what it is
-- made of. NULL where a cast would run what anybody may have written.
WITH RECURSIVE base (type_id) AS (
    SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = $2 AND NOT a.attisdropped
    UNION ALL
    SELECT t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type_id WHERE t.typtype = 'd')
SELECT format('%I.%I', n.nspname, t.typname)
FROM base b JOIN pg_type t ON t.oid = b.type_id JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype <> 'd' AND NOT EXISTS (
    SELECT FROM pg_cast k JOIN pg_proc p ON p.oid = k.castfunc JOIN pg_language l ON l.oid = p.prolang
    WHERE k.castsource = 'text'::regtype AND k.casttarget = t.oid AND l.lanname NOT IN ('c', 'internal'))
