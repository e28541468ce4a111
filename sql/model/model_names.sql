SELECT m.name FROM socle.model AS m ORDER BY m.name USING OPERATOR(pg_catalog.<)
