-- The change log of corpus $1 for a trigger on table $2, which has to be its source or a part of it: as a partition, or
-- as a table that inherits from it, whose rows no log takes. Attribute numbers in that table of the key, of the columns
-- that chunks are built from (for a virtual generated column, those that it is computed from), and of the OIDs of large
-- objects. Without a log, or with one that cannot take the key as it is, changes are logged for the corpus as a whole.
SELECT jsonb_build_object('log', coalesce(l.oid, 0)::bigint, 'owner', coalesce(l.relowner, 0)::bigint,
                          'schema', coalesce(n.oid, 0)::bigint,
                          'name', format('%I.%I', n.nspname, l.relname),
                          'key', k.numbers, 'key_names', k.names, 'content', w.numbers, 'object', w.object,
                          'inactive', c.state IN ('paused', 'broken'),
                          'own_key', k.own_numbers,
                          'complete', coalesce(l.oid IS NOT NULL AND p.part
                              AND array_position(k.numbers || k.own_numbers, NULL) IS NULL, false))::text
FROM socle.corpus c
JOIN socle.corpus_binding b ON b.corpus = c.name
LEFT JOIN pg_class l ON l.oid = b.change
LEFT JOIN pg_namespace n ON n.oid = l.relnamespace
CROSS JOIN LATERAL (
    SELECT b.source = $2::oid OR EXISTS (SELECT FROM pg_partition_ancestors($2::oid) AS a (relid)
        WHERE a.relid = b.source) AS part,
           EXISTS (WITH RECURSIVE above (relid) AS (
                       SELECT h.inhparent FROM pg_inherits h WHERE h.inhrelid = $2::oid
                       UNION SELECT h.inhparent FROM above u JOIN pg_inherits h ON h.inhrelid = u.relid)
                   SELECT FROM above u WHERE u.relid = b.source) AS heir) AS p
CROSS JOIN LATERAL (
    SELECT array_agg(a.attnum ORDER BY x.position) AS numbers, array_agg(o.attnum ORDER BY x.position) AS own_numbers,
           string_agg(quote_ident(x.own_name), ', ' ORDER BY x.position) AS names
    FROM unnest(c.key_columns, c.chunk_key_columns) WITH ORDINALITY AS x (name, own_name, position)
    LEFT JOIN pg_attribute a ON a.attrelid = $2::oid AND a.attname = x.name::name AND NOT a.attisdropped
    LEFT JOIN pg_attribute o ON o.attrelid = b.change AND o.attname = x.own_name::name AND NOT o.attisdropped) AS k
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(DISTINCT r.number), '{}') AS numbers,
           min(r.number) FILTER (
               WHERE a.attname = c.content_columns[array_position(c.content_roles, 'large_object')]::name) AS object
    FROM pg_attribute a
    CROSS JOIN LATERAL (
        SELECT a.attnum AS number WHERE a.attgenerated <> 'v'
        UNION ALL
        SELECT d.refobjsubid::smallint
        FROM pg_attrdef e JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
        WHERE a.attgenerated = 'v' AND e.adrelid = a.attrelid AND e.adnum = a.attnum AND d.refobjsubid <> a.attnum
          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid > 0) AS r
    WHERE a.attrelid = $2::oid AND a.attname = ANY ((c.content_columns || c.template_columns || c.language_column)::name[]) AND NOT a.attisdropped) AS w
WHERE c.name = $1 AND (p.part OR p.heir)
