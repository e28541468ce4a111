SELECT pg_catalog.row_to_json(g)::pg_catalog.text FROM socle.generator AS g WHERE g.name OPERATOR(pg_catalog.=) $1
