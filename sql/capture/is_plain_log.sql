-- Whether no object that its owner has put on change log $1 takes part in an insert. pg_get_expr() locks the table of an
-- expression: OFFSET 0 keeps the planner from calling it for other tables, which anybody may have locked.
SELECT l.relkind = 'r' AND NOT (l.relhastriggers OR l.relhasrules OR l.relispartition) AND l.relchecks = 0
   AND NOT EXISTS (SELECT FROM (SELECT * FROM pg_index i WHERE i.indrelid = l.oid OFFSET 0) AS i
                   WHERE i.indexprs IS NOT NULL OR i.indisexclusion OR i.indisunique AND NOT i.indisprimary
                      OR coalesce(pg_get_expr(i.indpred, i.indrelid), '') NOT IN ('', '(batch_1 IS NOT NULL)', k.predicate))
   AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = l.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND (a.attgenerated <> '' OR a.attnotnull AND a.attname NOT IN ('change_id', 'xid', 'changed_at', 'compared',
                                                                                   'attempt_count', 'next_attempt_at')))
   AND NOT EXISTS (SELECT FROM (SELECT * FROM pg_attrdef d WHERE d.adrelid = l.oid OFFSET 0) AS d
                   WHERE pg_get_expr(d.adbin, d.adrelid) NOT IN (
                       'pg_current_xact_id()', 'now()', 'false', '0', '''-infinity''::timestamp with time zone'))
FROM pg_class l
CROSS JOIN LATERAL (SELECT coalesce(max(format('((batch_1 IS NULL) AND (%I IS NULL))', c.chunk_key_columns[1])), '') AS predicate
                    FROM socle.corpus c JOIN socle.corpus_binding b ON b.corpus = c.name WHERE b.change = l.oid) AS k
WHERE l.oid = $1
