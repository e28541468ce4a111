DELETE FROM socle.generator AS g WHERE g.name OPERATOR(pg_catalog.=) $1 RETURNING g.package
