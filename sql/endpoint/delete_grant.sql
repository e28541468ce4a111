DELETE FROM socle.endpoint_grant AS g
WHERE g.endpoint OPERATOR(pg_catalog.=) $1 AND g.role::pg_catalog.oid OPERATOR(pg_catalog.=) $2::pg_catalog.oid
