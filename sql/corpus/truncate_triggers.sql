SELECT t.relid::regclass::text
FROM (SELECT relid FROM pg_partition_tree($1) UNION SELECT $1::regclass) AS t
WHERE EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.relid AND g.tgname = $2)
