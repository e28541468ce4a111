-- Those of roles that were dropped, too.
DELETE FROM socle.endpoint_grant AS g
WHERE (g.endpoint OPERATOR(pg_catalog.=) $1 AND g.role::pg_catalog.oid OPERATOR(pg_catalog.=) $2::pg_catalog.oid)
   OR (g.role OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid OPERATOR(pg_catalog.=) g.role))
