-- Corpora whose policy names one of the columns $2 of table or type $1, also by inheritance, if role $3 may alter that.
SELECT b.corpus
FROM pg_class r
JOIN socle.corpus c ON true
JOIN socle.corpus_binding b ON b.corpus = c.name
    AND (b.source = r.oid OR EXISTS (SELECT FROM socle_internal.ancestors(b.source) AS a (relid) WHERE a.relid = r.oid))
WHERE r.oid = $1 AND pg_has_role($3, r.relowner, 'USAGE')
  AND c.key_columns || c.content_columns || c.template_columns && $2
