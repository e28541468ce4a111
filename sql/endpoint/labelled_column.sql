-- The table $1, as *, or a column of it in $2, that is labelled as not to leave.
SELECT coalesce(a.attname::pg_catalog.text, '*')
FROM pg_catalog.pg_seclabel AS s
LEFT JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid OPERATOR(pg_catalog.=) s.objoid AND a.attnum OPERATOR(pg_catalog.=) s.objsubid
WHERE s.provider OPERATOR(pg_catalog.=) 'socle' AND s.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
  AND s.objoid OPERATOR(pg_catalog.=) $1
  AND (s.objsubid OPERATOR(pg_catalog.=) 0 OR a.attname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($2))
