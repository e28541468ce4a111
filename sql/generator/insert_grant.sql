-- Grants of roles that were dropped go, before another role can have their OID.
WITH gone AS (
    DELETE FROM socle.generator_grant AS g
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid OPERATOR(pg_catalog.=) g.role::pg_catalog.oid)
)
INSERT INTO socle.generator_grant (generator, role) VALUES ($1, $2::pg_catalog.oid::pg_catalog.regrole) ON CONFLICT DO NOTHING
