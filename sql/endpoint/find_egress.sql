-- The endpoints that each of the corpora $1 allows, in this order, and a column that it takes texts from and that is labelled as
-- not to leave; no endpoints for a corpus that is gone.
SELECT coalesce(c.egress, '{}'::pg_catalog.text[]), l.labelled
FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS n (name, position)
LEFT JOIN socle.corpus AS c ON c.name OPERATOR(pg_catalog.=) n.name
LEFT JOIN socle.corpus_binding AS b ON b.corpus OPERATOR(pg_catalog.=) c.name
LEFT JOIN LATERAL (
    SELECT coalesce(a.attname::pg_catalog.text, '*') AS labelled
    FROM pg_catalog.pg_seclabel AS s
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid OPERATOR(pg_catalog.=) s.objoid AND a.attnum OPERATOR(pg_catalog.=) s.objsubid
    WHERE s.provider OPERATOR(pg_catalog.=) 'socle' AND s.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
      AND s.objoid OPERATOR(pg_catalog.=) b.source
      AND (s.objsubid OPERATOR(pg_catalog.=) 0 OR a.attname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (
          c.content_columns OPERATOR(pg_catalog.||) c.title_column OPERATOR(pg_catalog.||) c.template_columns))
    LIMIT 1) AS l ON true
ORDER BY n.position USING OPERATOR(pg_catalog.<)
