-- Whether a command concerns a corpus. Only uses tables and columns of socle that every version has.
SELECT EXISTS (
    SELECT FROM pg_event_trigger_ddl_commands() AS o
    JOIN socle.corpus_binding b ON o.objid IN (b.source, b.chunk, b.change, b.document)
        OR EXISTS (SELECT FROM pg_partition_ancestors(o.objid) AS p (relid) WHERE p.relid = b.source)
    WHERE o.classid = 'pg_class'::regclass)
