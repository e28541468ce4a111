-- The package $1, unless a model or a generator still has it.
DELETE FROM socle.model_package AS p
WHERE p.sha256 OPERATOR(pg_catalog.=) $1
  AND NOT EXISTS (SELECT FROM socle.model AS m WHERE m.package OPERATOR(pg_catalog.=) $1)
  AND NOT EXISTS (SELECT FROM socle.generator AS g WHERE g.package OPERATOR(pg_catalog.=) $1)
RETURNING true
