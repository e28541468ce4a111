-- Whether the caller may use model $1.
SELECT m.public_use
    OR (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER)
    OR EXISTS (SELECT FROM socle.model_grant AS g
               WHERE g.model OPERATOR(pg_catalog.=) m.name AND pg_catalog.pg_has_role(g.role, 'USAGE'))
FROM socle.model AS m WHERE m.name OPERATOR(pg_catalog.=) $1
