-- Corpora that the command may concern: it has touched their source, a part of it, a table or type that it inherits
-- from, one of their own tables, or a type that values of the source contain. What does not depend on the corpus is
-- computed once.
WITH RECURSIVE touched (classid, objid) AS MATERIALIZED (
    SELECT DISTINCT o.classid, o.objid FROM pg_event_trigger_ddl_commands() AS o
    WHERE o.classid IN ('pg_class'::regclass, 'pg_type'::regclass)),
above (relid) AS (
    SELECT o.objid FROM touched o WHERE o.classid = 'pg_class'::regclass
    UNION
    SELECT h.inhparent FROM above u JOIN pg_inherits h ON h.inhrelid = u.relid),
below (relid) AS (
    SELECT o.objid FROM touched o WHERE o.classid = 'pg_class'::regclass
    UNION
    SELECT h.inhrelid FROM below u JOIN pg_inherits h ON h.inhparent = u.relid),
-- Types that columns or other types may contain; the row types of most tables are used by none.
made_of (type) AS MATERIALIZED (
    SELECT t.oid FROM touched o
    JOIN pg_class c ON c.oid = o.objid AND o.classid = 'pg_class'::regclass JOIN pg_type t ON t.oid = c.reltype
    WHERE EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_type'::regclass
        AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n')
    UNION
    SELECT o.objid FROM touched o WHERE o.classid = 'pg_type'::regclass)
SELECT b.corpus FROM socle.corpus_binding b
WHERE b.source IN (SELECT u.relid FROM above u UNION ALL SELECT u.relid FROM below u)
   OR EXISTS (SELECT FROM touched o WHERE o.classid = 'pg_class'::regclass AND o.objid IN (b.chunk, b.change, b.document))
   OR EXISTS (SELECT FROM made_of) AND (
        EXISTS (SELECT FROM pg_class s JOIN made_of m ON m.type = s.reloftype WHERE s.oid = b.source)
        OR EXISTS (
            WITH RECURSIVE used (type) AS (
                SELECT a.atttypid FROM pg_attribute a
                WHERE a.attrelid = b.source
                  AND a.attnum = ANY (b.key_numbers || b.content_numbers || b.template_numbers || b.title_number || b.language_number)
                UNION
                SELECT x.type FROM used u JOIN pg_type t ON t.oid = u.type
                CROSS JOIN LATERAL (
                    SELECT t.typbasetype UNION ALL SELECT t.typelem
                    UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0
                        AND NOT a.attisdropped
                    UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid) AS x (type)
                WHERE x.type <> 0)
            SELECT FROM used u JOIN made_of m ON m.type = u.type))
