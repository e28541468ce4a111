UPDATE socle.generator AS g SET package = $2 WHERE g.name OPERATOR(pg_catalog.=) $1
