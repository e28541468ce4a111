-- With it, what is left of roles that are gone.
DELETE FROM socle.generator_grant AS g
WHERE g.generator OPERATOR(pg_catalog.=) $1 AND g.role::pg_catalog.oid OPERATOR(pg_catalog.=) $2::pg_catalog.oid
   OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid OPERATOR(pg_catalog.=) g.role::pg_catalog.oid)
