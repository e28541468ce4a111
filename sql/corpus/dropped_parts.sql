-- What the command has dropped of corpora: a relation of theirs, a column they read, a trigger of theirs; and the change
-- logs of these corpora. The name of a trigger proves nothing, as any role can use that name: it has to be on the source or
-- a partition of it, and call our function. Runs in a snapshot from before the command, in which what was dropped still
-- exists.
SELECT DISTINCT b.corpus, w.part, o.object_identity, b.change
FROM pg_event_trigger_dropped_objects() AS o
JOIN socle.corpus_binding b ON true
CROSS JOIN LATERAL (SELECT CASE
    WHEN o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND o.objid IN (b.source, b.chunk) THEN 'table'
    WHEN o.classid = 'pg_class'::regclass AND o.objsubid = 0 AND o.objid IN (b.change, b.document) THEN 'log'
    WHEN o.classid = 'pg_class'::regclass AND o.objid = b.source
        AND o.objsubid = ANY (b.key_numbers || b.content_numbers || b.template_numbers || b.language_number) THEN 'column'
    WHEN o.classid = 'pg_trigger'::regclass AND EXISTS (
        WITH RECURSIVE tree (relation) AS (
            SELECT b.source UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.relation)
        SELECT FROM pg_trigger t
        WHERE t.oid = o.objid AND t.tgname = 'socle_capture_' || b.corpus AND t.tgfoid = 'socle._capture_change'::regproc
          AND t.tgrelid IN (SELECT relation FROM tree))
        THEN 'trigger'
    END AS part) AS w
WHERE w.part IS NOT NULL
