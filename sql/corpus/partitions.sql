-- Those of a table and its partitions that lack a trigger of that name. The tree of a table without partitions is
-- itself.
SELECT t.relid::regclass::text
FROM (SELECT relid FROM pg_partition_tree($1) UNION SELECT $1::regclass) AS t
WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.relid AND g.tgname = $2)
