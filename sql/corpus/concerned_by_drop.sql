-- Whether a command has dropped a relation of a corpus. Only uses tables and columns of socle that every version has.
SELECT EXISTS (
    SELECT FROM pg_event_trigger_dropped_objects() AS o
    JOIN socle.corpus_binding b ON o.objid IN (b.source, b.chunk, b.change, b.document)
    WHERE o.classid = 'pg_class'::regclass)
