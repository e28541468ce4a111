UPDATE socle.model AS m SET package = $2 WHERE m.name OPERATOR(pg_catalog.=) $1
