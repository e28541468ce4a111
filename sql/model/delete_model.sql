DELETE FROM socle.model AS m WHERE m.name OPERATOR(pg_catalog.=) $1 RETURNING m.package
