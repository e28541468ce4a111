-- Whether a command has dropped something of a corpus. Of the tables of socle it names what every version has.
SELECT EXISTS (
    SELECT FROM pg_event_trigger_dropped_objects() AS o
    JOIN socle.corpus_binding b ON o.objid IN (b.source, b.chunk, b.change, b.document)
    WHERE o.classid = 'pg_class'::regclass)
