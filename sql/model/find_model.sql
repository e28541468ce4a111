SELECT pg_catalog.row_to_json(m)::pg_catalog.text FROM socle.model AS m WHERE m.name OPERATOR(pg_catalog.=) $1
