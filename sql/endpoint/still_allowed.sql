-- A corpus that allows the endpoint $1.
SELECT c.name FROM socle.corpus AS c WHERE $1 OPERATOR(pg_catalog.=) ANY (c.egress) LIMIT 1
