-- The change log of a corpus for a trigger on table $2, which has to be its source or a partition of it, and which columns of
-- that table, by number, are the key, what chunks are made of, and what names a large object.
SELECT jsonb_build_object('log', l.oid::bigint, 'owner', l.relowner::bigint, 'name', format('%I.%I', n.nspname, l.relname),
                          'key', k.numbers, 'key_names', k.names, 'content', w.numbers, 'object', w.object,
                          'resting', c.state IN ('paused', 'broken'))::text
FROM socle.corpus c
JOIN socle.corpus_binding b ON b.corpus = c.name
JOIN pg_class l ON l.oid = b.change
JOIN pg_namespace n ON n.oid = l.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attnum ORDER BY x.position) AS numbers,
           string_agg(quote_ident(x.own_name), ', ' ORDER BY x.position) AS names
    FROM unnest(c.key_columns, c.chunk_key_columns) WITH ORDINALITY AS x (name, own_name, position)
    LEFT JOIN pg_attribute a ON a.attrelid = $2::oid AND a.attname = x.name::name AND NOT a.attisdropped) AS k
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(a.attnum), '{}') AS numbers,
           min(a.attnum) FILTER (
               WHERE a.attname = c.content_columns[array_position(c.content_roles, 'large_object')]::name) AS object
    FROM pg_attribute a
    WHERE a.attrelid = $2::oid AND a.attname = ANY ((c.content_columns || c.template_columns || c.language_column)::name[]) AND NOT a.attisdropped) AS w
WHERE c.name = $1 AND array_position(k.numbers, NULL) IS NULL
  AND (b.source = $2::oid OR EXISTS (SELECT FROM pg_partition_ancestors($2::oid) AS p (relid) WHERE p.relid = b.source))
