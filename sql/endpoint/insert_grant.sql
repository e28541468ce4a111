-- Grants of roles that were dropped go, before another role can have their OID.
WITH gone AS (
    DELETE FROM socle.endpoint_grant AS g
    WHERE g.role OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid OPERATOR(pg_catalog.=) g.role)
)
INSERT INTO socle.endpoint_grant (endpoint, role)
VALUES ($1, $2::pg_catalog.oid::pg_catalog.regrole) ON CONFLICT DO NOTHING
