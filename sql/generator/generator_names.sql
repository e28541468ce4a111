SELECT g.name FROM socle.generator AS g ORDER BY g.name USING OPERATOR(pg_catalog.<)
