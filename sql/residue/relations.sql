-- The tables $1 with their partitions, their TOAST tables, and the indexes of both: what of them has storage.
WITH tables AS (
    SELECT DISTINCT t.relid AS oid
    FROM unnest($1::oid[]) AS w (oid)
    CROSS JOIN LATERAL (SELECT w.oid UNION SELECT p.relid::oid FROM pg_partition_tree(w.oid) AS p) AS t (relid)),
heaps AS (
    SELECT c.oid, 'table' AS kind FROM tables t JOIN pg_class c ON c.oid = t.oid WHERE c.relkind IN ('r', 'm')
    UNION ALL
    SELECT c.reltoastrelid, 'toast' FROM tables t JOIN pg_class c ON c.oid = t.oid WHERE c.reltoastrelid <> 0)
SELECT h.oid, h.oid::regclass::text, h.kind FROM heaps h
UNION ALL
SELECT i.indexrelid, i.indexrelid::regclass::text, m.amname::text
FROM heaps h JOIN pg_index i ON i.indrelid = h.oid JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
JOIN pg_am m ON m.oid = c.relam
