-- Corpora whose source, or a partition of it, the command has touched.
SELECT DISTINCT b.corpus
FROM pg_event_trigger_ddl_commands() AS o
JOIN socle.corpus_binding b ON o.objid = b.source
    OR EXISTS (SELECT FROM pg_partition_ancestors(o.objid) AS p (relid) WHERE p.relid = b.source)
WHERE o.classid = 'pg_class'::regclass
