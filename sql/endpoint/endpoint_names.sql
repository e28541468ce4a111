SELECT e.name FROM socle.endpoint AS e ORDER BY e.name USING OPERATOR(pg_catalog.<)
