-- What the command has dropped of corpora: a table they consist of, a column they read, a trigger of theirs.
SELECT DISTINCT b.corpus, w.part, o.object_identity
FROM pg_event_trigger_dropped_objects() AS o
JOIN socle.corpus_binding b ON true
CROSS JOIN LATERAL (SELECT CASE
    WHEN o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND o.objid IN (b.source, b.chunk) THEN 'table'
    WHEN o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND o.objid IN (b.change, b.document) THEN 'log'
    WHEN o.classid = 'pg_class'::regclass AND o.objid = b.source
        AND o.objsubid = ANY (b.key_numbers || b.content_numbers || b.template_numbers || b.language_number) THEN 'column'
    WHEN o.object_type = 'trigger' AND o.address_names[array_length(o.address_names, 1)] = 'socle_capture_' || b.corpus
        THEN 'trigger'
    END AS part) AS w
WHERE w.part IS NOT NULL
