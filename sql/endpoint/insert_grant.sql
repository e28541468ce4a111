INSERT INTO socle.endpoint_grant (endpoint, role)
VALUES ($1, $2::pg_catalog.oid::pg_catalog.regrole) ON CONFLICT DO NOTHING
