UPDATE socle.generator AS m SET public_use = $2 WHERE m.name OPERATOR(pg_catalog.=) $1
