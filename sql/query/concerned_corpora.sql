-- Corpora that the command may concern: it has touched their source, a part of it, a table or type that it inherits from, one
-- of their own tables, or a type that values of the source are made of.
SELECT DISTINCT b.corpus
FROM pg_event_trigger_ddl_commands() AS o
JOIN socle.corpus_binding b ON
    o.classid = 'pg_class'::regclass AND (
        o.objid IN (b.source, b.chunk, b.change, b.document)
        OR EXISTS (SELECT FROM pg_partition_ancestors(o.objid) AS p (relid) WHERE p.relid = b.source)
        OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = o.objid AND h.inhparent = b.source)
        OR EXISTS (SELECT FROM socle._ancestors(b.source) AS a (relid) WHERE a.relid = o.objid))
    OR o.classid IN ('pg_class'::regclass, 'pg_type'::regclass) AND EXISTS (
        WITH RECURSIVE used (type) AS (
            SELECT a.atttypid FROM pg_attribute a
            WHERE a.attrelid = b.source
              AND a.attnum = ANY (b.key_numbers || b.content_numbers || b.template_numbers || b.title_number || b.language_number)
            UNION
            SELECT x.type FROM used u JOIN pg_type t ON t.oid = u.type
            CROSS JOIN LATERAL (
                SELECT t.typbasetype UNION ALL SELECT t.typelem
                UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid) AS x (type)
            WHERE x.type <> 0)
        SELECT FROM used u JOIN pg_type t ON t.oid = u.type
        WHERE CASE o.classid WHEN 'pg_type'::regclass THEN u.type = o.objid ELSE t.typrelid = o.objid END)
