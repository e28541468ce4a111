DELETE FROM socle.corpus AS c WHERE c.name OPERATOR(pg_catalog.=) $1
